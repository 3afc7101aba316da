"""Joins the processes of one training that a launcher such as torchrun started. Imports no torch until they are."""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any

from gatewise.errors import GatewiseError, OptionError, TrainingError
from gatewise.training.processes import join, left_afterwards

if TYPE_CHECKING:
    from gatewise.training.run_spec import RunSpec
    from gatewise.training.team import Team

__all__ = ["LAUNCHER", "follows", "joined", "launched_processes", "launched_rank"]

LAUNCHER = ("RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Variables by which torchrun says which process of how many this one is."""
_meetings = itertools.count()
_JOINING = timedelta(minutes=15)


def launched_processes() -> int:
    """How many processes torchrun, or whoever sets its variables, has started for this training; 1: it has not.

    Raises:
        OptionError: their number is none.
    """
    if not all(os.environ.get(name) for name in LAUNCHER):
        return 1
    return _number("WORLD_SIZE", "how many processes torchrun started", 1)


def launched_rank() -> int:
    """The number of this process among them; 0: the first, or the only one.

    Raises:
        OptionError: it is no number, or not below theirs.
    """
    processes = launched_processes()
    if processes == 1:
        return 0
    return _number("RANK", f"the number of this process, from 0 to {processes - 1}", 0, processes - 1)


def follows(processes: int) -> bool:
    """Whether another process that torchrun started leads a training: this one then writes and says nothing.

    Args:
        processes: of the training; of one process it is this one, whatever a launcher started it.
    """
    return processes > 1 and launched_rank() > 0


def _number(name: str, expected: str, least: int, most: float = math.inf) -> int:
    given = os.environ[name]
    try:
        if least <= int(given) <= most:
            return int(given)
        wrong = "is out of range"
    except ValueError:
        wrong = "is no number"
    raise OptionError(
        f"{name} {wrong}", expected=expected, got=given, fix="unset WORLD_SIZE and RANK, or start with torchrun"
    )


@contextmanager
def joined(spec: RunSpec, fingerprint: str) -> Iterator[Team | None]:
    """Join the processes that torchrun started; None: it started none.

    Args:
        spec: the run.
        fingerprint: of its data.

    Raises:
        OptionError: they are not as many as the spec says, or were given other options or data.
        TrainingError: one of them did not come.
    """
    processes = spec.training.processes
    if processes == 1 or launched_processes() == 1:
        yield None
        return
    if launched_processes() != processes:
        raise OptionError(
            "the launcher started another number of processes",
            expected=f"--processes {processes}, or none",
            got=f"WORLD_SIZE {launched_processes()}",
            fix="omit --processes under torchrun",
        )
    rank = launched_rank()
    try:
        team = join(_next_meeting(), rank, processes, "launched")
    except GatewiseError:
        raise
    except (RuntimeError, ValueError) as error:
        raise TrainingError(
            f"the {processes} processes of this training did not meet",
            got=str(error).splitlines()[0],
            fix="start all of them with the same MASTER_ADDR, MASTER_PORT and WORLD_SIZE",
        ) from error
    with left_afterwards(team):
        _check_same(team, spec, fingerprint)
        yield team


def _next_meeting() -> Any:
    """A store for the next training of the launched processes, which all train the same ones in the same order.

    One connection serves all of them: a second one to the same address could still reach the first one's server.
    """
    from torch.distributed import PrefixStore  # type: ignore[attr-defined]

    return PrefixStore(f"gatewise-{next(_meetings)}", _launched_store())


@cache
def _launched_store() -> Any:
    from torch.distributed.rendezvous import rendezvous

    return next(iter(rendezvous("env://", timeout=_JOINING)))[0]


def _check_same(team: Team, spec: RunSpec, fingerprint: str) -> None:
    """Refuse processes whose options or data differ from the first one's; the data may have another path."""
    from gatewise import __version__

    kept = {name: value for name, value in spec.to_dict().items() if name != "data"}
    own = json.dumps([__version__, kept, fingerprint], sort_keys=True).encode()
    every = team.gather(own)
    for rank, other in enumerate(every):
        if other != every[0]:
            raise OptionError(
                f"process {rank + 1} of {team.processes} was given other options or data than the first",
                fix="start the same command with the same version and files everywhere; for independent trainings, as "
                "of a sweep over seeds, add --processes 1",
            )
