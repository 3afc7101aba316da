"""The command lines that repeat, or continue, what was done."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gatewise.comparison.plan import Plan
from gatewise.training.assembly import PARTS, setting_fields
from gatewise.training.kinds import task_of
from gatewise.training.run_spec import RunSpec
from gatewise.training.spec import DataSpec, ModelSpec, TrainingSpec

__all__ = ["compare_command", "setting_words", "train_command"]


def compare_command(plan: Plan, folder: Path) -> str:
    """The command that carries a plan out in a folder.

    Example:
        >>> from gatewise.comparison.plan import make_plan
        >>> compare_command(make_plan("imdb", cells=["gru"], epochs=5), Path("runs/imdb"))
        'gatewise compare imdb --cells gru --epochs 5 --out runs/imdb'
    """
    words = ["gatewise", "compare", *_data_words(plan.data)]
    if plan.cells != ("rnn", "lstm", "gru"):
        words += ["--cells", ",".join(plan.cells)]
    if len(plan.seeds) > 1:
        words += ["--seeds", str(len(plan.seeds))]
    words += _setting_words(plan.model, ModelSpec(), omit="cell")
    words += _setting_words(dataclasses.replace(plan.training, seed=plan.seeds[0]), TrainingSpec())
    return shlex.join([*words, "--out", str(folder)])


def train_command(spec: RunSpec, folder: Path) -> str:
    """The command that trains one network into a folder.

    Example:
        >>> train_command(RunSpec(model=ModelSpec(cell="lstm", bidirectional=True)), Path("my run"))
        "gatewise train imdb --cell lstm --bidirectional --out 'my run'"
    """
    words = ["gatewise", "train", spec.data.data, "--cell", spec.model.cell]
    if task_of(spec.data.data, given=_given(spec)) != spec.task:
        words += ["--task", spec.task]
    pretrain = spec.pretraining is not None
    words += ["--pretrain"] if pretrain else []
    for part in PARTS:
        if getattr(spec, part) is not None:
            usual = setting_fields(spec.task, part, pretrain=pretrain)
            words += setting_words(getattr(spec, part), usual, omit=("data", "cell", "pretrain"))
    return shlex.join([*words, "--out", str(folder)])


def setting_words(spec: Any, usual: Mapping[str, Any], omit: Sequence[str] = ()) -> list[str]:
    """Flags for the settings that are not the usual ones.

    Example:
        >>> setting_words(TrainingSpec(epochs=5), {"epochs": 2, "seed": 0})
        ['--epochs', '5']
    """
    words: list[str] = []
    for name, normal in usual.items():
        if name in omit or (value := getattr(spec, name)) == normal:
            continue
        flag = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            words.append(flag if value else "--no-" + flag[2:])
        else:
            words += [flag, str(value)]
    return words


def _given(spec: RunSpec) -> tuple[str, ...]:
    usual = setting_fields(spec.task, "data")
    return tuple(name for name, normal in usual.items() if name != "data" and getattr(spec.data, name) != normal)


def _data_words(spec: DataSpec) -> list[str]:
    words = [spec.data]
    for name in ("text", "label", "test"):
        value = getattr(spec, name)
        if value is not None:
            words += [f"--{name}", value]
    return [*words, "--download"] if spec.download else words


def _setting_words(spec: Any, usual: Any, omit: str = "") -> list[str]:
    """Flags for the settings that are not the usual ones."""
    words: list[str] = []
    for entry in dataclasses.fields(spec):
        value = getattr(spec, entry.name)
        if entry.name == omit or value == getattr(usual, entry.name):
            continue
        flag = "--" + entry.name.replace("_", "-")
        if isinstance(value, bool):
            words.append(flag if value else "--no-" + flag[2:])
        else:
            words += [flag, str(value)]
    return words
