"""Executes a plan: baselines, the search for each cell's settings, then the winners with fresh seeds."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.comparison.plan.plan import Plan
from gatewise.comparison.run.budget import Budget
from gatewise.comparison.run.cache import forget_failures, load_contributions, saved_measurement
from gatewise.comparison.run.events import ComparisonListener, TrialDone, TuningDone
from gatewise.comparison.run.pool import Pool
from gatewise.comparison.run.search import CellSearch
from gatewise.comparison.run.trials import Trial, trial_key
from gatewise.comparison.run.tuning_log import TuningLog
from gatewise.comparison.run.worker import Task
from gatewise.errors import TrainingError
from gatewise.record import Failure, Run, Times, Tuning
from gatewise.statistics.measure import Measure
from gatewise.training.registry import known_names
from gatewise.training.settings import settings_of

__all__ = ["ExecutionContext", "Outcome", "execute"]


@dataclass(frozen=True)
class ExecutionContext:
    """Folder, data and resources with which a plan is executed.

    Attributes:
        folder: of the comparison.
        datasets: the data, by point of the axis.
        metric: of the task.
        baselines: names of the task's baselines.
        code: see `gatewise.comparison.run.trials.code_version`.
        threads: CPU threads of each trial.
        budget: measured sizes and times.
        pool: where trials run.
        log: the search's trials in an Optuna storage.
        listener: called with every event.
    """

    folder: Path
    datasets: Mapping[Any, Any]
    metric: Measure
    baselines: tuple[str, ...]
    code: str
    threads: int
    budget: Budget
    pool: Pool
    log: TuningLog
    listener: ComparisonListener


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
    """
    return _Execution(plan, context).run()


class _Execution:
    def __init__(self, plan: Plan, context: ExecutionContext) -> None:
        self.plan, self.context = plan, context
        self.total = len(plan.points) * len(context.baselines) + plan.trainings
        self.done = 0
        self.tried: set[str] = set()
        self.outcome = Outcome()
        self.chosen: dict[tuple[str, Any], dict[str, Any]] = {}

    def run(self) -> Outcome:
        baselines = [self._baseline(name, point) for point in self.plan.points for name in self.context.baselines]
        results = self._run(baselines)
        if self.plan.search is not None:
            self._tune()
        finals = [self._final(cell, point, seed) for cell, point in self._places() for seed in self.plan.seeds]
        # every cell with the first seed comes first: a whole comparison stands early
        results |= self._run(sorted(finals, key=lambda trial: self.plan.seeds.index(trial.seed or 0)))
        for trial in (*baselines, *finals):
            self._keep(trial, results[trial.folder])
        failures = [entry for trial in finals if isinstance(entry := results[trial.folder], Failure)]
        if finals and len(failures) == len(finals):
            raise TrainingError(
                f"not one network could be trained; {failures[0].name}: {failures[0].error}",
                fix="see the reason above; finished runs are kept, and the same command repeats the failed ones",
            )
        return self.outcome

    def _places(self) -> list[tuple[str, Any]]:
        """Cells at points of the axis for which settings were chosen."""
        places = [(cell, point) for cell in self.plan.cells for point in self.plan.points]
        return places if self.plan.search is None else [place for place in places if place in self.chosen]

    def _keep(self, trial: Trial, entry: Run | Failure) -> None:
        self.outcome.entries.append(entry)
        if isinstance(entry, Run):
            self.outcome.contributions[trial.name] = load_contributions(self.context.folder, trial)
            self.outcome.trials.append(trial)

    def _tune(self) -> None:
        """Search for every cell at once, generation by generation, so that all processes are busy."""
        search = self.plan.search
        assert search is not None
        name = search.metric or self.context.metric.name
        higher = self.context.metric.higher_is_better if name == self.context.metric.name else False
        places = [(cell, point) for cell in self.plan.cells for point in self.plan.points]
        searches = {place: CellSearch(search, *place, higher_is_better=higher) for place in places}
        trials: dict[tuple[str, Any], list[Trial]] = {place: [] for place in places}
        results: dict[str, Run | Failure] = {}
        while True:
            asked = {
                place: [self._tuning(*place, settings) for settings in each.next_generation()]
                for place, each in searches.items()
            }
            if not any(asked.values()):
                break
            new = [trial for generation in asked.values() for trial in generation]
            self._reuse_from_log(new)
            results |= self._run(new)
            for place, generation in asked.items():
                trials[place] += generation
                figures = [_figure(results[trial.folder], name) for trial in generation]
                if generation:
                    searches[place].tell(figures)
                    self.context.log.write(place, searches[place], generation, results)
        for place, each in searches.items():
            self._choose(place, each, trials[place], results)

    def _choose(
        self,
        place: tuple[str, Any],
        search: CellSearch,
        trials: Sequence[Trial],
        results: Mapping[str, Run | Failure],
    ) -> None:
        cell, point = place
        try:
            best = search.best
        except TrainingError as error:
            words = f"{error.message}; the first one: {_error(results[trials[0].folder])}"
            self.outcome.entries.append(Failure(name=cell, cell=cell, seed=None, error=words, point=point))
        else:
            self.chosen[place] = dict(search.asked[best])
            figure = search.figures[best]
            assert figure is not None
            self.context.listener(TuningDone(cell, point, dict(search.asked[best]), figure, len(trials)))
        winner = trials[search.best].key if place in self.chosen else None
        for trial in trials:
            self.outcome.tuning.append(_tuning(results[trial.folder], chosen=trial.key == winner))

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
                waiting.append(self._task(trial))
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
                _error(entry),
                entry.validation.get(name) if isinstance(entry, Run) else None,
                entry.test.get(name) if isinstance(entry, Run) else None,
                entry.training_seconds if isinstance(entry, Run) else None,
            )
        )

    def _task(self, trial: Trial) -> Task:
        spec = trial.spec
        return Task(
            dataclasses.replace(trial, spec=dataclasses.replace(spec, model=_absolute(spec.model))),
            _absolute(spec.data),
            str(self.context.folder.resolve()),
            self.context.datasets[trial.point].fingerprint,
            self.context.threads,
            self.plan.imports,
        )

    def _baseline(self, name: str, point: Any) -> Trial:
        spec = self.plan.spec(self.plan.cells[0], self.plan.seeds[0], None, point)
        return Trial(
            _name(name, self.plan, point), name, None, "baseline", spec, self._key(spec, point, name), {}, point
        )

    def _tuning(self, cell: str, point: Any, settings: Mapping[str, Any]) -> Trial:
        search = self.plan.search
        assert search is not None
        whole = self.context.budget.chosen(cell, point, settings)
        spec = self.plan.spec(cell, search.seed, whole, point)
        key = self._key(spec, point)
        name = _name(cell, self.plan, point) + f"-tuning-{key[:8]}"
        return Trial(name, cell, search.seed, "tuning", spec, key, whole, point)

    def _final(self, cell: str, point: Any, seed: int) -> Trial:
        settings = self.context.budget.chosen(cell, point, self.chosen.get((cell, point), {}))
        spec = self.plan.spec(cell, seed, settings, point)
        name = _name(cell, self.plan, point) + f"-seed{seed}"
        return Trial(name, cell, seed, "final", spec, self._key(spec, point), settings, point)

    def _key(self, spec: Any, point: Any, baseline: str | None = None) -> str:
        return trial_key(spec, self.context.datasets[point].fingerprint, self.context.code, baseline)

    def _reuse_from_log(self, trials: Sequence[Trial]) -> None:
        """Reuse the trials that another machine saved in the shared database."""
        for trial in trials:
            if saved_measurement(self.context.folder, trial) is None:
                self.context.log.fetch(self.context.folder, trial)


def _absolute(part: Any) -> Any:
    """Data or model with the paths of existing files made absolute: a process may work in another directory."""
    changes = {}
    for name, entry in settings_of(type(part)).items():
        place = entry.file(getattr(part, name))
        if place is not None and not (name == "data" and getattr(part, name) in known_names()):
            changes[name] = str(place.resolve())
    return dataclasses.replace(part, **changes)


def _name(cell: str, plan: Plan, point: Any) -> str:
    return cell if plan.axis is None else f"{cell}-{plan.axis.name}{point}"


def _figure(entry: Run | Failure, name: str) -> float | None:
    return entry.validation[name] if isinstance(entry, Run) else None


def _error(entry: Run | Failure) -> str | None:
    return entry.error if isinstance(entry, Failure) else None


def _tuning(entry: Run | Failure, *, chosen: bool) -> Tuning:
    """The record's entry for a trial of the search."""
    run = entry if isinstance(entry, Run) else None
    return Tuning(
        name=entry.name,
        cell=entry.cell,
        seed=entry.seed,
        settings=entry.settings,
        state=entry.state,
        chosen=chosen,
        validation=None if run is None else run.validation,
        training_seconds=None if run is None else run.training_seconds,
        error=_error(entry),
        point=entry.point,
    )
