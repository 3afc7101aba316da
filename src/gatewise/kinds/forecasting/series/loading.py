"""Loading: a registry name or a user's own table in, checked and split series out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from gatewise.data.comma_names import one_column_note
from gatewise.errors import DataError, did_you_mean
from gatewise.kinds.forecasting.series.ahead import cut_ahead
from gatewise.kinds.forecasting.series.axis import Spacing
from gatewise.kinds.forecasting.series.building import (
    SHARES,
    RawSeries,
    build_series,
    raw_series,
    split_series,
)
from gatewise.kinds.forecasting.series.checks import named_time
from gatewise.kinds.forecasting.series.covariate_columns import Asked, drop_unseen, mark_numbers, with_covariates
from gatewise.kinds.forecasting.series.forms import TimeForm
from gatewise.kinds.forecasting.series.known import KNOWN_SERIES, find_known, known_name
from gatewise.kinds.forecasting.series.layouts import unit_notes, unread_notes
from gatewise.kinds.forecasting.series.lookback import default_lookback
from gatewise.kinds.forecasting.series.noticed import (
    notice_target,
    notice_time,
    refuse_times_as_names,
    refuse_unused_times,
)
from gatewise.kinds.forecasting.series.numbers import found_decimal
from gatewise.kinds.forecasting.series.reading import TimeRules
from gatewise.kinds.forecasting.series.records import WINDOW_RULE, Series, SeriesDataset, series_fingerprint
from gatewise.kinds.forecasting.series.signs import Marks, plain_frame
from gatewise.kinds.forecasting.series.table import (
    SeriesTable,
    check_columns,
    column_names,
    read_frame,
    time_columns,
)
from gatewise.kinds.forecasting.series.unused import unused_notes

__all__ = ["known_columns", "load_series", "read_table", "series_from_table"]


def known_columns(
    data: str, time: str | None, target: str | None, group: str | None
) -> tuple[str | None, str | None, str | None]:
    """Columns of time, target and group: those given, else the known set's.

    Example:
        >>> known_columns("sp500", None, None, None)
        ('Date', 'Adj Close', None)
    """
    name = known_name(data)
    if name is None:
        return time, target, group
    known = KNOWN_SERIES[name]
    return time or known.time, target or known.target, group or known.group


def load_series(
    data: str | Path = "stocks",
    *,
    time: str | None = None,
    target: str | None = None,
    features: str | None = None,
    known: str | None = None,
    static: str | None = None,
    group: str | None = None,
    date_format: str | None = None,
    timezone: str | None = None,
    decimal: str = ".",
    thousands: str | None = None,
    horizon: int = 1,
    lookback: int | None = None,
    download: bool = False,
    cache: str | Path | None = None,
) -> SeriesDataset:
    """Load, check and split series.

    Args:
        data: ``stocks``, ``sp500``, ``nasdaq``, ``etth1`` (or ``ett``), ``etth2``, or the path of a table.
        time: column with the time of each row, or several that are one time together (``year,quarter``); None: the
            known set's; in a file of one's own see `notice_time`, else rows follow each other, as with ``none``.
        target: column to forecast, several separated by commas; None: the known set's; in a file of one's own, the only
            column that holds numbers and has no other use.
        features: further columns to read, separated by commas; known up to the present only.
        known: columns that are known for the future too.
        static: columns that are constant in a series.
        group: column of the series' names.
        date_format: how times are written, as for ``strptime``; None: derived from the column.
        timezone: name of the zone of times without an offset.
        decimal: the decimal mark of numbers.
        thousands: the mark between the thousands of numbers; None: found.
        horizon: H, steps to forecast.
        lookback: steps to forecast from; None: `default_lookback`.
        download: whether a known set may be fetched.
        cache: its folder; None: ``GATEWISE_DATA``, else the platform's.

    Returns:
        The series: of all times 70 % for training, 10 % for validation, 20 % for the test (ETT: 12, 4 and 4 months).

    Raises:
        DataError: the name is unknown, or the file cannot be used; the message names the line and the fix.
        OptionError: no column is named to forecast, and none or several could be.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "prices.csv"
        >>> rows = "".join(f"2026-01-{day:02},{day + day % 3}\\n" for day in range(1, 31))
        >>> _ = path.write_text("date,close\\n" + rows)
        >>> load_series(path, time="date", target="close", horizon=2, lookback=5).sizes
        {'train': 15, 'validation': 2, 'test': 5}
    """
    name = known_name(data) or str(data)
    listed = None if known_name(data) is None else KNOWN_SERIES[name]
    time, target, group = known_columns(str(data), time, target, group)
    path, source = _own_file(name) if listed is None else find_known(name, download, cache)
    frame, places = read_frame(path)
    columns = list(map(str, frame.columns))
    time, looked_for = named_time(time, columns)
    others, asked = column_names(features, columns), Asked.named(known, static, group, columns)
    rules = TimeRules(date_format, timezone, workbook=path.suffix.lower() == ".xlsx")
    marks = Marks(decimal, thousands)
    named, how = column_names(target, columns), (group, rules, asked, marks)
    table, targets, time = _forecast_table(frame, places, path.name, named, others, time, *how, notice=looked_for)
    more = (*others, *asked.known, *asked.static)
    said = _layout_notes(frame, (*named, *more), targets, group, unread=time is None and looked_for)
    unused: list[str] = []
    if listed is None and not more:  # who names some columns has looked at all of them
        used = (*targets, *time_columns(time, frame))
        unused = unused_notes(frame, used, group, time is not None, rules, marks)
    table = replace(table, notes=[*said, *table.notes, *unused])
    shown, borders = (path.name, None) if listed is None else (name, listed.borders)
    return series_from_table(
        table, shown, source, targets, others, horizon=horizon, lookback=lookback, borders=borders, time=time
    )


def _layout_notes(
    frame: pd.DataFrame, given: Sequence[str], targets: Sequence[str], group: str | None, *, unread: bool
) -> list[str]:
    """Notes on names that could mean several columns, and on columns of units and times that nobody uses."""
    columns, used = list(map(str, frame.columns)), (*targets, *given, group)
    said = [note for one in given for note in one_column_note(one, columns)]
    return [*said, *unit_notes(frame, used, group), *(unread_notes(frame, used) if unread else ())]


def _own_file(name: str) -> tuple[Path, str]:
    """The path of a person's own file, and a sentence that says so."""
    path = Path(name).expanduser()
    if path.suffix == "" and not path.exists():
        raise _unknown(name)
    return path, f"the file {name}"


def _forecast_table(
    frame: pd.DataFrame,
    places: Sequence[str],
    name: str,
    targets: tuple[str, ...],
    features: Sequence[str],
    time: str | None,
    group: str | None,
    rules: TimeRules,
    asked: Asked,
    marks: Marks,
    *,
    notice: bool,
) -> tuple[SeriesTable, tuple[str, ...], str | None]:
    """(the rows up to the last that has a target, the columns to forecast, that of the times); noticed if not named."""
    refuse_times_as_names(frame, name, rules)
    said: list[str] = []
    taken = (*targets, *features, *asked.known, *asked.static)
    if time is None and notice:
        refuse_unused_times(frame, places, name, taken, group, rules, named=bool(targets))
    if not targets:
        if time is None and notice:
            time, said = notice_time(frame, places, taken, group, rules)
        targets, more = notice_target(frame, name, (*taken, *time_columns(time, frame), group), marks, places)
        said = [*said, *more]
    table, time = read_table(
        frame, places, name, (*targets, *features), time, group, rules, asked, marks, notice=notice
    )
    table, _ = cut_ahead(replace(table, notes=[*said, *table.notes]), len(targets))
    return table, targets, time


def read_table(
    frame: pd.DataFrame,
    places: Sequence[str],
    name: str,
    columns: Sequence[str],
    time: str | None,
    group: str | None,
    rules: TimeRules,
    asked: Asked,
    marks: Marks | None = None,
    *,
    notice: bool = True,
) -> tuple[SeriesTable, str | None]:
    """Check and convert all columns of a frame.

    Args:
        frame: all columns as written.
        places: of each row, for messages.
        name: of the whole, for messages.
        columns: targets, then features.
        time: column of the times, or several that are one time together, separated by commas.
        group: column of the series' names.
        rules: how times are read.
        asked: which columns are covariates.
        marks: the marks within numbers.
        notice: whether the column of times is looked for where none is named.

    Returns:
        (the table, the column of its times)

    Raises:
        DataError: a column, a time or a number cannot be used.
    """
    marks, said = marks or Marks(), list(frame.attrs.get("notes", ()))
    if time is None and notice:
        taken = (*columns, *asked.known, *asked.static)
        time, noticed = notice_time(frame, places, taken, group, rules)
        said += noticed
    read = (*columns, *asked.known, *asked.static)
    frame, signs, thousands = plain_frame(frame, read, marks, places)
    table = check_columns(frame, places, name, time, columns, group, rules, marks.decimal)
    table = with_covariates(table, frame, name, (*time_columns(time, frame), group, *columns), asked, marks.decimal)
    kept = found_decimal(frame, read, marks.decimal)
    return replace(table, notes=[*said, *signs, *table.notes], thousands=thousands, kept_decimal=kept), time


def _unknown(name: str) -> DataError:
    return DataError(
        f"there is neither a known series nor a file called {name!r}",
        expected=", ".join(KNOWN_SERIES) + ", or the path of a CSV, TSV, JSONL or Parquet file",
        fix=did_you_mean(name, KNOWN_SERIES),
    )


def series_from_table(
    table: SeriesTable,
    name: str,
    source: str,
    targets: Sequence[str],
    features: Sequence[str],
    *,
    horizon: int,
    lookback: int | None,
    borders: tuple[int, int, int] | None = None,
    shares: tuple[float, float] = SHARES,
    time: str | None = None,
) -> SeriesDataset:
    """Series of a checked table, split in order of time.

    Args:
        table: the rows.
        name: of the data set.
        source: a sentence saying where the rows came from.
        targets: the leading columns.
        features: the others.
        horizon: H.
        lookback: steps to forecast from; None: `default_lookback`.
        borders: rows at which validation and test begin and the test ends; None: by `shares`.
        shares: of all times, before the validation and before the test part; 1 for the second: no test part.
        time: the column of the times.

    Raises:
        DataError: see `gatewise.kinds.forecasting.series.building`.
    """
    raw, spacing, notes = raw_series(table, (*targets, *features))
    if borders is None:
        split = split_series(raw, table.times is not None, shares)
        note = f"the last {100 * (1 - shares[1]):.0f} % of all times"
    else:
        end = borders[2]
        split = [each.split(borders) for each in raw]
        sizes = (borders[0], borders[1] - borders[0], end - borders[1])
        note = "the standard split: {:,} steps for training, then {:,} and {:,}".format(*sizes)
    whole, covariates, unseen = drop_unseen(split, table.covariates)
    others = (*features, *covariates.known_names)
    shortened: list[str] = []
    if lookback is None:
        lookback, shortened = default_lookback(whole, horizon, spacing)
    kept, more = build_series(whole, targets, others, lookback=lookback, horizon=horizon, tested=shares[1] < 1)
    # what only series have that were left out is not learnt either
    kept, covariates, left = drop_unseen(kept, covariates)
    covariates = mark_numbers(kept, covariates)
    columns = (*targets, *features, *covariates.known_names)
    measured = f"{_since(kept, spacing, table.form)}{_carried(raw, kept, len(targets))}; {WINDOW_RULE}"
    return SeriesDataset(
        name=name,
        source=source,
        split_note=f"{note}{measured}" if shares[1] < 1 else "there is no test part",
        fingerprint=series_fingerprint(kept, (*columns, *covariates.static_names), horizon, lookback),
        notes=(*notes, *shortened, *unseen, *more, *left),
        targets=tuple(targets),
        features=tuple(features),
        series=kept,
        horizon=horizon,
        lookback=lookback,
        spacing=spacing,
        season=spacing.season or 1,
        form=table.form,
        time=time,
        thousands=table.thousands,
        decimal=table.kept_decimal,
        covariates=covariates,
    )


def _carried(raw: Sequence[RawSeries], kept: Sequence[Series], targets: int) -> str:
    """The share of carried values in the test part, where persistence is right one step ahead."""
    filled = {each.name: each.carried for each in raw}
    rows = {each.name: slice(*each.rows("test")) for each in kept}
    total = targets * sum(part.stop - part.start for part in rows.values())
    held = [filled[name] for name in rows]
    parts = zip(held, rows.values(), strict=True)
    count = sum(int(carried[part, :targets].sum()) for carried, part in parts if carried is not None)
    if not count:
        return ""
    return (
        f"; {100 * count / total:.2g} % of its values are missing and count as the last one, which favours persistence"
    )


def _since(series: Sequence[Series], spacing: Spacing, form: TimeForm) -> str:
    """The start of the test part, as the file writes it."""
    first = min((each.times[each.borders[1]] for each in series if each.borders[1] < len(each.times)), default=None)
    if spacing.rule == "rows" or first is None:
        return ""
    return f", from {form.written(np.array([first]))[0]} on"
