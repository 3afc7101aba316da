"""Texts with several labels, or none: reading label sets, splitting them, and noticing files that hold them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gatewise.data.duplicates import token_key
from gatewise.data.records import Labels, Split
from gatewise.data.splits import distinct_rows, hold_out
from gatewise.data.tables import Table
from gatewise.errors import DataError, did_you_mean
from gatewise.kinds.classification.spec import DataSpec

__all__ = [
    "all_have_one",
    "check_separator",
    "distinct_sets",
    "indicator_sets",
    "label_table",
    "looks_multi_label",
    "may_have_several",
    "number_labels",
    "parse_labels",
    "split_sets",
]

LabelSet = tuple[str, ...]
_SIGNS = ("|", ";", ",", "/", "+", "&")
_LEAST_SHARE = 0.02


def check_separator(separator: str) -> str:
    """Refuse a separator that separates nothing.

    Raises:
        DataError: it is empty or white space.
    """
    if not separator.strip():
        raise DataError("the separator of labels is blank", expected="a sign such as |", got=repr(separator))
    return separator


def parse_labels(written: str, separator: str) -> LabelSet:
    """The labels of a text, sorted, each once; none of a blank one.

    Example:
        >>> parse_labels("b| a|b", "|"), parse_labels("", "|")
        (('a', 'b'), ())
    """
    return tuple(sorted({part.strip() for part in written.split(separator) if part.strip()}))


def all_have_one(labels: Sequence[str], separator: str) -> bool:
    """Whether each text has exactly one label, so that they are classes.

    Example:
        >>> all_have_one(["a", "b"], "|"), all_have_one(["a", "a|b"], "|"), all_have_one(["a", ""], "|")
        (True, False, False)
    """
    return all(len(parse_labels(written, separator)) == 1 for written in labels)


def number_labels(table: Table, names: Sequence[str], unknown: str) -> Labels:
    """The label of each text as its place among known names, (N,).

    Args:
        table: texts with one label each.
        names: the labels in order.
        unknown: says what is wrong with another label, which stands in place of ``{}``.

    Raises:
        DataError: naming the line of the first label that is not among the names.

    Example:
        >>> table = Table(Path("reviews.csv"), ["fine", "dull"], ["good", "bad"], [2, 3])
        >>> number_labels(table, ("bad", "good"), "the network does not know the label {}").tolist()
        [1, 0]
    """
    place_of = {name: index for index, name in enumerate(names)}
    for line, name in zip(table.lines, table.labels, strict=True):
        if name not in place_of:
            raise DataError(
                f"{table.path}, {table.unit} {line}: {unknown.format(repr(name))}",
                expected=", ".join(names),
                fix=did_you_mean(name, names),
            )
    return np.array([place_of[name] for name in table.labels], dtype=np.int64)


def label_table(
    sets: Sequence[LabelSet], names: Sequence[str], places: Iterable[str] | None = None, *, known_by: str = "the data"
) -> Labels:
    """Label sets as (N, C) zeros and ones.

    Args:
        sets: of N texts.
        names: the C labels.
        places: where each set stands, for messages.
        known_by: what has the names, for messages.

    Raises:
        DataError: a label that is not among the names.

    Example:
        >>> label_table([("a", "c"), ()], ["a", "b", "c"]).tolist()
        [[1, 0, 1], [0, 0, 0]]
    """
    place_of = {name: index for index, name in enumerate(names)}
    found = np.zeros((len(sets), len(names)), dtype=np.int64)
    where = list(places) if places is not None else [f"text {number}" for number in range(len(sets))]
    for row, labels in enumerate(sets):
        for label in labels:
            if label not in place_of:
                raise DataError(
                    f"{where[row]}: the label {label!r} is not in {known_by}",
                    expected=", ".join(names),
                    fix=did_you_mean(label, names),
                )
            found[row, place_of[label]] = 1
    return found


def may_have_several(data: DataSpec) -> bool | None:
    """Whether texts may have several labels, by the settings alone; None: the file has to be read for that.

    Example:
        >>> from gatewise.kinds.classification.spec import DataSpec
        >>> may_have_several(DataSpec("imdb")), may_have_several(DataSpec("news.csv", separator="|"))
        (False, True)
    """
    if data.separator is not None:
        return True
    if (data.label is not None and "," not in data.label) or not Path(data.data).expanduser().is_file():
        return False
    return None


def indicator_sets(labels: Any, *, every: bool = True) -> tuple[list[LabelSet], tuple[str, ...]] | None:
    """The label sets of an array or DataFrame (N, C), C at least 2, of zeros and ones: (them, the C names).

    The names are those of a DataFrame's columns, else their numbers from 0. None: labels are no such table. With
    ``every`` each column has to hold a 1.

    Raises:
        DataError: a value that is neither 0 nor 1, a column without a 1, or two columns of one name.

    Example:
        >>> indicator_sets(np.array([[1, 0], [1, 1], [0, 0]]))
        ([('0',), ('0', '1'), ()], ('0', '1'))
        >>> indicator_sets([["a"], []]) is None
        True
    """
    if not hasattr(labels, "__array__") or getattr(labels, "ndim", 1) != 2 or labels.shape[1] < 2:
        return None
    table = np.asarray(labels)
    names = tuple(map(str, getattr(labels, "columns", range(table.shape[1]))))
    marks = table == 1
    if not (marks | (table == 0)).all():
        raise DataError("labels have several columns with other values than 0 and 1", fix="give one label a text")
    for place, name in enumerate(names):
        if names.count(name) > 1 or (every and not marks[:, place].any()):
            what = "comes twice" if names.count(name) > 1 else "marks no text"
            raise DataError(f"the column {name!r} of the labels {what}", fix="omit it")
    return [tuple(sorted(names[place] for place in np.flatnonzero(row))) for row in marks], names


def distinct_sets(texts: Sequence[str], labels: Labels) -> tuple[list[int], list[str]]:
    """Keep each text once, with the label set that it has most often: (rows that are kept, notes).

    Example:
        >>> distinct_sets(["a", "b", "a"], np.array([[1, 0], [0, 0], [1, 0]]))
        ([0, 1], ['1 repeated text was dropped'])
    """
    _, numbers = np.unique(labels, axis=0, return_inverse=True)
    numbers = numbers.reshape(-1).astype(np.int64)
    rows, chosen, notes = distinct_rows(texts, numbers)
    first: dict[tuple[str, int], int] = {}
    for row, number in enumerate(numbers.tolist()):
        first.setdefault((token_key(texts[row]), number), row)
    kept = [first[token_key(texts[row]), number] for row, number in zip(rows, chosen.tolist(), strict=True)]
    return kept, [note.replace("several labels", "several label sets") for note in notes]


def split_sets(whole: Split, names: Sequence[str], place: str, *, with_test: bool, number: int = 0) -> list[Split]:
    """Split by content, stratified by the rarest label of each text (as `hold_out` does by class).

    Args:
        whole: distinct texts; labels (N, C).
        names: the labels.
        place: the file, for messages.
        with_test: whether a test part is wanted too.
        number: of the split.

    Returns:
        [train, validation, test]

    Raises:
        DataError: a label comes with fewer texts than there are parts, or there are too few texts.
    """
    needed = 3 if with_test else 2
    counts = whole.labels.sum(axis=0)
    for name, count in zip(names, counts.tolist(), strict=True):
        if count < needed:
            raise DataError(
                f"the label {name!r} has {count:,} text{'' if count == 1 else 's'} in {place}",
                expected=f"at least {needed} different ones, to train on and to test with",
                fix="add texts with this label, or delete it",
            )
    weight = np.where(whole.labels > 0, counts[None], counts.max() + 1)
    strata = np.where(whole.labels.any(axis=1), weight.argmin(axis=1), len(names)).astype(np.int64)
    sizes = np.bincount(strata, minlength=len(names) + 1)
    small = (sizes > 0) & (sizes < needed)
    if small.any():  # such texts join the largest stratum
        strata[small[strata]] = int(sizes.argmax())
    used, numbers = np.unique(strata, return_inverse=True)
    grouped = Split(whole.texts, numbers.astype(np.int64), whole.groups)
    strata_names = [[*names, "(no label)"][int(each)] for each in used]
    parts = hold_out(grouped, strata_names, place, with_test=with_test, number=number)
    row_of = {text: row for row, text in enumerate(whole.texts)}
    found = []
    for part in parts:
        chosen = [row_of[text] for text in part.texts]
        found.append(part._replace(labels=whole.labels[np.array(chosen, dtype=np.int64)]))
    return found


def looks_multi_label(labels: Sequence[str]) -> tuple[str, int] | None:
    """The separator of labels that look like several per text, and how many do; None: they do not.

    So they look where one sign stands in at least 2 % of them, at least twice, and every label that it separates is
    shared: there are fewer different parts than different labels.

    Example:
        >>> looks_multi_label(["a", "b|a", "b", "a|c", "c"])
        ('|', 2)
        >>> looks_multi_label(["Poland, south", "France", "Poland, south"]) is None
        True
    """
    different = Counter(labels)
    for sign in _SIGNS:
        joined = {label: count for label, count in different.items() if sign in label.strip(sign)}
        many = sum(joined.values())
        if len(joined) < 2 or many < _LEAST_SHARE * len(labels):
            continue
        parts = Counter(part for label in different for part in parse_labels(label, sign))
        shared = all(parts[part] > 1 for label in joined for part in parse_labels(label, sign))
        if shared and len(parts) < len(different):
            return sign, many
    return None
