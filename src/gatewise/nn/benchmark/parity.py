"""Compares results before times: a fast wrong answer is not a fast answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gatewise.nn.benchmark.cases import Pair

__all__ = ["TOLERANCE", "Parity", "check_parity", "largest_difference"]

TOLERANCE = 2e-4
"""Largest difference allowed, relative to the largest entry of its tensor; float32 sums in another order differ."""


@dataclass(frozen=True)
class Parity:
    """How far apart two layers' results are.

    Attributes:
        output: largest difference of outputs and final states, relative to that tensor's largest entry.
        gradient: the same for the gradients of all weights and of x.
        worst: the tensor where the largest of both occurs.
    """

    output: float
    gradient: float
    worst: str

    @property
    def holds(self) -> bool:
        """Both are within :data:`TOLERANCE` (NaN is not)."""
        return self.output <= TOLERANCE and self.gradient <= TOLERANCE


def largest_difference(got: Tensor, want: Tensor) -> float:
    """Largest absolute difference divided by the largest wanted entry.

    Example:
        >>> largest_difference(torch.tensor([1.0, 2.5]), torch.tensor([1.0, 2.0]))
        0.25
    """
    if got.shape != want.shape:
        return float("inf")
    if want.numel() == 0:
        return 0.0
    scale = want.abs().max().clamp(min=1e-30)
    return float((got - want).abs().max() / scale)


def _results(pair: Pair, ours: bool) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    layer: Any = pair.ours if ours else pair.theirs
    for parameter in layer.parameters():
        parameter.grad = None
    pair.x.grad = None
    output, state = pair.run_ours() if ours else pair.run_theirs()
    output.backward(pair.weight)
    states = state if isinstance(state, tuple) else (state,)
    values = {"output": output} | {f"state {number}": each for number, each in enumerate(states)}
    gradients = {name: parameter.grad.clone() for name, parameter in layer.named_parameters()}
    assert pair.x.grad is not None
    return {k: v.detach() for k, v in values.items()}, gradients | {"x": pair.x.grad.clone()}


def check_parity(pair: Pair) -> Parity:
    """Run both layers forward and backward and compare everything.

    Args:
        pair: both layers with equal weights.

    Returns:
        The largest differences.

    Example:
        >>> from gatewise.nn.benchmark.cases import Case, make_pair
        >>> check_parity(make_pair("lstm", Case("", 2, 3, 4, 5))).holds
        True
    """
    values, gradients = _results(pair, True)
    wanted_values, wanted_gradients = _results(pair, False)
    outputs = {name: largest_difference(values[name], want) for name, want in wanted_values.items()}
    slopes = {f"gradient of {n}": largest_difference(gradients[n], want) for n, want in wanted_gradients.items()}
    everything = outputs | slopes
    worst = max(everything, key=lambda name: everything[name] if everything[name] == everything[name] else float("inf"))
    return Parity(_most(outputs), _most(slopes), worst)


def _most(differences: dict[str, float]) -> float:
    """The largest one; NaN if any is NaN."""
    return float(torch.tensor(list(differences.values()), dtype=torch.float64).max())
