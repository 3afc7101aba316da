"""A tagger as the words arrive: the probabilities of each word's tags given the words so far."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch

from gatewise.kinds.tagging.encoding import encode
from gatewise.kinds.tagging.sentences import Sentence
from gatewise.kinds.tagging.tokenisation import tokenise
from gatewise.nn.streams import Streams, each_row
from gatewise.training.streaming import Advance, Advanced, Arrived, State, Streaming, settled, text_of

if TYPE_CHECKING:
    from gatewise.kinds.tagging.trained import TrainedTagger

__all__ = ["TaggerStreaming"]

Array = npt.NDArray[Any]
_KNOWN_FORMS = 10_000
_LONGEST_KNOWN = 64


class TaggerStreaming(Streaming):
    """Reads words; each is answered by the probabilities of its tags, in the files' scheme, given all words up to it.

    With a CRF they are those of its forward recursion, normalised at each word (filtering; Rabiner, 1989)::

        a_t[j] = emission_t[j] + log sum_i exp(a_t-1[i] + transition[i, j])        p_t = softmax(a_t)

    The best tags of a whole sentence are known at its end only: those are what requests answer.

    Args:
        tagger: the network, of one direction.

    Raises:
        ConversionError: it has two directions.
    """

    unit: ClassVar[str] = "word"
    message: ClassVar[Mapping[str, Any]] = {
        "text": {"type": "string", "description": "the next part of a sentence; a last word without a space waits"}
    }

    def __init__(self, tagger: TrainedTagger) -> None:
        model = tagger.model
        self.streams = Streams(model.recurrent)
        self.model, self.vocabulary, self.max_characters = model, tagger.vocabulary, tagger.max_characters
        self.inside, self.written = tagger.tag_set.tags, tagger.tag_set.written
        self._written_at = [self.written.index(tagger.tag_set.written_as(tag)) for tag in self.inside]
        self._weight, self._bias = model.head.weight.detach().numpy(), model.head.bias.detach().numpy()
        field = model.field
        self._moves: Array | None = None
        if field is not None:
            with torch.no_grad():
                self._moves, self._starts, _ = (each.double().numpy() for each in field.weights())
        self._forms: OrderedDict[str, Array] = OrderedDict()

    def initial(self, settings: Mapping[str, Any]) -> State:
        """The layers' states; with a CRF the scores of the tags so far, and whether there was a word."""
        found: dict[str, Array] = {"layers": self.streams.initial()}
        if self._moves is not None:
            found |= {"scores": np.zeros(len(self.inside)), "begun": np.zeros(1, np.int64)}
        return found

    def arrived(self, message: Mapping[str, Any], rest: str, settings: Mapping[str, Any]) -> Arrived:
        """The words; what follows a word decides where it ends, so the last one waits."""
        text = rest + text_of(message)
        cut = settled(text, end=bool(message.get("end")))
        words = [word for word, _, end in tokenise(text) if end <= cut]
        return Arrived(words, text[cut:])

    def advance(self, streams: Sequence[Advance]) -> list[Advanced]:
        """Read words of many streams at once."""
        inputs = [np.stack([self._form(word) for word in each.steps]) for each in streams]
        outputs, layers = self.streams.advance(np.stack([each.state["layers"] for each in streams]), inputs)
        emissions = each_row(np.concatenate(outputs), self._weight, self._bias).astype(np.float64)
        found, start = [], 0
        for each, output, state in zip(streams, outputs, layers, strict=True):
            scores = emissions[start : start + len(output)]
            start += len(output)
            after: dict[str, Array] = {"layers": state.copy()}
            if self._moves is not None:
                scores = self._filtered(each.state, scores)
                after |= {"scores": scores[-1].copy(), "begun": np.ones(1, np.int64)}
            places = range(len(output)) if each.every else [len(output) - 1]
            found.append(Advanced(after, [self._answer(each.steps[place], scores[place]) for place in places]))
        return found

    def _filtered(self, state: State, emissions: Array) -> Array:
        """Each word's a_t, its greatest entry subtracted."""
        assert self._moves is not None
        before = state["scores"] if state["begun"][0] else None
        rows = []
        for emission in emissions:
            if before is None:
                scores = self._starts + emission
            else:
                paths = before[:, None] + self._moves
                most = paths.max(axis=0)
                safe = np.where(np.isfinite(most), most, 0.0)
                with np.errstate(divide="ignore"):
                    scores = emission + safe + np.log(np.exp(paths - safe).sum(axis=0))
            before = scores - scores.max()
            rows.append(before)
        return np.stack(rows)

    def _answer(self, word: str, scores: Array) -> dict[str, Any]:
        powers = np.exp(scores - scores.max())
        # where a span ends is not known yet, so that tags which the files do not distinguish are one
        chances = np.bincount(self._written_at, powers / powers.sum(), len(self.written)).tolist()
        best = self.written[int(np.argmax(chances))]
        shares = dict(zip(self.written, chances, strict=True))
        return {"word": word, "tag": best, "probability": shares[best], "probabilities": shares}

    def _form(self, word: str) -> Array:
        """What the layers read of a word: (I,); computed by itself, so that it is the same beside any other."""
        known = self._forms.get(word)
        if known is not None:
            self._forms.move_to_end(word)
            return known
        batch = encode([Sentence((word,), (), 1)], self.vocabulary, max_characters=self.max_characters).batch([0])
        with torch.inference_mode():
            found: Array = self.model.inputs(batch)[0, 0].numpy()
        if len(word) <= _LONGEST_KNOWN:  # bounded in bytes, not in words alone
            self._forms[word] = found
        if len(self._forms) > _KNOWN_FORMS:
            self._forms.popitem(last=False)
        return found
