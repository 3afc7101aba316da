"""The plain recurrent layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import torch

from gatewise.nn.options import LayerOptions
from gatewise.nn.recurrent import Recurrent

__all__ = ["RNN"]


class RNN(Recurrent, cell="rnn"):
    """``h_t = act(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh)``; a drop-in for ``torch.nn.RNN``.

    Source: Elman 1990; ReLU: Le, Jaitly, Hinton 2015, arXiv:1504.00941. Shapes, states, errors and the options that
    torch.nn lacks: :class:`gatewise.nn.Recurrent`.

    Args:
        input_size: I.
        hidden_size: H, or one width per layer.
        num_layers: L.
        nonlinearity: ``"tanh"`` or ``"relu"``.
        bias, batch_first, dropout, bidirectional, device, dtype: as in torch.nn.
        **options: :class:`gatewise.nn.options.LayerOptions`.

    Example:
        >>> output, hidden = RNN(10, 20, 2)(torch.randn(5, 3, 10))
        >>> output.shape, hidden.shape
        (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            "rnn",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            cell_options={"nonlinearity": nonlinearity},
            device=device,
            dtype=dtype,
            **options,
        )
        self.nonlinearity = nonlinearity

    @property
    def mode(self) -> str:
        """What ``torch.nn.RNN.mode`` says: ``RNN_TANH`` or ``RNN_RELU``, which code for torch.nn reads."""
        return f"RNN_{self.nonlinearity.upper()}"

    @property
    def proj_size(self) -> int:
        """0, as of ``torch.nn.RNN``: the hidden state is not projected."""
        return 0
