"""Reading the columns of covariates: numbers, yes and no, texts; every complaint names the line or the series."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from gatewise.data.decimals import has_decimal_commas
from gatewise.errors import DataError, OptionError, did_you_mean
from gatewise.kinds.forecasting.series.covariates import Covariate, Covariates
from gatewise.kinds.forecasting.series.numbers import numbers_of
from gatewise.kinds.forecasting.series.records import Series
from gatewise.kinds.forecasting.series.table import SeriesTable, column_names

__all__ = ["Asked", "drop_unseen", "mark_numbers", "with_covariates"]

Array = npt.NDArray[np.float64]
_MOST = 100
_WORDS = {"yes": 1.0, "no": 0.0, "true": 1.0, "false": 0.0, "y": 1.0, "n": 0.0}


@dataclass(frozen=True)
class Asked:
    """Which columns of a table are covariates.

    Args:
        known: names of columns that are known for the future too.
        static: names of columns that are constant in a series.
        encoding: how they are encoded; None: as the table suggests.
    """

    known: tuple[str, ...] = ()
    static: tuple[str, ...] = ()
    encoding: Covariates | None = None

    @classmethod
    def named(cls, known: Any, static: Any, group: str | None, columns: Iterable[str] = ()) -> Asked:
        """Of words separated by commas, or lists; of those columns, whose names may have commas.

        Raises:
            OptionError: constant columns without a column that distinguishes series.
        """
        found = cls(column_names(known, columns), column_names(static, columns))
        if found.static and group is None:
            raise OptionError(
                "static columns need several series",
                expected="--group COLUMN with --static, since what is constant distinguishes series",
                got=", ".join(found.static),
                fix="name the column of the series with --group, or omit --static",
            )
        return found

    @classmethod
    def as_trained(cls, encoding: Covariates) -> Asked:
        """As a network was trained."""
        return cls(encoding.columns("known"), encoding.columns("static"), encoding)


def with_covariates(
    table: SeriesTable, frame: pd.DataFrame, name: str, taken: Sequence[str | None], asked: Asked, decimal: str = "."
) -> SeriesTable:
    """Add the covariates to a table: known columns as its last ones, constant ones by series.

    Args:
        table: the other columns.
        frame: all columns, the same rows.
        name: of the whole, for messages.
        taken: columns that are something else.
        asked: which columns.
        decimal: the decimal mark of numbers; a column of which no number can be read otherwise has commas by itself,
            with a note.

    Raises:
        DataError: a column is missing or is named for two things, a known value is missing, or a constant column is not
            constant; the message names the line or the series.
    """
    if not asked.known and not asked.static:
        return table
    _check_names(frame, name, taken, asked)
    notes = list(table.notes)
    encoding = asked.encoding or Covariates()
    commas = [each for each in (*asked.known, *asked.static) if decimal == "." and _has_commas(frame[each])]
    if commas:
        notes.append(f"numbers with a decimal comma in {', '.join(commas)}")
    marks = {each: "," if each in commas else decimal for each in (*asked.known, *asked.static)}
    known = [
        _known(frame[column], table, column, marks[column], _trained(encoding.known, column)) for column in asked.known
    ]
    rows = _rows_by_series(table.groups)
    constant = [
        _static(frame[column], table, rows, column, marks[column], _trained(encoding.static, column))
        for column in asked.static
    ]
    for _, _, said in (*known, *constant):
        notes += said
    each = list(rows)
    encoded = np.concatenate([values for _, values, _ in constant], axis=1) if constant else np.zeros((len(each), 0))
    return replace(
        table,
        values=np.concatenate([table.values, *(values for _, values, _ in known)], axis=1),
        notes=notes,
        covariates=Covariates(tuple(entry for entry, _, _ in known), tuple(entry for entry, _, _ in constant)),
        static=dict(zip(each, encoded, strict=True)),
    )


def _trained(entries: Sequence[Covariate], name: str) -> Covariate | None:
    return next((entry for entry in entries if entry.name == name), None)


def _rows_by_series(groups: Sequence[str]) -> dict[str, npt.NDArray[np.int64]]:
    names = np.array(groups, dtype=object)
    return {name: np.flatnonzero(names == name) for name in dict.fromkeys(groups)}


def _check_names(frame: pd.DataFrame, name: str, taken: Sequence[str | None], asked: Asked) -> None:
    there = [str(column) for column in frame.columns]
    for column in (*asked.known, *asked.static):
        if column not in there:
            raise DataError(
                f"column {column!r} is not in {name}",
                got=", ".join(there),
                fix=did_you_mean(column, there),
            )
    names = [*asked.known, *asked.static, *(each for each in taken if each is not None)]
    twice = next((each for each in (*asked.known, *asked.static) if names.count(each) > 1), None)
    if twice is not None:
        raise DataError(
            f"the column {twice!r} is named for two things",
            expected="different columns for time, group, targets, features, known and static columns",
            got=", ".join(names),
        )


def _words(column: pd.Series[Any]) -> list[str]:
    """Values as text, blank ones empty; whole numbers whole."""
    found = []
    for value in column.tolist():
        blank = value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and np.isnan(value))
        whole = isinstance(value, float) and not blank and value.is_integer()
        found.append("" if blank else str(int(value)) if whole else str(value).strip())
    return found


def _has_commas(column: pd.Series[Any]) -> bool:
    """Whether the numbers of a column surely have decimal commas; see `gatewise.data.decimals`."""
    return column.dtype.kind not in "fiu" and has_decimal_commas(word for word in _words(column) if word)


def _is_text(words: Sequence[str], decimal: str) -> bool:
    """Whether a column holds texts: more of its values are texts than numbers."""
    written = list(dict.fromkeys(word for word in words if word))
    numbers = sum(_number(word, decimal) is not None for word in written)
    return 2 * numbers < len(written)


def _number(word: str, decimal: str) -> float | None:
    if word.lower() in _WORDS:
        return _WORDS[word.lower()]
    try:
        return float(word.replace(".", "").replace(",", ".") if decimal == "," else word)
    except ValueError:
        return None


def _as_numbers(column: pd.Series[Any], words: list[str], places: list[str], name: str, decimal: str) -> Array:
    """Numbers of a column, yes and no among them; NaN where there is nothing."""
    flags = [_WORDS.get(word.lower()) for word in words]
    plain = column.astype(object).where(pd.Series([flag is None for flag in flags], index=column.index), None)
    found = numbers_of(plain, places, name, decimal)
    return np.array([value if flag is None else flag for value, flag in zip(found, flags, strict=True)])


def _known(
    column: pd.Series[Any], table: SeriesTable, name: str, decimal: str, trained: Covariate | None
) -> tuple[Covariate, Array, list[str]]:
    """A column that is known for the future: (how it is encoded, (N, columns), notes)."""
    words = _words(column)
    if not (trained.categories if trained is not None else _is_text(words, decimal)):
        found = _as_numbers(column, words, table.places, name, decimal)
        missing = np.isnan(found)
        if missing.any():
            row = int(missing.argmax())
            raise DataError(
                f"{table.places[row]}: the known column {name!r} has no value",
                expected="a value in every row, those of the future too",
                got=f"{int(missing.sum())} row{'s' if missing.sum() > 1 else ''} without",
                fix="write it (0 where there is none), or name the column with --features instead",
            )
        entry = trained or Covariate(name)
        return entry, entry.encoded(list(found)), []
    entry = trained or Covariate(name, _categories(words, f"the known column {name!r}"))
    return entry, entry.encoded(words), _unseen(words, entry)


def _static(
    column: pd.Series[Any],
    table: SeriesTable,
    rows: dict[str, npt.NDArray[np.int64]],
    name: str,
    decimal: str,
    trained: Covariate | None,
) -> tuple[Covariate, Array, list[str]]:
    """A constant column: (how it is encoded, (series, columns), notes)."""
    words = _words(column)
    chosen = []
    for group, mine in rows.items():
        written = list(dict.fromkeys(words[row] for row in mine if words[row]))
        if len(written) != 1:
            other = next((row for row in mine if written and words[row] not in ("", written[0])), mine[0])
            raise DataError(
                f"{table.places[other]}: the static column {name!r} is not constant in the series {group!r}"
                if written
                else f"the static column {name!r} is empty in the series {group!r}",
                expected="one value per series",
                got=", ".join(map(repr, written[:3])) + (" ..." if len(written) > 3 else "") if written else "nothing",
                fix="name it with --known or --features if it changes, or correct the rows",
            )
        chosen.append(next(row for row in mine if words[row]))
    picked = [words[row] for row in chosen]
    if trained.categories if trained is not None else _is_text(picked, decimal):
        entry = trained or Covariate(name, _categories(picked, f"the static column {name!r}"))
        return entry, entry.encoded(picked), _unseen(picked, entry)
    found = _as_numbers(column.iloc[chosen], picked, [table.places[row] for row in chosen], name, decimal)
    deviation = float(found.std())
    entry = trained or Covariate(name, (), float(found.mean()), deviation if deviation > 1e-12 else 1.0)
    return entry, entry.encoded(list(found)), []


def _categories(words: Sequence[str], what: str) -> tuple[str, ...]:
    found = sorted({word for word in words if word})
    if len(found) > _MOST:
        raise DataError(
            f"{what} has {len(found):,} different texts",
            expected=f"numbers, yes and no, or at most {_MOST} texts",
            got=", ".join(map(repr, found[:3])) + " ...",
            fix="join rare ones, or write it as a number",
        )
    return tuple(found)


def _unseen(words: Sequence[str], entry: Covariate) -> list[str]:
    new = sorted({word for word in words if word} - set(entry.categories))
    if not new:
        return []
    shown = ", ".join(map(repr, new[:5])) + (" ..." if len(new) > 5 else "")
    return [f"the column {entry.name!r} has texts that are not in the training part, read as none: {shown}"]


def drop_unseen(series: Sequence[Series], covariates: Covariates) -> tuple[tuple[Series, ...], Covariates, list[str]]:
    """Drop the columns of texts that no training part has, since nothing is learnt of them.

    Args:
        series: with their parts.
        covariates: how columns are encoded.

    Returns:
        (the series, the encoding that is left, notes)
    """
    width = len(covariates.known_names)
    if not any(entry.categories for entry in (*covariates.known, *covariates.static)):
        return tuple(series), covariates, []
    first = series[0].values.shape[1] - width
    known = np.any([(each.values[: each.borders[0], first:] != 0).any(axis=0) for each in series], axis=0)
    static = np.any([each.static != 0 for each in series], axis=0)
    notes: list[str] = []
    left = Covariates(_seen(covariates.known, known, notes), _seen(covariates.static, static, notes))
    kept = [*range(first), *(first + place for place in _places(covariates.known, known))]
    fixed = _places(covariates.static, static)
    count = len(left.known_names)
    return (
        tuple(replace(each, values=each.values[:, kept], known=count, static=each.static[fixed]) for each in series),
        left,
        notes,
    )


def mark_numbers(series: Sequence[Series], covariates: Covariates) -> Covariates:
    """Decide which known columns are numbers, read relative to the window, and which are zeros and ones.

    Args:
        series: with their parts; rows after the training part are not read.
        covariates: how columns are encoded.

    Returns:
        The same, each known column with `Covariate.relative`.

    Example:
        >>> rows = np.array([[9.0, 1, 5], [8, 0, 6], [7, 1, 1], [6, 3, 0]])
        >>> one = Series("", np.arange(4.0), rows, (3, 4, 4), known=2)
        >>> mark_numbers([one], Covariates((Covariate("promotion"), Covariate("price")))).relative
        (False, True)
    """
    place, known = series[0].values.shape[1] - len(covariates.known_names), []
    for entry in covariates.known:
        numbers = not entry.categories and any(
            bool((~np.isin(each.values[: each.borders[0], place], (0.0, 1.0))).any()) for each in series
        )
        known.append(replace(entry, relative=numbers))
        place += len(entry.names)
    return replace(covariates, known=tuple(known))


def _seen(entries: Sequence[Covariate], flags: npt.NDArray[np.bool_], notes: list[str]) -> tuple[Covariate, ...]:
    """The encodings with the texts that are flagged.

    Raises:
        DataError: a column has none of them.
    """
    found, start = [], 0
    for entry in entries:
        mine = flags[start : start + len(entry.names)]
        start += len(entry.names)
        if not entry.categories or mine.all():
            found.append(entry)
            continue
        missing = [name for name, flag in zip(entry.categories, mine, strict=True) if not flag]
        shown = ", ".join(map(repr, missing[:5])) + (" ..." if len(missing) > 5 else "")
        notes.append(f"the column {entry.name!r} has texts that are not in the training part, read as none: {shown}")
        there = tuple(name for name, flag in zip(entry.categories, mine, strict=True) if flag)
        if not there:
            raise DataError(
                f"the column {entry.name!r} is empty in the whole training part, so that nothing can be learnt of it",
                fix=f"omit {entry.name!r}, or give more of the past",
            )
        found.append(replace(entry, categories=there))
    return tuple(found)


def _places(entries: Sequence[Covariate], flags: npt.NDArray[np.bool_]) -> list[int]:
    """Columns that `_seen` keeps."""
    found: list[int] = []
    start = 0
    for entry in entries:
        mine = range(start, start + len(entry.names))
        start += len(entry.names)
        kept = [place for place in mine if not entry.categories or flags[place]]
        found += kept
    return found
