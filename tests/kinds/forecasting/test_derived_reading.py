"""What is derived from a table where nobody says: the column to forecast, and how far a forecast looks back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from commands import exit_code
from gatewise import Forecaster, load_run
from gatewise.errors import DataError, GatewiseError, OptionError
from gatewise.kinds.forecasting.series.axis import Spacing
from gatewise.kinds.forecasting.series.loading import load_series
from gatewise.kinds.forecasting.series.lookback import LOOKBACK, default_lookback
from gatewise.kinds.forecasting.series.records import Series
from run_folders import without_checksums

ROWS = Spacing("rows")
SPACINGS = {
    each.season: each
    for each in (ROWS, Spacing("even", 3_600.0), Spacing("even", 86_400.0), Spacing("calendar", alias="ME", months=1))
}
TINY = ["--hidden", "4", "--epochs", "1", "--threads", "1"]


def months(path: Path, rows: int = 72, **columns: object) -> Path:
    """A German table of monthly sales: semicolons, decimal commas, days first."""
    ends = pd.date_range("2016-01-31", periods=rows, freq="ME")
    steps = np.arange(rows)
    values = 100 + 8 * np.sin(steps * np.pi / 6) + steps / 5
    words = [f"{value:.2f}".replace(".", ",") for value in values]
    pd.DataFrame({"Monat": ends.strftime("%d.%m.%Y"), "Umsatz": words, **columns}).to_csv(path, index=False, sep=";")
    return path


def test_the_only_column_of_numbers_is_forecast(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, run = months(tmp_path / "sales.csv", Notiz="wie immer"), tmp_path / "run"
    assert exit_code(["train", path, "--horizon", "6", *TINY, "--out", run]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "the column 'Umsatz' is forecast, the only one that holds numbers; --target names another" in said
    assert "the column 'Monat' was used as the time of each row; --time names another" in said
    assert said.count("was used as the time") == 1
    assert load_run(run).targets == ("Umsatz",)
    assert exit_code(["predict", run, "--file", path, "--out", tmp_path / "next.csv"]) == 0
    found = pd.read_csv(tmp_path / "next.csv", sep=";", decimal=",")
    assert found["Monat"].tolist()[0] == "31.01.2022" and found["Umsatz"].between(50, 200).all()
    named = load_series(path, time="Monat", target="Umsatz", horizon=6)
    assert load_series(path, horizon=6).fingerprint == named.fingerprint


def test_columns_with_another_use_are_not_forecast(tmp_path: Path) -> None:
    rows = np.arange(72)
    path = months(tmp_path / "sales.csv", Preis=rows % 7, Filiale=1)
    assert load_series(path, known="Preis", group="Filiale", horizon=3).targets == ("Umsatz",)
    with pytest.raises(OptionError, match=r"which column of sales.csv .*one of Umsatz, Preis, Filiale.*--target Preis"):
        load_series(path, horizon=3)


def test_a_table_without_numbers_says_so(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("day,mood\n2026-01-01,good\n2026-01-02,bad\n")
    with pytest.raises(OptionError, match=r"expected: a column of numbers.*columns without numbers: mood"):
        load_series(tmp_path / "x.csv")
    (tmp_path / "y.csv").write_text("day,mood\n")
    with pytest.raises(OptionError, match="a column of numbers"):
        load_series(tmp_path / "y.csv")


def test_rows_of_several_series_are_not_run_together(tmp_path: Path) -> None:
    days = pd.date_range("2026-01-01", periods=60, freq="D").strftime("%Y-%m-%d")
    shops = [
        pd.DataFrame({"shop": shop, "day": days, "sales": np.arange(60.0) % 7 + n}) for n, shop in enumerate("abc")
    ]
    pd.concat(shops).to_csv(tmp_path / "shops.csv", index=False)
    with pytest.raises(DataError, match=r"no order of time.*a time comes twice.*--time day --group shop"):
        load_series(tmp_path / "shops.csv", horizon=3)
    with pytest.raises(DataError, match=r"rows of the frame are in no order.*--group shop"):
        Forecaster(horizon=3).fit(pd.concat(shops))
    found = load_series(tmp_path / "shops.csv", time="day", group="shop", horizon=3)
    assert found.targets == ("sales",) and len(found.series) == 3
    both = pd.DataFrame({"begin": days, "end": days, "sales": np.arange(60.0) % 7})
    both.to_csv(tmp_path / "both.csv", index=False)
    with pytest.raises(DataError, match=r"columns 'begin' and 'end' hold times.*--time"):
        load_series(tmp_path / "both.csv", horizon=3)


def test_a_count_of_the_rows_is_not_forecast(tmp_path: Path) -> None:
    days = pd.date_range("2026-01-01", periods=60, freq="D").strftime("%Y-%m-%d")
    rows = pd.DataFrame({"id": np.arange(1, 61), "day": days, "sales": np.arange(60.0) % 7})
    rows.to_csv(tmp_path / "x.csv", index=False)
    assert load_series(tmp_path / "x.csv", horizon=3).targets == ("sales",)
    rows.drop(columns="sales").to_csv(tmp_path / "y.csv", index=False)
    assert load_series(tmp_path / "y.csv", horizon=3).targets == ("id",)


def test_a_table_without_a_header_is_refused(tmp_path: Path) -> None:
    path = months(tmp_path / "sales.csv")
    path.write_text(path.read_text().split("\n", 1)[1])
    with pytest.raises(DataError, match=r"first line of sales.csv holds values.*expected: a header"):
        load_series(path, horizon=3)
    wide = pd.DataFrame({"2019": np.arange(60.0), "2020": np.arange(60.0) % 7})  # years may be names of columns
    wide.to_csv(tmp_path / "wide.csv", index=False)
    assert load_series(tmp_path / "wide.csv", target="2020", horizon=3).targets == ("2020",)


def series(rows: int, train: int, breaks: tuple[int, ...] = ()) -> Series:
    return Series("", np.arange(float(rows)), np.ones((rows, 1)), (train, train, rows), breaks)


@pytest.mark.parametrize(
    ("train", "horizon", "season", "expected"),
    [
        (50, 6, 12, 12),
        (50, 6, None, 15),
        (50, 6, 24, 15),
        (184, 5, 12, 60),
        (170, 5, 12, 48),
        (400, 1, 7, 60),
        (7, 5, 7, 1),
    ],
)
def test_the_look_back_follows_a_short_training_part(
    train: int, horizon: int, season: int | None, expected: int
) -> None:
    found, notes = default_lookback([series(train + 20, train)], horizon, SPACINGS[season])
    assert found == expected
    assert (notes == []) == (expected == LOOKBACK)
    assert all(f"from {expected} step" in note and f"only {train}" in note for note in notes)


def test_gaps_and_several_series_count_for_the_look_back() -> None:
    cut = series(300, 240, breaks=(40, 100, 280))
    assert default_lookback([cut], 1, ROWS)[0] == (140 - 1 + 1) // 3
    found, notes = default_lookback([series(40, 30), series(400, 380), series(60, 45)], 1, ROWS)
    late = [series(60, 0), series(60, 1), series(400, 340)]  # two that have hardly begun before the border
    assert default_lookback(late, 1, ROWS) == (60, [])
    assert default_lookback([series(60, 0)], 6, ROWS)[0] == 1
    assert found == 15 and "the middle one of the series' training parts has only 45" in notes[0]


def test_a_given_look_back_rules(tmp_path: Path) -> None:
    path = months(tmp_path / "sales.csv")
    assert load_series(path, horizon=6).lookback == 12
    given = load_series(path, horizon=6, lookback=20)
    assert given.lookback == 20 and not any("--lookback" in note for note in given.notes)
    with pytest.raises(GatewiseError, match=r"at least 66 steps in a row.*a smaller --lookback"):
        load_series(path, horizon=6, lookback=60)


def test_a_derived_look_back_is_kept_with_the_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, run = months(tmp_path / "sales.csv"), tmp_path / "run"
    assert exit_code(["train", path, "--horizon", "6", *TINY, "--out", run]) == 0
    assert "forecasts are made from 12 steps" in " ".join(capsys.readouterr().out.split())
    trained = load_run(run)
    assert trained.lookback == 12 and trained.data_spec.lookback == 12 and trained.model.lookback == 12
    longer = months(tmp_path / "longer.csv", rows=300)  # another file's length changes nothing
    assert exit_code(["evaluate", run, longer, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["windows"] > 0
    scaler = json.loads((run / "scaler.json").read_text())
    assert scaler.pop("lookback") == 12
    (run / "scaler.json").write_text(json.dumps(scaler))
    without_checksums(run)
    with pytest.raises(GatewiseError, match=r"scaler.json is damaged; expected: lookback"):
        load_run(run)


def test_a_short_series_of_pandas_is_forecast_by_default() -> None:
    days = pd.date_range("2026-01-01", periods=40, freq="D")
    model = Forecaster(horizon=3, hidden_size=4, epochs=1, threads=1).fit(pd.Series(np.arange(40.0) % 7, index=days))
    assert len(model.predict()) == 3
    assert any("forecasts are made from" in note for note in model.notes_)


@pytest.mark.parametrize(
    "values",
    [
        [f"{2512.75 + (row * 7919 % 97) / 4:.2f}" for row in range(200)],
        [f"{1.0845 + (row * 7919 % 97) / 10_000:.4f}" for row in range(200)],
        [f"{1.15 + (row * 7919 % 97) / 10_000:.4f}" for row in range(200)],
        [f"{2000 + row / 2:.1f}" for row in range(200)],
    ],
    ids=["an index with two decimals", "a rate with four", "a rate whose decimals could be years", "a meter"],
)
def test_prices_and_rates_are_not_taken_for_months(tmp_path: Path, values: list[str]) -> None:
    days = pd.date_range("2025-01-01", periods=len(values), freq="D").strftime("%Y-%m-%d")
    pd.DataFrame({"date": days, "close": values}).to_csv(tmp_path / "prices.csv", index=False)
    data = load_series(tmp_path / "prices.csv", horizon=2)
    assert data.targets == ("close",)
    named = load_series(tmp_path / "prices.csv", time="date", target="close", horizon=2)
    assert data.fingerprint == named.fingerprint


@pytest.mark.parametrize("form", ["{year}.{month:02d}", "{month:02d}.{year}", "{month}.{year}"])
def test_months_with_a_dot_are_still_times(tmp_path: Path, form: str) -> None:
    months = [form.format(year=2010 + row // 12, month=row % 12 + 1) for row in range(120)]
    pd.DataFrame({"month": months, "sales": np.arange(120) % 17}).to_csv(tmp_path / "sales.csv", index=False)
    data = load_series(tmp_path / "sales.csv", horizon=2)
    assert any("'month' was used as the time" in note for note in data.notes) and data.targets == ("sales",)


@pytest.mark.parametrize("decimals", ["", ".0"])
def test_a_column_called_year_is_the_time(tmp_path: Path, decimals: str) -> None:
    years = [f"{1871 + row}{decimals}" for row in range(100)]
    pd.DataFrame({"Year": years, "volume": np.arange(100) * 37 % 41}).to_csv(tmp_path / "nile.csv", index=False)
    data = load_series(tmp_path / "nile.csv", horizon=1)
    assert any("'Year' was used as the time" in note for note in data.notes) and data.targets == ("volume",)


def test_a_year_beside_a_month_is_no_time_by_itself(tmp_path: Path) -> None:
    rows = np.arange(120)
    table = pd.DataFrame({"year": 2010 + rows // 12, "month": rows % 12 + 1, "sales": rows % 17})
    table.to_csv(tmp_path / "sales.csv", index=False)
    data = load_series(tmp_path / "sales.csv", target="sales", horizon=2)
    assert not any("was used as the time" in note for note in data.notes) and data.time == "year,month"
