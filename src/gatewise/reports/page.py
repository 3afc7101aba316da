"""`report.html`: one file that needs nothing else, readable on a phone and at a desk, light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gatewise import words
from gatewise.files import write_text
from gatewise.kinds.forecasting.fans import fans
from gatewise.reports import kinds, sections
from gatewise.reports.columns import abbreviations, cost_columns, quality_columns, scale_of, sorted_models
from gatewise.reports.method import method_paragraphs
from gatewise.reports.pictures import charts
from gatewise.reports.plots import write_curves
from gatewise.reports.records import Record, read_comparison
from gatewise.reports.text_tables import write_tables

__all__ = ["render_page", "series_style", "write_page", "write_report"]

_TEMPLATES = Path(__file__).parent / "templates"
_COLOURS = 6


def write_report(folder: str | Path, *, changes: Mapping[str, Any] | None = None) -> Path:
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


def write_page(folder: str | Path, *, changes: Mapping[str, Any] | None = None, record: Record | None = None) -> Path:
    """Make `report.html`, `curves.png` and `curves.svg` alone; see `write_report`."""
    record = read_comparison(folder) if record is None else record
    page = render_page(record, changes=changes)
    write_curves(record, Path(folder))
    return write_text(Path(folder) / "report.html", page)


def render_page(record: Record, *, changes: Mapping[str, Any] | None = None) -> str:
    """The page as HTML. Every text that comes from the data is escaped.

    Args:
        record: a checked comparison, see `gatewise.reports.records.check_record`.
        changes: what differs from an older comparison, or None.
    """
    models, scale = sorted_models(record), scale_of(record)
    titles = dict(kinds.axis_models(record, record["models"]))
    kind_of = {model["name"]: model["kind"] for model in record["models"]}
    styles = series_style([{"name": name, "kind": kind_of.get(name, "recurrent")} for name in titles])
    first, others = kinds.examples(record, models, styles)
    settings, environment = sections.settings(record)
    template = _environment().get_template("report.html")
    page: str = template.render(
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
        matrices=kinds.matrices(record, models, styles),
        first_examples=first,
        other_examples=others,
        abbreviations=abbreviations(record),
        forecast=kinds.forecast(models, scale),
        fans=fans(models, styles),
        samples=kinds.samples(models),
        surprise=kinds.surprise(models, styles),
        axis=kinds.axis_table(record, models, scale),
        tuning=sections.tuning(record, scale),
        method=method_paragraphs(record),
        settings=settings,
        environment=environment,
        seeds=max((model["figure"]["seeds"] for model in models), default=0),
        changes=changes,
        css=(_TEMPLATES / "report.css").read_text(encoding="utf-8"),
    )
    return page


def series_style(models: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The number of each model's colour and marker: 0 for the baselines, 1, 2, ... for the cells in their order.

    Example:
        >>> series_style([{"name": "tfidf", "kind": "baseline"}, {"name": "gru", "kind": "recurrent"}])
        {'tfidf': 0, 'gru': 1}
    """
    cells = [model["name"] for model in models if model["kind"] != "baseline"]
    return {
        model["name"]: 0 if model["kind"] == "baseline" else 1 + cells.index(model["name"]) % _COLOURS
        for model in models
    }


def _environment() -> Any:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(
        percent=words.percent,
        duration=words.duration,
        confidence=words.confidence,
        count=words.count,
        p_value=words.p_value,
        sentence=words.sentence,
        number=words.number,
    )
    return environment


def _opening(record: Record) -> list[str]:
    """The sentences under the headline: reach and quality, and the baseline's."""
    answers = record["verdict"]["answers"]
    return [answers[name]["sentence"] for name in ("reach", "quality", "baseline") if name in answers]


def _tables(record: Record, models: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Quality and cost as heads and rows."""
    found = []
    for name, title, columns in (
        ("figures", "All figures", quality_columns(record)),
        ("costs", "What each costs", cost_columns(record)),
    ):
        rows = [(model["name"], [(column.make(model), column.left) for column in columns]) for model in models]
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
