"""Ctrl-C in the middle of training: the state is saved, then this is raised."""

from __future__ import annotations

import signal
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from gatewise.errors import TrainingError

__all__ = ["Interrupted", "StopSignal"]


class Interrupted(TrainingError):
    """Training was stopped by Ctrl-C after its state was saved; running the same spec into the same folder resumes it.

    It replaces `KeyboardInterrupt` so that a program can report how to resume; at the command line the exit
    code is 130.

    Args:
        folder: the run folder that holds the checkpoint.
        epoch: the current epoch, from 1.
        step: its finished steps.

    Example:
        >>> raise Interrupted(Path("run"), epoch=2, step=17)
        Traceback (most recent call last):
        gatewise.training.interruption.Interrupted: training was stopped in epoch 2 after step 17 and saved in run;
        fix: run the same command again to resume it
    """

    def __init__(self, folder: Path, epoch: int, step: int) -> None:
        self.folder = folder
        self.epoch = epoch
        self.step = step
        super().__init__(
            f"training was stopped in epoch {epoch} after step {step} and saved in {folder}",
            fix="run the same command again to resume it",
        )

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle all arguments."""
        return (Interrupted, (self.folder, self.epoch, self.step))


class StopSignal:
    """Within it the first Ctrl-C only requests a stop, so that the current step is completed; the second stops at once.

    Outside the main thread, where signals cannot be caught, it never requests one.

    Example:
        >>> with StopSignal() as stop:
        ...     stop.asked
        False
    """

    def __init__(self) -> None:
        self.asked = False
        self._before: Any = None
        self._caught = False

    def __enter__(self) -> StopSignal:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._ask)
            self._caught = True
        return self

    def __exit__(self, *error: object) -> None:
        if self._caught:
            signal.signal(signal.SIGINT, self._before if self._before is not None else signal.SIG_DFL)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
