"""A probe's network step by step: what it would answer after every step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from gatewise.nn.streams import Streams, each_row
from gatewise.training.streaming import Advance, Advanced, Arrived, State, Streaming, numbers_of

if TYPE_CHECKING:
    from gatewise.kinds.probe.trained import TrainedProbe

__all__ = ["ProbeStreaming"]


class ProbeStreaming(Streaming):
    """Reads rows of numbers; each is answered by the scores after it.

    Args:
        trained: the network, of one direction.
    """

    unit: ClassVar[str] = "row"
    message: ClassVar[Mapping[str, Any]] = {"values": {"type": "array", "description": "rows of numbers"}}

    def __init__(self, trained: TrainedProbe) -> None:
        model = trained.model
        self.streams = Streams(model.recurrent)
        self.columns = [f"input {number + 1}" for number in range(model.recurrent.input_size)]
        self._weight, self._bias = model.head.weight.detach().numpy(), model.head.bias.detach().numpy()

    def initial(self, settings: Mapping[str, Any]) -> State:
        """The layers' states."""
        return {"layers": self.streams.initial()}

    def arrived(self, message: Mapping[str, Any], rest: str, settings: Mapping[str, Any]) -> Arrived:
        """The rows."""
        return Arrived(numbers_of(message, self.columns).astype(np.float32))

    def advance(self, streams: Sequence[Advance]) -> list[Advanced]:
        """Read rows of many streams at once."""
        states = np.stack([each.state["layers"] for each in streams])
        outputs, layers = self.streams.advance(states, [np.asarray(each.steps) for each in streams])
        kept = [output if each.every else output[-1:] for each, output in zip(streams, outputs, strict=True)]
        scores, found, start = each_row(np.concatenate(kept), self._weight, self._bias), [], 0
        for rows, state in zip(kept, layers, strict=True):
            found.append(
                Advanced({"layers": state}, [{"scores": row.tolist()} for row in scores[start : start + len(rows)]])
            )
            start += len(rows)
        return found
