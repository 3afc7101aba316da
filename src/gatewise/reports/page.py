"""`report.html`: one file that needs nothing else, readable on a phone and at a desk, light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from markupsafe import Markup

from gatewise import words
from gatewise.drawing.page import Page
from gatewise.drawing.styles import series_style
from gatewise.drawing.templates import render, shared_css
from gatewise.files import write_text
from gatewise.record import Changes, Comparison, ModelEntry
from gatewise.reports import sections
from gatewise.reports.axis import axis_models, axis_table
from gatewise.reports.columns import Column, abbreviations, cost_columns, quality_columns, scale_of, sorted_models
from gatewise.reports.kind_report import kind_report, read_comparison
from gatewise.reports.looks import looks
from gatewise.reports.method import method_paragraphs
from gatewise.reports.pictures import charts
from gatewise.reports.plots import write_curves
from gatewise.reports.search import search_section
from gatewise.reports.text_tables import write_tables

__all__ = ["render_page", "write_page", "write_report"]

_TEMPLATES = Path(__file__).parent / "templates"


def write_report(folder: str | Path, *, changes: Changes | None = None) -> Path:
    """Make the page, the curves' pictures and the tables from the `comparison.json` in a folder.

    Args:
        folder: of a finished comparison.
        changes: what differs from an older comparison, as `gatewise.comparison.verdict.changes.changes` gives it.

    Returns:
        The path of the page; beside it lie curves.png, curves.svg, table.md and table.tex.

    Raises:
        RunError: there is no finished comparison, it is damaged, or from another version.
        StorageError: the files cannot be written.
    """
    record = read_comparison(folder)
    page = write_page(folder, changes=changes, record=record)
    write_tables(folder, record=record)
    return page


def write_page(folder: str | Path, *, changes: Changes | None = None, record: Comparison | None = None) -> Path:
    """Make `report.html`, `curves.png` and `curves.svg` alone; see `write_report`."""
    record = read_comparison(folder) if record is None else record
    page = render_page(record, changes=changes)
    write_curves(record, Path(folder))
    return write_text(Path(folder) / "report.html", page)


def render_page(record: Comparison, *, changes: Changes | None = None) -> str:
    """The page as HTML. Every text that comes from the data is escaped.

    Args:
        record: a comparison.
        changes: what differs from an older comparison, or None.
    """
    models, scale = sorted_models(record), scale_of(record)
    titles = dict(axis_models(record, record.models))
    baselines = {model.name for model in record.models if model.is_baseline}
    styles = series_style(titles, baselines)
    seeds = max((model.figure.seeds for model in models), default=0)
    page = Page(record, models, styles, titles, scale, seeds)
    kind = kind_report(record.task)
    settings, environment = sections.settings(record)
    planned = record.plan.get("cells")
    return render(
        _TEMPLATES,
        "report.html",
        record=record,
        models=models,
        styles=styles,
        titles=titles,
        scale=scale,
        opening=_opening(record),
        tiles=sections.tiles(record, scale),
        strip=sections.strip(models, scale) if models else None,
        tables=_tables(record, models, titles),
        differences=sections.differences(record, scale),
        charts=charts(record, styles, scale),
        kind_notes=kind.notes(page),
        kind_sections=kind.sections(page),
        looks=looks(record.models),
        abbreviations=abbreviations(record),
        axis=axis_table(record, models, scale),
        tuning=sections.tuning(record, scale),
        search=search_section(record, styles, scale),
        method=method_paragraphs(record),
        settings=settings,
        environment=environment,
        kernels=sections.kernels(models),
        seeds=seeds,
        cells=len(planned) if isinstance(planned, list) else len(record.cells),
        changes=changes,
        change_heads=[(head, head == "Reading") for head in _CHANGE_HEADS],
        change_rows=[] if changes is None else _change_rows(changes, record, scale),
        css=shared_css(),
    )


def _opening(record: Comparison) -> list[str]:
    """The sentences under the headline: reach and quality, and the baseline's."""
    answers = record.verdict.answers
    questions = [name for name in ("training", "reach", "quality", "baseline") if name in answers]
    return [record.verdict.below_headline(answers[name].sentence) for name in questions]


def _tables(record: Comparison, models: Sequence[ModelEntry], titles: Mapping[str, str]) -> list[dict[str, Any]]:
    """Quality and cost as sections of tables; what training and what use costs have one each, and the times' ratios."""
    costs = cost_columns(record)
    training = [column for column in costs if column.group == "training"]
    using = [column for column in costs if column.group == "use"]
    parts = (
        ("figures", "All figures", [(None, quality_columns(record))]),
        ("costs", "What each costs", [("To train", training), ("To use", using)]),
    )
    heads, rows = sections.times(record)
    heads_of_ratios = [(_capital(head), head == "Against") for head in heads]
    ratios = [{"caption": _TIMES, "heads": heads_of_ratios, "rows": rows, "wide": True}]
    further = {"costs": ratios if rows else []}
    return [
        {
            "name": name,
            "title": title,
            "tables": [
                *(_table(caption, columns, models, titles) for caption, columns in tables if columns),
                *further.get(name, []),
            ],
        }
        for name, title, tables in parts
    ]


_TIMES = "One beside the other: the row's time as a multiple of the other's, with its 95 % interval"


def _table(
    caption: str | None, columns: Sequence[Column], models: Sequence[ModelEntry], titles: Mapping[str, str]
) -> dict[str, Any]:
    """A table of the models of which something is known; the caption names the others."""
    heads = [(_capital(column.head), column.left) for column in columns]
    rows = [(model.name, _cells(model, columns)) for model in models]
    known = [row for row in rows if any(cell != "–" for cell in row[1])]
    if missing := [titles[name] for name, cells in rows if (name, cells) not in known]:
        caption = f"{caption} (not measured: {', '.join(missing)})" if caption else caption
    return {"caption": caption, "heads": heads, "rows": known, "wide": False}


def _cells(model: ModelEntry, columns: Sequence[Column]) -> list[str]:
    return [column.make(model) for column in columns]


_CHANGE_HEADS = (
    *("Before", "Now", "Difference", "Explained by chance within"),
    *("Reading", "Per epoch before", "Per epoch now"),
)


def _change_rows(changes: Changes, record: Comparison, scale: words.Scale) -> list[tuple[str, list[str]]]:
    """What an older comparison had, and what this one has, a row per model."""
    names = {model.title: model.name for model in record.models}
    return [
        (
            names.get(model.title, model.title),
            [
                scale.value(model.old),
                scale.value(model.new),
                scale.signed(model.difference),
                scale.gap(model.reach),
                Markup('<span class="{}">{}</span>').format(
                    model.reading, "no change beyond the intervals" if model.reading == "same" else model.reading
                ),
                words.duration(model.old_seconds_per_epoch),
                words.duration(model.new_seconds_per_epoch),
            ],
        )
        for model in changes.models
    ]


def _capital(head: str) -> str:
    """A head with a capital, but for abbreviations that begin small.

    Example:
        >>> _capital("per epoch"), _capital("sMAPE")
        ('Per epoch', 'sMAPE')
    """
    return head if head[1:2].isupper() else head[:1].upper() + head[1:]
