"""Which examples and mistakes a page shows first, whatever an example is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping
from typing import Any, TypeVar

__all__ = ["most_frequent", "most_misleading"]

Key = TypeVar("Key", bound=Hashable)


def most_misleading(examples: Iterable[Mapping[str, Any]], most: int) -> list[Mapping[str, Any]]:
    """The examples that mislead some model; those that mislead the most models first, then in their order.

    Args:
        examples: each with its ``answers``, of which each says whether it is ``right``.
        most: at most so many.

    Example:
        >>> answers = {"a": [True], "b": [False, True], "c": [False, False], "d": [True, False]}
        >>> examples = [{"name": name, "answers": [{"right": right} for right in row]} for name, row in answers.items()]
        >>> [example["name"] for example in most_misleading(examples, 2)]
        ['c', 'b']
    """
    wrong = [(sum(not answer["right"] for answer in example["answers"]), example) for example in examples]
    return [example for count, example in sorted(wrong, key=lambda each: -each[0]) if count][:most]


def most_frequent(counted: Iterable[tuple[Key, int]], most: int) -> list[tuple[Key, int]]:
    """What was counted most often over all tables; on a tie in the order of the words.

    Args:
        counted: pairs of a key and its count; a key may come several times.
        most: at most so many.

    Example:
        >>> most_frequent([(("a", "b"), 2), (("c", None), 3), (("a", "b"), 1)], 5)
        [(('a', 'b'), 3), (('c', None), 3)]
    """
    counts: Counter[Key] = Counter()
    for key, count in counted:
        counts[key] += count
    return sorted(counts.items(), key=lambda each: (-each[1], str(each[0])))[:most]
