"""Binds each kind of problem to its specs: data to load, problem to train, model to open, baselines to fit beside it.

One file per kind. The table here imports none of them before it is asked, so that the command line stays quick.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from gatewise.errors import OptionError
from gatewise.training.checks import check_choice
from gatewise.training.kinds.kind import Baseline, Dataset, Kind, Trained
from gatewise.training.probe_spec import PROBES
from gatewise.training.run_spec import TASKS

__all__ = ["Baseline", "Dataset", "Kind", "Trained", "kind_of", "task_of"]

_HOME = {
    "classification": ("gatewise.training.kinds.classification", "ClassificationKind"),
    "forecasting": ("gatewise.training.kinds.forecasting", "ForecastingKind"),
    "language-modelling": ("gatewise.training.kinds.language_modelling", "LanguageModellingKind"),
    "probe": ("gatewise.training.kinds.probe", "ProbeKind"),
}
_KNOWN_DATA = {
    "imdb": "classification",
    "rotten-tomatoes": "classification",
    "stocks": "forecasting",
    "sp500": "forecasting",
    "nasdaq": "forecasting",
    "ett": "forecasting",
    "etth1": "forecasting",
    "etth2": "forecasting",
    "ptb": "language-modelling",
    "reviews": "language-modelling",
    **dict.fromkeys(PROBES, "probe"),
}


def kind_of(task: str) -> Kind:
    """The binding of a task.

    Raises:
        OptionError: there is no such task.

    Example:
        >>> kind_of("classification").unit
        'texts'
    """
    check_choice("task", task, TASKS)
    module, name = _HOME[task]
    kind: Kind = getattr(importlib.import_module(module), name)()
    return kind


def task_of(data: str, *, task: str | None = None, given: tuple[str, ...] = ()) -> str:
    """Which task a data set is for.

    Args:
        data: registry name or path.
        task: what the person said; None: found from the name, the file's ending and the options given.
        given: names of the data options that were given.

    Raises:
        OptionError: the task is unknown, or does not go with the known data set.

    Example:
        >>> task_of("imdb"), task_of("novel.txt"), task_of("prices.csv", given=("target",)), task_of("reviews.csv")
        ('classification', 'language-modelling', 'forecasting', 'classification')
    """
    known = None if Path(data).expanduser().is_file() else _KNOWN_DATA.get(data)
    if task is not None:
        check_choice("task", task, TASKS)
        if known is not None and known != task:
            raise OptionError(
                f"the data set {data!r} is not for {task}", expected=known, got=task, fix="leave --task away"
            )
        return task
    if known is not None:
        return known
    if {"target", "time", "horizon", "lookback", "group", "features"} & set(given):
        return "forecasting"
    return "language-modelling" if Path(data).suffix.lower() in (".txt", ".text") else "classification"
