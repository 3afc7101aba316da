"""From texts to words, and from tags to entities: what a tagger answers, without torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gatewise.errors import DataError
from gatewise.kinds.tagging.schemes import spans
from gatewise.kinds.tagging.tag_set import TagSet
from gatewise.kinds.tagging.tokenisation import tokenise

__all__ = ["Answering", "Entity", "TaggedText"]


@dataclass(frozen=True)
class Entity:
    """A span of a text: its type, its text, first character and the one after the last."""

    label: str
    text: str
    start: int
    end: int


@dataclass(frozen=True)
class TaggedText:
    """A tagged text: words with their character offsets and tags, and the spans that the tags mark."""

    text: str
    words: tuple[str, ...]
    offsets: tuple[tuple[int, int], ...]
    tags: tuple[str, ...]
    entities: tuple[Entity, ...]

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, ready for JSON."""
        return {**asdict(self), "offsets": [list(pair) for pair in self.offsets]}


class Answering(ABC):
    """Tags texts, given what tags sentences.

    Attributes:
        tag_set: scheme and tags.
    """

    tag_set: TagSet

    @abstractmethod
    def tag(self, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
        """The tags of sentences that are cut into words, in the scheme of the training file."""

    def tag_texts(self, texts: Sequence[str]) -> list[TaggedText]:
        """Cut texts into words (see `gatewise.kinds.tagging.tokenisation.tokenise`) and tag them.

        Raises:
            DataError: one string instead of several, or a text without a word.
        """
        if isinstance(texts, str):
            raise DataError("one text was given where a list is expected", fix="put it in a list: [text]")
        cut = [tokenise(text) for text in texts]
        for place, words in enumerate(cut):
            if not words:
                raise DataError(f"text {place} has no word", got=repr(texts[place]), fix="omit it")
        return self._tagged(texts, cut)

    def tag_words(self, sentences: Sequence[Sequence[str]]) -> list[TaggedText]:
        """Tag sentences that are cut into words; their text is the words with a space between.

        Raises:
            DataError: a sentence has no word.
        """
        cut = []
        for words in sentences:
            start, found = 0, []
            for word in words:
                found.append((word, start, start + len(word)))
                start += len(word) + 1
            cut.append(found)
        return self._tagged([" ".join(words) for words in sentences], cut)

    def _tagged(self, texts: Sequence[str], cut: Sequence[Sequence[tuple[str, int, int]]]) -> list[TaggedText]:
        """The words of each text, with their offsets, and what the network says of them."""
        predictions = self.tag([[word for word, _, _ in words] for words in cut])
        found = []
        for text, words, tags in zip(texts, cut, predictions, strict=True):
            offsets = tuple((start, end) for _, start, end in words)
            names = tuple(word for word, _, _ in words)
            found.append(TaggedText(text, names, offsets, tuple(tags), self._entities(text, offsets, tags)))
        return found

    def _entities(self, text: str, offsets: Sequence[tuple[int, int]], tags: Sequence[str]) -> tuple[Entity, ...]:
        if not self.tag_set.marks_spans:
            return ()
        found = []
        for span in spans(tags, self.tag_set.scheme):
            start, end = offsets[span.start][0], offsets[span.end - 1][1]
            found.append(Entity(span.type, text[start:end], start, end))
        return tuple(found)
