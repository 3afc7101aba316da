"""``gatewise compare``: which cell, by how much, at what cost."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gatewise.cli.compare_options import (
    AgainstOption,
    CellsOption,
    ClusterOption,
    CostOption,
    GridOption,
    JobsOption,
    MarginOption,
    MatchOption,
    MetricOption,
    OldCodeOption,
    OutOption,
    RepeatTuningOption,
    ResplitOption,
    SearchOption,
    SeedsOption,
    StorageOption,
    TrialsOption,
    YesOption,
)
from gatewise.cli.options import ImportsOption, SeveralDataArgument, TaskOption, typed_settings, with_settings

__all__ = ["compare"]

_WHERE = ("jobs", "cluster", "storage", "margin", "cost", "yes", "old_code")
_OWN = (
    *(
        "cells",
        "seeds",
        "out",
        "task",
        "grid",
        "search",
        "trials",
        "metric",
        "repeat_tuning",
        "match",
        "imports",
        "against",
    ),
    *_WHERE,
)


@with_settings(several=True)
def compare(
    data: SeveralDataArgument = None,
    cells: CellsOption = None,
    seeds: SeedsOption = None,
    out: OutOption = None,
    task: TaskOption = None,
    grid: GridOption = None,
    search: SearchOption = None,
    trials: TrialsOption = None,
    metric: MetricOption = None,
    repeat_tuning: RepeatTuningOption = None,
    match: MatchOption = None,
    margin: MarginOption = None,
    jobs: JobsOption = None,
    cluster: ClusterOption = None,
    storage: StorageOption = None,
    imports: ImportsOption = None,
    against: AgainstOption = None,
    resplit: ResplitOption = None,
    cost: CostOption = None,
    yes: YesOption = None,
    old_code: OldCodeOption = None,
    *,
    settings: dict[str, Any],
) -> None:
    """Compare recurrent cells and honest baselines on one data set, or on several: table, verdict, report.

    Every cell gets the same data and budget. The result goes to DIR: report.html to look at, comparison.json with
    every figure, curves and tables, and one run folder per trained network. The same command again continues what was
    stopped and reuses what is finished. DATA may be a plan.toml with the names of the options as keys. Of several, each
    gets a folder in DIR, and a page over all of them says how often runs win, and which cell ranks best.

    Examples:

        gatewise compare

        gatewise compare reviews.csv --text review --label sentiment --seeds 3 --epochs 5

        gatewise compare rotten-tomatoes --cells "gru,bilstm,gru*2" --grid "hidden=64,128 lr=1e-3,3e-3" --seeds 5

        gatewise compare adding --cells rnn,lstm,gru --length 100,200,400

        gatewise compare plan.toml

        gatewise compare rotten-tomatoes sp500 adding --seeds 5
    """
    given = locals()
    if resplit is not None and data is not None and len(data) > 1:
        from gatewise.errors import OptionError

        raise OptionError("--resplit is for one data set", fix="compare the others on their own")
    asked = {name: given[name] for name in _OWN if given[name] is not None} | settings
    if resplit is not None or (data is not None and len(data) > 1):
        _start_several(data or ["imdb"], asked, resplit)
        return
    named = data[0] if data else "imdb"
    if Path(named).suffix == ".toml":
        from gatewise.comparison.plan.plan_file import read_plan_file

        named, asked = read_plan_file(Path(named), asked)
    _start(named, asked)


def _start_several(entries: list[str], asked: dict[str, Any], splits: int | None) -> None:
    from gatewise.cli.comparison_display import ComparisonDisplay
    from gatewise.cli.interruption import resumable
    from gatewise.reports.several import print_several
    from gatewise.screen import console
    from gatewise.studies import Part, default_folder_of, plan_several, plan_splits, run_several, several_command

    out = asked.pop("out", None)
    folder = default_folder_of(entries) if out is None else Path(out)

    def typed(task: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        return typed_settings(task, settings, several=splits is None)

    parts = (
        plan_several(entries, asked, typed=typed)
        if splits is None
        else plan_splits(entries[0], asked, splits, typed=typed)
    )
    settings = asked if splits is None else {"resplit": splits, **asked}
    command, screen = several_command(entries, settings, folder), console()
    with resumable(folder, command), ComparisonDisplay(screen) as display:

        def begin(part: Part) -> None:
            what = part.data if splits is None else f"{part.data}, {part.name}"
            display.say(f"\n{what} ({parts.index(part) + 1} of {len(parts)})", "bold")

        record = run_several(parts, folder, command, on_part=begin, on_event=display, splits=splits is not None)
    print_several(record, screen)
    screen.print()
    screen.print(f"Report: {folder / 'report.html'}", style="bold", soft_wrap=True, highlight=False)


def _start(data: str, asked: dict[str, Any]) -> None:
    from gatewise.cli.interruption import resumable
    from gatewise.comparison.plan.command import compare_command
    from gatewise.comparison.plan.plan import default_folder, make_plan
    from gatewise.training.registry import import_modules, task_of

    own = {name: asked[name] for name in _OWN if name in asked}
    settings = {name: value for name, value in asked.items() if name not in own}
    out, against = own.pop("out", None), own.pop("against", None)
    options = {name: own.pop(name) for name in _WHERE if name in own}
    import_modules(own.get("imports", ()))  # kinds of problems may be among what they register
    own["task"] = task_of(data, task=own.get("task"), given=tuple(settings))
    plan = make_plan(data, **own, **typed_settings(own["task"], settings, several=True))
    folder = Path(out) if out is not None else default_folder(data)
    with resumable(folder, compare_command(plan, folder, options)):
        _compare(plan, folder, options, None if against is None else Path(against))


def _compare(plan: Any, folder: Path, options: dict[str, Any], against: Path | None) -> None:
    from gatewise.cli.comparison_display import ComparisonDisplay
    from gatewise.screen import console

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
        from gatewise.comparison.verdict.changes import changes

        changed = changes(old, result.record)
        print_changes(changed, screen)
    page = write_report(folder, changes=changed)
    screen.print()
    screen.print(f"Report: {page}", style="bold", soft_wrap=True, highlight=False)
    screen.print(display.elapsed(), highlight=False)
    screen.print(f"Figures: {folder / 'comparison.json'}   Runs: {folder / 'runs'}", soft_wrap=True, highlight=False)
