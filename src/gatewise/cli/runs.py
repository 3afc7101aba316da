"""Opens what the commands `predict` and `evaluate` are given as a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gatewise.errors import RunError

if TYPE_CHECKING:
    from gatewise.training import Trained, TrainedClassifier

__all__ = ["as_classifier", "open_run"]


def open_run(folder: Path) -> Trained:
    """Load the trained network of a run folder.

    Raises:
        RunError: there is no such folder, it is a comparison's, unfinished, damaged or too new.
    """
    if not folder.exists():
        raise RunError(f"there is no run folder {folder}", fix="train one: gatewise train imdb --out " + str(folder))
    if (folder / "plan.json").exists():
        runs = sorted(path.name for path in (folder / "runs").glob("*") if (path / "result.json").exists())
        raise RunError(
            f"{folder} holds a comparison, which has several networks",
            got=", ".join(runs) or "none finished yet",
            fix=f"name one of them, for example: {folder / 'runs' / (runs[0] if runs else 'gru-seed0')}",
        )
    from gatewise.training import load_run

    return load_run(folder)


def as_classifier(trained: Trained, command: str) -> TrainedClassifier:
    """The trained network, if it is a text classifier.

    Args:
        trained: what `open_run` gave.
        command: what was asked for, for the message.

    Raises:
        RunError: the run is of another kind.
    """
    from gatewise.training import TrainedClassifier

    if not isinstance(trained, TrainedClassifier):
        raise RunError(
            f"`gatewise {command}` needs a text classifier",
            expected="a run of the task classification",
            got=trained.spec.task,
            fix="see gatewise generate for language models, gatewise predict --file for forecasts",
        )
    return trained
