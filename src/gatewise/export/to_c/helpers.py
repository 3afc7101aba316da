"""The C functions that a program needs, from `parts/operations.h` and `parts/integers.h`. Imports no torch."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

__all__ = ["Helpers"]

_PARTS = Path(__file__).parent / "parts"


@cache
def _sections() -> dict[str, tuple[tuple[str, ...], str]]:
    """What each section needs, and its text."""
    found = {}
    for file in ("operations.h", "integers.h"):
        for section in (_PARTS / file).read_text(encoding="utf-8").split("\n## ")[1:]:
            heading, text = section.split("\n", 1)
            name, *needs = heading.split()
            found[name] = (tuple(needs), text.strip() + "\n")
    return found


class Helpers:
    """Collects functions, each once and after those that it needs.

    Example:
        >>> helpers = Helpers()
        >>> helpers.need("softmax", wide=False)
        'softmaxf'
        >>> helpers.names
        ['greatestf', 'sumf', 'parts_of_exponential', 'exponentialf', 'softmaxf']
    """

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}

    @property
    def names(self) -> list[str]:
        """Of the functions, in order."""
        return list(self._texts)

    def need(self, name: str, *, wide: bool = False) -> str:
        """Ask for a function; returns its name in C."""
        letter = "" if wide else "f"
        sections = _sections()
        section = next(each for each in (f"{name}{letter}", f"{name}@", name) if each in sections)
        called = section.replace("@", letter)
        if called not in self._texts:
            needs, text = sections[section]
            for each in needs:
                self.need(each.rstrip("@"), wide=wide)
            self._texts[called] = text.replace("REAL", "double" if wide else "float").replace("@", letter)
        return called

    @property
    def text(self) -> str:
        """All of them in C."""
        return "\n".join(re.sub(r"\n{3,}", "\n\n", text) for text in self._texts.values())
