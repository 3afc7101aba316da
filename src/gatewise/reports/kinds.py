"""What the page shows of one kind of problem only: mistakes, forecasts by horizon, samples, lengths."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gatewise import words
from gatewise.reports.records import Record

__all__ = ["axis_models", "axis_table", "examples", "forecast", "matrices", "samples", "surprise"]

_WIDEST_MATRIX = 12
_FIRST_EXAMPLES = 5
_NEXT = 8
Model = Mapping[str, Any]


def matrices(record: Record, models: Sequence[Model], styles: Mapping[str, int]) -> list[dict[str, Any]]:
    """What was mistaken for what, of every model; nothing where the runs have no confusion table."""
    labels = record["data"].get("label_names")
    if not labels:
        return []
    return [
        _matrix(model, labels, styles[model["name"]])
        for model in models
        if all(len(run["test"].get("confusion", ())) == len(labels) for run in model["runs"])
    ]


def _matrix(model: Model, labels: Sequence[str], style: int) -> dict[str, Any]:
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


def examples(
    record: Record, models: Sequence[Model], styles: Mapping[str, int]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The confidently wrong examples with every model's answer; those that fool the models most come first."""
    labels = record["data"].get("label_names", [])
    shown = []
    for example in record.get("examples", []):
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


def forecast(models: Sequence[Model], scale: words.Scale) -> dict[str, Any]:
    """The error at every step of the horizon, and how often the truth fell below each forecast quantile.

    Returns:
        ``steps`` and ``rows`` (title, style key, cells), ``levels`` and ``coverage``; empty lists where not measured.
    """
    by_step = {model["name"]: _mean_rows([run["test"].get("by_horizon") for run in model["runs"]]) for model in models}
    known = {name: row for name, row in by_step.items() if row}
    steps = max((len(row) for row in known.values()), default=0)
    shown = _chosen(steps)
    levels = sorted(
        {level for model in models for run in model["runs"] for level in (run["test"].get("coverage") or {})}, key=float
    )
    coverage = []
    for model in models:
        found = [run["test"]["coverage"] for run in model["runs"] if run["test"].get("coverage")]
        if found:
            means = [sum(entry[level] for entry in found) / len(found) for level in levels]
            coverage.append((model["name"], [words.percent(mean) for mean in means]))
    return {
        "steps": [step + 1 for step in shown],
        "rows": [
            (name, [scale.value(row[step]) if step < len(row) else "–" for step in shown])
            for name, row in known.items()
        ],
        "levels": [words.percent(float(level), 0) for level in levels],
        "coverage": coverage,
    }


def samples(models: Sequence[Model]) -> list[dict[str, Any]]:
    """What each language model writes: ``samples`` (``prompt``, ``text``), and ``next``, the likeliest words."""
    found = []
    for model in models:
        details = model.get("details") or {}
        if not details.get("samples"):
            continue
        following = details.get("next_tokens") or {"prompt": "", "tokens": []}
        likeliest = [(entry["token"], words.percent(entry["probability"])) for entry in following["tokens"][:_NEXT]]
        found.append(
            {
                "name": model["name"],
                "samples": list(details["samples"]),
                "prompt": following["prompt"],
                "next": likeliest,
            }
        )
    return found


def surprise(models: Sequence[Model], styles: Mapping[str, int]) -> dict[str, Any] | None:
    """The first test tokens as the best model read them, each with how much it surprised, 0 to 100.

    100 stands for 10 nats and more: a token held for less likely than 1 in 22,000.
    """
    for model in models:
        given = model["runs"][0].get("predictions") or {}
        if model["kind"] != "baseline" and given.get("nats"):
            pairs = zip(given["tokens"], given["nats"], strict=True)
            tokens = [(token, round(min(100.0, 10 * nats)), words.percent(math.exp(-nats))) for token, nats in pairs]
            return {"title": model["title"], "style": styles[model["name"]], "tokens": tokens}
    return None


def axis_table(record: Record, models: Sequence[Model], scale: words.Scale) -> dict[str, Any] | None:
    """The figure of every model at every point of the axis, and how far each cell reaches."""
    axis = record["axis"]
    if not axis:
        return None
    rows = []
    for name, _ in axis_models(record, models):
        cells = []
        for point in axis["points"]:
            found = [entry for entry in point["models"] if entry["name"] == name]
            cells.append(scale.value(found[0]["figure"]["estimate"]) if found else "–")
        reach = axis["reach"].get(name)
        rows.append((name, cells, "–" if reach is None else words.number(reach)))
    values = [point["value"] for point in axis["points"]]
    return {"title": axis["title"], "values": values, "rows": rows, "reaches": bool(axis["reach"])}


def axis_models(record: Record, models: Sequence[Model]) -> list[tuple[str, str]]:
    """Name and title of the models of the last point, in their order, and of those that finished at others only."""
    found = {model["name"]: model["title"] for model in models}
    for point in (record["axis"] or {"points": []})["points"]:
        for entry in point["models"]:
            found.setdefault(entry["name"], entry["title"])
    return list(found.items())


def _mean_rows(rows: Sequence[Sequence[float] | None]) -> list[float]:
    """Mean over seeds, step by step."""
    known = [row for row in rows if row]
    return [sum(column) / len(column) for column in zip(*known, strict=True)] if known else []


def _chosen(steps: int, most: int = 12) -> list[int]:
    """At most so many steps of a horizon, first and last among them.

    Example:
        >>> _chosen(5), _chosen(96, 4)
        ([0, 1, 2, 3, 4], [0, 32, 63, 95])
    """
    if steps <= most:
        return list(range(steps))
    return sorted({round(place * (steps - 1) / (most - 1)) for place in range(most)})
