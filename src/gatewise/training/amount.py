"""The default amount of training: enough steps for small data, few epochs for large. Imports no torch."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from gatewise.training.spec import TrainingSpec

__all__ = ["Amount", "derived_epochs", "resolved", "total_steps"]

_PATIENCE = 1 / 3


@dataclass(frozen=True)
class Amount:
    """How long a kind of problem is trained by default, the same for every cell.

    .. math:: epochs = \\min(most, \\max(least, \\lceil steps / steps\\ per\\ epoch \\rceil))

    Attributes:
        steps: optimizer steps to reach.
        least: epochs at least, whatever the size of the data.
        most: epochs at most, where the data are few.
        patience: epochs without a better validation figure before stopping, at least;
            a third of the epochs where that is more.
    """

    steps: int = 1_100
    least: int = 2
    most: int = 100
    patience: int = 2


def derived_epochs(amount: Amount, steps_per_epoch: int) -> int:
    """How many epochs the size of the data calls for.

    Example:
        >>> derived_epochs(Amount(), 44), derived_epochs(Amount(), 560)
        (25, 2)
    """
    return max(amount.least, min(amount.most, -(-amount.steps // max(1, steps_per_epoch))))


def resolved(training: TrainingSpec, amount: Amount, steps_per_epoch: int) -> TrainingSpec:
    """The training with its epochs and its patience as numbers.

    Args:
        training: as the spec says; what is given there rules.
        amount: of the kind.
        steps_per_epoch: of the training part.

    Example:
        >>> small, large = (resolved(TrainingSpec(), Amount(), steps) for steps in (44, 560))
        >>> (small.epochs, small.patience), (large.epochs, large.patience)
        ((25, 9), (2, 2))
        >>> resolved(TrainingSpec(epochs=7), Amount(), 44).epochs
        7
        >>> resolved(TrainingSpec(training_steps=100), Amount(), 44).epochs
        3
    """
    epochs, patience = training.epochs, training.patience
    if training.training_steps is not None:
        needed = -(-training.training_steps // max(1, steps_per_epoch))
        epochs = needed if epochs is None else min(epochs, needed)
    epochs = derived_epochs(amount, steps_per_epoch) if epochs is None else epochs
    if patience is None:
        patience = max(amount.patience, math.ceil(epochs * _PATIENCE))
    return dataclasses.replace(training, epochs=epochs, patience=patience)


def total_steps(training: TrainingSpec, steps_per_epoch: int) -> int:
    """Optimiser steps of a whole training whose epochs are known (`resolved`); the last epoch may be cut short.

    Example:
        >>> total_steps(TrainingSpec(epochs=3), 44), total_steps(TrainingSpec(epochs=3, training_steps=100), 44)
        (132, 100)
    """
    whole = (training.epochs or 1) * steps_per_epoch
    return whole if training.training_steps is None else min(whole, training.training_steps)
