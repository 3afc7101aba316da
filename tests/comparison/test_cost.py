"""What a run costs: counted, read and measured."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

from gatewise.comparison.cost.cost import (
    common_target,
    measure_alone,
    multiply_adds_per_step,
    step_latency,
    time_to_target,
)
from gatewise.comparison.cost.energy import EnergyMeter
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
    """A clock that ticks by itself: 1 us a step, every hundredth 50 us."""
    ticks = itertools.chain([0], *([0, 50_000 if step % 50 == 49 else 1_000] for step in range(200)))
    moments = itertools.accumulate(ticks)
    next_moment = moments.__next__
    measured = step_latency(Recurrent("gru", 3, 4).eval(), np.ones((5, 3), np.float32), steps=200, clock=next_moment)
    assert measured["step_p50"] == pytest.approx(1e-6)
    assert measured["step_p99"] == pytest.approx(5e-5)
    assert measured["step_kernel"] and measured["step_reason"]


def test_two_directions_have_no_stream() -> None:
    measured = step_latency(Recurrent("gru", 3, 4, bidirectional=True).eval(), np.ones((5, 3), np.float32))
    assert measured["step_p50"] is None and "backward" in measured["step_reason"]


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


def test_a_run_is_measured_in_a_process_of_its_own(tmp_path: Path) -> None:
    spec = RunSpec(
        task="probe",
        data=ProbeSpec("adding", length=12, examples=200),
        model=ProbeModelSpec(cell="gru", hidden_size=8),
        training=TrainingSpec(epochs=1, threads=1),
    )
    train_run(spec, kind_of("probe").load(spec.data), tmp_path / "run")
    found = measure_alone(tmp_path / "run")
    cost = found["cost"]
    assert cost["multiply_adds_per_step"] == 3 * 8 * (2 + 8)
    assert cost["file_bytes"] == (tmp_path / "run" / "best.safetensors").stat().st_size
    assert 0 < cost["step_p50"] <= cost["step_p99"] and cost["one_example"] > 0 and cost["threads"] == 1
    assert cost["training_memory_bytes"] is None or cost["training_memory_bytes"] > 0
    assert found["memory"]["lags"] == list(range(12)) and found["memory"]["trained"]["norms"][0] > 0
    json.dumps(found, allow_nan=False)


@pytest.mark.slow
def test_a_run_that_cannot_be_measured_says_why(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"could not be measured.*RunError"):
        measure_alone(tmp_path / "nowhere")
