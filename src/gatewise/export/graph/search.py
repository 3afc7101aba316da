"""Beam search in NumPy, the same as `gatewise.nn.decoding.beam_search`, for exported networks. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gatewise.errors import OptionError
from gatewise.export.graph.expressions import Array

__all__ = ["Found", "search"]

Integers = npt.NDArray[np.int64]


class Found(NamedTuple):
    """The best sequence of each example: its tokens without begin and end, and its normalised score."""

    tokens: Integers
    score: float


def search(
    step: Callable[[Integers, Any], tuple[Array, Any]],
    select: Callable[[Any, Integers, Integers], Any],
    state: Any,
    limits: Integers,
    *,
    begin: int,
    end: int,
    beam: int = 1,
    length_power: float = 1.0,
    thorough: bool = False,
) -> list[Found]:
    """Search for the most probable sequence of each of B examples.

    Args:
        step: reads a token in each of B * ``beam`` rows, (N,): log-probabilities of the next ones (N, V), and a state.
        select: the state of other rows (N',), those of an example next to each other; the third argument are the
            examples that are left (B',).
        state: before the first step.
        limits: (B,), most tokens of each example, the end counted.
        begin: the token that is read first.
        end: the token that ends a sequence.
        beam: sequences kept of each example; 1 is greedy search.
        length_power: a sum of log-probabilities is divided by the length to this power.
        thorough: go on while an unfinished sequence is ahead, see `gatewise.nn.decoding.beam_search`.

    Raises:
        OptionError: a beam below 1, or a negative power.

    Example:
        >>> def countdown(tokens, state):  # after a token n, n - 1 is the likeliest
        ...     scores = np.tile([-20.0, -9.0, -9.0, -9.0, -9.0], (len(tokens), 1))
        ...     scores[np.arange(len(tokens)), np.maximum(tokens - 1, 0)] = -0.1
        ...     return scores, state
        >>> keep = lambda state, rows, examples: state
        >>> search(countdown, keep, None, np.array([9]), begin=4, end=0, beam=2)[0].tokens
        array([3, 2, 1])
    """
    _check(beam, length_power)
    best = [Found(np.zeros(0, dtype=np.int64), -np.inf) for _ in limits]
    where = np.arange(len(limits))
    sums = np.full((len(limits), beam), -np.inf)
    sums[:, 0] = 0.0
    ended = np.zeros(len(limits), dtype=np.int64)
    written = np.zeros((len(limits), beam, 0), dtype=np.int64)
    tokens = np.full(len(limits) * beam, begin, dtype=np.int64)
    length = 0
    while len(where):
        length += 1
        chances, state = step(tokens, state)
        scores, parents, found = _continued(sums, chances)
        # at first there are fewer sequences than beams: what continues none is no end
        stops = (found == end) & (np.arange(found.shape[1]) < beam) & np.isfinite(scores)
        at_limit = limits[where] <= length
        for row, example in enumerate(where.tolist()):
            _keep_best(
                best, example, written[row], parents[row], found[row], scores[row], stops[row],
                bool(at_limit[row]), length, length_power, end,
            )  # fmt: skip
        ended += stops.sum(axis=1)
        scores = np.where(found == end, -np.inf, scores)
        unfinished = ended < beam
        if thorough:
            unfinished |= scores.max(axis=1) / length**length_power > np.array([best[each].score for each in where])
        going = np.flatnonzero(unfinished & ~at_limit)
        if not len(going):
            break
        sums, order = _greatest(scores[going], beam)
        chosen = np.take_along_axis(parents[going], order, axis=1)
        following = np.take_along_axis(found[going], order, axis=1)
        written = np.concatenate([written[going[:, None], chosen], following[:, :, None]], axis=2)
        state = select(state, (going[:, None] * beam + chosen).ravel(), going)
        where, ended, tokens = where[going], ended[going], following.ravel()
    return best


def _check(beam: int, length_power: float) -> None:
    if beam < 1 or not length_power >= 0:
        raise OptionError(
            "a search cannot be done so",
            expected="a beam of at least 1, a length_power of at least 0",
            got=f"{beam}, {length_power}",
        )


def _continued(sums: Array, chances: Array) -> tuple[Array, Integers, Integers]:
    """The 2 K best continuations of each example: their scores, the beams that they continue, and their tokens."""
    rows, beam = sums.shape
    size = chances.shape[1]
    scores, places = _greatest((sums[:, :, None] + chances.reshape(rows, beam, size)).reshape(rows, -1), 2 * beam)
    return scores, places // size, places % size


def _greatest(values: Array, count: int) -> tuple[Array, Integers]:
    """The greatest values of each row, falling, and their places; of equal ones the first place."""
    count = min(count, values.shape[1])
    places = np.argpartition(-values, count - 1, axis=1)[:, :count]
    found = np.take_along_axis(values, places, axis=1)
    order = np.lexsort((places, -found), axis=1)
    return np.take_along_axis(found, order, axis=1), np.take_along_axis(places, order, axis=1)


def _keep_best(
    best: list[Found],
    example: int,
    written: Integers,
    parents: Integers,
    found: Integers,
    scores: Array,
    stops: npt.NDArray[np.bool_],
    at_limit: bool,
    length: int,
    length_power: float,
    end: int,
) -> None:
    """Replace an example's best sequence by a better one that ends in this step, or that reached its limit."""
    if at_limit and np.isinf(best[example].score) and not stops.any():
        stops = np.arange(len(stops)) == 0  # the likeliest continuation counts as it is
    normalised = np.where(stops, scores / length**length_power, -np.inf)
    place = int(normalised.argmax())
    if normalised[place] > best[example].score:
        row, last = written[parents[place]], int(found[place])
        tokens = row if last == end else np.append(row, last)
        best[example] = Found(tokens, float(normalised[place]))
