"""What a probe run is: a synthetic problem whose length is the difficulty, and a network. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from gatewise.training import common_settings as common
from gatewise.training.settings import Spec, setting

__all__ = ["PROBES", "ProbeModelSpec", "ProbeSpec"]

PROBES = ("adding", "temporal-order", "copy", "parity")


@dataclass(frozen=True)
class ProbeSpec(Spec):
    """Which probe, how long, how many sequences.

    ``adding`` and ``temporal-order`` are those of Hochreiter and Schmidhuber (1997), ``copy`` that of Arjovsky et al.
    (2016). The validation part has a tenth as many sequences as ``examples``, the test part a fifth.

    Example:
        >>> ProbeSpec("adding", length=100).examples
        10000
    """

    data: str = setting("adding", "adding, temporal-order, copy or parity.", choices=PROBES)
    length: int = setting(100, "Steps of a probe's sequences.", minimum=10)
    examples: int = setting(10_000, "Training examples.", minimum=100)
    data_seed: int = setting(0, "Seed from which a probe's sequences are drawn, the same for every cell.", minimum=0)


@dataclass(frozen=True)
class ProbeModelSpec(Spec):
    """The network: recurrent layers and a linear head.

    Example:
        >>> ProbeModelSpec(cell="lstm").hidden_size
        128
    """

    cell: str = common.cell()
    hidden_size: int = common.hidden_size()
    num_layers: int = common.num_layers()
    bidirectional: bool = common.bidirectional()
    dropout: float = common.dropout(0.0)
