"""Labels as they are written: lists of them in one cell, signs for none, names that differ by case alone."""

from __future__ import annotations

import ast
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from gatewise.errors import DataError

__all__ = ["label_name", "label_notes", "list_of_labels"]

_MISSING = frozenset(("nan", "n/a", "na", "#n/a", "null", "none", "nil", "undefined", "?", "-"))
_SHOWN = 5
_FREQUENT = 10
_LEAST_LETTERS, _LONG, _SLIPS = 3, 8, 2


def label_name(value: Any, place: str, separator: str | None = None) -> str:
    """The name of a label, or of several of a text, joined by the separator; empty where there is none.

    Args:
        value: as the table holds it.
        place: where it stands, for messages.
        separator: of the labels, where a text may have several; a list of them is then taken, too.

    Raises:
        DataError: a value that is no class; a label of a list that holds the separator.

    Example:
        >>> label_name(2.0, "line 2"), label_name(["a", "b"], "line 3", "|"), label_name("['a', 'b']", "line 4", "|")
        ('2', 'a|b', 'a|b')
    """
    if separator is not None and isinstance(value, str) and (written := list_of_labels(value)) is not None:
        value = written
    if separator is not None and isinstance(value, (list, tuple)):
        return separator.join(_without(separator, label_name(each, place), place) for each in value)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():  # whole numbers, in a column that has missing ones too
        value = int(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int)):
        return str(value)
    several = isinstance(value, (list, tuple))
    raise DataError(
        f"{place}: the label is not a class",
        expected="a string or a whole number",
        got=repr(value),
        fix='add --separator "|" if a text may have several labels' if several else None,
    )


def list_of_labels(written: str) -> list[Any] | None:
    """The labels of a list in the notation of Python or JSON, as tables keep lists; None: it is no such list.

    Example:
        >>> list_of_labels("['a', 'b']"), list_of_labels('["a"]'), list_of_labels("[]"), list_of_labels("[game]")
        (['a', 'b'], ['a'], [], None)
    """
    written = written.strip()
    if not (written.startswith("[") and written.endswith("]")):
        return None
    try:
        found = ast.literal_eval(written)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return None
    return found if isinstance(found, list) and all(isinstance(each, (str, int)) for each in found) else None


def label_notes(labels: Sequence[str]) -> list[str]:
    """Notes on classes that may be none: signs for a missing label, and names that differ by their writing alone.

    Args:
        labels: of all texts, one each.

    Example:
        >>> label_notes(["good", "bad", "Good", "NaN"])  # doctest: +NORMALIZE_WHITESPACE
        ["1 label is 'NaN' and is taken for a class of its own; if that stands for a missing label, delete the row",
         "the labels 'good' (1 text) and 'Good' (1 text) differ by case or the like alone and are taken for classes of
          their own; if they are one, write them alike"]
        >>> label_notes(["1", "2", "1"])
        []
        >>> label_notes(["billing"] * 40 + ["biling"])
        ["the label 'biling' (1 text) is hardly another than 'billing' (40 texts); if it is a slip, correct it"]
    """
    counts = Counter(labels)
    notes = []
    for label, count in counts.items():
        if label.casefold() in _MISSING:
            verb, rows = ("label is", "row") if count == 1 else ("labels are", "rows")
            notes.append(
                f"{count:,} {verb} {label!r} and {'is' if count == 1 else 'are'} taken for a class of its own; "
                f"if that stands for a missing label, delete the {rows}"
            )
    alike: dict[str, list[str]] = {}
    for label in counts:
        alike.setdefault(_key(label), []).append(label)
    for names in [names for names in alike.values() if len(names) > 1][:_SHOWN]:
        shown = [f"{name!r} ({counts[name]:,} text{'' if counts[name] == 1 else 's'})" for name in names]
        number = names[0].casefold() != names[1].casefold() and _number(names[0]) is not None
        how = "are the same number" if number else "differ by case or the like alone"
        notes.append(
            f"the labels {', '.join(shown[:-1])} and {shown[-1]} {how} and are taken for classes of their own; "
            "if they are one, write them alike"
        )
    return [*notes, *_slips(counts)]


def _slips(counts: Mapping[str, int]) -> list[str]:
    """Notes on rare labels that are a letter or two from a frequent one."""
    frequent = [label for label, count in counts.items() if count >= _FREQUENT and _number(label) is None]
    notes = []
    for label, count in counts.items():
        if _number(label) is not None or len(label) < _LEAST_LETTERS:
            continue
        near = [
            other
            for other in frequent
            if counts[other] >= _FREQUENT * count and _key(other) != _key(label) and _near(label, other)
        ]
        if near:
            texts = f"{count:,} text{'' if count == 1 else 's'}"
            notes.append(
                f"the label {label!r} ({texts}) is hardly another than {near[0]!r} ({counts[near[0]]:,} texts); "
                "if it is a slip, correct it"
            )
    return notes[:_SHOWN]


def _near(first: str, second: str) -> bool:
    """Whether two names differ by a letter more, less, changed or swapped; long ones by two such."""
    one, two = first.casefold(), second.casefold()
    if abs(len(one) - len(two)) > _SLIPS:
        return False
    before, row = list(range(len(two) + 1)), list(range(len(two) + 1))
    for place, letter in enumerate(one, start=1):
        earlier, before, row = before, row, [place, *[0] * len(two)]
        for at, other in enumerate(two, start=1):
            row[at] = min(before[at] + 1, row[at - 1] + 1, before[at - 1] + (letter != other))
            if place > 1 and at > 1 and one[place - 2 : place] == two[at - 2 : at][::-1]:
                row[at] = min(row[at], earlier[at - 2] + 1)
    return row[-1] <= (_SLIPS if min(len(one), len(two)) >= _LONG else 1)


def _without(separator: str, label: str, place: str) -> str:
    if separator in label:
        raise DataError(
            f"{place}: the label {label!r} holds the separator {separator!r}",
            expected="a separator that stands in no label of a list",
            fix="choose another --separator",
        )
    return label


def _key(label: str) -> str:
    number = _number(label)
    return " ".join(label.casefold().replace("_", " ").replace("-", " ").split()) if number is None else repr(number)


def _number(label: str) -> float | None:
    try:
        value = float(label)
    except ValueError:
        return None
    return value if math.isfinite(value) and "_" not in label else None
