"""Labels in columns of their own, in which a 1 marks the texts that have them: ``text,toxic,insult,threat``."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from gatewise.data.rows import Rows
from gatewise.errors import DataError, did_you_mean

__all__ = ["JOINT", "label_column_names", "marked_labels", "text_and_marks_by_values", "without_index"]

JOINT = "|"
"""What joins the names of a text's labels where no separator is given."""

_YES = frozenset(("1", "1.0", "true", "yes"))
_NO = frozenset(("0", "0.0", "false", "no"))
_INDEX_NAMES = ("unnamed: ", "__index_level_")
_TEXT_WORDS = 3.0
_LEAST_LABELS = 2


def label_column_names(names: Sequence[str], asked: str | None) -> list[str]:
    """The several columns of labels that are asked for, separated by commas; empty where one column is meant.

    Args:
        names: of a table's columns.
        asked: as given with ``--label``.

    Raises:
        DataError: some of the names are columns and others are not.

    Example:
        >>> label_column_names(["text", "toxic", "threat"], "toxic, threat")
        ['toxic', 'threat']
        >>> label_column_names(["text", "toxic, threat"], "toxic, threat"), label_column_names(["text"], "a,b")
        ([], [])
    """
    if asked is None or asked in names or "," not in asked:
        return []
    parts = list(dict.fromkeys(part.strip() for part in asked.split(",") if part.strip()))
    known = [part for part in parts if part in names]
    if not known:
        return []
    for part in parts:
        if names.count(part) != 1:
            what = "is not a column" if part not in names else "is the name of several columns"
            raise DataError(f"the label {part!r} {what}", got=", ".join(names), fix=did_you_mean(part, names))
    return known if len(known) >= _LEAST_LABELS else []


def marked_labels(rows: Rows, index: int, labels: Sequence[str], separator: str | None = None) -> str:
    """The names of the columns that a row marks with 1, joined; empty where it marks none.

    Args:
        rows: of a table.
        index: of the row.
        labels: names of columns.
        separator: that joins them; None: `JOINT`.

    Raises:
        DataError: a value is neither 0 nor 1 (nor true, false, yes, no), or a name holds the separator.

    Example:
        >>> from pathlib import Path
        >>> rows = Rows(Path("a.csv"), ("text", "toxic", "threat"), [["go", "1", "0"], ["stay", 0.0, False]], [2, 3])
        >>> marked_labels(rows, 0, ["toxic", "threat"]), marked_labels(rows, 1, ["toxic", "threat"])
        ('toxic', '')
    """
    sign = JOINT if separator is None else separator
    found = []
    for name in labels:
        value = rows.values[index][rows.columns.index(name)]
        mark = _mark(value)
        if mark is None:
            raise DataError(
                f"{rows.place(index)}: the column {name!r} does not say whether the text has this label",
                expected="1 or 0, or true or false, in each of several columns of labels",
                got=repr(value),
                fix="fill these rows or delete them, or name one column that holds the labels: --label COLUMN",
            )
        if sign in name:
            raise DataError(
                f"the column {name!r} holds {sign!r}, which is to separate labels",
                expected="a separator that stands in no name of a label",
                fix="choose another --separator",
            )
        if mark:
            found.append(name)
    return sign.join(found)


def text_and_marks_by_values(rows: Rows, text: str | None, group: str | None = None) -> tuple[str, str] | None:
    """The columns of texts and of marked labels of a table that has no column of labels; None: it is none such.

    So it is where two columns or more hold nothing but 0 and 1 (or true and false), each of which occurs, one holds
    texts, and every other is different in each row, as a number of the row is.

    Args:
        rows: of a table.
        text: the column of the texts; None: the one of all that holds several words a row.
        group: a column that is neither.

    Returns:
        (name of the texts' column, names of the labels' columns separated by commas)

    Example:
        >>> from pathlib import Path
        >>> values = [["7a", "you are a fool", "1", "0"], ["7b", "see you at noon", "0", "1"]]
        >>> text_and_marks_by_values(Rows(Path("a.csv"), ("id", "comment_text", "rude", "odd"), values, [2, 3]), None)
        ('comment_text', 'rude,odd')
    """
    places = [place for place, name in enumerate(rows.columns) if name != group]
    columns = {place: [row[place] for row in rows.values] for place in places}
    marks = [place for place in places if rows.columns[place] != text and _are_marks(columns[place])]
    names = [rows.columns[place] for place in marks]
    if len(marks) < _LEAST_LABELS or len(set(rows.columns)) < len(rows.columns) or any("," in name for name in names):
        return None
    if not all(names) or (text is not None and text not in rows.columns):
        return None
    others = [place for place in places if place not in marks]
    wordy = [place for place in others if rows.columns[place] == text or (text is None and _are_wordy(columns[place]))]
    if len(wordy) != 1:
        return None
    if any(len({str(value) for value in columns[place]}) < len(rows.values) for place in others if place not in wordy):
        return None
    return rows.columns[wordy[0]], ",".join(names)


def without_index(rows: Rows, keep: Collection[str | None] = ()) -> Rows:
    """A table without a column that has no name of its own and counts the rows, as spreadsheets and pandas leave one.

    Args:
        rows: of a table.
        keep: names of columns that are asked for.

    Example:
        >>> from pathlib import Path
        >>> without_index(Rows(Path("a.csv"), ("", "text"), [["0", "good"], ["1", "bad"]], [2, 3])).columns
        ('text',)
    """
    kept = [
        place
        for place, name in enumerate(rows.columns)
        if name in keep or not (_is_nameless(name) and _counts(rows, place))
    ]
    if len(kept) == len(rows.columns):
        return rows
    values = [[row[place] for place in kept] for row in rows.values]
    return replace(rows, columns=tuple(rows.columns[place] for place in kept), values=values)


def _is_nameless(name: str) -> bool:
    return not name.strip() or name.casefold().startswith(_INDEX_NAMES)


def _counts(rows: Rows, place: int) -> bool:
    """Whether a column holds whole numbers none of which comes twice."""
    found = [str(row[place]).strip() for row in rows.values]
    return all(value.isdecimal() for value in found) and len(set(found)) == len(found)


def _mark(value: Any) -> bool | None:
    written = str(value).strip().casefold()
    return True if written in _YES else False if written in _NO else None


def _are_marks(values: Sequence[Any]) -> bool:
    return {_mark(value) for value in values} == {True, False}


def _are_wordy(values: Sequence[Any]) -> bool:
    texts = [value for value in values if isinstance(value, str)]
    return len(texts) == len(values) and sum(len(text.split()) for text in texts) >= _TEXT_WORDS * len(texts)
