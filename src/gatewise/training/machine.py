"""The device, threads and processes of a training on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

from gatewise.errors import OptionError
from gatewise.training.checks import threads_of_each
from gatewise.training.spec import TrainingSpec

if TYPE_CHECKING:
    from gatewise.training.team import Team

__all__ = ["more_threads", "prepared_machine", "threads_of"]


@contextmanager
def prepared_machine(device: str, threads: int) -> Iterator[None]:
    """Set the threads and keep torch's random state and thread count as the caller had them."""
    if not device.startswith("cpu") and not getattr(torch, device.split(":")[0]).is_available():
        raise OptionError(f"the device {device!r} is not available here", fix="omit --device to use the CPU")
    with more_threads(threads), torch.random.fork_rng():
        yield


@contextmanager
def more_threads(count: int) -> Iterator[None]:
    """Set torch's threads, and afterwards what they were before."""
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def threads_of(training: TrainingSpec, team: Team | None = None) -> int:
    """The CPU threads of a process: as many as asked for, else its share of the cores.

    Args:
        training: of the run.
        team: of this process; None: all of the run's processes are on this machine.

    Raises:
        OptionError: the processes of this machine would have more threads than it has cores.
    """
    return threads_of_each(training.threads, training.processes if team is None else team.local)
