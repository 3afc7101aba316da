"""``gatewise recipes``: the runs that are ready to be trained."""

from __future__ import annotations

import typer

__all__ = ["recipes"]


def recipes() -> None:
    """List the recipes: settings of whole runs, for `gatewise train --recipe NAME`.

    A recipe is a TOML file with a task, data and settings; one of your own is named by its path.
    """
    from gatewise.training.recipes import recipes as known

    found = known()
    width = max(len(recipe.name) for recipe in found)
    for recipe in found:
        typer.echo(f"{recipe.name:<{width}}  {recipe.description}")
