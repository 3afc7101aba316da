"""What a probe run is: a made-up problem whose length is the difficulty, and a network. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from gatewise.training.checks import check_boolean, check_choice, check_real, check_whole, known_cells

__all__ = ["PROBES", "ProbeModelSpec", "ProbeSpec"]

PROBES = ("adding", "temporal-order", "copy", "parity")


@dataclass(frozen=True)
class ProbeSpec:
    """Which probe, how long, how many sequences.

    Args:
        data: ``adding`` and ``temporal-order`` (Hochreiter and Schmidhuber, 1997), ``copy`` (Arjovsky et al., 2016) or
            ``parity``.
        length: T, steps of a sequence.
        examples: sequences to learn from; a tenth as many validate, a fifth test.
        data_seed: from which the sequences are drawn; the same for every cell and seed of a comparison.

    Example:
        >>> ProbeSpec("adding", length=100).examples
        10000
    """

    data: str = "adding"
    length: int = 100
    examples: int = 10_000
    data_seed: int = 0

    def __post_init__(self) -> None:
        check_choice("data", self.data, PROBES)
        check_whole("length", self.length, minimum=10)
        check_whole("examples", self.examples, minimum=100)
        check_whole("data_seed", self.data_seed, minimum=0)


@dataclass(frozen=True)
class ProbeModelSpec:
    """The network: recurrent layers and a linear head.

    Args:
        cell: ``rnn``, ``lstm``, ``gru`` or a registered cell.
        hidden_size: H, units per layer and direction.
        num_layers: L, recurrent layers.
        bidirectional: whether a second direction reads each sequence backwards.
        dropout: probability of zeroing features between layers while training.

    Example:
        >>> ProbeModelSpec(cell="lstm").hidden_size
        128
    """

    cell: str = "gru"
    hidden_size: int = 128
    num_layers: int = 1
    bidirectional: bool = False
    dropout: float = 0.0

    def __post_init__(self) -> None:
        check_choice("cell", self.cell, known_cells())
        for name in ("hidden_size", "num_layers"):
            check_whole(name, getattr(self, name), minimum=1)
        check_boolean("bidirectional", self.bidirectional)
        check_real("dropout", self.dropout, minimum=0.0, below=1.0)
