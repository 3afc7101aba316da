"""Texts to token numbers in C. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Words", "words_of"]


@dataclass(frozen=True)
class Words:
    """The look-up of words.

    Attributes:
        declarations: for the header.
        code: for the `.c`.
        bytes: of its tables.
        most: tokens of a text.
    """

    declarations: str
    code: str
    bytes: int
    most: int


def words_of(metadata: Mapping[str, Any], name: str) -> Words | None:
    """The look-up of a graph's metadata; None where there is no vocabulary of words."""
    return None
