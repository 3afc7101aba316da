"""``gatewise evaluate``: figures of a trained network on another file; each kind of problem implements it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gatewise.cli.options import ImportsOption, RunArgument, with_reading_settings

__all__ = ["evaluate"]


@with_reading_settings
def evaluate(
    run: RunArgument,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File of the kind that the network was trained on.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    imports: ImportsOption = None,
    *,
    settings: dict[str, Any],
) -> None:
    """Measure a trained network on a labelled file.

    Example:

        gatewise evaluate my-run test.csv --text review --label sentiment --json
    """
    from gatewise.cli.opening import opened
    from gatewise.training.kind import Request

    trained, request = opened("evaluate", Request(run, file=file, as_json=as_json, settings=settings), imports or ())
    trained.evaluate_command(request)
