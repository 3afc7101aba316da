"""What a trained network is as a stream: steps arrive, each is answered, the state is a value. Imports no torch.

A kind whose networks read in one direction returns a `Streaming` from `Trained.streaming`. Whoever serves it keeps the
states and may batch the steps of many streams: a stream's answers have the same bits as alone.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from gatewise.errors import DataError, OptionError, did_you_mean

__all__ = [
    "LONGEST_TEXT",
    "MOST_STEPS",
    "Advance",
    "Advanced",
    "Arrived",
    "State",
    "Streaming",
    "numbers_of",
    "settled",
    "text_of",
]

State = Mapping[str, npt.NDArray[Any]]
"""Named arrays; never changed in place, so that an earlier state stays valid."""

MOST_STEPS = 4096
LONGEST_TEXT = 65_536
"""Characters of a message, since its text is cut into words before anything else is done with it."""
_LONGEST_WORD = 512
_TAG_BEGINNING = re.compile(r"<[a-zA-Z/!][^<>]{0,200}\Z")


class Arrived(NamedTuple):
    """What a message holds.

    Attributes:
        steps: one entry per step, as `Streaming.advance` reads it; it can be sliced.
        rest: text that may belong to a step whose end has not arrived.
    """

    steps: Sequence[Any] | npt.NDArray[Any]
    rest: str = ""


class Advance(NamedTuple):
    """Some steps of one stream.

    Attributes:
        state: before them.
        steps: at least one.
        every: whether each step is answered; else the last one.
        settings: of the stream, see `Streaming.settings`.
    """

    state: State
    steps: Sequence[Any] | npt.NDArray[Any]
    every: bool
    settings: Mapping[str, Any]


class Advanced(NamedTuple):
    """The same afterwards: the new state, and the answers, ready for JSON."""

    state: State
    answers: list[dict[str, Any]]


class Streaming(ABC):
    """A trained network, step by step.

    Attributes:
        unit: what a step is, in the singular.
        message: JSON schema of what a message may hold, by name.
        settings_schema: JSON schema of what may be set when a stream begins, by name.
        binary: the name in ``message`` whose value a binary message is; None: messages are JSON.
    """

    unit: ClassVar[str]
    message: ClassVar[Mapping[str, Any]]
    settings_schema: ClassVar[Mapping[str, Any]] = {}
    binary: ClassVar[str | None] = None

    def settings(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Check what a client sets when its stream begins.

        Raises:
            OptionError: an unknown setting, or an unfitting value.
        """
        for name in given:
            if name not in self.settings_schema:
                known = ", ".join(self.settings_schema) or "none"
                raise OptionError(
                    f"streams of this model have no setting {name!r}",
                    expected=known,
                    fix=did_you_mean(name, self.settings_schema) if self.settings_schema else None,
                )
        return dict(given)

    def notes(self, settings: Mapping[str, Any]) -> tuple[str, ...]:
        """What is done to what a stream sends, a sentence each, for the client."""
        return ()

    @abstractmethod
    def initial(self, settings: Mapping[str, Any]) -> State:
        """The state before the first step."""

    @abstractmethod
    def arrived(self, message: Mapping[str, Any], rest: str, settings: Mapping[str, Any]) -> Arrived:
        """The steps of a message.

        Args:
            message: what the client sent, of the names in ``message``; ``end``: whether nothing follows.
            rest: what the message before left over.
            settings: of the stream.

        Raises:
            DataError: values or text that cannot be read.
        """

    @abstractmethod
    def advance(self, streams: Sequence[Advance]) -> list[Advanced]:
        """Read steps of many streams at once; each stream's bits are those that it gets alone.

        However its steps are cut into calls, a stream's states and answers are the same.
        """


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message.

    Raises:
        DataError: it has none, or not as a string.

    Example:
        >>> text_of({"text": "a film"})
        'a film'
    """
    text = message.get("text", "" if message.get("end") else None)
    if not isinstance(text, str):
        got = "nothing" if text is None else type(text).__name__
        raise DataError("the message has no text", expected='"text": a string', got=got)
    if len(text) > LONGEST_TEXT:
        expected, got = f"at most {LONGEST_TEXT:,} characters", f"{len(text):,}"
        raise DataError("the message's text is too long", expected=expected, got=got, fix="send it in parts")
    return text


def settled(text: str, *, end: bool) -> int:
    """How much of a text can be cut into words for good: up to the last space with something after it.

    A mark-up tag that has no end yet is not cut. Where no space comes for long, as in scripts without spaces, all is
    taken.

    Example:
        >>> settled("two wor", end=False), settled("two ", end=False), settled("two ", end=True)
        (3, 0, 4)
    """
    if end:
        return len(text)
    tag = text.rfind("<", max(0, len(text) - 202))
    place = _last_break(text if tag < 0 or not _TAG_BEGINNING.match(text, tag) else text[: tag + 1])
    return place if len(text) - place <= _LONGEST_WORD else len(text)


def _last_break(text: str) -> int:
    """Where the last spaces begin that have something after them; 0: nowhere."""
    whole = text.rstrip()
    last = whole.rsplit(None, 1)[-1:]
    return len(whole[: len(whole) - len(last[0])].rstrip()) if last else 0


def numbers_of(message: Mapping[str, Any], columns: Sequence[str]) -> npt.NDArray[np.float64]:
    """The rows of a message as (T, C): lists in the order of the columns, or objects by name; one column: numbers.

    Raises:
        DataError: a row or number is missing, none, or not finite.

    Example:
        >>> numbers_of({"values": [1, {"price": 2.5}]}, ["price"]).tolist()
        [[1.0], [2.5]]
    """
    rows = message.get("values", [] if message.get("end") else None)
    if not isinstance(rows, list):
        raise DataError("the message has no values", expected='"values": a list of rows', got=type(rows).__name__)
    if len(rows) > MOST_STEPS:
        raise DataError(
            "there are too many rows", expected=f"at most {MOST_STEPS}", got=str(len(rows)), fix="send parts"
        )
    found = np.empty((len(rows), len(columns)))
    for place, row in enumerate(rows):
        where = f"row {place + 1} of the message"
        if isinstance(row, dict):
            if set(row) != set(columns):
                raise DataError(f"{where} has other columns", expected=", ".join(columns), got=", ".join(map(str, row)))
            row = [row[name] for name in columns]
        cells = row if isinstance(row, list) else [row]
        if len(cells) != len(columns):
            raise DataError(
                f"{where} has another number of values", expected=f"{len(columns)} ({', '.join(columns[:8])})",
                got=str(len(cells)),
            )  # fmt: skip
        for column, cell in enumerate(cells):
            number = not isinstance(cell, bool) and isinstance(cell, int | float)
            if not number or abs(cell) > 1e300 or not math.isfinite(cell):
                raise DataError(f"{where}: {columns[column]} is not a finite number", got=repr(cell)[:40])
            found[place, column] = cell
    return found
