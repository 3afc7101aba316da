"""What a network says: labels, or words or characters in order, numbered. Imports no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from gatewise.errors import DataError, RunError
from gatewise.kinds.speech.spec import ANSWERS

__all__ = ["Units", "usual_answers"]

_SPACE = " "


@dataclass(frozen=True)
class Units:
    """The numbered units.

    Attributes:
        answers: ``label``, one transcript out of a list; ``words`` or ``characters`` in order (CTC).
        names: of the units; for words and characters unit u is the network's class u + 1, class 0 being CTC's blank.

    Example:
        >>> units = Units.fit("characters", ["ab a"])
        >>> units.names, units.encode("a b"), units.decode([1, 0, 2])
        ((' ', 'a', 'b'), [1, 0, 2], 'a b')
        >>> Units.fit("words", ["ab a"]).encode("a c")
        [0, None]
    """

    answers: str
    names: tuple[str, ...]

    @classmethod
    def fit(cls, answers: str, texts: Iterable[str]) -> Units:
        """All units of the given transcripts, in the order of their names."""
        return cls(answers, tuple(sorted({unit for text in texts for unit in _cut(answers, text)})))

    def __len__(self) -> int:
        return len(self.names)

    def encode(self, text: str) -> list[int | None]:
        """The units of a transcript by number; None: not known."""
        numbers = {name: number for number, name in enumerate(self.names)}
        return [numbers.get(unit) for unit in _cut(self.answers, text)]

    def decode(self, numbers: Sequence[int]) -> str:
        """The text of units; spaces at its ends, or several in a row, are none."""
        joint = "" if self.answers == "characters" else _SPACE
        return " ".join(joint.join(self.names[number] for number in numbers).split())

    @property
    def by_ctc(self) -> bool:
        """Whether a recording has several units in order."""
        return self.answers != "label"

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, ready for JSON."""
        return {"format_version": 1, "answers": self.answers, "names": list(self.names)}

    @classmethod
    def from_dict(cls, record: Any, place: str) -> Units:
        """What `to_dict` wrote.

        Raises:
            RunError: it is damaged.
        """
        try:
            answers, names = record["answers"], tuple(record["names"])
        except (KeyError, TypeError) as error:
            raise RunError(f"{place} is damaged", expected="answers and names") from error
        if answers not in ANSWERS or not names or not all(isinstance(name, str) for name in names):
            raise RunError(f"{place} is damaged", expected="units as a list of words")
        return cls(answers, names)


def _cut(answers: str, text: str) -> list[str]:
    if answers == "label":
        return [text]
    return text.split() if answers == "words" else list(text)


def usual_answers(texts: Sequence[str]) -> tuple[str, str]:
    """How transcripts are best answered, and why.

    Example:
        >>> usual_answers(["yes", "no"] * 10)[0], usual_answers(["one two", "two one"] * 9 + ["one one"])[0]
        ('label', 'words')
        >>> usual_answers(["a rose is a rose", "the tide came in"])
        ('characters', 'most words are rare')
    """
    counts, held = Counter(texts), Counter(word for text in texts for word in text.split())
    if not held:
        raise DataError("there is no transcript", fix="write what is said in each recording")
    if all(" " not in text for text in counts) and len(texts) >= 4 * len(counts):
        return "label", "each recording is one of a few words"
    if sum(count for count in held.values() if count >= 5) >= 0.95 * sum(held.values()):
        return "words", "few words, each frequent"
    return "characters", "most words are rare"
