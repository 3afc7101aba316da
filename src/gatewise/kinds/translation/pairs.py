"""The data of translation: sentences, each with its translation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

__all__ = ["SentencePairs"]


@dataclass(frozen=True)
class SentencePairs:
    """Sentences with their translations, without empty ones.

    Attributes:
        sources: N sentences.
        targets: their translations.
        place: the file or files, for messages.
        notes: what was detected or skipped, a sentence each.
    """

    sources: tuple[str, ...]
    targets: tuple[str, ...]
    place: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.sources)

    def reversed(self) -> SentencePairs:
        """The other direction."""
        return replace(self, sources=self.targets, targets=self.sources)

    def take(self, rows: Sequence[int]) -> SentencePairs:
        """The given pairs, in that order, without notes.

        Example:
            >>> SentencePairs(("a", "b"), ("x", "y"), "here").take([1]).targets
            ('y',)
        """
        return SentencePairs(
            tuple(self.sources[row] for row in rows), tuple(self.targets[row] for row in rows), self.place
        )
