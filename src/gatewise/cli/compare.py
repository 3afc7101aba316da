"""``gatewise compare``: which cell, by how much, at what cost."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gatewise.cli.options import DataArgument, TaskOption, with_settings

__all__ = ["compare"]

_SEARCH, _WHERE = "Search and budget", "Where and how long"


@with_settings(omit=("length",))
def compare(
    data: DataArgument = "imdb",
    cells: Annotated[
        str, typer.Option("--cells", metavar="NAMES", help="Cells and variants: gru, bilstm (both directions), gru*2.")
    ] = "rnn,lstm,gru",
    seeds: Annotated[
        int, typer.Option("--seeds", metavar="N", help="How many times each cell is trained, each with another seed.")
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder for the result. (default runs/ and the data's name)"),
    ] = None,
    task: TaskOption = None,
    length: Annotated[
        str | None,
        typer.Option(
            "--length",
            metavar="N,N",
            help="Steps of a probe's sequences; several show where each cell gives up.",
            rich_help_panel="Data",
        ),
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option(
            "--grid",
            metavar="NAME=VALUES",
            help="Choose each cell's settings on the validation part: 'hidden=64,128 lr=1e-3,3e-3', or with --search "
            "tpe lr=1e-4..1e-2. May be given several times.",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    search: Annotated[
        str | None,
        typer.Option("--search", metavar="NAME", help="grid, random or tpe.", rich_help_panel=_SEARCH),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option("--trials", metavar="N", help="Trials per cell, for random and tpe.", rich_help_panel=_SEARCH),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric", metavar="NAME", help="Choose by this figure: the task's own, or loss.", rich_help_panel=_SEARCH
        ),
    ] = None,
    match: Annotated[
        str,
        typer.Option(
            "--match",
            metavar="NAME",
            help="What the cells have in common: hidden width, number of parameters, or training time.",
            rich_help_panel=_SEARCH,
        ),
    ] = "hidden",
    margin: Annotated[
        float | None,
        typer.Option(
            "--margin",
            metavar="X",
            help="Differences within it make none in practice; 0.005 is half a point. (default half a point, or 1 %)",
            rich_help_panel=_SEARCH,
        ),
    ] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", metavar="N", help="Trainings at the same time.", rich_help_panel=_WHERE)
    ] = 1,
    cluster: Annotated[
        str | None,
        typer.Option("--cluster", metavar="URL", help="Dask scheduler: tcp://host:8786.", rich_help_panel=_WHERE),
    ] = None,
    storage: Annotated[
        str | None,
        typer.Option(
            "--storage",
            metavar="URL",
            help="Database that keeps the search's trials. (default a journal in DIR)",
            rich_help_panel=_WHERE,
        ),
    ] = None,
    imports: Annotated[
        list[str] | None,
        typer.Option(
            "--import", metavar="MODULE", help="Module that registers cells of your own.", rich_help_panel=_WHERE
        ),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", metavar="OLD", help="Folder of an older comparison: say what changed since."),
    ] = None,
    cost: Annotated[
        bool,
        typer.Option(
            "--cost/--no-cost", help="Measure what one run of each cell costs, alone.", rich_help_panel=_WHERE
        ),
    ] = True,
    yes: Annotated[
        bool, typer.Option("--yes", help="Go on even if it takes longer than a week.", rich_help_panel=_WHERE)
    ] = False,
    old_code: Annotated[
        bool,
        typer.Option(
            "--old-code", help="Count what an older version of the code trained as the same.", rich_help_panel=_WHERE
        ),
    ] = False,
    *,
    settings: dict[str, Any],
) -> None:
    """Compare recurrent cells and honest baselines on one data set: table, verdict, report.

    Every cell gets the same data and budget. The result goes to DIR: report.html to look at, comparison.json with
    every figure, curves and tables, and one run folder per trained network. The same command again continues what was
    stopped and reuses what is finished. DATA may be a plan.toml with the names of the options as keys.

    Examples:

        gatewise compare

        gatewise compare reviews.csv --text review --label sentiment --seeds 3 --epochs 5

        gatewise compare rotten-tomatoes --cells gru,bilstm,gru*2 --grid "hidden=64,128 lr=1e-3,3e-3" --seeds 5 --jobs 2

        gatewise compare adding --cells rnn,lstm,gru --length 100,200,400

        gatewise compare plan.toml
    """
    asked: dict[str, Any] = {
        "cells": cells,
        "seeds": seeds,
        "out": out,
        "task": task,
        "grid": grid,
        "search": search,
        "trials": trials,
        "metric": metric,
        "match": match,
        "margin": margin,
        "jobs": jobs,
        "cluster": cluster,
        "storage": storage,
        "imports": imports,
        "against": against,
        "cost": cost,
        "yes": yes,
        "old_code": old_code,
        **settings,
    }
    if length is not None:
        asked["length"] = _lengths(length)
    if Path(data).suffix == ".toml":
        from gatewise.comparison.plan_file import read_plan_file

        data, asked = read_plan_file(
            Path(data), asked, usual={"cells": "rnn,lstm,gru", "seeds": 1, "match": "hidden", "jobs": 1, "cost": True}
        )
    _start(data, asked)


def _start(data: str, asked: dict[str, Any]) -> None:
    from gatewise.cli.interruption import resumable
    from gatewise.comparison.command import compare_command
    from gatewise.comparison.plan import default_folder, make_plan

    out, against = asked.pop("out", None), asked.pop("against", None)
    where = ("jobs", "cluster", "storage", "margin", "cost", "yes", "old_code")
    options = {name: asked.pop(name) for name in where if name in asked}
    asked["imports"] = asked.get("imports") or ()
    plan = make_plan(data, **asked)
    folder = Path(out) if out is not None else default_folder(data)
    with resumable(folder, compare_command(plan, folder, options)):
        _compare(plan, folder, options, None if against is None else Path(against))


def _compare(plan: Any, folder: Path, options: dict[str, Any], against: Path | None) -> None:
    from gatewise.cli.comparison_display import ComparisonDisplay
    from gatewise.cli.progress import console

    screen = console()
    old = None
    if against is not None:
        from gatewise.reports import read_comparison

        old = read_comparison(against)
    with ComparisonDisplay(screen) as display:
        display.say(f"Reading {plan.data} ...")
        from gatewise.comparison import run_plan

        result = run_plan(plan, folder, on_event=display, **options)
    from gatewise.reports import print_changes, print_comparison, write_report

    print_comparison(result.record, screen)
    changed = None
    if old is not None:
        from gatewise.comparison.changes import changes

        changed = changes(old, result.record)
        print_changes(changed, screen)
    page = write_report(folder, changes=changed)
    screen.print()
    screen.print(f"Report: {page}", style="bold", soft_wrap=True, highlight=False)
    screen.print(f"Figures: {folder / 'comparison.json'}   Runs: {folder / 'runs'}", soft_wrap=True, highlight=False)


def _lengths(words: str) -> int | list[int]:
    from gatewise.training.assembly import typed_value

    found = [typed_value("probe", "length", word) for word in words.split(",") if word.strip()]
    return found[0] if len(found) == 1 else found
