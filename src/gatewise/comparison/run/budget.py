"""Equal budgets: widths of equal size, steps of equal time, and how long a plan will take; all measured once."""

from __future__ import annotations

import contextlib
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
from gatewise.training.amount import resolved, total_steps
from gatewise.training.phase import Phase, phase_key
from gatewise.training.registry import import_modules, kind_of
from gatewise.training.run_spec import RunSpec

__all__ = ["BUDGET_FILE", "Budget"]

BUDGET_FILE = "budget.json"
_WARM_UP, _STEPS = 1, 3
# steps differ in their examples' lengths: more of them, where they are short
_MOST_STEPS, _PACE_SECONDS = 40, 1.0
_TOLERANCE = 0.02
_CALIBRATED = 0.02  # half the width of a log ratio's interval, at which it is known well enough
_CALIBRATION_SECONDS, _MOST_CALIBRATIONS = 1.0, 4
_MOST_WIDTH = 65_536


class Budget:
    """Measures sizes and times of a plan's networks and caches them in the comparison's folder.

    What depends on a measured time is decided once: a comparison that is resumed keeps the same steps.

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
        self.known: dict[str, dict[str, Any]] = {"parameters": {}, "epoch_seconds": {}, "steps_per_epoch": {}}
        self.known["paces"] = {}
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
            return {**settings, **self._amount_of_time(cell, point, settings)}
        return dict(settings)

    def phase_seconds(self, spec: RunSpec, point: Any) -> dict[str, float]:
        """How long each phase of a run takes, trained to its last epoch, by the phase's key.

        Runs that share an earlier phase have the same key for it.

        Raises:
            TrainingError: the first steps of a phase failed.
        """
        found = {}
        for number, phase in enumerate(self._phases(spec, point)):
            seconds, steps, total = self._pace(phase, spec, number, point)
            found[phase_key(phase, self.datasets[point], self.threads)] = seconds * total / steps
        return found

    def measure(self, runs: Sequence[tuple[RunSpec, Any]]) -> None:
        """Measure the unknown phases of runs, each with its point, as many at once as trials run.

        So the data are read in all worker processes at once, and the steps take as long as beside another trial. A
        phase whose first steps fail stays unknown.
        """
        from joblib import delayed

        unknown: dict[tuple[str, str], tuple[RunSpec, int, Phase, Any]] = {}
        for spec, point in runs if self.jobs > 1 else ():
            for number, phase in enumerate(self._phases(spec, point)):
                key = self._key(phase.spec, point, phase.name)
                if key not in self.known["epoch_seconds"]:
                    unknown.setdefault((phase.name, key), (spec, number, phase, point))
        asked = list(unknown.values())
        calls = [delayed(_pace_or_none)(spec, number, self.threads, self.plan.imports) for spec, number, _, _ in asked]
        answers: list[tuple[float, int] | None] = [None] * len(calls)
        with contextlib.suppress(Exception):  # a process died: each phase is then measured where it is needed
            answers = processes(self.jobs)(calls) if calls else []
        for (_, _, phase, point), found in zip(asked, answers, strict=True):
            if found is not None:
                self._remember("epoch_seconds", self._key(phase.spec, point, phase.name), found[0])
                self._remember("steps_per_epoch", self._key(phase.spec, point, phase.name), found[1])

    def epochs(self, spec: RunSpec, point: Any) -> int:
        """How many epochs the last phase of a run is trained, at most.

        Raises:
            TrainingError: the first steps could not be taken.
        """
        phases = self._phases(spec, point)
        _, steps, total = self._pace(phases[-1], spec, len(phases) - 1, point)
        return -(-total // steps)

    def epoch_seconds(self, spec: RunSpec, point: Any) -> float:
        """Seconds of the training steps of one epoch of a run's last phase.

        Raises:
            TrainingError: the first steps could not be taken.
        """
        phases = self._phases(spec, point)
        return self._pace(phases[-1], spec, len(phases) - 1, point)[0]

    def step_seconds(self, spec: RunSpec, point: Any) -> float:
        """Seconds of one training step of a run's last phase.

        Raises:
            TrainingError: the first steps could not be taken.
        """
        phases = self._phases(spec, point)
        seconds, steps, _ = self._pace(phases[-1], spec, len(phases) - 1, point)
        return seconds / steps

    def planned_steps(self, point: Any) -> int:
        """Training steps of the first cell, whose time the others get under ``--match time``, to its last epoch.

        Raises:
            TrainingError: the first steps could not be taken.
        """
        spec = self.plan.spec(self.plan.cells[0], 0, None, point)
        phases = self._phases(spec, point)
        return self._pace(phases[-1], spec, len(phases) - 1, point)[2]

    def _phases(self, spec: RunSpec, point: Any) -> Sequence[Phase]:
        return kind_of(spec.task).phases(spec, self.datasets[point])

    def _pace(self, phase: Phase, spec: RunSpec, number: int, point: Any) -> tuple[float, int, int]:
        """Seconds of an epoch of a phase, estimated from a few steps; its steps; and those of the whole phase."""
        measured: list[tuple[float, int]] = []

        def measure() -> tuple[float, int]:
            if not measured:
                measured.append(self._measured(spec, number, point))
            return measured[0]

        seconds = self._cached("epoch_seconds", phase.spec, point, lambda: measure()[0], phase.name)
        steps = self._cached("steps_per_epoch", phase.spec, point, lambda: measure()[1], phase.name)
        training = resolved(phase.spec.training, kind_of(spec.task).amount, int(steps))
        return float(seconds), max(1, int(steps)), total_steps(training, max(1, int(steps)))

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

    def _amount_of_time(self, cell: str, point: Any, settings: Mapping[str, Any]) -> dict[str, int]:
        """As many steps of the last phase as take, with all phases, the time of the first cell's training."""
        reference = self.plan.spec(self.plan.cells[0], 0, None, point)
        spec = self.plan.spec(cell, 0, settings, point)
        key, first = (
            _cache_key(each, self.threads, self.datasets[point].fingerprint, "") for each in (spec, reference)
        )
        planned = self._totals(reference, point)
        if key == first:
            steps = planned[-1]
            return {} if not settings else self._steps(spec, point, steps)
        if f"{first} {key}" not in self.known["paces"]:
            self.known["paces"][f"{first} {key}"] = self._relative_paces(reference, spec, point)
            self._write()
        paces, own = self.known["paces"][f"{first} {key}"]
        whole = sum(pace * total for pace, total in zip(paces, planned, strict=True))
        earlier = sum(pace * total for pace, total in zip(own[:-1], self._totals(spec, point)[:-1], strict=True))
        return self._steps(spec, point, max(1, round((whole - earlier) / own[-1])))

    def _steps(self, spec: RunSpec, point: Any, steps: int) -> dict[str, int]:
        phases = self._phases(spec, point)
        _, epoch, _ = self._pace(phases[-1], spec, len(phases) - 1, point)
        return {"epochs": -(-steps // epoch), "training_steps": steps}

    def _totals(self, spec: RunSpec, point: Any) -> list[int]:
        """Steps of every phase of a run, to its last epoch."""
        return [self._pace(phase, spec, number, point)[2] for number, phase in enumerate(self._phases(spec, point))]

    def _relative_paces(self, reference: RunSpec, spec: RunSpec, point: Any) -> list[list[float]]:
        """Seconds of a step of every phase of two runs, as multiples of the first run's last phase."""
        from joblib import delayed

        try:
            if self.jobs == 1:
                return _paces(reference, spec, self.datasets[point], self.threads)
            call = delayed(_paces_elsewhere)(reference, spec, self.threads, self.plan.imports)
            (found,) = processes(self.jobs)([call])
        except Exception as error:
            raise TrainingError(
                f"the first steps of {spec.model.cell} failed: {type(error).__name__}: {error}"
            ) from error
        return [list(each) for each in found]

    def _cached(self, what: str, spec: RunSpec, point: Any, measure: Any, phase: str = "training") -> float:
        key = self._key(spec, point, phase)
        if key not in self.known[what]:
            self._remember(what, key, measure())
        return float(self.known[what][key])

    def _key(self, spec: RunSpec, point: Any, phase: str) -> str:
        return _cache_key(spec, self.threads, self.datasets[point].fingerprint, phase)

    def _remember(self, what: str, key: str, value: float) -> None:
        self.known[what][key] = value
        self._write()

    def _write(self) -> None:
        write_json(self.place, {"format_version": 1, "known": self.known})


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


def _pace_or_none(spec: RunSpec, number: int, threads: int, imports: tuple[str, ...]) -> tuple[float, int] | None:
    try:
        return _epoch_seconds_elsewhere(spec, number, threads, imports)
    except Exception:
        return None  # measured once more where its time is needed, with the error


def _paces_elsewhere(reference: RunSpec, spec: RunSpec, threads: int, imports: tuple[str, ...]) -> list[list[float]]:
    import_modules(imports)
    return _paces(reference, spec, load_dataset(spec.task, spec.data), threads)


def _paces(reference: RunSpec, spec: RunSpec, dataset: Any, threads: int) -> list[list[float]]:
    """Seconds of a step of every phase of two runs, measured in turns, as multiples of the first run's last phase."""
    import numpy as np
    import torch

    from gatewise.comparison.cost.together import measure_phases
    from gatewise.statistics.times import signed_rank

    runs = [kind_of(each.task).phases(each, dataset) for each in (reference, spec)]
    named = {f"{run} {number}": phase for run, phases in enumerate(runs) for number, phase in enumerate(phases)}
    against = f"0 {len(runs[0]) - 1}"
    rounds: dict[str, list[float]] = {name: [] for name in named}
    with torch.random.fork_rng(), limited_threads(threads):
        for attempt in range(_MOST_CALIBRATIONS):
            found, _ = measure_phases(named, seed=attempt, seconds=_CALIBRATION_SECONDS)
            for name, each in found["training_step"].items():
                rounds[name] += each
            ratios = {name: signed_rank(np.log(np.divide(each, rounds[against]))) for name, each in rounds.items()}
            if all(at is not None and at.high - at.low <= 2 * _CALIBRATED for at in ratios.values()):
                break
    paces = {name: 1.0 if at is None else float(np.exp(at.estimate)) for name, at in ratios.items()}
    return [[paces[f"{run} {number}"] for number in range(len(phases))] for run, phases in enumerate(runs)]


def _epoch_seconds(spec: RunSpec, number: int, dataset: Any, threads: int) -> tuple[float, int]:
    """Seconds and steps of an epoch of a run's phase, by its number."""
    import torch

    from gatewise.training.memory import build
    from gatewise.training.optimisation import Optimisation
    from gatewise.training.rounding import rounded

    with torch.random.fork_rng(), limited_threads(threads):
        torch.manual_seed(0)
        phase = kind_of(spec.task).phases(spec, dataset)[number]
        problem = build(phase.spec, phase.problem)
        steps = problem.steps_per_epoch
        optimisation = Optimisation(problem.model, phase.spec.training, max(1, steps))
        problem.begin_epoch(1)
        problem.model.train()
        found: list[float] = []
        for step in range(min(_WARM_UP + _MOST_STEPS, steps)):
            if step >= _WARM_UP + _STEPS and sum(found[_WARM_UP:]) > _PACE_SECONDS:
                break
            start = time.perf_counter()
            with rounded(phase.spec.training):
                loss = problem.loss(step)
            optimisation.step(loss, f"the measured step {step + 1}")
            found.append(time.perf_counter() - start)
    measured = found[_WARM_UP:] or found
    return steps * sum(measured) / len(measured), steps
