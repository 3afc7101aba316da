"""Training, validation and test part of examples of any kind: chosen by content, and without leaks.

An example's part follows from a hash of its content, so that it is the same whatever the order of the file. Texts with
classes have their own, stratified split: `gatewise.data.splits`.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from gatewise.data.duplicates import NEAR_WORDS, near_others
from gatewise.errors import DataError

__all__ = [
    "FEWEST",
    "PARTS",
    "check_fewest",
    "content_number",
    "held_groups",
    "kept_by_content",
    "least_of_groups",
    "least_share",
    "note_on_given_parts",
    "split",
]

PARTS = ("train", "validation", "test")
"""The names of the parts."""
FEWEST = 10
"""Examples that a training part has at least."""


Example = TypeVar("Example")
Examples = TypeVar("Examples")
Key = TypeVar("Key", int, str, bytes)


def check_fewest(count: int, name: str, examples: str, fix: str | None = None) -> None:
    """Refuse a training part of fewer than `FEWEST` examples.

    Args:
        count: how many it has.
        name: of the data set.
        examples: what they are, in the plural.
        fix: how to get more; None: by adding some.

    Raises:
        DataError: it has fewer.

    Example:
        >>> check_fewest(12, "holiday", "pictures")
        >>> check_fewest(3, "holiday", "pictures")
        Traceback (most recent call last):
        gatewise.errors.DataError: holiday has too few pictures to train on; expected: at least 10 in the training ...
    """
    if count < FEWEST:
        raise DataError(
            f"{name} has too few {examples} to train on",
            expected=f"at least {FEWEST} in the training part",
            got=f"{count}",
            fix=fix or f"add {examples}",
        )


def content_number(*texts: str) -> int:
    """A number that follows from texts alone, the same in every process: eight bytes of their SHA-256.

    Example:
        >>> content_number("to", "Paris") == content_number("to", "Paris"), content_number("to Paris") > 0
        (True, True)
    """
    digest = hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "little")


def kept_by_content(
    examples: Sequence[Example], count: int | None, key: Callable[[Example], Key]
) -> tuple[Example, ...]:
    """At most so many examples, those of the least keys, in their order; None: all.

    Example:
        >>> kept_by_content([5, 3, 9, 1], 2, lambda number: number)
        (3, 1)
    """
    if count is None or count >= len(examples):
        return tuple(examples)
    ranks = [key(example) for example in examples]
    order = sorted(range(len(examples)), key=ranks.__getitem__)  # equal keys keep their order
    return tuple(examples[row] for row in sorted(order[:count]))


def least_share(keys: Iterable[Key], share: float) -> set[Key]:
    """A share of the distinct keys, the least ones; at least one.

    Example:
        >>> sorted(least_share([7, 1, 4, 1, 9], 0.5)), least_share(["a", "b", "c"], 0.01)
        ([1, 4], {'a'})
    """
    distinct = sorted(set(keys))
    return set(distinct[: max(1, round(share * len(distinct)))])


def least_of_groups(keys: Sequence[int], groups: Sequence[int]) -> dict[int, int]:
    """The least key of each group, so that a group is chosen by content whatever the order of its examples.

    Example:
        >>> least_of_groups([5, 3, 9], [0, 0, 2])
        {0: 3, 2: 9}
    """
    found: dict[int, int] = {}
    for key, group in zip(keys, groups, strict=True):
        found[group] = min(key, found.get(group, key))
    return found


def held_groups(groups: Sequence[int], keys: Mapping[int, Key], wanted: int) -> tuple[list[int], list[int]]:
    """Whole groups held out, those of the least keys first, until at least so many examples are; and the others.

    A group that is larger than what is wanted stays whole on the other side, as long as there are smaller ones: what
    half of all examples have in common is trained on.

    Args:
        groups: of each example, numbers from 0.
        keys: of each group, by which they are ranked.
        wanted: examples to hold out.

    Returns:
        Places of the examples held out, and of the others, in their order.

    Example:
        >>> held_groups([0, 0, 0, 1, 2, 1], {0: "a", 1: "b", 2: "c"}, 2)
        ([3, 5], [0, 1, 2, 4])
    """
    sizes = Counter(groups)
    order = sorted(keys, key=keys.__getitem__)
    held: set[int] = set()
    found = 0
    for group in [each for each in order if sizes[each] <= wanted] or order:
        if found >= wanted:
            break
        held.add(group)
        found += sizes[group]
    chosen = [place for place, group in enumerate(groups) if group in held]
    return chosen, [place for place, group in enumerate(groups) if group not in held]


def split(
    whole: Examples,
    given: Mapping[str, Examples],
    *,
    without: Callable[[Examples, Sequence[Examples], str], Examples],
    hold_out: Callable[[Examples, str], tuple[Examples, Examples]],
) -> dict[str, Examples]:
    """The three parts, of which those that were not given are held out of the whole.

    What is given stays as it is, but for a validation part that shares examples with the test part; what the whole
    shares with either is not trained on.

    Args:
        whole: all examples of the training file.
        given: any of ``test`` and ``validation``, from files of their own.
        without: of (examples, other parts, name of the part): the examples that are in none of the others.
        hold_out: of (examples, name of the part): the part, and what is left.

    Example:
        >>> split("abcdef", {"test": "xb"},
        ...       without=lambda texts, others, part: "".join(t for t in texts if t not in "".join(others)),
        ...       hold_out=lambda texts, part: (texts[:1], texts[1:]))
        {'test': 'xb', 'validation': 'a', 'train': 'cdef'}
    """
    parts = dict(given)
    if "test" in parts and "validation" in parts:
        parts["validation"] = without(parts["validation"], [parts["test"]], "validation")
    rest = without(whole, list(parts.values()), "train") if parts else whole
    for part in ("test", "validation"):
        if part not in parts:
            parts[part], rest = hold_out(rest, part)
    return {**parts, "train": rest}


def note_on_given_parts(
    test: Sequence[str] | Sequence[Sequence[str]], train: Sequence[str] | Sequence[Sequence[str]]
) -> str:
    """What an official test part shares with its training part.

    Args:
        test: its texts, or lists of words.
        train: those of the training part.
    """
    shared = int(near_others(test, train).sum())
    have = "has" if shared == 1 else "have"
    return (
        f"{shared:,} of its {len(test):,} test sentences {have} near duplicates ({NEAR_WORDS}) in the training part; "
        "the official parts are left as they are"
    )
