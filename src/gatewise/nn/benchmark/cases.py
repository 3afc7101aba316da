"""The shapes and the layers that are compared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gatewise.kernels.registry import CELLS as KERNEL_CELLS
from gatewise.nn.gru import GRU
from gatewise.nn.lstm import LSTM
from gatewise.nn.rnn import RNN

__all__ = ["CELLS", "SHAPES", "Case", "Pair", "cases", "imdb_lengths", "make_pair"]

CELLS: dict[str, tuple[Any, Any]] = {
    "rnn": (RNN, torch.nn.RNN),
    "gru": (GRU, torch.nn.GRU),
    "lstm": (LSTM, torch.nn.LSTM),
}
"""Name to (Gatewise's layer, torch's layer)."""


@dataclass(frozen=True)
class Case:
    """One shape to be measured for every cell.

    Attributes:
        name: in the table.
        batch, steps, input_size, hidden_size: B, T, I, H.
        num_layers, bidirectional: depth and directions.
        ragged: rows of different lengths, as film reviews have.
        counted: one of the shapes whose geometric mean is reported.
    """

    name: str
    batch: int
    steps: int
    input_size: int
    hidden_size: int
    num_layers: int = 1
    bidirectional: bool = False
    ragged: bool = False
    counted: bool = False

    def lengths(self) -> Tensor | None:
        """``(B,)``, the same ones each time, or None."""
        return imdb_lengths(self.batch, self.steps) if self.ragged else None

    def forward_operations(self, cell: str) -> float:
        """Floating-point operations of the matrix products of one forward pass over the real steps.

        Example:
            >>> Case("", 1, 1, 2, 3).forward_operations("gru")
            90.0
        """
        lengths = self.lengths()
        rows = float(self.batch * self.steps if lengths is None else int(lengths.sum()))
        directions = 2 if self.bidirectional else 1
        widths = [self.input_size] + [self.hidden_size * directions] * (self.num_layers - 1)
        return sum(
            2.0 * rows * directions * KERNEL_CELLS[cell].gates * self.hidden_size * (w + self.hidden_size)
            for w in widths
        )


def _plain(batch: int, steps: int, input_size: int, hidden_size: int, counted: bool = True) -> Case:
    return Case(f"{batch},{steps},{input_size},{hidden_size}", batch, steps, input_size, hidden_size, counted=counted)


SHAPES: tuple[Case, ...] = (
    _plain(32, 200, 128, 128),
    _plain(64, 60, 8, 128),
    _plain(10, 35, 128, 128),
    _plain(32, 200, 100, 256),
    _plain(20, 35, 650, 650),
    _plain(1, 200, 128, 128),
    _plain(128, 100, 64, 64),
    Case("32,200,128,128 2 layers, both directions", 32, 200, 128, 128, num_layers=2, bidirectional=True),
    Case("32,256,128,128 ragged as film reviews", 32, 256, 128, 128, ragged=True),
    _plain(16, 50, 1024, 1024, counted=False),
    _plain(8, 5000, 64, 64, counted=False),
)
"""B, T, I, H; the first seven count in the geometric means."""


def cases(quick: bool = False) -> tuple[Case, ...]:
    """What is measured: all shapes, or three small ones that show whether everything works.

    Example:
        >>> len(cases()), len(cases(quick=True))
        (11, 3)
    """
    if not quick:
        return SHAPES
    small = (_plain(10, 35, 128, 128), _plain(1, 200, 128, 128))
    return (*small, Case("8,64,32,32 ragged", 8, 64, 32, 32, ragged=True))


def imdb_lengths(batch: int, steps: int) -> Tensor:
    """Lengths as a batch of film reviews has them: log-normal with median 180 words of 256, cut at T; seed 0.

    Example:
        >>> lengths = imdb_lengths(32, 256)
        >>> int(lengths.min()) >= 1, int(lengths.max()) <= 256
        (True, True)
    """
    generator = torch.Generator().manual_seed(0)
    words = torch.exp(torch.randn(batch, generator=generator) * 0.6 + 5.19) * (steps / 256)
    return words.round().long().clamp(1, steps)


@dataclass(frozen=True)
class Pair:
    """The same weights in both libraries, the same input, and what is timed.

    Attributes:
        ours, theirs: the layers.
        x: ``(T, B, I)``.
        lengths: ``(B,)`` or None.
        weight: ``(T, B, D*H)``, the gradient that training sends back.
    """

    ours: Any
    theirs: Any
    x: Tensor
    lengths: Tensor | None
    weight: Tensor

    def run_ours(self) -> tuple[Tensor, Any]:
        """Output and final state of Gatewise's layer."""
        result: tuple[Tensor, Any] = self.ours(self.x, lengths=self.lengths)
        return result

    def run_theirs(self) -> tuple[Tensor, Any]:
        """Output and final state of torch's layer; ragged rows packed and unpacked, as torch requires."""
        if self.lengths is None:
            plain: tuple[Tensor, Any] = self.theirs(self.x)
            return plain
        rnn = torch.nn.utils.rnn
        packed = rnn.pack_padded_sequence(self.x, self.lengths, enforce_sorted=False)
        output, state = self.theirs(packed)
        return rnn.pad_packed_sequence(output, total_length=self.x.shape[0])[0], state

    def training(self, run: Callable[[], tuple[Tensor, Any]], layer: Any) -> Callable[[], None]:
        """One forward and backward pass to all weights and to x, from fresh gradients."""

        def step() -> None:
            for parameter in layer.parameters():
                parameter.grad = None
            self.x.grad = None
            output, _ = run()
            output.backward(self.weight)

        return step


def make_pair(cell: str, case: Case) -> Pair:
    """Both libraries' layer of a case with equal weights.

    Example:
        >>> pair = make_pair("gru", Case("", 2, 3, 4, 5))
        >>> bool(torch.equal(pair.ours.weight_hh_l0, pair.theirs.weight_hh_l0))
        True
    """
    torch.manual_seed(0)
    arguments = (case.input_size, case.hidden_size, case.num_layers)
    ours, theirs = (kind(*arguments, bidirectional=case.bidirectional) for kind in CELLS[cell])
    ours.load_state_dict(theirs.state_dict())
    width = case.hidden_size * (2 if case.bidirectional else 1)
    x = torch.randn(case.steps, case.batch, case.input_size, requires_grad=True)
    lengths = case.lengths()
    weight = torch.randn(case.steps, case.batch, width) / case.hidden_size
    return Pair(ours, theirs, x, lengths, weight)
