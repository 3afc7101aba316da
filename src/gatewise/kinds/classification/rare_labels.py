"""Labels of few texts: left out where that is asked for, else named in errors and notes. Imports no torch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

import numpy as np

from gatewise.data.apart import Splitter
from gatewise.data.records import Labels, Split
from gatewise.data.splits import distinct_rows
from gatewise.data.tables import Table
from gatewise.errors import DataError
from gatewise.kinds.classification.label_sets import distinct_sets, label_table, parse_labels
from gatewise.words import plural

__all__ = ["drop_rare", "known_alone", "naming_the_option", "rare_note", "reading_without", "without_labels"]

_OPTION = "--drop-labels-below"
_SHOWN = 20
_RARE = 10
"""Of a class with fewer texts the test part has one or two."""


def drop_rare(table: Table, below: int, separator: str | None = None) -> tuple[Table, frozenset[str]]:
    """Leave out labels that have fewer different texts than ``below``, and say so in a note.

    Of a text with several labels the others stay; a text all of whose labels are left out is left out, too.

    Args:
        table: texts and labels.
        below: texts that a label needs to stay.
        separator: of the labels, where a text may have several.

    Returns:
        The table, and the labels that are left out.

    Raises:
        DataError: fewer labels would be left than can be told apart.

    Example:
        >>> from pathlib import Path
        >>> texts = ["a", "b", "c", "d", "e"]
        >>> table = Table(Path("moods.csv"), texts, ["sad", "sad", "glad", "glad", "odd"], [2, 3, 4, 5, 6])
        >>> left, dropped = drop_rare(table, 2)
        >>> left.texts, sorted(dropped), left.notes
        (['a', 'b', 'c', 'd'], ['odd'], ['1 label of fewer than 2 texts is left out, with 1 text: odd (1)'])
    """
    left, gone = table, Counter[str]()
    while True:
        counts = _different_texts(left, separator)
        rare = {name: count for name, count in counts.items() if count < below}
        if not rare:
            break
        if len(counts) - len(rare) < (2 if separator is None else 1):
            raise _too_few(table, below, _different_texts(table, separator), separator)
        gone.update(rare)
        left = without_labels(left, rare, separator)
    if not gone:
        return table, frozenset()
    return replace(left, notes=[*table.notes, _note(table, left, gone, below, separator)]), frozenset(gone)


def without_labels(table: Table, names: Collection[str], separator: str | None = None) -> Table:
    """A table without some labels: see `drop_rare`."""
    labels = list(table.labels)
    keep = [row for row, label in enumerate(labels) if label not in names]
    if separator is not None:
        sets = [parse_labels(label, separator) for label in labels]
        kept = [[name for name in found if name not in names] for found in sets]
        labels = [separator.join(found) for found in kept]
        keep = [row for row, (before, after) in enumerate(zip(sets, kept, strict=True)) if after or not before]
    return replace(
        table,
        texts=[table.texts[row] for row in keep],
        labels=[labels[row] for row in keep],
        lines=[table.lines[row] for row in keep],
        groups=[table.groups[row] for row in keep] if table.groups else [],
    )


def known_alone(table: Table, names: Collection[str], separator: str | None = None) -> Table:
    """A table to measure a network on that was trained without some labels: without those, which a note counts.

    As it is where no text would be left.
    """
    written = (
        table.labels if separator is None else [each for one in table.labels for each in parse_labels(one, separator)]
    )
    unknown = Counter(label for label in written if label not in names)
    left = without_labels(table, unknown, separator)
    if not unknown or not left.texts:
        return table
    note = (
        f"{plural(len(unknown), 'label')} left out of the training {'is' if len(unknown) == 1 else 'are'} left out here"
    )
    count = len(table.texts) - len(left.texts)
    return replace(left, notes=[*table.notes, f"{note}, with {plural(count, 'text')}: {_listed(unknown, '{} ({:,})')}"])


def naming_the_option(split: Splitter) -> Splitter:
    """A splitter that refuses labels of fewer texts than there are parts with the option that leaves them out."""

    def checked(whole: Split, names: Sequence[str], place: str, *, with_test: bool) -> list[Split]:
        counts, needed = _counts(whole.labels, len(names)), 3 if with_test else 2
        rare = [name for name, count in zip(names, counts, strict=True) if count < needed]
        if rare:
            count = counts[names.index(rare[0])]
            what = "class" if whole.labels.ndim == 1 else "label"
            others = f", and {plural(len(rare) - 1, f'other {what}')} as few" if len(rare) > 1 else ""
            classes = what if len(rare) == 1 else "classes" if what == "class" else "labels"
            left_out = f"leave out labels of few texts: {_OPTION} {needed}"
            if len(names) - len(rare) < 2:
                left_out = "choose another column with --label; for sentence pairs: --task translation"
            raise DataError(
                f"the {what} {rare[0]!r} has {plural(count, 'text')} in {place}{others}",
                expected=f"at least {needed} different ones, to train on and to test with",
                fix=f"add texts of the {classes}, or {left_out}",
            )
        return split(whole, names, place, with_test=with_test)

    return checked


def rare_note(labels: Labels, names: Sequence[str]) -> list[str]:
    """A note where some labels have so few texts that nothing can be said of them, and others have enough.

    Example:
        >>> print(*rare_note(np.repeat([0, 1, 2], [40, 30, 4]), ["glad", "sad", "odd"]))
        1 label has fewer than 10 texts, of which one or two are tested (odd: 4): --drop-labels-below 10 leaves it out
    """
    counts = dict(zip(names, _counts(labels, len(names)), strict=True))
    rare = {name: count for name, count in counts.items() if count < _RARE}
    if not rare or len(counts) - len(rare) < 2:
        return []
    have, them = ("has", "it") if len(rare) == 1 else ("have", "them")
    return [
        f"{plural(len(rare), 'label')} {have} fewer than {_RARE} texts, of which one or two are tested "
        f"({_listed(rare, '{}: {:,}')}): {_OPTION} {_RARE} leaves {them} out"
    ]


def _counts(labels: Labels, classes: int) -> list[int]:
    """How many texts have each label."""
    found = np.bincount(labels, minlength=classes) if labels.ndim == 1 else labels.sum(axis=0)
    return [int(count) for count in found]


def _different_texts(table: Table, separator: str | None) -> Counter[str]:
    """How many different texts each label has, as they are counted later."""
    if separator is None:
        names = sorted(set(table.labels))
        place_of = {name: place for place, name in enumerate(names)}
        numbers = np.array([place_of[label] for label in table.labels], dtype=np.int64)
        _, chosen, _ = distinct_rows(table.texts, numbers)
        return Counter(dict(zip(names, _counts(chosen, len(names)), strict=True)))
    sets = [parse_labels(label, separator) for label in table.labels]
    names = sorted({name for found in sets for name in found})
    labels = label_table(sets, names)
    rows, _ = distinct_sets(table.texts, labels)
    return Counter(dict(zip(names, _counts(labels[rows], len(names)), strict=True)))


def _note(table: Table, left: Table, gone: Counter[str], below: int, separator: str | None) -> str:
    is_, texts = "is" if len(gone) == 1 else "are", len(table.texts) - len(left.texts)
    what = f"{plural(len(gone), 'label')} of fewer than {below} texts {is_} left out, with {plural(texts, 'text')}"
    if separator is not None:
        what += f" that {'has' if texts == 1 else 'have'} no other"
    return f"{what}: {_listed(gone, '{} ({:,})')}"


def _listed(counts: Counter[str] | dict[str, int], form: str) -> str:
    """Labels with their numbers of texts, the most frequent first."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    more = f" and {plural(len(ranked) - _SHOWN, 'other')}" if len(ranked) > _SHOWN else ""
    return ", ".join(form.format(name, count) for name, count in ranked[:_SHOWN]) + more


def _too_few(table: Table, below: int, counts: Counter[str], separator: str | None) -> DataError:
    needed = 2 if separator is None else 1
    most = counts.most_common()
    left = sum(count >= below for _, count in most)
    least = most[needed - 1][1] if len(most) >= needed else 0
    return DataError(
        f"{_OPTION} {below} leaves {plural(left, 'label')} of {len(counts):,} in {table.path}",
        expected=f"at least {needed}",
        got=f"texts of the most frequent: {_listed(dict(most[:3]), '{} {:,}')}",
        fix=f"lower it, to {least} at most" if least >= 2 else f"omit {_OPTION}",
    )


Reader = Callable[..., Table]


def reading_without(read: Reader, names: Collection[str], separator: str | None = None) -> Reader:
    """A reader of the test file, whose texts of labels that are left out are not tested; a note counts them."""

    def without(*given: object, **options: object) -> Table:
        table = read(*given, **options)
        left = without_labels(table, names, separator)
        count = len(table.texts) - len(left.texts)
        if not count:
            return left
        are = "is" if count == 1 else "are"
        note = f"{plural(count, 'text')} of {table.path.name} {are} not tested: of labels that are left out"
        return replace(left, notes=[*table.notes, note])

    return without if names else read
