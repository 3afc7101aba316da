"""What all phases of a run share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.training.events import Listener
from gatewise.training.interruption import StopSignal

if TYPE_CHECKING:
    from gatewise.training.team import Team

__all__ = ["RunContext"]


@dataclass(frozen=True)
class RunContext:
    """What all phases of a run share.

    Attributes:
        dataset: its data.
        out: its folder.
        threads: CPU threads of this process.
        emit: called with every event.
        stop: whether Ctrl-C was pressed.
        team: the processes that train together; None: there is one.
    """

    dataset: Any
    out: Path
    threads: int
    emit: Listener
    stop: StopSignal
    team: Team | None = None

    @property
    def leads(self) -> bool:
        """Whether this process writes files and evaluates."""
        return self.team is None or self.team.leads

    @property
    def local_threads(self) -> int:
        """Threads of all processes of this machine together, which one has while the others wait."""
        return self.threads * (1 if self.team is None else self.team.local)

    def shared(self, value: Any) -> Any:
        """A value of the first process, ready for JSON, in all of them."""
        return value if self.team is None else self.team.share(value if self.leads else None)
