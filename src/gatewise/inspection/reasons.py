"""Reasons: how much each step, or each number of each step, counted for an answer; and whether that holds up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatewise.errors import OptionError, did_you_mean
from gatewise.training.reader import Reader, ReadInput

__all__ = ["METHODS", "Method", "Reasons", "Removal", "Stopped", "most_gradients", "reasons", "removal"]

Method = Literal["integrated-gradients", "gradient-x-input", "occlusion"]
METHODS: tuple[str, ...] = get_args(Method)
Array = npt.NDArray[np.float64]
_STEPS_AT_ONCE = 30_000
_NODES = 16
_MOST_GRADIENTS = 1024
_LEAST_GRADIENTS = 64
_MOST_GRADIENT_STEPS = 400_000
"""Of inputs longer than 390 steps fewer gradients are taken, so that a text of thousands of words takes seconds."""
_MOST_HALVED = 16
_CANCELLING = 3
"""How many times the tolerance the errors of the parts may be, taken without their signs."""
_TOLERANCE = 0.01
_LEAST_CHANGE = 1e-3
_RANDOM_ORDERS = 8


@dataclass(frozen=True, eq=False)
class Removal:
    """What becomes of the score as steps are taken away, one after the other; see `removal`.

    Attributes:
        removed: how many steps are away, from 0.
        by_reasons: the score, those that speak for the answer the most first.
        random: the mean over random orders.
        against: those that speak against it the most first.
        score: what was measured, in a few words.
    """

    removed: npt.NDArray[np.int64]
    by_reasons: Array
    random: Array
    against: Array
    score: str

    @property
    def faster(self) -> float | None:
        """The fall by reasons over the fall at random, mean over the first half; None where random removal helps."""
        half = max(1, len(self.removed) // 2)
        chance = float((self.random[0] - self.random[1 : half + 1]).mean())
        return float((self.by_reasons[0] - self.by_reasons[1 : half + 1]).mean()) / chance if chance > 0 else None


@dataclass(frozen=True, eq=False)
class Reasons:
    """Attributions of one answer to the input.

    Attributes:
        method: one of `METHODS`.
        target: name of the answer.
        score: what they explain, in a few words.
        values: (T,), or (T, C) where the input has columns; positive speaks for the answer.
        columns: names of the C columns; empty: reasons are per step.
        score_at_input: the score.
        score_at_baseline: with nothing but the baseline.
        baseline: what that is.
        completeness_error: how far the sum of the values is from the change of the score, as a share of it; of an
            occlusion it is no error: it says how far the steps act together.
        steps_used: gradients or evaluations taken.
        complete: whether the error is within one hundredth of the change.
        removal: whether they hold up; None: not measured, or the input is the baseline and nothing can be removed.
    """

    method: str
    target: str
    score: str
    values: Array
    columns: tuple[str, ...]
    score_at_input: float
    score_at_baseline: float
    baseline: str
    completeness_error: float
    steps_used: int
    complete: bool
    removal: Removal | None

    @property
    def per_step(self) -> Array:
        """(T,)."""
        return self.values if self.values.ndim == 1 else self.values.sum(axis=1)


def reasons(
    reader: Reader,
    read_input: ReadInput,
    *,
    target: int | str | None = None,
    method: str = "integrated-gradients",
    with_removal: bool = True,
    seed: int = 0,
    stop: Callable[[], bool] | None = None,
) -> Reasons:
    """How much each step counted for an answer.

    With f the score (`Reader.score`), x the embedded input and b the baseline:

    - ``gradient-x-input``: ``(x - b) * df/dx`` (Shrikumar et al. 2017), one gradient;
    - ``integrated-gradients``: ``(x - b) * integral of df/dx along the line from b to x`` (Sundararajan, Taly & Yan
      2017), by Gauss-Legendre quadrature; the values sum to ``f(x) - f(b)``, which checks them: where they do not,
      the line is halved, and again, where the score bends, for some 1,024 gradients at most (of inputs of more
      than 390 steps fewer, see `most_gradients`);
    - ``occlusion``: ``f(x) - f(x with that step, or that number, as in b)`` (Zeiler & Fergus 2014).

    Args:
        reader: of a network.
        read_input: what it read.
        target: number or name of the answer; None: the leading one.
        method: one of `METHODS`.
        with_removal: whether to measure the removal curve as well.
        seed: of the random removals.
        stop: looked at between batches; where it says yes, nothing more is computed.

    Raises:
        OptionError: no such method.
        DataError: no such answer.
        Stopped: ``stop`` said so.
    """
    if method not in METHODS:
        raise OptionError(f"there is no method {method!r}", fix=did_you_mean(method, METHODS))
    if stop is not None:
        reader = cast("Reader", _Stoppable(reader, stop))
    x, base = reader.embed(read_input), reader.baseline(read_input)
    with torch.no_grad():
        both = reader.answer(read_input, torch.cat([x, base], dim=1))
    final = reader.shares(both[0])
    chosen = reader.target_of(target, final, read_input)
    ends = reader.score(both, chosen).double()
    top, bottom = float(ends[0]), float(ends[1])
    columns = reader.input_columns(read_input)
    values, error, used = _values(method, reader, read_input, chosen, x, base, (bottom, top), by_column=bool(columns))
    per_step = values if values.ndim == 1 else values.sum(axis=1)
    with_removal = with_removal and not torch.equal(x, base)
    return Reasons(
        method=method,
        target=reader.names[chosen],
        score=reader.score_name,
        values=values,
        columns=columns,
        score_at_input=top,
        score_at_baseline=bottom,
        baseline=reader.baseline_name,
        completeness_error=error,
        steps_used=used,
        complete=error <= _TOLERANCE,
        removal=removal(reader, read_input, per_step, target=chosen, seed=seed) if with_removal else None,
    )


def _values(
    method: str,
    reader: Reader,
    read_input: ReadInput,
    chosen: int,
    x: Tensor,
    base: Tensor,
    ends: tuple[float, float],
    *,
    by_column: bool,
) -> tuple[npt.NDArray[np.float64], float, int]:
    """The reason of each step, or of each number of a step; the completeness error; and how many gradients it took."""
    error = 0.0
    if method == "occlusion":
        found, used = _occlusion(reader, read_input, chosen, x, base, by_column=by_column)
    elif method == "gradient-x-input":
        found, used = ((x - base)[:, 0] * _gradient(reader, read_input, chosen, x)[:, 0]).double().numpy(), 1
    else:
        found, error, used = _integrated(reader, read_input, chosen, x, base, ends)
    values = found if by_column or found.ndim == 1 else found.sum(axis=1)
    if method != "integrated-gradients":
        change = ends[1] - ends[0]
        error = abs(float(values.sum()) - change) / max(abs(change), _LEAST_CHANGE)
    return values, error, used


def most_gradients(steps: int) -> int:
    """About how many gradients integrated gradients take at most, of an input of so many steps.

    Example:
        >>> most_gradients(40), most_gradients(3000)
        (1024, 133)
    """
    return max(_LEAST_GRADIENTS, min(_MOST_GRADIENTS, _MOST_GRADIENT_STEPS // max(1, steps)))


class Stopped(Exception):
    """Reasons are no longer wanted."""


class _Stoppable:
    """A reader that looks before every answer whether it is still wanted."""

    def __init__(self, reader: Reader, stop: Callable[[], bool]) -> None:
        self._reader, self._stop = reader, stop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def answer(self, read: ReadInput, embedded: Tensor) -> Tensor:
        """As the reader answers.

        Raises:
            Stopped: it is no longer wanted.
        """
        if self._stop():
            raise Stopped
        return self._reader.answer(read, embedded)


def removal(
    reader: Reader, read_input: ReadInput, per_step: Array, *, target: int, points: int = 20, seed: int = 0
) -> Removal:
    """The score as more and more steps are replaced by the baseline.

    A reason that does not survive this is none: taking away what speaks for the answer has to hurt it faster than
    taking away as much at random (Samek et al. 2017; by sign and cumulatively, as removing both signs together
    cancels).

    Args:
        reader: of a network.
        read_input: what it read.
        per_step: (T,) reasons.
        target: number of the answer.
        points: at most so many points besides the first.
        seed: of the eight random orders.
    """
    x, base = reader.embed(read_input), reader.baseline(read_input)
    steps = x.shape[0]
    counts = np.unique(np.linspace(0, steps, min(points, steps) + 1).round().astype(np.int64))
    generator = np.random.default_rng(seed)
    falling = np.argsort(-per_step, kind="stable")
    orders = [falling, falling[::-1], *(generator.permutation(steps) for _ in range(_RANDOM_ORDERS))]
    masks = np.zeros((steps, len(orders), len(counts)), dtype=bool)
    for number, order in enumerate(orders):
        for place, count in enumerate(counts):
            masks[order[:count], number, place] = True
    flat = torch.from_numpy(masks.reshape(steps, -1))[:, :, None]
    scores = _scores(reader, read_input, target, x, base, flat).reshape(len(orders), len(counts))
    return Removal(counts, scores[0], scores[2:].mean(axis=0), scores[1], reader.score_name)


def _at_once(steps: int) -> int:
    return max(1, _STEPS_AT_ONCE // max(1, steps))


def _scores(reader: Reader, read: ReadInput, target: int, x: Tensor, base: Tensor, masks: Tensor) -> Array:
    """Scores of variants of which some parts are as in the baseline: masks (T, B, 1 or I)."""
    found = []
    with torch.no_grad():
        for part in masks.split(_at_once(x.shape[0]), dim=1):
            found.append(reader.score(reader.answer(read, torch.where(part, base, x)), target).double())
    scores: Array = torch.cat(found).numpy()
    return scores


def _gradient(reader: Reader, read: ReadInput, target: int, inputs: Tensor) -> Tensor:
    """Of each variant's score with respect to it: (T, B, I)."""
    with torch.enable_grad():
        leaf = inputs.detach().clone().requires_grad_()
        (found,) = torch.autograd.grad(reader.score(reader.answer(read, leaf), target).sum(), leaf)
    return found


def _integrated(
    reader: Reader, read: ReadInput, target: int, x: Tensor, base: Tensor, ends: tuple[float, float]
) -> tuple[Array, float, int]:
    """Integrated gradients (T, I), how far they are from complete, and how many gradients that took.

    What the parts of the line from b to x have to sum to is known, the change of the score over each: a part that
    fails is halved, so that gradients are taken where the score bends.
    """
    line = (x - base)[:, 0].double()
    scale = max(abs(ends[1] - ends[0]), _LEAST_CHANGE)
    pending, done, used = [_Part(0.0, 1.0, *ends)], list[_Part](), 0
    most = most_gradients(len(x))
    while pending:
        used += _NODES * len(pending)
        _integrate(reader, read, target, x, base, line, pending)
        done += pending
        pending = []
        net, gross = abs(sum(part.error for part in done)) / scale, sum(abs(part.error) for part in done) / scale
        if (net > _TOLERANCE or gross > _CANCELLING * _TOLERANCE) and used < most:
            failed = _failed(done, _TOLERANCE * scale / 2, max(1, (most - used) // (2 * _NODES)))
            done = [part for part in done if part not in failed]
            middles = _along(reader, read, target, x, base, [part.middle for part in failed])
            pending = [half for part, score in zip(failed, middles, strict=True) for half in part.halves(score)]
    values = torch.stack([part.values for part in done]).sum(dim=0)
    return values.numpy(), net, used


@dataclass(eq=False)
class _Part:
    """A part of the line from the baseline to the input, with the score at its ends."""

    begin: float
    end: float
    score_at_begin: float
    score_at_end: float
    values: Tensor = field(default_factory=lambda: torch.zeros(()))
    error: float = 0.0

    @property
    def middle(self) -> float:
        return (self.begin + self.end) / 2

    def halves(self, score: float) -> tuple[_Part, _Part]:
        """Both halves, with the score between them."""
        return (
            _Part(self.begin, self.middle, self.score_at_begin, score),
            _Part(self.middle, self.end, score, self.score_at_end),
        )


def _failed(parts: Sequence[_Part], allowed: float, most: int) -> list[_Part]:
    """Those with the largest errors, at most so many, the others' being allowed together."""
    order = sorted(parts, key=lambda part: abs(part.error))
    kept = np.cumsum([abs(part.error) for part in order]) <= allowed
    return order[int(kept.sum()) :][-min(most, _MOST_HALVED) :]


def _integrate(
    reader: Reader, read: ReadInput, target: int, x: Tensor, base: Tensor, line: Tensor, parts: list[_Part]
) -> None:
    """Gauss-Legendre quadrature over each part."""
    places, weights = np.polynomial.legendre.leggauss(_NODES)
    spans = np.array([(part.begin, part.end - part.begin) for part in parts])
    along, power = (spans[:, :1] + spans[:, 1:] * (places + 1) / 2).ravel(), reader.crowding
    alphas = torch.from_numpy(along**power).to(x)  # d(along^power) = power along^(power - 1) d(along)
    shares = torch.from_numpy((spans[:, 1:] * weights / 2).ravel() * power * along ** (power - 1))
    totals = torch.zeros(len(parts), *line.shape, dtype=torch.float64)
    size = _at_once(x.shape[0])
    for start in range(0, len(alphas), size):
        rows = torch.arange(start, min(start + size, len(alphas)))
        inputs = base + alphas[rows, None] * (x - base)
        gradient = _gradient(reader, read, target, inputs).double() * shares[rows, None]
        totals.index_add_(0, rows // _NODES, gradient.transpose(0, 1))
    for part, total in zip(parts, totals, strict=True):
        part.values = line * total
        part.error = float(part.values.sum()) - (part.score_at_end - part.score_at_begin)


def _along(
    reader: Reader, read: ReadInput, target: int, x: Tensor, base: Tensor, alphas: Sequence[float]
) -> list[float]:
    """The score at places on the line."""
    inputs = base + torch.tensor(alphas, dtype=x.dtype)[:, None] ** reader.crowding * (x - base)
    with torch.no_grad():
        found: list[float] = reader.score(reader.answer(read, inputs), target).double().tolist()
    return found


def _occlusion(
    reader: Reader, read: ReadInput, target: int, x: Tensor, base: Tensor, *, by_column: bool
) -> tuple[Array, int]:
    """What is lost with each step, or with each number of each step."""
    steps, width = x.shape[0], x.shape[2]
    parts = steps * width if by_column else steps
    lost = np.zeros(parts)
    with torch.no_grad():
        whole = float(reader.score(reader.answer(read, x), target).double()[0])
    size = _at_once(steps)
    for start in range(0, parts, size):
        rows = torch.arange(start, min(start + size, parts))
        masks = torch.zeros(steps, len(rows), width if by_column else 1, dtype=torch.bool)
        if by_column:
            masks[rows // width, torch.arange(len(rows)), rows % width] = True
        else:
            masks[rows, torch.arange(len(rows)), 0] = True
        lost[rows.numpy()] = whole - _scores(reader, read, target, x, base, masks)
    same = (x == base)[:, 0]  # what is as in the baseline anyway loses nothing, whatever the rounding of a batch says
    lost[(same.flatten() if by_column else same.all(dim=1)).numpy()] = 0.0
    return (lost.reshape(steps, width) if by_column else lost), parts + 1
