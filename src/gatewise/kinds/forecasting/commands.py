"""The command `predict` of a forecaster: continue the series of a file, as CSV."""

from __future__ import annotations

import csv
import io
import json
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise import files
from gatewise.errors import DataError, OptionError
from gatewise.kinds.forecasting.series.ahead import cut_ahead
from gatewise.kinds.forecasting.series.covariate_columns import Asked
from gatewise.kinds.forecasting.series.covariates import Covariates
from gatewise.kinds.forecasting.series.loading import known_columns, read_table
from gatewise.kinds.forecasting.series.signs import Marks
from gatewise.kinds.forecasting.series.table import SeriesTable, frame_of_records, read_frame
from gatewise.training.kind import Request
from gatewise.training.request import check_ending
from gatewise.words import plural

if TYPE_CHECKING:
    from gatewise.kinds.forecasting.continuing import Continuing
    from gatewise.kinds.forecasting.exported import ExportedForecaster
    from gatewise.kinds.forecasting.series.building import Future
    from gatewise.kinds.forecasting.series.forms import TimeForm
    from gatewise.kinds.forecasting.trained import TrainedForecaster

__all__ = ["answer", "check_predict", "evaluate", "predict"]

_NOT_SAID = "a row is a step"
_FIGURES = {
    "mean_squared_error": "mean squared error",
    "root_mean_squared_error": "root mean squared error",
    "mean_absolute_error": "mean absolute error",
    "mean_absolute_scaled_error": "mean absolute scaled error",
    "symmetric_mean_absolute_percentage_error": "symmetric mean absolute percentage error",
    "directional_accuracy": "directional accuracy",
    "interval_coverage": "coverage of the outer quantiles",
}


def predict(trained: Continuing, request: Request) -> None:
    """Forecast the next steps of every series in a file; a series that is too short is named on standard error.

    Columns that are known for the future are read of the rows after the last target, and of ``--future``.

    The CSV has the columns of group and time as in the file, several where they are the time together (``step`` where
    there is none), one per target, and one
    per target and quantile, such as ``close_0.1``. ``--json`` prints one object with the same.

    Raises:
        OptionError: no file, or the forecast would be written over it.
        DataError: the file cannot be used, or every series is too short.
        StorageError: the forecast cannot be written.
    """
    file, out = check_predict(request), request.out
    time, group = trained.time, _group(trained)
    table, inside = cut_ahead(_table(trained, request, *read_frame(file), file.name), len(trained.targets))
    ahead = [each for each in (_future(trained, request, table), inside) if each is not None]
    futures, notes, said = _continued(trained, table, ahead)
    for note in notes:
        print(f"Note: {note}", file=sys.stderr)
    for warning in said:
        print(f"Warning: {warning}", file=sys.stderr)
    if request.as_json:
        record = _record(futures, trained.targets, time, table.form)
        text = json.dumps({**record, "notes": [*notes, *said]}, ensure_ascii=False, allow_nan=False) + "\n"
    else:
        text = _as_csv(futures, trained.targets, time, group, table.form, table.decimal)
    if out is None:
        print(text, end="")
    else:
        files.write_text(out, text)
        print(f"{plural(text.count(chr(10)) - 1, 'row')} written to {out}", file=sys.stderr)


def answer(trained: Continuing, rows: Any) -> dict[str, Any]:
    """The forecast of a table of rows that JSON gave, as `gatewise predict --json` prints it.

    Raises:
        DataError: no list of objects, or rows that cannot be used.
    """
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise DataError("an input is a table: a list of rows", expected="objects with the columns of the training")
    if any(isinstance(cell, dict | list) for row in rows for cell in row.values()):
        raise DataError("a cell of a row is a list or an object", expected="a number, a time or a name")
    frame, places = frame_of_records(rows, [f"row {number}" for number in range(1, len(rows) + 1)])
    table = _table(trained, Request(Path()), frame, places, "the table")
    past, inside = cut_ahead(table, len(trained.targets))
    futures, notes, said = _continued(trained, past, [] if inside is None else [inside])
    return {**_record(futures, trained.targets, trained.time, past.form), "notes": [*notes, *said]}


def _continued(
    trained: Continuing, table: SeriesTable, ahead: list[SeriesTable]
) -> tuple[list[Future], list[str], list[str]]:
    """The forecasts of a table, notes on its rows, and warnings."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        notes = list(table.notes)
        futures = trained.future(table, notes=notes, ahead=ahead)
    shown = [note for note in dict.fromkeys(notes) if not note.endswith(_NOT_SAID)]
    return futures, shown, [str(warning.message) for warning in said]


def _record(futures: list[Future], targets: tuple[str, ...], time: str | None, form: TimeForm) -> dict[str, Any]:
    """Forecasts for JSON: by series a list of steps with what the CSV has in its columns."""
    found = []
    for future in futures:
        cells = form.cells(future.times)
        steps: list[dict[str, Any]] = []
        for step in range(len(future.times)):
            row: dict[str, Any] = {"step": step + 1}
            if time is not None:
                row = dict(zip(form.names(time), cells[step], strict=True))
            row |= {name: float(future.values[step, place]) for place, name in enumerate(targets)}
            for level in sorted(future.quantiles):
                values = future.quantiles[level][step]
                row |= {f"{name}_{level:g}": float(values[place]) for place, name in enumerate(targets)}
            steps.append(row)
        found.append({"series": future.name, "steps": steps})
    return {"forecasts": found}


def check_predict(request: Request) -> Path:
    """The file of a forecast; refuses what can be refused before the network is loaded.

    Raises:
        OptionError: no file, or the forecast would be written over it.
    """
    file, out = request.file, request.out
    if request.inputs or file is None:
        raise OptionError(
            "a forecast continues a table of series",
            expected="--file with the same columns as the training data",
            got="texts" if request.inputs else "nothing",
            fix="gatewise predict RUN --file new.csv",
        )
    if out is not None:
        check_ending(out, "CSV, or JSON with --json")
    if out is not None and out.exists() and file.exists() and out.samefile(file):
        raise OptionError(
            "--out is the file that is read",
            expected="another file for the forecast",
            got=str(out),
            fix=f"--out {out.with_name(f'{out.stem}-forecast.csv')}",
        )
    return file


def evaluate(trained: TrainedForecaster | ExportedForecaster, request: Request) -> None:
    """Print figures on the last windows of a file, beside persistence's.

    Raises:
        DataError: the file cannot be used, or is too short.
    """
    from gatewise.kinds.forecasting.evaluating import backtest

    assert request.file is not None
    table = _table(trained, request, *read_frame(request.file), request.file.name)
    found = backtest(trained, table, request.file.name)
    if request.as_json:
        print(json.dumps(found.to_dict(), ensure_ascii=False, allow_nan=False))
        return
    for note in dict.fromkeys(found.notes):
        print(f"Note: {note}", file=sys.stderr)
    print(f"{plural(found.windows, 'window')}, from {found.first} to {found.last}")
    print(f"{'':<42}{'network':>12}{'persistence':>14}")
    for name, title in _FIGURES.items():
        values = [each.get(name) for each in (found.metrics, found.persistence)]
        if all(value is None for value in values):
            continue
        words = ["–" if value is None else f"{value:.4g}" for value in values]
        print(f"{title:<42}{words[0]:>12}{words[1]:>14}")
    if found.skill is not None:
        print(f"{'of the error of persistence, saved':<42}{100 * found.skill:>10.1f} %")
    print("Before the errors of the first three lines, values are divided by their deviation in the training part.")


def _group(trained: Continuing) -> str | None:
    """The column that distinguishes series."""
    data = trained.data_spec
    return known_columns(data.data, data.time, data.target, data.group)[2]


def _table(trained: Continuing, request: Request, frame: Any, places: list[str], name: str) -> SeriesTable:
    """All columns of a frame, its known and static ones too."""
    columns = (*trained.targets, *trained.features)
    rules, asked = trained.rules(request.settings, request.file), Asked.as_trained(trained.covariates)
    how = (trained.time, _group(trained), rules, asked, _marks(trained, request))
    return read_table(frame, places, name, columns, *how, notice=False)[0]


def _future(trained: Continuing, request: Request, table: SeriesTable) -> SeriesTable | None:
    """The known columns of ``--future``.

    Raises:
        OptionError: the network reads none.
    """
    given = request.settings.get("future")
    if given is None:
        return None
    if not trained.covariates.known:
        raise OptionError(
            "--future is for columns that are known for the future, and this network reads none",
            got=str(given),
            fix="omit --future, or train with --known COLUMNS",
        )
    file = Path(given).expanduser()
    frame, places = read_frame(file)
    rules = replace(trained.rules(request.settings, file), form=table.form)
    asked = Asked.as_trained(Covariates(trained.covariates.known))
    how = (trained.time, _group(trained), rules, asked, _marks(trained, request))
    return read_table(frame, places, file.name, (), *how, notice=False)[0]


def _marks(trained: Continuing, request: Request) -> Marks:
    """The marks within the file's numbers: those of the training, unless one of them is named."""
    given = {name: request.settings[name] for name in ("decimal", "thousands") if name in request.settings}
    return Marks(**given) if given else trained.marks


def _as_csv(
    futures: list[Future], targets: tuple[str, ...], time: str | None, group: str | None, form: TimeForm, decimal: str
) -> str:
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n", delimiter=";" if decimal == "," else ",")
    levels = sorted(futures[0].quantiles)
    names = [*targets, *(f"{target}_{level:g}" for target in targets for level in levels)]
    writer.writerow([*([group] if group else []), *(("step",) if time is None else form.names(time)), *names])
    for future in futures:
        cells = form.cells(future.times)
        for step in range(len(future.times)):
            when: tuple[Any, ...] = (step + 1,) if time is None else cells[step]
            if time is not None and form.kind != "date":
                when = (when[0].replace(".", decimal),)
            central = [f"{value:.8g}" for value in future.values[step]]
            spread = [
                f"{future.quantiles[level][step, place]:.8g}" for place in range(len(targets)) for level in levels
            ]
            numbers = [word.replace(".", decimal) for word in (*central, *spread)]
            writer.writerow([*([future.name] if group else []), *when, *numbers])
    return content.getvalue()
