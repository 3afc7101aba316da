"""One training within a run: a run is one phase or several, each starting from the weights of the one before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor, nn

    from gatewise.training.kind import Dataset
    from gatewise.training.problem import Problem
    from gatewise.training.run_spec import RunSpec

__all__ = ["Phase", "Rates", "phase_key"]


class Rates(Protocol):
    """Rates that differ between layers.

    Attributes:
        layers: names of each layer's parameters; every parameter is in one.
    """

    layers: list[list[str]]

    def factors(self, epochs_done: float) -> Sequence[float]:
        """One factor of the learning rate per layer; 0 while it is frozen."""
        ...


@dataclass(frozen=True)
class Phase:
    """One training: its spec, its problem, and how it starts.

    All phases but the last are run folders of their own, identified by `spec`, the data's fingerprint and the number
    of threads, so that runs which differ only in a later phase share them.

    Attributes:
        name: ``training`` for the last one, else for files, records and the terminal: ``pretraining``.
        spec: all that the phase depends on; its ``training`` says how it is trained.
        problem: draws the network from torch's random state, on its data and its device.
        title: completes a model's name on the terminal: ``, as a language model first``.
        start: gives the phase's network the weights of the phase before (weights, network, where they came from).
        rates: of the layers, from the names of the parameters; None: the same for all.
    """

    name: str
    spec: RunSpec
    problem: Callable[[], Problem]
    title: str = ""
    start: Callable[[Mapping[str, Tensor], nn.Module, Path], None] | None = None
    rates: Callable[[Iterable[str]], Rates] | None = None


def phase_key(phase: Phase, dataset: Dataset, threads: int) -> str:
    """A hash of all that an earlier phase depends on, for runs that share it.

    Args:
        phase: of training.
        dataset: its data.
        threads: CPU threads, on which the last bits depend.
    """
    content = {
        "phase": phase.name,
        "spec": phase.spec.to_identity(),
        "fingerprint": dataset.fingerprint,
        "threads": threads,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
