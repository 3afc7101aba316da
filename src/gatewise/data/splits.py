"""Splits without leaks: a text, and a film where it is known, is in one part only."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from gatewise.data.duplicates import token_key
from gatewise.data.records import Labels, Split, TextDataset
from gatewise.errors import DataError
from gatewise.words import plural

__all__ = [
    "content_key",
    "distinct_rows",
    "fingerprint",
    "hold_out",
    "limit_training",
    "name_labels",
    "split_words",
    "take",
]

_TEST_SHARE, _TEST_MOST = 0.2, 10_000
_VALIDATION_SHARE, _VALIDATION_MOST = 0.1, 5_000


def content_key(text: str) -> str:
    """The key by which texts are ranked: their words, with single spaces.

    Example:
        >>> content_key("good  film\\n") == content_key("good film")
        True
    """
    return " ".join(text.split())


def name_labels(labels: Sequence[str], place: str) -> tuple[tuple[str, ...], Labels]:
    """Turn written labels into class names, sorted (as numbers where all are), and indices into them: (N,).

    Raises:
        DataError: all labels are the same.

    Example:
        >>> names, indices = name_labels(["10", "9", "10"], "a.csv")
        >>> names, indices.tolist()
        (('9', '10'), [1, 0, 1])
    """
    distinct = set(labels)
    if len(distinct) < 2:
        raise DataError(
            f"all {len(labels):,} labels in {place} are {next(iter(distinct))!r}",
            expected="at least two classes",
            fix="name the column of the classes with --label",
        )
    numbers = all(name.removeprefix("-").isdecimal() for name in distinct)
    names = tuple(sorted(distinct, key=int) if numbers else sorted(distinct))
    place_of = {name: index for index, name in enumerate(names)}
    return names, np.array([place_of[name] for name in labels], dtype=np.int64)


def distinct_rows(
    texts: Sequence[str], labels: Labels, key: Callable[[str], str] = token_key
) -> tuple[list[int], Labels, list[str]]:
    """Keep each text once, so that no text straddles two parts.

    A text with several labels keeps the most frequent one (the first, on a tie).

    Args:
        texts: N texts.
        labels: (N,) of them.
        key: equal for texts that are the same; usually for those of the same tokens, whatever case and spacing.

    Returns:
        (rows kept, their labels (M,), notes on what was dropped)

    Example:
        >>> rows, labels, notes = distinct_rows(["a", "b", "A "], np.array([0, 1, 0]))
        >>> rows, notes
        ([0, 1], ['1 repeated text was dropped'])
    """
    first: dict[str, int] = {}
    votes: dict[int, Counter[int]] = {}
    for row, text in enumerate(texts):
        kept = first.setdefault(key(text), row)
        if kept != row:
            votes.setdefault(kept, Counter([int(labels[kept])]))[int(labels[row])] += 1
    rows = list(first.values())
    chosen = labels[rows].copy()
    disputed = tied = 0
    for place, row in enumerate(rows):
        if row in votes:
            ranked = votes[row].most_common(2)
            chosen[place] = ranked[0][0]
            tied += len(ranked) == 2 and ranked[0][1] == ranked[1][1]
            disputed += len(votes[row]) > 1
    notes = []
    dropped = len(texts) - len(rows)
    if dropped:
        notes.append(f"{plural(dropped, 'repeated text')} {_was(dropped)} dropped")
    if disputed:
        notes.append(f"{plural(disputed, 'text')} had several labels and kept the most frequent one{_ties(tied)}")
    return rows, chosen, notes


def _ties(tied: int) -> str:
    return f", {tied:,} of them the first of equally frequent ones" if tied else ""


def take(part: Split, rows: Sequence[int]) -> Split:
    """The given rows of a part, in that order."""
    groups = None if part.groups is None else part.groups[list(rows)]
    return Split(tuple(part.texts[row] for row in rows), part.labels[list(rows)], groups)


def hold_out(whole: Split, label_names: Sequence[str], place: str, *, with_test: bool, number: int = 0) -> list[Split]:
    """Split by content: stratified, and the same whatever the order of the file.

    Within each class the texts are ranked by the SHA-256 of their words; the first ranks are held out. The test part
    takes a fifth (at most 10,000 texts), the validation part a tenth (at most 5,000), each at least one of a class.
    Groups are ranked by the first of their texts, stay together, and are held out while a part lacks more of their
    texts than it has too many.

    Args:
        whole: distinct texts, with their groups where they have some.
        label_names: the classes.
        place: the file, for messages.
        with_test: whether a test part is wanted too; False gives an empty one last.
        number: of the split: another one ranks the texts otherwise.

    Returns:
        [train, validation, test]

    Raises:
        DataError: a class has fewer texts, or groups, than there are parts.
    """
    counts = np.bincount(whole.labels, minlength=len(label_names))
    needed = 3 if with_test else 2
    for index, name in enumerate(label_names):
        if counts[index] < needed:
            raise DataError(
                f"the class {name!r} has {plural(int(counts[index]), 'text')} in {place}",
                expected=f"at least {needed} different ones, to train on and to test with",
                fix="add texts of this class, or delete it",
            )
    if whole.groups is not None:
        return _hold_groups_out(whole, whole.groups, label_names, place, with_test=with_test, number=number)
    parts: list[list[int]] = [[], [], []]
    for index in range(len(label_names)):
        rows = np.flatnonzero(whole.labels == index).tolist()
        ranked = sorted(rows, key=lambda row: _digest(whole.texts[row], number))
        test, validation = _held_sizes(int(counts[index]), len(whole.texts), with_test=with_test)
        parts[2] += ranked[:test]
        parts[1] += ranked[test : test + validation]
        parts[0] += ranked[test + validation :]
    return [take(whole, sorted(rows, key=lambda row: _digest(whole.texts[row], number))) for rows in parts]


def _hold_groups_out(
    whole: Split, groups: Labels, label_names: Sequence[str], place: str, *, with_test: bool, number: int
) -> list[Split]:
    """`hold_out` for whole groups; where each text is a group of its own, the parts are the same as without groups."""
    counts = np.bincount(whole.labels, minlength=len(label_names))
    ranks = [_digest(text, number) for text in whole.texts]
    members: dict[int, list[int]] = {}
    for row in sorted(range(len(ranks)), key=ranks.__getitem__):
        members.setdefault(int(groups[row]), []).append(row)
    sizes = [_held_sizes(int(count), len(whole.texts), with_test=with_test) for count in counts]
    lacking = [np.array([size[part] for size in sizes], dtype=np.int64) for part in (0, 1)]
    parts: list[list[int]] = [[], [], []]
    for rows in members.values():
        held = np.bincount(whole.labels[rows], minlength=len(label_names))
        chosen = 0
        for part, room in zip((2, 1), lacking, strict=True):
            wanted = np.minimum(held, np.maximum(room, 0)).sum()
            if 2 * wanted > held.sum():
                room -= held
                chosen = part
                break
        parts[chosen] += rows
    names = ("training", "validation", "test")[: 3 if with_test else 2]
    for name, rows in zip(names, parts, strict=False):
        found = np.bincount(whole.labels[rows], minlength=len(label_names))
        for missing in np.flatnonzero((found == 0) & (counts > 0)).tolist():
            having = len(np.unique(groups[whole.labels == missing]))
            raise DataError(
                f"the {plural(len(members), 'group')} of {place} cannot be kept whole: the {name} part would have no "
                f"text of the class {label_names[missing]!r}",
                expected="each class in several groups, none of which holds most of its texts",
                got=f"{plural(having, 'group')} of {plural(int(counts[missing]), 'text')} of this class",
                fix="give more groups, or omit --group: then the figures hold for groups that were trained on",
            )
    return [take(whole, sorted(rows, key=ranks.__getitem__)) for rows in parts]


def _held_sizes(count: int, total: int, *, with_test: bool) -> tuple[int, int]:
    """How many of a class's texts are for the test and for validation."""
    share = count / total
    test = _part_size(_TEST_SHARE, _TEST_MOST * share, count) if with_test else 0
    return test, _part_size(_VALIDATION_SHARE, _VALIDATION_MOST * share, count)


def limit_training(dataset: TextDataset, examples: int) -> TextDataset:
    """Keep at most so many training texts, chosen by content, each class in proportion.

    Validation and test part stay whole, so that figures stay comparable. Texts of several labels are one class here.

    Args:
        dataset: checked, split texts.
        examples: texts to keep.

    Example:
        >>> whole = Split(tuple("abcdef"), np.array([0, 1, 0, 1, 0, 1]))
        >>> part = Split(("x",), np.array([0]))
        >>> dataset = TextDataset("letters", "here", "-", ("v", "c"), whole, part, part, "0")
        >>> limit_training(dataset, 4).train.labels.tolist()
        [0, 1, 0, 1]
    """
    labels = dataset.train.labels
    if examples >= len(labels):
        return dataset
    if dataset.multi_label:
        labels = np.zeros(len(labels), dtype=np.int64)
    counts = np.bincount(labels, minlength=len(dataset.label_names))
    chosen: list[int] = []
    for index, count in enumerate(counts):
        ranked = sorted(np.flatnonzero(labels == index).tolist(), key=lambda row: _digest(dataset.train.texts[row]))
        chosen += ranked[: max(1, round(examples * count / len(labels)))] if ranked else []
    train = take(dataset.train, sorted(chosen))
    note = f"{len(train.texts):,} of the {plural(len(labels), 'training text')} were kept, as asked"
    parts = [train, dataset.validation, dataset.test]
    return replace(
        dataset,
        train=train,
        fingerprint=fingerprint(dataset.label_names, parts),
        notes=(*dataset.notes, note),
    )


def fingerprint(label_names: Sequence[str], parts: Sequence[Split]) -> str:
    """SHA-256 of names, texts, labels, groups and parts, in order: equal fingerprints mean equal data.

    Example:
        >>> part = Split(("a",), np.array([0]))
        >>> fingerprint(["x"], [part]) == fingerprint(["x"], [part, part])
        False
    """
    digest = hashlib.sha256()
    for text in (*label_names, *(text for part in parts for text in part.texts)):
        content = text.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    for part in parts:
        digest.update(len(part.labels).to_bytes(8, "little"))
        digest.update(np.ascontiguousarray(part.labels, dtype="<i8").tobytes())
        if part.groups is not None:
            digest.update(b"groups" + np.ascontiguousarray(part.groups, dtype="<i8").tobytes())
    return digest.hexdigest()


def split_words(number: int) -> str:
    """What a data set's note says of the number of its split.

    Example:
        >>> split_words(0), split_words(3)
        ('', ' (split 3)')
    """
    return f" (split {number})" if number else ""


def _part_size(share: float, most: float, count: int) -> int:
    return max(1, round(min(share * count, most)))


def _digest(text: str, number: int = 0) -> bytes:
    """By what texts are ranked: of split 0 the hash of their words, of another one with its number before them."""
    salt = f"{number}\n".encode() if number else b""
    return hashlib.sha256(salt + content_key(text).encode("utf-8", "surrogatepass")).digest()


def _was(number: int) -> str:
    return "was" if number == 1 else "were"
