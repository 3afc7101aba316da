"""``gatewise evaluate``: figures of a trained network on another file; each kind of problem implements it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gatewise.cli.options import with_reading_settings

__all__ = ["evaluate"]


@with_reading_settings
def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of a trained network.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="File of the kind that the network was trained on.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    *,
    settings: dict[str, Any],
) -> None:
    """Measure a trained network on a labelled file.

    Example:

        gatewise evaluate my-run test.csv --text review --label sentiment --json
    """
    from gatewise.training.assembly import settings_in
    from gatewise.training.kind import Request
    from gatewise.training.registry import kind_of
    from gatewise.training.trained import open_run

    trained = open_run(run)
    known = settings_in(kind_of(trained.spec.task), "data")
    for name in settings:
        if name not in known or not known[name].reads:
            raise unfitting(name, trained.spec.task)
    trained.evaluate_command(Request(run, file=file, as_json=as_json, settings=settings))


def unfitting(name: str, task: str) -> Exception:
    """The error for a flag that belongs to another kind of problem."""
    from gatewise.errors import OptionError
    from gatewise.training.checks import flag

    return OptionError(f"{flag(name)} does not go with {task}", fix=f"omit {flag(name)}")
