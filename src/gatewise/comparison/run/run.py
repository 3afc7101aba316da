"""From a plan to a finished comparison in a folder: the one function behind command and Python call."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gatewise.comparison.cost.measuring import measure_runs, time_budgets
from gatewise.comparison.cost.memories import measure_memories
from gatewise.comparison.plan.command import compare_command
from gatewise.comparison.plan.plan import Plan
from gatewise.comparison.plan.variants import variant_settings
from gatewise.comparison.result import Comparison
from gatewise.comparison.run.budget import Budget
from gatewise.comparison.run.claim import PLAN_FILE, as_held, claim_folder, held_plan
from gatewise.comparison.run.events import (
    BaselineTrials,
    ComparisonEvent,
    ComparisonListener,
    DataReady,
    Measuring,
    PlanReady,
)
from gatewise.comparison.run.execution import ExecutionContext, MixedVersionsError, Outcome, execute
from gatewise.comparison.run.locking import hold_folder
from gatewise.comparison.run.pool import Pool, describe_place
from gatewise.comparison.run.trials import code_version, own_cell_modules
from gatewise.comparison.run.tuning import baseline_candidates
from gatewise.comparison.run.tuning_log import TuningLog
from gatewise.comparison.run.worker import keep_dataset
from gatewise.comparison.verdict.record import build_record
from gatewise.errors import DataError, OptionError, RunError, TrainingError
from gatewise.files import make_folder, read_json, write_json, write_text
from gatewise.grammar import plural
from gatewise.record import NOT_JUDGED, RECORD_FILE, TimeBudget, compact_json, read_comparison
from gatewise.record import Comparison as Record
from gatewise.statistics.measure import Measure
from gatewise.training.assembly import settings_in
from gatewise.training.checks import check_real, check_whole
from gatewise.training.registry import foreign_module, import_modules, kind_of
from gatewise.training.rounding import check_products

__all__ = ["run_plan"]

_WEEK = 7 * 24 * 3600.0
_MOST_TRAININGS = 100_000


def run_plan(
    plan: Plan,
    folder: Path,
    *,
    jobs: int = 1,
    cluster: str | None = None,
    storage: str | None = None,
    yes: bool = False,
    old_code: bool = False,
    margin: float | None = None,
    cost: bool = True,
    on_event: ComparisonListener | None = None,
) -> Comparison:
    """Execute a plan in a folder, or continue it.

    Args:
        plan: what to compare.
        folder: for run folders, measurements and `comparison.json`.
        jobs: trials at the same time, each in a process of its own.
        cluster: address of a Dask scheduler whose workers run the trials; None: this machine.
        storage: URL of a database that keeps the search's trials; None: a journal in the folder.
        yes: start even if it would take longer than a week.
        old_code: reuse what an older version of the code trained in this folder.
        margin: differences within it make no difference in practice; None: see `build_record`.
        cost: measure, after the trials, what one run of each cell costs.
        on_event: called with every event, see `gatewise.comparison.run.events`.

    Raises:
        OptionError: too long, a metric that the task lacks, an unreachable cluster, a cell that processes cannot find.
        RunError: the folder holds something else, or another comparison is running in it.
        DataError: the data cannot be used.
        StorageError: the folder cannot be written.
    """
    listener = on_event or _ignore
    _check(plan, jobs, margin)
    if cluster is None and held_plan(folder) is None:  # what is trained already needs no products
        for point in plan.points:
            check_products(plan.spec(plan.cells[0], seed=0, point=point).training.precision)
    plan = _with_own_cells(plan, jobs, cluster)
    kind = kind_of(plan.task)
    datasets = _load(plan, kind)
    metric = kind.measure(datasets[plan.points[-1]])
    _check_metric(plan, metric)
    code = code_version((variant_settings(cell, plan.task)["cell"] for cell in plan.cells), plan.task, plan.imports)
    present = code
    plan, threads, code = _continued(plan, folder, jobs, cluster, code, old_code=old_code)
    make_folder(folder)
    with hold_folder(folder):
        held = held_plan(folder)
        prints = {str(point): dataset.fingerprint for point, dataset in datasets.items()}
        plan = as_held(plan, held, prints, datasets[plan.points[-1]])
        resumed = claim_folder(folder, plan, fingerprint=prints, code=code)
        for place in ("runs", "measurements", "live"):
            make_folder(folder / place)
        listener(DataReady(plan, datasets[plan.points[-1]], folder, resumed, metric))
        if cluster is not None:
            from gatewise.comparison.run.cluster import check_cluster

            jobs = check_cluster(cluster, folder)
        context = _execution_context(
            plan, kind, datasets, folder, code, threads, listener, metric, jobs=jobs, cluster=cluster, storage=storage
        )
        context = dataclasses.replace(context, older_code=code != present)
        context.budget.check_search()
        listener(_ready(plan, context, jobs, cluster, yes=yes, cost=cost))
        outcome = _executed(plan, context, held, cost=cost)
        budgets = time_budgets(plan, context, outcome) if plan.match == "time" else {}
        record = _record(plan, kind, datasets, folder, outcome, margin, budgets)
        write_text(folder / RECORD_FILE, compact_json(record) + "\n")
        shutil.rmtree(folder / "live", ignore_errors=True)
    return Comparison(folder, record)


def _executed(plan: Plan, context: ExecutionContext, held: Any, *, cost: bool) -> Outcome:
    """The results of a plan, with what they cost where that is asked for.

    Args:
        plan: what to compare.
        context: folder, data and resources.
        held: the plan that the folder held before; None: there was none.
        cost: whether to measure what runs cost.
    """
    try:
        outcome = execute(plan, context)
    except MixedVersionsError:
        if held is not None:  # the folder goes on holding what it held
            write_json(context.folder / PLAN_FILE, held)
        raise
    if cost:
        context.listener(Measuring(len(plan.cells)))
        measure_runs(plan, context, outcome)
        measure_memories(plan, context, outcome)
    return outcome


def _execution_context(
    plan: Plan,
    kind: Any,
    datasets: Mapping[Any, Any],
    folder: Path,
    code: str,
    threads: int,
    listener: ComparisonListener,
    metric: Measure,
    *,
    jobs: int,
    cluster: str | None,
    storage: str | None,
) -> ExecutionContext:
    first = datasets[plan.points[0]].fingerprint[:8]
    return ExecutionContext(
        folder,
        datasets,
        metric,
        tuple(kind.baselines(plan.base().data)),
        code,
        threads,
        Budget(plan, datasets, folder, threads, 1 if cluster is not None else jobs),
        Pool(folder, jobs, cluster, listener),
        TuningLog(folder, storage, f"{plan.data} {first}", wanted=plan.search is not None),
        listener,
    )


def _ignore(event: ComparisonEvent) -> None:
    """The listener of a comparison without one."""


def _check(plan: Plan, jobs: int, margin: float | None) -> None:
    check_whole("jobs", jobs, minimum=1)
    if margin is not None:
        check_real("margin", margin, 0.0, open_minimum=True)
    if plan.trainings > _MOST_TRAININGS:
        raise OptionError(
            "the plan has too many trials", expected=f"at most {_MOST_TRAININGS:,}", got=f"{plan.trainings:,}"
        )


def _with_own_cells(plan: Plan, jobs: int, cluster: str | None) -> Plan:
    """Let other processes import what is not Gatewise's own: cells, and the kind of problem."""
    cells = own_cell_modules(variant_settings(cell, plan.task)["cell"] for cell in plan.cells)
    own = {f"the cell {cell!r}": module for cell, module in cells.items()}
    if (module := foreign_module(plan.task)) is not None:
        own[f"the kind of problem {plan.task!r}"] = module
    for what, module in own.items():
        if module == "__main__" and (jobs > 1 or cluster is not None):
            raise OptionError(
                f"{what} is defined where other processes cannot find it",
                expected="a module that can be imported",
                got="the script or the notebook that runs",
                fix="move its class into a file of its own and import that, or use jobs=1",
            )
    found = import_modules([*plan.imports, *(module for module in own.values() if module != "__main__")])
    return dataclasses.replace(plan, imports=found)


def _check_metric(plan: Plan, metric: Measure) -> None:
    asked = None if plan.search is None else plan.search.metric
    if asked is not None and asked not in (metric.name, "loss"):
        raise OptionError(
            f"{plan.task} has no metric {asked!r} to choose settings by",
            expected=", ".join([*(_metrics(plan) or [metric.name]), "loss"]),
            fix=f"omit --metric, or use --metric {metric.name.replace('_', '-') if _metrics(plan) else metric.name}",
        )


def _metrics(plan: Plan) -> tuple[str, ...]:
    """The metrics among which the task lets one choose."""
    known = settings_in(kind_of(plan.task), "data").get("metric")
    return () if known is None else known.known_choices()


def _load(plan: Plan, kind: Any) -> dict[Any, Any]:
    """The data at each point of the axis, fit to be compared on; equal data specs are read once."""
    found: dict[Any, Any] = {}
    read: dict[str, Any] = {}
    for point in plan.points:
        spec = plan.base(point).data
        if repr(spec) not in read:
            read[repr(spec)] = kind.load(spec)
            _check_test_part(plan.data, kind.unit, read[repr(spec)].sizes["test"])
        found[point] = read[repr(spec)]
    return found


def _check_test_part(data: str, unit: str, size: int) -> None:
    """Refuse a test part from which no interval follows, before anything is trained.

    Raises:
        DataError: it has fewer than two examples.
    """
    if size < 2:
        raise DataError(
            f"the test part of {data} has {plural(size, unit.removesuffix('s'), unit)}",
            expected="at least 2, from which an interval can be computed, and many more for one that says something",
            fix="give more data; `gatewise train` takes it as it is",
        )


def _continued(
    plan: Plan, folder: Path, jobs: int, cluster: str | None, code: str, *, old_code: bool
) -> tuple[Plan, int, str]:
    """Fix the number of threads, on which the last bits depend: a folder that holds a plan keeps its own."""
    from gatewise.training.environment import usable_cores

    held = held_plan(folder)
    threads = plan.settings.get("threads")
    if threads is None and held is not None:
        threads = (held.get("training") or {}).get("threads")
    if threads is None:
        threads = 1 if cluster is not None else max(1, usable_cores() // jobs)
    if old_code and held is not None:
        code = str(held.get("code", code))
    return dataclasses.replace(plan, settings={**plan.settings, "threads": threads}), int(threads), code


def _ready(
    plan: Plan, context: ExecutionContext, jobs: int, cluster: str | None, *, yes: bool, cost: bool
) -> PlanReady:
    """Freeze the plan and estimate its time."""
    from gatewise.comparison.run.estimate import estimate_seconds, finishing_seconds, measuring_seconds

    point = plan.points[-1]
    keep_dataset(plan.task, plan.spec(plan.cells[0], 0, None, point).data, context.datasets[point])
    widths = {}
    if plan.match == "parameters":
        widths = {cell: int(context.budget.chosen(cell, point, {})["hidden_size"]) for cell in plan.cells}
    seconds: float | None = 0.0
    with contextlib.suppress(TrainingError):
        seconds = estimate_seconds(plan, context, jobs)
    if seconds is not None and seconds > _WEEK and not yes:
        raise OptionError(
            "the plan would take more than a week",
            expected="less than 7 days",
            got=f"{plan.trainings:,} trainings, about {seconds / 86400:,.0f} days",
            fix="make the grid smaller, use --search tpe --trials 30, or add --yes",
        )
    epochs = None
    if plan.base(point).training.epochs is None and plan.match != "time":
        with contextlib.suppress(TrainingError):
            epochs = context.budget.epochs(plan.spec(plan.cells[0], plan.seeds[0], None, point), point)
    where = describe_place(jobs, cluster)
    measuring = measuring_seconds(plan, context) if cost else 0.0
    finishing = 0.0 if seconds is None and not measuring else finishing_seconds(plan, context, jobs)
    tuned = _baseline_trials(plan, context)
    counted = (epochs, measuring, tuned, finishing)
    return PlanReady(plan, plan.trainings, seconds, jobs, context.threads, where, widths, *counted)


def _baseline_trials(plan: Plan, context: ExecutionContext) -> tuple[BaselineTrials, ...]:
    """How the settings of each baseline are chosen, at the last point of the axis."""
    if plan.search is None:
        return ()
    dataset, found = context.datasets[plan.points[-1]], []
    for baseline in context.baselines:
        trials = len(baseline_candidates(baseline, plan.search, dataset))
        found.append(BaselineTrials(baseline.title, trials, baseline.search_space(dataset)))
    return tuple(found)


def _record(
    plan: Plan,
    kind: Any,
    datasets: Mapping[Any, Any],
    folder: Path,
    outcome: Outcome,
    margin: float | None,
    budgets: Mapping[str, TimeBudget],
) -> Record:
    axis = None
    if plan.axis is not None:
        axis = {"name": plan.axis.name, "title": plan.axis.name.replace("_", " ")}
    return build_record(
        plan.to_dict(),
        kind,
        datasets[plan.points[-1]],
        outcome.entries,
        outcome.contributions,
        environment=_environment(folder, outcome),
        command=compare_command(plan, folder, {} if margin is None else {"margin": margin}),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        tuning=outcome.tuning,
        axis=axis,
        margin=margin,
        looks=_earlier_looks(folder, len(plan.seeds)),
        times=outcome.times,
        budgets=budgets,
    )


def _earlier_looks(folder: Path, seeds: int) -> tuple[int, ...]:
    """How many seeds the comparison in this folder had whenever its cells were judged with fewer than now."""
    if not (folder / RECORD_FILE).exists():
        return ()
    try:
        old = read_comparison(folder)
    except RunError:
        return ()
    before = len(old.plan.get("seeds", ()))
    judged = old.verdict.outcome not in NOT_JUDGED
    return (*old.looks, before) if judged and 1 < before < seeds else old.looks


def _environment(folder: Path, outcome: Outcome) -> dict[str, Any]:
    """Versions, threads and processor as the first run noted them."""
    first = next(trial for trial in outcome.trials if trial.run_folder is not None)
    noted = read_json(folder / str(first.run_folder) / "environment.json")
    return {name: value for name, value in dict(noted).items() if name in ("versions", "machine", "threads", "device")}
