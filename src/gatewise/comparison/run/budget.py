"""Equal budgets: widths of equal size, epochs of equal time, and how long a plan will take; all measured once."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gatewise.comparison.plan.grid import Range
from gatewise.comparison.plan.plan import Plan
from gatewise.comparison.run.processes import processes
from gatewise.comparison.run.worker import limited_threads, load_dataset
from gatewise.errors import OptionError, RunError, TrainingError
from gatewise.files import read_json, write_json
from gatewise.training.amount import resolved
from gatewise.training.phase import Phase, phase_key
from gatewise.training.registry import import_modules, kind_of
from gatewise.training.run_spec import RunSpec

__all__ = ["BUDGET_FILE", "Budget"]

BUDGET_FILE = "budget.json"
_WARM_UP, _STEPS = 1, 3
_TOLERANCE = 0.02
_MOST_WIDTH = 65_536


class Budget:
    """Measures sizes and times of a plan's networks and caches them in the comparison's folder.

    What depends on a measured time is decided once: a comparison that is resumed keeps the same epochs.

    Args:
        plan: what is compared.
        datasets: the data, by point of the axis.
        folder: the comparison's.
        threads: CPU threads of each trial.
        jobs: trials at the same time; with more than one, steps are measured in another process.
    """

    def __init__(self, plan: Plan, datasets: Mapping[Any, Any], folder: Path, threads: int, jobs: int = 1) -> None:
        self.jobs = jobs
        self.plan, self.datasets, self.place, self.threads = plan, datasets, folder / BUDGET_FILE, threads
        self.known: dict[str, dict[str, float]] = {"parameters": {}, "epoch_seconds": {}, "steps_per_epoch": {}}
        if self.place.exists():
            try:
                self.known |= read_json(self.place)["known"]
            except (RunError, KeyError, TypeError):
                self.place.unlink()

    def chosen(self, cell: str, point: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The settings of a cell under the plan's match.

        Args:
            cell: the variant.
            point: value of the axis.
            settings: those of the search, which apply to the first cell.

        Raises:
            OptionError: no hidden size gives the cell as many parameters as the first one.
        """
        if self.plan.match == "parameters":
            return {**settings, "hidden_size": self._width(cell, point, settings)}
        if self.plan.match == "time":
            return {**settings, "epochs": self._epochs(cell, point, settings)}
        return dict(settings)

    def phase_seconds(self, spec: RunSpec, point: Any) -> dict[str, float]:
        """How long each phase of a run takes, trained to its last epoch, by the phase's key.

        Runs that share an earlier phase have the same key for it.

        Raises:
            TrainingError: the first steps of a phase failed.
        """
        found = {}
        for number, phase in enumerate(self._phases(spec, point)):
            seconds, epochs = self._pace(phase, spec, number, point)
            found[phase_key(phase, self.datasets[point], self.threads)] = seconds * epochs
        return found

    def epochs(self, spec: RunSpec, point: Any) -> int:
        """How many epochs the last phase of a run is trained, at most.

        Raises:
            TrainingError: the first steps could not be taken.
        """
        phases = self._phases(spec, point)
        return self._pace(phases[-1], spec, len(phases) - 1, point)[1]

    def _phases(self, spec: RunSpec, point: Any) -> Sequence[Phase]:
        return kind_of(spec.task).phases(spec, self.datasets[point])

    def _pace(self, phase: Phase, spec: RunSpec, number: int, point: Any) -> tuple[float, int]:
        """Seconds of an epoch of a phase, estimated from a few steps, and how many epochs it is trained."""
        measured: list[tuple[float, int]] = []

        def measure() -> tuple[float, int]:
            if not measured:
                measured.append(self._measured(spec, number, point))
            return measured[0]

        seconds = self._cached("epoch_seconds", phase.spec, point, lambda: measure()[0], phase.name)
        steps = self._cached("steps_per_epoch", phase.spec, point, lambda: measure()[1], phase.name)
        training = resolved(phase.spec.training, kind_of(spec.task).amount, int(steps))
        return seconds, training.epochs or 1

    def _measured(self, spec: RunSpec, number: int, point: Any) -> tuple[float, int]:
        from joblib import delayed

        try:
            if self.jobs == 1:
                return _epoch_seconds(spec, number, self.datasets[point], self.threads)
            call = delayed(_epoch_seconds_elsewhere)(spec, number, self.threads, self.plan.imports)
            (found,) = processes(self.jobs)([call])
        except Exception as error:
            raise TrainingError(
                f"the first steps of {spec.model.cell} failed: {type(error).__name__}: {error}"
            ) from error
        return float(found[0]), int(found[1])

    def parameters(self, spec: RunSpec, point: Any) -> int:
        """Number of parameters of a network."""
        return int(self._cached("parameters", spec, point, lambda: _parameters(spec, self.datasets[point])))

    def check_search(self) -> None:
        """Refuse a search over what changes a network's size where the sizes are to be equal.

        Each cell would choose another value of it, and the chosen networks would differ in size.

        Raises:
            OptionError: naming the setting.
        """
        search, point = self.plan.search, self.plan.points[-1]
        if search is None or self.plan.match != "parameters":
            return
        for name, values in search.space.items():
            ends = (values.low, values.high) if isinstance(values, Range) else values
            sizes = {self.parameters(self.plan.spec(self.plan.cells[0], 0, {name: end}, point), point) for end in ends}
            if len(sizes) > 1:
                raise OptionError(
                    f"--match parameters does not go with a search over {name}, which changes the size of the networks",
                    got=f"{min(sizes):,} to {max(sizes):,} parameters",
                    fix=f"omit {name} in --grid and give it one value, or use --match hidden",
                )

    def _width(self, cell: str, point: Any, settings: Mapping[str, Any]) -> int:
        """The hidden size at which a cell comes nearest to the first cell's number of parameters."""
        first = self.plan.spec(self.plan.cells[0], 0, settings, point)
        model: Any = first.model
        if cell == self.plan.cells[0]:
            return int(model.hidden_size)
        target = self.parameters(first, point)

        def size(width: int) -> int:
            return self.parameters(self.plan.spec(cell, 0, {**settings, "hidden_size": width}, point), point)

        low, high = 0, max(1, int(model.hidden_size))
        while size(high) < target:
            low, high = high, 2 * high
            if high > _MOST_WIDTH:
                raise OptionError(f"no width gives {cell} as many parameters as {self.plan.cells[0]}")
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if size(middle) < target else (low, middle)
        width = min((each for each in (low, high) if each > 0), key=lambda each: abs(size(each) - target))
        if abs(size(width) - target) > _TOLERANCE * target:
            raise OptionError(
                f"no width gives {cell} as many parameters as {self.plan.cells[0]}",
                expected=f"{target:,} within {100 * _TOLERANCE:.0f} %",
                got=f"{size(width):,} at hidden_size {width}",
                fix="choose a larger --hidden-size, or another --match",
            )
        return width

    def _epochs(self, cell: str, point: Any, settings: Mapping[str, Any]) -> int:
        """As many epochs of the last phase as fit, with all phases, into the first cell's training time."""
        reference = self.plan.spec(self.plan.cells[0], 0, None, point)
        whole = sum(self.phase_seconds(reference, point).values())
        spec = self.plan.spec(cell, 0, settings, point)
        *earlier, last = self.phase_seconds(spec, point).values()
        return max(1, round((whole - sum(earlier)) / (last / self.epochs(spec, point))))

    def _cached(self, what: str, spec: RunSpec, point: Any, measure: Any, phase: str = "training") -> float:
        key = _cache_key(spec, self.threads, self.datasets[point].fingerprint, phase)
        if key not in self.known[what]:
            self.known[what][key] = measure()
            write_json(self.place, {"format_version": 1, "known": self.known})
        return self.known[what][key]


def _cache_key(spec: RunSpec, threads: int, fingerprint: str, phase: str) -> str:
    """A hash of what size and speed depend on."""
    training = {"batch_size": spec.training.batch_size, "optimizer": spec.training.optimizer}
    earlier = None if spec.pretraining is None else dataclasses.asdict(spec.pretraining)
    content = [
        spec.task,
        phase,
        dataclasses.asdict(spec.data),
        dataclasses.asdict(spec.model),
        training,
        earlier,
        threads,
        fingerprint,
    ]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def _parameters(spec: RunSpec, dataset: Any) -> int:
    import torch

    from gatewise.training.memory import build

    with torch.random.fork_rng():
        problem = build(spec, lambda: kind_of(spec.task).problem(spec, dataset))
    return sum(value.numel() for value in problem.model.parameters())


def _epoch_seconds_elsewhere(spec: RunSpec, number: int, threads: int, imports: tuple[str, ...]) -> tuple[float, int]:
    import_modules(imports)
    return _epoch_seconds(spec, number, load_dataset(spec.task, spec.data), threads)


def _epoch_seconds(spec: RunSpec, number: int, dataset: Any, threads: int) -> tuple[float, int]:
    """Seconds and steps of an epoch of a run's phase, by its number."""
    import torch

    from gatewise.training.memory import build
    from gatewise.training.optimisation import Optimisation

    with torch.random.fork_rng(), limited_threads(threads):
        torch.manual_seed(0)
        phase = kind_of(spec.task).phases(spec, dataset)[number]
        problem = build(phase.spec, phase.problem)
        steps = problem.steps_per_epoch
        optimisation = Optimisation(problem.model, phase.spec.training, max(1, steps))
        problem.begin_epoch(1)
        problem.model.train()
        found = []
        for step in range(min(_WARM_UP + _STEPS, steps)):
            start = time.perf_counter()
            optimisation.step(problem.loss(step), f"the measured step {step + 1}")
            found.append(time.perf_counter() - start)
    measured = found[_WARM_UP:] or found
    return steps * sum(measured) / len(measured), steps
