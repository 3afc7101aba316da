"""The long short-term memory layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import torch

from gatewise.nn.options import LayerOptions
from gatewise.nn.recurrent import Recurrent

__all__ = ["LSTM"]


class LSTM(Recurrent, cell="lstm"):
    """Input, forget and output gate around a cell; a drop-in for ``torch.nn.LSTM``.

    Gate order in memory: input, forget, candidate, output (coupled: forget, candidate, output)::

        i = sigmoid(W_ii x + b_ii + W_hi h + b_hi)      f = sigmoid(W_if x + b_if + W_hf h + b_hf)
        g = tanh(W_ig x + b_ig + W_hg h + b_hg)         o = sigmoid(W_io x + b_io + W_ho h + b_ho)
        c' = f * c + i * g                              h' = o * tanh(c')

    Source: Hochreiter and Schmidhuber 1997; Gers, Schmidhuber, Cummins 2000. Shapes, states, errors and the options
    that torch.nn lacks: :class:`gatewise.nn.Recurrent`.

    Args:
        input_size: I.
        hidden_size: H, or one width per layer.
        num_layers: L.
        bias, batch_first, dropout, bidirectional, device, dtype: as in torch.nn.
        proj_size: P > 0 projects the hidden state, ``h' = W_hr (o * tanh(c'))``; output and hidden are P wide.
        peephole: the gates see the cell (Gers and Schmidhuber 2000), ``weight_peephole_l0 (3, H)`` rows i, f, o.
        coupled: ``i = 1 - f`` (Greff et al. 2017); weights are ``(3*H, ..)``.
        **options: :class:`gatewise.nn.options.LayerOptions`.

    Example:
        >>> output, (hidden, cell) = LSTM(10, 20, 2)(torch.randn(5, 3, 10))
        >>> output.shape, hidden.shape, cell.shape
        (torch.Size([5, 3, 20]), torch.Size([2, 3, 20]), torch.Size([2, 3, 20]))
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
        proj_size: int = 0,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        peephole: bool = False,
        coupled: bool = False,
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            "lstm",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            cell_options={"proj_size": proj_size, "peephole": peephole, "coupled": coupled},
            device=device,
            dtype=dtype,
            **options,
        )
        self.proj_size = proj_size
        self.peephole = peephole
        self.coupled = coupled

    @property
    def mode(self) -> str:
        """What ``torch.nn.LSTM.mode`` says: ``LSTM``, which code for torch.nn reads."""
        return "LSTM"
