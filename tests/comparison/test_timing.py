"""From samples to the record: ratios, intervals, and what a cell took of its budget of time."""

from __future__ import annotations

from typing import Any

import pytest

from gatewise.comparison.cost.timing import budget_of, times_of
from gatewise.record import Kernel, Run
from made_up_times import made_up_samples


def run(cell: str, steps: int, seconds: float, **further: Any) -> Run:
    return Run(
        name=f"{cell}-seed0",
        cell=cell,
        seed=0,
        parameters=1,
        kernel=Kernel(implementation="fused", reason="-"),
        training_seconds=seconds + 5,
        step_seconds=seconds,
        steps=steps,
        **{"stopped": "epochs", **further},
    )


def test_a_budget_is_judged_by_steps_measured_in_turns_not_by_the_clock_of_the_training() -> None:
    """The RNN was trained in a busy minute: by its clock it took 1.44 times its budget."""
    found = made_up_samples({"training_step": {"gru": 2.0, "rnn": 1.0}})
    found["steps"] = {"gru": 10, "rnn": 10}
    times = times_of(found, {})
    runs = {"gru": [run("gru", 100, 200.0)], "rnn": [run("rnn", 200, 288.0)]}
    budget = budget_of("rnn", runs, "gru", 100, found, times)
    assert budget is not None and budget.ratio is not None
    assert budget.share == pytest.approx(1.0, abs=0.01) and budget.kept and budget.clock == "turns"
    assert budget.ratio.low < budget.share < budget.ratio.high
    assert budget.seconds / budget.target == pytest.approx(1.0, abs=0.05)
    short = budget_of("rnn", {**runs, "rnn": [run("rnn", 120, 150.0, stopped="patience")]}, "gru", 100, found, times)
    assert short is not None and short.share == pytest.approx(0.6, abs=0.01)
    assert not short.kept and short.stopped_early
    own = budget_of("gru", runs, "gru", 100, found, times)
    assert own is not None and own.share == 1.0 and own.kept


def test_without_times_measured_in_turns_the_clocks_of_the_trainings_say_what_was_taken() -> None:
    runs = {"gru": [run("gru", 100, 200.0)], "rnn": [run("rnn", 200, 288.0)]}
    budget = budget_of("rnn", runs, "gru", 100, None, None)
    assert budget is not None and budget.clock == "training" and budget.ratio is None
    assert (budget.target, budget.seconds) == (200.0, 288.0) and not budget.kept
    assert budget_of("lstm", runs, "gru", 100, None, None) is None


def test_earlier_phases_count() -> None:
    found = made_up_samples({"training_step": {"gru": 2.0, "rnn": 1.0}}, noise=1e-6)
    times = times_of(found, {})
    runs = {
        "gru": [run("gru", 100, 260.0, pretraining_seconds=60.0)],
        "rnn": [run("rnn", 200, 260.0, pretraining_seconds=30.0)],
    }
    budget = budget_of("rnn", runs, "gru", 100, found, times)
    assert budget is not None and budget.ratio is None
    assert budget.seconds - 30.0 == pytest.approx(budget.target - 60.0, rel=0.02)


def test_energy_is_that_of_all_training_steps() -> None:
    found = made_up_samples({"training_step": {"gru": 2.0, "rnn": 1.0}, "training_joules": {"gru": 30.0, "rnn": 15.0}})
    times = times_of(found, {"gru": 100.0, "rnn": 300.0})
    energy = {cell: intervals["energy_joules"].estimate for cell, intervals in times.intervals.items()}
    assert energy["rnn"] / energy["gru"] == pytest.approx(1.5, rel=0.02)
    # the ratio is that of a step, whatever the number of steps
    pair = next(pair for pair in times.ratios if pair.quantity == "training_joules")
    assert pair.estimate == pytest.approx(2.0, rel=0.02) and pair.reading == "slower"


def test_what_was_not_measured_has_no_interval() -> None:
    found = made_up_samples({"training_step": {"gru": 2.0, "bigru": 4.0}, "streaming_step": {"gru": 1e-5}})
    found["samples"]["example_in_batch"] = {"gru": [1.0, 1.1, 1.2], "bigru": [2.0, 2.1, 2.2]}
    times = times_of(found, {})
    assert {pair.quantity for pair in times.ratios} == {"training_step"}
    assert set(times.intervals["gru"]) == {"seconds_per_epoch", "step_p50"}
    assert set(times.intervals["bigru"]) == {"seconds_per_epoch"}
