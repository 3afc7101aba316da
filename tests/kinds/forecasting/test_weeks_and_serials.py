"""ISO weeks, days as Excel counts them, workbooks, periods: read, continued and written in their own form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from commands import exit_code
from gatewise import Forecaster
from gatewise.errors import DataError, OptionError
from gatewise.kinds.forecasting.series.axis import find_spacing
from gatewise.kinds.forecasting.series.checks import check_times
from gatewise.kinds.forecasting.series.loading import load_series
from gatewise.kinds.forecasting.series.reading import TimeColumn, TimeRules, read_times

SMALL = {"horizon": 3, "lookback": 6, "hidden_size": 4, "epochs": 1, "threads": 1, "batch_size": 16}
FLAGS = ["--target", "y", "--horizon", "3", "--lookback", "6", "--hidden", "4", "--epochs", "1", "--threads", "1"]
MONDAYS = pd.date_range("2020-11-02", periods=75, freq="W-MON")
START = pd.Timestamp("1899-12-30")


def read(words: list[object], **rules: object) -> TimeColumn:
    return read_times(words, [f"line {n + 2}" for n in range(len(words))], "t", TimeRules(**rules))  # type: ignore[arg-type]


def serials(times: pd.DatetimeIndex, digits: int = 10) -> list[str]:
    words = [f"{value:.{digits}f}" for value in (times - START) / pd.Timedelta("1D")]
    return [word.rstrip("0").rstrip(".") if "." in word else word for word in words]


def values(count: int) -> np.ndarray:
    return np.sin(np.arange(count)) + np.arange(count) / 50


@pytest.mark.parametrize("form", ["%G-W%V", "%GW%V", "%G-W%V-%u", "%GW%V-%u", "%GW%V%u"])
@pytest.mark.parametrize("named", [False, True])
def test_weeks(form: str, named: bool) -> None:
    # 2020 has a week 53
    words = [day.strftime(form) for day in MONDAYS]
    assert "2020-W53" in words or form != "%G-W%V"
    found = read(words, date_format=form) if named else read(words)
    np.testing.assert_array_equal(found.times, MONDAYS.to_numpy().astype("datetime64[us]"))
    assert found.form.written(found.times) == words
    assert find_spacing(found.times).title == "every week"


def test_other_days_of_weeks_and_weeks_that_do_not_exist() -> None:
    days = pd.date_range("2024-12-25", periods=14)
    words = [day.strftime("%G-W%V-%u") for day in days]
    found = read(words)
    np.testing.assert_array_equal(found.times, days.to_numpy().astype("datetime64[us]"))
    assert found.form.written(found.times) == words and words[5:7] == ["2025-W01-1", "2025-W01-2"]
    with pytest.raises(DataError, match="line 3: '2021-W53' in the column 't' is not a time"):
        read(["2021-W52", "2021-W53", "2022-W01"])
    with pytest.raises(DataError, match=r"'2021-W00'"):
        read(["2021-W00", "2021-W01", "2021-W02"])
    with pytest.raises(DataError, match=r"line 4: '2022W01'"):
        read(["2021-W51", "2021-W52", "2022W01"])
    check_times("%G-W%V", None)
    with pytest.raises(OptionError, match="cannot be read"):
        check_times("%G-%m", None)


@pytest.mark.parametrize(
    ("times", "digits", "title"),
    [
        (pd.date_range("2023-03-15", periods=40), 0, "every day"),
        (pd.date_range("2023-03-15 12:00", periods=40), 1, "every day"),
        (pd.date_range("2023-03-15", periods=100, freq="h"), 10, "every hour"),
        (pd.date_range("2023-03-15", periods=100, freq="h"), 4, "every hour"),
        (pd.date_range("2023-03-15", periods=100, freq="15min"), 6, "every 900 seconds"),
        (pd.date_range("2023-01-01", periods=40, freq="MS"), 0, "every month"),
    ],
)
def test_serial_dates(times: pd.DatetimeIndex, digits: int, title: str) -> None:
    words = serials(times, digits)
    found = read(words, date_format="excel")  # type: ignore[arg-type]
    np.testing.assert_array_equal(found.times, times.to_numpy().astype("datetime64[us]"))
    assert found.form.written(found.times) == words and find_spacing(found.times).title == title
    np.testing.assert_allclose(found.form.index(found.times), [float(word) for word in words])
    # numbers that nobody called dates stay numbers, and are named
    plain = read(words)  # type: ignore[arg-type]
    assert plain.times.dtype == np.float64 and "--date-format excel" in plain.notes[0]
    again = read([float(word) for word in words], form=found.form)
    np.testing.assert_array_equal(again.times, found.times)


def test_numbers_that_are_no_serial_dates() -> None:
    assert read(["1", "2", "3"]).notes == []
    assert read([1, 2, 3], workbook=True).times.dtype == np.float64
    with pytest.raises(DataError, match=r"line 3: 'soon' .* is not a time; expected: a number of days"):
        read(["45000", "soon"], date_format="excel")
    with pytest.raises(DataError, match="line 2: '7'"):
        read(["7", "8"], date_format="excel")


@pytest.mark.parametrize("written", ["dates", "numbers"])
def test_workbooks(tmp_path: Path, written: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("openpyxl")
    times = pd.date_range("2023-03-15", periods=75)
    when = times if written == "dates" else [int(word) for word in serials(times)]
    data, run = tmp_path / "data.xlsx", tmp_path / "run"
    pd.DataFrame({"when": when, "y": values(75)}).to_excel(data, index=False)
    more = [] if written == "dates" else ["--time", "when"]
    assert exit_code(["train", data, *more, *FLAGS, "--out", run]) == 0
    assert exit_code(["predict", run, "--file", data, "--out", tmp_path / "next.csv"]) == 0
    found = pd.read_csv(tmp_path / "next.csv")["when"]
    following = pd.date_range("2023-05-29", periods=3)
    assert found.tolist() == (following.strftime("%Y-%m-%d").tolist() if written == "dates" else [45075, 45076, 45077])
    dataset = load_series(data, time="when", target="y", horizon=3, lookback=6)
    assert dataset.spacing.title == "every day" and dataset.series[0].times[0] == np.datetime64("2023-03-15")


def test_serial_dates_of_a_csv_are_noticed_when_they_are_said(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    pd.DataFrame({"when": serials(pd.date_range("2023-03-15", periods=75)), "y": values(75)}).to_csv(path, index=False)
    dataset = load_series(path, target="y", date_format="excel", horizon=3, lookback=6)
    assert dataset.time == "when" and dataset.spacing.title == "every day"


@pytest.mark.parametrize("freq", ["W-SUN", "M", "Q-DEC", "D"])
def test_periods_come_back_as_periods(freq: str, tmp_path: Path) -> None:
    index = pd.period_range("2016-01", periods=75, freq=freq, name="when")
    frame = pd.DataFrame({"y": values(75)}, index=index)
    model = Forecaster(**SMALL).fit(frame)
    expected = pd.period_range(index[-1] + 1, periods=3, freq=freq, name="when")
    assert model.predict().index.equals(expected) and model.predict().index.name == "when"
    assert Forecaster(**SMALL).fit(frame["y"]).predict().index.equals(expected)
    named = Forecaster(**SMALL, time="when", target="y").fit(frame.reset_index()).predict()
    assert named.index.equals(expected)
    again = Forecaster.load(model.save(tmp_path / "run"))
    assert again.predict(frame=frame).index.equals(expected)
    assert model.backtest(frame, folds=1, refit=False)["origin"][0] == index[-4]


def test_periods_and_names_in_an_index() -> None:
    index = pd.MultiIndex.from_product(
        [pd.period_range("2016-01", periods=60, freq="M"), ["b", "a"]], names=["month", "shop"]
    )
    model = Forecaster(**SMALL).fit(pd.DataFrame({"y": values(120)}, index=index))
    found = model.predict()
    months = pd.period_range("2021-01", periods=3, freq="M")
    assert found.index.tolist() == [(month, shop) for month in months for shop in ("b", "a")]
    assert found.index.names == ["month", "shop"]


def test_serial_dates_have_the_decimal_mark_of_the_other_numbers(tmp_path: Path) -> None:
    data, run = tmp_path / "x.csv", tmp_path / "run"
    when = [word.replace(".", ",") for word in serials(pd.date_range("2023-03-15", periods=75, freq="12h"))]
    frame = pd.DataFrame({"when": when, "y": [f"{value:.3f}".replace(".", ",") for value in values(75)]})
    frame.to_csv(data, index=False, sep=";")
    more = ["--decimal", ",", "--date-format", "excel"]
    assert exit_code(["train", data, *more, *FLAGS, "--out", run]) == 0
    assert exit_code(["predict", run, "--file", data, "--out", tmp_path / "next.csv"]) == 0
    found = pd.read_csv(tmp_path / "next.csv", sep=";", decimal=",")["when"]
    assert pd.to_datetime(found, unit="D", origin="1899-12-30").tolist() == list(
        pd.date_range("2023-04-21 12:00", periods=3, freq="12h")
    )
