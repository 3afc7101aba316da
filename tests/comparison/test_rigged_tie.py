"""`gatewise audit --rigged-tie`: one cell under two names, and what the machinery says of them."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from gatewise.cli.app import main
from gatewise.comparison import make_plan, run_plan
from gatewise.comparison.rigged_tie import _judged, _ways, rigged_tie, tie_check
from gatewise.errors import OptionError, RunError
from gatewise.statistics import Mean
from made_up_comparison import made_up_record
from small_data import SETTINGS, write_reviews

ACCURACY = Mean("accuracy", "accuracy", higher_is_better=True, percent=True)
COLUMNS = {"text": "review", "label": "mood"}


def test_ties_of_equal_runs_are_not_called_different_and_unequal_ones_are() -> None:
    generator = np.random.default_rng(0)
    ease = generator.random(400)
    equal = (ease + 0.02 * generator.normal(size=(6, 1)) + 0.2 * generator.normal(size=(6, 400)) > 0.3).astype(float)
    found = _judged("GRU", equal, ACCURACY, 0.005)
    assert (found.seeds, found.splits) == (3, 10) and found.called <= 1 and not found.differs
    record = made_up_record({"baseline": 0.8, "gru": 0.85}, seeds=3)
    assert tie_check(found, record).result == "passed"
    broken = np.concatenate([equal[:3], (generator.random((3, 400)) < 0.3).astype(float)])
    worse = _judged("GRU", broken, ACCURACY, 0.005)
    assert worse.differs and tie_check(worse, record).result == "failed"
    assert worse.called == 1, "only the split that the fault follows is called different"


def test_ways_are_listed_where_they_are_few_and_drawn_where_they_are_many() -> None:
    assert _ways(4, 2) == [(0, 1), (0, 2), (0, 3)]
    tracemalloc.start()
    found = _ways(30, 15)  # of 77,558,760
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(set(found)) == 200 and peak < 1_000_000
    assert all(len(set(way)) == 15 and way[0] == 0 and set(way) <= set(range(30)) for way in found)
    assert found == _ways(30, 15)


def test_one_seed_and_unknown_cells_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="two seeds"):
        rigged_tie(made_up_record({"baseline": 0.8, "gru": 0.85}, seeds=1), tmp_path)
    with pytest.raises(OptionError, match="'lstn' was not compared"):
        rigged_tie(made_up_record({"baseline": 0.8, "gru": 0.85}, seeds=2), tmp_path, cell="lstn")


@pytest.mark.slow
def test_a_tie_is_trained_with_the_comparisons_own_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reviews = write_reviews(tmp_path / "reviews.csv", rows=120)
    plan = make_plan(str(reviews), **{**COLUMNS, **SETTINGS, "epochs": 1}, cells=["bigru", "rnn"], seeds=2)
    done = run_plan(plan, tmp_path / "out", cost=False)
    found = rigged_tie(done.record, done.folder, cell="bigru")
    assert (found.title, found.seeds, found.splits) == ("Bi-GRU", 2, 3)
    new = sorted(place.name for place in (tmp_path / "out/rigged-tie/runs").iterdir())
    assert [name.rsplit("-", 1)[0] for name in new] == ["bigru-seed2", "bigru-seed3"], "two runs are the comparison's"
    with pytest.raises(SystemExit) as stop:
        main(["audit", str(done.folder), "--cell", "bigru"])
    said = capsys.readouterr().out
    assert stop.value.code == 0 and "rigged-tie" in said and "against itself" in said
    assert "reused" in said
