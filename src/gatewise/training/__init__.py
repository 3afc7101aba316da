"""The loop, checkpoints and the run folder.

The specs and events import no torch; `train_run` and `load_run` are loaded when first used.
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
from gatewise.training.forecasting_spec import ForecastModelSpec as ForecastModelSpec
from gatewise.training.forecasting_spec import SeriesSpec as SeriesSpec
from gatewise.training.language_spec import CorpusSpec as CorpusSpec
from gatewise.training.language_spec import LanguageModelSpec as LanguageModelSpec
from gatewise.training.pretraining_spec import PretrainingSpec as PretrainingSpec
from gatewise.training.probe_spec import ProbeModelSpec as ProbeModelSpec
from gatewise.training.probe_spec import ProbeSpec as ProbeSpec
from gatewise.training.run_spec import RunSpec as RunSpec
from gatewise.training.spec import DataSpec as DataSpec
from gatewise.training.spec import ModelSpec as ModelSpec
from gatewise.training.spec import TrainingSpec as TrainingSpec

if TYPE_CHECKING:
    from gatewise.training.interruption import Interrupted as Interrupted
    from gatewise.training.kinds import Trained as Trained
    from gatewise.training.kinds import kind_of as kind_of
    from gatewise.training.kinds import task_of as task_of
    from gatewise.training.kinds.classification import TrainedClassifier as TrainedClassifier
    from gatewise.training.loop import train_run as train_run
    from gatewise.training.trained import load_run as load_run

_HOME = {
    "Interrupted": "gatewise.training.interruption",
    "Trained": "gatewise.training.kinds",
    "TrainedClassifier": "gatewise.training.kinds.classification",
    "kind_of": "gatewise.training.kinds",
    "task_of": "gatewise.training.kinds",
    "load_run": "gatewise.training.trained",
    "train_run": "gatewise.training.loop",
}

__all__ = [
    "CorpusSpec",
    "DataSpec",
    "EpochDone",
    "EpochRecord",
    "Event",
    "ForecastModelSpec",
    "Interrupted",
    "LanguageModelSpec",
    "Listener",
    "ModelSpec",
    "PretrainingSpec",
    "ProbeModelSpec",
    "ProbeSpec",
    "RunFinished",
    "RunResult",
    "RunSpec",
    "RunStarted",
    "SeriesSpec",
    "StepDone",
    "Trained",
    "TrainedClassifier",
    "TrainingSpec",
    "kind_of",
    "load_run",
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
