"""Cells of equal size, and cells of equal time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gatewise
from gatewise.comparison.plan.plan import make_plan
from gatewise.comparison.run.budget import BUDGET_FILE, Budget
from gatewise.errors import OptionError
from gatewise.training.registry import kind_of
from small_data import SETTINGS, write_reviews

COLUMNS: dict[str, Any] = {"text": "review", "label": "mood"}


def budget(tmp_path: Path, **settings: Any) -> Budget:
    tmp_path.mkdir(exist_ok=True)
    reviews = write_reviews(tmp_path / "reviews.csv")
    plan = make_plan(str(reviews), **{**COLUMNS, **SETTINGS, **settings})
    return Budget(plan, {None: kind_of(plan.task).load(plan.base().data)}, tmp_path, threads=1)


def test_widths_give_the_same_number_of_parameters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = ["gru", "rnn", "lstm", "bigru", "gru*2"]
    found = budget(tmp_path, cells=cells, match="parameters", hidden_size=64)
    sizes = {}
    for cell in cells:
        chosen = found.chosen(cell, None, {"dropout": 0.1})
        sizes[cell] = found.parameters(found.plan.spec(cell, 0, chosen), None)
        assert chosen["dropout"] == 0.1
    assert found.chosen("gru", None, {}) == {"hidden_size": 64}
    assert all(abs(size - sizes["gru"]) <= 0.02 * sizes["gru"] for size in sizes.values()), sizes
    monkeypatch.setattr("gatewise.comparison.run.budget._TOLERANCE", 1e-9)
    with pytest.raises(OptionError, match="no width gives rnn as many parameters as gru"):
        found.chosen("rnn", None, {})


def test_epochs_take_the_same_time_and_are_decided_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = budget(tmp_path, cells=["gru", "rnn", "lstm"], match="time", epochs=6)
    seconds = {"gru": 2.0, "rnn": 0.5, "lstm": 3.1}
    monkeypatch.setattr(Budget, "_measured", lambda self, spec, number, point: (seconds[spec.model.cell], 9))
    assert [found.chosen(cell, None, {})["epochs"] for cell in ("gru", "rnn", "lstm")] == [6, 24, 4]
    monkeypatch.setattr(Budget, "_measured", lambda self, spec, number, point: pytest.fail("measured again"))
    again = Budget(found.plan, found.datasets, tmp_path, threads=1)
    assert again.chosen("lstm", None, {})["epochs"] == 4
    (tmp_path / BUDGET_FILE).write_text("{")
    assert Budget(found.plan, found.datasets, tmp_path, threads=1).known["epoch_seconds"] == {}


def test_a_search_leaves_the_sizes_equal(tmp_path: Path) -> None:
    """Each cell chose its own width, and networks of 639 k and 755 k parameters were called matched."""
    reviews = str(write_reviews(tmp_path / "reviews.csv"))
    match: dict[str, Any] = {"match": "parameters", "search": "tpe", "trials": 2, **COLUMNS}
    space = make_plan(reviews, cells=["gru", "rnn"], **match).search
    assert space is not None and set(space.space) == {"learning_rate", "dropout"}
    with pytest.raises(OptionError, match=r"decides the hidden sizes itself.*omit hidden_size in --grid"):
        make_plan(reviews, cells=["gru", "rnn"], grid={"hidden_size": [8, 16]}, match="parameters", **COLUMNS)
    found = budget(tmp_path, cells=["gru", "rnn"], match="parameters", hidden_size=24, grid={"dropout": [0.0, 0.2]})
    found.check_search()
    sizes = set()
    for cell in ("gru", "rnn"):
        for dropout in (0.0, 0.2):
            chosen = found.chosen(cell, None, {"dropout": dropout})
            sizes.add(found.parameters(found.plan.spec(cell, 0, chosen), None))
    assert max(sizes) <= 1.02 * min(sizes)
    found = budget(tmp_path / "layers", cells=["gru", "rnn"], match="parameters", grid={"num_layers": [1, 2]})
    with pytest.raises(OptionError, match=r"does not go with a search over num_layers.*omit num_layers in --grid"):
        found.check_search()


def test_a_matched_comparison_is_carried_out(tmp_path: Path) -> None:
    reviews = write_reviews(tmp_path / "reviews.csv")
    settings: dict[str, Any] = {**SETTINGS, "hidden_size": 24}
    study = gatewise.compare(
        reviews, cells=["gru", "rnn"], match="parameters", out=tmp_path / "out", cost=False, **COLUMNS, **settings
    )
    sizes = [model.cost.parameters for model in study.record.models[1:]]
    assert abs(sizes[0] - sizes[1]) <= 0.02 * sizes[0]
    assert study.best("rnn").spec.model.hidden_size > 24
