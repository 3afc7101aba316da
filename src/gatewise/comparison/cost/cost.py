"""What a trained network costs: arithmetic, memory, time per step, size, energy.

Meant to run alone: `measure_alone` starts a fresh process for one run, so that nothing else disturbs time and memory.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gatewise.comparison.cost.energy import EnergyMeter
from gatewise.comparison.cost.latency import measure_latency
from gatewise.errors import RunError
from gatewise.nn import Recurrent
from gatewise.statistics.measure import Measure
from gatewise.training import load_run
from gatewise.training.amount import resolved
from gatewise.training.environment import usable_cores
from gatewise.training.kind import Dataset, RecurrentInputs, Trained
from gatewise.training.memory import build
from gatewise.training.optimisation import Optimisation, seed_step
from gatewise.training.phase import Phase
from gatewise.training.registry import import_modules, kind_of
from gatewise.training.run_folder import RunFolder
from gatewise.training.run_spec import RunSpec

__all__ = [
    "common_target",
    "measure_alone",
    "measure_cost",
    "multiply_adds_per_step",
    "step_latency",
    "time_to_target",
    "training_cost",
]

_TRAINING_STEPS = 3
_RESULT = "gatewise-cost:"


def multiply_adds_per_step(layer: Recurrent) -> int:
    """Multiply-adds of the recurrent layers for one time step of one sequence.

    Every weight of a product is used once per step: G*H*(I + H) for each layer and direction of a gated cell. Biases,
    activations and gating are left out, as is customary.

    Args:
        layer: the recurrent layers.

    Example:
        >>> multiply_adds_per_step(Recurrent("gru", 10, 20)), 3 * 20 * (10 + 20)
        (1800, 1800)
    """
    named = layer.named_parameters()
    return sum(value.numel() for name, value in named if name.startswith("weight_") and value.dim() == 2)


def step_latency(
    layer: Recurrent,
    inputs: np.ndarray[Any, Any],
    *,
    steps: int = 2000,
    most_seconds: float = 3.0,
    clock: Callable[[], int] = time.perf_counter_ns,
) -> dict[str, Any]:
    """How long one streaming step takes: one sample in, one output out, the state kept.

    Args:
        layer: in evaluation mode.
        inputs: (T, I) real inputs, repeated in a cycle.
        steps: steps timed, each by itself, after a tenth as many to warm up.
        most_seconds: stop after this time.
        clock: gives nanoseconds.

    Returns:
        ``step_p50`` and ``step_p99`` in seconds and ``step_kernel`` with ``step_reason``; the first two None and the
        reason why where the layers read from both ends, which a stream does not have.

    Example:
        >>> measured = step_latency(Recurrent("gru", 3, 4).eval(), np.zeros((5, 3), np.float32), steps=50)
        >>> 0 < measured["step_p50"] <= measured["step_p99"]
        True
    """
    if layer.bidirectional:
        reason = "the backward direction starts at the end, which a stream does not have"
        return {"step_p50": None, "step_p99": None, "step_kernel": None, "step_reason": reason}
    session = layer.session()
    rows = np.ascontiguousarray(inputs, dtype=np.float32)
    for number in range(max(1, steps // 10)):
        session(rows[number % len(rows)][None])
    taken = []
    end = clock() + int(most_seconds * 1e9)
    for number in range(steps):
        x = rows[number % len(rows)][None]
        start = clock()
        session(x)
        stop = clock()
        taken.append(stop - start)
        if stop > end and len(taken) >= 20:
            break
    p50, p99 = np.quantile(np.array(taken) / 1e9, [0.5, 0.99])
    return {
        "step_p50": float(p50),
        "step_p99": float(p99),
        "step_kernel": session.implementation,
        "step_reason": session.reason,
    }


def time_to_target(
    epochs: Iterable[Mapping[str, Any]], metric: Measure, target: float
) -> dict[str, float | int | None]:
    """Training time until the validation figure first reached a target.

    Args:
        epochs: records as in ``metrics.jsonl``.
        metric: whose figure it is.
        target: the figure to reach.

    Returns:
        ``target``, ``seconds`` and ``epochs``; the latter two None where it was never reached.

    Example:
        >>> from gatewise.statistics import Mean
        >>> accuracy = Mean("accuracy", "accuracy", higher_is_better=True)
        >>> epochs = [{"seconds": 2.0, "validation": {"accuracy": value}} for value in (0.7, 0.8, 0.9)]
        >>> time_to_target(epochs, accuracy, 0.8)
        {'target': 0.8, 'seconds': 4.0, 'epochs': 2}
    """
    seconds = 0.0
    for number, record in enumerate(epochs, start=1):
        seconds += record["seconds"]
        figure = record["validation"][metric.name]
        if figure == target or metric.better(figure, target):
            return {"target": target, "seconds": seconds, "epochs": number}
    return {"target": target, "seconds": None, "epochs": None}


def common_target(runs: Iterable[Sequence[Mapping[str, Any]]], metric: Measure) -> float | None:
    """The best validation figure that every run reached: the target by which their times are compared.

    Args:
        runs: the epochs of each run.
        metric: whose figure it is.

    Returns:
        The worst of the runs' best figures; None without runs.

    Example:
        >>> from gatewise.statistics import Mean
        >>> accuracy = Mean("accuracy", "accuracy", higher_is_better=True)
        >>> one, two = [{"validation": {"accuracy": 0.9}}], [{"validation": {"accuracy": 0.8}}]
        >>> common_target([one, two], accuracy)
        0.8
    """
    best, worst = (max, min) if metric.higher_is_better else (min, max)
    reached = [best(float(record["validation"][metric.name]) for record in epochs) for epochs in runs if epochs]
    return worst(reached) if reached else None


def training_cost(spec: RunSpec, dataset: Dataset, *, epochs: int = 1) -> dict[str, Any]:
    """Memory and energy of training, from a few steps repeated in this process.

    Args:
        spec: the run.
        dataset: its data.
        epochs: how many its last phase trained, for the energy.

    Returns:
        ``training_memory_bytes``: what weights, moments, activations and gradients add to this process at their peak,
        None where the system does not report it; ``energy_joules``: of the whole training, extrapolated from the
        steps, None where the processor does not report it; ``training_kernel``.
    """
    previous = torch.get_num_threads()
    torch.set_num_threads(spec.training.threads or usable_cores())
    try:
        torch.ones(256, 256).mm(torch.ones(256, 256))  # whatever torch itself sets up comes before the count
        before = _restart_peak()
        *earlier, last = kind_of(spec.task).phases(spec, dataset)
        joules: list[float | None] = []
        for phase in earlier:
            joules.append(_phase_energy(phase, None)[0])
        found, kernel = _phase_energy(last, epochs)
        after = _peak()
    finally:
        torch.set_num_threads(previous)
    energy = [*joules, found]
    return {
        "training_memory_bytes": None if before is None or after is None else max(0, after - before),
        "energy_joules": None if None in energy else sum(value for value in energy if value is not None),
        "training_kernel": kernel,
    }


def _phase_energy(phase: Phase, epochs: int | None) -> tuple[float | None, str]:
    """Energy of a phase of so many epochs, extrapolated from a few steps, and the kernel that ran."""
    seed_step(phase.spec.training.seed, 0, 0)
    problem = build(phase.spec, phase.problem)
    training = resolved(phase.spec.training, kind_of(phase.spec.task).amount, problem.steps_per_epoch)
    planned = training.epochs or 1
    epochs = planned if epochs is None else epochs
    optimisation = Optimisation(problem.model, training, problem.steps_per_epoch * planned)
    problem.model.train()
    problem.begin_epoch(1)
    steps = min(_TRAINING_STEPS, problem.steps_per_epoch)
    meter = EnergyMeter()
    for step in range(steps):
        seed_step(training.seed, 1, step)
        optimisation.step(problem.loss(step), f"epoch 1, step {step + 1}")
    joules = meter.joules()
    return None if joules is None else joules / steps * problem.steps_per_epoch * epochs, problem.kernel[
        "implementation"
    ]


def measure_cost(
    trained: Trained,
    dataset: Dataset,
    run_folder: str | Path,
) -> dict[str, Any]:
    """Measure everything that a finished run costs; call it through `measure_alone`.

    Args:
        trained: the run, opened.
        dataset: its data.
        run_folder: its folder.

    Returns:
        Ready for JSON: ``multiply_adds_per_step``, ``file_bytes`` (the weights' file), ``seconds_per_epoch``,
        ``threads``, and what `training_cost`, `step_latency` and `measure_latency` give.

    Raises:
        RunError: the run is not finished.
    """
    folder = RunFolder(run_folder)
    result = folder.result()
    if result is None:
        raise RunError(f"the run in {folder.path} is not finished", fix="run its training command again to resume it")
    epochs = [record.to_dict() for record in result.epochs]
    found: dict[str, Any] = training_cost(trained.spec, dataset, epochs=len(epochs))
    previous = torch.get_num_threads()
    torch.set_num_threads(trained.spec.training.threads or usable_cores())
    try:
        stacks = list(trained.stacks(dataset, 1, 256).values())
        shares = [_steps(each) / _steps(stacks[0]) for each in stacks]
        found |= {
            "multiply_adds_per_step": round(
                sum(share * multiply_adds_per_step(each.recurrent) for each, share in zip(stacks, shares, strict=True))
            ),
            "file_bytes": (folder.path / "best.safetensors").stat().st_size,
            "seconds_per_epoch": min(record["seconds"] for record in epochs),
            "threads": torch.get_num_threads(),
        }
        if all(each.inputs.dtype == torch.float32 and each.inputs.device.type == "cpu" for each in stacks):
            found |= _together(
                [step_latency(each.recurrent.eval(), each.inputs[:, 0].numpy()) for each in stacks], shares
            )
        found |= measure_latency(trained.predictor(dataset), min(256, dataset.sizes["test"]))
    finally:
        torch.set_num_threads(previous)
    return found


def _steps(stack: RecurrentInputs) -> int:
    """Steps of all sequences."""
    if stack.lengths is None:
        return stack.inputs.shape[0] * stack.inputs.shape[1]
    return int(stack.lengths.sum())


def _together(latencies: Sequence[dict[str, Any]], shares: Sequence[float]) -> dict[str, Any]:
    """The latency of one step of the first stack and its share of the others' steps; None where one cannot stream."""
    first = next((each for each in latencies if each["step_p50"] is None), latencies[0])
    if len(latencies) == 1 or first["step_p50"] is None:
        return first
    times = {
        name: sum(share * each[name] for each, share in zip(latencies, shares, strict=True))
        for name in ("step_p50", "step_p99")
    }
    return {**first, **times}


def measure_alone(run_folder: str | Path, *, modules: Sequence[str] = (), seconds: float = 600.0) -> dict[str, Any]:
    """Measure a finished run in a fresh process that does nothing else.

    Args:
        run_folder: of the run.
        modules: modules to import first: those that register cells of one's own.
        seconds: stop after this time.

    Returns:
        ``cost`` (see `measure_cost`) and ``memory`` (see `gatewise.inspection.memory_curve`).

    Raises:
        RunError: the process failed; the message holds its last line.
    """
    command = [sys.executable, "-m", "gatewise.comparison.cost.cost", str(run_folder), *modules]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise RunError(f"measuring the cost of {run_folder} took more than {seconds:g} s") from error
    results = [line for line in done.stdout.splitlines() if line.startswith(_RESULT)]
    if done.returncode != 0 or not results:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RunError(f"the cost of {run_folder} could not be measured", got=f"exit code {done.returncode}: {last}")
    found: dict[str, Any] = json.loads(results[-1].removeprefix(_RESULT))
    return found


def _main(arguments: Sequence[str]) -> None:
    """Measure the run of the first argument, after importing the modules of the others."""
    from gatewise.inspection import memory_of

    folder, *modules = arguments
    import_modules(modules)
    trained = load_run(folder)
    dataset = kind_of(trained.spec.task).load(trained.spec.data)
    found = {"cost": measure_cost(trained, dataset, folder), "memory": memory_of(trained, dataset)}
    print(_RESULT + json.dumps(found, allow_nan=False))


def _restart_peak() -> int | None:
    """Reset the peak of resident memory and return its present value in bytes; None where the system cannot."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return None
    return _peak()


def _peak() -> int | None:
    """This process's largest resident size in bytes; unlike ``ru_maxrss`` it does not begin with its parent's."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM")), None)


if __name__ == "__main__":
    _main(sys.argv[1:])
