"""`report.html`: one file that needs nothing else, readable on a phone and at a desk, light and dark."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Any

from gatewise.drawing.page import Page
from gatewise.drawing.templates import render, shared_css
from gatewise.files import write_text
from gatewise.record import Changes, Comparison, ModelEntry
from gatewise.reports import sections
from gatewise.reports.axis import axis_models, axis_table
from gatewise.reports.columns import abbreviations, cost_columns, quality_columns, scale_of, sorted_models
from gatewise.reports.kind_report import kind_report, read_comparison
from gatewise.reports.method import method_paragraphs
from gatewise.reports.pictures import charts
from gatewise.reports.plots import write_curves
from gatewise.reports.text_tables import write_tables

__all__ = ["render_page", "series_style", "write_page", "write_report"]

_TEMPLATES = Path(__file__).parent / "templates"
_COLOURS = 6


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
        tables=_tables(record, models),
        differences=sections.differences(record, scale),
        charts=charts(record, styles, scale),
        kind_notes=kind.notes(page),
        kind_sections=kind.sections(page),
        abbreviations=abbreviations(record),
        axis=axis_table(record, models, scale),
        tuning=sections.tuning(record, scale),
        method=method_paragraphs(record),
        settings=settings,
        environment=environment,
        seeds=seeds,
        cells=len(planned) if isinstance(planned, list) else len(record.cells),
        changes=changes,
        css=shared_css(),
    )


def series_style(names: Iterable[str], baselines: Collection[str]) -> dict[str, int]:
    """The number of each model's colour and marker: 0 for the baselines, 1, 2, ... for the cells in their order.

    Example:
        >>> series_style(["tfidf", "lstm", "gru"], ["tfidf"])
        {'tfidf': 0, 'lstm': 1, 'gru': 2}
    """
    names = list(names)
    cells = [name for name in names if name not in baselines]
    return {name: 0 if name in baselines else 1 + cells.index(name) % _COLOURS for name in names}


def _opening(record: Comparison) -> list[str]:
    """The sentences under the headline: reach and quality, and the baseline's."""
    answers = record.verdict.answers
    return [answers[name].sentence for name in ("training", "reach", "quality", "baseline") if name in answers]


def _tables(record: Comparison, models: Sequence[ModelEntry]) -> list[dict[str, Any]]:
    """Quality and cost as heads and rows."""
    found = []
    for name, title, columns in (
        ("figures", "All figures", quality_columns(record)),
        ("costs", "What each costs", cost_columns(record)),
    ):
        rows = [(model.name, [(column.make(model), column.left) for column in columns]) for model in models]
        heads = [(_capital(column.head), column.left) for column in columns]
        found.append({"name": name, "title": title, "heads": heads, "rows": rows})
    return found


def _capital(head: str) -> str:
    """A head with a capital, but for abbreviations that begin small.

    Example:
        >>> _capital("per epoch"), _capital("sMAPE")
        ('Per epoch', 'sMAPE')
    """
    return head if head[1:2].isupper() else head[:1].upper() + head[1:]
