"""What errors and notes advise where labels look as if they were written otherwise than was said."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from gatewise import words
from gatewise.data.apart import Splitter
from gatewise.data.label_names import list_of_labels
from gatewise.data.records import Split, TextDataset
from gatewise.errors import DataError
from gatewise.kinds.classification.label_sets import looks_multi_label

__all__ = [
    "advising",
    "other_separator",
    "refuse_lists",
    "separated_otherwise",
    "several_note",
    "uneven_note",
    "with_advice",
]

_NEARLY_ALL = 0.9


@contextmanager
def advising(advice: str) -> Iterator[None]:
    """Put advice, where there is any, before the fix of an error that is about labels as they are written."""
    try:
        yield
    except DataError as error:
        if not advice:
            raise
        joint = " Else " if advice.endswith("?") else "; else "
        fix = f"{advice}{joint}{error.fix}" if error.fix else advice
        raise DataError(error.message, expected=error.expected, got=error.got, fix=fix) from error


def with_advice(split: Splitter, advice: str) -> Splitter:
    """A splitter whose errors, which are of the labels of the training file, say first what may be wrong with them."""

    def advised(whole: Split, names: Sequence[str], place: str, *, with_test: bool) -> list[Split]:
        with advising(advice):
            return split(whole, names, place, with_test=with_test)

    return advised


def several_note(found: tuple[str, int], labels: int) -> str:
    """The note on labels that hold a separator, which was not given: (it, in how many), of so many labels."""
    sign, many = found
    return (
        f"{many:,} of {labels:,} labels hold '{sign}' and are taken for classes of their own; "
        f"if a text has several labels, add --separator '{sign}'"
    )


def uneven_note(dataset: TextDataset) -> list[str]:
    """A note where one label has nearly all texts, so that accuracy says little, and no other figure was chosen.

    Example:
        >>> train = Split(tuple("abcdefghijklmnopqrst"), np.array([0] * 19 + [1]))
        >>> test = Split(("u", "v"), np.array([0, 1]))
        >>> mails = TextDataset("mails", "here", "-", ("ham", "spam"), train, test, test, "mails")
        >>> print(*uneven_note(mails))  # doctest: +NORMALIZE_WHITESPACE
        95.0 % of the training texts are 'ham', which always answering it gets right too; 1 of the test texts is not:
        --metric macro-f1 or auroc judges by how well such are told apart, --class-weight balanced trains for it
    """
    if dataset.multi_label or dataset.metric is not None or not len(dataset.train.labels):
        return []
    counts = np.bincount(dataset.train.labels, minlength=len(dataset.label_names))
    most, share = int(counts.argmax()), float(counts.max() / counts.sum())
    if share < _NEARLY_ALL:
        return []
    others = int((dataset.test.labels != most).sum())
    return [
        f"{words.share(share)} of the training texts are {dataset.label_names[most]!r}, which always answering it gets "
        f"right too; {others:,} of the test texts {'is' if others == 1 else 'are'} not: --metric macro-f1 or auroc "
        "judges by how well such are told apart, --class-weight balanced trains for it"
    ]


def refuse_lists(labels: Sequence[str], path: Path) -> None:
    """Refuse labels that are lists, as tables of Python write them, where no separator says that there are several.

    Raises:
        DataError: every label is a list, and some list has not one label.
    """
    lists = [list_of_labels(label) for label in labels]
    if any(found is None for found in lists) or all(len(found or ()) == 1 for found in lists):
        return
    several = next(label for label, found in zip(labels, lists, strict=True) if len(found or ()) != 1)
    sign = next((sign for sign in "|;/" if not any(sign in label for label in labels)), "|")
    raise DataError(
        f"the labels in {path} are lists",
        expected="one label a text, or --separator where a text may have several",
        got=several,
        fix=f"add --separator '{sign}'",
    )


def separated_otherwise(labels: Sequence[str], separator: str) -> str:
    """A guess where the labels cannot be used: another sign in a tenth of them, and the given one in none."""
    for sign in "|;,":
        many = sum(sign in label for label in labels)
        if 10 * many >= len(labels) and not any(separator in label for label in labels):
            return _is_meant(separator, sign, many)
    return ""


def _is_meant(separator: str, sign: str, many: int) -> str:
    verb = "contains" if many == 1 else "contain"
    return f"no label contains {separator!r}, but {many:,} {verb} {sign!r}: is --separator '{sign}' meant?"


def other_separator(labels: Sequence[str], separator: str) -> list[str]:
    """A note where no label holds the separator that was given, and many look separated by another sign."""
    if any(separator in label for label in labels):
        return []
    found = looks_multi_label(labels)
    if found is None:
        return []
    return [_is_meant(separator, *found)]
