"""Worker processes on this machine; they end when the process that started them ends."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

__all__ = ["end_with", "processes"]

_SECONDS_BETWEEN_POLLS = 1.0


def processes(jobs: int, **options: Any) -> Any:
    """A `joblib.Parallel` on worker processes; the next call with the same number reuses them.

    Args:
        jobs: how many.
        **options: further ones of `joblib.Parallel`.

    Example:
        >>> processes(2).n_jobs
        2
    """
    from joblib import Parallel

    return Parallel(n_jobs=jobs, backend="loky", initializer=end_with, initargs=(os.getpid(),), **options)


def end_with(parent: int) -> None:
    """End this process soon after its parent process ends, so that a killed comparison leaves no orphans.

    The last checkpoint is enough to resume from.

    Args:
        parent: the parent's process id.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_SECONDS_BETWEEN_POLLS)
        os._exit(1)

    threading.Thread(target=watch, name="gatewise-parent", daemon=True).start()
