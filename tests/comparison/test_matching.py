"""Cells of equal size, and cells of equal time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import gatewise
from gatewise.comparison.plan.plan import make_plan
from gatewise.comparison.run.budget import BUDGET_FILE, Budget
from gatewise.comparison.run.pool import Pool
from gatewise.errors import OptionError, TrainingError
from gatewise.training import train_run
from gatewise.training.registry import kind_of
from measuring_here import measure_here
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


def test_steps_take_the_same_time_and_are_decided_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = budget(tmp_path, cells=["gru", "rnn", "lstm"], match="time", epochs=6)
    paces = {"gru": 1.0, "rnn": 0.3, "lstm": 1.55}
    monkeypatch.setattr(Budget, "_measured", lambda self, spec, number, point: (2.0, 9))
    monkeypatch.setattr(Budget, "_relative_paces", lambda self, first, spec, point: [[1.0], [paces[spec.model.cell]]])
    chosen = {cell: found.chosen(cell, None, {}) for cell in ("gru", "rnn", "lstm")}
    assert chosen["gru"] == {} and found.planned_steps(None) == 54
    # to the step, not to the epoch: of two epochs of an LSTM the nearest whole number was off by a third
    assert chosen["rnn"] == {"training_steps": 180, "epochs": 20}
    assert chosen["lstm"] == {"training_steps": 35, "epochs": 4}
    for cell, steps in (("rnn", 180), ("lstm", 35)):
        assert steps * paces[cell] == pytest.approx(54, rel=0.02)
    monkeypatch.setattr(Budget, "_measured", lambda self, spec, number, point: pytest.fail("measured again"))
    monkeypatch.setattr(Budget, "_relative_paces", lambda self, *specs: pytest.fail("measured again"))
    again = Budget(found.plan, found.datasets, tmp_path, threads=1)
    assert again.chosen("lstm", None, {}) == chosen["lstm"]
    (tmp_path / BUDGET_FILE).write_text("{")
    assert Budget(found.plan, found.datasets, tmp_path, threads=1).known["epoch_seconds"] == {}


def test_first_steps_are_measured_in_as_many_processes_as_trials_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, int]] = []

    def here(jobs: int) -> Any:
        def run(calls: Any) -> list[Any]:
            asked.append((jobs, len(calls)))
            return [function(*arguments) for function, arguments, _ in calls]

        return run

    def seconds(spec: Any, *_: Any) -> tuple[float, int]:
        if spec.model.cell == "rnn":
            raise ValueError("no first step")
        return 2.0, 9

    monkeypatch.setattr("gatewise.comparison.run.budget.processes", here)
    monkeypatch.setattr("gatewise.comparison.run.budget._epoch_seconds_elsewhere", seconds)
    found = budget(tmp_path, cells=["gru", "rnn", "lstm"], epochs=3)
    runs = [(found.plan.spec(cell, seed, {}), None) for cell in found.plan.cells for seed in (0, 1)]
    found.measure(runs)
    assert not asked, "one trial at a time runs in this process"
    found.jobs = 2
    found.measure(runs)
    found.measure(runs)
    assert asked == [(2, 3), (2, 1)], "each cell once, and once more what failed"
    again = Budget(found.plan, found.datasets, tmp_path, threads=1, jobs=2)
    for cell in ("gru", "lstm"):
        assert list(again.phase_seconds(found.plan.spec(cell, 0, {}), None).values()) == [6.0]
    assert len(asked) == 2
    with pytest.raises(TrainingError, match="no first step"):
        again.phase_seconds(found.plan.spec("rnn", 0, {}), None)


@pytest.mark.slow
def test_cells_do_not_wait_for_baselines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reviews, together, run = write_reviews(tmp_path / "reviews.csv"), [], Pool.run

    def recorded(self: Pool, tasks: Any) -> Any:
        together.append([task.trial.name for task in tasks])
        return run(self, tasks)

    monkeypatch.setattr(Pool, "run", recorded)
    gatewise.compare(reviews, out=tmp_path / "out", cells=["gru", "rnn"], seeds=2, cost=False, **COLUMNS, **SETTINGS)
    (first,) = together
    assert len(first) == 5 and first[0] == "tfidf-logistic-regression"
    assert [name.partition("-seed")[2] for name in first[1:]] == ["0", "0", "1", "1"]


def test_earlier_phases_are_part_of_the_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = budget(tmp_path, cells=["gru", "rnn"], match="time", epochs=3, pretrain=True, pretraining_epochs=2)
    monkeypatch.setattr(Budget, "_measured", lambda self, spec, number, point: (2.0, 10))
    monkeypatch.setattr(Budget, "_relative_paces", lambda self, first, spec, point: [[4.0, 1.0], [2.0, 0.5]])
    # the GRU: 20 steps of 4 and 30 of 1; the RNN: 20 steps of 2, and of 0.5 as many as fill the rest
    assert found.chosen("rnn", None, {})["training_steps"] == (20 * 4 + 30 * 1 - 20 * 2) / 0.5


@pytest.mark.slow
def test_paces_are_measured_in_turns(tmp_path: Path) -> None:
    """Not what the clock says, but that both networks take the same steps: the ratio of a cell to itself is 1."""
    found = budget(tmp_path, cells=["gru", "rnn"], match="time", epochs=2)
    gru, rnn = (found.plan.spec(cell, 0, {}, None) for cell in ("gru", "rnn"))
    (first,), (second,) = found._relative_paces(gru, rnn, None)
    assert first == 1.0 and second > 0


def test_a_training_of_some_steps_ends_within_an_epoch(tmp_path: Path) -> None:
    reviews = write_reviews(tmp_path / "reviews.csv")
    settings: dict[str, Any] = {**SETTINGS, "epochs": 9}
    spec = make_plan(str(reviews), cells=["gru"], **COLUMNS, **settings).spec("gru", 0, {"training_steps": 14})
    result = train_run(spec, kind_of(spec.task).load(spec.data), tmp_path / "run")
    steps = [epoch.steps for epoch in result.epochs]
    assert sum(steps) == 14 and len(steps) > 1 and steps[-1] < steps[0] and result.stopped == "epochs"
    # the schedule knows the steps: a linear rate ends one step above zero
    assert result.epochs[-1].learning_rate == pytest.approx(spec.training.learning_rate / 14)
    assert result.validation_seconds > 0 and result.preparation_seconds > 0
    parts = (result.preparation_seconds, result.seconds, result.validation_seconds)
    assert result.training_seconds == pytest.approx(sum(parts))


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


@pytest.mark.slow
def test_a_search_with_matched_parameters_trains_networks_of_equal_size(tmp_path: Path) -> None:
    """It was reported that ``--search tpe --match parameters`` matches nothing."""
    reviews = write_reviews(tmp_path / "reviews.csv")
    settings: dict[str, Any] = {**SETTINGS, "hidden_size": 24, "epochs": 1}
    del settings["learning_rate"]
    study = gatewise.compare(
        reviews,
        cells=["gru", "rnn"],
        seeds=1,
        match="parameters",
        search="tpe",
        trials=2,
        out=tmp_path / "out",
        cost=False,
        **COLUMNS,
        **settings,
    )
    of_cells = [trial for trial in study.record.tuning if trial.seed is not None]
    assert {tuple(sorted(trial.settings)) for trial in of_cells} == {("dropout", "hidden_size", "learning_rate")}
    widths = {trial.cell: set() for trial in of_cells}
    for trial in of_cells:
        widths[trial.cell].add(trial.settings["hidden_size"])
    assert widths["gru"] == {24} and len(widths["rnn"]) == 1 and min(widths["rnn"]) > 24
    gru, rnn = (model.cost.parameters for model in study.record.cells)
    assert gru is not None and rnn is not None and abs(gru - rnn) <= 0.02 * gru


@pytest.mark.slow
def test_a_comparison_of_equal_time_says_what_each_cell_took(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measure_here(monkeypatch)
    reviews = write_reviews(tmp_path / "reviews.csv")
    study = gatewise.compare(
        reviews, cells=["gru", "rnn"], seeds=1, match="time", out=tmp_path / "out", patience=50, **COLUMNS, **SETTINGS
    )
    gru, rnn = study.record.model("gru"), study.record.model("rnn")
    assert gru.budget is not None and gru.budget.share == 1.0 and gru.budget.clock == "turns"
    assert rnn.budget is not None and rnn.budget.ratio is not None and rnn.budget.ratio.low <= rnn.budget.share
    steps = rnn.settings["training_steps"]
    assert rnn.runs[0].steps == steps == sum(epoch.steps or 0 for epoch in rnn.runs[0].epochs)
    # whatever this machine's times are, the verdict flags what lies beyond a tenth, and nothing else
    flagged = [caveat for caveat in study.record.verdict.caveats if caveat.rule == "time-budget"]
    assert bool(flagged) is (abs(rnn.budget.share - 1) > 0.1)
    times = study.record.times
    assert times is not None and {pair.quantity for pair in times.ratios} >= {"training_step", "streaming_step"}
    assert gru.cost.seconds_per_epoch == times.intervals["gru"]["seconds_per_epoch"].estimate
    assert gru.cost.seconds_per_epoch_from == "turns" and gru.cost.step_p50 is not None
    parts = (gru.runs[0].step_seconds, gru.runs[0].preparation_seconds, gru.runs[0].validation_seconds)
    assert gru.runs[0].training_seconds == pytest.approx(sum(part for part in parts if part is not None))
