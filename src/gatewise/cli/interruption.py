"""Ctrl-C: report what is kept and the exact command that resumes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import typer

__all__ = ["resumable"]


@contextmanager
def resumable(folder: Path, command: str | None) -> Iterator[None]:
    """Turn Ctrl-C into a message with the command that resumes, and exit code 130.

    Args:
        folder: of the run or comparison.
        command: what resumes it; None: another process says so.

    Raises:
        StorageError: a file is in the folder's place.
    """
    from gatewise.files import check_folder
    from gatewise.training.interruption import Interrupted

    check_folder(folder)
    try:
        yield
    except (KeyboardInterrupt, Interrupted) as stop:
        if command is None:
            raise typer.Exit(130) from None
        where = f" in epoch {stop.epoch} after step {stop.step}" if isinstance(stop, Interrupted) else ""
        typer.echo(f"\nStopped{where}; what was done is kept in {folder}\nResume with:\n\n    {command}\n", err=True)
        raise typer.Exit(130) from None
