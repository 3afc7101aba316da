"""A tagger as `gatewise explain` reads with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatewise.errors import DataError
from gatewise.kinds.tagging.encoding import TaggingBatch, encode
from gatewise.kinds.tagging.sentences import Sentence
from gatewise.kinds.tagging.tags_at import log_chances_at
from gatewise.kinds.tagging.tokenisation import tokenise
from gatewise.training.kind import RecurrentInputs
from gatewise.training.reader import Array, Reader, ReadInput, Step
from gatewise.words import plural

if TYPE_CHECKING:
    from gatewise.kinds.tagging.trained import TrainedTagger

__all__ = ["TagReader"]

_NEVER = -1e4
_TITLE = 70


class TagReader(Reader):
    """Sentences in, the chances of every word's tags out, in the scheme of the files; one word's tag is explained.

    A tag of the files may stand for several of the model's: their chances are added.

    Args:
        trained: the tagger.
        dataset: its data, for examples; None: there are none.
    """

    unit = "word"
    after = "each word's tag, given the whole sentence"
    baseline_name = "zeros, the padding word's vector"

    def __init__(self, trained: TrainedTagger, dataset: Any = None) -> None:
        self.trained, self.dataset, self.model = trained, dataset, trained.model
        self.network = trained.model
        self.names = trained.tag_set.written

    def examples(self, count: int) -> Sequence[ReadInput]:
        """The first test sentences."""
        if self.dataset is None:
            return []
        part, found = self.dataset.test, []
        for sentence, tags in zip(part.sentences[:count], part.tags, strict=False):
            words, position = [], 0
            for word in sentence.words:
                words.append((word, position, position + len(word)))
                position += len(word) + 1
            truth = " ".join(self.trained.tag_set.decode(tags))
            found.append(self._read(" ".join(sentence.words), words, truth))
        return found

    def parse(self, given: Any) -> ReadInput:
        """A text; its words as `gatewise.kinds.tagging.tokenisation.tokenise` cuts them."""
        if not isinstance(given, str):
            raise DataError("a tagger reads a text", expected="a string", got=type(given).__name__)
        words = tokenise(given)
        if not words:
            raise DataError("the text has no word", got=repr(given)[:60], fix="give at least one word")
        return self._read(given, words, None)

    def _read(self, text: str, words: Sequence[tuple[str, int, int]], truth: str | None) -> ReadInput:
        sentence = Sentence(tuple(word for word, _, _ in words), (), 1)
        encoded = encode([sentence], self.trained.vocabulary, max_characters=self.trained.max_characters)
        batch = encoded.batch(np.zeros(1, dtype=np.int64))
        numbers = batch.words[:, 0].numpy()
        steps = tuple(
            Step(word, start, end, known=number != 1) for (word, start, end), number in zip(words, numbers, strict=True)
        )
        unknown = list(dict.fromkeys(step.label for step in steps if not step.known))
        notes = list(encoded.notes)
        if unknown:
            spelt = ", read by their characters" if self.model.characters is not None else ""
            notes.append(f"{plural(len(unknown), 'word')} not known{spelt}: " + ", ".join(unknown[:8]))
        line = " ".join(text.split())
        found = ReadInput(
            steps,
            numbers,
            text=text,
            truth=truth,
            title=line if len(line) <= _TITLE else line[: _TITLE - 1] + "…",
            notes=tuple(notes),
            extra={"batch": batch, "kept": {}},
        )
        return replace(found, place=self._surest(found))

    def _surest(self, read: ReadInput) -> int:
        """The word whose tag is explained at first: of those that are tagged the surest, else the last."""
        chances = self.prefixes(read)
        best = chances.argmax(axis=1)
        outside = self.names.index("O") if "O" in self.names else -1
        tagged = np.flatnonzero(best != outside)
        return int(tagged[chances[tagged, best[tagged]].argmax()]) if len(tagged) else len(best) - 1

    def _groups(self, read: ReadInput) -> npt.NDArray[np.int64]:
        """(T, K) for each word and each of the model's tags the number of the tag that the files have for it.

        It depends on the likeliest tags of the neighbouring words, and is found once for an input.
        """
        kept: dict[str, Any] = read.extra["kept"]
        if "groups" not in kept:
            tags, likeliest = self.trained.tag_set, self._chances(read).argmax(axis=1)
            around = ["O", *(tags.tags[number] for number in likeliest), "O"]
            numbers = {name: number for number, name in enumerate(self.names)}
            rows = {
                pair: [numbers[tags.written_as(tag, *pair)] for tag in tags.tags]
                for pair in set(zip(around, around[2:], strict=False))
            }
            kept["groups"] = np.array([rows[pair] for pair in zip(around, around[2:], strict=False)])
        found: npt.NDArray[np.int64] = kept["groups"]
        return found

    def embed(self, read: ReadInput) -> Tensor:
        """Words, characters and shapes."""
        batch: TaggingBatch = read.extra["batch"]
        with torch.no_grad():
            return self.model.inputs(batch)

    def baseline(self, read: ReadInput) -> Tensor:
        """Zeros: no word, no characters, no shape."""
        return torch.zeros_like(self.embed(read))

    def answer(self, read: ReadInput, embedded: Tensor) -> Tensor:
        """Scores of the tags of the word at ``read.place``: with a CRF ln p given the whole sentence."""
        output, _ = self.model.recurrent(embedded)
        emissions: Tensor = self.model.head(output)
        place = -1 if read.place is None else read.place
        return self._in_groups(self._scores(emissions, place), self._groups(read)[place])

    def _in_groups(self, scores: Tensor, groups: npt.NDArray[np.int64]) -> Tensor:
        """Scores (B, K) of the model's tags as those of the files' tags: the logarithm of their sum."""
        if len(self.names) == scores.shape[1] and (groups == np.arange(len(groups))).all():
            return scores
        among = torch.from_numpy(groups)[:, None] == torch.arange(len(self.names))
        return torch.where(among, scores[:, :, None], torch.tensor(_NEVER)).logsumexp(dim=1)

    def _scores(self, emissions: Tensor, place: int) -> Tensor:
        """(B, K) of the model's tags at a place."""
        field = self.model.field
        if field is None:
            return emissions[place]
        # a tag that cannot be there has no gradient either
        return log_chances_at(emissions, *field.weights(), place).clamp(min=_NEVER)

    def prefixes(self, read: ReadInput) -> Array:
        """The chances of every word's tags."""
        chances = self._chances(read)
        found: Array = np.zeros((len(chances), len(self.names)))
        np.add.at(found, (np.arange(len(chances))[:, None], self._groups(read)), chances)
        return found

    def _chances(self, read: ReadInput) -> Array:
        """(T, K) of the model's tags, computed once for an input."""
        kept: dict[str, Any] = read.extra["kept"]
        if "chances" not in kept:
            with torch.inference_mode():
                kept["chances"] = self.model.probabilities(read.extra["batch"])[:, 0].double().numpy()
        found: Array = kept["chances"]
        return found

    def stacks(self, read: ReadInput) -> Mapping[str, RecurrentInputs]:
        """The layers over the words."""
        return {"words": RecurrentInputs(self.model.recurrent, self.embed(read), None)}

    def turned(self, read: ReadInput, after: Array, target: int) -> tuple[int, ...]:
        """None: every word has a tag of its own."""
        return ()
