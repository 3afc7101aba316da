"""What units do: saturated gates, how long each remembers, and units that count, switch or wait."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from gatewise.errors import OptionError
from gatewise.inspection.gates import GateMap, first_sequence_state
from gatewise.inspection.memory import _products
from gatewise.nn import Recurrent
from gatewise.statistics import median_lag
from gatewise.training.kind import RecurrentInputs

__all__ = ["Role", "Saturation", "UnitMemory", "kept_shares", "saturation", "unit_memory", "unit_roles"]

Array = npt.NDArray[np.float64]
LOW, HIGH = 0.1, 0.9
_LEAST_STEPS = 16
_LEAST_RANGE = 0.2
_STRAIGHT = 0.95
_REST = 0.9
_TOUCHING = 0.25
_STILL = 1 / 6
_MOST_LAGS = 1_000
"""Of longer sequences the last steps are followed back: all units at once take minutes and gigabytes else."""


@dataclass(frozen=True)
class Saturation:
    """How often a gate is nearly shut or nearly open.

    Attributes:
        name: of the gate.
        layer: number.
        direction: ``forward`` or ``backward``.
        shut: share of steps and units below 0.1.
        open: share above 0.9.
        always_shut: share of the units that are shut at every step.
        always_open: share of the units that are open at every step.
        stack: name of the recurrent layers.
    """

    name: str
    layer: int
    direction: str
    shut: float
    open: float
    always_shut: float
    always_open: float
    stack: str = ""


@dataclass(frozen=True, eq=False)
class UnitMemory:
    """How long each unit of a layer remembers, by its gates and by the gradient.

    Attributes:
        layer: number.
        direction: ``forward`` or ``backward``.
        half_lives: (H,) steps after which half of a unit's own value is left; infinite where nothing is forgotten;
            None: the cell has no gate that keeps.
        gradient_lags: (H,) the lag within which half of the squared gradient of the unit's last value lies; None: only
            the last layer's forward direction has one.
        agreement: rank correlation of the two over the units (Spearman 1904); None: one is missing or constant.
    """

    layer: int
    direction: str
    half_lives: Array | None
    gradient_lags: Array | None
    agreement: float | None


@dataclass(frozen=True)
class Role:
    """A unit that does something a person can name.

    Attributes:
        unit: number.
        role: ``counting``, ``switching`` or ``sentinel``.
        strength: how clearly, 0 to 1.
        steps: where it switches or fires; of a counting unit none.
    """

    unit: int
    role: str
    strength: float
    steps: tuple[int, ...]


def saturation(maps: Sequence[GateMap]) -> tuple[Saturation, ...]:
    """Shares of saturated gates: below 0.1 or above 0.9, as Karpathy, Johnson & Li (2015) count them.

    Args:
        maps: of one sequence.

    Example:
        >>> from gatewise.inspection.gates import gate_maps
        >>> from gatewise.nn import LSTM
        >>> maps = gate_maps({"recurrent": RecurrentInputs(LSTM(2, 3), torch.ones(4, 1, 2), None)})
        >>> [each.name for each in saturation(maps)], saturation(maps)[0].shut
        (['input', 'forget', 'output'], 0.0)
    """
    found = []
    for each in maps:
        if each.role != "gate" or not each.values.size:
            continue
        shut, wide = each.values < LOW, each.values > HIGH
        found.append(
            Saturation(
                each.name,
                each.layer,
                each.direction,
                shut=float(shut.mean()),
                open=float(wide.mean()),
                always_shut=float(shut.all(axis=0).mean()),
                always_open=float(wide.all(axis=0).mean()),
                stack=each.stack,
            )
        )
    return tuple(found)


def kept_shares(layers: Recurrent, layer: int, own: Sequence[GateMap]) -> Array | None:
    """(T, H) the share of its old value that each unit keeps at each step; None: the cell has no gate that says it.

    An LSTM's and MinLSTM's forget gate; a GRU's update gate, or one minus it where it replaces; one minus a MinGRU's.
    Of a cell of one's own: a gate named ``forget`` or ``keep``.

    Args:
        layers: the stack.
        layer: number.
        own: the maps of that layer and one direction.

    Example:
        >>> from gatewise.inspection.gates import gate_maps
        >>> from gatewise.nn import RNN, MinGRU
        >>> given = RecurrentInputs(MinGRU(2, 3), torch.ones(4, 1, 2), None)
        >>> kept_shares(given.recurrent, 0, gate_maps({"recurrent": given})).shape
        (4, 3)
    """
    named = {each.name: each.values.astype(np.float64) for each in own}
    cell: Any = layers._cells[layer]
    if layers.cell == "gru":
        return named["update"] if cell.update == "keep" else 1.0 - named["update"]
    if layers.cell == "mingru":
        return 1.0 - named["update"]
    return next((named[name] for name in ("forget", "keep") if name in named), None)


def unit_memory(stack: RecurrentInputs, maps: Sequence[GateMap], *, gradients: bool = True) -> tuple[UnitMemory, ...]:
    """The effective memory of each unit beside the gradient's.

    By the gates: what a unit holds shrinks by the product of what it keeps, so with the geometric mean k of the kept
    shares half of it is left after ``ln 2 / -ln k`` steps (the time scale of a gate: Tallec & Ollivier 2018). This
    leaves out what reaches the unit by way of the others; the gradient counts that too: the lag within which half of
    the sum over k of ``|d h_T,u / d x_(T-k)|^2`` lies. The two are compared by rank.

    Args:
        stack: layers with what they read, of which the first sequence counts.
        maps: of this stack, of that sequence.
        gradients: whether to compute the gradient's (one backward pass for all units, over the last 1,000 steps).
    """
    layers = stack.recurrent
    last = layers.num_layers - 1
    lags = _gradient_lags(stack) if gradients else None
    found = []
    for layer, direction in dict.fromkeys((each.layer, each.direction) for each in maps):
        own = [each for each in maps if (each.layer, each.direction) == (layer, direction)]
        kept = kept_shares(layers, layer, own)
        lives = None if kept is None or not kept.size else _half_lives(kept)
        seen = lags if (layer, direction) == (last, "forward") else None
        agree = None
        if lives is not None and seen is not None and len(seen) == len(lives):
            agree = _rank_correlation(lives, seen)
        found.append(UnitMemory(layer, direction, lives, seen, agree))
    return tuple(found)


def _half_lives(kept: Array) -> Array:
    """Steps until half is left, from (T, H) kept shares.

    Example:
        >>> _half_lives(np.array([[0.5, 1.0], [0.5, 1.0]])).tolist()
        [1.0, inf]
    """
    decay = -np.log(np.clip(kept, np.finfo(np.float64).tiny, 1.0)).mean(axis=0)
    with np.errstate(divide="ignore"):
        return np.where(decay > 0, math.log(2) / np.where(decay > 0, decay, 1.0), np.inf)


def _gradient_lags(stack: RecurrentInputs) -> Array:
    """The median lag of every unit of the last layer's forward output, (H,), over the last 1,000 steps at most."""
    layers, x = stack.recurrent, stack.inputs[:, :1].detach()
    length = x.shape[0] if stack.lengths is None else int(stack.lengths[0])
    x = x[max(0, length - _MOST_LAGS) : length]
    width = layers._cells[-1].state_sizes()[0]
    state = None if stack.state is None else first_sequence_state(stack.state, x.dtype)
    gradient = _products(layers, x, torch.tensor([len(x)]), torch.eye(width)[:, None].to(x), state)
    norms = gradient.double().square().sum(dim=-1).sqrt().numpy()[::-1]
    return np.array([_lag(norms[:, unit]) for unit in range(width)])


def _lag(norms: Array) -> float:
    found = median_lag(norms) if norms.max(initial=0.0) > 0 else None
    return math.nan if found is None else float(found)


def _rank_correlation(first: Array, second: Array) -> float | None:
    from scipy.stats import rankdata

    sound = ~np.isnan(second)
    if sound.sum() < 3:
        return None
    ranks = [rankdata(values[sound]) for values in (first, second)]
    if any(np.ptp(each) == 0 for each in ranks):
        return None
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def unit_roles(states: npt.NDArray[Any], first: int = 0, stride: int = 1) -> tuple[Role, ...]:
    """Units that count, switch or wait, by rules; a unit has the first role that fits.

    Of a sequence of at least 16 steps, and units whose range is at least 0.2:

    - ``counting``: a straight line over the steps explains at least 95 % of the variance (such as the line-length cell
      of Karpathy, Johnson & Li 2015; that LSTMs count with their cell: Weiss, Goldberg & Yahav 2018);
    - ``switching``: at least 90 % of the steps lie in the outer quarters of the range, each of them holds a tenth, and
      it changes sides at most at every eighth step (their cell inside quotes);
    - ``sentinel``: at rest, within a sixth of the range of its median, at 90 % of the steps or more, and elsewhere at
      the others: it fires.

    A rule finds a course over one sequence, and says nothing of why: see whether it holds on others.

    Args:
        states: (T, H), the cell state of an LSTM, else the hidden state.
        first: the step of the input with which the first of these begins; see `gatewise.inspection.gates.GateMap`.
        stride: steps of the input in one of these; 0: they are no steps of the input.

    Raises:
        OptionError: it has not two axes.

    Example:
        >>> t = np.arange(40)
        >>> quote = np.where((t > 9) & (t < 25), 0.9, -0.9)
        >>> [(role.role, role.steps) for role in unit_roles(np.stack([t / 40, quote, t == 7, np.sin(t)], axis=1))]
        [('counting', ()), ('switching', (10, 25)), ('sentinel', (7,))]
    """
    values = np.asarray(states, dtype=np.float64)
    if values.ndim != 2:
        raise OptionError("roles are found in the states of one sequence", expected="(T, H)", got=values.shape)
    steps = len(values)
    if steps < _LEAST_STEPS:
        return ()
    found: list[Role] = []
    time: Array = np.arange(steps, dtype=np.float64) - (steps - 1) / 2
    for unit in range(values.shape[1]):
        course = values[:, unit]
        low, high = float(course.min()), float(course.max())
        span = high - low
        if span < _LEAST_RANGE:
            continue
        role = _counting(unit, course, time) or _switching(unit, course, low, span) or _sentinel(unit, course, span)
        if role is not None:
            found.append(replace(role, steps=tuple(first + step * max(1, stride) for step in role.steps)))
    return tuple(found)


def _counting(unit: int, course: Array, time: Array) -> Role | None:
    centred = course - course.mean()
    explained = float((centred @ time) ** 2 / ((centred @ centred) * (time @ time)))
    return Role(unit, "counting", explained, ()) if explained >= _STRAIGHT else None


def _switching(unit: int, course: Array, low: float, span: float) -> Role | None:
    place = (course - low) / span
    down, up = place <= _TOUCHING, place >= 1 - _TOUCHING
    outer = float((down | up).mean())
    sides = up[down | up]
    changes = np.flatnonzero(np.diff(sides))
    if outer < _REST or min(down.mean(), up.mean()) < 1 - _REST or not 0 < len(changes) <= len(course) / 8:
        return None
    steps = np.flatnonzero(down | up)[changes + 1]
    return Role(unit, "switching", outer, tuple(int(step) for step in steps))


def _sentinel(unit: int, course: Array, span: float) -> Role | None:
    away = np.abs(course - np.median(course)) > _STILL * span
    rest = float(1 - away.mean())
    if rest < _REST or not away.any():
        return None
    return Role(unit, "sentinel", rest, tuple(int(step) for step in np.flatnonzero(away)))
