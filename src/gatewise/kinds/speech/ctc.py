"""CTC's loss where it is finite, and a count of the recordings where it is not."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

__all__ = ["CtcLoss", "ctc_loss", "least_steps"]


class CtcLoss(NamedTuple):
    """The loss of a batch.

    Attributes:
        loss: nats per unit, over the rows that have an alignment; 0 where none has.
        units: units of these rows.
        rows: how many these are.
        too_short: rows with fewer steps than their units need.
    """

    loss: Tensor
    units: int
    rows: int
    too_short: int


def least_steps(units: Sequence[int]) -> int:
    """The steps that a sequence of units needs: one each, and a blank between equal neighbours.

    Example:
        >>> least_steps([3, 3, 1]), least_steps([])
        (4, 0)
    """
    return len(units) + sum(one == two for one, two in pairwise(units))


def ctc_loss(log_probabilities: Tensor, steps: Tensor, targets: Sequence[Sequence[int]]) -> CtcLoss:
    r"""The negative logarithm of the probability of all alignments (Graves et al., 2006), per unit.

    .. math:: -\frac{1}{\sum_b |y_b|} \sum_b \ln \sum_{\pi \in B^{-1}(y_b)} \prod_t p(\pi_t \mid x_b)

    A row with fewer steps than its units need has no alignment, and an infinite loss: it is left out and counted.

    Args:
        log_probabilities: (T, B, C), class 0 the blank.
        steps: (B,) of each row.
        targets: units of each row, from 1.

    Example:
        >>> uniform = torch.zeros(2, 2, 3).log_softmax(dim=2)
        >>> found = ctc_loss(uniform, torch.tensor([2, 1]), [[1], [2, 2]])
        >>> round(found.loss.exp().item(), 3), found.rows, found.too_short
        (3.0, 1, 1)
    """
    lengths = steps.tolist()
    fitting = [row for row, units in enumerate(targets) if len(units) > 0 and least_steps(units) <= lengths[row]]
    units = sum(len(targets[row]) for row in fitting)
    too_short = sum(len(each) > 0 for each in targets) - len(fitting)
    if not fitting:
        return CtcLoss(log_probabilities.sum() * 0, 0, 0, too_short)
    device = log_probabilities.device
    chosen = torch.tensor(fitting, device=device)
    joined = torch.tensor([unit for row in fitting for unit in targets[row]], device=device)
    sizes = torch.tensor([len(targets[row]) for row in fitting])
    loss = functional.ctc_loss(
        log_probabilities[:, chosen], joined, steps[chosen].cpu(), sizes, blank=0, reduction="sum"
    )
    return CtcLoss(loss / units, units, len(fitting), too_short)
