"""Makes the trials of a plan: their specs, keys and names."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gatewise.comparison.plan.plan import Plan
from gatewise.comparison.run.trials import Trial, trial_key
from gatewise.comparison.run.worker import Task
from gatewise.training.registry import known_names
from gatewise.training.settings import settings_of

if TYPE_CHECKING:
    from gatewise.comparison.run.execution import ExecutionContext
    from gatewise.training.kind import Baseline

__all__ = ["TrialMaker"]


class TrialMaker:
    """Makes the trials of a plan.

    Args:
        plan: the plan.
        context: with which it is executed.
    """

    def __init__(self, plan: Plan, context: ExecutionContext) -> None:
        self.plan, self.context = plan, context

    def baseline(
        self, baseline: Baseline, point: Any, settings: Mapping[str, Any] | None = None, *, tuning: bool = False
    ) -> Trial:
        """A baseline, on the test part or, where its settings are chosen, on the validation part.

        Args:
            baseline: not fitted.
            point: value of the axis.
            settings: of its search space; None: nothing was chosen.
            tuning: settings are being chosen.
        """
        settings = settings or {}
        spec = self.plan.spec(self.plan.cells[0], self.plan.seeds[0], None, point)
        defaults = {name: values[0] for name, values in baseline.search_space(self.context.datasets[point]).items()}
        changed = {name: value for name, value in settings.items() if value != defaults.get(name)}
        key = trial_key(spec, self._fingerprint(point), self.context.code, baseline.name, changed)
        name = self._name(baseline.name, point) + (f"-tuning-{key[:8]}" if tuning else "")
        return Trial(name, baseline.name, None, "tuning" if tuning else "baseline", spec, key, settings, point)

    def tuning(self, cell: str, point: Any, settings: Mapping[str, Any], seed: int) -> Trial:
        """A training from which a cell's settings are chosen."""
        whole = self.context.budget.chosen(cell, point, settings)
        spec = self.plan.spec(cell, seed, whole, point)
        key = trial_key(spec, self._fingerprint(point), self.context.code)
        return Trial(f"{self._name(cell, point)}-tuning-{key[:8]}", cell, seed, "tuning", spec, key, whole, point)

    def final(self, cell: str, point: Any, seed: int, chosen: Mapping[str, Any] | None = None) -> Trial:
        """A training that is measured on the test part.

        Args:
            cell: the variant.
            point: value of the axis.
            seed: one of the plan's.
            chosen: settings that the search chose; None: there was none.
        """
        settings = self.context.budget.chosen(cell, point, chosen or {})
        spec = self.plan.spec(cell, seed, settings, point)
        key = trial_key(spec, self._fingerprint(point), self.context.code)
        return Trial(f"{self._name(cell, point)}-seed{seed}", cell, seed, "final", spec, key, settings, point)

    def task(self, trial: Trial) -> Task:
        """The trial with what a process needs to run it."""
        spec = trial.spec
        return Task(
            dataclasses.replace(trial, spec=dataclasses.replace(spec, model=_absolute(spec.model))),
            _absolute(spec.data),
            str(self.context.folder.resolve()),
            self._fingerprint(trial.point),
            self.context.threads,
            self.plan.imports,
            self.plan.seeds[0],
        )

    def _fingerprint(self, point: Any) -> str:
        return str(self.context.datasets[point].fingerprint)

    def _name(self, model: str, point: Any) -> str:
        return model if self.plan.axis is None else f"{model}-{self.plan.axis.name}{point}"


def _absolute(part: Any) -> Any:
    """Data or model with the paths of existing files made absolute: a process may work in another directory."""
    changes = {}
    for name, entry in settings_of(type(part)).items():
        place = entry.file(getattr(part, name))
        if place is not None and not (name == "data" and getattr(part, name) in known_names()):
            changes[name] = str(place.resolve())
    return dataclasses.replace(part, **changes)
