"""One model of a record out of its runs: figures, cost, memory, settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from gatewise.comparison.plan.titles import title_of

__all__ = ["Entry", "add_skill", "mean_of", "model_entry"]

Entry = dict[str, Any]


def model_entry(name: str, runs: Sequence[Entry], figure: Entry) -> Entry:
    """Bring the finished runs of one model together.

    Args:
        name: of the cell, its variant, or the baseline.
        runs: its finished runs, one per seed.
        figure: the metric on the test part with its interval.

    Returns:
        An entry of ``models`` as docs/comparison-schema.md describes it.
    """
    first = runs[0]
    per_epoch = [run["seconds_per_epoch"] for run in runs if run.get("seconds_per_epoch") is not None]
    cost = mean_of([run.get("cost") or {} for run in runs])
    latency = mean_of([run.get("latency") or {} for run in runs])
    return {
        "name": name,
        "title": first.get("title") or title_of(name),
        "kind": "baseline" if first.get("baseline") else "recurrent",
        "reason": first.get("reason"),
        "figure": figure,
        "figures": mean_of([_figures(run["test"]) for run in runs]),
        "validation": mean_of([_figures(run.get("validation") or {}) for run in runs]),
        "settings": dict(first.get("settings") or {}),
        "cost": {
            **latency,
            **cost,
            "parameters": first["parameters"],
            "seconds_per_epoch": min(per_epoch) if per_epoch else None,
            "training_seconds": float(np.mean([run["training_seconds"] for run in runs])),
        },
        "memory": next((run["memory"] for run in runs if run.get("memory")), None),
        "details": next((run["details"] for run in runs if run.get("details")), None),
        "kernel": dict(first["kernel"]),
        "runs": [dict(run) for run in runs],
    }


def mean_of(records: Iterable[Mapping[str, Any]]) -> Entry:
    """Means over runs, key by key; what is no number, or not the same in shape everywhere, is the first run's.

    A number that a run lacks (None) is left out of the mean.

    Example:
        >>> mean_of([{"step_p50": 1.0, "threads": {"count": 2}}, {"step_p50": 3.0, "threads": {"count": 2}}])
        {'step_p50': 2.0, 'threads': {'count': 2.0}}
    """
    records = list(records)
    found: Entry = {}
    for key in dict.fromkeys(key for record in records for key in record):
        values = [record[key] for record in records if record.get(key) is not None]
        if not values:
            found[key] = None
        elif all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
            found[key] = float(np.mean(values))
        elif all(isinstance(value, Mapping) for value in values):
            found[key] = mean_of(values)
        else:
            found[key] = values[0]
    return found


def add_skill(models: Sequence[Entry], against: str | None) -> None:
    """Give every model its skill: the fraction of the baseline's error that it saves.

    .. math:: skill = 1 - error / error_{baseline}

    (Murphy, 1988: skill scores).

    Args:
        models: entries of ``models``; they get ``skill`` (``against``, ``value``), None where there is no baseline.
        against: name of the baseline; None, or where it is not among the models: the best one.
    """
    baselines = [model for model in models if model["kind"] == "baseline"]
    named = [model for model in baselines if against is not None and model["name"].startswith(against)]
    best = min(named or baselines, key=lambda model: float(model["figure"]["estimate"]), default=None)
    for model in models:
        error = best["figure"]["estimate"] if best is not None else 0.0
        model["skill"] = None
        if best is not None and error > 0:
            model["skill"] = {"against": best["name"], "value": 1.0 - model["figure"]["estimate"] / error}


def _figures(figures: Mapping[str, Any]) -> Entry:
    """The figures among what an evaluation gave: no counts, and no tables, which stay with the runs."""
    return {name: value for name, value in figures.items() if isinstance(value, float)}
