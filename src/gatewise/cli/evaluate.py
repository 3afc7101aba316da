"""``gatewise evaluate``: figures of a trained network on another file, which each kind implements, or its test part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from gatewise.cli.options import ImportsOption, RunArgument, with_reading_settings
from gatewise.errors import OptionError

if TYPE_CHECKING:
    from gatewise.training.kind import Evaluating

__all__ = ["evaluate"]


@with_reading_settings
def evaluate(
    run: RunArgument,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="File of the kind that the network was trained on; without it the test part of the training's data.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    download: Annotated[
        bool, typer.Option("--download", help="Without FILE: fetch the data set of the training if it is not here.")
    ] = False,
    imports: ImportsOption = None,
    *,
    settings: dict[str, Any],
) -> None:
    """Measure a trained network on a labelled file or its own test part, or an exported model.onnx on a file.

    Examples:

        gatewise evaluate my-run

        gatewise evaluate my-run test.csv --text review --label sentiment --json

        gatewise evaluate my-export/model.onnx test.csv --text review --label sentiment
    """
    from gatewise.cli.evaluate_part import evaluate_part, file_or_part
    from gatewise.cli.opening import opened, opened_model
    from gatewise.training.kind import Request

    file = file_or_part(run, file, settings)
    if file is not None and download:
        raise OptionError(
            "--download fetches the data set of the training, and a file is measured",
            got=str(file),
            fix="omit --download, or the file",
        )
    if file is None:
        evaluate_part(run, imports or (), as_json=as_json, download=download)
        return
    request = Request(run, file=file, as_json=as_json, settings=settings)
    model = opened_model("evaluate", request, imports or ())
    if model is not None:
        cast("Evaluating", model).evaluate_command(request)
        return
    trained, request = opened("evaluate", request, imports or ())
    trained.evaluate_command(request)
