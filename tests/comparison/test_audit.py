"""`gatewise audit`: every check passes on a sound comparison, and sees the fault that it is there for."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from gatewise.cli import main
from gatewise.comparison.audit import _independence, audit
from gatewise.record import Comparison, compact_json
from made_up_comparison import made_up_forecast, made_up_record
from made_up_runs import made_up_trials

FIGURES = {"baseline": 0.8, "lstm": 0.88, "gru": 0.885}


def _results(record: Comparison, folder: Path | None = None) -> dict[str, str]:
    return {check.name: check.result for check in audit(record, folder)}


def _sound(**further: Any) -> Comparison:
    record = made_up_record(FIGURES, seeds=3, **further)
    trials = made_up_trials(["gru"], "accuracy", [0.86, 0.88])[:2]
    tuning = [dataclasses.replace(trial, cell=model.name) for model in record.models for trial in trials]
    return dataclasses.replace(record, tuning=tuple(tuning))


def test_a_sound_comparison_passes_but_for_what_it_cannot_find() -> None:
    found = _results(_sound())
    assert {name for name, result in found.items() if result != "passed"} <= {"power", "spread"}
    assert found["power"] == "warning", "600 texts do not tell half a point"


@pytest.mark.parametrize(
    ("name", "result", "make"),
    [
        ("seeds", "failed", lambda: made_up_record(FIGURES, seeds=1)),
        ("seeds", "warning", lambda: made_up_record(FIGURES, seeds=2)),
        ("seeds", "failed", lambda: made_up_record({"baseline": 0.8})),
        ("lost-seeds", "warning", lambda: made_up_record(FIGURES, seeds=3, failed=["gru-seed1"])),
        ("training", "failed", lambda: made_up_record(FIGURES, seeds=3, rising=["lstm"])),
        ("tuning", "warning", lambda: made_up_record(FIGURES, seeds=3)),
        ("tuning", "failed", lambda: _without_tuning("baseline", tunable=True)),
        ("tuning", "warning", lambda: _without_tuning("baseline", tunable=None)),
        ("tuning", "passed", lambda: _without_tuning("baseline", tunable=False)),
        ("looks", "warning", lambda: made_up_record(FIGURES, seeds=5, looks=(3,))),
        (
            "independence",
            "failed",
            lambda: made_up_forecast({"persistence": 0.02, "lstm": 0.04, "gru": 0.01}, windows=301, overlap=75),
        ),
        ("times", "warning", lambda: made_up_record(FIGURES, seeds=3, times=None)),
        ("times", "warning", lambda: made_up_record(FIGURES, seeds=3, kernels={"gru": "reference"})),
        ("verdict", "failed", lambda: _tampered()),
    ],
)
def test_each_fault_is_seen(name: str, result: str, make: Any) -> None:
    check = next(each for each in audit(make()) if each.name == name)
    assert check.result == result, check
    assert check.sentence.endswith(".")


def _without_tuning(kind: str, *, tunable: bool | None) -> Comparison:
    record = _sound()
    of_baseline = {model.name: dataclasses.replace(model.runs[0], tunable=tunable) for model in record.models}
    models = [
        dataclasses.replace(model, runs=(of_baseline[model.name],)) if model.is_baseline else model
        for model in record.models
    ]
    record = dataclasses.replace(record, models=tuple(models))
    left = {model.name for model in record.models if model.kind != kind}
    return dataclasses.replace(record, tuning=tuple(trial for trial in record.tuning if trial.cell in left))


def test_rules_and_numbers_of_another_version_are_no_traceback() -> None:
    record = made_up_record(FIGURES, seeds=3)
    for rule, inputs in (("one-seed", {"seeds": 1, "cells": ["gru"]}), ("training-unfinished", {"models": []})):
        answers = dict(record.verdict.answers)
        answers["quality"] = dataclasses.replace(answers["quality"], rule=rule, inputs=inputs)
        old = dataclasses.replace(record, verdict=dataclasses.replace(record.verdict, answers=answers))
        assert _results(old)["verdict"] == "failed"


def _tampered() -> Comparison:
    """Somebody wrote a leader into the file."""
    record = made_up_record({"lstm": 0.88, "gru": 0.881}, seeds=3)
    answers = dict(record.verdict.answers)
    answers["quality"] = dataclasses.replace(answers["quality"], rule="quality-leader", models=("gru",))
    return dataclasses.replace(record, verdict=dataclasses.replace(record.verdict, answers=answers))


def test_figures_are_computed_anew_from_the_measurements(tmp_path: Path) -> None:
    record = made_up_record(FIGURES, seeds=3)
    assert _results(record, tmp_path)["figures"] == "unknown"
    (tmp_path / "measurements").mkdir()
    for model in record.cells:
        for run, figure in zip(model.runs, model.figure.per_seed, strict=True):
            right = np.arange(600) < round(600 * figure)
            table = {"contributions": right.astype(np.float32)}
            safetensors.numpy.save_file(table, tmp_path / "measurements" / f"{Path(str(run.folder)).name}.safetensors")
    assert _results(record, tmp_path)["figures"] == "passed"
    changed = tmp_path / "measurements" / "gru-seed1.safetensors"
    safetensors.numpy.save_file({"contributions": np.ones(600, dtype=np.float32)}, changed)
    check = audit(record, tmp_path)[-1]
    assert check.result == "failed" and "gru-seed1.safetensors" in check.sentence


def test_the_command_prints_every_check(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "comparison.json").write_text(compact_json(made_up_record(FIGURES, seeds=1)), encoding="utf-8")
    for options, code in (([], 0), (["--strict"], 1)):
        with pytest.raises(SystemExit) as left:
            main(["audit", str(tmp_path), *options])
        assert left.value.code == code
        out = capsys.readouterr().out
        for name in _results(made_up_record(FIGURES), tmp_path):
            assert f"{name}: " in out
        assert "failed  seeds: " in out and "12 checks" in out


def test_the_page_names_every_check() -> None:
    page = (Path(__file__).parents[2] / "docs" / "audit.md").read_text(encoding="utf-8")
    for name in _results(made_up_record(FIGURES), Path("nowhere")):
        assert f"| `{name}` |" in page


@pytest.mark.parametrize(
    ("data", "said"),
    [({"group": "author"}, "69 groups by author,"), ({}, "69 groups of near duplicates, or of one text,")],
)
def test_it_says_what_test_examples_are_grouped_by(data: dict[str, str], said: str) -> None:
    record = SimpleNamespace(data=SimpleNamespace(details={"test_groups": 69}), plan={"data": data})
    assert said in _independence(record).sentence  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        ([3.2, 6.1], "they count as 3 independent blocks in the pair of models with the fewest. A claim needs 8."),
        ([1.2, 1.2], "they count as 1 independent block. A claim needs 8."),
        ([40.0, None], "they count as 40 independent blocks."),
    ],
)
def test_blocks_are_those_of_a_pair_of_models(blocks: list[float | None], said: str) -> None:
    """The verdict speaks of another pair, with another number."""
    record = SimpleNamespace(
        data=SimpleNamespace(details={}),
        metric=SimpleNamespace(dependence="serial"),
        differences=[SimpleNamespace(blocks=each) for each in blocks],
    )
    assert said in _independence(record).sentence  # type: ignore[arg-type]
