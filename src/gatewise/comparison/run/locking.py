"""Locks: one comparison at a time in a folder, one process at a time in a run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock

from gatewise.training.locking import hold

__all__ = ["LOCK_FILE", "hold_folder", "hold_run"]

LOCK_FILE = "comparison.lock"


@contextmanager
def hold_folder(folder: Path) -> Iterator[None]:
    """Hold a folder's lock, so that no other comparison runs in it.

    The operating system releases the lock when the process ends, however it ends. A file beside it names the holder,
    for the error message.

    Args:
        folder: an existing folder.

    Raises:
        RunError: another process works in it.
        StorageError: the lock cannot be written.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with hold_folder(folder):
        ...     (folder / LOCK_FILE).exists()
        True
    """
    with hold(folder, LOCK_FILE, "another comparison"):
        yield


@contextmanager
def hold_run(place: Path) -> Iterator[None]:
    """Wait until no other process trains the run of this lock file, then hold it.

    A worker that outlives its comparison, or one that a cluster believes lost, may still write into its run folder.
    """
    with FileLock(place, thread_local=False):
        yield
