"""A user's file (CSV, TSV, JSONL, Parquet) to texts and labels; every error names the line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gatewise.data.blank_rows import refuse_blank, without_blank
from gatewise.data.chats import chat_text
from gatewise.data.comma_names import one_column_note
from gatewise.data.label_columns import (
    label_column_names,
    marked_labels,
    text_and_marks_by_values,
    without_index,
)
from gatewise.data.label_names import label_name
from gatewise.data.likely_columns import UndecidedError, likely_options
from gatewise.data.rows import MISSING, Rows, read_rows
from gatewise.data.text_or_label import refuse_swapped, text_and_label_by_values
from gatewise.data.usual_names import known_column, neither_named
from gatewise.errors import DataError, did_you_mean

__all__ = [
    "MAX_CHARACTERS",
    "Table",
    "check_lengths",
    "find_text_columns",
    "joined_note",
    "neither_named",
    "read_table",
    "texts_of",
]

MAX_CHARACTERS = 1_000_000
_WORDS_OF_A_NAME = 5
_COLUMNS_OF_TEXT_AND_LABEL = 2


@dataclass(frozen=True)
class Table:
    """Texts, labels as written, and the line (or row) each came from.

    Attributes:
        path: of the file.
        texts: as they stand.
        labels: stripped of surrounding space.
        lines: line or row of each, as ``unit`` says.
        unit: ``line`` or ``row``.
        notes: what was detected while reading, for the user.
        groups: of each text, as written; empty where no column was asked for.
        columns: of texts and labels, where their values alone showed which they are; else None.
        marked: the columns that mark a label each, in which labels then are joined names; empty: one holds them.
    """

    path: Path
    texts: list[str]
    labels: list[str]
    lines: list[int]
    unit: str = "line"
    notes: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    columns: tuple[str, str] | None = None
    marked: tuple[str, ...] = ()


def read_table(
    path: str | Path,
    text: str | None = None,
    label: str | None = None,
    encoding: str | None = None,
    fallback: str | None = None,
    separator: str | None = None,
    group: str | None = None,
) -> Table:
    """Read texts and labels of a CSV, TSV, JSONL, JSON, Parquet or Excel file.

    Args:
        path: the file; its suffix says its kind, see `gatewise.data.rows.read_rows`.
        text: the column that holds the texts, or several, separated by commas; None: ``text``, or the only one with a
            usual name (``review``, ``sentence``, ``comment`` ...), or the one of two that does not hold the labels.
        label: the column that holds the labels; None: ``label``, likewise (``sentiment``, ``class``, ``category`` ...).
            Of two columns with other names the one whose values repeat holds the labels. Several columns, separated
            by commas, mark a label each with 1 or 0; so do those of a table without a column of labels.
        encoding: of a text format; None: detected.
        fallback: the encoding of a text format that is not UTF-8 where none is given.
        separator: of the labels, where a text may have several or none: a label may then be empty, or a list
            (in JSON, or written as one: ``['a', 'b']``).
        group: the column that holds the texts' groups; None: they have none.

    Returns:
        The checked table; texts unchanged, labels stripped of surrounding space.

    Raises:
        DataError: the file cannot be used; the message names the line and the fix.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "reviews.csv"
        >>> _ = path.write_text("review,mood\\ngood film,glad\\nbad film,sad\\n")
        >>> read_table(path, "review", "mood").labels
        ['glad', 'sad']
    """
    path = Path(path)

    def choose(names: Sequence[str]) -> list[int]:
        if label is None and known_column(names, "label") is None:
            return list(range(len(names)))  # their values decide
        found = _find_columns(path, names, text, label)
        return [*found[0], *found[1], *_group_column(path, names, group)]

    rows = read_rows(path, encoding=encoding, fallback=fallback, choose=choose)
    rows = without_index(rows, keep=(text, label, group))
    _refuse_no_rows(rows)
    derived = _columns_by_values(rows, text, label, group)
    if derived is not None:
        text, label = derived
    try:
        places, answers = _find_columns(path, rows.columns, text, label)
    except UndecidedError as error:
        raise error.with_options(likely_options(rows, text, label, group)) from error
    marked = tuple(rows.columns[place] for place in answers) if len(answers) > 1 else ()
    of_group = _group_column(path, rows.columns, group)
    texts = texts_of(rows, places, complete=True)
    notes = [*rows.notes, *joined_note(rows, places)]
    if (text is None and rows.columns[places[0]] != "text") or (label is None and rows.columns[answers[0]] != "label"):
        notes.append(f"texts are the column {_joined(rows, places)}, labels the column {_joined(rows, answers)}")
    table = Table(path, [], [], [], rows.unit, notes, columns=derived, marked=marked)
    _fill(table, rows, texts, answers, of_group, separator)
    table = _checked(table, empty_labels=separator is not None or bool(marked))
    if separator is None and len(places) == len(answers) == 1:
        refuse_swapped(rows, places[0], answers[0])
    return table


def _fill(
    table: Table,
    rows: Rows,
    texts: Sequence[str],
    answers: Sequence[int],
    of_group: Sequence[int],
    separator: str | None,
) -> None:
    """Put texts, labels and groups of all rows that are not blank into a table."""
    for index, (words, values) in enumerate(zip(texts, rows.values, strict=True)):
        if not any(value is not None for value in values):
            continue  # a blank row of a sheet, as blank lines are
        for place in answers:
            if values[place] is MISSING:
                raise _missing_key(rows, index, place)
        table.texts.append(words)
        if table.marked:
            table.labels.append(marked_labels(rows, index, table.marked, separator))
        else:
            table.labels.append(label_name(values[answers[0]], rows.place(index), separator).strip())
        table.lines.append(rows.numbers[index])
        table.groups.extend(_group_name(values[place]) for place in of_group)


def _checked(table: Table, *, empty_labels: bool) -> Table:
    """Without rows that have no text or no label; rows without a group and texts of many megabytes are refused."""
    labels = None if empty_labels else table.labels
    kept, notes = without_blank(table.path, table.texts, labels, table.lines, table.unit)
    if notes:
        table = replace(
            table,
            texts=[table.texts[place] for place in kept],
            labels=[table.labels[place] for place in kept],
            lines=[table.lines[place] for place in kept],
            groups=[table.groups[place] for place in kept] if table.groups else [],
            notes=[*table.notes, *notes],
        )
    refuse_blank(table.path, "group", table.groups, table.lines[: len(table.groups)], table.unit)
    check_lengths(table.path, table.texts, table.lines, table.unit)
    return table


def _columns_by_values(rows: Rows, text: str | None, label: str | None, group: str | None) -> tuple[str, str] | None:
    """The columns of texts and labels where their values alone show which they are, which a note says."""
    if label is not None or known_column(rows.columns, "label") is not None:
        return None
    place = known_column(rows.columns, "text")
    marks = text_and_marks_by_values(rows, text or (None if place is None else rows.columns[place]), group)
    if marks is not None:
        labels = marks[1].replace(",", ", ")
        rows.notes.append(f"texts are the column {marks[0]}; the columns {labels} mark a label each with 1")
        return marks
    if text is None is place and (found := text_and_label_by_values(rows, group)) is not None:
        rows.notes.append(f"texts are the column {found[0]}, labels the column {found[1]}, whose values repeat")
        return found
    return None


def find_text_columns(path: Path, names: Sequence[str], asked: str | None, usual: str | None = None) -> list[int]:
    """Places of the columns that hold the texts.

    Args:
        path: of the file, for messages.
        names: of its columns.
        asked: a name, or several separated by commas if no column has this very name; None: the usual one.
        usual: what the columns are called if nothing is asked for; None: ``text``.

    Raises:
        DataError: there is no such column, or two.

    Example:
        >>> find_text_columns(Path("a.csv"), ["title", "body", "mood"], "title,body")
        [0, 1]
        >>> find_text_columns(Path("a.csv"), ["ID", "Text"], None)
        [1]
    """
    wanted = usual if asked is None else asked
    if wanted is None and known_column(names, "text") is None:
        of_label = known_column(names, "label")
        if len(names) == 1 or (len(names) == 2 and of_label is not None):
            return [0 if of_label is None else 1 - of_label]
    if asked is None and len(names) == 1 and wanted is not None and wanted not in names:
        return [0]
    parts: list[str | None] = [wanted]
    if wanted is not None and wanted not in names and "," in wanted:
        parts = [*dict.fromkeys(word.strip() for word in wanted.split(",") if word.strip())] or [wanted]
    places = []
    for part in parts:
        _refuse_twice(path, names, part or "text")
        places.append(_find_column(path, names, part, "text", given=asked is not None))
    return places


def texts_of(rows: Rows, places: Sequence[int], *, complete: bool = False) -> list[str]:
    """The text of each row: the columns that are not blank, joined by a line break; empty where all are.

    Args:
        rows: of a table.
        places: of the columns.
        complete: whether a key that a JSON object does not have is an error instead of an empty text.

    Raises:
        DataError: a value is not a string.
    """
    if len(places) == 1 and all(type(row[places[0]]) is str for row in rows.values):
        return [row[places[0]] for row in rows.values]
    texts = []
    for index in range(len(rows.values)):
        parts = [_text(rows, index, place, complete=complete) for place in places]
        texts.append(parts[0] if len(parts) == 1 else "\n".join(part for part in parts if part.strip()))
    return texts


def _text(rows: Rows, index: int, place: int, *, complete: bool) -> str:
    value = rows.values[index][place]
    if isinstance(value, str):
        return value
    if value is MISSING and complete:
        raise _missing_key(rows, index, place)
    if value is None or value is MISSING or (isinstance(value, float) and math.isnan(value)):
        return ""
    if rows.path.suffix.lower() == ".xlsx":  # Excel turns what looks like a number or a date into one
        return str(value)
    chat = chat_text(value)
    if chat is not None:
        return chat
    raise DataError(
        f"{rows.place(index)}: {rows.columns[place]!r} is not a string",
        expected="a text, or a chat: a list of messages, each with content (and role)",
        got=type(value).__name__,
        fix="name another column with --text, or write the text as a string",
    )


def _missing_key(rows: Rows, index: int, place: int) -> DataError:
    keys = [name for name, value in zip(rows.columns, rows.values[index], strict=True) if value is not MISSING]
    return DataError(
        f"{rows.place(index)}: the key {rows.columns[place]!r} is missing", got=", ".join(keys) or "no key"
    )


def joined_note(rows: Rows, places: Sequence[int]) -> list[str]:
    """The note on texts of several columns, of chats, or of a column whose name could mean several; else empty."""
    if any(isinstance(row[place], list) for row in rows.values for place in places):
        return [f"{_joined(rows, places)} of {rows.path.name} holds chats: a message a line, its role before it"]
    if len(places) == 1:
        return one_column_note(rows.columns[places[0]], rows.columns)
    return [f"a text is the columns {_joined(rows, places)}, joined by line breaks"]


def _joined(rows: Rows, places: Sequence[int]) -> str:
    return ", ".join(rows.columns[place] for place in places)


def _refuse_no_rows(rows: Rows) -> None:
    if not rows.values:
        raise DataError(f"{rows.path} has a header but no rows", fix="name a file that has records")


def check_lengths(path: Path, texts: Sequence[str], lines: Sequence[int], unit: str = "line") -> None:
    """Refuse texts of many megabytes: usually a quotation mark that is never closed."""
    for line, value in zip(lines, texts, strict=True):
        if len(value) > MAX_CHARACTERS:
            raise DataError(
                f"{path} has a text of {len(value):,} characters in {unit} {line}",
                expected=f"at most {MAX_CHARACTERS:,}",
                fix="split it into several texts, or look for a quotation mark that is never closed",
            )


def _find_columns(path: Path, names: Sequence[str], text: str | None, label: str | None) -> tuple[list[int], list[int]]:
    """Places of texts and labels: as asked, else by usual names, else the other one of two columns."""
    if several := label_column_names(names, label):
        texts = find_text_columns(path, names, text)
        if both := [names[place] for place in texts if names[place] in several]:
            raise DataError(f"the column {both[0]!r} cannot be both text and label", got=", ".join(names))
        return texts, [names.index(name) for name in several]
    places = {"text": _asked_or_known(names, text, "text"), "label": _asked_or_known(names, label, "label")}
    if text is None is label and neither_named(names):
        if _are_no_names(names):
            raise DataError(
                f"{path.name} seems to have no line with the names of its columns",
                expected="names of the columns in the first line",
                got=", ".join(names),
                fix="put a line above it that names them, as text,label does; the labels are those of which many texts "
                "have the same",
            )
        raise UndecidedError(
            f"which columns of {path.name} hold the texts and the labels?",
            expected="columns called text and label, or usual names for them such as review and sentiment",
            got=", ".join(names),
            fix="name them with --text COLUMN --label COLUMN; for numbers over time: --task forecasting, for "
            "sentence pairs: --task translation; for columns A and B that mark a label each with 1: --label A,B",
        )
    for role, other, asked in (("text", "label", text), ("label", "text", label)):
        taken = places[other]
        if places[role] is None and asked is None and taken is not None and len(names) == 2:
            places[role] = 1 - taken
    of_text, of_label = places["text"], places["label"]
    texts = find_text_columns(path, names, text or (None if of_text is None else names[of_text]))
    _refuse_twice(path, names, label or ("label" if of_label is None else names[of_label]))
    answer = _find_column(path, names, label, "label", given=label is not None) if of_label is None else of_label
    if answer in texts:
        raise DataError(f"the column {names[answer]!r} cannot be both text and label", got=", ".join(names))
    return texts, [answer]


def _refuse_twice(path: Path, names: Sequence[str], name: str) -> None:
    if names.count(name) > 1:
        raise DataError(f"{path} has the column {name!r} twice", fix="rename one of them")


def _asked_or_known(names: Sequence[str], asked: str | None, role: str) -> int | None:
    if asked is None:
        return known_column(names, role)
    return names.index(asked) if asked in names else None


def _group_column(path: Path, names: Sequence[str], group: str | None) -> list[int]:
    """The place of the column of groups; empty where none is asked for."""
    if group is None:
        return []
    if names.count(group) > 1:
        raise DataError(f"{path} has the column {group!r} twice", fix="rename one of them")
    return [_find_column(path, names, group, "group", given=True)]


def _group_name(value: Any) -> str:
    if value is None or value is MISSING or (isinstance(value, float) and math.isnan(value)):
        return ""
    return str(int(value) if isinstance(value, float) and value.is_integer() else value).strip()


def _find_column(path: Path, names: Sequence[str], asked: str | None, role: str, *, given: bool) -> int:
    """The place of a column; ``given``: the user named it, and not the run that a network came from."""
    wanted = role if asked is None else asked
    if wanted in names:
        return names.index(wanted)
    known = known_column(names, role) if asked is None else None
    if known is not None:
        return known
    fix = did_you_mean(wanted, names) if given else f"name it with --{role} COLUMN"
    if role == "label" and not given and len(names) > _COLUMNS_OF_TEXT_AND_LABEL:
        fix += "; several that mark a label each with 1: --label A,B"
    if _are_no_names(names):
        fix = "put a line with the names of the columns above it: its first line is read as these"
    error = DataError if given or _are_no_names(names) else UndecidedError
    raise error(f"column {wanted!r} is not in {path.name}", got=", ".join(names), fix=fix)


def _are_no_names(names: Sequence[str]) -> bool:
    """Whether a first line holds a sentence, as no name of a column does."""
    return any(len(name.split()) > _WORDS_OF_A_NAME for name in names)
