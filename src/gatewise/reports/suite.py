"""The experiment of several comparisons as one page, one Markdown file and one picture."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from gatewise import words
from gatewise.drawing.pictures import BASELINE, COLOURS, MUTED, drawn, escaped, finish, keep_shares, new_figure
from gatewise.drawing.styles import series_style
from gatewise.drawing.templates import render, shared_css
from gatewise.files import write_bytes, write_text
from gatewise.record import Column, Finding, Suite, SuitePart, read_suite

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from rich.console import Console

__all__ = [
    "TableRow",
    "print_suite",
    "suite_figure",
    "suite_markdown",
    "suite_page",
    "suite_summary",
    "table_rows",
    "write_suite_report",
]

FINDINGS = {"holds": "holds", "fails": "fails", "undecided": "undecided", "untested": "not tested"}
CLAIM_RULES = (
    "Quality: a claim holds, or fails, if the p value of “no difference” (paired, over test examples and seeds) is "
    "below 0.05 after correction for all claims of this page on quality and time together (Holm); else it is "
    "undecided.",
    "Time: by the ratio of two cells' training steps, measured in turns in one process that does nothing else, with "
    "the same correction; the ratio has to lie beyond 5 % too. Minutes of trainings side by side decide nothing.",
    "Size: by the number of parameters; less than 5 % apart counts as the same, and the claim as undecided.",
)
"""How a claim is judged."""
UNPUBLISHED = "The articles name this use of recurrent networks and print no figure for it."
_TEMPLATES = Path(__file__).parent / "templates"
_PAPER = "#fdfcf9"
_IN_A_ROW = 3


@dataclass(frozen=True)
class TableRow:
    """A model's row of a part's table, in words.

    Attributes:
        title: the model's.
        kind: ``recurrent`` or ``baseline``.
        figures: one a column.
        published: what the articles printed.
        parameters: trained numbers.
        minutes: of training.
    """

    title: str
    kind: str
    figures: tuple[str, ...]
    published: str
    parameters: str
    minutes: str


def write_suite_report(folder: str | Path) -> Path:
    """Make `suite.html`, `suite.md`, `suite.png` and `suite.svg` from the `suite.json` in a folder.

    Returns:
        The path of the page.
    """
    record = read_suite(folder)
    place = Path(folder)
    for kind in ("png", "svg"):
        write_bytes(place / f"suite.{kind}", drawn(lambda: suite_figure(record), kind, paper=_PAPER))
    write_text(place / "suite.md", suite_markdown(record))
    return write_text(place / "suite.html", suite_page(record))


def suite_markdown(record: Suite) -> str:
    """The tables and findings as Markdown."""
    lines = ["# The articles' experiment, measured", "", suite_summary(record.claims), ""]
    lines += [f"Command: `{record.command}`", ""]
    if record.quick:
        lines += ["A quick version with few epochs: it shows that everything runs, not what the cells can do.", ""]
    for part in record.parts:
        head = ["model", *(column.title for column in part.columns), "published", "parameters", "minutes"]
        lines += [f"## {part.title}", ""] + ([] if part.published else [UNPUBLISHED, ""])
        lines += [_row(head), _row(["---"] + ["---:"] * (len(head) - 1))]
        for row in table_rows(part):
            lines.append(_row([row.title, *row.figures, row.published, row.parameters, row.minutes]))
        lines += ["", *(f"{words.sentence(sentence)}" for sentence in part.verdict), ""]
    lines += [line for sentence in record.left_out for line in (sentence, "")]
    lines += ["## What the articles claim", "", _row(["claim", "finding", "evidence"]), _row(["---"] * 3)]
    for claim in record.claims:
        lines.append(_row([claim.sentence, FINDINGS[claim.finding], claim.evidence]))
    lines += ["", *(f"- {rule}" for rule in CLAIM_RULES)]
    return "\n".join(lines) + "\n"


def suite_page(record: Suite) -> str:
    """The page as HTML; nothing in it comes from anywhere else."""
    groups = [(name, [claim for claim in record.claims if claim.finding == name]) for name in FINDINGS]
    return render(
        _TEMPLATES,
        "suite.html",
        record=record,
        parts=record.parts,
        heads={part.name: _heads(part) for part in record.parts},
        cells={part.name: _cells(part) for part in record.parts},
        titles={part.name: {row.name: row.title for row in part.rows} for part in record.parts},
        styles=_styles(record),
        summary=suite_summary(record.claims),
        rules=CLAIM_RULES,
        unpublished=UNPUBLISHED,
        groups=[(FINDINGS[name], claims) for name, claims in groups if claims],
        pictures=[_picture(record, stacked=stacked) for stacked in (False, True)],
        css=shared_css(),
    )


def _picture(record: Suite, *, stacked: bool) -> Markup:
    """The picture as a part of the page."""
    picture = drawn(lambda: suite_figure(record, stacked=stacked), "svg", paper=_PAPER).decode("utf-8")
    # the picture's own description of itself only names addresses that a page without network does not need
    picture = re.sub(r"<metadata>.*?</metadata>", "", picture, flags=re.DOTALL)
    if stacked:
        # the two pictures stand on one page: their parts need names of their own
        picture = re.sub(r'(id="|"#|url\(#)', r"\1stacked-", picture)
    return Markup(picture[picture.index("<svg") :])


def _heads(part: SuitePart) -> list[tuple[str, bool]]:
    names = [*(column.title for column in part.columns), "in the articles", "parameters", "minutes"]
    return [(name[:1].upper() + name[1:] if name[1:2].islower() else name, False) for name in names]


def _cells(part: SuitePart) -> list[tuple[str, list[str]]]:
    """The name of each model, and its cells."""
    return [
        (row.name, [*made.figures, made.published, made.parameters, made.minutes])
        for row, made in zip(part.rows, table_rows(part), strict=True)
    ]


def _styles(record: Suite) -> dict[str, int]:
    rows = [row for part in record.parts for row in part.rows]
    return series_style([row.name for row in rows], {row.name for row in rows if row.kind == "baseline"})


def suite_summary(claims: Iterable[Finding]) -> str:
    """How many of the claims hold, in a sentence.

    Example:
        >>> suite_summary([])
        'No claim was tested.'
    """
    claims = list(claims)
    verbs = {"holds": "hold", "fails": "fail", "undecided": "are undecided", "untested": "were not tested"}
    counts = {name: sum(claim.finding == name for claim in claims) for name in verbs}
    parts = [f"{number} {verbs[name]}" for name, number in counts.items() if number]
    return f"Of {len(claims)} claims {words.join(parts)}." if parts else "No claim was tested."


def table_rows(part: SuitePart) -> list[TableRow]:
    """The rows of a part's table in words."""
    rows = []
    scale = words.Scale.of(part.metric, max((abs(row.figure.estimate) for row in part.rows), default=0.0))
    for row in part.rows:
        known = row.published or {}
        published = [_figure(column, known[column.name]) for column in part.columns if column.name in known]
        if "minutes" in known:
            published.append(f"{known['minutes']:g} min")
        figures = []
        for column in part.columns:
            text = _figure(column, row.figures[column.name])
            if column.name == part.metric.name:
                text = f"{scale.value(row.figure.estimate)} ({scale.interval(row.figure.low, row.figure.high)})"
            figures.append(text)
        rows.append(
            TableRow(
                row.title,
                row.kind,
                tuple(figures),
                ", ".join(published) or "–",
                words.count(row.parameters),
                f"{row.minutes:.1f}" if row.kind != "baseline" else "–",
            )
        )
    return rows


def _figure(column: Column, value: float | None) -> str:
    if value is None:
        return "–"
    if column.percent:
        return words.percent(value) if column.percent_sign else f"{100 * value:.1f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2g}"


def suite_figure(record: Suite, *, stacked: bool = False) -> Figure:
    """One panel per comparison: each cell's figure with its interval, the published one hollow, baselines as lines.

    Args:
        record: of the experiment.
        stacked: the panels below each other, for a narrow screen.
    """
    count = len(record.parts)
    columns = 1 if stacked else min(count, _IN_A_ROW)
    rows = -(-count // columns)
    figure = new_figure(4.4, 2.9 * count) if stacked else new_figure(10.0, 3.4 * rows)
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, part in zip(panels, record.parts, strict=False):
        _panel(axes, part)
    for axes in panels[count:]:
        axes.remove()
    return figure


def _panel(axes: Axes, part: SuitePart) -> None:
    metric = part.metric
    size = 100.0 if metric.percent else 1.0
    cells = [row for row in part.rows if row.kind != "baseline"]
    styles = series_style([row.name for row in cells], ())
    for place, row in enumerate(cells):
        colour = COLOURS[styles[row.name]]
        value, low, high = size * row.figure.estimate, size * row.figure.low, size * row.figure.high
        axes.plot([low, high], [place, place], color=colour, linewidth=5, alpha=0.35, solid_capstyle="round")
        axes.plot([value], [place], "o", color=colour, markersize=9)
        published = (row.published or {}).get(metric.name)
        if published is not None:
            axes.plot([size * published], [place], "D", markerfacecolor="white", markeredgecolor=colour, markersize=8)
    baselines = [row for row in part.rows if row.kind == "baseline"]
    for row in baselines[:1]:
        at = size * row.figure.estimate
        axes.axvline(at, color=BASELINE, linestyle=(0, (4, 3)), linewidth=1.2)
        side = _side(axes, at)
        axes.annotate(
            escaped(row.title),
            (at, -0.62),
            xytext=(-4 if side == "right" else 4, 0),
            textcoords="offset points",
            color=MUTED,
            fontsize=8,
            va="center",
            ha=side,
        )
    if metric.percent:
        keep_shares(axes, "x")
    axes.set_yticks(range(len(cells)), [escaped(row.title) for row in cells])
    axes.set_ylim(len(cells) - 0.5, -0.85)
    axes.set_facecolor("none")
    axes.locator_params(axis="x", nbins=5)
    finish(axes, part.title, metric.title + (" (%)" if metric.percent and metric.percent_sign else ""), grid="x")


def _side(axes: Axes, at: float) -> str:
    """On which side of a line its words have room."""
    low, high = axes.get_xlim()
    return "right" if at > (low + high) / 2 else "left"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |"


def print_suite(record: Suite, screen: Console) -> None:
    """Show the tables and findings on a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    for part in record.parts:
        table = Table(title=part.title, box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
        table.add_column("model")
        for title in (*(column.title for column in part.columns), "published", "parameters", "minutes"):
            table.add_column(Text(title), justify="right")
        for row in table_rows(part):
            cells = (*row.figures, row.published, row.parameters, row.minutes)
            table.add_row(Text(row.title), *(Text(text) for text in cells))
        screen.print(table)
        if not part.published:
            screen.print(UNPUBLISHED, markup=False)
    for sentence in record.left_out:
        screen.print(sentence, markup=False)
    for claim in record.claims:
        screen.print(f"{claim.sentence}: {FINDINGS[claim.finding]}. {claim.evidence}", markup=False)
