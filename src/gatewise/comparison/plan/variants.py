"""Cells and their variants by name: ``bilstm`` reads in both directions, ``gru*2`` has two layers. Imports no torch."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from gatewise.errors import OptionError, did_you_mean
from gatewise.training.assembly import setting_fields
from gatewise.training.checks import known_cells, own_registered

__all__ = ["check_precision", "checked_variants", "variant_settings"]

_LAYERS = re.compile(r"(?P<name>.+?)\*(?P<layers>\d+)")


def variant_settings(name: str, task: str) -> dict[str, Any]:
    """The settings of the model spec that a variant's name fixes.

    Args:
        name: a cell's name, with ``bi`` before it for two directions and ``*N`` after it for N layers.
        task: name of a kind of problem.

    Raises:
        OptionError: there is no such cell, or the task's network has no such variant.

    Example:
        >>> variant_settings("gru", "classification"), variant_settings("bilstm*2", "classification")
        ({'cell': 'gru'}, {'cell': 'lstm', 'bidirectional': True, 'num_layers': 2})
        >>> variant_settings("bilstm", "language-modelling")
        Traceback (most recent call last):
        gatewise.errors.OptionError: 'bilstm' does not go with language-modelling; expected: cells that read forwards; ...
    """  # noqa: E501
    found: dict[str, Any] = {}
    match = _LAYERS.fullmatch(name)
    base = match["name"] if match is not None else name
    if base not in known_cells() and base.startswith("bi") and base[2:] in known_cells():
        found["bidirectional"] = True
        base = base[2:]
    if base not in known_cells():
        known = [*known_cells(), *(f"bi{cell}" for cell in known_cells())]
        raise OptionError(
            f"there is no cell {name!r}",
            expected=f"{', '.join(known_cells())}; with bi before it for two directions, *2 after it for two layers",
            fix=f"{did_you_mean(base, known)}; {own_registered('cell')}",
        )
    if match is not None:
        layers = int(match["layers"])
        if layers < 1:
            raise OptionError(f"{name!r} has no layer", expected=f"{base}*1 or more")
        found["num_layers"] = layers
    fields = setting_fields(task, "model")
    if "bidirectional" in found and "bidirectional" not in fields:
        raise OptionError(
            f"{name!r} does not go with {task}", expected="cells that read forwards", fix=f"use {name[2:]} instead"
        )
    return {"cell": base, **found}


def checked_variants(cells: Iterable[str] | str, task: str) -> tuple[str, ...]:
    """Names of cells and variants, checked for existence and duplicates.

    Raises:
        OptionError: none is named, one is unknown, or one is named twice.

    Example:
        >>> checked_variants("rnn, BiGRU*2", "classification")
        ('rnn', 'bigru*2')

    A cell of one's own is found whatever the case, and keeps its spelling: ``register_cell("MyGRU")``.
    """
    given = cells.split(",") if isinstance(cells, str) else list(cells)
    names = tuple(_spelled(str(name).strip()) for name in given)
    if not names or not all(names):
        raise OptionError("no cell is named", expected="one or more of rnn, lstm, gru", fix="use --cells rnn,lstm,gru")
    for name in names:
        if names.count(name) > 1:
            raise OptionError(f"the cell {name!r} is named twice", fix="name each cell once; use --seeds for repeats")
        variant_settings(name, task)
    return names


def _spelled(name: str) -> str:
    """A variant's name as its cell was registered, whatever case it was given in."""
    match = _LAYERS.fullmatch(name)
    base, layers = (name, "") if match is None else (match["name"], name[len(match["name"]) :])
    cells = known_cells()
    for prefix in ("", "bi"):
        if not base.lower().startswith(prefix):
            continue
        rest = base[len(prefix) :]
        alike = [rest] if rest in cells else [cell for cell in cells if cell.lower() == rest.lower()]
        if alike:
            return prefix + alike[0] + layers
    return name.lower()


def check_precision(cells: Iterable[str], task: str, precision: str) -> None:
    """Refuse cells that have no such products, before any is trained; says nothing of this machine.

    Raises:
        OptionError: naming them, and the cells that have them.

    Example:
        >>> check_precision(["gru"], "classification", "bf16")
        >>> check_precision(["gru", "mingru"], "classification", "bf16")
        Traceback (most recent call last):
        gatewise.errors.OptionError: mingru does not train in bf16; expected: gru, lstm, rnn; got: gru, mingru; ...
    """
    from gatewise.kernels.registry import CELLS

    if precision == "float32":
        return
    names = list(cells)
    able = [name for name, info in CELLS.items() if info.rounds]
    without = [name for name in names if variant_settings(name, task)["cell"] not in able]
    if without:
        left = [name for name in names if name not in without]
        raise OptionError(
            f"{' and '.join(without)} {'does' if len(without) == 1 else 'do'} not train in {precision}",
            expected=", ".join(able),
            got=", ".join(names),
            fix="--precision float32" + (f", or --cells {','.join(left)}" if left else ""),
        )
