"""The gated recurrent unit layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Unpack

import torch

from gatewise.nn.options import LayerOptions
from gatewise.nn.recurrent import Recurrent

__all__ = ["GRU"]


class GRU(Recurrent, cell="gru"):
    """Reset and update gate, in all four readings; a drop-in for ``torch.nn.GRU``.

    Gate order in memory: reset, update, candidate::

        r = sigmoid(W_ir x + b_ir + W_hr h + b_hr)      z = sigmoid(W_iz x + b_iz + W_hz h + b_hz)
        n = tanh(W_in x + b_in + r * (W_hn h + b_hn))   reset="after"  (PyTorch), or
        n = tanh(W_in x + b_in + W_hn (r * h) + b_hn)   reset="before" (the paper)
        h' = z * h + (1 - z) * n                        update="keep"  (PyTorch), or
        h' = (1 - z) * h + z * n                        update="replace"

    Source: Cho et al. 2014, arXiv:1406.1078; Chung et al. 2014, arXiv:1412.3555. Shapes, states, errors and the options
    that torch.nn lacks: :class:`gatewise.nn.Recurrent`.

    Args:
        input_size: I.
        hidden_size: H, or one width per layer.
        num_layers: L.
        bias, batch_first, dropout, bidirectional, device, dtype: as in torch.nn.
        reset: ``"after"`` or ``"before"`` the recurrent product of the candidate.
        update: an update gate of one means ``"keep"`` or ``"replace"`` the old state.
        **options: :class:`gatewise.nn.options.LayerOptions`.

    Example:
        >>> output, hidden = GRU(10, 20, 2, bidirectional=True)(torch.randn(5, 3, 10))
        >>> output.shape, hidden.shape
        (torch.Size([5, 3, 40]), torch.Size([4, 3, 20]))
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
        *,
        reset: str = "after",
        update: str = "keep",
        **options: Unpack[LayerOptions],
    ) -> None:
        super().__init__(
            "gru",
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            cell_options={"reset": reset, "update": update},
            device=device,
            dtype=dtype,
            **options,
        )
        self.reset = reset
        self.update = update

    @property
    def mode(self) -> str:
        """What ``torch.nn.GRU.mode`` says: ``GRU``, which code for torch.nn reads."""
        return "GRU"

    @property
    def proj_size(self) -> int:
        """0, as of ``torch.nn.GRU``: the hidden state is not projected."""
        return 0
