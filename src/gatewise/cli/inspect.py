"""``gatewise inspect``: how far back a trained network's gradient reaches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from gatewise.cli.options import ImportsOption
from gatewise.words import plural

__all__ = ["inspect"]

_NAME, _GAP = 14, 3
"""Columns that a name needs at least, and that stand between two."""
_SHOWN = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500)


def inspect(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN...", help="Run folders, or a comparison: its best run; DIR/gru: its best GRU."),
    ],
    sequences: Annotated[int, typer.Option("--sequences", min=1, help="Test sequences to look at.")] = 32,
    steps: Annotated[int, typer.Option("--steps", min=2, help="Steps of each sequence.")] = 101,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", metavar="FILE", help="Write the picture here. (default memory.png in the first run's folder)"
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, a key per run.")] = False,
    imports: ImportsOption = None,
) -> None:
    """Show how strongly the last state depends on the input k steps back, before and after training.

    A norm that shrinks from step to step is a vanishing gradient, one that grows an exploding one.

    Example:

        gatewise inspect runs/imdb-rnn runs/imdb-lstm runs/imdb-gru
    """
    from gatewise.cli.opening import note
    from gatewise.training.registry import import_modules
    from gatewise.training.run_place import find_run

    import_modules(imports or ())
    places = [find_run(run, say=note) for run in runs]
    place = out or places[0] / "memory.png"
    if not as_json:
        _check_picture(place)
    curves = {str(folder): _curve(folder, sequences, steps) for folder in places}
    if as_json:
        typer.echo(json.dumps(curves, ensure_ascii=False, allow_nan=False))
        return
    from gatewise.reports.memory import save_memory_picture
    from gatewise.screen import console

    titles = _titles(curves)
    for folder, curve in list(curves.items()):
        for name, other in curve["stacks"].items():
            curves[f"{folder}, {name}"] = other
            titles[f"{folder}, {name}"] = f"{titles[folder]}, {name}"
    screen = console()
    _print(titles, curves, screen)  # before the picture, for which there may be no room
    picture = save_memory_picture({titles[name]: curve for name, curve in curves.items()}, place)
    screen.print(f"Picture: {picture}", style="bold", soft_wrap=True, highlight=False)


def _check_picture(place: Path) -> None:
    """Refuse a picture that cannot be written before a network is loaded."""
    from gatewise.drawing.pictures import check_ending
    from gatewise.files import check_file

    check_ending(place)
    check_file(place)


def _curve(folder: Path, sequences: int, steps: int) -> dict[str, Any]:
    from gatewise.training.run_place import checked_run
    from gatewise.training.trained import load_data, load_run

    dataset = load_data(folder, checked_run(folder)[1])
    trained = load_run(folder)
    from gatewise.inspection import memory_of

    return {"cell": trained.spec.model.cell, **memory_of(trained, dataset, count=sequences, steps=steps)}


def _titles(curves: dict[str, dict[str, Any]]) -> dict[str, str]:
    """The cell's name, with the folder's where two runs have the same cell."""
    cells = [curve["cell"] for curve in curves.values()]
    return {
        folder: curve["cell"].upper() if cells.count(curve["cell"]) == 1 else f"{curve['cell'].upper()} ({folder})"
        for folder, curve in curves.items()
    }


def _print(titles: dict[str, str], curves: dict[str, dict[str, Any]], screen: Any) -> None:
    from gatewise.statistics.lags import median_lag_over

    last = min(curve["lags"][-1] for curve in curves.values())
    lags = [lag for lag in _SHOWN if lag <= last]
    rows: list[tuple[str, list[str]]] = []
    for name, curve in curves.items():
        for part, words in (("initialisation", "before"), ("trained", "trained")):
            norms = curve[part]["norms"]
            reach = curve[part]["reach"]
            numbers = [
                *(f"{norms[lag]:.1e}" for lag in lags),
                str(median_lag_over([norms]) or "–"),
                f"> {curve['lags'][-1]}" if reach is None else str(reach),
            ]
            rows.append((f"{titles[name]}, {words}", numbers))
    for cell, of_cell in _several(curves).items():
        norms = [[sum(each) / len(each) for each in zip(*of_cell, strict=False)][lag] for lag in lags]
        numbers = [*(f"{norm:.1e}" for norm in norms), str(median_lag_over(of_cell) or "–"), ""]
        rows.append((f"{cell.upper()}, mean of {len(of_cell)} runs", numbers))
    _print_table(["steps back", *map(str, lags), "median lag", "below 1 % after"], rows, screen)
    first = next(iter(curves.values()))
    read = plural(first["sequences"], "test sequence")
    screen.print(
        f"Norm of d(last state)/d(input k steps back), {read}, {first['estimator']}. Half of the squared gradient lies "
        "within the median lag (> : at least, more steps would move it; in brackets: least and most of the runs).",
        highlight=False,
    )


def _print_table(heads: Sequence[str], rows: Sequence[tuple[str, list[str]]], screen: Any) -> None:
    """A row for each network; where the screen is too narrow for that, a column for each, some below others.

    Numbers are never cut.
    """
    wide = [max(len(numbers[column]) for _, numbers in rows) for column in range(len(heads) - 1)]
    heads_wide = [max(map(len, head.split())) for head in heads[1:]]
    if _NAME + sum(max(each) + _GAP for each in zip(wide, heads_wide, strict=True)) <= screen.width:
        _print_rows(heads, [[name, *numbers] for name, numbers in rows], screen)
        return
    each = max(_NAME, max(wide)) + _GAP
    beside = max(1, (screen.width - len(heads[-1]) - _GAP) // each)
    for start in range(0, len(rows), beside):
        part = rows[start : start + beside]
        columns = zip(heads[1:], *(numbers for _, numbers in part), strict=True)
        _print_rows([heads[0], *(name for name, _ in part)], [list(line) for line in columns], screen)


def _print_rows(heads: Sequence[str], rows: Sequence[Sequence[str]], screen: Any) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    # headings of several words stand on several lines where names need the room
    narrow = sum(max(map(len, column)) + _GAP for column in zip(heads, *rows, strict=True)) > screen.width
    for place, head in enumerate(heads):
        least = max(len(row[place]) for row in rows) if place else None
        most = None if least is None or not narrow else max(least, *map(len, head.split()))
        table.add_column(
            Text(head), justify="right" if place else "left", overflow="fold", min_width=least, max_width=most
        )
    for row in rows:
        table.add_row(*map(Text, row))
    screen.print(table)


def _several(curves: dict[str, dict[str, Any]]) -> dict[str, list[list[float]]]:
    """The trained norms of each cell of which there are several runs."""
    found: dict[str, list[list[float]]] = {}
    for curve in curves.values():
        if "cell" in curve:
            found.setdefault(str(curve["cell"]), []).append(curve["trained"]["norms"])
    return {cell: norms for cell, norms in found.items() if len(norms) > 1}
