"""The tags that a model knows: their scheme in the files, their scheme inside, their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import DataError, OptionError, RunError, did_you_mean
from gatewise.files import refuse_newer
from gatewise.kinds.tagging.detection import Repairs, detect_scheme, own_scheme, repair_notes, repairs_of
from gatewise.kinds.tagging.schemes import (
    SCHEMES,
    allowed_moves,
    join_tag,
    scheme_tags,
    spans,
    spans_as_conlleval,
    split_tag,
    to_tags,
)
from gatewise.kinds.tagging.sentences import TaggedSentences

__all__ = ["INSIDE", "TagSet"]

Numbers = npt.NDArray[np.int64]
INSIDE = ("iob2", "iobes")
_FORMAT_VERSION = 1
_SHOWN = 20


class TagSet:
    """Tags by number, in the scheme that the model works with, and the way from and to the files' own scheme.

    Args:
        scheme: of the files: iob1, iob2, iobes, bilou or plain.
        names: types of spans, or the plain tags.
        inside: scheme that the model works with, iob2 or iobes; plain tags have none.

    Raises:
        OptionError: unknown scheme.

    Example:
        >>> from gatewise.kinds.tagging.sentences import Sentence
        >>> read = TaggedSentences((Sentence(("in", "New", "York"), ("O", "I-LOC", "I-LOC"), 1),), "a.txt")
        >>> tags, notes = TagSet.fit(read, inside="iobes")
        >>> tags.scheme, tags.tags
        ('iob1', ('O', 'B-LOC', 'I-LOC', 'E-LOC', 'S-LOC'))
        >>> tags.encode(read)[0][0].tolist(), tags.decode([0, 1, 3])
        ([0, 1, 3], ['O', 'I-LOC', 'I-LOC'])
    """

    def __init__(self, scheme: str, names: Sequence[str], inside: str = "iobes") -> None:
        if scheme not in SCHEMES:
            raise OptionError(
                f"there is no scheme {scheme!r}", expected=", ".join(SCHEMES), fix=did_you_mean(scheme, SCHEMES)
            )
        if inside not in INSIDE:
            raise OptionError(f"tags cannot be {inside!r} inside the model", expected=" or ".join(INSIDE))
        self.scheme = scheme
        self.names = tuple(names)
        self.inside = "plain" if scheme == "plain" else inside
        self.tags = self.names if scheme == "plain" else tuple(scheme_tags(self.names, inside))
        self._numbers = {tag: number for number, tag in enumerate(self.tags)}

    @classmethod
    def fit(cls, read: TaggedSentences, inside: str = "iobes", scheme: str | None = None) -> tuple[TagSet, list[str]]:
        """Fit scheme and tags on the training part.

        Args:
            read: the training sentences.
            inside: scheme that the model works with.
            scheme: of the file, where the user gives it (``plain`` for tags that only look like spans'); None: derived
                from the tags.

        Returns:
            The tags, and notes for the user.

        Raises:
            DataError: the tags follow no scheme; see `detect_scheme`.
            OptionError: unknown scheme.
        """
        notes: list[str] = []
        if scheme is None:
            scheme, notes = detect_scheme(read)
        distinct = {tag for sentence in read.sentences for tag in sentence.tags}
        if scheme == "plain":
            return cls(scheme, sorted(distinct), inside), notes
        return cls(scheme, sorted({split_tag(tag)[1] for tag in distinct if tag != "O"}), inside), notes

    def __len__(self) -> int:
        return len(self.tags)

    @property
    def marks_spans(self) -> bool:
        """Whether the tags mark spans; else they are plain."""
        return self.scheme != "plain"

    def encode(self, read: TaggedSentences) -> tuple[list[Numbers], list[str]]:
        """Tags of each sentence as numbers: those of a file in another scheme are converted, invalid ones repaired.

        Returns:
            Per sentence (T,) int64, and notes on both.

        Raises:
            DataError: a tag that is not in the training part, with its line.
        """
        rows, notes, repairs = self._encoded(read)
        return rows, [*notes, *repair_notes(repairs)]

    def encode_parts(self, parts: Mapping[str, TaggedSentences]) -> tuple[dict[str, list[Numbers]], list[str]]:
        """The same of several parts: those of one file are judged together, and the repairs of all are one note.

        Args:
            parts: by name.

        Raises:
            DataError: as `encode`.

        Example:
            >>> from gatewise.kinds.tagging.sentences import Sentence
            >>> read = TaggedSentences((Sentence(("Rome", "and", "Ulm"), ("I-LOC", "O", "B-LOC"), 1),), "a.txt")
            >>> TagSet("iob2", ["LOC"]).encode_parts({"train": read, "test": read})[1]
            ["a.txt: 2 tags broke iob2 and were repaired (first in line 1: 'I-LOC' became 'B-LOC')"]
        """
        files: dict[str, list[tuple[str, int]]] = {}
        for part, read in parts.items():
            files.setdefault(read.place, []).extend((part, number) for number in range(len(read)))
        found: dict[str, dict[int, Numbers]] = {part: {} for part in parts}
        notes: list[str] = []
        repairs: list[Repairs] = []
        for place, members in files.items():
            members.sort(key=lambda each: parts[each[0]].sentences[each[1]].line)
            whole = TaggedSentences(tuple(parts[part].sentences[number] for part, number in members), place)
            rows, said, broken = self._encoded(whole)
            for (part, number), row in zip(members, rows, strict=True):
                found[part][number] = row
            notes += said
            repairs += broken
        return {part: [found[part][number] for number in range(len(parts[part]))] for part in parts}, [
            *notes,
            *repair_notes(repairs),
        ]

    def _encoded(self, read: TaggedSentences) -> tuple[list[Numbers], list[str], list[Repairs]]:
        scheme = own_scheme(read, self.scheme) if self.marks_spans else self.scheme
        self._check_known(read, scheme)
        tags, repairs = repairs_of(read, scheme)
        rows = [np.array([self._numbers[tag] for tag in self._within(row, scheme)], dtype=np.int64) for row in tags]
        notes = []
        if scheme != self.scheme:
            notes.append(f"tags of {read.place} follow {scheme} and are read as {self.scheme}, as in training")
        return rows, notes, [] if repairs is None else [repairs]

    def decode(self, numbers: Iterable[int]) -> list[str]:
        """Numbers of one sentence as tags in the files' scheme; invalid runs are read as conlleval does."""
        tags = [self.tags[number] for number in numbers]
        if not self.marks_spans:
            return tags
        return to_tags(spans_as_conlleval(tags), len(tags), self.scheme)

    @property
    def written(self) -> tuple[str, ...]:
        """All tags in the files' own scheme.

        Example:
            >>> TagSet("iob2", ["LOC"]).written
            ('O', 'B-LOC', 'I-LOC')
        """
        return tuple(scheme_tags(self.names, self.scheme)) if self.marks_spans else self.tags

    def written_as(self, tag: str, before: str = "O", after: str = "O") -> str:
        """A tag of the model in the files' own scheme.

        Args:
            tag: one of `tags`.
            before: the model's tag of the word before, on which a span's first tag depends in iob1.
            after: that of the word after, which says whether a span of iob2 ends.

        Example:
            >>> tags = TagSet("iob2", ["LOC"], inside="iobes")
            >>> [tags.written_as(tag) for tag in tags.tags]
            ['O', 'B-LOC', 'I-LOC', 'I-LOC', 'B-LOC']
            >>> TagSet("iob1", ["LOC"]).written_as("S-LOC", before="E-LOC")
            'B-LOC'
        """
        if not self.marks_spans or tag == "O" or self.scheme == self.inside:
            return tag
        letter, kind = split_tag(tag)
        begins = letter in "BS"
        ends = letter in "ES" if self.inside == "iobes" else after != join_tag("I", kind)
        if self.scheme == "iob2":
            return join_tag("B" if begins else "I", kind)
        if self.scheme == "iob1":
            return join_tag("B" if begins and before != "O" and split_tag(before)[1] == kind else "I", kind)
        last, single = ("E", "S") if self.scheme == "iobes" else ("L", "U")
        return join_tag((single if ends else "B") if begins else last if ends else "I", kind)

    def moves(self) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Which tag may follow which, begin and end a sentence; see `allowed_moves`."""
        return allowed_moves(self.tags, self.inside)

    def to_dict(self) -> dict[str, Any]:
        """A dictionary, ready for JSON."""
        inside = INSIDE[1] if self.inside == "plain" else self.inside
        return {"format_version": _FORMAT_VERSION, "scheme": self.scheme, "names": list(self.names), "inside": inside}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], place: str = "the tag set") -> TagSet:
        """Read what `to_dict` gave.

        Raises:
            RunError: it is damaged or from a newer version.

        Example:
            >>> TagSet.from_dict(TagSet("plain", ["NN", "VB"]).to_dict()).tags
            ('NN', 'VB')
        """
        refuse_newer(record, _FORMAT_VERSION, place)
        try:
            return cls(record["scheme"], [str(name) for name in record["names"]], record["inside"])
        except (KeyError, TypeError, OptionError) as error:
            raise RunError(f"{place} is damaged", expected="format_version, scheme, names, inside") from error

    def _within(self, tags: Sequence[str], scheme: str) -> Sequence[str]:
        if not self.marks_spans or scheme == self.inside:
            return tags
        return to_tags(spans(tags, scheme), len(tags), self.inside)

    def _check_known(self, read: TaggedSentences, scheme: str) -> None:
        known = set(self.names) if not self.marks_spans else {"O", *scheme_tags(self.names, scheme)}
        for sentence in read.sentences:
            for at, tag in enumerate(sentence.tags):
                if tag not in known:
                    shown = ", ".join(sorted(known)[:_SHOWN]) + (", ..." if len(known) > _SHOWN else "")
                    raise DataError(
                        f"{read.place}: line {sentence.line_of(at)} has tag {tag!r}, which is not in the training part",
                        expected=f"one of: {shown}",
                        fix="correct the line, choose the same tag column as for training, or train on texts with it",
                    )
