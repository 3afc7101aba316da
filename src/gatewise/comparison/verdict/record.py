"""Brings everything measured into one record; its types are those of `gatewise.record`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from gatewise.comparison.plan.titles import title_of
from gatewise.comparison.verdict.axis import axis_entry
from gatewise.comparison.verdict.facts import Range
from gatewise.comparison.verdict.figures import Table, difference_entries, figure_entries
from gatewise.comparison.verdict.models import model_entry, with_skill
from gatewise.comparison.verdict.search import analyse_search
from gatewise.comparison.verdict.training import learning_of
from gatewise.comparison.verdict.verdict import ModelFigures, Pair, Trivial, decide, with_reach
from gatewise.errors import RunError
from gatewise.record import (
    Axis,
    Comparison,
    Data,
    Difference,
    Failure,
    Figure,
    Learning,
    Metric,
    ModelEntry,
    Run,
    SearchAnalysis,
    Sizes,
    TimeBudget,
    Times,
    Tuning,
    Verdict,
    part_from,
    plain,
)
from gatewise.statistics import default_margin
from gatewise.statistics.measure import Measure
from gatewise.training.kind import Judgement
from gatewise.words import Scale

__all__ = ["Described", "build_record", "title_of"]

_NEW = "the comparison's record"


class Described(Protocol):
    """What a record needs of a kind of problem; `gatewise.training.kind.Kind` has it."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def unit(self) -> str: ...  # noqa: D102
    def measure(self, dataset: Any) -> Measure: ...  # noqa: D102
    def judgement(self, dataset: Any) -> Judgement: ...  # noqa: D102
    def describe(self, dataset: Any) -> dict[str, Any]: ...  # noqa: D102
    def record(self, models: Sequence[ModelEntry], dataset: Any) -> Mapping[str, Any]: ...  # noqa: D102


def build_record(
    plan: Mapping[str, Any],
    kind: Described,
    dataset: Any,
    entries: Sequence[Run | Failure],
    contributions: Mapping[str, npt.NDArray[np.floating]],
    *,
    environment: Mapping[str, Any],
    command: str,
    created: str,
    tuning: Sequence[Tuning] = (),
    axis: Mapping[str, Any] | None = None,
    margin: float | None = None,
    looks: Sequence[int] = (),
    times: Times | None = None,
    budgets: Mapping[str, TimeBudget] | None = None,
) -> Comparison:
    """Bring everything measured into one record.

    Args:
        plan: what was asked, as plain dictionaries; ``seeds`` is read.
        kind: the kind of problem.
        dataset: on what; see `gatewise.training.kind.Dataset`.
        entries: every final run, baselines among them, in the order of the tables.
        contributions: for each finished run by name, (N,) or (N, K), what each test example contributes to the metric.
        environment: versions, threads, processor.
        command: the command that repeats the comparison.
        created: the time, ISO 8601.
        tuning: the trials from which the settings were chosen, apart from the final runs.
        axis: ``name`` and ``title`` of what varies beside cell and seed, where entries have a ``point``.
        margin: differences within it make no difference in practice; None: 0.5 points, or 1 % of the best figure.
        looks: how many seeds each cell had when the same comparison was judged before, for each time.
        times: what was measured in turns; None: nothing, and no cell is called faster than another.
        budgets: by cell, what it took of the time that it was given.

    Raises:
        RunError: a finished run has no contributions, or they are not of the same examples as the others'.
    """
    measured, judgement = kind.measure(dataset), kind.judgement(dataset)
    metric = part_from(plain(measured.to_dict()), Metric, place=_NEW, at="metric")
    finished, points, shown = _finished(plan, entries, axis is not None)
    models, differences, margin = _compared(
        shown, contributions, dataset, measured, judgement, metric, margin, budgets or {}, looks
    )
    how: dict[str, Any] = {"planned": len(plan.get("seeds", ())), "looks": looks}
    verdict = _verdict(models, differences, metric, judgement, measured, margin=margin, times=times, **how)
    along = None if axis is None else _along(axis, finished, contributions, measured, points, judgement, **how)
    verdict = verdict if along is None else with_reach(verdict, along, models, metric)
    return Comparison(
        created=created,
        command=command,
        task=kind.name,
        unit=kind.unit,
        metric=metric,
        margin=margin,
        plan=plain(plan),
        data=_data(dataset, kind.describe(dataset)),
        environment=plain(environment),
        verdict=verdict,
        models=tuple(models),
        differences=differences,
        failed=tuple(_titled(entry) for entry in entries if isinstance(entry, Failure)),
        tuning=tuple(tuning),
        axis=along,
        times=times,
        details=plain(kind.record(models, dataset)),
        looks=tuple(looks),
        search=_search(plan, tuning, models, metric),
    )


def _baselines(runs: Sequence[Run]) -> list[str]:
    return [cell for cell, of_cell in _by_cell(runs).items() if of_cell[0].baseline]


def _models(
    runs: Sequence[Run],
    tables: Mapping[str, Table],
    measured: Measure,
    learning: Mapping[str, Learning],
    budgets: Mapping[str, TimeBudget],
) -> list[ModelEntry]:
    """The entry of every model, with its figure and what it took of the time that it was given."""
    figures = part_from(plain(figure_entries(tables, measured, _baselines(runs))), dict[str, Figure], place=_NEW)
    return [
        replace(model_entry(cell, of_cell, figures[cell], learning), budget=budgets.get(cell))
        for cell, of_cell in _by_cell(runs).items()
    ]


def _search(
    plan: Mapping[str, Any], tuning: Sequence[Tuning], models: Sequence[ModelEntry], metric: Metric
) -> SearchAnalysis | None:
    search = plan.get("search")
    if not search or not tuning:
        return None
    return analyse_search(tuning, models, search, metric.name, higher=metric.higher_is_better)


def _finished(
    plan: Mapping[str, Any], entries: Sequence[Run | Failure], along: bool
) -> tuple[list[Run], list[Any], list[Run]]:
    """The finished runs, the points of the axis, and the runs that are judged: those at its last point."""
    finished = [entry for entry in entries if isinstance(entry, Run)]
    points = _points(plan, finished) if along else []
    return finished, points, [run for run in finished if not along or run.point == points[-1]]


def _compared(
    runs: Sequence[Run],
    contributions: Mapping[str, npt.NDArray[np.floating]],
    dataset: Any,
    measured: Measure,
    judgement: Judgement,
    metric: Metric,
    margin: float | None,
    budgets: Mapping[str, TimeBudget],
    looks: Sequence[int],
) -> tuple[list[ModelEntry], tuple[Difference, ...], float]:
    """The models, their differences, and the margin within which these make none in practice."""
    tables = _tables(runs, contributions)
    learning = learning_of(runs, contributions, measured, judgement, dataset.sizes["validation"])
    models = _models(runs, tables, measured, learning, budgets)
    models = with_skill(models, judgement.skill_against) if judgement.skill else models
    if margin is None:
        margin = default_margin(measured, _best(models, metric).figure.estimate if models else 1.0)
    pairs = plain(difference_entries(tables, measured, _baselines(runs), margin=margin, look=len(looks) + 1))
    return models, part_from(pairs, tuple[Difference, ...], place=_NEW, at="differences"), margin


def _along(
    axis: Mapping[str, Any],
    runs: Sequence[Run],
    contributions: Mapping[str, npt.NDArray[np.floating]],
    measure: Measure,
    points: Sequence[Any],
    judgement: Judgement,
    *,
    planned: int,
    looks: Sequence[int],
) -> Axis:
    """What the record says of every point of the axis."""
    tables = {point: _tables([run for run in runs if run.point == point], contributions) for point in points}
    reach = axis["name"] in judgement.harder_with
    found = axis_entry(axis, _of_axis(runs), tables, measure, reach=reach, planned=planned, look=len(looks) + 1)
    return part_from(plain(found), Axis, place=_NEW, at="axis")


def _data(dataset: Any, details: Mapping[str, Any]) -> Data:
    """What every data set says of itself, and what its kind adds."""
    return Data(
        name=dataset.name,
        source=dataset.source,
        split_note=dataset.split_note,
        notes=tuple(dataset.notes),
        fingerprint=dataset.fingerprint,
        sizes=part_from(plain(dataset.sizes), Sizes, place=_NEW, at="data.sizes"),
        details=plain(details),
    )


def _points(plan: Mapping[str, Any], runs: Sequence[Run]) -> list[Any]:
    """The points of the axis at which something finished, in the plan's order; the verdict is about the last."""
    finished = {run.point for run in runs}
    planned = (plan.get("axis") or {}).get("values") or sorted(finished)
    return [point for point in planned if point in finished]


def _of_axis(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """What `axis_entry` needs of the runs."""
    return [
        {
            "point": run.point,
            "cell": run.cell,
            "baseline": run.baseline,
            **({} if run.title is None else {"title": run.title}),
        }
        for run in runs
    ]


def _by_cell(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Runs by model, in their order."""
    found: dict[str, list[Run]] = {}
    for run in runs:
        found.setdefault(run.cell, []).append(run)
    return found


def _tables(finished: Sequence[Run], contributions: Mapping[str, npt.NDArray[np.floating]]) -> dict[str, Table]:
    """(S, N) contributions by model; (S, N, K) where an example contributes K > 1 numbers."""
    found: dict[str, Table] = {}
    examples: tuple[str, tuple[int, ...]] | None = None
    for cell, runs in _by_cell(finished).items():
        rows = []
        for run in runs:
            if run.name not in contributions:
                raise RunError(
                    f"the finished run {run.name} has no measurement",
                    expected="a contribution for each test example",
                    fix="run the same `gatewise compare` again; what is missing is measured anew",
                )
            row = np.asarray(contributions[run.name], dtype=np.float64)
            examples = examples or (run.name, row.shape)
            if row.ndim not in (1, 2) or row.shape != examples[1] or not np.isfinite(row).all():
                raise RunError(
                    f"the measurement of {run.name} does not fit that of {examples[0]}",
                    expected=f"{' x '.join(map(str, examples[1]))} finite numbers",
                    got=f"{row.shape}" if np.isfinite(row).all() else "NaN or infinity among them",
                )
            rows.append(row)
        found[cell] = np.stack(rows)
    return found


def _best(models: Sequence[ModelEntry], metric: Metric) -> ModelEntry:
    return sorted(models, key=lambda model: model.figure.estimate, reverse=metric.higher_is_better)[0]


def _verdict(
    models: Sequence[ModelEntry],
    differences: Sequence[Difference],
    metric: Metric,
    judgement: Judgement,
    measured: Measure,
    *,
    margin: float,
    planned: int,
    looks: Sequence[int],
    times: Times | None,
) -> Verdict:
    groups = None if measured.groups is None else len(set(measured.groups.tolist()))
    reference = max((abs(model.figure.estimate) for model in models), default=0.0)
    return decide(
        [_figures(model, planned) for model in models],
        [
            Pair(
                pair.first,
                pair.second,
                Range(pair.estimate, pair.low, pair.high, pair.level),
                pair.adjusted_p_value,
                pair.equivalent,
                pair.seeds_needed,
                pair.blocks,
            )
            for pair in differences
        ],
        Scale.of(metric, reference),
        seeds=max((model.figure.seeds for model in models), default=0),
        margin=margin,
        looks=looks,
        times=() if times is None else times.ratios,
        budgets={model.name: model.budget for model in models if model.budget is not None},
        groups=None if groups is None else (groups, judgement.groups),
        trivial=None if judgement.trivial is None else Trivial(*judgement.trivial),
        skill=judgement.skill,
    )


def _figures(model: ModelEntry, planned: int) -> ModelFigures:
    figure, cost = model.figure, model.cost
    return ModelFigures(
        name=model.name,
        title=model.title,
        figure=Range(figure.estimate, figure.low, figure.high, figure.level),
        training_seconds=cost.training_seconds or 0.0,
        seconds_per_epoch=cost.seconds_per_epoch,
        step_seconds=cost.step_p50,
        parameters=None if cost.parameters is None else int(cost.parameters),
        file_bytes=cost.file_bytes,
        kernels=tuple(sorted({run.kernel.implementation for run in model.runs})),
        baseline=model.is_baseline,
        streams=cost.step_p50 is not None or cost.step_reason is None,
        learning=model.learning,
        seeds=None if model.is_baseline else len(model.runs),
        lost=0 if model.is_baseline else max(0, planned - len(model.runs)),
    )


def _titled(entry: Failure) -> Failure:
    return replace(entry, title=title_of(entry.cell))
