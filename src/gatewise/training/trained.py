"""Opens a finished run, whatever its kind."""

from __future__ import annotations

from pathlib import Path

from gatewise.errors import RunError
from gatewise.training.kinds import Trained, kind_of
from gatewise.training.run_folder import RunFolder

__all__ = ["load_run"]


def load_run(folder: str | Path) -> Trained:
    """Open a finished run.

    Args:
        folder: the run folder.

    Returns:
        The trained network of its kind: `TrainedClassifier` and its like, each with its own ways to ask.

    Raises:
        RunError: no run, an unfinished one, a damaged one, or one from a newer version.

    Example:
        >>> load_run("nowhere")
        Traceback (most recent call last):
        gatewise.errors.RunError: nowhere is not a run folder; fix: name the folder given to --out when training
    """
    path = Path(folder)
    if not path.is_dir():
        raise RunError(f"{path} is not a run folder", fix="name the folder given to --out when training")
    run = RunFolder(path)
    spec = run.spec()
    if run.result() is None:
        raise RunError(f"the run in {path} is not finished", fix="run its training command again to resume it")
    return kind_of(spec.task).open(run)
