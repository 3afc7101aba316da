"""Numbers with signs around and within them, and targets that are empty at the end of a series."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from gatewise import Forecaster
from gatewise.cli.app import app
from gatewise.errors import DataError, OptionError
from gatewise.kinds.forecasting.series.loading import load_series
from gatewise.kinds.forecasting.series.signs import plain_numbers

VALUES = [1200.5 + 1000 * (n % 7) + 13.25 * (n % 3) for n in range(60)]
DAYS = [str(day)[:10] for day in pd.date_range("2025-01-01", periods=60)]


def _write(folder: Path, words: list[str], separator: str = ",", name: str = "sales.csv") -> Path:
    path = folder / name
    quoted = [f'"{word}"' if separator in word else word for word in words]
    path.write_text(
        f"day{separator}sales\n" + "".join(f"{day}{separator}{word}\n" for day, word in zip(DAYS, quoted, strict=True))
    )
    return path


def _german(value: float) -> str:
    return f"{value:,.2f}".translate(str.maketrans(",.", ".,"))


@pytest.mark.parametrize(
    ("written", "separator"),
    [
        (lambda value: f"${value:,.2f}", ","),
        (lambda value: f"{_german(value)} €", ";"),
        (lambda value: f"EUR {_german(value)}", ";"),
        (lambda value: f"{value:.2f}%", ","),
        (lambda value: f"{value:,.2f}".replace(",", "\u202f"), ","),
        (lambda value: f"{value:,.2f}".replace(",", "'"), ","),
        (lambda value: f"{value:,.2f}", ","),
    ],
)
def test_numbers_are_read_as_people_write_them(tmp_path: Path, written, separator) -> None:  # type: ignore[no-untyped-def]
    plain = load_series(_write(tmp_path, [f"{value:.2f}" for value in VALUES]), horizon=2, lookback=7)
    read = load_series(_write(tmp_path, [written(value) for value in VALUES], separator), horizon=2, lookback=7)
    assert read.targets == ("sales",)
    assert np.array_equal(read.series[0].values, plain.series[0].values)
    assert any("are read without" in note or "decimal comma" in note for note in read.notes)


def test_brackets_are_a_minus(tmp_path: Path) -> None:
    words = [f"({value - 4000:,.2f})" if value > 4000 else f"{value:,.2f}" for value in VALUES]
    read = load_series(_write(tmp_path, words), horizon=2, lookback=7)
    assert read.series[0].values.ravel().tolist() == [4000 - value if value > 4000 else value for value in VALUES]


@pytest.mark.parametrize(
    "words",
    [
        ["1,234", "2,345"],  # may be decimals
        ["5 €", "7"],  # one has no sign
        ["$5", "€7"],
        ["1,230", "1230"],  # one of four digits has none
        ["(-5)", "7"],
        ["12 34", "5"],
        ["1'000", "17"],  # one alone may be a slip
        ["$1,2", "$3"],  # the sign goes, the comma is judged elsewhere
    ],
)
def test_what_may_be_read_in_two_ways_keeps_its_commas_and_signs(words: list[str]) -> None:
    found = plain_numbers(pd.Series(words))[0].tolist()
    assert found == [word.replace("$", "") for word in words] if words[0] == "$1,2" else found == words


def test_commas_that_may_be_either_are_named_with_their_line_though_no_target_is_named(tmp_path: Path) -> None:
    words = [f"{62_000 + 7 * n + 1:,}" for n in range(60)]
    with pytest.raises(DataError, match=r"sales.csv, line 2: '62,001' in the column 'sales'.*--decimal ,"):
        load_series(_write(tmp_path, words), horizon=2, lookback=7)


def test_empty_targets_at_the_end_are_forecast_and_not_filled(tmp_path: Path) -> None:
    words = [f"{value:.2f}" for value in VALUES]
    ended = _write(tmp_path, [*words[:57], "", "", ""])
    path = _write(tmp_path, words, name="whole.csv")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:58]))
    found, cut = (load_series(each, horizon=2, lookback=7) for each in (ended, path))
    assert np.array_equal(found.series[0].values, cut.series[0].values)
    assert "3 rows after the last target left out: the forecast begins there" in found.notes
    run = str(tmp_path / "run")
    made = CliRunner().invoke(
        app, ["train", str(path), "--horizon", "2", "--epochs", "1", "--hidden", "4", "--out", run]
    )
    assert made.exit_code == 0, made.output
    forecast = CliRunner().invoke(app, ["predict", run, "--file", str(ended)])
    assert [line.split(",")[0] for line in forecast.stdout.splitlines()] == ["day", DAYS[57], DAYS[58]]


def test_a_table_given_for_the_horizon_is_named_in_one_line() -> None:
    series = pd.Series(VALUES, index=pd.to_datetime(DAYS), name="sales")
    fitted = Forecaster(horizon=2, lookback=7, epochs=1, hidden_size=4, threads=1).fit(series)
    with pytest.raises(OptionError, match=r"a table was given.*fix: predict\(frame=\.\.\.\)"):
        fitted.predict(series)  # type: ignore[arg-type]
    assert len(fitted.predict(frame=series)) == 2
