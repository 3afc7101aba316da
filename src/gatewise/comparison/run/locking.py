"""Locks: one comparison at a time in a folder, one process at a time in a run."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from gatewise.errors import RunError, StorageError

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
    lock = FileLock(folder / LOCK_FILE, timeout=0, thread_local=False)
    holder = folder / (LOCK_FILE + ".json")
    try:
        lock.acquire()
    except Timeout as error:
        raise RunError(
            f"another comparison is running in {folder}",
            expected="one comparison at a time in a folder",
            got=_holder_name(holder),
            fix="wait until it is done, stop it, or choose another folder with --out",
        ) from error
    except OSError as error:
        raise StorageError(f"cannot lock {folder}", got=error.strerror or str(error)) from error
    try:
        with contextlib.suppress(OSError):
            holder.write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": time.time()}))
        yield
    finally:
        holder.unlink(missing_ok=True)
        # a waiting process that opened the file before sees that it is gone, and tries again
        (folder / LOCK_FILE).unlink(missing_ok=True)
        lock.release()


@contextmanager
def hold_run(place: Path) -> Iterator[None]:
    """Wait until no other process trains the run of this lock file, then hold it.

    A worker that outlives its comparison, or one that a cluster believes lost, may still write into its run folder.
    """
    with FileLock(place, thread_local=False):
        yield


def _holder_name(holder: Path) -> str:
    try:
        record = json.loads(holder.read_text())
        return f"process {record['pid']} on {record['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "an unknown process"
