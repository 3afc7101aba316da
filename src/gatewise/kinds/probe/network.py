"""The network of the probes: recurrent layers and a linear head on the last steps."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from gatewise.kinds.probe.generation import ProbePart
from gatewise.nn import Recurrent

__all__ = ["ProbeNetwork", "batch_inputs"]


class ProbeNetwork(nn.Module):
    """Sequences in, a prediction after each of the last K steps out.

    ::

        h_1..T = recurrent(x_1..T)
        y_t    = W h_t + b            t = T - K + 1 .. T

    Args:
        features: I.
        answers: K.
        classes: C, or 0: a number.
        cell: a registered recurrent cell.
        hidden_size: H.
        num_layers: L.
        bidirectional: D = 2 directions.
        dropout: p between layers.

    Example:
        >>> ProbeNetwork(8, 1, 4, cell="lstm", hidden_size=5)(torch.zeros(20, 3, 8)).shape
        torch.Size([1, 3, 4])
    """

    def __init__(
        self,
        features: int,
        answers: int,
        classes: int,
        *,
        cell: str = "gru",
        hidden_size: int = 128,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.answers = answers
        self.recurrent = Recurrent(
            cell,
            features,
            hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropout=dropout if num_layers > 1 else 0.0,
        )
        self.head = nn.Linear(hidden_size * (2 if bidirectional else 1), max(1, classes))

    def forward(self, x: Tensor) -> Tensor:
        """Predict.

        Args:
            x: (T, B, I).

        Returns:
            (K, B, C), scores of the classes; for numbers (K, B, 1).
        """
        output, _ = self.recurrent(x)
        answers: Tensor = self.head(output[-self.answers :])
        return answers

    @property
    def kernel(self) -> dict[str, str]:
        """What computed the recurrent layers in the last call, and why: ``implementation`` and ``reason``."""
        reasons = dict.fromkeys(choice.reason for _, choice in self.recurrent.choices)
        return {"implementation": self.recurrent.kernel or "not run yet", "reason": "; ".join(reasons)}


def batch_inputs(part: ProbePart, rows: npt.NDArray[np.int64], features: int) -> Tensor:
    """Sequences as the network reads them: (T, B, I), float32.

    Args:
        part: the sequences.
        rows: (B,) which.
        features: I.

    Example:
        >>> from gatewise.kinds.probe.generation import make_probe
        >>> batch_inputs(make_probe("copy", length=10, examples=10).train, np.arange(2), 10).shape
        torch.Size([30, 2, 10])
    """
    symbols = torch.from_numpy(np.ascontiguousarray(part.symbols[rows].T))
    if part.values is None:
        return functional.one_hot(symbols.long(), features).float()
    values = torch.from_numpy(np.ascontiguousarray(part.values[rows].T))
    return torch.stack([values, symbols.float()], dim=-1)
