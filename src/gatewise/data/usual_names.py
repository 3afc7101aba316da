"""What columns of texts and labels are usually called."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["USUAL", "known_column", "neither_named"]

USUAL = {
    "text": (
        "texts",
        "review",
        "reviews",
        "sentence",
        "comment",
        "message",
        "tweet",
        "content",
        "document",
        "utterance",
    ),
    "label": ("labels", "class", "category", "sentiment", "target", "topic", "intent", "polarity"),
}
"""Names that columns often have instead; one is read where it is the only one of its role."""
_SCORES = {"label": ("rating", "ratings", "stars")}
"""Names of numbers that are labels where no column has a name of the above."""


def known_column(names: Sequence[str], role: str) -> int | None:
    """The place of the column that is called by its role, in any case, or else of the only one with a usual name."""
    folded = [name.casefold() for name in names]
    if role in names:
        return names.index(role)
    if folded.count(role) == 1:
        return folded.index(role)
    usual = [place for place, name in enumerate(folded) if name in USUAL.get(role, ())]
    usual = usual or [place for place, name in enumerate(folded) if name in _SCORES.get(role, ())]
    return usual[0] if len(usual) == 1 else None


def neither_named(names: Sequence[str]) -> bool:
    """Whether no column has a usual name of texts or labels.

    Example:
        >>> neither_named(["satz", "thema"]), neither_named(["satz", "topic"])
        (True, False)
    """
    return known_column(names, "text") is None and known_column(names, "label") is None
