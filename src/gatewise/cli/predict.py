"""``gatewise predict``: predictions of a trained network; each kind of problem implements it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gatewise.cli.options import ImportsOption, RunArgument, with_prediction_settings
from gatewise.errors import OptionError

__all__ = ["predict"]


@with_prediction_settings
def predict(
    run: RunArgument,
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEXT]...", help="Texts; without any, or with `-`, lines of standard input."),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file", metavar="FILE", help="Read a table of texts (CSV, JSONL, Excel ...) or series, or a text a line."
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write predictions here (CSV); standard output if not given."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    imports: ImportsOption = None,
    *,
    settings: dict[str, Any],
) -> None:
    """Label texts, or continue series, with a trained network.

    Examples:

        gatewise predict my-run "The movie was not only interesting but also profoundly moving"

        gatewise predict my-run --file reviews.txt --json > labels.jsonl

        cat reviews.txt | gatewise predict my-run --json -

        gatewise predict my-run --file reviews.csv --text review --out labels.csv

        gatewise predict result/gru "A film that I would see again"

        gatewise predict my-forecaster --file new.csv --out forecast.csv

        gatewise predict my-export/model.onnx "A film that I would see again"
    """
    if texts and file is not None:
        raise OptionError("texts and --file exclude each other", fix="give the texts either way, not both")
    from gatewise.cli.opening import opened, opened_model
    from gatewise.training.request import Request, inputs_of

    request = Request(run, inputs_of(texts), file, out, as_json, settings)
    model = opened_model("predict", request, imports or ())
    if model is not None:
        model.predict_command(request)
        return
    trained, request = opened("predict", request, imports or ())
    trained.predict_command(request)
