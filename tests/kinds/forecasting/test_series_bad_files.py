"""Series that cannot be used: each complaint names the line and the fix."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gatewise.errors import DataError, GatewiseError, OptionError
from gatewise.kinds.forecasting.series.known import KNOWN_SERIES
from gatewise.kinds.forecasting.series.loading import known_columns, load_series
from gatewise.kinds.forecasting.series.numbers import numbers_of
from gatewise.training.registry import datasets

ROWS = [f"2026-01-{day:02},{day % 5 + day / 7:.3f},{day % 3}" for day in range(1, 32)]


def write(tmp_path: Path, rows: list[str], header: str = "date,close,volume") -> Path:
    path = tmp_path / "prices.csv"
    path.write_text("\n".join([header, *rows]) + "\n")
    return path


def changed(line: int, row: str) -> list[str]:
    rows = list(ROWS)
    rows[line - 2] = row
    return rows


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (changed(5, "soon,1,1"), r"prices.csv, line 5: 'soon' in the column 'date' is not a time"),
        (changed(5, ",1,1"), r"line 5: the time in the column 'date' is missing"),
        (changed(5, "2026-01-03,1,1"), r"line 5: the time 2026-01-03 comes twice.*line 4.*--group"),
        (changed(5, "2026-01-04T00:00+01:00,1,1"), r"line 5: the times .* with and without a time zone"),
        (changed(5, "2026-01-04,inf,1"), r"line 5: the value in the column 'close' is infinite"),
        (changed(5, "2026-01-04,much,1"), r"line 5: 'much' in the column 'close' is not a number.*text cannot be"),
        (changed(5, "2026-01-04,1'000,1"), r"line 5: .* is not a number.*marks of thousands: 1000 instead of 1'000"),
        (changed(5, '2026-01-04,"1,981,97",1'), r"line 5: .* is not a number.*thousands: 1981.97 instead of 1,981,97"),
        (changed(5, '2026-01-04,"19,8,7",1'), r"line 5: .* is not a number.*a decimal point and nothing else"),
        (changed(5, "2026-01-04,1"), r"line 5: the row has 2 fields"),
        (ROWS[:8], r"too short for this look-back and horizon.*at least 7 steps"),
        ([row.split(",")[0] + ",3,1" for row in ROWS], r"the target 'close' never changes"),
        ([row.split(",")[0] + ",,1" for row in ROWS], r"no row has a value"),
        ([], r"a header but no rows"),
    ],
)
def test_rows_that_cannot_be_used(tmp_path: Path, rows: list[str], words: str) -> None:
    with pytest.raises(DataError, match=words):
        load_series(write(tmp_path, rows), time="date", target="close", horizon=2, lookback=5)


def test_gaps_are_named_where_they_leave_too_little(tmp_path: Path) -> None:
    """Eight days a month: no stretch without a gap holds ten steps, though there are many steps in all."""
    rows = [f"{2020 + n // 12}-{n % 12 + 1:02}-{day:02},{n + day % 5}.5,1" for n in range(30) for day in range(1, 9)]
    path = write(tmp_path, rows)
    with pytest.raises(DataError, match=r"at least 10 steps in a row in the training part") as caught:
        load_series(path, time="date", target="close", horizon=2, lookback=8)
    error = caught.value
    assert str(error.got).endswith("; the longest stretch without a gap has 8") and "fill the gaps" in str(error.fix)
    few = rows[:100] + [row for row in rows[100:] if int(row[8:10]) < 4]
    with pytest.raises(DataError, match="part is too short for this horizon") as caught:
        load_series(write(tmp_path, few), time="date", target="close", horizon=1, lookback=5)
    assert caught.value.expected == "at least 1 step after 5 steps without a gap"


@pytest.mark.parametrize(
    ("written", "decimal", "words"),
    [
        ("1,234", ".", "thousands: 1234 instead of 1,234; or, if the comma begins the decimals: --decimal ,"),
        ("0,234", ".", "for numbers with a decimal comma: --decimal ,"),
        ("1 234", ",", "thousands: 1234 instead of 1 234"),
        ("1\u202f234,5", ",", "thousands: 1234,5 instead of 1\u202f234,5"),
        ("١,٢٣٤", ",", "write numbers with the digits 0 to 9"),
        ("12a", ",", "write digits with a decimal comma and nothing else, such as 1981,97"),
        ("12.5", ",", "omit --decimal if the numbers have a decimal point"),
    ],
)
def test_the_advice_on_a_number_fits_its_marks(written: str, decimal: str, words: str) -> None:
    with pytest.raises(DataError) as caught:
        numbers_of(pd.Series(["7", written, "8"], dtype=object), ["row 1", "row 2", "row 3"], "y", decimal)
    assert caught.value.message.startswith("row 2") and str(caught.value.fix).endswith(words)


def test_no_number_is_its_own_correction() -> None:
    """Whatever mixture of digits and marks: what is advised is never what stands there, and can be read."""
    for parts in itertools.product("1١１", (",", ".", " ", "'"), ("234", "5"), ("", ",", ".", " "), ("567", "8")):
        for decimal in ".,":
            word = "".join(parts)
            try:
                numbers_of(pd.Series([word], dtype=object), ["row 1"], "y", decimal)
            except DataError as error:
                if found := re.search(r"thousands: (\S+) instead", str(error.fix)):
                    assert found[1] != word
                    numbers_of(pd.Series([found[1]], dtype=object), ["row 1"], "y", decimal)


def test_a_time_that_comes_twice_within_a_named_series(tmp_path: Path) -> None:
    path = write(tmp_path, [f"{row},A" for row in [*ROWS, ROWS[2]]], header="date,close,volume,ticker")
    with pytest.raises(DataError, match="2026-01-03 comes twice in the series 'A'") as caught:
        load_series(path, time="date", target="close", group="ticker", horizon=2, lookback=5)
    assert "--group" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"target": "clsoe"}, r"column 'clsoe' is not in prices.csv.*did you mean 'close'"),
        ({"target": None}, r"which column of prices.csv is to be forecast.*one of close, volume.*--target"),
        ({"target": "close", "features": "close"}, r"named for two things"),
        ({"target": "close", "time": "day"}, r"column 'day' is not in"),
        ({"target": "date"}, r"named for two things"),
    ],
)
def test_columns_that_cannot_be_used(tmp_path: Path, settings: dict[str, str], words: str) -> None:
    with pytest.raises(GatewiseError, match=words):
        load_series(write(tmp_path, ROWS), **{"time": "date", "horizon": 2, "lookback": 5, **settings})


def test_unknown_name_and_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="did you mean 'stocks'"):
        load_series("stoks")
    with pytest.raises(DataError, match="does not exist"):
        load_series(tmp_path / "nothing.csv", target="x")
    (tmp_path / "prices.ods").write_bytes(b"PK")
    with pytest.raises(DataError, match="suffix that is not known"):
        load_series(tmp_path / "prices.ods", target="x")
    with pytest.raises(DataError, match=r"not available.*--download"):
        load_series("etth1", cache=tmp_path)


def test_another_name_of_a_known_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gatewise.training.registry import task_of

    assert task_of("ett") == "forecasting"
    assert known_columns("ett", None, "OT", None) == ("date", "OT", None)
    with pytest.raises(DataError, match=r"'etth1' is not available"):
        load_series("ett", cache=tmp_path)
    monkeypatch.chdir(tmp_path)
    write(tmp_path, ROWS).rename("ett")
    assert known_columns("ett", None, "OT", None) == ("date", "OT", None)
    assert task_of("ett") == "forecasting"
    assert known_columns("./ett", None, "OT", None) == (None, "OT", None)
    with pytest.raises(OptionError, match=r"not clear which kind of problem \./ett is for"):
        task_of("./ett")


def test_damaged_known_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ett").mkdir()
    (tmp_path / "ett" / "ETTh1.csv").write_text("date,OT\n2016-07-01,1\n")
    with pytest.raises(DataError, match="is not the known file"):
        load_series("etth1", cache=tmp_path)


@pytest.mark.parametrize("error", [ValueError("hash"), OSError("no route")])
def test_failed_download_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    import pooch

    def refuse(*_: object, **__: object) -> str:
        raise error

    monkeypatch.setattr(pooch, "retrieve", refuse)
    words = "wrong checksum" if isinstance(error, ValueError) else "could not be downloaded"
    with pytest.raises(DataError, match=words):
        load_series("etth1", download=True, cache=tmp_path)


@pytest.mark.parametrize("horizon", [0, -1])
def test_horizon_has_to_be_positive(horizon: int) -> None:
    from gatewise.kinds.forecasting.spec import SeriesSpec

    with pytest.raises(OptionError, match="horizon is out of range"):
        SeriesSpec("stocks", horizon=horizon)


def test_logarithm_of_a_loss_is_refused() -> None:
    from gatewise.kinds.forecasting.series.scaling import transformed

    with pytest.raises(DataError, match=r"not positive at step 2.*--transform difference"):
        transformed(np.array([[1.0], [-2.0]]), 1, "log-return")


def test_known_series_are_listed() -> None:
    infos = {info.name: info for info in datasets() if info.task == "forecasting"}
    assert set(infos) == set(KNOWN_SERIES)


@pytest.mark.parametrize("name", ["stocks", "sp500", "nasdaq"])
def test_prices_out_of_the_packages(name: str) -> None:
    pytest.importorskip(KNOWN_SERIES[name].module or "")
    dataset = load_series(name)
    assert dataset.spacing.rule == "business" and min(dataset.sizes.values()) > 400
    assert [each.name for each in dataset.series] == (["AAPL", "GOOG", "IBM", "MSFT"] if name == "stocks" else [""])
    assert pd.Timestamp(dataset.series[0].times[-1]).year == (2013 if name == "stocks" else 2018)


@pytest.mark.parametrize("row", [0, 7])
def test_one_odd_number_among_decimal_commas_is_the_one_that_is_named(tmp_path: Path, row: int) -> None:
    values = [f"1.{900 + number},{number:02}" for number in range(20)]
    values[row] = "1,981,97"
    lines = [f"2026-01-{number + 1:02};{value}" for number, value in enumerate(values)]
    (tmp_path / "a.csv").write_text("\n".join(["date;close", *lines]) + "\n")
    with pytest.raises(DataError, match=rf"line {row + 2}: '1,981,97' .* 1234,5; fix: .* 1981,97 instead of 1,981,97"):
        load_series(tmp_path / "a.csv", time="date", target="close", horizon=2, lookback=5)
