"""A recurrent stack with a linear head, step by step: rows of numbers in, the head's numbers after each of them out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from torch import nn

from gatewise.nn import Recurrent
from gatewise.nn.streams import Streams, each_row
from gatewise.training.streaming import Advance, Advanced, Arrived, State, Streaming, numbers_of

__all__ = ["RowStreaming", "columns_of"]


def columns_of(width: int) -> list[str]:
    """Names of the numbers of a row, for messages.

    Example:
        >>> columns_of(2)
        ['input 1', 'input 2']
    """
    return [f"input {number + 1}" for number in range(width)]


class RowStreaming(Streaming):
    """Reads rows; each is answered by what the head makes of the last layer's output.

    Args:
        recurrent: of one direction.
        head: on its output.
        name: of the head's numbers in an answer.

    Raises:
        ConversionError: the layers have two directions.

    Example:
        >>> stream = RowStreaming(Recurrent("gru", 2, 3).eval(), nn.Linear(3, 1), "prediction")
        >>> rows = stream.arrived({"values": [[0, 1], [1, 0]]}, "", {}).steps
        >>> ((_, answers),) = stream.advance([Advance(stream.initial({}), rows, True, {})])
        >>> [len(answer["prediction"]) for answer in answers]
        [1, 1]
    """

    unit: ClassVar[str] = "row"
    message: ClassVar[Mapping[str, Any]] = {"values": {"type": "array", "description": "rows of numbers"}}

    def __init__(self, recurrent: Recurrent, head: nn.Linear, name: str) -> None:
        self.streams, self.name = Streams(recurrent), name
        self.columns = columns_of(recurrent.input_size)
        self._weight, self._bias = head.weight.detach().numpy(), head.bias.detach().numpy()

    def initial(self, settings: Mapping[str, Any]) -> State:
        """The layers' states."""
        return {"layers": self.streams.initial()}

    def arrived(self, message: Mapping[str, Any], rest: str, settings: Mapping[str, Any]) -> Arrived:
        """The rows."""
        with np.errstate(over="ignore"):  # what is infinite in float32 is found in the state
            return Arrived(numbers_of(message, self.columns).astype(np.float32))

    def advance(self, streams: Sequence[Advance]) -> list[Advanced]:
        """Read rows of many streams at once."""
        states = np.stack([each.state["layers"] for each in streams])
        outputs, layers = self.streams.advance(states, [np.asarray(each.steps) for each in streams])
        kept = [output if each.every else output[-1:] for each, output in zip(streams, outputs, strict=True)]
        numbers, found, start = each_row(np.concatenate(kept), self._weight, self._bias), [], 0
        for rows, state in zip(kept, layers, strict=True):
            answers = [{self.name: row.tolist()} for row in numbers[start : start + len(rows)]]
            found.append(Advanced({"layers": state.copy()}, answers))
            start += len(rows)
        return found
