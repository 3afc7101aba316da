"""One process at a time in a folder. Imports no torch."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gatewise.errors import RunError, StorageError

__all__ = ["RUN_LOCK", "hold", "hold_training"]

RUN_LOCK = ".training.lock"


@contextmanager
def hold(folder: Path, name: str, what: str) -> Iterator[None]:
    """Hold a folder's lock.

    The operating system releases the lock when the process ends, however it ends: what a killed process leaves blocks
    nobody. A file beside the lock names the holder, for the error message.

    Args:
        folder: an existing folder.
        name: of the lock file in it.
        what: the work, with its article, for the message: ``another comparison``.

    Raises:
        RunError: another process holds the lock.
        StorageError: the lock cannot be written.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> with hold(folder, "a.lock", "another comparison"), hold(folder, "a.lock", "another comparison"):
        ...     pass
        Traceback (most recent call last):
        gatewise.errors.RunError: another comparison is running in ...; expected: one at a time in a folder; got: ...
    """
    from filelock import FileLock, Timeout

    lock = FileLock(folder / name, timeout=0, thread_local=False)
    holder = folder / (name + ".json")
    try:
        lock.acquire()
    except Timeout as error:
        raise RunError(
            f"{what} is running in {folder}",
            expected="one at a time in a folder",
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
        (folder / name).unlink(missing_ok=True)
        lock.release()


@contextmanager
def hold_training(folder: Path) -> Iterator[None]:
    """Hold a run folder, so that no other process trains in it; see `hold`."""
    with hold(folder, RUN_LOCK, "another training"):
        yield


def _holder_name(holder: Path) -> str:
    try:
        record = json.loads(holder.read_text())
        return f"process {record['pid']} on {record['host']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "an unknown process"
