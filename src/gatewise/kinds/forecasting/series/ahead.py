"""What is known of the steps to be forecast: rows after the last target, or rows of a second table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import DataError
from gatewise.kinds.forecasting.series.axis import Spacing
from gatewise.kinds.forecasting.series.forms import TimeForm
from gatewise.kinds.forecasting.series.table import SeriesTable
from gatewise.words import plural

__all__ = ["cut_ahead", "known_ahead", "some_rows"]

Times = npt.NDArray[Any]
Array = npt.NDArray[np.float64]


def some_rows(table: SeriesTable, rows: npt.NDArray[np.int64]) -> SeriesTable:
    """Rows of a table.

    Args:
        table: the table.
        rows: (n,) which of them.
    """
    return replace(
        table,
        groups=[table.groups[row] for row in rows],
        times=None if table.times is None else table.times[rows],
        values=table.values[rows],
        places=[table.places[row] for row in rows],
    )


def cut_ahead(table: SeriesTable, targets: int) -> tuple[SeriesTable, SeriesTable | None]:
    """Cut a table behind the last row of each series that has a target: the forecast begins there.

    Args:
        table: the rows, those of the future without targets.
        targets: K, the leading columns.

    Returns:
        (the past, the rows of the future or None: nothing is known for it)
    """
    names = np.array(table.groups, dtype=object)
    untold = np.asarray(np.isnan(table.values[:, :targets]).all(axis=1))
    future = np.zeros(len(names), dtype=bool)
    for name in dict.fromkeys(table.groups):
        rows = np.flatnonzero(names == name)
        if table.times is not None:
            rows = rows[np.argsort(table.times[rows], kind="stable")]
        there = np.flatnonzero(~untold[rows])
        if len(there):
            future[rows[there[-1] + 1 :]] = True
    if not future.any():
        return table, None
    past = some_rows(table, np.flatnonzero(~future))
    rows_after = plural(int(future.sum()), "row")
    if not table.covariates.known:
        note = f"{rows_after} after the last target left out: the forecast begins there"
        return replace(past, notes=[*past.notes, note]), None
    note = f"{rows_after} after the last target: only the known columns are read of them"
    return replace(past, notes=[*past.notes, note]), some_rows(table, np.flatnonzero(future))


def by_clock_of(times: Times, form: TimeForm, wanted: TimeForm) -> Times:
    """Times of a second table by the clock of the first.

    Raises:
        DataError: the zone of one of them is not known.
    """
    if times.dtype.kind != "M" or (not form.aware and not wanted.aware):
        return times
    if form.aware != wanted.aware:
        raise DataError(
            "the two tables write times differently: one has offsets from UTC, or a zone, and the other has not",
            expected="times in one form",
            fix="write the offset in both, or name the zone with --timezone",
        )
    instants = form.instants(times)
    return instants if wanted.clock == "utc" else replace(wanted, clock="utc").shown(instants)


def known_ahead(
    tables: Sequence[SeriesTable],
    columns: Sequence[str],
    name: str,
    last: Any,
    count: int,
    spacing: Spacing,
    form: TimeForm,
) -> tuple[Times, Array]:
    """Times and known values of the next steps of a series.

    Where steps are equal, the row of each step's time is read; else the next rows, whose times are the forecast's.

    Args:
        tables: rows of the future; an earlier table goes before a later one.
        columns: the known columns, for messages.
        name: of the series.
        last: its last known time.
        count: steps.
        spacing: what a step is.
        form: how times are written.

    Returns:
        ((count,) times, (count, columns known for the future))

    Raises:
        DataError: a step has no row; the message names the first and the columns.
    """
    expected = spacing.after(last, count)
    by_time: dict[Any, Array] = {}
    rows: list[Array] = []
    for table in tables:
        mine = np.flatnonzero(np.array(table.groups, dtype=object) == name)
        values = table.values[:, -len(table.covariates.known_names) :]
        if table.times is None:
            rows = rows or [values[row] for row in mine]
            continue
        times = by_clock_of(table.times[mine], table.form, form)
        for time, row in sorted(zip(times, mine, strict=True), key=lambda pair: pair[0]):
            if time > last:
                by_time.setdefault(time, values[row])
    if spacing.rule == "rows":
        found = dict(enumerate(rows[:count]))
        steps = list(range(count))
    elif spacing.rule in ("even", "calendar"):
        width = np.timedelta64(round(1e6 * spacing.step), "us") if expected.dtype.kind == "M" else spacing.step
        found = {}
        for place, time in enumerate(expected):
            near = [row for when, row in by_time.items() if abs(when - time) < width / 4]
            if near:
                found[place] = near[0]
        steps = list(range(count))
    else:
        order = sorted(by_time)
        found = {place: by_time[time] for place, time in enumerate(order[:count])}
        expected = np.array([*order[:count], *expected[len(order) :]], dtype=expected.dtype)
        steps = list(range(count))
    missing = [place for place in steps if place not in found]
    if missing:
        raise _missing(columns, name, expected, missing, spacing, form)
    return expected, np.stack([found[place] for place in steps])


def _missing(
    columns: Sequence[str], name: str, times: Times, missing: Sequence[int], spacing: Spacing, form: TimeForm
) -> DataError:
    wanted = ", ".join(columns)
    count = len(times)
    when = f"step {missing[0] + 1}" if spacing.rule == "rows" else form.written(times)[missing[0]]
    where = f" of the series {name!r}" if name else ""
    return DataError(
        f"the forecast needs {wanted} for each of the next {count} steps{where}",
        expected=f"a row with {wanted} for {when}, the target left empty",
        got=f"{count - len(missing)} of {count} steps",
        fix="add the rows after the last target, or give them in a second file with --future",
    )
