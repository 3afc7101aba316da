"""What the trials of a search say: which setting matters, and what a smaller budget would have found."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gatewise.record import ModelEntry, ModelSearch, SearchAnalysis, Tuning
from gatewise.statistics.budgets import expected_best

__all__ = ["LEAST_TRIALS", "analyse_search"]

LEAST_TRIALS = 10
"""With fewer trials nothing is said about which setting matters."""
_TREES = 64
_FOLDS = 5


def analyse_search(
    tuning: Sequence[Tuning], models: Sequence[ModelEntry], search: Mapping[str, Any], metric: str, *, higher: bool
) -> SearchAnalysis | None:
    """Which setting matters (fANOVA: Hutter et al. 2014), and quality against budget (Dodge et al. 2019).

    Args:
        tuning: every trial; of an axis, those of its last point count.
        models: of the record.
        search: of the plan, as the record has it: ``method``, ``space``, ``metric``.
        metric: the task's own figure.
        higher: its direction.

    Returns:
        None where no model has two finished trials.
    """
    by = search.get("metric") or metric
    higher = higher if by == metric else False
    last = tuning[-1].point if tuning else None
    found = []
    for model in models:
        trials = [trial for trial in tuning if trial.cell == model.name and trial.point == last]
        entry = _model(model, trials, search, by, higher=higher)
        if entry is not None:
            found.append(entry)
    if not any(len(each.best) > 1 for each in found):
        return None
    return SearchAnalysis(metric=by, in_order=search.get("method") == "tpe", models=tuple(found))


def _model(
    model: ModelEntry, trials: Sequence[Tuning], search: Mapping[str, Any], by: str, *, higher: bool
) -> ModelSearch | None:
    if any(trial.validation is not None and trial.validation.get(by) is None for trial in trials):
        return None  # a baseline whose trials were chosen by another figure
    searches: dict[int | None, list[float | None]] = {}
    for trial in trials:
        searches.setdefault(trial.for_seed, []).append(None if trial.validation is None else trial.validation[by])
    known = [value for figures in searches.values() for value in figures if value is not None]
    if not known or not all(math.isfinite(value) for value in known):
        return None
    worst = min(known) if higher else max(known)  # a trial that failed found nothing better
    curves = []
    for each in searches.values():
        figures = np.array([worst if value is None else value for value in each])
        in_order = search.get("method") == "tpe" and not model.is_baseline
        running = np.maximum.accumulate(figures) if higher else np.minimum.accumulate(figures)
        curves.append(running if in_order else expected_best(figures, higher_is_better=higher))
    shortest = min(len(curve) for curve in curves)
    shares, explained = _shares(trials, search.get("space") or {}, by)
    return ModelSearch(
        name=model.name,
        title=model.title,
        kind=model.kind,
        trials=shortest,
        searches=len(curves),
        best=tuple(np.mean([curve[:shortest] for curve in curves], axis=0).tolist()),
        shares=shares,
        explained=explained,
    )


def _shares(trials: Sequence[Tuning], space: Mapping[str, Any], by: str) -> tuple[dict[str, float], float | None]:
    """By setting, the share of variance that it alone explains; and how well all predict a trial that was left out."""
    done = [trial for trial in trials if trial.validation is not None]
    varied = [
        name
        for name in (done[0].settings if done else {})
        if all(name in trial.settings for trial in done) and len({str(trial.settings[name]) for trial in done}) > 1
    ]
    figures = np.array([float((trial.validation or {})[by] or 0.0) for trial in done])
    if len(done) < LEAST_TRIALS or not varied or float(figures.std()) == 0.0:
        return {}, None
    columns = {name: _column([trial.settings[name] for trial in done], space.get(name)) for name in varied}
    explained = _left_out(np.stack([column for column, _ in columns.values()], axis=1), figures)
    return _fanova(columns, figures), explained


def _column(values: Sequence[Any], planned: Any) -> tuple[np.ndarray[Any, Any], Any]:
    """A setting's values as numbers, and what they were drawn from; ranges over factors of ten as logarithms."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution

    if isinstance(planned, str) and ".." in planned:
        low, high = (float(end) for end in planned.split(".."))
        logarithmic = low > 0 and high >= 10 * low
        numbers = np.array([float(value) for value in values])
        return np.log(numbers) if logarithmic else numbers, FloatDistribution(
            min(low, float(numbers.min())), max(high, float(numbers.max())), log=logarithmic
        )
    kinds = list(dict.fromkeys(map(str, values)))
    return np.array([float(kinds.index(str(value))) for value in values]), CategoricalDistribution(kinds)


def _fanova(columns: Mapping[str, tuple[np.ndarray[Any, Any], Any]], figures: np.ndarray[Any, Any]) -> dict[str, float]:
    """The main effects' shares of the variance, by optuna's own fANOVA over a random forest."""
    import optuna
    from optuna.distributions import CategoricalDistribution
    from optuna.importance import FanovaImportanceEvaluator

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study()
    spaces = {name: space for name, (_, space) in columns.items()}
    for place, figure in enumerate(figures):
        settings = {}
        for name, (column, space) in columns.items():
            number = float(column[place])
            if isinstance(space, CategoricalDistribution):
                settings[name] = space.choices[int(number)]
            else:
                settings[name] = min(space.high, max(space.low, math.exp(number))) if space.log else number
        study.add_trial(optuna.trial.create_trial(value=float(figure), params=settings, distributions=spaces))
    found = FanovaImportanceEvaluator(n_trees=_TREES, seed=0).evaluate(study)
    return {name: float(share) for name, share in sorted(found.items(), key=lambda each: -each[1])}


def _left_out(settings: np.ndarray[Any, Any], figures: np.ndarray[Any, Any]) -> float:
    """R² of a random forest on trials that it was not fitted to: 1 knows all, 0 or less knows nothing."""
    from sklearn.ensemble import RandomForestRegressor

    order = np.random.default_rng(0).permutation(len(figures))
    predicted = np.empty(len(figures))
    for fold in range(_FOLDS):
        held = order[fold::_FOLDS]
        rest = np.setdiff1d(order, held)
        forest = RandomForestRegressor(n_estimators=_TREES, random_state=0).fit(settings[rest], figures[rest])
        predicted[held] = forest.predict(settings[held])
    return float(1 - ((figures - predicted) ** 2).sum() / ((figures - figures.mean()) ** 2).sum())
