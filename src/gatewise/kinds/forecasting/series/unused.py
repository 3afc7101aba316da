"""Columns of a table that nobody named and nobody reads: said in one line, with the options that would read them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection
from itertools import pairwise
from typing import Any

import pandas as pd

from gatewise.kinds.forecasting.series.layouts import holds_units
from gatewise.kinds.forecasting.series.noticed import holds_times, numbers_rows
from gatewise.kinds.forecasting.series.numbers import holds_numbers
from gatewise.kinds.forecasting.series.reading import TimeRules, called_time
from gatewise.kinds.forecasting.series.signs import MISSING, Marks
from gatewise.kinds.forecasting.series.together import role_called

__all__ = ["is_unused_note", "unused_notes"]

_MOST_TEXTS = 100
_ROWS_PER_TEXT = 3
_NAMED = 4
_IDENTITY = re.compile(
    r"(row|line|record|order|zeile|satz)?[ _.-]?(id|nr|no|num|number|nummer|index|key|uuid|#)\.?", re.I
)
_AHEAD = re.compile(
    r"promo|aktion|angebot|rabatt|discount|offer|sale_?flag|campaign|kampagne|holiday|feiertag|ferien|vacation|vacances|"
    r"férié|festivo|price|preis|prix|precio|prezzo|prijs|weekday|weekend|wochentag|schedule|event|oferta|sconto",
    re.IGNORECASE,
)
_KNOWN, _FEATURES, _STATIC, _GROUP = "--known", "--features", "--static", "--group"
_WHAT = {
    _KNOWN: "if known for the future too",
    _FEATURES: "known up to the present",
    _STATIC: "constant in each series",
    _GROUP: "a series for each value",
}


def unused_notes(
    frame: pd.DataFrame, used: Collection[str | None], group: str | None, timed: bool, rules: TimeRules, marks: Marks
) -> list[str]:
    """A note on the columns that are not read, with the options that would read them; empty: there are none.

    Times, numbers of rows, other identities, units, long texts and columns of one value are not spoken of.

    Args:
        frame: all columns.
        used: columns that have a use.
        group: column that tells series apart.
        timed: whether the rows have times.
        rules: how times are read.
        marks: the marks within numbers.

    Example:
        >>> frame = pd.DataFrame({"sales": range(9), "Aktion": ["ja", "nein", "nein"] * 3, "visitors": [4, 9, 7] * 3})
        >>> unused_notes(frame, ["sales"], None, True, TimeRules(), Marks())[0]
        "the columns 'Aktion' and 'visitors' are not used; to read them: --known Aktion (if known for the future too),
        --features visitors (known up to the present)"
    """
    found: dict[str, list[str]] = {option: [] for option in _WHAT}
    for place, name in enumerate(frame.columns):
        column = frame.iloc[:, place]
        if str(name) in used or str(name) == group or not str(name).strip() or _speaks_for_itself(frame, name, rules):
            continue
        option = _option(column, str(name), frame.get(group), timed, marks)
        if option is not None:
            found[option].append(str(name))
    names = [name for option in _WHAT for name in found[option]]
    if not names:
        return []
    options = [
        f"{option} {shlex.quote(','.join(found[option]))} ({_WHAT[option]})" for option in _WHAT if found[option]
    ]
    quoted = [repr(name) for name in names]
    if len(names) == 1:
        return [f"the column {quoted[0]} is not used; to read it: {options[0]}"]
    which = (
        f"the columns {', '.join(quoted[:-1])} and {quoted[-1]}" if len(names) <= _NAMED else f"{len(names)} columns"
    )
    return [f"{which} are not used; to read them: {', '.join(options)}"]


def is_unused_note(note: str) -> bool:
    """Whether a note is one of `unused_notes`.

    Example:
        >>> is_unused_note("the column 'Aktion' is not used; to read it: --known Aktion (if known for the future too)")
        True
    """
    return "not used; to read " in note


def _speaks_for_itself(frame: pd.DataFrame, name: Any, rules: TimeRules) -> bool:
    """Whether a column is a time or a part of one, a number of rows, an identity, or one of units."""
    column = frame[name]
    if isinstance(column, pd.DataFrame) or len(frame) < 2:
        return True
    return (
        holds_times(column, rules)
        or numbers_rows(column)
        or role_called(str(name), column) is not None
        or called_time(str(name))
        or (_IDENTITY.fullmatch(str(name).strip()) is not None)
        or holds_units(str(name))
    )


def _option(column: pd.Series[Any], name: str, groups: pd.Series[Any] | None, timed: bool, marks: Marks) -> str | None:
    """The option that would read a column; None: it says nothing, or cannot be read."""
    words = ["" if value is None or value != value else str(value).strip() for value in column.tolist()]
    filled = [word for word in words if word.lower() not in MISSING]
    texts = set(words)
    if len(texts) < 2 or not filled:
        return None
    if groups is not None and (column.groupby(groups.to_numpy()).nunique() <= 1).all() and len(filled) == len(words):
        return _STATIC
    if column.dtype.kind != "b" and holds_numbers(column, marks):
        whole = len(filled) == len(words)
        return _KNOWN if whole and (_AHEAD.search(name) or set(filled) <= {"0", "1", "0.0", "1.0"}) else _FEATURES
    if len(texts) > _MOST_TEXTS or _ROWS_PER_TEXT * len(texts) > len(words):
        return None
    runs = 1 + sum(one != other for one, other in pairwise(words))
    return _GROUP if groups is None and not timed and runs == len(texts) else _KNOWN
