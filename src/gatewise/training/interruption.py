"""Ctrl-C in the middle of training: the state is saved, then this is raised."""

from __future__ import annotations

from pathlib import Path

from gatewise.errors import TrainingError

__all__ = ["Interrupted"]


class Interrupted(TrainingError):
    """Training was stopped by Ctrl-C after its state was saved; running the same spec into the same folder resumes it.

    It takes the place of `KeyboardInterrupt` so that a program can say how to resume; at the command line the exit
    code is 130.

    Args:
        folder: the run folder that holds the checkpoint.
        epoch: the epoch that was under way, from 1.
        step: steps of it that were done.

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
        """Survive the trip between processes."""
        return (Interrupted, (self.folder, self.epoch, self.step))
