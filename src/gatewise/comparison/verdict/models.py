"""One model of a record out of its runs: figures, cost, memory, settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

import numpy as np

from gatewise.comparison.plan.titles import title_of
from gatewise.record import Cost, Figure, Learning, MedianLag, ModelEntry, Run, Skill, TimeToTarget
from gatewise.statistics import median_lag_over

__all__ = ["mean_cost", "mean_of", "model_entry", "with_skill"]


def model_entry(
    name: str, runs: Sequence[Run], figure: Figure, learning: Mapping[str, Learning] | None = None
) -> ModelEntry:
    """Bring the finished runs of one model together.

    Args:
        name: of the cell, its variant, or the baseline.
        runs: its finished runs, one per seed.
        figure: the metric on the test part with its interval.
        learning: how the training of each run ended, by its name.
    """
    first = runs[0]
    per_epoch = [run.seconds_per_epoch for run in runs if run.seconds_per_epoch is not None]
    measured = mean_cost([run.cost for run in runs if run.cost is not None])
    cost = replace(measured, parameters=first.parameters, training_seconds=_whole_seconds(runs, measured))
    if measured.seconds_per_epoch is None and per_epoch:
        cost = replace(cost, seconds_per_epoch=min(per_epoch), seconds_per_epoch_from="training")
    return ModelEntry(
        name=name,
        title=first.title or title_of(name),
        kind="baseline" if first.baseline else "recurrent",
        reason=first.reason,
        figure=figure,
        figures=mean_of([_figures(run.test) for run in runs]),
        validation=mean_of([_figures(run.validation) for run in runs]),
        settings={
            name: value
            for name, value in first.settings.items()
            if all(run.settings.get(name) == value for run in runs)
        },
        cost=cost,
        memory=next((run.memory for run in runs if run.memory is not None), None),
        median_lag=_median_lag(runs),
        details=next((run.details for run in runs if run.details), {}),
        kernel=first.kernel,
        learning=tuple(learning[run.name] for run in runs if run.name in learning) if learning else (),
        runs=tuple(runs),
    )


def _median_lag(runs: Sequence[Run]) -> MedianLag | None:
    found = median_lag_over(run.memory.trained.norms for run in runs if run.memory is not None)
    return None if found is None else MedianLag(**asdict(found))


def _whole_seconds(runs: Sequence[Run], measured: Cost) -> float:
    """Mean seconds of a training; preparing counts in full, though a process prepares the data for its next run too."""
    whole = float(np.mean([run.training_seconds for run in runs]))
    if measured.preparation_seconds is None or any(run.preparation_seconds is None for run in runs):
        return whole
    return whole - float(np.mean([run.preparation_seconds or 0.0 for run in runs])) + measured.preparation_seconds


def mean_of(records: Iterable[Mapping[str, float | None]]) -> dict[str, float | None]:
    """Means over runs, name by name; a number that a run lacks (None) is left out of the mean.

    Example:
        >>> mean_of([{"loss": 1.0, "accuracy": None}, {"loss": 3.0, "accuracy": None}])
        {'loss': 2.0, 'accuracy': None}
    """
    records = list(records)
    found: dict[str, float | None] = {}
    for name in dict.fromkeys(name for record in records for name in record):
        found[name] = _mean([record.get(name) for record in records])
    return found


def mean_cost(costs: Sequence[Cost]) -> Cost:
    """Means over runs, part by part; of words the first run's.

    Example:
        >>> mean_cost([Cost(step_p50=1.0, step_kernel="fused"), Cost(step_p50=3.0)]).step_p50
        2.0
    """
    found: dict[str, Any] = {}
    for entry in fields(Cost):
        values = [value for cost in costs if (value := getattr(cost, entry.name)) is not None]
        if not values or isinstance(values[0], str):
            found[entry.name] = values[0] if values else None
        elif isinstance(values[0], TimeToTarget):
            parts = {part.name: _mean([getattr(value, part.name) for value in values]) for part in fields(TimeToTarget)}
            found[entry.name] = TimeToTarget(**parts)  # type: ignore[arg-type]
        else:
            found[entry.name] = _mean(values)
    return Cost(**found)


def with_skill(models: Sequence[ModelEntry], against: str | None) -> list[ModelEntry]:
    """The models with their skill: the fraction of the baseline's error that each saves.

    .. math:: skill = 1 - error / error_{baseline}

    (Murphy, 1988: skill scores).

    Args:
        models: of a record.
        against: name of the baseline; None, or where it is not among the models: the best one.
    """
    baselines = [model for model in models if model.is_baseline]
    named = [model for model in baselines if against is not None and model.name.startswith(against)]
    best = min(named or baselines, key=lambda model: model.figure.estimate, default=None)
    if best is None or best.figure.estimate <= 0:
        return list(models)
    error = best.figure.estimate
    return [
        replace(model, skill=Skill(against=best.name, value=1.0 - model.figure.estimate / error)) for model in models
    ]


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _figures(figures: Mapping[str, Any]) -> dict[str, float | None]:
    """The figures among what an evaluation gave: no counts, and no tables, which stay with the runs."""
    return {name: value for name, value in figures.items() if isinstance(value, float)}
