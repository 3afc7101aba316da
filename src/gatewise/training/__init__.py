"""The loop, checkpoints and the run folder, for any kind of problem.

Specs, events and the registry import no torch; `train_run` and `load_run` are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from gatewise.training.events import EpochDone as EpochDone
from gatewise.training.events import EpochRecord as EpochRecord
from gatewise.training.events import Event as Event
from gatewise.training.events import Listener as Listener
from gatewise.training.events import RunFinished as RunFinished
from gatewise.training.events import RunResult as RunResult
from gatewise.training.events import RunStarted as RunStarted
from gatewise.training.events import StepDone as StepDone
from gatewise.training.kind import Trained as Trained
from gatewise.training.registry import datasets as datasets
from gatewise.training.registry import kind_of as kind_of
from gatewise.training.registry import register_kind as register_kind
from gatewise.training.registry import task_of as task_of
from gatewise.training.run_spec import RunSpec as RunSpec
from gatewise.training.spec import TrainingSpec as TrainingSpec

if TYPE_CHECKING:
    from gatewise.training.interruption import Interrupted as Interrupted
    from gatewise.training.loop import train_run as train_run
    from gatewise.training.trained import load_run as load_run

_HOME = {
    "Interrupted": "gatewise.training.interruption",
    "load_run": "gatewise.training.trained",
    "train_run": "gatewise.training.loop",
}

__all__ = [
    "EpochDone",
    "EpochRecord",
    "Event",
    "Interrupted",
    "Listener",
    "RunFinished",
    "RunResult",
    "RunSpec",
    "RunStarted",
    "StepDone",
    "Trained",
    "TrainingSpec",
    "datasets",
    "kind_of",
    "load_run",
    "register_kind",
    "task_of",
    "train_run",
]


def __getattr__(name: str) -> Any:
    """Load a name that needs torch when it is first asked for."""
    if name not in _HOME:
        raise AttributeError(f"module 'gatewise.training' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value
