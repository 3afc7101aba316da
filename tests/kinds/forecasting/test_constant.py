"""Series and columns that never change: what is said of them, and what their forecast is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from commands import exit_code, ran, refused
from gatewise import Forecaster
from gatewise.errors import DataError
from gatewise.kinds.forecasting.series.loading import load_series

DAYS = pd.date_range("2026-01-01", periods=80, freq="D")
TINY = ["--horizon", "3", "--lookback", "6", "--hidden", "4", "--epochs", "1", "--threads", "1"]


def frame(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"day": DAYS, "y": np.sin(np.arange(80.0)), **columns})


def table(folder: Path, **columns: object) -> Path:
    frame(**columns).to_csv(folder / "x.csv", index=False)
    return folder / "x.csv"


def late(value: float = 7.0) -> list[float]:
    """Constant for 60 of 80 days."""
    return [5.0] * 60 + [value] * 20


def test_a_constant_series_is_called_so_with_its_forecast(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(["train", table(tmp_path, y=5.5), *TINY], capsys)
    assert "the series is constant: the target 'y' never changes in the training part, nor after it" in said
    assert "5.5 in all 80 steps" in said and "the forecast of every step is 5.5" in said
    assert "--target" not in said


def test_a_series_that_changes_only_later_is_told_apart_from_it(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"5 in all its 56 steps, and changes only 5 steps later; .*its last value"):
        load_series(table(tmp_path, y=late()), target="y", horizon=3, lookback=6)
    with pytest.raises(DataError, match=r"the target 'z' never changes.*forecast the others: --target y$"):
        load_series(table(tmp_path, z=3), target="y,z", horizon=3, lookback=6)
    with pytest.raises(DataError, match=r"the series is constant.*5 in all 80 steps"):
        Forecaster(horizon=3, lookback=6).fit(frame(y=5.0).set_index("day"))


def test_one_of_several_series_is_left_out_with_its_forecast(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, run = tmp_path / "x.csv", tmp_path / "run"
    pd.concat([frame(shop="a"), frame(shop="b", y=4.25)]).to_csv(path, index=False)
    code, out, _ = ran(["train", path, "--group", "shop", "--target", "y", *TINY, "--out", run], capsys)
    assert code == 0
    assert "never changes in the training part; their forecast is its last value: b" in " ".join(out.split())
    code, out, said = ran(["predict", run, "--file", path], capsys)
    assert code == 0 and "Note: series that never changed, whose forecast is their constant: b" in said
    assert [float(line.split(",")[2]) for line in out.splitlines() if line.startswith("b")] == [4.25] * 3
    with pytest.raises(DataError, match=r"the target 'y' of 'a' \(and of all 2 series\) never changes"):
        pd.concat([frame(shop="a", y=1.0), frame(shop="b", y=2.0)]).to_csv(path, index=False)
        load_series(path, group="shop", target="y", horizon=3, lookback=6)


def test_a_column_that_changes_after_the_training_part_has_a_scale_of_one(tmp_path: Path) -> None:
    path = table(tmp_path, late=late(), never=5)
    notes = load_series(path, target="y", features="late,never", horizon=3, lookback=6).notes
    said = [note for note in notes if "scale of 1" in note]
    assert len(said) == 1 and said[0].startswith("the column 'late' never changes in the training part, but after it")
    assert "never change in the training part: never" in notes
    pd.concat([frame(shop="a", late=late()), frame(shop="b", late=np.arange(80) % 7)]).to_csv(path, index=False)
    notes = load_series(path, target="y", features="late", group="shop", horizon=3, lookback=6).notes
    assert any("the column 'late' of a never changes in the training part, but after it" in note for note in notes)


def test_errors_of_a_series_that_never_moved_before_them_are_not_divided(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, moves = tmp_path / "run", tmp_path / "moves.csv"
    both = pd.concat([frame(shop="a"), frame(shop="b", y=np.cos(np.arange(80.0)))])
    both.to_csv(tmp_path / "x.csv", index=False)
    assert exit_code(["train", tmp_path / "x.csv", "--group", "shop", "--target", "y", *TINY, "--out", run]) == 0
    frame(shop="new", y=[20.0] * 70 + list(range(10))).to_csv(moves, index=False)
    code, _, said = ran(["evaluate", run, moves], capsys)
    # the windows begin after the look-back, in which nothing has moved
    assert code == 0 and "targets of new never changed before the steps that are measured" in " ".join(said.split())
    code, _, said = ran(["evaluate", run, tmp_path / "x.csv"], capsys)
    assert code == 0 and "never changed" not in said
