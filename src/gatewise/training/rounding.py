"""What a training multiplies: numbers as they are, or rounded to bfloat16 (`gatewise.nn.precision`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from gatewise.errors import OptionError
from gatewise.kernels.dispatch import Request, precision, requested_precision
from gatewise.kernels.fused.selection import offer
from gatewise.kernels.registry import KERNELS
from gatewise.training.problem import Problem
from gatewise.training.spec import TrainingSpec

__all__ = ["check_products", "probed_kernel", "rounded"]


@contextmanager
def rounded(training: TrainingSpec) -> Iterator[None]:
    """Compute a step's loss inside, with the products of the training's ``precision``; its gradient may follow outside.

    Args:
        training: of the run.

    Example:
        >>> with rounded(TrainingSpec(precision="bf16")):
        ...     requested_precision()
        'bf16'
    """
    if requested_precision() == training.precision:
        yield
        return
    with precision(training.precision):
        yield


def check_products(name: str) -> None:
    """Refuse a precision whose products this machine has for no cell.

    Raises:
        OptionError: it has none, and why.

    Example:
        >>> check_products("float32")
    """
    if name == "float32":
        return
    cell = next(each for each, info in KERNELS.items() if info.rounds)
    choice, why = offer(Request(cell, "cpu", torch.float32, 32, 32, 32, 32, needs_grad=True, precision=name))
    if choice is None or name not in choice.implementation.split("-"):
        raise OptionError(
            f"no recurrent layer trains in {name} here",
            expected="a CPU that multiplies bfloat16",
            got=why if choice is None else f"{choice.implementation}: {choice.reason}",
            fix="--precision float32; `gatewise doctor` says what this CPU has",
        )


def probed_kernel(problem: Problem, training: TrainingSpec) -> dict[str, str]:
    """Which kernel computes a training step, as the layers report it after a batch.

    Args:
        problem: of the run; its network is in training mode afterwards.
        training: of the run.

    Raises:
        OptionError: no layer runs in the training's precision: the run would be another than its spec says.
    """
    problem.model.train()
    with rounded(training):
        problem.probe()
    kernel, name = problem.kernel, training.precision
    if name != "float32" and name not in kernel.get("implementation", "").replace(" ", "-").split("-"):
        raise OptionError(
            f"no recurrent layer of this network trains in {name} here",
            expected="rnn, gru or lstm without further options, on a CPU that multiplies bfloat16",
            got=f"{kernel.get('implementation')}: {kernel.get('reason')}",
            fix="--precision float32; `gatewise doctor` says what this CPU has",
        )
    return kernel
