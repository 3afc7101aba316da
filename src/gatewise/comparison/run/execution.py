"""Executes a plan: the search for each model's settings, the baselines, then the cells with fresh seeds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.comparison.plan.plan import Plan
from gatewise.comparison.run.budget import Budget
from gatewise.comparison.run.cache import forget_failures, load_contributions, saved_measurement
from gatewise.comparison.run.events import ComparisonListener, TrialDone
from gatewise.comparison.run.pool import Pool
from gatewise.comparison.run.trial_maker import TrialMaker
from gatewise.comparison.run.trials import Trial
from gatewise.comparison.run.tuning import Tuned, baseline_candidates, error_of, tune
from gatewise.comparison.run.tuning_log import TuningLog
from gatewise.comparison.run.worker import Task
from gatewise.errors import RunError, TrainingError
from gatewise.record import Failure, Run, Times, Tuning
from gatewise.statistics.measure import Measure
from gatewise.training.kind import Baseline

__all__ = ["ExecutionContext", "MixedVersionsError", "Outcome", "execute"]


class MixedVersionsError(RunError):
    """Runs of one cell would come from two versions of the code."""


@dataclass(frozen=True)
class ExecutionContext:
    """Folder, data and resources with which a plan is executed.

    Attributes:
        folder: of the comparison.
        datasets: the data, by point of the axis.
        metric: of the task.
        baselines: the task's, not fitted.
        code: see `gatewise.comparison.run.trials.code_version`.
        threads: CPU threads of each trial.
        budget: measured sizes and times.
        pool: where trials run.
        log: the search's trials in an Optuna storage.
        listener: called with every event.
        older_code: whether the code that trains is not the one that the folder was begun with, whose runs are reused.
    """

    folder: Path
    datasets: Mapping[Any, Any]
    metric: Measure
    baselines: tuple[Baseline, ...]
    code: str
    threads: int
    budget: Budget
    pool: Pool
    log: TuningLog
    listener: ComparisonListener
    older_code: bool = False


@dataclass
class Outcome:
    """The results of a plan.

    Attributes:
        entries: of every final run and baseline, finished or failed, in the order of the tables.
        contributions: of the finished ones, by name: (N,) or (N, K).
        tuning: of every trial of the search.
        trials: the finished final runs, in the order of their entries.
        samples: of times, measured in turns; None: there are none.
        times: what the record says of them.
    """

    entries: list[Run | Failure] = field(default_factory=list)
    contributions: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    tuning: list[Tuning] = field(default_factory=list)
    trials: list[Trial] = field(default_factory=list)
    samples: dict[str, Any] | None = None
    times: Times | None = None


def execute(plan: Plan, context: ExecutionContext) -> Outcome:
    """Execute a plan; finished trials are reused, those that failed for lack of memory are repeated.

    Raises:
        StorageError: the folder cannot be written, or the disk is full; nothing finished is lost.
        TrainingError: not one network could be trained.
        MixedVersionsError: runs of one cell would come from two versions of the code.
    """
    return _Execution(plan, context).run()


class _Execution:
    def __init__(self, plan: Plan, context: ExecutionContext) -> None:
        self.plan, self.context = plan, context
        self.maker = TrialMaker(plan, context)
        self.tuned = Tuned()
        self.total = plan.trainings + sum(
            1 if plan.search is None else 1 + len(baseline_candidates(baseline, plan.search, context.datasets[point]))
            for point in plan.points
            for baseline in context.baselines
        )
        self.done = 0
        self.tried: set[str] = set()
        self.outcome = Outcome()

    def run(self) -> Outcome:
        if self.plan.search is not None:
            self.tuned = tune(self.plan, self.context, self._run)
            self.outcome.tuning += self.tuned.tuning
            self.outcome.entries += self.tuned.failed
        baselines = [
            self.maker.baseline(baseline, point, self.tuned.settings(baseline.name, point))
            for point in self.plan.points
            for baseline in self.context.baselines
        ]
        finals = [
            self.maker.final(cell, point, seed, chosen)
            for cell in self.plan.cells
            for point in self.plan.points
            for seed in self.plan.seeds
            if (chosen := self._settings(cell, point, seed)) is not None
        ]
        if self.context.older_code:
            self._refuse_mixture(finals)
        # the baselines and every cell with the first seed come first: a whole comparison stands early
        by_seed = sorted(finals, key=lambda trial: self.plan.seeds.index(trial.seed or 0))
        results = self._run([*baselines, *by_seed])
        for trial in (*baselines, *finals):
            self._keep(trial, results[trial.folder])
        entries = [results[trial.folder] for trial in finals]
        failures = [*self.tuned.failed, *(entry for entry in entries if isinstance(entry, Failure))]
        if failures and not any(isinstance(entry, Run) for entry in entries):
            raise TrainingError(
                f"not one network could be trained; {failures[0].name}: {failures[0].error}",
                fix="see the reason above; the same command repeats what failed, but not what diverged, which needs "
                "other settings",
            )
        return self.outcome

    def _refuse_mixture(self, finals: Iterable[Trial]) -> None:
        """Refuse to average runs of a cell that older code trained with runs that the present code would train."""
        finished: dict[tuple[str, Any], list[bool]] = {}
        for trial in finals:
            found = saved_measurement(self.context.folder, trial) is not None
            finished.setdefault((trial.cell, trial.point), []).append(found)
        for (cell, _), each in finished.items():
            if any(each) and not all(each):
                raise MixedVersionsError(
                    f"--old-code would average runs of {cell} that two versions of the code trained",
                    expected="all seeds of a cell from one version",
                    got=f"{sum(each)} from the older one, {len(each) - sum(each)} still to be trained",
                    fix="keep the number of seeds that is there, or compare into a new folder with --out",
                )

    def _settings(self, cell: str, point: Any, seed: int) -> dict[str, Any] | None:
        """What the search chose for a final run; None: every trial failed."""
        return {} if self.plan.search is None else self.tuned.settings(cell, point, seed)

    def _keep(self, trial: Trial, entry: Run | Failure) -> None:
        self.outcome.entries.append(entry)
        if isinstance(entry, Run):
            self.outcome.contributions[trial.name] = load_contributions(self.context.folder, trial)
            self.outcome.trials.append(trial)

    def _run(self, trials: Iterable[Trial]) -> dict[str, Run | Failure]:
        """Run trials, each once, and read their measurements."""
        wanted = {trial.folder: trial for trial in trials}
        results: dict[str, Run | Failure] = {}
        waiting: list[Task] = []
        for trial in wanted.values():
            if trial.folder not in self.tried:
                forget_failures(self.context.folder, trial)
            entry = saved_measurement(self.context.folder, trial)
            if entry is None:
                waiting.append(self.maker.task(trial))
            else:
                results[trial.folder] = entry
                self._report(trial, entry, reused=trial.folder not in self.tried)
        self.tried |= set(wanted)
        for task in self.context.pool.run(waiting):
            entry = saved_measurement(self.context.folder, task.trial)
            if entry is None:
                raise TrainingError(f"the measurement of {task.trial.name} vanished", fix="run the same command again")
            results[task.trial.folder] = entry
            self._report(task.trial, entry, reused=False)
        return results

    def _report(self, trial: Trial, entry: Run | Failure, *, reused: bool) -> None:
        self.done += 1
        name = self.context.metric.name
        self.context.listener(
            TrialDone(
                trial,
                min(self.done, self.total),
                self.total,
                reused,
                error_of(entry),
                entry.validation.get(name) if isinstance(entry, Run) else None,
                entry.test.get(name) if isinstance(entry, Run) else None,
                entry.training_seconds - (entry.preparation_seconds or 0.0) if isinstance(entry, Run) else None,
            )
        )
