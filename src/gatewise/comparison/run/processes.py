"""Processes of this machine in which trials run; they end with the one that started them, however that ends."""

from __future__ import annotations

import os
import threading
import time
from typing import Any

__all__ = ["end_with", "processes"]

_SECONDS_BETWEEN_LOOKS = 1.0


def processes(jobs: int, **options: Any) -> Any:
    """A `joblib.Parallel` that runs calls in processes of their own; the next one with as many takes them over.

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
    """End this process soon after another one, which started it: what is saved by then is enough to go on from.

    Without it a comparison that is killed would leave trials that nobody waits for, and idle processes.

    Args:
        parent: the other process's number.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_SECONDS_BETWEEN_LOOKS)
        os._exit(1)

    threading.Thread(target=watch, name="gatewise-parent", daemon=True).start()
