"""Parts that share nothing: no near duplicate of a test text, and no row of its group, is trained on.

Parts that are cut here keep near duplicates in one part. Of a test part that is given nothing is changed: what it
shares with the training part is removed from the training part, as repeated texts are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gatewise.data.duplicates import NEAR_WORDS, copies_in, near_duplicates, near_others, token_key
from gatewise.data.records import Labels, Split
from gatewise.data.splits import hold_out, take
from gatewise.errors import DataError

__all__ = [
    "Grouping",
    "Splitter",
    "check_test_groups",
    "drop_shared",
    "grouping_of",
    "shared_rows",
    "split_apart",
    "with_test_groups",
]

_FEW = 20
Splitter = Callable[..., list[Split]]


@dataclass(frozen=True)
class Grouping:
    """Groups of rows that a column of the file names.

    Attributes:
        column: its name.
        names: of the groups, in the order of their numbers.
    """

    column: str
    names: tuple[str, ...]

    def numbers(self, groups: Sequence[str]) -> Labels:
        """The numbers of groups by name; those that are unknown come after the others."""
        number = {name: place for place, name in enumerate(self.names)}
        return np.array([number.setdefault(name, len(number)) for name in groups], dtype=np.int64)


def grouping_of(column: str, groups: Sequence[str]) -> Grouping:
    """The groups of a file's rows.

    Example:
        >>> grouping_of("film", ["Heat", "Alien", "Heat"]).numbers(["Heat", "Alien", "Heat"]).tolist()
        [1, 0, 1]
    """
    return Grouping(column, tuple(sorted(set(groups))))


def split_apart(
    whole: Split,
    label_names: Sequence[str],
    place: str,
    *,
    with_test: bool,
    split: Splitter = hold_out,
    grouping: Grouping | None = None,
) -> tuple[list[Split], list[str]]:
    """Split by content (`gatewise.data.splits.hold_out`), near duplicates or groups in one part.

    Near duplicates stay together with their copies. Where the texts have groups, these stay together, and texts whose
    near duplicates are in the test (or validation) part are removed from the parts before it.

    Args:
        whole: distinct texts, with the numbers of their groups where they have some.
        label_names: the classes.
        place: the file, for messages.
        with_test: whether a test part is wanted too; False gives an empty one last.
        split: how it is split.
        grouping: what the groups are; None: there are none.

    Returns:
        ([train, validation, test], notes). Only the test part keeps groups, and only where two of its texts share one.

    Raises:
        DataError: a class has fewer texts, or groups, than there are parts; the test part has a single group.

    Example:
        >>> moods = ("glad and merry", "sad and sour")
        >>> texts = [f"{mood} were the words of number {n}" for n in range(9) for mood in moods]
        >>> whole = Split((*texts, *(text.upper() + "!" for text in texts)), np.array([0, 1] * 18))
        >>> parts, notes = split_apart(whole, ("glad", "sad"), "a.csv", with_test=True)
        >>> [len({text.lower().rstrip("!") for text in part.texts}) for part in parts], len(parts[2].texts)
        ([12, 2, 4], 8)
    """
    if grouping is not None:
        return _split_groups(whole, label_names, place, with_test=with_test, split=split, grouping=grouping)
    alike = near_duplicates(whole.texts)
    copies = copies_in(alike.groups)
    notes = _pattern_notes(alike.patterned)
    if not copies:
        return split(whole, label_names, place, with_test=with_test), notes
    try:
        parts = split(whole._replace(groups=alike.groups), label_names, place, with_test=with_test)
        notes.append(
            f"{copies:,} texts are near duplicates of others ({NEAR_WORDS}): each is in one part with its copies"
        )
    except DataError:
        # too few texts of a class to keep copies together; fewer texts than parts raise once more
        parts = split(whole, label_names, place, with_test=with_test)
        notes.append(
            f"{copies:,} texts are near duplicates of others ({NEAR_WORDS}), and too few differ to keep copies in one "
            "part: test texts may have copies in the training part, so their figures are too good"
        )
        parts[2] = with_test_groups(parts[2])
    return [*map(_without_groups, parts[:2]), _tidied(parts[2])], notes


def drop_shared(train: Split, test: Split, part: str = "test", source: str = "training") -> tuple[Split, list[str]]:
    """Remove from the training part what the test part has too: texts, near duplicates, and rows of its groups.

    Args:
        train: a training part.
        test: the part that is given; with groups where the training part has some.
        part: its name, for notes.
        source: name of the part from which is removed.

    Raises:
        DataError: nothing would be left.

    Example:
        >>> left, notes = drop_shared(Split(("a", "b"), np.array([0, 1])), Split(("B ",), np.array([1])))
        >>> left.texts, notes
        (('a',), ['1 text of the test part was removed from the training part'])
    """
    same, near = shared_rows(train.texts, test.texts)
    grouped: set[int] = set()
    if train.groups is not None and test.groups is not None:
        grouped = set(np.flatnonzero(np.isin(train.groups, test.groups)).tolist()) - same - near
    rows = [row for row in range(len(train.texts)) if row not in same and row not in near and row not in grouped]
    if len(rows) == len(train.texts):
        return train, []
    if not rows:
        raise DataError(
            f"every {source} text is in the {part} part too, or nearly so, or in one of its groups",
            fix=f"give a {part} file with texts that are not trained on",
        )
    notes = [
        _removed(len(same), f"text of the {part} part", f"texts of the {part} part", source),
        _removed(
            len(near),
            f"near duplicate ({NEAR_WORDS}) of a text of the {part} part",
            f"near duplicates ({NEAR_WORDS}) of texts of the {part} part",
            source,
        ),
        _removed(len(grouped), f"text of a group of the {part} part", f"texts of groups of the {part} part", source),
    ]
    return take(train, rows), [note for note in notes if note]


def _removed(count: int, one: str, several: str, source: str) -> str:
    if not count:
        return ""
    return (
        f"{count:,} {one if count == 1 else several} {'was' if count == 1 else 'were'} removed from the {source} part"
    )


def shared_rows(texts: Sequence[str], others: Sequence[str]) -> tuple[set[int], set[int]]:
    """Which texts are among others: (rows of the same tokens, rows that are near duplicates).

    Example:
        >>> words = "this was by far the very best film of the year"
        >>> shared_rows(["a film", words, "A film", words + "!"], ["A  FILM", words])
        ({0, 1, 2}, {3})
    """
    keys = {token_key(text) for text in others}
    same = {row for row, text in enumerate(texts) if token_key(text) in keys}
    near = set(np.flatnonzero(near_others(texts, others)).tolist())
    return same, near - same


def with_test_groups(test: Split) -> Split:
    """A test part whose near duplicates are groups; as it is where there are none, or it has groups.

    Example:
        >>> with_test_groups(Split(("a film", "b", "A film!"), np.array([0, 1, 0]))).groups.tolist()
        [0, 1, 0]
    """
    if test.groups is not None or not test.texts:
        return test
    return _tidied(test._replace(groups=near_duplicates(test.texts).groups))


def _split_groups(
    whole: Split, label_names: Sequence[str], place: str, *, with_test: bool, split: Splitter, grouping: Grouping
) -> tuple[list[Split], list[str]]:
    train, validation, test = split(whole, label_names, place, with_test=with_test)
    notes = [f"rows of one {grouping.column} stay in one part: {len(grouping.names):,} groups"]
    if with_test:
        notes += check_test_groups(test, grouping.column, place)
        validation, removed = drop_shared(_without_groups(validation), _without_groups(test), source="validation")
        notes += removed
        train, removed = drop_shared(_without_groups(train), _without_groups(test))
        notes += removed
    train, removed = drop_shared(_without_groups(train), _without_groups(validation), "validation")
    return [train, _without_groups(validation), test if with_test else _without_groups(test)], notes + removed


def check_test_groups(test: Split, column: str, place: str) -> list[str]:
    """The note on the groups of a test part.

    Raises:
        DataError: there is one alone: nothing can be said of others.
    """
    count = 0 if test.groups is None else len(np.unique(test.groups))
    if count < 2:
        raise DataError(
            f"the test part of {place} has a single group, so that nothing can be said of other groups",
            expected=f"several values of the column {column!r} in it, better {_FEW} or more",
            fix="give more groups, or omit --group",
        )
    few = f"; with fewer than {_FEW} these are rough" if count < _FEW else ""
    return [f"the {len(test.texts):,} test texts are of {count:,} groups by {column}; intervals are over groups{few}"]


def _pattern_notes(patterned: int) -> list[str]:
    if not patterned:
        return []
    return [
        f"{patterned:,} texts follow one pattern ({NEAR_WORDS}), more than a tenth of all: they are not kept in one "
        "part, so that figures hold for new texts of this pattern alone"
    ]


def _without_groups(part: Split) -> Split:
    return part._replace(groups=None)


def _tidied(part: Split) -> Split:
    """Without groups where each text is one of its own; else with numbers from 0."""
    if part.groups is None or len(np.unique(part.groups)) == len(part.texts):
        return part._replace(groups=None)
    return part._replace(groups=np.unique(part.groups, return_inverse=True)[1].reshape(-1).astype(np.int64))
