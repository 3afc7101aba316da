"""Can a trained network be evaluated in parallel over time? Lyapunov exponents, and Newton sweeps to the exact states.

A recurrence s_t = F_t(s_(t-1)) is a system of equations for all T states at once. Newton's method makes it linear, and
a linear recurrence is a prefix sum, which many cores evaluate in log T rounds (DEER: Lim et al. 2024); how many sweeps
it takes is a property of the network. Where nearby states move apart (a positive largest Lyapunov exponent), it often
does not settle (Gonzalez et al. 2024, who keep the diagonal of the Jacobian only, as the cheaper sweep does).
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gatewise.errors import ShapeError
from gatewise.inspection.gates import first_states
from gatewise.nn.inputs import join_state
from gatewise.training.kind import RecurrentInputs

__all__ = ["LayerParallel", "Parallel", "Sweeps", "parallel"]

_TOLERANCE = 1e-6
_MOST_SWEEPS = 64
_DIVERGED = 1e8
_EXPONENTS = 3
_TRANSIENT = 0.25
_UNITS_AT_ONCE = 32
_EDGE = 0.01
"""Exponents within ±0.01 say neither."""


@dataclass(frozen=True)
class Sweeps:
    """Newton's way to the states of a sequence.

    Attributes:
        count: sweeps until every residual was at most 1e-6; None: it never was.
        residual: the largest ``|s_t - F_t(s_(t-1))|`` after the last sweep.
        error: the largest difference from the states computed step by step.
        outcome: ``settled``, ``diverged`` (beyond 1e8 or not finite) or ``too many`` (more than 64 sweeps).
    """

    count: int | None
    residual: float
    error: float
    outcome: str


@dataclass(frozen=True)
class LayerParallel:
    """One direction of one layer.

    Attributes:
        layer: number.
        direction: ``forward`` or ``backward``.
        exponents: the leading Lyapunov exponents, natural logarithm per step, falling.
        full: sweeps with whole Jacobians.
        diagonal: sweeps with their diagonals; None: not asked for.
    """

    layer: int
    direction: str
    exponents: tuple[float, ...]
    full: Sweeps
    diagonal: Sweeps | None


@dataclass(frozen=True)
class Parallel:
    """The answer for a stack of layers.

    Attributes:
        steps: T.
        layers: each one and direction by itself, on what it really reads.
    """

    steps: int
    layers: tuple[LayerParallel, ...]

    @property
    def exponent(self) -> float:
        """The largest Lyapunov exponent of all layers, per step."""
        return max(each.exponents[0] for each in self.layers)

    @property
    def sweeps(self) -> int | None:
        """The most sweeps that a layer takes with whole Jacobians; None: one does not settle."""
        counts = [each.full.count for each in self.layers]
        return None if None in counts else max(count for count in counts if count is not None)

    @property
    def sentence(self) -> str:
        """The answer in words."""
        if abs(self.exponent) <= _EDGE:
            nature = "nearby states neither approach each other nor move apart"
        else:
            nature = "it forgets where it began" if self.exponent < 0 else "nearby states move apart"
        exponent = f"{nature}: largest Lyapunov exponent {self.exponent:+.2f} per step".replace("-", "−")
        sweeps = self.sweeps
        if sweeps is None:
            how = "diverges" if any(each.full.outcome == "diverged" for each in self.layers) else "does not settle"
            return f"This network cannot be evaluated in parallel by Newton's method, which {how} ({exponent})."
        diagonals = [each.diagonal.count for each in self.layers if each.diagonal is not None]
        cheap = ""
        if diagonals:
            most = [count for count in diagonals if count is not None]
            cheap = f", {max(most)} with diagonal ones" if len(most) == len(diagonals) else ", not with diagonal ones"
        times = "1 sweep" if sweeps == 1 else f"{sweeps} sweeps"
        if sweeps > self.steps / 4:
            return (
                f"This network takes {times} over {self.steps} steps{cheap}: evaluating it in parallel gains little "
                f"({exponent})."
            )
        return (
            f"This network settles in {times} over {self.steps} steps{cheap}, so that it can be evaluated in parallel "
            f"over time where there are enough cores ({exponent})."
        )


class _Dynamics:
    """One direction of one layer as s_t = F_t(s_(t-1)), in float64; all states side by side, S numbers."""

    def __init__(self, cell: Any, weights: dict[str, Tensor], x: Tensor, start: Tensor, zoneout: tuple[float, ...]):
        self.cell, self.weights, self.start, self.zoneout = cell, weights, start, zoneout
        self.sizes = cell.state_sizes()
        self.gates = cell.project(x, weights)

    def step(self, states: Tensor, gates: Tensor) -> Tensor:
        """Rows of states (B, S) one step on, each with its own input."""
        parts = states.split(self.sizes, dim=-1)
        values = self.cell.step(gates, tuple(parts), self.weights)
        new = [
            p * old + (1.0 - p) * values[name] if p else values[name]
            for name, old, p in zip(self.cell.states, parts, self.zoneout, strict=True)
        ]
        return torch.cat(new, dim=-1)

    def sequential(self) -> Tensor:
        """(T, S) step by step."""
        state, found = self.start[None], []
        for gates in self.gates:
            state = self.step(state, gates[None])
            found.append(state[0])
        return torch.stack(found)

    def moved(self, states: Tensor, directions: Tensor, gates: Tensor) -> tuple[Tensor, Tensor]:
        """The next states of rows, and what the Jacobian makes of a direction for each."""
        repeated = gates.expand(len(states), -1)
        try:
            moved: Any = torch.func.jvp(lambda s: self.step(s, repeated), (states,), (directions,))
        except (NotImplementedError, RuntimeError):  # an operation of one's own without a forward derivative
            with torch.enable_grad():
                moved = torch.autograd.functional.jvp(lambda s: self.step(s, repeated), states, directions)
        found: tuple[Tensor, Tensor] = moved
        return found

    def before(self, states: Tensor) -> Tensor:
        """The states before each step: (T, S)."""
        return torch.cat([self.start[None], states[:-1]])


def parallel(stack: RecurrentInputs, *, diagonal: bool = True, seed: int = 0) -> Parallel:
    """Measure on the first sequence of a stack whether Newton's method finds all its states at once.

    From zeros, each sweep solves ``s_t = F_t(s'_(t-1)) + J_t (s_(t-1) - s'_(t-1))`` for all t, s' being the states
    before the sweep and J_t the Jacobian of F_t there, whole or its diagonal. In exact arithmetic T sweeps always
    suffice, as each makes one more step right; fewer are of use. The leading Lyapunov exponents are those of the
    product of the J_t along the true states, by QR decomposition at every step (Benettin et al. 1980), the first
    quarter of the steps left out. Each layer is taken by itself, on what the layers below give.

    Args:
        stack: layers with what they read; any registered cell, through its one ``step``.
        diagonal: whether to try diagonal Jacobians as well, which takes most of the time.
        seed: of the directions from which the exponents start.

    Raises:
        ShapeError: fewer than four steps.

    Example:
        >>> from gatewise.nn import GRU
        >>> _ = torch.manual_seed(0)
        >>> found = parallel(RecurrentInputs(GRU(3, 8).eval(), torch.randn(32, 1, 3), None))
        >>> found.layers[0].full.outcome, found.sweeps <= 6, found.exponent < 0
        ('settled', True, True)
    """
    steps = int(stack.inputs.shape[0] if stack.lengths is None else stack.lengths[0])
    if steps < 4:
        raise ShapeError("too few steps to be evaluated in parallel", expected="at least 4", got=steps)
    found = []
    with torch.no_grad():
        for layer, direction, dynamics in _dynamics(stack, steps):
            truth = dynamics.sequential()
            found.append(
                LayerParallel(
                    layer,
                    direction,
                    _exponents(dynamics, truth, seed),
                    _sweeps(dynamics, truth, whole=True),
                    _sweeps(dynamics, truth, whole=False) if diagonal else None,
                )
            )
    return Parallel(steps, tuple(found))


def _dynamics(stack: RecurrentInputs, steps: int) -> Iterator[tuple[int, str, _Dynamics]]:
    layers = copy.deepcopy(stack.recurrent).double().eval()
    x = stack.inputs[:steps, :1].double()
    begun = RecurrentInputs(layers, x, None, stack.state)
    start = first_states(begun, torch.float64)
    state = None if stack.state is None else join_state(start, layers.directions, layers._uniform, True)
    trace = layers.trace(x.transpose(0, 1) if layers.batch_first else x, state)
    below = x
    for place, (layer, suffix) in enumerate(layers._suffixes()):
        if place and layer != layers._suffixes()[place - 1][0]:
            outputs = [each[layers._cells[layer - 1].states[0]] for each in trace.directions if each.layer == layer - 1]
            output = torch.cat([each.transpose(0, 1) if layers.batch_first else each for each in outputs], dim=-1)
            below = output + below if layers.residual and layer > 1 else output
        backward = suffix.endswith("_reverse")
        weights = {name: value.detach() for name, value in layers._weights_of(suffix).items()}
        read = below[:, 0].flip(0) if backward else below[:, 0]
        begin = torch.cat([part[0] for part in start[place]]).detach()
        yield (
            layer,
            "backward" if backward else "forward",
            _Dynamics(layers._cells[layer], weights, read, begin, layers.zoneout),
        )


def _exponents(dynamics: _Dynamics, truth: Tensor, seed: int) -> tuple[float, ...]:
    """The leading exponents along the true states."""
    steps, size = truth.shape
    count = min(_EXPONENTS, size)
    generator = torch.Generator().manual_seed(seed)
    frame, _ = torch.linalg.qr(torch.randn(size, count, dtype=torch.float64, generator=generator))
    before, sums, first = dynamics.before(truth), torch.zeros(count, dtype=torch.float64), int(_TRANSIENT * steps)
    for t in range(steps):
        _, moved = dynamics.moved(before[t].expand(count, -1).contiguous(), frame.t().contiguous(), dynamics.gates[t])
        frame, triangle = torch.linalg.qr(moved.t())
        if t >= first:
            sums += triangle.diagonal().abs().clamp(min=1e-300).log()
    found = (sums / (steps - first)).tolist()
    return tuple(sorted(found, reverse=True))


def _sweeps(dynamics: _Dynamics, truth: Tensor, *, whole: bool) -> Sweeps:
    """Sweeps from zeros until the residual is small."""
    states = torch.zeros_like(truth)
    count, residual = 0, _residual(dynamics, states)
    while residual > _TOLERANCE and count < _MOST_SWEEPS:
        states = _whole_sweep(dynamics, states) if whole else _diagonal_sweep(dynamics, states)
        count += 1
        residual = _residual(dynamics, states)
        if not math.isfinite(residual) or residual > _DIVERGED:
            return Sweeps(None, residual, math.inf, "diverged")
    error = float((states - truth).abs().max())
    if residual > _TOLERANCE:
        return Sweeps(None, residual, error, "too many")
    return Sweeps(count, residual, error, "settled")


def _residual(dynamics: _Dynamics, states: Tensor) -> float:
    found = (states - dynamics.step(dynamics.before(states), dynamics.gates)).abs().max()
    return float(found) if bool(torch.isfinite(found)) else math.inf


def _whole_sweep(dynamics: _Dynamics, states: Tensor) -> Tensor:
    """The linear recurrence with whole Jacobians: one directional derivative a step, which needs no matrix."""
    before = dynamics.before(states)
    new, found = dynamics.start[None], []
    for t in range(len(states)):
        value, moved = dynamics.moved(before[t : t + 1], new - before[t : t + 1], dynamics.gates[t])
        new = value + moved
        found.append(new[0])
    return torch.stack(found)


def _diagonal_sweep(dynamics: _Dynamics, states: Tensor) -> Tensor:
    """The linear recurrence with the Jacobians' diagonals."""
    before = dynamics.before(states)
    diagonal = _diagonals(dynamics, before)
    value = dynamics.step(before, dynamics.gates)
    new, found = dynamics.start, []
    for t in range(len(states)):
        new = value[t] + diagonal[t] * (new - before[t])
        found.append(new)
    return torch.stack(found)


def _diagonals(dynamics: _Dynamics, before: Tensor) -> Tensor:
    """The diagonal of every step's Jacobian: (T, S), one derivative for all steps along each of the S axes."""
    size = before.shape[1]
    with torch.enable_grad():
        leaf = before.detach().requires_grad_()
        value = dynamics.step(leaf, dynamics.gates)
        found = torch.empty_like(before)
        for start in range(0, size, _UNITS_AT_ONCE):
            units = torch.arange(start, min(start + _UNITS_AT_ONCE, size))
            axes = torch.zeros(len(units), *value.shape, dtype=value.dtype)
            axes[torch.arange(len(units)), :, units] = 1.0
            (gradients,) = torch.autograd.grad(value, leaf, axes, retain_graph=True, is_grads_batched=True)
            found[:, units] = gradients[torch.arange(len(units)), :, units].t()
    return found
