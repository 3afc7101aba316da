"""Opens a finished run, whatever its kind."""

from __future__ import annotations

from pathlib import Path

from gatewise.errors import RunError
from gatewise.training.kind import Trained
from gatewise.training.registry import kind_of
from gatewise.training.run_folder import RunFolder

__all__ = ["load_run", "open_run"]


def load_run(folder: str | Path) -> Trained:
    """Open a finished run.

    Args:
        folder: the run folder.

    Returns:
        The trained network of its kind, each with its own methods.

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


def open_run(folder: Path) -> Trained:
    """Load the trained network of a run folder that the user named; the error explains what else a folder may be.

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
    return load_run(folder)
