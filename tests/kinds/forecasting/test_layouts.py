"""Tables as people lay them out: totals below, a second header, units, a column per month, numbers that are dates."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gatewise import Forecaster
from gatewise.errors import DataError, OptionError
from gatewise.kinds.forecasting.series.loading import load_series
from gatewise.kinds.forecasting.series.table import read_frame

MONTHS = pd.date_range("2020-01-01", periods=40, freq="MS")
SMALL = {"horizon": 2, "lookback": 6}


def lines(header: str, rows: list[str], *, before: list[str] | None = None, after: list[str] | None = None) -> str:
    return "\n".join([header, *(before or []), *rows, *(after or [])]) + "\n"


ROWS = [f"{month:%Y-%m};{100 + 7 * (n % 5)};kWh" for n, month in enumerate(MONTHS)]


@pytest.mark.parametrize("target", [None, "sales"])
@pytest.mark.parametrize("rows", [ROWS, ROWS * 1 + [f"2{n:03}-01;5;kWh" for n in range(100, 180)]])
@pytest.mark.parametrize(
    ("last", "word"),
    [("Total;4556;kWh", "Total"), ("Summe 2020;4556;", "Summe 2020"), (";4556;Total", "Total"), ("Ø;114;", "Ø")],
)
def test_totals_below_the_table_are_left_out(
    tmp_path: Path, rows: list[str], last: str, word: str, target: str | None
) -> None:
    plain = load_series(written(tmp_path, lines("month;sales;unit", rows)), target=target, **SMALL)  # type: ignore[arg-type]
    for after in ([last], [";;", last, ";;"]):
        path = written(tmp_path, lines("month;sales;unit", rows, after=after))
        dataset = load_series(path, target=target, **SMALL)  # type: ignore[arg-type]
        assert (dataset.fingerprint, dataset.time) == (plain.fingerprint, "month")
        line = len(rows) + 1 + len(after) - (len(after) > 1)
        assert f"x.csv, line {line} is a row of totals ({word!r}) and left out" in dataset.notes


def test_totals_that_leave_a_doubt_are_refused(tmp_path: Path) -> None:
    path = written(tmp_path, lines("month;sales;unit", [*ROWS[:20], "Total;4556;kWh", *ROWS[20:]]))
    with pytest.raises(DataError, match=r"line 22 is no row of a time: 'Total' .*delete this row"):
        load_series(path, **SMALL)  # type: ignore[arg-type]


def test_totals_of_every_year_are_refused(tmp_path: Path) -> None:
    names = [*pd.date_range("2020-01-01", periods=12, freq="MS").strftime("%b"), "Total"]
    rows = [f"{2015 + year};{name};{n}" for year in range(5) for n, name in enumerate(names)]
    for target in (None, "sales"):
        path = written(tmp_path, lines("year;month;sales", rows))
        with pytest.raises(
            DataError, match=r"line 14 is no row of a time: 'Total' .*a row of totals, and 4 rows below"
        ):
            load_series(path, target=target, **SMALL)  # type: ignore[arg-type]
    whole = [row for row in rows if "Total" not in row]
    assert load_series(written(tmp_path, lines("year;month;sales", whole)), **SMALL).time == "year,month"  # type: ignore[arg-type]


def test_a_second_header_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(lines("month;sales;unit", ROWS, before=["yyyy-mm;EUR;-"]))
    for target in (None, "sales"):
        with pytest.raises(DataError, match=r"line 2 is no row of a time: 'yyyy-mm' .*a second line of names or units"):
            load_series(tmp_path / "x.csv", target=target, **SMALL)  # type: ignore[arg-type]


def test_a_column_of_times_with_other_words_is_named(tmp_path: Path) -> None:
    rows = [*ROWS[:20], "open;5;kWh", *ROWS[20:]]
    (tmp_path / "x.csv").write_text(lines("month;sales;unit", rows))
    notes = load_series(tmp_path / "x.csv", target="sales", **SMALL).notes  # type: ignore[arg-type]
    assert any("'month' holds times, but 'open' in x.csv, line 22, and was not used: name it" in note for note in notes)
    with pytest.raises(DataError, match=r"in no order of time as they stand; got: .*'open' in x.csv, line 22"):
        load_series(tmp_path / "x.csv", **SMALL)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "columns",
    [
        ["Jan", "Feb", "Mar", "Apr"],
        ["2023-01", "2023-02", "2023-03"],
        ["2019", "2020", "2021"],
        ["Q1 2023", "Q2 2023", "Q3 2023"],
        ["Jan 2023", "Feb 2023", "Mar 2023"],
    ],
)
def test_a_column_for_each_time_is_refused(tmp_path: Path, columns: list[str]) -> None:
    table = pd.DataFrame({"product": [f"p{n}" for n in range(40)]} | {name: np.arange(40) % 7 for name in columns})
    table.to_csv(tmp_path / "wide.csv", index=False)
    with pytest.raises(DataError, match=r"wide.csv has a column for each time.*melt.*--target"):
        load_series(tmp_path / "wide.csv", **SMALL)  # type: ignore[arg-type]
    assert load_series(tmp_path / "wide.csv", target=columns[0], **SMALL).targets == (columns[0],)  # type: ignore[arg-type]


def test_other_columns_of_numbers_are_still_asked_for(tmp_path: Path) -> None:
    pd.DataFrame({name: np.arange(40) % 7 for name in ("may", "price", "size", "age")}).to_csv(tmp_path / "x.csv")
    with pytest.raises(OptionError, match=r"which column of x.csv"):
        load_series(tmp_path / "x.csv", **SMALL)  # type: ignore[arg-type]


def test_several_units_in_one_column_are_said(tmp_path: Path) -> None:
    rows = [row.replace("kWh", "MWh") if n > 30 else row for n, row in enumerate(ROWS)]
    (tmp_path / "x.csv").write_text(lines("month;sales;unit", rows))
    notes = load_series(tmp_path / "x.csv", **SMALL).notes  # type: ignore[arg-type]
    assert "the column 'unit' has several units (kWh, MWh), and numbers are read as they stand beside each" in notes
    (tmp_path / "x.csv").write_text(lines("month;sales;unit", ROWS))
    assert not any("units" in note for note in load_series(tmp_path / "x.csv", **SMALL).notes)  # type: ignore[arg-type]
    apart = [f"{row};{'b' if 'MWh' in row else 'a'}" for row in ROWS + [row.replace("kWh", "MWh") for row in ROWS]]
    (tmp_path / "x.csv").write_text(lines("month;sales;unit;series", apart))
    notes = load_series(tmp_path / "x.csv", group="series", target="sales", **SMALL).notes  # type: ignore[arg-type]
    assert not any("units" in note for note in notes)


START = pd.Timestamp("1899-12-30")
NUMBERS = {
    "Datum": [(month - START).days for month in MONTHS],
    "date": [int(f"{month:%Y%m%d}") for month in MONTHS],
    "month": [int(f"{month:%Y%m}") for month in MONTHS],
    "timestamp": [int(month.timestamp()) for month in MONTHS],
}


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("target", [None, "sales"])
def test_numbers_that_are_dates_by_name_and_value_are_the_time(tmp_path: Path, name: str, target: str | None) -> None:
    table = pd.DataFrame({name: NUMBERS[name], "sales": np.arange(40) % 7})
    table.to_csv(tmp_path / "x.csv", index=False)
    dataset = load_series(tmp_path / "x.csv", target=target, **SMALL)  # type: ignore[arg-type]
    assert (dataset.time, dataset.targets, dataset.spacing.title) == (name, ("sales",), "every month")
    np.testing.assert_array_equal(dataset.series[0].times, MONTHS.to_numpy().astype("datetime64[us]"))
    assert dataset.form.written(dataset.series[0].times[-1:]) == [str(NUMBERS[name][-1])]
    fitted = Forecaster(**SMALL, hidden_size=4, epochs=1, threads=1).fit(table)
    assert fitted.predict().columns.tolist() == ["sales"]


@pytest.mark.parametrize(
    ("name", "values"),
    [("amount", NUMBERS["date"]), ("time", [20_000 + 10 * n for n in range(40)]), ("date", [n % 5 for n in range(40)])],
)
def test_other_numbers_are_no_times(tmp_path: Path, name: str, values: list[int]) -> None:
    pd.DataFrame({name: values, "sales": np.arange(40) % 7}).to_csv(tmp_path / "x.csv", index=False)
    assert load_series(tmp_path / "x.csv", target="sales", **SMALL).time is None  # type: ignore[arg-type]


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8-sig"])
def test_what_spreadsheets_save_is_read(tmp_path: Path, encoding: str) -> None:
    table = lines("Monat;Erlös (€)", [f"{month:%d.%m.%Y};{100 + n % 5},5" for n, month in enumerate(MONTHS)])
    (tmp_path / "x.csv").write_bytes(table.encode(encoding))
    dataset = load_series(tmp_path / "x.csv", **SMALL)  # type: ignore[arg-type]
    assert (dataset.time, dataset.targets) == ("Monat", ("Erlös (€)",)) and dataset.series[0].values[0, 0] == 100.5
    said = [note for note in dataset.notes if "Windows-1252" in note or "UTF-16" in note]
    assert len(said) == (encoding != "utf-8-sig")
    (tmp_path / "y.csv").write_bytes(table.replace("Erlös", "Доход").replace("€", "р").encode("cp1251"))
    with pytest.raises(DataError, match=r"y.csv is not UTF-8.*iconv"):
        load_series(tmp_path / "y.csv", **SMALL)  # type: ignore[arg-type]


def written(folder: Path, text: str, name: str = "x.csv") -> Path:
    (folder / name).write_text(text)
    return folder / name


@pytest.mark.parametrize(
    "above", ["Statistical office", "Sales, retail", "Sales; retail, net\nsource: the office", "Sales;;\n;;"]
)
def test_lines_above_the_names_are_left_out(tmp_path: Path, above: str) -> None:
    plain = load_series(written(tmp_path, lines("month;sales;unit", ROWS)), **SMALL)  # type: ignore[arg-type]
    path = written(tmp_path, f"{above}\n\n" + lines("month;sales;unit", [*ROWS[:5], *ROWS[5:]]))
    dataset = load_series(path, **SMALL)  # type: ignore[arg-type]
    line = above.count("\n") + 3
    assert dataset.fingerprint == plain.fingerprint
    first = above.splitlines()[0].strip(";")
    assert any(f"the lines above line {line} of x.csv ({first!r} ...)" in note for note in dataset.notes)
    broken = written(tmp_path, path.read_text() + "2030-01;5;kWh;7\n")
    with pytest.raises(DataError, match=rf"line {line + len(ROWS) + 1}: the row has 4 fields; expected: 3"):
        load_series(broken, **SMALL)  # type: ignore[arg-type]


def test_lines_of_text_below_the_table_are_left_out(tmp_path: Path) -> None:
    plain = load_series(written(tmp_path, lines("month;sales;unit", ROWS)), **SMALL)  # type: ignore[arg-type]
    path = written(tmp_path, lines("month;sales;unit", ROWS, after=["", "Source: the office", "as of March"]))
    dataset = load_series(path, **SMALL)  # type: ignore[arg-type]
    assert dataset.fingerprint == plain.fingerprint
    said = f"line {len(ROWS) + 3} and 1 below of x.csv ('Source: the office') is no row of the table and left out"
    assert said in dataset.notes
    cut = written(tmp_path, lines("month;sales;unit", ROWS, after=["2023-05"]))  # a file that was cut off is no footer
    with pytest.raises(DataError, match="the row has 1 fields"):
        load_series(cut, **SMALL)  # type: ignore[arg-type]


@pytest.mark.parametrize("row", ["north,2020-01-04,n/a,closed", "north,open,shut,closed"])
def test_a_row_without_numbers_is_not_taken_for_the_names_of_a_table(tmp_path: Path, row: str) -> None:
    rows = [f"north,2020-01-{day:02},{day}.5,{day}" for day in range(1, 32)]
    rows[3] = row
    path = written(tmp_path, lines(",date,temp,state", rows))
    frame, _ = read_frame(path)
    assert (len(frame), list(frame.columns)[1:], frame.attrs["notes"]) == (31, ["date", "temp", "state"], [])


def test_a_workbook_with_titles_and_totals_is_read(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    months = [[month.to_pydatetime(), 100.5 + n % 7] for n, month in enumerate(MONTHS)]
    for row in (["Accounts"], [], ["Month", "Revenue"], *months, ["Total", 4000.0]):
        book.active.append(row)
    book.save(tmp_path / "x.xlsx")
    dataset = load_series(tmp_path / "x.xlsx", **SMALL)  # type: ignore[arg-type]
    assert (dataset.time, dataset.targets, len(dataset.series[0].times)) == ("Month", ("Revenue",), len(MONTHS))
    assert "the rows above row 3 of x.xlsx are no part of the table and left out" in dataset.notes
    assert f"x.xlsx, row {len(MONTHS) + 4} is a row of totals ('Total') and left out" in dataset.notes


def test_the_program_that_turns_a_table_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    months = list(pd.date_range("2020-01-01", periods=12, freq="MS").strftime("%b"))
    table = pd.DataFrame(np.arange(60).reshape(5, 12) % 7, columns=months)
    table.assign(Year=range(2015, 2020)).to_csv("wide.csv", index=False)
    with pytest.raises(DataError, match="--time Year,month --target value;") as refusal:
        load_series("wide.csv", **SMALL)  # type: ignore[arg-type]
    program = str(refusal.value).split('python -c "')[1].split('", then')[0]
    exec(program)
    turned = load_series("long.csv", time="Year,month", target="value", **SMALL)  # type: ignore[arg-type]
    assert (
        turned.spacing.title == "every month"
        and turned.series[0].values.ravel().tolist() == table.values.ravel().tolist()
    )


def test_blank_ends_of_a_spreadsheet_are_left_out(tmp_path: Path) -> None:
    plain = load_series(written(tmp_path, lines("month;sales;unit", ROWS)), **SMALL)  # type: ignore[arg-type]
    ragged = lines("month;sales;unit;;", [f"{row};;" for row in ROWS], after=[";;;;", ";;;;"])
    found = load_series(written(tmp_path, ragged), **SMALL)  # type: ignore[arg-type]
    assert found.fingerprint == plain.fingerprint
    with pytest.raises(DataError, match="has the column '' twice"):
        load_series(written(tmp_path, lines("month;sales;;", [f"{row};5" for row in ROWS])), **SMALL)  # type: ignore[arg-type]


def test_a_comma_in_a_name_is_no_separator_beside_semicolons(tmp_path: Path) -> None:
    text = lines("month;sales, net", [f"{month:%Y-%m};{100 + n % 5},{n % 9}" for n, month in enumerate(MONTHS)])
    dataset = load_series(written(tmp_path, text), **SMALL)  # type: ignore[arg-type]
    assert dataset.targets == ("sales, net",) and dataset.series[0].values[:3, 0].tolist() == [100.0, 101.1, 102.2]
    quoted = lines('month,"a;b"', [f"{month:%Y-%m},{n % 5}" for n, month in enumerate(MONTHS)])
    assert load_series(written(tmp_path, quoted), **SMALL).targets == ("a;b",)  # type: ignore[arg-type]


def test_times_that_are_not_read_are_said(tmp_path: Path) -> None:
    weeks = [f"KW {1 + n}/2025;{n % 5}" for n in range(40)]
    dataset = load_series(written(tmp_path, lines("week;sales", weeks)), **SMALL)  # type: ignore[arg-type]
    said = "the column 'week' seems to hold times ('KW 1/2025' ...), which are not read, so that a row is a step"
    assert dataset.time is None and any(note.startswith(said) for note in dataset.notes)
    merged = [f"{month.year if month.month == 1 else ''};{month:%b};{n % 5}" for n, month in enumerate(MONTHS)]
    path = written(tmp_path, lines("year;month;sales", merged))
    dataset = load_series(path, target="sales", **SMALL)  # type: ignore[arg-type]
    said = "the column 'year' seems to be a part of times and is empty in some rows"
    assert dataset.time is None and any(note.startswith(said) for note in dataset.notes)
    codes = [f"A-{n};{n % 5}" for n in range(40)]
    assert not any(
        "seems" in note for note in load_series(written(tmp_path, lines("code;sales", codes)), **SMALL).notes
    )  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["{}", "{}0,5"])
def test_numbers_in_a_column_called_time_are_said(tmp_path: Path, form: str) -> None:
    path = written(tmp_path, lines("time;sales", [f"{form.format(n + 100)};{n % 5}" for n in range(40)]))
    dataset = load_series(path, target="sales", **SMALL)  # type: ignore[arg-type]
    assert dataset.time is None
    assert "the column 'time' may hold the time of each row and is not used: name it with --time" in dataset.notes
    assert not any("may hold" in note for note in load_series(path, target="sales", features="time", **SMALL).notes)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", ["%Y %b", "%Y-%b", "%Y %B"])
def test_a_year_before_the_name_of_a_month_is_the_time(tmp_path: Path, form: str) -> None:
    rows = [f"{month:%Y};M{month:%m};{month.strftime(form)};{n % 7}" for n, month in enumerate(MONTHS)]
    path = written(tmp_path, lines("Year;Period;Label;Value", rows))
    dataset = load_series(path, target="Value", **SMALL)  # type: ignore[arg-type]
    assert (dataset.time, dataset.spacing.title) == ("Label", "every month")
    assert dataset.form.written(dataset.series[0].times[:1]) == [MONTHS[0].strftime(form)]


def test_years_in_another_language_are_the_time(tmp_path: Path) -> None:
    path = written(tmp_path, lines("Jahr;Wert", [f"{1950 + n};{n % 7}" for n in range(60)]))
    assert load_series(path, **SMALL).time == "Jahr"  # type: ignore[arg-type]


def test_the_sheet_that_is_read_is_said(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for title, header in (("Info", ["report", "by"]), ("Data", ["day", "sales"])):
        sheet = book.active if title == "Info" else book.create_sheet()
        sheet.title = title
        for row in (header, [1, 2], [2, 5]):
            sheet.append(row)
    book.save(tmp_path / "x.xlsx")
    with pytest.raises(
        DataError, match=r"'sales' is not in x.xlsx; got: report, by; of the 2 sheets of x.xlsx, 'Info'"
    ):
        load_series(tmp_path / "x.xlsx", target="sales", **SMALL)  # type: ignore[arg-type]
