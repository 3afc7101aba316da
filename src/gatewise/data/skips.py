"""Files of a person's own that were left out: counted by reason, the first of each named."""

from __future__ import annotations

from dataclasses import dataclass, field

from gatewise import words
from gatewise.errors import DataError

__all__ = ["Skips", "no_answer"]

_SHOWN = 3


@dataclass
class Skips:
    """What was left out, by reason, with the names of the files.

    Args:
        what: one of them, in the singular: ``recording``.
    """

    what: str
    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, name: str) -> None:
        """Count one more."""
        self.names.setdefault(reason, []).append(name)

    @property
    def count(self) -> int:
        """Over all reasons."""
        return sum(map(len, self.names.values()))

    @property
    def notes(self) -> list[str]:
        """A sentence for each reason.

        Example:
            >>> skips = Skips("recording")
            >>> skips.add("silent", "a.wav")
            >>> skips.notes
            ['1 recording is left out: silent (a.wav)']
        """
        return [
            f"{words.plural(len(names), self.what)} {'is' if len(names) == 1 else 'are'} left out: {reason} "
            f"({', '.join(names[:_SHOWN])}{', ...' if len(names) > _SHOWN else ''})"
            for reason, names in self.names.items()
        ]


def no_answer(error: DataError) -> str:
    """The note on a file that was named beside others and cannot be used.

    Example:
        >>> no_answer(DataError("a.wav is shorter than a frame of 25 ms", got="6.2 ms", fix="omit it"))
        'a.wav is shorter than a frame of 25 ms (6.2 ms): no answer there'
    """
    return f"{error.message}{'' if error.got is None else f' ({error.got})'}: no answer there"
