"""Beam search for any network that writes a sequence token by token; greedy search is a beam of one.

All rows and their beams advance together: the only loop is over the steps.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from gatewise.errors import OptionError

__all__ = ["Decoder", "Written", "beam_search"]


class Decoder(Protocol):
    """What writes one token after the other. Axis letters: B examples, K beams of each, N = B * K rows, V tokens."""

    def step(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Read a token in every row: (N,) and the state give log-probabilities of the next ones (N, V), and a state."""
        ...

    def select(self, state: Any, rows: Tensor, examples: Tensor) -> Any:
        """The state of other rows.

        Args:
            state: of N rows, those of an example next to each other.
            rows: (N',) numbers of rows to continue from.
            examples: (B',) numbers of the examples that they are of, in the same order.
        """
        ...


class Written(NamedTuple):
    """The best sequence of every example.

    Attributes:
        tokens: (B, T), without begin and end; padded with the end.
        lengths: (B,) tokens of each.
        scores: (B,) sum of the tokens' log-probabilities, the end included, over length ** `length_power`.
    """

    tokens: Tensor
    lengths: Tensor
    scores: Tensor


@torch.no_grad()
def beam_search(
    decoder: Decoder,
    state: Any,
    limits: Tensor,
    *,
    begin: int,
    end: int,
    beam: int = 1,
    length_power: float = 1.0,
    thorough: bool = False,
) -> Written:
    """Search for the most probable sequence of each example.

    In every step the K best continuations of an example survive; those that end are set aside, and an example is done
    when K have ended or its limit is reached. Of what ended, the one with the highest normalised score is returned::

        score(y) = sum_t log p(y_t | y_<t, x) / |y| ** length_power        (Wu et al., 2016, without their constant)

    Args:
        decoder: reads and continues.
        state: before the first step, of B * ``beam`` rows.
        limits: (B,) int64, most tokens of each example, the end counted.
        begin: the token that is read first.
        end: the token that ends a sequence.
        beam: K; 1 is greedy search.
        length_power: 0 favours short sequences, 1 compares the means of the tokens.
        thorough: an example is not done while a hypothesis that has not ended has a better normalised score than the
            best that has: where the next token is nearly certain, K poor ones end before the good one does.

    Raises:
        OptionError: a beam below 1, or a negative power.

    Example:
        >>> class Countdown:                      # after a token n, n - 1 is the likeliest
        ...     def step(self, tokens, state):
        ...         scores = torch.full((len(tokens), 5), -9.0)
        ...         return scores.scatter(1, (tokens[:, None] - 1).clamp(min=0), 0.0).log_softmax(1), state
        ...     def select(self, state, rows, examples):
        ...         return state
        >>> beam_search(Countdown(), None, torch.tensor([9]), begin=4, end=0, beam=2).tokens
        tensor([[3, 2, 1]])
    """
    _check(beam, length_power)
    examples, device = len(limits), limits.device
    best = _nothing_ended(limits, end)
    where = torch.arange(examples, device=device)
    sums = torch.full((examples, beam), -math.inf, device=device)
    sums[:, 0] = 0.0
    ended = torch.zeros(examples, dtype=torch.int64, device=device)
    written = torch.empty(examples, beam, 0, dtype=torch.int64, device=device)
    tokens = torch.full((examples * beam,), begin, device=device)
    length = 0
    while len(where):
        length += 1
        chances, state = decoder.step(tokens, state)
        scores, parents, found = _continued(sums, chances)
        # at first there are fewer hypotheses than beams: what continues none is no end
        stops = (found == end) & (torch.arange(found.shape[1], device=device) < beam) & ~torch.isinf(scores)
        at_limit = limits[where] <= length
        _keep_best(best, where, written, parents, found, scores, stops, at_limit, length, length_power, end)
        ended += stops.sum(dim=1)
        scores = scores.masked_fill(found == end, -math.inf)
        unfinished = ended < beam
        if thorough:
            unfinished |= scores.amax(dim=1) / length**length_power > best.scores[where]
        going = torch.nonzero(unfinished & ~at_limit)[:, 0]
        if not len(going):
            break
        sums, order = scores[going].topk(beam, dim=1)
        chosen, tokens = parents[going].gather(1, order), found[going].gather(1, order)
        written = torch.cat([written[going[:, None], chosen], tokens[:, :, None]], dim=2)
        state = decoder.select(state, (going[:, None] * beam + chosen).flatten(), going)
        where, ended, tokens = where[going], ended[going], tokens.flatten()
    return Written(best.tokens[:, : int(best.lengths.max()) if examples else 0], best.lengths, best.scores)


def _check(beam: int, length_power: float) -> None:
    if beam < 1 or length_power < 0:
        raise OptionError(
            "a search cannot be done so",
            expected="a beam of at least 1, a length_power of at least 0",
            got=f"{beam}, {length_power}",
        )


def _continued(sums: Tensor, chances: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The 2 K best continuations of each example: their scores, the beams that they continue, and their tokens."""
    beam, size = sums.shape[1], chances.shape[1]
    both = (sums[:, :, None] + chances.view(-1, beam, size)).flatten(1)
    scores, places = both.topk(min(2 * beam, both.shape[1]), dim=1)
    return scores, places // size, places % size


def _nothing_ended(limits: Tensor, end: int) -> Written:
    """The best of each example before any sequence has ended: empty, and worse than whatever comes."""
    examples, device = len(limits), limits.device
    return Written(
        torch.full((examples, int(limits.max()) if examples else 0), end, device=device),
        torch.zeros(examples, dtype=torch.int64, device=device),
        torch.full((examples,), -math.inf, device=device),
    )


def _keep_best(
    best: Written,
    where: Tensor,
    written: Tensor,
    parents: Tensor,
    found: Tensor,
    scores: Tensor,
    stops: Tensor,
    at_limit: Tensor,
    length: int,
    length_power: float,
    end: int,
) -> None:
    """Replace the best sequences by better ones that end in this step, or that reached their limit."""
    normalised = scores / length**length_power
    # at the limit the likeliest continuation counts as it is, unless something has ended before
    cut = at_limit & torch.isinf(best.scores[where]) & ~stops.any(dim=1)
    stops = stops | (cut[:, None] & (torch.arange(found.shape[1], device=found.device) == 0))
    candidate, place = normalised.masked_fill(~stops, -math.inf).max(dim=1)
    rows = torch.nonzero(candidate > best.scores[where])[:, 0]
    if not len(rows):
        return
    place = place[rows]
    last = found[rows, place]
    of_best = where[rows]
    best.scores[of_best] = candidate[rows]
    best.tokens[of_best] = end
    best.tokens[of_best, : length - 1] = written[rows, parents[rows, place]]
    best.tokens[of_best, length - 1] = last
    best.lengths[of_best] = length - (last == end).long()
