"""``gatewise predict``: predictions of a trained network; each kind of problem implements it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gatewise.errors import OptionError

__all__ = ["predict"]


def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of a trained network.")],
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="[TEXT]...", help="Texts; without any, lines of standard input.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="Read texts, one a line, or the table of a series, from a file."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write forecasts here (CSV); standard output if not given."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Label texts, or continue series, with a trained network.

    Examples:

        gatewise predict my-run "The movie was not only interesting but also profoundly moving"

        gatewise predict my-run --file reviews.txt --json > labels.jsonl

        gatewise predict my-forecaster --file new.csv --out forecast.csv
    """
    if texts and file is not None:
        raise OptionError("texts and --file exclude each other", fix="give the texts either way, not both")
    from gatewise.training.kind import Request
    from gatewise.training.trained import open_run

    open_run(run).predict_command(Request(run, tuple(texts or ()), file, out, as_json))
