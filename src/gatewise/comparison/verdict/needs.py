"""What would find a difference that a comparison did not find: seeds, or test examples. Both verdict and audit ask."""

from __future__ import annotations

__all__ = ["MOST_SEEDS", "SEEDS_THAT_TELL", "more_examples", "seeds_in_words"]

SEEDS_THAT_TELL = 3
"""Of fewer seeds nobody knows how far they lie apart, and so neither how many more would do."""
MOST_SEEDS = 100
"""A greater number of seeds would be a mere guess."""


def seeds_in_words(needed: int, seeds: int) -> str:
    """How many seeds are needed: never as few as there were, and no number where it would be a mere guess.

    Args:
        needed: seeds of each model.
        seeds: those that there were.

    Example:
        >>> seeds_in_words(9, 3), seeds_in_words(3, 3), seeds_in_words(4000, 3)
        ('about 9 seeds', 'more than 3 seeds', 'more than 100 seeds')
    """
    if needed > MOST_SEEDS:
        return f"more than {MOST_SEEDS} seeds"
    return f"about {needed} seeds" if needed > seeds else f"more than {seeds} seeds"


def more_examples(verb: str, groups: str | None = None) -> str:
    """What helps where no number of seeds would.

    Args:
        verb: what it does, with its object: ``decide it``.
        groups: what the test examples are groups of, in the plural, where intervals are over such; None: they are not.

    Example:
        >>> more_examples("decide it"), more_examples("decide it", "films")
        ('more test examples would decide it, more seeds alone would not',
         'more films would decide it, more seeds alone would not')
    """
    return f"more {groups or 'test examples'} would {verb}, more seeds alone would not"
