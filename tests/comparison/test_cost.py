"""What a run costs: counted, read and measured."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewise.comparison.cost.cost import (
    common_target,
    measure_alone,
    multiply_adds_per_step,
    time_to_target,
)
from gatewise.comparison.cost.energy import EnergyMeter
from gatewise.comparison.cost.samplers import StreamingSampler, TrainingSampler, streaming_of
from gatewise.comparison.cost.timing import times_of
from gatewise.comparison.cost.together import _above_idle, measure_together_alone
from gatewise.comparison.cost.turns import Sampler, in_turns
from gatewise.errors import RunError
from gatewise.kinds.probe.spec import ProbeModelSpec, ProbeSpec
from gatewise.nn import LSTM, Recurrent
from gatewise.statistics.measure import Mean
from gatewise.training import RunSpec, TrainingSpec, kind_of, train_run

ACCURACY = Mean("accuracy", "accuracy", higher_is_better=True)


@pytest.mark.parametrize(
    ("layer", "wanted"),
    [
        (lambda: Recurrent("rnn", 7, 5), 5 * (7 + 5)),
        (lambda: Recurrent("lstm", 7, 5, bidirectional=True), 2 * 4 * 5 * (7 + 5)),
        (lambda: Recurrent("gru", 7, 5, num_layers=2), 3 * 5 * (7 + 5) + 3 * 5 * (5 + 5)),
        (lambda: Recurrent("mingru", 7, 5), 2 * 5 * 7),
        (lambda: LSTM(7, 5, proj_size=2), 4 * 5 * (7 + 2) + 2 * 5),
    ],
)
def test_multiply_adds_are_those_of_the_equations(layer: object, wanted: int) -> None:
    assert multiply_adds_per_step(layer()) == wanted  # type: ignore[operator]


def test_step_latency_is_that_of_each_step() -> None:
    """A clock that ticks by itself: 1 us a step, every fiftieth 50 us."""
    ticks = itertools.chain(*([500, 50_000 if step % 50 == 49 else 1_000] for step in range(400)))
    stack = streaming_of(Recurrent("gru", 3, 4).eval(), np.ones((5, 3), np.float32))
    sampler = StreamingSampler([stack], clock=itertools.accumulate(ticks).__next__)
    sampler.warm_up()
    assert sampler.times == [] and sampler.kernel is not None and all(sampler.kernel)
    assert sampler(0) == {"streaming_step": pytest.approx(1e-6)}
    assert len(sampler.times) == sampler.block == 50 and max(sampler.times) == pytest.approx(5e-5)


def test_the_steps_of_several_stacks_are_added_by_their_share() -> None:
    first = streaming_of(Recurrent("gru", 3, 4).eval(), np.ones((8, 3), np.float32))
    second = streaming_of(Recurrent("rnn", 3, 4).eval(), np.ones((4, 3), np.float32))
    sampler = StreamingSampler([first, second], clock=itertools.count(0, 1_000).__next__)
    assert sampler(0) == {"streaming_step": pytest.approx(1.5e-6)}


def test_two_directions_have_no_stream() -> None:
    layer = Recurrent("gru", 3, 4, bidirectional=True)
    sampler = StreamingSampler([streaming_of(layer, np.ones((5, 3), np.float32))])
    assert sampler.kernel is None and "backward" in (sampler.reason or "")


def test_turns_measure_everything_once_in_an_order_of_their_own() -> None:
    order: list[str] = []

    def sampler(name: str) -> Sampler:
        def sample(turn: int) -> dict[str, float]:
            order.append(name)
            return {"seconds": float(turn)} | ({"joules": 1.0} if name == "gru" else {})

        return sample

    samplers = {name: sampler(name) for name in ("rnn", "lstm", "gru")}
    clock = itertools.count().__next__
    found = in_turns(
        samplers, np.random.default_rng(0), rounds=4, most_rounds=9, seconds=5.0, turns=2, clock=lambda: float(clock())
    )
    # 4 rounds at least; the clock ticks once a round from then on, and stands at 5 before the fifth
    assert {name: len(values) for name, values in found["seconds"].items()} == dict.fromkeys(samplers, 8)
    assert found["seconds"]["rnn"] == [0.5 + 2 * number for number in range(8)]
    assert list(found["joules"]) == ["gru"]
    turns = [order[place : place + 3] for place in range(0, len(order), 3)]
    assert all(sorted(turn) == ["gru", "lstm", "rnn"] for turn in turns) and len({tuple(turn) for turn in turns}) > 2


def test_everything_is_made_anew_before_each_round_in_an_order_of_its_own() -> None:
    """Of equal networks one was up to a tenth slower for as long as it lay where it lay in memory."""
    done: list[str] = []

    class Made:
        def __init__(self, name: str) -> None:
            self.name = name

        def drop(self) -> None:
            done.append(f"drop {self.name}")

        def renew(self) -> None:
            done.append(self.name)

        def __call__(self, turn: int) -> dict[str, float]:
            done.append("measured")
            return {"seconds": 1.0}

    made = {name: Made(name) for name in ("rnn", "lstm", "gru")}
    in_turns(made, np.random.default_rng(1), rounds=6, most_rounds=6, seconds=0.0, renewed=made)
    rounds = [done[place : place + 9] for place in range(0, len(done), 9)]
    assert len(rounds) == 6 and all(each[6:] == ["measured"] * 3 for each in rounds)
    assert all(sorted(each[:3]) == ["drop gru", "drop lstm", "drop rnn"] for each in rounds)
    assert len({tuple(each[3:6]) for each in rounds}) > 2


def test_a_sampler_draws_its_network_anew() -> None:
    dataset, spec = probe("gru")
    sampler = TrainingSampler(kind_of("probe").phases(spec, dataset)[-1])
    first = sampler.problem
    sampler.drop()
    sampler.renew()
    assert sampler.problem is not first and sampler.problem.steps_per_epoch == sampler.steps


def test_every_network_takes_the_same_steps_in_the_same_turn(tmp_path: Path) -> None:
    dataset, spec = probe("gru")
    asked: dict[str, list[int]] = {"one": [], "two": []}
    for steps in asked.values():
        sampler = TrainingSampler(kind_of("probe").phases(spec, dataset)[-1], clock=itertools.count().__next__)
        problem_loss = sampler.problem.loss

        def loss(step: int, steps: list[int] = steps, loss: Any = problem_loss) -> Any:
            steps.append(step)
            return loss(step)

        sampler.problem.loss = loss  # type: ignore[method-assign]
        assert [sampler(turn) for turn in range(5)] == [{"training_step": 1.0}] * 5
    assert asked["one"] == asked["two"] and len(set(asked["one"])) > 2


def test_time_to_target_adds_up_epochs() -> None:
    error = Mean("mean_squared_error", "mean squared error", higher_is_better=False)
    epochs = [{"seconds": 2.0, "validation": {"mean_squared_error": value}} for value in (0.9, 0.4, 0.5, 0.1)]
    assert time_to_target(epochs, error, 0.4) == {"target": 0.4, "seconds": 4.0, "epochs": 2}
    assert time_to_target(epochs, error, 0.05)["seconds"] is None
    assert common_target([epochs, epochs[:1]], error) == 0.9
    assert common_target([], error) is None


def test_energy_counts_packages_once_and_past_an_overflow(tmp_path: Path) -> None:
    for name, energy in (("intel-rapl:0", 900_000), ("intel-rapl:0:0", 5), ("intel-rapl:1", 100_000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "energy_uj").write_text(str(energy))
        (tmp_path / name / "max_energy_range_uj").write_text("1000000")
    meter = EnergyMeter(tmp_path)
    assert meter.available
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("400000")
    (tmp_path / "intel-rapl:1" / "energy_uj").write_text("300000")
    assert meter.joules() == pytest.approx(0.5 + 0.2)
    meter.restart()
    assert meter.joules() == 0.0
    (tmp_path / "intel-rapl:1" / "energy_uj").unlink()
    assert meter.joules() is None


def test_energy_is_counted_above_the_idle_machine() -> None:
    found = {
        "training_step": {"gru": [2.0, 2.0], "rnn": [1.0, 1.5]},
        "training_joules": {"gru": [50.0, 51.0], "rnn": [25.0, 36.0]},
    }
    above = _above_idle(found, [9.0, 11.0])
    assert above["training_joules"] == {"gru": [30.0, 31.0], "rnn": [15.0, 21.0]}
    weak = {**found, "training_joules": {"gru": [19.0, 51.0], "rnn": [25.0, 36.0]}}
    assert "training_joules" not in _above_idle(weak, [10.0])
    assert "training_joules" not in _above_idle({"training_step": found["training_step"]}, [])


def probe(cell: str) -> tuple[Any, RunSpec]:
    spec = RunSpec(
        task="probe",
        data=ProbeSpec("adding", length=12, examples=200),
        model=ProbeModelSpec(cell=cell, hidden_size=8),
        training=TrainingSpec(epochs=1, threads=1),
    )
    return kind_of("probe").load(spec.data), spec


@pytest.mark.slow
def test_a_run_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    dataset, spec = probe("gru")
    train_run(spec, dataset, tmp_path / "run")
    found = measure_alone(tmp_path / "run")
    cost = found["cost"]
    assert cost["multiply_adds_per_step"] == 3 * 8 * (2 + 8)
    assert cost["file_bytes"] == (tmp_path / "run" / "best.safetensors").stat().st_size
    assert cost["threads"] == 1 and cost["preparation_seconds"] > 0
    assert cost["training_memory_bytes"] is None or cost["training_memory_bytes"] > 0
    assert found["memory"]["lags"] == list(range(12)) and found["memory"]["trained"]["norms"][0] > 0
    json.dumps(found, allow_nan=False)


@pytest.mark.slow
def test_times_are_measured_together_in_a_process_of_their_own(tmp_path: Path) -> None:
    folders = {}
    for cell in ("gru", "rnn"):
        dataset, spec = probe(cell)
        train_run(spec, dataset, tmp_path / cell)
        folders[cell] = tmp_path / cell
    found = measure_together_alone(folders)
    samples = found["samples"]
    assert set(samples) - {"training_joules"} == {"training_step", "streaming_step", "one_example", "example_in_batch"}
    for values in samples.values():
        assert set(values) == {"gru", "rnn"} and len({len(each) for each in values.values()}) == 1
    assert found["steps"]["gru"] == found["steps"]["rnn"] > 0
    details = found["details"]["gru"]
    assert 0 < details["step_p50"] <= details["step_p99"] and details["one_example"] > 0 and details["step_kernel"]
    times = times_of(found, {"gru": 5.0, "rnn": 5.0})
    assert {pair.quantity for pair in times.ratios} >= {"training_step", "streaming_step", "one_example"}
    assert set(times.intervals["rnn"]) >= {"seconds_per_epoch", "step_p50", "one_example"}


@pytest.mark.slow
def test_a_run_that_cannot_be_measured_says_why(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"could not be measured.*RunError"):
        measure_alone(tmp_path / "nowhere")
