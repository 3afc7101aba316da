"""`report.html`: one file that needs nothing else, readable on a phone and at a desk, light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gatewise import words
from gatewise.files import write_text
from gatewise.reports.plots import write_curves
from gatewise.reports.records import Record, read_comparison
from gatewise.reports.svg import Mark, Series, line_chart, nice_ticks, scatter_chart

__all__ = ["render_page", "series_style", "write_report"]

_TEMPLATES = Path(__file__).parent / "templates"
_COLOURS = 6
_WIDEST_MATRIX = 12
_FIRST_EXAMPLES = 5


def write_report(folder: str | Path) -> Path:
    """Make `report.html`, `curves.png` and `curves.svg` from the `comparison.json` in a folder.

    Args:
        folder: of a finished comparison.

    Returns:
        The path of the page.

    Raises:
        RunError: there is no finished comparison, it is damaged, or from a newer version.
        StorageError: the files cannot be written.
    """
    record = read_comparison(folder)
    page = render_page(record)
    write_curves(record, Path(folder))
    return write_text(Path(folder) / "report.html", page)


def render_page(record: Record) -> str:
    """The page as HTML. Every text that comes from the data is escaped.

    Args:
        record: a checked comparison, see `gatewise.reports.records.check_record`.
    """
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
        points=words.points,
        interval=words.interval,
        duration=words.duration,
        confidence=words.confidence,
        count=words.count,
        p_value=words.p_value,
        sentence=words.sentence,
    )
    models = sorted(record["models"], key=lambda model: -model["accuracy"]["estimate"])
    styles = series_style(record["models"])
    titles = {model["name"]: model["title"] for model in record["models"]}
    first, others = _examples(record, models, styles)
    return environment.get_template("report.html").render(
        record=record,
        models=models,
        styles=styles,
        titles=titles,
        differences=[_upright(pair) for pair in record["differences"]],
        strip=_strip(models),
        charts=_charts(record, styles),
        matrices=[_matrix(model, record["data"]["label_names"], styles[model["name"]]) for model in models],
        first_examples=first,
        other_examples=others,
        settings=_settings(record["plan"]),
        environment=_flat(record["environment"]),
        seeds=len(record["plan"]["seeds"]),
        css=(_TEMPLATES / "report.css").read_text(encoding="utf-8"),
    )


def series_style(models: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """The number of each model's colour and marker: 0 for the baseline, 1, 2, ... for the cells in their order.

    Example:
        >>> series_style([{"name": "tfidf", "kind": "baseline"}, {"name": "gru", "kind": "recurrent"}])
        {'tfidf': 0, 'gru': 1}
    """
    cells = [model["name"] for model in models if model["kind"] != "baseline"]
    return {
        model["name"]: 0 if model["kind"] == "baseline" else 1 + cells.index(model["name"]) % _COLOURS
        for model in models
    }


def _strip(models: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Places, in percent of the width, of each accuracy and its interval on one common axis."""
    ticks = nice_ticks(
        min(model["accuracy"]["low"] for model in models), max(model["accuracy"]["high"] for model in models), 4
    )
    span = ticks[-1] - ticks[0]

    def place(value: float) -> float:
        return round(100 * (value - ticks[0]) / span, 2)

    return {
        "ticks": [(f"{100 * tick:g}", place(tick)) for tick in ticks],
        "places": {
            model["name"]: {
                "left": place(model["accuracy"]["low"]),
                "width": round(place(model["accuracy"]["high"]) - place(model["accuracy"]["low"]), 2),
                "dot": place(model["accuracy"]["estimate"]),
            }
            for model in models
        },
    }


def _charts(record: Record, styles: Mapping[str, int]) -> dict[str, Any]:
    cells = [model for model in record["models"] if model["kind"] != "baseline"]

    def series(name: str) -> list[Series]:
        return [
            Series(
                model["title"],
                styles[model["name"]],
                tuple(tuple(epoch[name] for epoch in run["epochs"]) for run in model["runs"]),
            )
            for model in cells
        ]

    marks = [
        Mark(
            model["title"],
            styles[model["name"]],
            max(model["training_seconds"], 1e-4),
            model["accuracy"]["estimate"],
            model["accuracy"]["low"],
            model["accuracy"]["high"],
        )
        for model in record["models"]
    ]
    return {
        "loss": line_chart(
            series("training_loss"),
            title="Training loss per epoch, a line per cell",
            unit=lambda value: f"{value:g}",
            x_title="epoch",
        ),
        "validation": line_chart(
            series("validation_accuracy"),
            title="Validation accuracy per epoch, a line per cell",
            unit=lambda value: f"{100 * value:g} %",
            x_title="epoch",
        ),
        "cost": scatter_chart(
            marks,
            title="Test accuracy against training time, a point per model",
            x_unit=lambda seconds: f"{seconds:g} s" if seconds < 60 else f"{seconds / 60:g} min",
            x_title="training time of one run",
        ),
    }


def _upright(pair: Mapping[str, Any]) -> dict[str, Any]:
    """The pair with the more accurate model first."""
    if pair["estimate"] >= 0:
        return dict(pair)
    turned = {"first": pair["second"], "second": pair["first"], "estimate": -pair["estimate"]}
    return {**pair, **turned, "low": -pair["high"], "high": -pair["low"]}


def _matrix(model: Mapping[str, Any], labels: Sequence[str], style: int) -> dict[str, Any]:
    """Counts over all seeds, with the share of the row; for many classes only the most frequent mistakes."""
    size = len(labels)
    counts = [[sum(run["test"]["confusion"][r][c] for run in model["runs"]) for c in range(size)] for r in range(size)]
    rows = [
        {
            "label": labels[r],
            "cells": [(counts[r][c], counts[r][c] / max(1, sum(counts[r])), r == c) for c in range(size)],
        }
        for r in range(size)
    ]
    mistakes = sorted((counts[r][c], labels[r], labels[c]) for r in range(size) for c in range(size) if r != c)
    return {
        "title": model["title"],
        "style": style,
        "labels": labels,
        "rows": rows if size <= _WIDEST_MATRIX else None,
        "mistakes": [mistake for mistake in reversed(mistakes) if mistake[0]][:10],
    }


def _examples(
    record: Record, models: Sequence[Mapping[str, Any]], styles: Mapping[str, int]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The confidently wrong examples with every model's answer; those that fool the models most come first."""
    labels = record["data"]["label_names"]
    shown = []
    for example in record["examples"]:
        index, truth = example["index"], example["truth"]
        answers = []
        for model in models:
            first = model["runs"][0]["predictions"]
            answers.append(
                {
                    "title": model["title"],
                    "style": styles[model["name"]],
                    "label": labels[first["predicted"][index]],
                    "confidence": first["confidence"][index],
                    "right": first["predicted"][index] == truth,
                    "truth_probability": first["truth_probability"][index],
                }
            )
        doubt = sum(answer["truth_probability"] for answer in answers) / len(answers)
        shown.append({**example, "label": labels[truth], "answers": answers, "doubt": doubt})
    shown.sort(key=lambda example: example["doubt"])
    return shown[:_FIRST_EXAMPLES], shown[_FIRST_EXAMPLES:]


def _settings(plan: Mapping[str, Any]) -> list[tuple[str, str]]:
    pairs = [*plan["model"].items(), *plan["training"].items()]
    return [(name.replace("_", " "), _value(value)) for name, value in pairs]


def _flat(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Nested settings as pairs of words."""
    pairs: list[tuple[str, str]] = []
    for name, value in record.items():
        pairs += _flat(value) if isinstance(value, Mapping) else [(str(name).replace("_", " "), _value(value))]
    return pairs


def _value(value: Any) -> str:
    if value is None:
        return "automatic"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
