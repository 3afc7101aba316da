"""A comparison as a TOML file: the keys are the names of the command's options. Imports no torch."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatewise.errors import OptionError, did_you_mean
from gatewise.training.assembly import PARTS, aliases, path_settings, settings_in
from gatewise.training.registry import kinds, known_names

__all__ = ["read_plan_file"]

_OPTIONS = (
    "data", "cells", "seeds", "out", "task", "grid", "search", "trials", "metric", "repeat_tuning", "match", "margin",
    "cost", "jobs", "cluster", "storage", "imports", "against", "yes", "old_code",
)  # fmt: skip


def read_plan_file(path: Path, asked: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Read a plan; options on the command line override it.

    Args:
        path: of the file::

                data = "rotten-tomatoes"
                cells = ["gru", "bilstm"]
                seeds = 5
                epochs = 4

                [grid]
                hidden_size = [64, 128]
                learning_rate = [1e-3, 3e-3]

        asked: the options given on the command line, by name.

    Returns:
        The data's name, and all options by name. Paths in the file are relative to its folder.

    Raises:
        OptionError: the file is missing, not TOML, names no data, or has a key that is not an option.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "plan.toml"
        >>> _ = path.write_text('data = "imdb"\\nseeds = 3\\nhidden = 64\\n')
        >>> read_plan_file(path, {"epochs": 2})
        ('imdb', {'seeds': 3, 'hidden_size': 64, 'epochs': 2})
        >>> read_plan_file(path, {"seeds": 1})
        ('imdb', {'seeds': 1, 'hidden_size': 64})
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise OptionError(f"there is no plan {path}", fix="name an existing .toml file") from error
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise OptionError(f"{path} cannot be read", expected="a TOML file", got=str(error)) from error
    settings = {name for kind in kinds() for part in PARTS for name in settings_in(kind, part)} - {"cell"}
    found: dict[str, Any] = {}
    for given, value in content.items():
        name = aliases().get(given, given.replace("-", "_"))
        if name not in (*_OPTIONS, *settings):
            raise OptionError(f"{path} has the unknown key {given!r}", fix=did_you_mean(name, [*_OPTIONS, *settings]))
        found[name] = value
    if not isinstance(found.get("data"), str):
        raise OptionError(f"{path} does not say which data", expected='data = "imdb", or a path')
    for name, words in {**path_settings(), "out": (), "against": ()}.items():
        if isinstance(found.get(name), str) and found[name] not in words:
            found[name] = _resolved(path, found[name], output=name == "out")
    if isinstance(modules := found.get("imports"), list):
        found["imports"] = [
            _resolved(path, name, output=False) if name.endswith(".py") or "/" in name else name
            for name in map(str, modules)
        ]
    data = found.pop("data")
    return data, {**found, **asked}


def _resolved(path: Path, name: str, *, output: bool) -> str:
    """A file's path, relative to the plan's folder if it exists there."""
    place = path.parent / name
    return str(place) if output or (name not in known_names() and place.exists()) else name
