"""Chooses the settings of every cell and baseline on the validation part, each with the same number of trials."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from gatewise.comparison.plan.plan import Plan, Search
from gatewise.comparison.run.events import TuningDone
from gatewise.comparison.run.search import BaselineSearch, CellSearch, Place, SettingsSearch
from gatewise.comparison.run.trial_maker import TrialMaker
from gatewise.comparison.run.trials import Trial
from gatewise.errors import TrainingError
from gatewise.record import Failure, Run, Tuning

if TYPE_CHECKING:
    from gatewise.comparison.run.execution import ExecutionContext
    from gatewise.training.kind import Baseline

__all__ = ["Tuned", "baseline_candidates", "error_of", "tune"]

RunTrials = Callable[[Iterable[Trial]], dict[str, Run | Failure]]


@dataclass
class Tuned:
    """What a search chose.

    Attributes:
        chosen: the winner's settings, by place; a place all of whose trials failed is not there.
        tuning: the record of every trial.
        failed: cells of which every trial failed.
    """

    chosen: dict[Place, dict[str, Any]] = field(default_factory=dict)
    tuning: list[Tuning] = field(default_factory=list)
    failed: list[Failure] = field(default_factory=list)

    def settings(self, model: str, point: Any, seed: int | None = None) -> dict[str, Any] | None:
        """The settings chosen for a final run; None: none were.

        Args:
            model: the variant, or the baseline's name.
            point: value of the axis.
            seed: of the run; None for a baseline.
        """
        return self.chosen.get(Place(model, point, seed), self.chosen.get(Place(model, point)))


def baseline_candidates(baseline: Baseline, search: Search, dataset: Any) -> list[dict[str, Any]]:
    """The settings of a baseline that are tried, its defaults first; none where it has nothing to choose from.

    Args:
        baseline: the baseline.
        search: that of the cells.
        dataset: the data.
    """
    space = baseline.search_space(dataset)
    if not space:
        return []
    return BaselineSearch(baseline.name, space, search.trials, search.seed, higher_is_better=True).next_generation()


def tune(plan: Plan, context: ExecutionContext, run: RunTrials) -> Tuned:
    """Search for every model at once, generation by generation, so that all processes are busy.

    Args:
        plan: with a search.
        context: with which it is executed.
        run: runs trials, each once, and gives their results by folder.
    """
    return _Tuner(plan, context, run).tune()


class _Tuner:
    def __init__(self, plan: Plan, context: ExecutionContext, run: RunTrials) -> None:
        assert plan.search is not None
        self.plan, self.context, self.run_trials = plan, context, run
        self.search = plan.search
        self.maker = TrialMaker(plan, context)
        self.metric = self.search.metric or context.metric.name
        self.baselines = {each.name: each for each in context.baselines}
        self.searches: dict[Place, SettingsSearch] = {
            place: search
            for point in plan.points
            for baseline in context.baselines
            if (search := self._of_baseline(baseline, point)) is not None
            for place in [Place(baseline.name, point)]
        }
        for cell in plan.cells:
            for point in plan.points:
                for for_seed, seed in self.search.seeds(plan.seeds):
                    own = dataclasses.replace(self.search, seed=seed)
                    self.searches[Place(cell, point, for_seed)] = CellSearch(own, cell, self._higher(self.metric))

    def _of_baseline(self, baseline: Baseline, point: Any) -> BaselineSearch | None:
        space = baseline.search_space(self.context.datasets[point])
        if not space:
            return None
        higher = self._higher(self.metric)
        return BaselineSearch(baseline.name, space, self.search.trials, self.search.seed, higher_is_better=higher)

    def _higher(self, metric: str) -> bool:
        return self.context.metric.higher_is_better if metric == self.context.metric.name else False

    def tune(self) -> Tuned:
        trials: dict[Place, list[Trial]] = {place: [] for place in self.searches}
        results: dict[str, Run | Failure] = {}
        while True:
            asked = {
                place: [self._trial(place, settings) for settings in search.next_generation()]
                for place, search in self.searches.items()
            }
            if not any(asked.values()):
                break
            new = [trial for generation in asked.values() for trial in generation]
            for trial in new:  # another machine may have saved it in the shared database
                self.context.log.fetch(self.context.folder, trial)
            results |= self.run_trials(new)
            for place, generation in asked.items():
                trials[place] += generation
                if generation:
                    search = self.searches[place]
                    search.tell(self._figures(search, [results[trial.folder] for trial in generation]))
                    self.context.log.write(place, search, generation, results)
        found = Tuned()
        for place, search in self.searches.items():
            self._choose(found, place, search, trials[place], results)
        return found

    def _trial(self, place: Place, settings: Mapping[str, Any]) -> Trial:
        if place.model in self.baselines:
            return self.maker.baseline(self.baselines[place.model], place.point, settings, tuning=True)
        search = self.searches[place]
        assert isinstance(search, CellSearch)
        return self.maker.tuning(place.model, place.point, settings, search.search.seed)

    def _figures(self, search: SettingsSearch, entries: Sequence[Run | Failure]) -> list[float | None]:
        """The figures to choose by; of a baseline that has no such figure (a loss), the task's own."""
        name = self.metric
        if any(isinstance(entry, Run) and name not in entry.validation for entry in entries):
            name = self.context.metric.name
            search.higher_is_better = self._higher(name)
        return [entry.validation[name] if isinstance(entry, Run) else None for entry in entries]

    def _choose(
        self,
        found: Tuned,
        place: Place,
        search: SettingsSearch,
        trials: Sequence[Trial],
        results: Mapping[str, Run | Failure],
    ) -> None:
        best = None
        try:
            best = search.best
        except TrainingError as error:
            if place.model not in self.baselines:  # of a baseline, the final fit reports the error
                found.failed.append(_failure(place, f"{error.message}; the first one", results[trials[0].folder]))
        else:
            settings, figure = dict(search.asked[best]), search.figures[best]
            found.chosen[place] = settings
            assert figure is not None
            baseline = self.baselines.get(place.model)
            title = None if baseline is None else baseline.title
            self.context.listener(
                TuningDone(place.model, place.point, settings, figure, len(trials), place.for_seed, title)
            )
        for number, trial in enumerate(trials):
            found.tuning.append(_tuning(results[trial.folder], place, chosen=number == best))


def _failure(place: Place, words: str, first: Run | Failure) -> Failure:
    """The record's entry for a cell of which every trial failed."""
    name = place.model if place.for_seed is None else f"{place.model}-seed{place.for_seed}"
    error = f"{words}: {error_of(first)}"
    return Failure(name=name, cell=place.model, seed=place.for_seed, error=error, point=place.point)


def error_of(entry: Run | Failure) -> str | None:
    """Why a trial failed; None where it did not."""
    return entry.error if isinstance(entry, Failure) else None


def _tuning(entry: Run | Failure, place: Place, *, chosen: bool) -> Tuning:
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
        error=error_of(entry),
        point=entry.point,
        for_seed=place.for_seed,
    )
