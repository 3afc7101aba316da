"""What a trained network costs besides time: arithmetic, memory, size.

Meant to run alone: `measure_alone` starts a fresh process for one run, so that nothing else disturbs time and memory.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from gatewise.comparison.cost.alone import answer, measured_alone
from gatewise.comparison.cost.samplers import TrainingSampler, load_libraries, steps_of
from gatewise.errors import RunError
from gatewise.nn import Recurrent
from gatewise.statistics.measure import Measure
from gatewise.training import load_run
from gatewise.training.environment import usable_cores
from gatewise.training.kind import Dataset, Trained
from gatewise.training.registry import import_modules, kind_of
from gatewise.training.run_folder import RunFolder
from gatewise.training.run_spec import RunSpec

__all__ = [
    "common_target",
    "measure_alone",
    "measure_cost",
    "multiply_adds_per_step",
    "time_to_target",
    "training_memory",
]

_TRAINING_STEPS = 3


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


def training_memory(spec: RunSpec, dataset: Dataset) -> dict[str, Any]:
    """What training adds to this process, from a few steps repeated in it.

    Args:
        spec: the run.
        dataset: its data.

    Returns:
        ``training_memory_bytes``: what weights, moments, activations and gradients add at their peak, None where the
        system does not report it; ``preparation_seconds``: what comes before the first step of all phases, in a process
        that has prepared nothing yet; ``training_kernel``.
    """
    previous = torch.get_num_threads()
    torch.set_num_threads(spec.training.threads or usable_cores())
    try:
        torch.ones(256, 256).mm(torch.ones(256, 256))  # whatever torch itself sets up comes before the count
        load_libraries()
        before = _restart_peak()
        seconds, kernel = 0.0, ""
        for phase in kind_of(spec.task).phases(spec, dataset):
            start = time.perf_counter()
            sampler = TrainingSampler(phase)
            seconds += time.perf_counter() - start
            for turn in range(min(_TRAINING_STEPS, sampler.steps)):
                sampler(turn)
            kernel = sampler.problem.kernel["implementation"]
        after = _peak()
    finally:
        torch.set_num_threads(previous)
    return {
        "training_memory_bytes": None if before is None or after is None else max(0, after - before),
        "preparation_seconds": seconds,
        "training_kernel": kernel,
    }


def measure_cost(
    trained: Trained,
    dataset: Dataset,
    run_folder: str | Path,
) -> dict[str, Any]:
    """Measure what a finished run costs but for its times, see `gatewise.comparison.cost.together`.

    Call it through `measure_alone`: memory is that of the process.

    Args:
        trained: the run, opened.
        dataset: its data.
        run_folder: its folder.

    Returns:
        Ready for JSON: ``multiply_adds_per_step``, ``file_bytes`` (the weights' file), ``threads``, and what
        `training_memory` gives.

    Raises:
        RunError: the run is not finished.
    """
    folder = RunFolder(run_folder)
    if folder.result() is None:
        raise RunError(f"the run in {folder.path} is not finished", fix="run its training command again to resume it")
    found = training_memory(trained.spec, dataset)
    stacks = list(trained.stacks(dataset, 1, 256).values())
    shares = [steps_of(each) / steps_of(stacks[0]) for each in stacks]
    counts = [multiply_adds_per_step(each.recurrent) for each in stacks]
    return found | {
        "multiply_adds_per_step": round(sum(share * each for each, share in zip(counts, shares, strict=True))),
        "file_bytes": (folder.path / "best.safetensors").stat().st_size,
        "threads": trained.spec.training.threads or usable_cores(),
    }


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
    found: dict[str, Any] = measured_alone(
        "gatewise.comparison.cost.cost",
        str(run_folder),
        *modules,
        seconds=seconds,
        late=f"the cost of {run_folder}",
        failed=f"the cost of {run_folder} could not be measured",
    )
    return found


def main(arguments: Sequence[str]) -> None:
    """Measure the run of the first argument, after importing the modules of the others."""
    from gatewise.inspection import memory_of

    folder, *modules = arguments
    import_modules(modules)
    trained = load_run(folder)
    dataset = kind_of(trained.spec.task).load(trained.spec.data)
    answer({"cost": measure_cost(trained, dataset, folder), "memory": memory_of(trained, dataset)})


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
    main(sys.argv[1:])
