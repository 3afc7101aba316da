"""The minimal LSTM layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import torch

from gatewise.nn.options import LayerOptions
from gatewise.nn.recurrent import Recurrent

__all__ = ["MinLSTM"]


class MinLSTM(Recurrent, cell="minlstm"):
    """The minimal LSTM: gates that see the input only, so that a parallel scan runs over time.

    Gate order in memory: forget, input, candidate; g(a) = a + 0.5 for a >= 0, else sigmoid(a)::

        f, i = sigmoid(..), normalised to f + i = 1;  n = g(W_n x + b_n),  h' = f * h + i * n

    Source: Feng, Tung, Ahmed, Bengio, Hajimirsadeghi 2024, "Were RNNs All We Needed?", arXiv:2410.01201. Parameters:
    ``weight_ih_l0 (3*H, I)``, ``bias_ih_l0 (3*H,)``. Options that need recurrent weights are refused. Shapes, states,
    errors and options: :class:`gatewise.nn.Recurrent`.

    Args:
        input_size: I.
        hidden_size: H, or one width per layer.
        num_layers: L.
        bias, batch_first, dropout, bidirectional, device, dtype: as in torch.nn.
        **options: :class:`gatewise.nn.options.LayerOptions`.

    Example:
        >>> output, hidden = MinLSTM(10, 20, 2)(torch.randn(5, 3, 10))
        >>> output.shape, hidden.shape
        (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            "minlstm",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            device=device,
            dtype=dtype,
            **options,
        )
