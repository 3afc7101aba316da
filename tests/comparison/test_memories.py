"""The memory curve of every run of a comparison, not of one alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gatewise
from gatewise.errors import RunError
from gatewise.record import read_comparison
from gatewise.statistics import median_lag
from measuring_here import measure_here
from small_data import SETTINGS, write_reviews


def broken(module: str, *words: str, failed: str, **said: Any) -> Any:
    raise RunError(failed, got="exit code 1: no room")


@pytest.mark.slow
def test_every_seed_has_a_curve_that_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reviews = write_reviews(tmp_path / "reviews.csv")

    def compare() -> Any:
        return gatewise.compare(
            reviews, cells=["gru"], seeds=3, out=tmp_path / "out", text="review", label="mood", cost=True, **SETTINGS
        ).record

    measure_here(monkeypatch)
    with monkeypatch.context() as patch:
        patch.setattr("gatewise.comparison.cost.memories.measured_alone", broken)
        with pytest.warns(UserWarning, match="the memory curves could not be measured.*no room"):
            cells = compare().cells
    assert [one.memory is not None for one in cells[0].runs] == [True, False, False]
    assert cells[0].median_lag is not None and cells[0].median_lag.runs == 1

    (gru,) = compare().cells
    lags = [median_lag(one.memory.trained.norms) for one in gru.runs]
    assert len(set(lags)) == 3 and all(one.memory.lags == gru.memory.lags for one in gru.runs)
    assert (gru.median_lag.least, gru.median_lag.most, gru.median_lag.runs) == (min(lags), max(lags), 3)

    measured = sorted((tmp_path / "out" / "measurements").glob("*.memory.json"))
    assert [path.name.split("-")[1] for path in measured] == ["seed1", "seed2"]
    times = [path.stat().st_mtime_ns for path in measured]
    assert compare().cells == (gru,) == read_comparison(tmp_path / "out").cells
    assert [path.stat().st_mtime_ns for path in measured] == times
    measured[0].write_text("{", encoding="utf-8")
    assert compare().cells[0].median_lag == gru.median_lag
