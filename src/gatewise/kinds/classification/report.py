"""What the report of a comparison of classifiers shows besides: mistakes by class, and confidently wrong examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from gatewise import words
from gatewise.drawing.page import FigureWords, Page
from gatewise.drawing.templates import render
from gatewise.kinds.classification.reliability import ReliabilityBin, calibrations, reliability_chart
from gatewise.record import Comparison, ModelEntry, Run, damaged_part, part_from, placed_runs

__all__ = ["check", "figures", "notes", "sections"]

_WIDEST_MATRIX = 12
_ROOMY_MATRIX = 3
_FIRST_MATRICES = 3
_MOST_LABELS = 60
_CALIBRATION_HEADS = ("expected calibration error", "Brier score", "log loss")
_FIRST_EXAMPLES = 5
_HOME = Path(__file__).parent


@dataclass(frozen=True)
class _Majority:
    """What always answering the most frequent class of the training part gives on the test part."""

    label: str
    accuracy: float | None


@dataclass(frozen=True)
class _Trivial:
    """What knowing nothing reaches in the metric."""

    words: str
    value: float


@dataclass(frozen=True)
class _Data:
    label_names: tuple[str, ...] = ()
    majority: _Majority | None = None
    trivial: _Trivial | None = None
    multi_label: bool = False
    chosen_thresholds: bool = False


@dataclass(frozen=True)
class _Label:
    """One label of several: F1, and texts that have it."""

    f1: float = 0.0
    true: int = 0


@dataclass(frozen=True)
class _Test:
    """The confusion table: rows are the true classes, columns the answers; and the calibration."""

    reliability: tuple[ReliabilityBin, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    per_label: Mapping[str, _Label] = field(default_factory=dict)


@dataclass(frozen=True)
class _Predictions:
    """Over the test examples: class of the answer, its probability, and that of the true class."""

    predicted: tuple[int, ...] = ()
    confidence: tuple[float, ...] = ()
    truth_probability: tuple[float, ...] = ()


@dataclass(frozen=True)
class _Example:
    index: int
    truth: int
    text: str


@dataclass(frozen=True)
class _Ordered:
    """The figures of a model where labels are numbers, with their 95 % intervals."""

    mean_absolute_error: float
    quadratic_kappa: float
    intervals: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Details:
    truth: tuple[int, ...] = ()
    examples: tuple[_Example, ...] = ()
    ordered: Mapping[str, _Ordered] = field(default_factory=dict)


def figures(comparison: Comparison | None) -> Mapping[str, FigureWords]:
    """The words for the figures of classifiers."""
    return {
        "accuracy": FigureWords("accuracy", percent=True),
        "macro_f1": FigureWords("macro-F1", percent=True, meaning="mean of the classes' F1, each counting the same"),
        "f1_per_class": FigureWords("F1 of each class", percent=True),
        "auroc": FigureWords("AUROC", meaning="area under the ROC curve"),
        "mean_absolute_error": FigureWords(
            "mean absolute error", meaning="distance of the answered number from the true one"
        ),
        "quadratic_kappa": FigureWords("quadratic kappa", meaning="agreement beyond chance, far misses counting more"),
        "micro_f1": FigureWords("micro-F1", percent=True, meaning="F1 of all labels of all texts together"),
        "exact_match": FigureWords("exact match", percent=True, meaning="texts all of whose labels are right"),
        "precision": FigureWords("precision", percent=True),
        "recall": FigureWords("recall", percent=True),
        "loss": FigureWords("log loss", meaning="mean -ln p(true class), in nats"),
        "expected_calibration_error": FigureWords(
            "ECE", percent=True, meaning="expected calibration error: confidence against right answers"
        ),
        "brier_score": FigureWords("Brier", meaning="mean squared distance of probabilities from the truth"),
    }


def check(comparison: Comparison, place: object) -> None:
    """Refuse a record whose part of this kind is damaged.

    Raises:
        RunError: naming the part.
    """
    data = part_from(comparison.data.details, _Data, place=place, at="data.details")
    details = part_from(comparison.details, _Details, place=place, at="details")
    for number, example in enumerate(details.examples):
        if not (0 <= example.truth < len(data.label_names) and 0 <= example.index < len(details.truth)):
            raise damaged_part(place, f"details.examples[{number}]", "a class and an example that there are")
    for at, run in placed_runs(comparison):
        part_from(run.test, _Test, place=place, at=f"{at}.test")
        kept = part_from(run.predictions, _Predictions, place=place, at=f"{at}.predictions")
        lengths = {len(kept.predicted), len(kept.confidence), len(kept.truth_probability)}
        if details.examples and lengths != {len(details.truth)}:
            raise damaged_part(place, f"{at}.predictions", f"{len(details.truth)} answers")
        if any(not 0 <= answer < len(data.label_names) for answer in kept.predicted):
            raise damaged_part(place, f"{at}.predictions.predicted", "classes that there are")


def notes(page: Page) -> Sequence[str]:
    """Below the figures: what always naming the most frequent class reaches, and the metric's trivial answer."""
    data = _data(page)
    metric, trivial = page.comparison.metric, data.trivial
    found = []
    if trivial is not None and metric.name != "accuracy":
        found.append(f"{trivial.words[0].upper()}{trivial.words[1:]} reaches {page.scale.value(trivial.value)}.")
    if data.majority is not None and data.majority.accuracy is not None:
        found.append(render(_HOME, "note.html", majority=data.majority, accuracy=metric.name != "accuracy"))
    return found


def sections(page: Page) -> Sequence[Markup]:
    """What gets mistaken for what, how far confidence can be trusted, and the examples that are confidently wrong."""
    labels = _data(page).label_names
    examples = _examples(page, labels)
    matrices = _matrices(page, labels)
    # a model that makes no mistake needs no table of them
    wrong = [matrix for matrix in matrices if matrix["mistakes"]]
    dense = len(labels) > _ROOMY_MATRIX
    tests = {
        model.name: [part_from(run.test, _Test, place="the record", at=f"{run.name}.test") for run in model.runs]
        for model in page.models
    }
    several = _data(page).multi_label
    of = "labels" if several else "answers"
    found = calibrations(page, of=of, kept={name: [test.reliability for test in each] for name, each in tests.items()})
    values = {
        "page": page,
        "calibrations": found,
        "unit": of,
        "per_label": _per_label(page, labels, tests) if several else [],
        "chosen": _data(page).chosen_thresholds,
        "ordered_heads": [("mean absolute error", False), ("quadratic weighted kappa", False)],
        "ordered_rows": _ordered(page),
        "label_heads": [("texts", False), *((page.titles[model.name], False) for model in page.models)],
        "figure_heads": [(head, False) for head in _CALIBRATION_HEADS],
        "figure_rows": [(each.name, each.figures) for each in found],
        "reliability": reliability_chart(found) if found else None,
        "labels": labels,
        "matrices": wrong,
        "flawless": words.join([matrix["title"] for matrix in matrices if not matrix["mistakes"]] or [""]),
        "dense": dense and len(labels) <= _WIDEST_MATRIX,
        "shown": _FIRST_MATRICES if dense else len(wrong),
        "first_examples": examples[:_FIRST_EXAMPLES],
        "other_examples": examples[_FIRST_EXAMPLES:],
    }
    return [render(_HOME, "section.html", **values)]


def _per_label(page: Page, labels: Sequence[str], tests: Mapping[str, Sequence[_Test]]) -> list[tuple[str, list[str]]]:
    """Each label, the most frequent first: texts that have it, then its F1 with every model, mean over seeds."""
    first = next(iter(tests.values()))[0].per_label
    known = [label for label in labels if all(label in test.per_label for each in tests.values() for test in each)]
    rows = []
    for label in sorted(known, key=lambda name: -first[name].true)[:_MOST_LABELS]:
        values = [
            sum(test.per_label[label].f1 for test in tests[model.name]) / len(tests[model.name])
            for model in page.models
        ]
        rows.append((label, [f"{first[label].true:,}", *(words.percent(value) for value in values)]))
    return rows


def _ordered(page: Page) -> list[tuple[str, list[str]]]:
    """Each model's figures where labels are numbers, in the order of the page."""
    found = part_from(page.comparison.details, _Details, place="the record", at="details").ordered
    rows = []
    for model in page.models:
        if (kept := found.get(model.name)) is None:
            continue
        cells = []
        for name in ("mean_absolute_error", "quadratic_kappa"):
            ends = kept.intervals.get(name, ())
            sure = f" ({ends[0]:.3f}–{ends[1]:.3f})" if len(ends) == 2 else ""
            cells.append(f"{getattr(kept, name):.3f}{sure}")
        rows.append((model.name, cells))
    return rows


def _data(page: Page) -> _Data:
    return part_from(page.comparison.data.details, _Data, place="the record", at="data.details")


def _matrices(page: Page, labels: Sequence[str]) -> list[dict[str, Any]]:
    """What was mistaken for what, of every model; nothing where the runs have no confusion table."""
    found = []
    for model in page.models:
        tables = [part_from(run.test, _Test, place="the record", at=f"{run.name}.test").confusion for run in model.runs]
        if labels and all(_is_square(table, len(labels)) for table in tables):
            found.append(_matrix(model, labels, page.styles[model.name], tables))
    return found


def _is_square(table: Sequence[Sequence[int]], size: int) -> bool:
    return len(table) == size and all(len(row) == size for row in table)


def _matrix(
    model: ModelEntry, labels: Sequence[str], style: int, tables: Sequence[Sequence[Sequence[int]]]
) -> dict[str, Any]:
    """Counts over all seeds, with the share of the row; for many classes only the most frequent mistakes."""
    size = len(labels)
    counts = [[sum(table[r][c] for table in tables) for c in range(size)] for r in range(size)]
    rows = [
        {
            "label": labels[r],
            "cells": [(counts[r][c], counts[r][c] / max(1, sum(counts[r])), r == c) for c in range(size)],
        }
        for r in range(size)
    ]
    mistakes = sorted((counts[r][c], labels[r], labels[c]) for r in range(size) for c in range(size) if r != c)
    return {
        "title": model.title,
        "style": style,
        "rows": rows if size <= _WIDEST_MATRIX else None,
        "mistakes": [mistake for mistake in reversed(mistakes) if mistake[0]][:10],
    }


def _examples(page: Page, labels: Sequence[str]) -> list[dict[str, Any]]:
    """The confidently wrong examples with every model's answer; those that mislead the models most come first."""
    details = part_from(page.comparison.details, _Details, place="the record", at="details")
    if not details.examples:
        return []
    kept = [(model, _predictions(model.runs[0])) for model in page.models]
    shown = []
    for example in details.examples:
        index = example.index
        answers = [
            {
                "title": model.title,
                "style": page.styles[model.name],
                "label": labels[given.predicted[index]],
                "confidence": given.confidence[index],
                "right": given.predicted[index] == example.truth,
            }
            for model, given in kept
        ]
        doubt = sum(given.truth_probability[index] for _, given in kept) / len(kept)
        shown.append({"text": example.text, "label": labels[example.truth], "answers": answers, "doubt": doubt})
    return sorted(shown, key=_doubt)


def _predictions(run: Run) -> _Predictions:
    return part_from(run.predictions, _Predictions, place="the record", at=f"{run.name}.predictions")


def _doubt(example: Mapping[str, Any]) -> float:
    return float(example["doubt"])
