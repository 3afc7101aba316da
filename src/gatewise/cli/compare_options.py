"""The options of ``gatewise compare`` that are its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "AgainstOption",
    "CellsOption",
    "ClusterOption",
    "CostOption",
    "GridOption",
    "JobsOption",
    "MarginOption",
    "MatchOption",
    "MetricOption",
    "OldCodeOption",
    "OutOption",
    "RepeatTuningOption",
    "ResplitOption",
    "SearchOption",
    "SeedsOption",
    "StorageOption",
    "TrialsOption",
    "YesOption",
]

_SEARCH, _WHERE = "Search and budget", "Where and how long"

CellsOption = Annotated[
    str | None,
    typer.Option(
        "--cells",
        metavar="NAMES",
        help="Cells and variants: gru, bilstm (both directions), gru*2. (default rnn,lstm,gru)",
    ),
]
SeedsOption = Annotated[
    int | None,
    typer.Option(
        "--seeds", metavar="N", help="How many times each cell is trained, each with another seed. (default 3)"
    ),
]
OutOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="Folder for the result. (default runs/ and the data's name)"),
]
GridOption = Annotated[
    list[str] | None,
    typer.Option(
        "--grid",
        metavar="NAME=VALUES",
        help="Choose each cell's settings on the validation part: 'hidden=64,128 lr=1e-3,3e-3', or with --search "
        "tpe lr=1e-4..1e-2. May be given several times.",
        rich_help_panel=_SEARCH,
    ),
]
SearchOption = Annotated[
    str | None,
    typer.Option("--search", metavar="NAME", help="grid, random or tpe.", rich_help_panel=_SEARCH),
]
TrialsOption = Annotated[
    int | None,
    typer.Option(
        "--trials", metavar="N", help="Trials per cell and baseline, for random and tpe.", rich_help_panel=_SEARCH
    ),
]
RepeatTuningOption = Annotated[
    bool | None,
    typer.Option(
        "--repeat-tuning",
        help="Repeat the search for each seed: the intervals then include that another search chooses other settings.",
        rich_help_panel=_SEARCH,
    ),
]
ResplitOption = Annotated[
    int | None,
    typer.Option(
        "--resplit",
        metavar="N",
        help="Compare on N splits of the data, and say the share of each source of variance (labelled texts, probes).",
        rich_help_panel=_SEARCH,
    ),
]
MetricOption = Annotated[
    str | None,
    typer.Option(
        "--metric",
        metavar="NAME",
        help="Choose and compare by this figure (classification: accuracy, macro-f1, auroc, log-loss, ...); with loss "
        "only the search chooses by it.",
        rich_help_panel=_SEARCH,
    ),
]
MatchOption = Annotated[
    str | None,
    typer.Option(
        "--match",
        metavar="NAME",
        help="What the cells have in common: hidden (width), parameters (their number), or time (of training). "
        "(default hidden)",
        rich_help_panel=_SEARCH,
    ),
]
MarginOption = Annotated[
    float | None,
    typer.Option(
        "--margin",
        metavar="X",
        help="Differences within it make none in practice; 0.005 is half a point. (default half a point, or 1 %)",
        rich_help_panel=_SEARCH,
    ),
]
JobsOption = Annotated[
    int | None,
    typer.Option("--jobs", metavar="N", help="Trainings at the same time. (default 1)", rich_help_panel=_WHERE),
]
ClusterOption = Annotated[
    str | None,
    typer.Option("--cluster", metavar="URL", help="Dask scheduler: tcp://host:8786.", rich_help_panel=_WHERE),
]
StorageOption = Annotated[
    str | None,
    typer.Option(
        "--storage",
        metavar="URL",
        help="Database that keeps the search's trials. (default a journal in DIR)",
        rich_help_panel=_WHERE,
    ),
]
AgainstOption = Annotated[
    Path | None,
    typer.Option("--against", metavar="OLD", help="Folder of an older comparison: report what changed since."),
]
CostOption = Annotated[
    bool | None,
    typer.Option(
        "--cost/--no-cost",
        help="Measure what one run of each cell costs, alone. (default --cost)",
        rich_help_panel=_WHERE,
    ),
]
YesOption = Annotated[
    bool | None, typer.Option("--yes", help="Start even if it takes longer than a week.", rich_help_panel=_WHERE)
]
OldCodeOption = Annotated[
    bool | None,
    typer.Option("--old-code", help="Reuse what an older version of the code trained.", rich_help_panel=_WHERE),
]
