"""Which of two columns holds texts and which their labels, by the values alone."""

from __future__ import annotations

import shlex
from pathlib import Path

from gatewise.data.rows import MISSING, Rows
from gatewise.errors import DataError

__all__ = ["are_labels", "are_texts", "filled", "refuse_swapped", "text_and_label_by_values"]

_DISTINCT_TEXTS = 0.7
_DISTINCT_LABELS = 0.5
_LETTERS = 0.9
_LEAST = 10
"""Rows, of which fewer show nothing."""


def text_and_label_by_values(rows: Rows, group: str | None = None) -> tuple[str, str] | None:
    """The names of the columns of texts and labels; None: there are not two columns, or their values do not show it.

    Texts hold letters (nine tenths of them) and seldom repeat (at least seven of ten are distinct); of labels at most
    half are distinct.

    Args:
        rows: of a table whose column names say nothing.
        group: a column that holds neither.

    Raises:
        DataError: the first line is a record and not the columns' names.

    Example:
        >>> from pathlib import Path
        >>> values = [["ein Hund", "Tier"], ["eine Katze", "Tier"], ["ein Haus", "Ding"], ["ein Auto", "Ding"]]
        >>> text_and_label_by_values(Rows(Path("a.csv"), ("wort", "art"), values, [2, 3, 4, 5]))
        ('wort', 'art')
    """
    places = [place for place, name in enumerate(rows.columns) if name != group]
    if len(places) != 2 or rows.columns[places[0]] == rows.columns[places[1]]:
        return None
    for text, label in (places, places[::-1]):
        if are_texts(filled(rows, text)) and are_labels(filled(rows, label)):
            _refuse_record_as_names(rows, text, label)
            return rows.columns[text], rows.columns[label]
    return None


def refuse_swapped(rows: Rows, text: int, label: int) -> None:
    """Refuse texts that repeat as labels do beside labels that seldom repeat and are longer, as texts are.

    Args:
        rows: of a table.
        text: place of the column that is read as the texts.
        label: of the column that is read as the labels.

    Raises:
        DataError: the two columns seem to be swapped.

    Example:
        >>> from pathlib import Path
        >>> values = [["Tier" if number % 2 else "Ding", f"ein Ding mit der Nummer {number}"] for number in range(20)]
        >>> refuse_swapped(Rows(Path("a.csv"), ("art", "wort"), values, list(range(20))), 1, 0)
        >>> refuse_swapped(Rows(Path("a.csv"), ("art", "wort"), values, list(range(20))), 0, 1)
        Traceback (most recent call last):
        gatewise.errors.DataError: texts and labels of a.csv seem to be swapped; expected: texts that differ, and labels
        that repeat; got: 2 different texts, 20 different labels in 20 rows; fix: --text wort --label art
    """
    texts, labels = filled(rows, text), filled(rows, label)
    if len(rows.values) < _LEAST or not (are_texts(labels) and are_labels(texts)):
        return
    if sum(len(str(each)) for each in labels) <= sum(len(str(each)) for each in texts):
        return
    raise DataError(
        f"texts and labels of {rows.path.name} seem to be swapped",
        expected="texts that differ, and labels that repeat",
        got=f"{len(set(map(str, texts))):,} different texts, {len(set(map(str, labels))):,} different labels in "
        f"{len(rows.values):,} rows",
        fix=f"--text {shlex.quote(rows.columns[label])} --label {shlex.quote(rows.columns[text])}",
    )


def filled(rows: Rows, place: int) -> list[object]:
    """The values of a column that are not empty."""
    return [row[place] for row in rows.values if row[place] is not MISSING and row[place] not in (None, "")]


def are_texts(values: list[object]) -> bool:
    """Whether values hold letters and seldom repeat."""
    texts = [value for value in values if isinstance(value, str)]
    lettered = sum(any(sign.isalpha() for sign in text) for text in texts)
    return len(set(texts)) >= _DISTINCT_TEXTS * len(values) > 0 and lettered >= _LETTERS * len(values)


def are_labels(values: list[object]) -> bool:
    """Whether values repeat, and are not all the same."""
    return 2 <= len({str(value) for value in values}) <= _DISTINCT_LABELS * len(values)


def _refuse_record_as_names(rows: Rows, text: int, label: int) -> None:
    if any(rows.columns[label] == str(row[label]).strip() for row in rows.values):
        raise DataError(
            f"{rows.path} seems to have no line with the names of its columns",
            expected="names of the columns in the first line",
            got=f"{rows.columns[label]!r}, which is a label of other lines too",
            fix="put a line above it that names them: "
            + _names(rows.path, ("text", "label") if text < label else ("label", "text")),
        )


def _names(path: Path, names: tuple[str, str]) -> str:
    """A line of names for a file; of one that may be running text too, how it is read as such."""
    if path.suffix.lower() not in (".txt", ".text"):
        return ",".join(names)
    return f"{names[0]}, a tab, {names[1]}; to read it as running text: --task language-modelling"
