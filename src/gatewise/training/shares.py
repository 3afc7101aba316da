"""The weights of a network in memory that processes of one machine share: each updates its share of them.

What every process would otherwise do alike is divided (Rajbhandari et al., 2020, ZeRO): of N processes each sums
1/N of the gradients and runs the optimizer for 1/N of the weights. There is one copy of weights, moments and averages,
so nothing has to be sent afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn

from gatewise.training.layout import Layout, Piece
from gatewise.training.shared_gradients import SharedGradients
from gatewise.training.weights import MOMENTS, STEP, Moments, Weights

__all__ = ["SharedWeights", "can_share"]


def can_share(model: nn.Module) -> bool:
    """Whether a network's weights are what `SharedWeights` holds: float32, each with memory of its own.

    Example:
        >>> can_share(nn.Linear(2, 3)), can_share(nn.Linear(2, 3).double())
        (True, False)
    """
    weights = [each for each in model.parameters() if each.numel()]
    memories = {each.untyped_storage().data_ptr() for each in weights}
    return len(memories) == len(weights) and all(
        each.dtype == torch.float32 and each.layout == torch.strided and each.device.type == "cpu" for each in weights
    )


class SharedWeights(Weights):
    """The weights of a network that several processes hold together; this one updates its share.

    Args:
        model: its weights move into the memory, with the values of the first process.
        layout: of the weights.
        content: the memory, of ``layout.size`` bytes, all zero.
        rank: number of this process, from 0.
        wait: returns when all processes have called it.
    """

    def __init__(
        self, model: nn.Module, layout: Layout, content: memoryview, rank: int, wait: Callable[[], None]
    ) -> None:
        super().__init__(model)
        self._layout, self._wait = layout, wait
        self._room = layout.tensors(content)
        self._at = {name: at for at, name in enumerate(self.named)}
        self._move(first=rank == 0)
        weights = list(self.named.values())
        self._gradients = SharedGradients(weights, layout, self._room, rank, wait)
        self._pieces = {self._cut("weight", piece): piece for piece in layout.pieces(rank)}
        self._steps = [0] * len(self.named)
        self._there: list[bool] = []
        self._sparse = _sparse_tables(model, [weights[at] for at in layout.tables])

    def forget(self) -> None:
        """Drop the gradients of the step before."""
        self._gradients.forget()

    def summed(self, figures: Sequence[float]) -> list[float]:
        """Sum this process's share of the gradients, and figures, see `SharedGradients.summed`."""
        sums = self._gradients.summed(figures)
        there = self._gradients.there
        if there != self._there:
            self._there = there
            for weight, piece in self._pieces.items():
                weight.grad = self._gradients.gradient(piece) if there[piece.at] else None
        return sums

    def pieces(self, name: str) -> list[Tensor]:
        """What this process updates of a weight: nothing, or a range of its numbers."""
        return [weight for weight, piece in self._pieces.items() if piece.at == self._at[name]]

    def clip(self, limit: float) -> float:
        """Divide and scale this process's share, see `SharedGradients.clip`."""
        return self._gradients.clip(limit)

    def first_moments(self, piece: Tensor) -> Moments:
        """Those in the shared memory: zero, or restored."""
        place = self._pieces[piece]
        return {STEP: torch.tensor(float(self._steps[place.at])), **{name: self._cut(name, place) for name in MOMENTS}}

    def moments(self, name: str, held: Mapping[Tensor, Moments]) -> Moments | None:
        """Adam's moments of a whole weight; None: it never had a gradient."""
        step = self._steps[self._at[name]]
        if not step:
            return None
        return {STEP: torch.tensor(float(step)), **{each: self._whole(each, name) for each in MOMENTS}}

    def restore(self, name: str, moments: Moments, held: dict[Tensor, Moments]) -> None:
        """Take over what `moments` gave; every process does."""
        for piece in self.pieces(name):
            held.pop(piece, None)
        self._steps[self._at[name]] = int(moments[STEP])
        for each in MOMENTS:
            self._whole(each, name).copy_(moments[each])

    def copies(self) -> dict[str, Tensor]:
        """Copies in the shared memory; every process makes them, and none goes on before all have."""
        self._room["average"].copy_(self._room["weight"])
        self._wait()
        return {name: self._whole("average", name) for name in self.named}

    def own(self, copies: Mapping[str, Tensor] | None = None) -> list[Tensor]:
        """All pieces that this process updates, or those of its `copies`."""
        if copies is None:
            return list(self._pieces)
        return [self._cut("average", piece) for piece in self._pieces.values()]

    def leave(self) -> None:
        """Let the network's gradients be as they were before."""
        for module, sparse in self._sparse:
            module.sparse = sparse

    def finish(self) -> None:
        """Wait until all shares are updated."""
        self._steps = [step + there for step, there in zip(self._steps, self._there, strict=True)]
        self._wait()

    def _move(self, *, first: bool) -> None:
        with torch.no_grad():
            if first:
                for name, weight in self.named.items():
                    self._whole("weight", name).copy_(weight)
            self._wait()
            for name, weight in self.named.items():
                weight.data = self._whole("weight", name)

    def _whole(self, part: str, name: str) -> Tensor:
        at = self._at[name]
        begin, shape = self._layout.begin[at], self._layout.shapes[at]
        return self._room[part][begin : begin + shape.numel()].view(shape)

    def _cut(self, part: str, piece: Piece) -> Tensor:
        return self._room[part][piece.start : piece.stop]


def _sparse_tables(model: nn.Module, tables: Sequence[Tensor]) -> list[tuple[nn.Embedding, bool]]:
    """Let the gradient of large tables be the rows that were read, and nothing for all others; and what was before.

    A table that is also used otherwise, such as an output layer's, still gets the whole gradient.
    """
    found = []
    for module in model.modules():
        if not isinstance(module, nn.Embedding) or module.scale_grad_by_freq:
            continue
        if any(module.weight is table for table in tables):
            found.append((module, module.sparse))
            module.sparse = True
    return found
