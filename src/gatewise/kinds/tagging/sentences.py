"""The data of tagging: sentences of words, each word with its tag and its line."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ColumnsRead", "Sentence", "TaggedSentences"]


@dataclass(frozen=True)
class Sentence:
    """One sequence of words.

    Attributes:
        words: T words as they were written.
        tags: T tags; empty where the file holds none.
        line: the line of the first word, from 1.
        lines: every word's line where the words are not on consecutive lines from `line`; else empty.

    Example:
        >>> Sentence(("EU", "rejects"), ("B-ORG", "O"), line=3).line_of(1)
        4
    """

    words: tuple[str, ...]
    tags: tuple[str, ...]
    line: int
    lines: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.words)

    def line_of(self, position: int) -> int:
        """The line of the word at ``position``, from 0."""
        return self.lines[position] if self.lines else self.line + position


@dataclass(frozen=True)
class ColumnsRead:
    """The columns of words and tags, so that further files of the same data are read alike.

    Attributes:
        words: number of the words' column, from 1.
        tags: number of the tags' column, from 1; None where no tags were read.
        count: columns of the file.
        names: the columns' names where the file gives them; else empty.
    """

    words: int
    tags: int | None
    count: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class TaggedSentences:
    """The sentences of one file.

    Attributes:
        sentences: in the file's order, each with at least one word.
        place: the file, for messages.
        notes: what was decided, skipped or repaired while reading, in sentences for the user.
        columns: of a column file; None for JSON lines.
    """

    sentences: tuple[Sentence, ...]
    place: str
    notes: tuple[str, ...] = ()
    columns: ColumnsRead | None = None

    def __len__(self) -> int:
        return len(self.sentences)

    @property
    def word_count(self) -> int:
        """Words of all sentences."""
        return sum(len(sentence) for sentence in self.sentences)
