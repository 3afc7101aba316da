"""The probes: what is asked, what chance gives, and that the seam trains, opens and measures them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gatewise.errors import OptionError
from gatewise.kinds.probe.constant import ConstantAnswer
from gatewise.kinds.probe.generation import COPIED, ProbeDataset, make_probe
from gatewise.kinds.probe.network import batch_inputs
from gatewise.kinds.probe.problem import PROBE_METRICS, probe_evaluation
from gatewise.kinds.probe.spec import ProbeModelSpec, ProbeSpec
from gatewise.training import RunSpec, TrainingSpec, kind_of, load_run, train_run
from gatewise.training.run_folder import RunFolder

PROBES = tuple(PROBE_METRICS)
CHANCE = {"adding": 1 / 6, "temporal-order": 0.25, "copy": 0.125, "parity": 0.5}


@pytest.mark.parametrize("probe", PROBES)
def test_the_same_seed_draws_the_same_and_parts_differ(probe: str) -> None:
    first, again = (make_probe(probe, length=30, examples=200, seed=3) for _ in range(2))
    other = make_probe(probe, length=30, examples=200, seed=4)
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert first.sizes == {"train": 200, "validation": 20, "test": 40}
    assert not np.array_equal(first.train.symbols[:40], first.test.symbols)


def test_adding_asks_for_the_sum_of_one_marked_value_in_each_half() -> None:
    part = make_probe("adding", length=25, examples=500).train
    assert part.values is not None
    assert (part.symbols[:, :12].sum(axis=1) == 1).all() and (part.symbols[:, 12:].sum(axis=1) == 1).all()
    assert part.answers[:, 0] == pytest.approx((part.values * part.symbols).sum(axis=1))


def test_temporal_order_asks_which_came_first() -> None:
    part = make_probe("temporal-order", length=100, examples=500).train
    for symbols, answer in zip(part.symbols, part.answers[:, 0], strict=True):
        places = np.flatnonzero(symbols >= 6)
        assert len(places) == 2 and 10 <= places[0] < 20 and 50 <= places[1] < 60
        assert answer == 2 * (symbols[places[0]] == 7) + (symbols[places[1]] == 7)
    assert (part.symbols[:, 0] == 0).all() and (part.symbols[:, -1] == 1).all()
    assert set(np.unique(part.symbols[:, 1:-1])) == set(range(2, 8))


def test_copy_asks_for_the_first_symbols_after_the_delay() -> None:
    part = make_probe("copy", length=40, examples=100).train
    assert part.symbols.shape == (100, 40 + 2 * COPIED)
    assert np.array_equal(part.symbols[:, :COPIED], part.answers)
    assert (part.symbols[:, COPIED:-COPIED] == 8).sum() == 100 * 39
    assert (part.symbols[:, -COPIED - 1] == 9).all() and (part.symbols[:, -COPIED:] == 8).all()


def test_parity_asks_after_each_step() -> None:
    part = make_probe("parity", length=20, examples=100).train
    for step in (0, 7, 19):
        assert np.array_equal(part.answers[:, step], part.symbols[:, : step + 1].sum(axis=1) % 2)


@pytest.mark.parametrize("probe", PROBES)
def test_the_constant_answer_is_chance(probe: str) -> None:
    data = make_probe(probe, length=20, examples=20_000)
    found = probe_evaluation(ConstantAnswer().fit(data).answers(data.test), data, data.test)
    metric = PROBE_METRICS[probe]
    assert found.metrics[metric.name] == pytest.approx(CHANCE[probe], abs=0.02)
    assert metric.of(found.contributions) == pytest.approx(found.metrics[metric.name])
    assert len(found.contributions) == 4000


@pytest.mark.parametrize("probe", PROBES)
def test_right_answers_are_perfect(probe: str) -> None:
    data = make_probe(probe, length=20, examples=50)
    answers = data.test.answers[..., None] if data.classes == 0 else np.eye(data.classes)[data.test.answers]
    found = probe_evaluation(np.asarray(answers, dtype=np.float64), data, data.test)
    assert found.metrics["loss"] == pytest.approx(0.0, abs=1e-12)
    assert found.metrics[PROBE_METRICS[probe].name] == (0.0 if probe == "adding" else 1.0)
    assert found.predictions["answers"] == found.predictions["truth"]


@pytest.mark.parametrize("probe", PROBES)
def test_inputs_are_values_and_marks_or_one_symbol_each(probe: str) -> None:
    data = make_probe(probe, length=20, examples=50)
    x = batch_inputs(data.train, np.arange(5), data.features)
    assert x.dtype == torch.float32 and x.shape[1:] == (5, data.features)
    if probe != "adding":
        assert (x.sum(dim=-1) == 1).all()


@pytest.mark.parametrize(("probe", "length", "examples"), [("sorting", 20, 50), ("adding", 5, 50), ("copy", 20, 2)])
def test_nonsense_is_refused(probe: str, length: int, examples: int) -> None:
    with pytest.raises(OptionError):
        make_probe(probe, length=length, examples=examples)


def _run(probe: str, folder: Path, **model: object) -> tuple[RunSpec, ProbeDataset]:
    spec = RunSpec(
        task="probe",
        data=ProbeSpec(probe, length=12, examples=300),
        model=ProbeModelSpec(hidden_size=12, **model),  # type: ignore[arg-type]
        training=TrainingSpec(epochs=2, batch_size=50, learning_rate=5e-3, threads=1),
    )
    dataset = kind_of("probe").load(spec.data)
    train_run(spec, dataset, folder)
    return spec, dataset


@pytest.mark.parametrize("probe", PROBES)
def test_a_run_trains_opens_and_measures(probe: str, tmp_path: Path) -> None:
    _, dataset = _run(probe, tmp_path / "run", cell="lstm", bidirectional=True)
    kind, trained = kind_of("probe"), load_run(tmp_path / "run")
    metric = kind.measure(dataset)
    test, validation = trained.test(dataset), trained.test(dataset, "validation")
    result = RunFolder(tmp_path / "run").result()
    assert result is not None
    assert validation.metrics[metric.name] == pytest.approx(result.best.validation[metric.name], abs=1e-6)
    (baseline,) = kind.baselines(None)
    baseline.fit(dataset)
    assert baseline.test(dataset).contributions.shape == test.contributions.shape == (60,)
    chance = kind.describe(dataset)["chance"][metric.name]
    assert chance == baseline.test(dataset).metrics[metric.name] and baseline.parameters >= 1
    inputs = trained.stacks(dataset, 4, 10)["recurrent"]
    assert inputs.inputs.shape == (10, 4, dataset.features) and inputs.lengths is None
    assert trained.predictor(dataset)(3).shape[1] == 3  # type: ignore[attr-defined]


def test_the_same_spec_gives_the_same_bits(tmp_path: Path) -> None:
    for name in ("one", "two"):
        _run("adding", tmp_path / name)
    one, two = (RunFolder(tmp_path / name).weights() for name in ("one", "two"))
    assert all(torch.equal(value, two[name]) for name, value in one.items())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("probe", "cell", "rate", "better"),
    [("adding", "gru", 5e-3, 0.02), ("temporal-order", "lstm", 5e-3, 0.95), ("parity", "gru", 1e-2, 0.95)],
)
def test_what_can_be_learnt_is_learnt(probe: str, cell: str, rate: float, better: float, tmp_path: Path) -> None:
    spec = RunSpec(
        task="probe",
        data=ProbeSpec(probe, length=20, examples=4000),
        model=ProbeModelSpec(cell=cell, hidden_size=32),
        training=TrainingSpec(epochs=8, batch_size=50, learning_rate=rate, threads=1),
    )
    dataset = kind_of("probe").load(spec.data)
    train_run(spec, dataset, tmp_path)
    metric = PROBE_METRICS[probe]
    figure = load_run(tmp_path).test(dataset).metrics[metric.name]
    assert metric.better(figure, better)
