"""Times and energy of several networks, measured in turns in one fresh process that does nothing else."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from math import ceil, comb
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gatewise.comparison.cost.alone import answer, measured_alone
from gatewise.comparison.cost.energy import EnergyMeter
from gatewise.comparison.cost.samplers import PredictionSampler, StreamingSampler, TrainingSampler
from gatewise.comparison.cost.turns import in_turns
from gatewise.statistics.times import rounds_needed
from gatewise.training import load_run
from gatewise.training.environment import usable_cores
from gatewise.training.kind import Dataset, Trained
from gatewise.training.phase import Phase
from gatewise.training.registry import import_modules, kind_of

__all__ = ["TIMED", "measure_phases", "measure_together", "measure_together_alone"]

TIMED = ("training_step", "streaming_step", "one_example", "training_joules")
"""What is compared: the figures of which there are ratios. Of predictions in a batch there is a time alone."""
_TRAINING, _STREAMING, _SINGLE, _BATCH = 3.0, 0.7, 1.0, 1.0
"""Seconds for each network, about; there are always as many rounds as the ratios need."""
_MOST_ROUNDS, _MOST_TURNS = 40, 4
_LEAST_SAMPLE = 0.02
_MOST_BLOCK, _BLOCK_SECONDS = 200, 0.01
_IN_BATCH, _LEAST_BATCHES, _MOST_BATCHES = 256, 3, 12
_IDLE_SECONDS = 0.5
Samples = dict[str, dict[str, list[float]]]


def measure_phases(
    phases: Mapping[str, Phase],
    *,
    seed: int = 0,
    seconds: float = _TRAINING,
    meter: EnergyMeter | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[Samples, dict[str, int]]:
    """Steps of training, in turns.

    Args:
        phases: a phase of training for each name.
        seed: of the order.
        seconds: for each, about.
        meter: of the energy; None, or one that cannot be read: seconds alone.
        clock: gives seconds.

    Returns:
        ``training_step`` (seconds) and, where it can be read, ``training_joules`` (above what the idle machine takes):
        for each name one value a round; and each one's steps per epoch.
    """
    meter = meter if meter is not None and meter.available else None
    idle = [] if meter is None else [_idle_watts(meter)]
    samplers = {name: TrainingSampler(phase, meter, clock) for name, phase in phases.items()}
    taken = [sampler.warm_up() for sampler in samplers.values()]
    for sampler in samplers.values():
        sampler.repeats = max(1, min(sampler.steps, ceil(_LEAST_SAMPLE / max(min(taken), 1e-6))))
    repeats = next(iter(samplers.values())).repeats if samplers else 1
    rounds = _rounds(len(samplers))
    budget = seconds * len(samplers)
    turns = max(1, min(_MOST_TURNS, int(budget / max(rounds * repeats * sum(taken), 1e-9))))
    found = in_turns(
        dict(samplers),
        np.random.default_rng(seed),
        rounds=rounds,
        most_rounds=max(rounds, _MOST_ROUNDS),
        seconds=budget,
        turns=turns,
        renewed=samplers,
    )
    if meter is not None:
        idle.append(_idle_watts(meter))
    return _above_idle(found, idle), {name: sampler.steps for name, sampler in samplers.items()}


def measure_together(
    runs: Mapping[str, tuple[Trained, Dataset]], *, seed: int = 0, meter: EnergyMeter | None = None
) -> dict[str, Any]:
    """Times of finished runs, in turns; call it through `measure_together_alone`.

    Args:
        runs: by name, each opened and with its data.
        seed: of the order.
        meter: of the energy; None: that of the processor.

    Returns:
        Ready for JSON: ``samples``: for each figure (seconds of ``training_step``, ``streaming_step``, ``one_example``,
        ``example_in_batch``; ``training_joules`` of a step) and run, one value a round; ``steps``: of an epoch by run;
        ``details``: what a run's streaming step and predictions gave besides.
    """
    meter = EnergyMeter() if meter is None else meter
    threads = next((trained.spec.training.threads for trained, _ in runs.values()), None)
    previous = torch.get_num_threads()
    torch.set_num_threads(threads or usable_cores())
    try:
        with torch.random.fork_rng():
            phases = {
                name: kind_of(trained.spec.task).phases(trained.spec, dataset)[-1]
                for name, (trained, dataset) in runs.items()
            }
            samples, steps = measure_phases(phases, seed=seed, seconds=_TRAINING, meter=meter)
            used = _used(runs, np.random.default_rng(seed + 1))
    finally:
        torch.set_num_threads(previous)
    details = used.pop("details")
    return {"samples": {**samples, **used}, "steps": steps, "details": details}


def _used(runs: Mapping[str, tuple[Trained, Dataset]], generator: np.random.Generator) -> dict[str, Any]:
    """Streaming steps and predictions."""
    streams = {
        name: StreamingSampler(list(trained.stacks(dataset, 1, 256).values()))
        for name, (trained, dataset) in runs.items()
    }
    streaming = {name: sampler for name, sampler in streams.items() if sampler.reason is None}
    taken = [sampler.warm_up() for sampler in streaming.values()]
    for sampler in streaming.values():
        sampler.block = max(10, min(_MOST_BLOCK, int(_BLOCK_SECONDS / max(max(taken), 1e-9))))
    rounds, count = _rounds(len(runs)), len(runs)
    found = in_turns(
        dict(streaming),
        generator,
        rounds=rounds,
        most_rounds=_MOST_ROUNDS,
        seconds=_STREAMING * count,
        renewed=streaming,
    )
    one, many = _predictions(runs, 1, "one_example"), _predictions(runs, _IN_BATCH, "example_in_batch")
    for single in one.values():
        single.warm_up()
    found |= in_turns(dict(one), generator, rounds=rounds, most_rounds=_MOST_ROUNDS, seconds=_SINGLE * count)
    found |= in_turns(dict(many), generator, rounds=_LEAST_BATCHES, most_rounds=_MOST_BATCHES, seconds=_BATCH * count)
    details = {name: _details(streams[name], one[name], many[name]) for name in runs}
    return {**found, "details": details}


def _predictions(runs: Mapping[str, tuple[Trained, Dataset]], count: int, figure: str) -> dict[str, PredictionSampler]:
    return {
        name: PredictionSampler(trained.predictor(dataset), min(count, dataset.sizes["test"]), figure)
        for name, (trained, dataset) in runs.items()
    }


def _details(stream: StreamingSampler, one: PredictionSampler, many: PredictionSampler) -> dict[str, Any]:
    """The part of `gatewise.record.Cost` that the use of one network gave."""
    found: dict[str, Any] = {
        "step_p50": None,
        "step_p99": None,
        "step_kernel": None,
        "step_reason": stream.reason,
        "one_example": float(np.median(one.times)),
        "one_example_p90": float(np.quantile(one.times, 0.9)),
        "per_example_in_batch": float(np.median(many.times)),
        "batch": many.count,
    }
    if stream.kernel is not None:
        found["step_kernel"], found["step_reason"] = stream.kernel
        p50, p99 = np.quantile(stream.times, [0.5, 0.99])
        found |= {"step_p50": float(p50), "step_p99": float(p99)}
    return found


def _rounds(count: int) -> int:
    """Rounds for so many networks, so that a ratio can be told from 1 after correction for all pairs."""
    return rounds_needed(len(TIMED) * comb(count, 2))


def _idle_watts(meter: EnergyMeter) -> float:
    """What the machine takes when this process does nothing."""
    meter.restart()
    start = time.perf_counter()
    time.sleep(_IDLE_SECONDS)
    return (meter.joules() or 0.0) / (time.perf_counter() - start)


def _above_idle(found: Samples, idle: Sequence[float]) -> Samples:
    """Joules less those of the idle machine; none at all where a network's are not above them."""
    joules = found.pop("training_joules", None)
    if joules is None:
        return found
    watts = sum(idle) / len(idle)
    above = {
        name: [whole - watts * seconds for whole, seconds in zip(each, found["training_step"][name], strict=True)]
        for name, each in joules.items()
    }
    whole = all(len(each) == len(found["training_step"][name]) and min(each) > 0 for name, each in above.items())
    return {**found, "training_joules": above} if whole and len(above) == len(found["training_step"]) else found


def measure_together_alone(
    folders: Mapping[str, str | Path], *, modules: Sequence[str] = (), seconds: float = 1200.0
) -> dict[str, Any]:
    """Measure finished runs in a fresh process that does nothing else; see `measure_together`.

    Args:
        folders: of the runs, by name.
        modules: modules to import first: those that register cells of one's own.
        seconds: stop after this time.

    Raises:
        RunError: the process failed; the message holds its last line.
    """
    asked = json.dumps({"folders": {name: str(place) for name, place in folders.items()}, "modules": list(modules)})
    found: dict[str, Any] = measured_alone(
        "gatewise.comparison.cost.together",
        asked,
        seconds=seconds,
        late="the times",
        failed="the times could not be measured in turns",
    )
    return found


def main(arguments: Sequence[str]) -> None:
    """Measure the runs of the folders in turns, after importing the modules."""
    asked = json.loads(arguments[0])
    import_modules(asked["modules"])
    datasets: dict[str, Any] = {}
    runs = {}
    for name, folder in asked["folders"].items():
        trained = load_run(folder)
        data = trained.spec.data
        if repr(data) not in datasets:
            datasets[repr(data)] = kind_of(trained.spec.task).load(data)
        runs[name] = (trained, datasets[repr(data)])
    answer(measure_together(runs))


if __name__ == "__main__":
    main(sys.argv[1:])
