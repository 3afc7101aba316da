"""What the command `predict` does with a forecaster: continue the series of a file, as CSV."""

from __future__ import annotations

import csv
import io
import sys
import warnings
from typing import TYPE_CHECKING, Any

from gatewise import files
from gatewise.errors import OptionError
from gatewise.kinds.forecasting.series.loading import known_columns
from gatewise.kinds.forecasting.series.table import read_series_table

if TYPE_CHECKING:
    from gatewise.kinds.forecasting.series.building import Future
    from gatewise.kinds.forecasting.series.forms import TimeForm
    from gatewise.kinds.forecasting.trained import TrainedForecaster
    from gatewise.training.kind import Request

__all__ = ["predict"]


def predict(trained: TrainedForecaster, request: Request) -> None:
    """Forecast the next steps of every series in a file; a series that is too short is named on standard error.

    The CSV has the columns of group and time as in the file (``step`` where there is no time), one per target, and one
    per target and quantile, such as ``close_0.1``.

    Raises:
        OptionError: no file.
        DataError: the file cannot be used, or every series is too short.
        StorageError: the forecast cannot be written.
    """
    file, out = request.file, request.out
    if request.inputs or file is None:
        raise OptionError(
            "a forecast continues a table of series",
            expected="--file with the same columns as the training data",
            got="texts" if request.inputs else "nothing",
            fix="gatewise predict RUN --file new.csv",
        )
    data = trained.data_spec
    time, (_, _, group) = trained.time, known_columns(data.data, data.time, data.target, data.group)
    rules = trained.rules(request.settings)
    table = read_series_table(file, time, (*trained.targets, *trained.features), group, rules)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always", UserWarning)
        futures = trained.future(table)
    for warning in said:
        print(f"warning: {warning.message}", file=sys.stderr)
    text = _as_csv(futures, trained.targets, time, group, table.form)
    if out is None:
        print(text, end="")
    else:
        files.write_text(out, text)
        print(f"{text.count(chr(10)) - 1} rows written to {out}", file=sys.stderr)


def _as_csv(
    futures: list[Future], targets: tuple[str, ...], time: str | None, group: str | None, form: TimeForm
) -> str:
    content = io.StringIO()
    writer = csv.writer(content, lineterminator="\n")
    levels = sorted(futures[0].quantiles)
    names = [*targets, *(f"{target}_{level:g}" for target in targets for level in levels)]
    writer.writerow([*([group] if group else []), time or "step", *names])
    for future in futures:
        written = form.written(future.times)
        for step in range(len(future.times)):
            when: Any = step + 1 if time is None else written[step]
            central = [f"{value:.8g}" for value in future.values[step]]
            spread = [
                f"{future.quantiles[level][step, place]:.8g}" for place in range(len(targets)) for level in levels
            ]
            writer.writerow([*([future.name] if group else []), when, *central, *spread])
    return content.getvalue()
