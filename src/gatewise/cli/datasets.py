"""``gatewise datasets``: the known data sets and which of them are available."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from gatewise.screen import say

__all__ = ["datasets"]


def datasets(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """List the data sets that are known by name, and whether they are available.

    A file of your own needs no name: gatewise compare reviews.csv --text review --label sentiment
    """
    from gatewise.training.registry import datasets as known

    entries = known()
    if as_json:
        for entry in entries:
            typer.echo(json.dumps(asdict(entry), ensure_ascii=False))
        return
    for entry in entries:
        typer.echo(f"{entry.name}  ({entry.task})")
        say(f"  {entry.description}")
        say(f"  available: {entry.where}" if entry.at_hand else f"  not available; {entry.how_to_get}")
