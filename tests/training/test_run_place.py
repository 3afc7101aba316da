"""A run is found by its folder, by its comparison's, and by the name of a cell or run in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewise.errors import RunError
from gatewise.record import Comparison, compact_json
from gatewise.training.run_place import best_run, find_run
from made_up_comparison import made_up_record


@pytest.fixture
def record() -> Comparison:
    return made_up_record({"baseline": 0.9, "gru": 0.86, "lstm": 0.8}, seeds=3)


@pytest.fixture
def folder(record: Comparison, tmp_path: Path) -> Path:
    place = tmp_path / "result"
    (place / "runs").mkdir(parents=True)
    (place / "plan.json").write_text("{}")
    (place / "comparison.json").write_text(compact_json(record))
    return place


def _best(record: Comparison, cell: str | None) -> str:
    runs = [run for model in record.cells for run in model.runs if cell in (None, model.name)]
    figures = {run.name: run.validation[record.metric.name] or 0.0 for run in runs}
    return max(figures, key=lambda name: figures[name])


def test_the_comparison_means_its_best_run(folder: Path, record: Comparison) -> None:
    said: list[str] = []
    for place in (folder, folder / "runs"):
        chosen = best_run(record)
        assert chosen is not None and chosen.name == _best(record, None)
        assert find_run(place, say=said.append) == folder / str(chosen.folder)
    assert len(said) == 2 and chosen.name in said[0] and "all runs" in said[0]


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_a_cell_means_its_best_run(cell: str, folder: Path, record: Comparison) -> None:
    said: list[str] = []
    found = find_run(folder / cell, say=said.append)
    (run,) = [run for model in record.cells for run in model.runs if folder / str(run.folder) == found]
    assert run.name == _best(record, cell) and f"the runs of {cell}" in said[0]


def test_a_run_is_named_without_its_hash(folder: Path, record: Comparison) -> None:
    (run,) = [run for model in record.cells for run in model.runs if run.name == "lstm-seed1"]
    for place in (folder / "lstm-seed1", folder / "runs" / "lstm-seed1"):
        said: list[str] = []
        assert find_run(place, say=said.append) == folder / str(run.folder) and said == []


def test_what_is_not_there_is_corrected(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"has no run 'gur'.*did you mean 'gru'"):
        find_run(folder / "gur")
    with pytest.raises(RunError, match="there is no run folder"):
        find_run(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(RunError, match="is not a run folder"):
        find_run(tmp_path / "file")


def test_of_an_unfinished_comparison_a_run_can_be_named(folder: Path) -> None:
    (folder / "comparison.json").unlink()
    with pytest.raises(RunError, match="no finished run"):
        find_run(folder)
    run = folder / "runs" / "gru-seed0-0123456789"
    run.mkdir()
    (run / "result.json").write_text("{}")
    assert find_run(folder / "gru-seed0") == run
    with pytest.raises(RunError, match=r"is not finished.*gru-seed0"):
        find_run(folder)
