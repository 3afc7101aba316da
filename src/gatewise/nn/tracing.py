"""Traces: every gate, candidate and state of every step, by layer and direction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gatewise.errors import OptionError

__all__ = ["DirectionTrace", "Trace"]


@dataclass(frozen=True, eq=False)
class DirectionTrace(Mapping[str, Tensor]):
    """One direction of one layer: a mapping from textbook names to values laid out as the layer's input.

    Attributes:
        layer: the layer's number, from 0.
        direction: ``"forward"`` or ``"backward"``.
        recorded: name to ``(T, B, H)``, with batch_first ``(B, T, H)``, unbatched ``(T, H)``.
    """

    layer: int
    direction: str
    recorded: dict[str, Tensor]

    def __getitem__(self, name: str) -> Tensor:
        """The values of one gate, candidate or state."""
        return self.recorded[name]

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self.recorded)

    def __len__(self) -> int:
        """How many names there are."""
        return len(self.recorded)

    @staticmethod
    def stacked(layer: int, suffix: str, values: dict[str, list[Tensor]], output: Tensor) -> DirectionTrace:
        """From lists of steps; ``output`` gives the shape where there are no steps."""
        direction = "backward" if suffix.endswith("_reverse") else "forward"
        stacks = {name: torch.stack(steps) if steps else output for name, steps in values.items()}
        return DirectionTrace(layer, direction, stacks)

    def laid_out(self, time_axis: int, batched: bool) -> DirectionTrace:
        """The same values with the axes of the layer's input."""
        moved = {
            name: value.transpose(0, 1) if time_axis == 1 else value if batched else value[:, 0]
            for name, value in self.recorded.items()
        }
        return DirectionTrace(self.layer, self.direction, moved)


@dataclass(frozen=True)
class Trace:
    """Everything that happened in one run of a layer.

    Attributes:
        output: what ``forward`` returns.
        state: the final state, as ``forward`` returns it.
        directions: one :class:`DirectionTrace` per layer and direction, in state order.

    Example:
        >>> from gatewise.nn import GRU
        >>> trace = GRU(2, 3).trace(torch.ones(4, 1, 2))
        >>> bool((trace[0, "forward"]["hidden"] == trace.output).all())
        True
    """

    output: Tensor
    state: Any
    directions: tuple[DirectionTrace, ...]

    def __getitem__(self, place: tuple[int, str]) -> DirectionTrace:
        """The trace of ``(layer, "forward" or "backward")``.

        Raises:
            OptionError: no such layer or direction.
        """
        for each in self.directions:
            if (each.layer, each.direction) == place:
                return each
        known = ", ".join(f"({each.layer}, {each.direction!r})" for each in self.directions)
        raise OptionError("the trace has no such place", expected=f"one of {known}", got=repr(place))
