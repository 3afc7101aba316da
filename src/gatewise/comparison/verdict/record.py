"""What a comparison leaves: `comparison.json`, documented in docs/comparison-schema.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from gatewise.comparison.plan.titles import title_of
from gatewise.comparison.verdict.axis import axis_entry
from gatewise.comparison.verdict.compact import compact_json
from gatewise.comparison.verdict.facts import Range
from gatewise.comparison.verdict.figures import Table, difference_entries, figure_entry
from gatewise.comparison.verdict.models import Entry, add_skill, model_entry
from gatewise.comparison.verdict.verdict import ModelFigures, Pair, Trivial, Verdict, decide, with_reach
from gatewise.errors import RunError
from gatewise.statistics import default_margin
from gatewise.statistics.measure import Measure
from gatewise.training.kind import Judgement
from gatewise.words import Scale

__all__ = ["FORMAT_VERSION", "Described", "build_record", "compact_json", "title_of"]

FORMAT_VERSION = 2


class Described(Protocol):
    """What a record needs of a kind of problem; `gatewise.training.kind.Kind` has it."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def unit(self) -> str: ...  # noqa: D102
    def measure(self, dataset: Any) -> Measure: ...  # noqa: D102
    def judgement(self, dataset: Any) -> Judgement: ...  # noqa: D102
    def describe(self, dataset: Any) -> dict[str, Any]: ...  # noqa: D102
    def record(self, models: Sequence[Entry], dataset: Any) -> Entry: ...  # noqa: D102


def build_record(
    plan: Mapping[str, Any],
    kind: Described,
    dataset: Any,
    entries: Sequence[Entry],
    contributions: Mapping[str, npt.NDArray[np.floating]],
    *,
    environment: Mapping[str, Any],
    command: str,
    created: str,
    tuning: Sequence[Entry] = (),
    axis: Mapping[str, Any] | None = None,
    margin: float | None = None,
) -> Entry:
    """Bring everything measured into one record.

    Args:
        plan: what was asked, as plain dictionaries; ``seeds`` is read.
        kind: the kind of problem.
        dataset: on what; see `gatewise.kinds.Dataset`.
        entries: every final run, baselines among them, in the order of the tables. A finished run has the keys of
            ``models.runs`` in docs/comparison-schema.md, ``cell`` and ``state``; a baseline has ``baseline: true``,
            ``title`` and ``reason`` too; one at a point of the axis has ``point``; a failed one ``error``.
        contributions: for each finished run by name, (N,) or (N, K), what each test example contributes to the metric.
        environment: versions, threads, processor.
        command: the command that repeats the comparison.
        created: the time, ISO 8601.
        tuning: the trials from which the settings were chosen, apart from the final runs.
        axis: ``name`` and ``title`` of what varies beside cell and seed, where entries have a ``point``.
        margin: differences within it make no difference in practice; None: 0.5 points, or 1 % of the best figure.

    Raises:
        RunError: a finished run has no contributions, or they are not of the same examples as the others'.
    """
    metric, judgement = kind.measure(dataset), kind.judgement(dataset)
    finished = [entry for entry in entries if entry["state"] == "finished"]
    points = _points(plan, finished) if axis is not None else []
    shown = [entry for entry in finished if axis is None or entry["point"] == points[-1]]
    tables = _tables(shown, contributions)
    models = [
        model_entry(cell, runs, figure_entry(cell, tables[cell], metric)) for cell, runs in _by_cell(shown).items()
    ]
    if judgement.skill:
        add_skill(models, judgement.skill_against)
    if margin is None:
        margin = default_margin(metric, _best(models, metric)["figure"]["estimate"] if models else 1.0)
    baselines = [model["name"] for model in models if model["kind"] == "baseline"]
    differences = difference_entries(tables, metric, baselines, margin=margin)
    verdict = _verdict(models, differences, metric, judgement, margin=margin)
    measured: Entry = {
        "models": models,
        "differences": differences,
        "failed": [_failed(entry) for entry in entries if entry["state"] != "finished"],
        "tuning": [dict(trial) for trial in tuning],
        "axis": None,
    }
    if axis is not None:
        tables_at = {
            point: _tables([entry for entry in finished if entry["point"] == point], contributions) for point in points
        }
        measured["axis"] = axis_entry(axis, finished, tables_at, metric, reach=axis["name"] in judgement.harder_with)
        verdict = with_reach(verdict, measured["axis"], models)
    measured |= kind.record(models, dataset)
    return {
        "format": "gatewise.comparison",
        "format_version": FORMAT_VERSION,
        "created": created,
        "command": command,
        "task": kind.name,
        "unit": kind.unit,
        "metric": metric.to_dict(),
        "margin": margin,
        "plan": dict(plan),
        "data": {**_data(dataset), **kind.describe(dataset)},
        "environment": dict(environment),
        "verdict": verdict.to_dict(),
        **measured,
    }


def _data(dataset: Any) -> Entry:
    """What every data set tells of itself."""
    return {
        "name": dataset.name,
        "source": dataset.source,
        "split_note": dataset.split_note,
        "notes": list(dataset.notes),
        "fingerprint": dataset.fingerprint,
        "sizes": dict(dataset.sizes),
    }


def _points(plan: Mapping[str, Any], entries: Sequence[Entry]) -> list[Any]:
    """The points of the axis at which something finished, in the plan's order; the verdict is about the last."""
    finished = {entry["point"] for entry in entries}
    planned = (plan.get("axis") or {}).get("values") or sorted(finished)
    return [point for point in planned if point in finished]


def _by_cell(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Runs by model, in the order of the entries."""
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry["cell"], []).append(entry)
    return found


def _tables(entries: Sequence[Entry], contributions: Mapping[str, npt.NDArray[np.floating]]) -> dict[str, Table]:
    """(S, N) contributions by model; (S, N, K) where an example contributes K > 1 numbers."""
    found: dict[str, Table] = {}
    examples: tuple[str, tuple[int, ...]] | None = None
    for cell, runs in _by_cell(entries).items():
        rows = []
        for run in runs:
            if run["name"] not in contributions:
                raise RunError(
                    f"the finished run {run['name']} has no measurement",
                    expected="a contribution for each test example",
                    fix="run the same `gatewise compare` again; what is missing is measured anew",
                )
            row = np.asarray(contributions[run["name"]], dtype=np.float64)
            examples = examples or (run["name"], row.shape)
            if row.ndim not in (1, 2) or row.shape != examples[1] or not np.isfinite(row).all():
                raise RunError(
                    f"the measurement of {run['name']} does not fit that of {examples[0]}",
                    expected=f"{' x '.join(map(str, examples[1]))} finite numbers",
                    got=f"{row.shape}" if np.isfinite(row).all() else "NaN or infinity among them",
                )
            rows.append(row)
        found[cell] = np.stack(rows)
    return found


def _best(models: Sequence[Entry], metric: Measure) -> Entry:
    order = sorted(models, key=lambda model: float(model["figure"]["estimate"]), reverse=metric.higher_is_better)
    return order[0]


def _verdict(
    models: Sequence[Entry],
    differences: Sequence[Entry],
    metric: Measure,
    judgement: Judgement,
    *,
    margin: float,
) -> Verdict:
    reference = max((abs(model["figure"]["estimate"]) for model in models), default=0.0)
    return decide(
        [_figures(model) for model in models],
        [
            Pair(
                entry["first"],
                entry["second"],
                Range(entry["estimate"], entry["low"], entry["high"], entry["level"]),
                entry["adjusted_p_value"],
                bool(entry["equivalent"]),
                entry["seeds_needed"],
            )
            for entry in differences
        ],
        Scale.of(metric.to_dict(), reference),
        seeds=max((model["figure"]["seeds"] for model in models), default=0),
        margin=margin,
        trivial=None if judgement.trivial is None else Trivial(*judgement.trivial),
        skill=judgement.skill,
    )


def _figures(model: Entry) -> ModelFigures:
    figure, cost = model["figure"], model["cost"]
    return ModelFigures(
        name=model["name"],
        title=model["title"],
        figure=Range(figure["estimate"], figure["low"], figure["high"], figure["level"]),
        training_seconds=cost["training_seconds"],
        seconds_per_epoch=cost["seconds_per_epoch"],
        step_seconds=cost.get("step_p50"),
        parameters=cost["parameters"],
        file_bytes=cost.get("file_bytes"),
        kernels=tuple(sorted({run["kernel"]["implementation"] for run in model["runs"]})),
        baseline=model["kind"] == "baseline",
    )


def _failed(entry: Entry) -> Entry:
    """What the report says of a run that did not finish."""
    kept = ("name", "cell", "seed", "point", "settings", "error", "folder")
    return {"title": title_of(entry["cell"]), **{name: entry[name] for name in kept if name in entry}}
