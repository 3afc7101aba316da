"""A training whose recurrent layers multiply bfloat16: part of the run, refused where it cannot be."""

from __future__ import annotations

import json
import signal

import pytest
from moods import moods, small_spec

from gatewise.comparison.cost.samplers import TrainingSampler
from gatewise.comparison.plan.plan import make_plan
from gatewise.comparison.run.run import run_plan
from gatewise.errors import DataError, OptionError, RunError
from gatewise.kernels.dispatch import requested_precision
from gatewise.kernels.fused.bf16 import use_products
from gatewise.kernels.fused.library import available_variants
from gatewise.training import Interrupted, RunSpec, StepDone, TrainingSpec, load_run, train_run
from gatewise.training.registry import kind_of

needs_kernels = pytest.mark.skipif(not available_variants(), reason="the fused kernels are not compiled here")


def weights(folder):
    return (folder / "best.safetensors").read_bytes()


def test_it_is_part_of_the_run_and_absent_where_it_is_float32():
    spec, rounded = small_spec(), small_spec(precision="bf16")
    assert "precision" not in spec.to_identity()["training"]
    assert rounded.to_identity()["training"]["precision"] == "bf16"
    assert RunSpec.from_dict(rounded.to_dict()) == rounded
    record = spec.to_dict()
    del record["training"]["precision"]  # as earlier versions wrote it
    assert RunSpec.from_dict(record) == spec


@needs_kernels
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_steps_are_rounded_and_figures_are_not(tmp_path, cell):
    data, seen = moods(tmp_path), []
    with use_products("emulated"):
        train_run(small_spec(cell), data, tmp_path / "exact")
        result = train_run(
            small_spec(cell, precision="bf16"),
            data,
            tmp_path / "rounded",
            on_event=lambda event: seen.append((type(event), requested_precision())),
        )
        assert result.kernel["implementation"].endswith("bf16")
        environment = json.loads((tmp_path / "rounded" / "environment.json").read_text())
        assert environment["kernel"] == result.kernel
        assert {name for _, name in seen} == {"float32"}
        assert weights(tmp_path / "exact") != weights(tmp_path / "rounded")
        inside = load_run(tmp_path / "rounded").test(data).metrics
    with use_products("none"):  # what it learnt is measured, and can be used, in float32
        assert load_run(tmp_path / "rounded").test(data).metrics == inside
    losses = [epoch.training["loss"] for epoch in result.epochs]
    assert losses[-1] < losses[0]


@needs_kernels
def test_the_same_bits_again_and_after_an_interruption(tmp_path):
    data, spec = moods(tmp_path), small_spec("lstm", precision="bf16", averaging=0.9)

    def stop(event):
        if isinstance(event, StepDone) and (event.epoch, event.step) == (2, 5):
            signal.raise_signal(signal.SIGINT)

    with use_products("emulated"):
        train_run(spec, data, tmp_path / "whole")
        with pytest.raises(Interrupted):
            train_run(spec, data, tmp_path / "parts", on_event=stop)
        train_run(spec, data, tmp_path / "parts")
    assert weights(tmp_path / "whole") == weights(tmp_path / "parts")


@needs_kernels
def test_a_run_of_another_precision_is_another_run(tmp_path):
    data = moods(tmp_path)
    train_run(small_spec(epochs=1), data, tmp_path / "run")
    with pytest.raises(RunError, match="precision"):
        train_run(small_spec(epochs=1, precision="bf16"), data, tmp_path / "run")


@needs_kernels
def test_a_processor_without_such_products_is_no_silent_float32(tmp_path):
    with use_products("none"), pytest.raises(OptionError, match=r"no recurrent layer .*bf16.*--precision float32"):
        train_run(small_spec(precision="bf16"), moods(tmp_path), tmp_path / "run")
    assert not (tmp_path / "run" / "spec.json").exists()


@needs_kernels
def test_a_comparison_is_refused_before_it_reads_data(tmp_path):
    plan = make_plan(str(tmp_path / "none.csv"), cells=["gru"], precision="bf16")
    with use_products("none"), pytest.raises(OptionError, match=r"no recurrent layer trains in bf16 here"):
        run_plan(plan, tmp_path / "out")
    with use_products("emulated"), pytest.raises(DataError, match="does not exist"):
        run_plan(plan, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@needs_kernels
def test_a_cell_without_such_products_is_refused(tmp_path):
    with use_products("emulated"), pytest.raises(OptionError, match=r"mingru has no such products"):
        train_run(small_spec("mingru", precision="bf16"), moods(tmp_path), tmp_path / "run")


@pytest.mark.parametrize(
    ("options", "message"),
    [({"precision": "bf16", "device": "cuda"}, "on the CPU alone"), ({"precision": "bfloat"}, "precision")],
)
def test_what_cannot_be(options, message):
    with pytest.raises(OptionError, match=message):
        TrainingSpec(**options)


@needs_kernels
def test_what_a_step_costs_is_measured_with_the_runs_products(tmp_path):
    data, found = moods(tmp_path), []
    with use_products("emulated"):
        for name in ("float32", "bf16"):
            spec = small_spec(precision=name)
            sampler = TrainingSampler(kind_of(spec.task).phases(spec, data)[0])
            sampler.warm_up()
            found.append(sampler.problem.kernel["implementation"])
    assert [name.endswith("bf16") for name in found] == [False, True]
