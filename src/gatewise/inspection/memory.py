"""The memory curve: how strongly the last state depends on an input k steps back."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatewise.errors import OptionError, ShapeError
from gatewise.nn import Recurrent
from gatewise.statistics import median_lag, settled
from gatewise.training.kind import RecurrentInputs, Trained

__all__ = ["memory_curve", "memory_of", "reach"]

_STEPS_AT_ONCE = 30_000
_REACH = 0.01


def memory_of(
    trained: Trained, dataset: Any, *, count: int = 32, steps: int = 101, projections: int | None = 16, seed: int = 0
) -> dict[str, Any]:
    """The memory curve of a finished run on the first test sequences of its data.

    Args:
        trained: the run.
        dataset: its data.
        count: sequences.
        steps: steps taken of each.
        projections: see `memory_curve`.
        seed: of the projections and of the fresh weights.

    Returns:
        What `memory_curve` gives for the first recurrent stack, and ``stacks``: the same of the others, by name.
    """
    stacks = trained.stacks(dataset, count, steps)
    curves = {name: memory_curve(inputs, projections=projections, seed=seed) for name, inputs in stacks.items()}
    first, *others = curves
    return {**curves[first], "stacks": {name: curves[name] for name in others}}


def memory_curve(
    inputs: RecurrentInputs, *, lags: int = 100, projections: int | None = 16, seed: int = 0
) -> dict[str, Any]:
    """Norm of the gradient of the last state with respect to the input k steps back, trained and freshly drawn.

    .. math:: n_k = \\Big( \\tfrac{1}{B} \\sum_b
        \\Big\\| \\frac{\\partial h_T^{(b)}}{\\partial x_{T-k}^{(b)}} \\Big\\|_F^2 \\Big)^{1/2}

    where h_T is the output of the last layer after a row's own last step (of two directions: the forward one). A norm
    that shrinks geometrically in k is the vanishing gradient, one that grows the exploding gradient (Bengio, Simard &
    Frasconi 1994; Pascanu, Mikolov & Bengio 2013).

    With ``projections = P`` the squared norm is the mean of ``|v^T J|^2`` over P random vectors v ~ N(0, 1) per row,
    which is unbiased (Hutchinson 1990); its relative error is at most about ``1 / sqrt(2 P B)``. With None each of the
    H rows of the Jacobian is computed, exactly.

    Args:
        inputs: real sequences as the layers see them, with the states in which they begin.
        lags: the largest k; no further than half of the sequences reach.
        projections: P, or None.
        seed: of the projections and of the fresh weights.

    Returns:
        Ready for JSON: ``lags`` (0, 1, ..), ``sequences``, ``projections``, ``estimator`` (as text), ``kernel``, and
        ``trained`` and ``initialisation``, each with ``norms`` (one per lag), ``median_lag`` and ``settled`` (see
        `gatewise.statistics.median_lag`) and ``reach`` (see `reach`).

    Raises:
        ShapeError: no sequence, or sequences of no step.
        OptionError: lags or projections below 1.

    Example:
        >>> layer = Recurrent("gru", 3, 8).eval()
        >>> curve = memory_curve(RecurrentInputs(layer, torch.randn(20, 4, 3), None), projections=None)
        >>> curve["lags"][-1], len(curve["trained"]["norms"]), curve["sequences"]
        (19, 20, 4)
    """
    for name, value in (("lags", lags), ("projections", projections)):
        if value is not None and value < 1:
            raise OptionError(f"{name} is out of range", expected="at least 1", got=value)
    x = inputs.inputs.detach().clone()
    if x.dim() != 3 or x.shape[0] < 1 or x.shape[1] < 1:
        raise ShapeError("the memory curve needs sequences", expected="(T >= 1, B >= 1, I)", got=tuple(x.shape))
    steps, batch, _ = x.shape
    lengths = torch.full((batch,), steps) if inputs.lengths is None else inputs.lengths.cpu()
    last = min(lags, int(np.median(lengths.numpy())) - 1, steps - 1)
    fresh = copy.deepcopy(inputs.recurrent)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh.reset_parameters()
    result: dict[str, Any] = {
        "lags": list(range(last + 1)),
        "sequences": batch,
        "projections": projections,
        "estimator": "every row of the Jacobian"
        if projections is None
        else f"{projections} random projections per sequence",
    }
    for name, layer in (("initialisation", fresh), ("trained", inputs.recurrent)):
        norms = _norms(layer.eval(), x, lengths, last, projections, seed, inputs.state)
        result[name] = {
            "norms": [float(value) for value in norms],
            "median_lag": median_lag(norms),
            "settled": settled(norms),
            "reach": reach(norms),
        }
    result["kernel"] = inputs.recurrent.kernel
    return result


def reach(norms: Sequence[float] | npt.NDArray[np.float64], share: float = _REACH) -> int | None:
    """The last lag whose norm is at least a hundredth of the largest; None where that is the last lag measured.

    Example:
        >>> reach([0.5**k for k in range(50)]), reach([1.0, 1.0])
        (6, None)
    """
    values = np.asarray(norms, dtype=np.float64)
    felt = np.flatnonzero(values >= share * values.max())
    last = int(felt[-1])
    return None if last == len(values) - 1 else last


def _norms(
    layer: Recurrent, x: Tensor, lengths: Tensor, last: int, projections: int | None, seed: int, state: Any
) -> npt.NDArray[np.float64]:
    """Root of the mean squared norm over the rows that reach each lag: (last + 1,)."""
    steps, batch, _ = x.shape
    if layer.batch_first:
        raise ShapeError("the memory curve takes layers with time first", fix="build the layer with batch_first=False")
    width = layer._cells[-1].state_sizes()[0]
    generator = torch.Generator().manual_seed(seed)
    wanted = width if projections is None else projections
    at_once = max(1, _STEPS_AT_ONCE // (steps * batch))
    squares = np.zeros((steps, batch))
    for start in range(0, wanted, at_once):
        size = min(at_once, wanted - start)
        if projections is None:
            vectors = torch.eye(width)[start : start + size, None].expand(size, batch, width)
        else:
            vectors = torch.randn(size, batch, width, generator=generator)
        gradient = _products(layer, x, lengths, vectors.to(x), state)
        squares += gradient.double().square().sum(dim=-1).view(steps, size, batch).sum(dim=1).cpu().numpy()
    if projections is not None:
        squares /= projections
    rows, found = np.arange(batch), np.zeros(last + 1)
    ends = lengths.numpy() - 1
    for lag in range(last + 1):
        reached = ends >= lag
        found[lag] = math.sqrt(float(squares[ends[reached] - lag, rows[reached]].mean()))
    return found


def _products(layer: Recurrent, x: Tensor, lengths: Tensor, vectors: Tensor, state: Any = None) -> Tensor:
    """Vector-Jacobian products of several vectors per row, all in one backward pass: (T, P*B, I).

    Every row begins in its own ``state``; None: as the layers begin by themselves.
    """
    size, batch, width = vectors.shape
    with torch.enable_grad():
        repeated = x.repeat(1, size, 1).requires_grad_()
        ends = lengths.repeat(size)
        ragged = bool((lengths != x.shape[0]).any())
        begun = _repeated(state, size, x.dtype)
        output, _ = layer(repeated, begun, lengths=ends) if ragged else layer(repeated, begun)
        states = output[ends.to(output.device) - 1, torch.arange(size * batch, device=output.device), :width]
        (gradient,) = torch.autograd.grad(states, repeated, vectors.reshape(size * batch, width))
    return gradient


def _repeated(state: Any, size: int, dtype: torch.dtype) -> Any:
    """A state (L*D, B, H), or each part of one, for B rows after B rows."""
    if state is None or isinstance(state, Tensor):
        return None if state is None else state.detach().to(dtype).repeat(1, size, 1)
    return tuple(_repeated(part, size, dtype) for part in state)
