"""Times spread over several columns: read, found, continued and written in these very columns."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from commands import exit_code, ran, refused
from gatewise import Forecaster, load_run
from gatewise.errors import DataError, OptionError, RunError
from gatewise.kinds.forecasting.series.forms import TimeForm
from gatewise.kinds.forecasting.series.loading import load_series
from gatewise.kinds.forecasting.series.month_names import names_of_months
from gatewise.kinds.forecasting.series.reading import TimeColumn, TimeRules
from gatewise.kinds.forecasting.series.together import read_together

SMALL = {"horizon": 3, "lookback": 6, "hidden_size": 4, "epochs": 1, "threads": 1, "batch_size": 16}
FLAGS = ["--horizon", "3", "--lookback", "6", "--hidden", "4", "--epochs", "1", "--threads", "1"]
MONTHS = pd.date_range("2018-01-01", periods=75, freq="MS")
QUARTERS = pd.date_range("2004-01-01", periods=75, freq="QS")
HOURS = pd.date_range("2026-03-01", periods=75, freq="h")
GERMAN = ("Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November")


def values(count: int = 75) -> np.ndarray:
    return np.round(np.sin(np.arange(count)) + np.arange(count) / 50, 4)


def months(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"year": MONTHS.year, "month": MONTHS.month, "sales": values(), **columns})


def quarters(form: str = "{}") -> pd.DataFrame:
    words = [form.format(quarter) for quarter in QUARTERS.quarter]
    return pd.DataFrame({"quarter": words, "year": QUARTERS.year, "sales": values()})


def read(frame: pd.DataFrame, *names: str, **rules: object) -> TimeColumn:
    places = [f"line {n + 2}" for n in range(len(frame))]
    return read_together(frame.astype(str), names, places, TimeRules(**rules))  # type: ignore[arg-type]


CASES = {
    "year and month": (months(), MONTHS, ("2024", "4")),
    "month before year, padded": (
        pd.DataFrame({"Monat": MONTHS.strftime("%m"), "Jahr": MONTHS.year}),
        MONTHS,
        ("04", "2024"),
    ),
    "names of months": (pd.DataFrame({"year": MONTHS.year, "month": MONTHS.strftime("%B")}), MONTHS, ("2024", "April")),
    "short names": (
        pd.DataFrame({"yr": MONTHS.year, "mon": MONTHS.strftime("%b").str.upper()}),
        MONTHS,
        ("2024", "APR"),
    ),
    "German names": (
        pd.DataFrame({"Jahr": MONTHS.year, "Monat": [(*GERMAN, "Dezember")[n - 1] for n in MONTHS.month]}),
        MONTHS,
        ("2024", "April"),
    ),
    "quarter and year": (quarters(), QUARTERS, ("4", "2022")),
    "quarters called Q": (quarters("Q{}"), QUARTERS, ("Q4", "2022")),
    "year and week": (
        pd.DataFrame(
            {
                "year": [2020] * 53 + [2021] * 22,
                "week": [*range(1, 54), *range(1, 23)],
            }
        ),
        pd.date_range("2019-12-30", periods=75, freq="W-MON"),
        ("2021", "23"),
    ),
    "year, month and day": (
        pd.DataFrame({"year": HOURS.year, "month": 3, "day": range(1, 76)})[:29],
        pd.date_range("2026-03-01", periods=29),
        ("2026", "3", "30"),
    ),
    "year to hour": (
        pd.DataFrame({"year": HOURS.year, "month": HOURS.month, "day": HOURS.day, "hour": HOURS.hour}),
        HOURS,
        ("2026", "3", "4", "3"),
    ),
    "date and hour": (
        pd.DataFrame({"date": HOURS.strftime("%d.%m.%Y"), "hour": HOURS.hour}),
        HOURS,
        ("04.03.2026", "3"),
    ),
    "hours from 1 to 24": (
        pd.DataFrame({"date": HOURS.strftime("%Y-%m-%d"), "hour": HOURS.hour + 1}),
        HOURS,
        ("2026-03-04", "4"),
    ),
    "date and clock": (
        pd.DataFrame({"Date": HOURS.strftime("%-d/%-m/%Y"), "Time": HOURS.strftime("%H.%M.%S")}),
        HOURS,
        ("4/3/2026", "03.00.00"),
    ),
    "am and pm": (
        pd.DataFrame({"Date": HOURS.strftime("%Y%m%d"), "Time": HOURS.strftime("%-I:%M %p")}),
        HOURS,
        ("20260304", "3:00 AM"),
    ),
    "dates with midnight": (
        pd.DataFrame({"date": HOURS.normalize().strftime("%Y-%m-%d %H:%M:%S"), "hour": HOURS.hour}),
        HOURS,
        ("2026-03-04 00:00:00", "3"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_parts_are_read_and_written_back(case: str) -> None:
    frame, times, following = CASES[case]
    names = [name for name in frame.columns if name != "sales"]
    found = read(frame, *names)
    np.testing.assert_array_equal(found.times, times[: len(frame)].to_numpy().astype("datetime64[us]"))
    assert found.form.cells(found.times) == [tuple(map(str, row)) for row in frame[names].itertuples(index=False)]
    step = times[1:2].to_numpy() - times[:1].to_numpy()
    later = times[-1:] + times.freq if len(frame) == len(times) else times[-1:].to_numpy() + step
    assert found.form.cells(np.asarray(later).astype("datetime64[us]")) == [following]
    assert TimeForm.from_dict(json.loads(json.dumps(found.form.to_dict())), "scaler.json") == found.form


@pytest.mark.parametrize("case", CASES)
def test_they_are_found_by_themselves(tmp_path: Path, case: str) -> None:
    frame, times, _ = CASES[case]
    names = ",".join(name for name in frame.columns if name != "sales")
    count = len(frame)
    frame = frame.assign(sales=values(count))
    frame.to_csv(tmp_path / "x.csv", index=False)
    small = {"horizon": 1, "lookback": 3}
    dataset = load_series(tmp_path / "x.csv", **small)  # type: ignore[arg-type]
    assert (dataset.time, dataset.targets) == (names, ("sales",))
    assert any("were used together as the time of each row; --time names another" in note for note in dataset.notes)
    np.testing.assert_array_equal(dataset.series[0].times, times[:count].to_numpy().astype("datetime64[us]"))
    named = load_series(tmp_path / "x.csv", time=names, target="sales", **small)  # type: ignore[arg-type]
    assert named.fingerprint == dataset.fingerprint


def test_what_is_no_time_together_is_not_used(tmp_path: Path) -> None:
    def noticed(frame: pd.DataFrame) -> tuple[str | None, str]:
        frame.to_csv(tmp_path / "x.csv", index=False)
        found = load_series(tmp_path / "x.csv", target="sales", horizon=3, lookback=6)
        return found.time, " ".join(found.notes)

    assert noticed(months(month=values(75)))[0] is None  # no months
    assert noticed(months().rename(columns={"month": "model"}))[0] is None  # nothing says that these are months
    time, said = noticed(months().sample(frac=1, random_state=0))
    assert time is None and "the columns 'year' and 'month' hold times together and were not used: its rows" in said
    time, said = noticed(pd.concat([months(), months()]))
    assert time is None and "a time comes twice; name them with --time year,month (and the column that" in said
    twice = pd.DataFrame(
        {"year": 2026, "month": 1 + np.arange(75) // 7, "day": 1 + np.arange(75) % 7, "sales": values()}
    )
    twice.loc[3, "day"] = 3
    time, said = noticed(twice)
    assert time is None and "a time comes twice" in said


def test_rows_of_several_series_are_refused_with_the_options_to_give(tmp_path: Path) -> None:
    pd.concat([months(shop="a"), months(shop="b")]).to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(DataError, match=r"in no order of time.*--time year,month --group shop"):
        load_series(tmp_path / "x.csv", horizon=3)
    found = load_series(tmp_path / "x.csv", target="sales", group="shop", horizon=3, lookback=6)
    assert found.time == "year,month" and found.spacing.title == "every month" and len(found.series) == 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"month": [*MONTHS.month[:-1], 13]}, "line 76: '13' in the column 'month' is no month.*from 1 to 12"),
        ({"month": [*MONTHS.month[:-1], "soon"]}, "line 76: 'soon' in the column 'month' is no month"),
        ({"month": [*MONTHS.month[:-1], None]}, "line 76: '' in the column 'month' is no month"),
        ({"month": [*MONTHS.strftime("%b")[:-1], "Smarch"]}, "'Smarch' in the column 'month' is no month"),
        ({"month": values(75)}, "the columns 'year', 'month' are no time together; expected: a year with a month"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, change: dict[str, object], words: str) -> None:
    months(**change).to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(DataError, match=words):
        load_series(tmp_path / "x.csv", time="year,month", target="sales")


def test_other_refusals(tmp_path: Path) -> None:
    months().to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(DataError, match=r"column 'moth' is not in x.csv.*did you mean 'month'"):
        load_series(tmp_path / "x.csv", time="year,moth", target="sales")
    with pytest.raises(DataError, match="named for two things"):
        load_series(tmp_path / "x.csv", time="year,month", target="month")
    with pytest.raises(OptionError, match="--date-format is for dates that stand in a column of their own"):
        load_series(tmp_path / "x.csv", time="year,month", target="sales", date_format="%Y")
    frame = pd.DataFrame({"date": "2026-03-01", "hour": [*range(24), 24]})
    with pytest.raises(DataError, match="the hours go from 0 to 24"):
        read(frame, "date", "hour")
    with pytest.raises(RunError, match=r"scaler.json is damaged"):
        TimeForm.from_dict({**TimeForm().to_dict(), "columns": ["year", "month"]}, "scaler.json")


def test_dates_of_a_named_form_and_zones() -> None:
    frame = pd.DataFrame({"date": HOURS.strftime("%d|%m|%Y"), "hour": HOURS.hour})
    found = read(frame, "date", "hour", date_format="%d|%m|%Y")
    np.testing.assert_array_equal(found.times, HOURS.to_numpy().astype("datetime64[us]"))
    assert found.form.cells(found.times[:1]) == [("01|03|2026", "0")]
    night = pd.date_range("2025-10-26", periods=5, freq="h", tz="Europe/Berlin")
    frame = pd.DataFrame({"date": night.strftime("%Y-%m-%d"), "hour": night.hour})
    found = read(frame, "date", "hour", timezone="Europe/Berlin", step=3600.0)
    assert (np.diff(found.times) == np.timedelta64(1, "h")).all()  # the hour that comes twice is two hours
    assert [cells[1] for cells in found.form.cells(found.times)] == ["0", "1", "2", "2", "3"]


@pytest.mark.parametrize("case", ["year and month", "quarters called Q", "date and hour", "German names"])
def test_a_forecast_has_these_very_columns(tmp_path: Path, case: str, capsys: pytest.CaptureFixture[str]) -> None:
    frame, _, following = CASES[case]
    names = [name for name in frame.columns if name != "sales"]
    data, run = tmp_path / "x.csv", tmp_path / "run"
    frame.assign(sales=values()).to_csv(data, index=False)
    assert exit_code(["train", data, *FLAGS, "--out", run]) == 0
    assert load_run(run).time == ",".join(names)
    assert exit_code(["predict", run, "--file", data, "--out", tmp_path / "next.csv"]) == 0
    found = pd.read_csv(tmp_path / "next.csv", dtype=str)
    assert found.columns.tolist() == [*names, "sales"] and tuple(found.loc[0, names]) == following and len(found) == 3
    pd.concat([frame.assign(sales=values()).astype(str), found]).to_csv(tmp_path / "longer.csv", index=False)
    longer = load_series(tmp_path / "longer.csv", target="sales", horizon=3, lookback=6)
    assert not any("missing step" in note for note in longer.notes) and len(longer.series[0].times) == 78
    _, out, _ = ran(["predict", run, "--file", data, "--json"], capsys)
    step = json.loads(out)["forecasts"][0]["steps"][0]
    assert tuple(step[name] for name in names) == following
    code, out, _ = ran(["evaluate", run, data, "--json"], capsys)
    assert code == 0 and ", " in json.loads(out)["first"]
    other = frame.drop(columns=names[0]).assign(sales=values())
    other.to_csv(tmp_path / "less.csv", index=False)
    assert f"column {names[0]!r} is not in less.csv" in refused(
        ["predict", run, "--file", tmp_path / "less.csv"], capsys
    )


def test_columns_known_for_the_future_go_by_the_same_columns(tmp_path: Path) -> None:
    data, run = tmp_path / "x.csv", tmp_path / "run"
    months(price=np.arange(75) % 5).to_csv(data, index=False)
    assert exit_code(["train", data, "--known", "price", "--target", "sales", *FLAGS, "--out", run]) == 0
    plan = pd.DataFrame({"year": 2024, "month": [4, 5, 6], "price": [1, 2, 3]})
    plan.to_csv(tmp_path / "plan.csv", index=False)
    given = ["--file", data, "--future", tmp_path / "plan.csv", "--out", tmp_path / "next.csv"]
    assert exit_code(["predict", run, *given]) == 0
    assert pd.read_csv(tmp_path / "next.csv")["month"].tolist() == [4, 5, 6]


def test_python_reads_and_returns_the_same_columns(tmp_path: Path) -> None:
    frame = months()
    model = Forecaster(**SMALL).fit(frame)
    assert any("'year' and 'month' were used together" in note for note in model.notes_)
    found = model.predict()
    assert found.columns.tolist() == ["sales"] and found.index.names == ["year", "month"]
    assert found.index.tolist() == [(2024, 4), (2024, 5), (2024, 6)]
    named = Forecaster(**SMALL, time="year,month", target="sales").fit(frame)
    pd.testing.assert_frame_equal(named.predict(), found)
    again = Forecaster.load(named.save(tmp_path / "run"))
    pd.testing.assert_frame_equal(again.predict(frame=frame), found)
    # as groupby gives it
    indexed = frame.groupby(["year", "month"])["sales"].sum()
    series = Forecaster(**SMALL).fit(indexed).predict()
    assert isinstance(series, pd.Series)
    pd.testing.assert_series_equal(series, found["sales"])
    origins = named.backtest(frame, folds=2)
    assert origins["origin"].tolist() == [(2023, 9), (2023, 12)]


def test_python_keeps_the_order_of_the_levels() -> None:
    both = pd.concat([months(shop="b"), months(shop="a")])
    wanted = [(2024, 4), (2024, 5), (2024, 6)]
    plain = Forecaster(**SMALL, group="shop").fit(both).predict()
    assert plain.index.tolist() == [(shop, *month) for shop in ("b", "a") for month in wanted]
    last = Forecaster(**SMALL).fit(both.set_index(["year", "month", "shop"])).predict()
    assert last.index.names == ["year", "month", "shop"]
    assert last.index.tolist() == [(*month, shop) for month in wanted for shop in ("b", "a")]
    first = Forecaster(**SMALL).fit(both.set_index(["shop", "year", "month"])).predict()
    pd.testing.assert_frame_equal(first, plain)
    with pytest.raises(DataError, match="more than one level besides the time"):
        Forecaster(**SMALL).fit(both.assign(town="x").set_index(["town", "shop", "year", "month"]))


def test_months_of_a_language_are_all_named() -> None:
    assert names_of_months(["märz", "mai"])[9] == "oktober"
    assert names_of_months(["janv.", "févr."])[11] == "déc."
    assert names_of_months(["enero", "May"]) == ()
