"""The report's section on what the cells look at: the same test examples, every word in the colour of its reason."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gatewise.errors import RunError
from gatewise.record import ModelEntry, part_from

__all__ = ["looks"]


@dataclass(frozen=True)
class _Reading:
    title: str
    answer: str
    value: str
    words: bool
    steps: tuple[str, ...]
    reasons: tuple[float, ...]
    truth: str | None = None


@dataclass(frozen=True)
class _Details:
    readings: tuple[_Reading, ...] = ()


def looks(models: Sequence[ModelEntry]) -> list[dict[str, Any]]:
    """For each example its title and truth, and of each model the answer and the steps with their reasons.

    Args:
        models: of a record; those without readings, such as baselines and models of older records, are left out.

    Returns:
        Entries with ``title``, ``truth`` and ``rows``: ``model``, ``answer``, ``value`` and ``steps``, each of these as
        (label, strength from -1 to 1).
    """
    found: dict[str, dict[str, Any]] = {}
    for model in models:
        try:
            readings = part_from(model.details, _Details, place="the record", at=f"{model.name}.details").readings
        except RunError:
            continue
        for each in readings:
            entry = found.setdefault(each.title, {"title": each.title, "truth": each.truth, "rows": []})
            largest = max((abs(value) for value in each.reasons), default=0.0) or 1.0
            entry["rows"].append(
                {
                    "model": model.name,
                    "title": model.title,
                    "answer": each.answer,
                    "value": each.value,
                    "words": each.words,
                    "steps": [
                        (label, round(value / largest, 2))
                        for label, value in zip(each.steps, each.reasons, strict=False)
                    ],
                }
            )
    return list(found.values())
