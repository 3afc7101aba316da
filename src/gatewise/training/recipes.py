"""Recipes: settings of whole runs in plain TOML files, those of the package and the user's own.

::

    description = "A sentence."
    task = "language-modelling"
    data = "ptb"

    [settings]
    cell = "lstm"
    hidden_size = 128

The keys of ``settings`` are those of the command line's flags. Imports no torch.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from gatewise.errors import DataError, OptionError, did_you_mean
from gatewise.training.assembly import make_spec
from gatewise.training.registry import kind_names
from gatewise.training.run_spec import RunSpec

__all__ = ["Recipe", "load_recipe", "recipes"]


@dataclass(frozen=True)
class Recipe:
    """Settings that belong together.

    Args:
        name: of the recipe, or the file's path.
        description: what it is for, in a sentence.
        task: name of a kind of problem.
        data: registry name or path; None: it goes with any data of its task.
        settings: fields of the run's spec by name.

    Example:
        >>> recipe = load_recipe("ptb-articles")
        >>> recipe.spec(cell="gru").model.cell, recipe.spec().model.hidden_size
        ('gru', 128)
    """

    name: str
    description: str
    task: str
    data: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    def spec(self, data: str | None = None, **settings: Any) -> RunSpec:
        """The run that the recipe describes.

        Args:
            data: other data.
            settings: these override the recipe's own.

        Raises:
            OptionError: the recipe names no data and none is given, or a setting is not one of the task's.
        """
        chosen = data or self.data
        if chosen is None:
            raise OptionError(f"the recipe {self.name!r} names no data", fix="name a data set or a file")
        return make_spec(self.task, chosen, {**self.settings, **settings})


def recipes() -> list[Recipe]:
    """The package's own recipes, by name.

    Example:
        >>> [recipe.name for recipe in recipes()][:4]
        ['etth1', 'etth2', 'glyph-names', 'imdb-pretrain']
    """
    folder = files("gatewise") / "recipes"
    found = sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))
    return [_read(name, (folder / f"{name}.toml").read_text(encoding="utf-8")) for name in found]


def load_recipe(name: str | Path) -> Recipe:
    """A recipe by its name, or of a TOML file.

    Raises:
        OptionError: there is no such recipe.
        DataError: the file is not a recipe.

    Example:
        >>> load_recipe("ptb-artciles")
        Traceback (most recent call last):
        gatewise.errors.OptionError: there is no recipe 'ptb-artciles'; ...; fix: did you mean 'ptb-articles'?
    """
    known = {recipe.name: recipe for recipe in recipes()}
    if str(name) in known:
        return known[str(name)]
    path = Path(name).expanduser()
    if path.suffix.lower() != ".toml":
        raise OptionError(
            f"there is no recipe {str(name)!r}",
            expected=f"{', '.join(known)}, or the path of a .toml file",
            fix=did_you_mean(str(name), known),
        )
    try:
        return _read(str(path), path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read", got=str(error), fix="check the path") from error


def _read(name: str, text: str) -> Recipe:
    try:
        record = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"the recipe {name} is not TOML", got=str(error), fix="see `gatewise recipes`") from error
    known = ("description", "task", "data", "settings")
    for key in record:
        if key not in known:
            raise DataError(f"the recipe {name} has the unknown key {key!r}", fix=did_you_mean(key, known))
    task, settings, data = record.get("task"), record.get("settings", {}), record.get("data")
    if task not in kind_names():
        raise DataError(f"the recipe {name} names no task", expected=", ".join(kind_names()), got=repr(task))
    if not isinstance(settings, dict) or not isinstance(data, str | None):
        raise DataError(f"the recipe {name} is damaged", expected="data: a name; settings: a table")
    return Recipe(name, str(record.get("description", "")), task, data, settings)
