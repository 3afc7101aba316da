"""The command lines that repeat, or continue, what was done."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gatewise.comparison.plan.grid import Range
from gatewise.comparison.plan.plan import DEFAULT_SEEDS, Plan
from gatewise.training.assembly import PARTS, setting_fields
from gatewise.training.registry import is_derived
from gatewise.training.run_spec import RunSpec

__all__ = ["compare_command", "import_words", "setting_words", "train_command"]


def compare_command(plan: Plan, folder: Path, options: Mapping[str, Any] | None = None) -> str:
    """The command that executes a plan in a folder.

    Args:
        plan: the plan.
        folder: of its result.
        options: where and how it runs: ``jobs``, ``cluster``, ``storage``, ``margin``, ``cost``, ``yes``, ``old_code``.

    Example:
        >>> from gatewise.comparison.plan.plan import make_plan
        >>> compare_command(make_plan("imdb", cells=["gru"], epochs=5, grid={"lr": [1e-3, 3e-3]}), Path("runs/imdb"))
        'gatewise compare imdb --cells gru --grid learning_rate=0.001,0.003 --epochs 5 --out runs/imdb'
    """
    words = ["gatewise", "compare", plan.data]
    pretrain = plan.settings.get("pretrain") is True
    defaults = {
        name: value for part in PARTS for name, value in setting_fields(plan.task, part, pretrain=pretrain).items()
    }
    given = [name for name, value in plan.settings.items() if value is not None and value != defaults.get(name)]
    if plan.axis is not None:
        given.append(plan.axis.name)
    if not is_derived(plan.task, plan.data, given):
        words += ["--task", plan.task]
    if plan.cells != ("rnn", "lstm", "gru"):
        words += ["--cells", ",".join(plan.cells)]
    if len(plan.seeds) != DEFAULT_SEEDS:
        words += ["--seeds", str(len(plan.seeds))]
    words += _search_words(plan)
    words += ["--match", plan.match] if plan.match != "hidden" else []
    words += import_words(plan.imports)
    if plan.axis is not None:
        words += [_flag(plan.axis.name), ",".join(map(str, plan.axis.values))]
    seed = {"seed": plan.seeds[0]}
    words += _given_words({**plan.settings, **seed}, defaults)
    words += _given_words(options or {}, {"jobs": 1, "cost": True, "yes": False, "old_code": False})
    return shlex.join([*words, "--out", str(folder)])


def import_words(modules: Iterable[str]) -> list[str]:
    """Flags that import modules of one's own.

    Example:
        >>> import_words(["my_cells", str(Path.cwd() / "code" / "more.py")])
        ['--import', 'my_cells', '--import', 'code/more.py']
    """
    return [word for module in modules for word in ("--import", _place(module))]


def _place(module: str) -> str:
    """A module as the command line names it: a file's path from the present folder where it is in there."""
    place = Path(module)
    return str(place.relative_to(Path.cwd())) if place.is_absolute() and Path.cwd() in place.parents else module


def _search_words(plan: Plan) -> list[str]:
    if plan.search is None:
        return []
    words: list[str] = []
    for name, values in plan.search.space.items():
        written = str(values) if isinstance(values, Range) else ",".join(map(str, values))
        words += ["--grid", f"{name}={written}"]
    if plan.search.method != "grid":
        words += ["--search", plan.search.method, "--trials", str(plan.search.trials)]
    words += ["--repeat-tuning"] if plan.search.repeat else []
    return words + (["--metric", plan.search.metric] if plan.search.metric is not None else [])


def _given_words(given: Mapping[str, Any], defaults: Mapping[str, Any]) -> list[str]:
    """Flags for the given settings that differ from the defaults."""
    words: list[str] = []
    for name, value in given.items():
        if value is None or value == defaults.get(name):
            continue
        if isinstance(value, bool):
            words.append(_flag(name) if value else "--no-" + _flag(name)[2:])
        else:
            words += [_flag(name), str(value)]
    return words


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def train_command(spec: RunSpec, folder: Path, imports: Iterable[str] = ()) -> str:
    """The command that trains one network into a folder.

    Args:
        spec: of the run.
        folder: of the run.
        imports: modules that register cells or kinds of one's own.

    Example:
        >>> from gatewise.training.assembly import make_spec
        >>> spec = make_spec("classification", "imdb", {"cell": "lstm", "bidirectional": True})
        >>> train_command(spec, Path("my run"))
        "gatewise train imdb --cell lstm --bidirectional --out 'my run'"
    """
    words = ["gatewise", "train", spec.data.data, "--cell", spec.model.cell]
    if not is_derived(spec.task, spec.data.data, _given(spec)):
        words += ["--task", spec.task]
    pretrain = spec.pretraining is not None
    words += ["--pretrain"] if pretrain else []
    words += import_words(imports)
    for part in PARTS:
        if getattr(spec, part) is not None:
            defaults = setting_fields(spec.task, part, pretrain=pretrain)
            words += setting_words(getattr(spec, part), defaults, omit=("data", "cell", "pretrain"))
    return shlex.join([*words, "--out", str(folder)])


def setting_words(spec: Any, defaults: Mapping[str, Any], omit: Sequence[str] = ()) -> list[str]:
    """Flags for the settings that differ from the defaults.

    Example:
        >>> from gatewise.training.spec import TrainingSpec
        >>> setting_words(TrainingSpec(epochs=5), {"epochs": 2, "seed": 0})
        ['--epochs', '5']
    """
    words: list[str] = []
    for name, default in defaults.items():
        if name in omit or (value := getattr(spec, name)) == default:
            continue
        flag = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            words.append(flag if value else "--no-" + flag[2:])
        else:
            words += [flag, str(value)]
    return words


def _given(spec: RunSpec) -> tuple[str, ...]:
    defaults = setting_fields(spec.task, "data")
    return tuple(name for name, default in defaults.items() if name != "data" and getattr(spec.data, name) != default)
