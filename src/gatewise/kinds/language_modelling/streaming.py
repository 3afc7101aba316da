"""A language model as a text is read: the likeliest next tokens after every token."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from gatewise.errors import OptionError
from gatewise.nn.streams import Streams
from gatewise.training.streaming import Advance, Advanced, Arrived, State, Streaming, settled, text_of

if TYPE_CHECKING:
    from gatewise.kinds.language_modelling.trained import TrainedLanguageModel

__all__ = ["LanguageModelStreaming"]

_MOST = 50


class LanguageModelStreaming(Streaming):
    """Reads a text token by token; after each one, what may come next.

    Args:
        trained: the model.
    """

    unit: ClassVar[str] = "token"
    message: ClassVar[Mapping[str, Any]] = {
        "text": {"type": "string", "description": "the next part of the text; a last word without a space waits"}
    }
    settings_schema: ClassVar[Mapping[str, Any]] = {
        "count": {"type": "integer", "minimum": 1, "maximum": _MOST, "default": 5, "description": "next tokens named"}
    }

    def __init__(self, trained: TrainedLanguageModel) -> None:
        self.model, self.vocabulary = trained.model, trained.vocabulary
        self.streams = Streams(trained.model.stacked())
        self._embedding = trained.model.embedding.weight.detach().numpy()
        start = self._embedding[[self.vocabulary.start]]
        self._output, begun = self.streams.advance(self.streams.initial()[None], [start])
        self._begun = begun[0]

    def settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """How many next tokens are named."""
        found = {"count": 5} | super().settings(given)
        count = found["count"]
        if not isinstance(count, int) or isinstance(count, bool) or not 1 <= count <= _MOST:
            raise OptionError("count is out of range", expected=f"1 to {_MOST}", got=repr(count)[:40])
        return found

    def initial(self, settings: Mapping[str, Any]) -> State:
        """The state at the beginning of a line."""
        return {"layers": self._begun.copy()}

    def arrived(self, message: Mapping[str, Any], rest: str, settings: Mapping[str, Any]) -> Arrived:
        """Numbers of the tokens; the end of a line is one."""
        text = rest + text_of(message)
        if self.vocabulary.kind == "character":
            return Arrived(self._numbers(text))
        cut = settled(text, end=bool(message.get("end")))
        if self.vocabulary.kind != "bpe":  # a line's end belongs to its line, wherever the text is cut
            space = len(text) - len(text[cut:].lstrip())
            cut = max(cut, text.rfind("\n", cut, space) + 1)
        return Arrived(self._numbers(text[:cut]), text[cut:])

    def _numbers(self, text: str) -> Any:
        if self.vocabulary.kind in ("bpe", "character"):
            return self.vocabulary.encode_prompt(text)
        found = []
        for line in text.splitlines(keepends=True):
            if line.strip():
                ended = [line] != line.splitlines()
                found.append(self.vocabulary.encode([line]) if ended else self.vocabulary.encode_prompt(line))
        return np.concatenate(found) if found else np.zeros(0, np.int32)

    def advance(self, streams: Sequence[Advance]) -> list[Advanced]:
        """Read tokens of many streams at once."""
        inputs = [self._embedding[each.steps] for each in streams]
        outputs, layers = self.streams.advance(np.stack([each.state["layers"] for each in streams]), inputs)
        found = []
        for each, output, state in zip(streams, outputs, layers, strict=True):
            places = range(len(output)) if each.every else [len(output) - 1]
            answers = [
                {
                    "token": self.vocabulary.shown(int(each.steps[place])),
                    "next": self._next(output[place], each.settings["count"]),
                }
                for place in places
            ]
            found.append(Advanced({"layers": state}, answers))
        return found

    def _next(self, hidden: Any, count: int) -> list[dict[str, Any]]:
        with torch.inference_mode():
            # one row a time: a product's bits depend on its shape
            scores = self.model.log_probabilities(torch.from_numpy(np.array(hidden))[None])[0]
            best = scores.exp().topk(min(count, len(self.vocabulary)))
        return [
            {"token": self.vocabulary.shown(int(number)), "probability": float(chance)}
            for number, chance in zip(best.indices, best.values, strict=True)
        ]
