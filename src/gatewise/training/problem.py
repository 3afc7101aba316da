"""What training and comparison need of any kind of problem: losses and figures. Imports no torch.

A `Problem` is one network on one data set, ready to be trained; an `Evaluation` holds a finished model's figures on
held-out examples.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from gatewise.statistics.measure import Measure
from gatewise.training.part import Part

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Evaluation", "Problem", "StepLoss"]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Figures of a finished model on a part of the data.

    Attributes:
        metrics: figures by name; the task's `Measure` is among them.
        contributions: what each example contributes to the metric, (N,), or (N, K) for a `Measure` of K > 1 numbers; in
            the order of the data, the same examples in the same order for every model, baselines included.
        predictions: what reports show of single examples, ready for JSON; each kind documents its own keys.

    Example:
        >>> Evaluation({"accuracy": 0.5}, np.array([1.0, 0.0])).contributions.mean().item()
        0.5
    """

    metrics: dict[str, Any]
    contributions: npt.NDArray[np.float64]
    predictions: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class StepLoss:
    """The loss of one training step.

    Attributes:
        loss: scalar to differentiate: the task's loss and whatever regularises it.
        value: the task's loss alone, the mean over the examples of the step.
        examples: examples of the step, in the problem's unit.
        sums: further figures, each summed over the examples; their means appear in the epoch's record.
        weight: over how many (tokens, words, units) `loss` and `value` are means; None: over the examples. The losses
            of processes that share a batch are averaged with these weights.
    """

    loss: Tensor
    value: Tensor
    examples: int
    sums: Mapping[str, float | Tensor] = field(default_factory=dict)
    weight: float | None = None


class Problem(ABC):
    """One network on one data set, ready to be trained.

    Everything random in a step is drawn from torch's default generator, which the loop seeds from (seed, epoch, step);
    the order of the batches depends on (seed, epoch) alone. So a run can be resumed after any step and ends in the
    same bits.

    Attributes:
        unit: what is counted as an example, in the plural: ``texts``, ``windows``, ``tokens``.
        metric: the figure by which the best weights are chosen on the validation part.
        model: the network, on its device.
        steps_per_epoch: steps of one epoch.
        examples_per_epoch: examples of one epoch, in `unit`.
        later: keys of its files that runs of earlier versions lack, and that change nothing in training.
        notes: what a user should know of how it was prepared, a sentence each.
        part: which rows of a step's batch this process trains on; all, unless several processes share it.
    """

    unit: ClassVar[str]
    metric: ClassVar[Measure]
    later: ClassVar[frozenset[str]] = frozenset()
    model: nn.Module
    steps_per_epoch: int
    examples_per_epoch: int
    notes: tuple[str, ...] = ()
    part: Part = Part()

    @abstractmethod
    def begin_epoch(self, epoch: int, step: int = 0) -> None:
        """Fix the order of an epoch's batches; epochs count from 1.

        Args:
            epoch: the epoch that begins or is resumed.
            step: its finished steps. For 0, any carried state is reset.
        """

    @abstractmethod
    def loss(self, step: int) -> StepLoss:
        """The loss of a step (from 0) of the present epoch, the model being in training mode.

        Of the step's rows, those that `part.rows` returns are used.
        """

    @abstractmethod
    def validate(self, weights: Mapping[str, Tensor]) -> dict[str, float]:
        """Figures on the validation part with the given weights; ``loss`` and the metric's name are among them."""

    def validation_error(self, figure: float) -> float:
        """Standard error of a figure of the metric on the validation part; 0 where it is not known.

        Of the epochs within one standard error of the best, the weights of the last one are kept: a small validation
        part chooses no early epoch by chance (after the one-standard-error rule of Breiman et al., 1984).
        """
        return 0.0

    @property
    def kernel(self) -> dict[str, str]:
        """What computed the recurrent layers in the last call, and why: ``implementation`` and ``reason``.

        As the model's own ``kernel`` says; the problem of a model without one says it itself.
        """
        model: Any = self.model
        kernel: dict[str, str] = model.kernel
        return kernel

    @abstractmethod
    def probe(self) -> None:
        """Run the network once on a typical training batch without learning, so that `kernel` is known."""

    @abstractmethod
    def files(self) -> dict[str, dict[str, Any]]:
        """What is needed besides the weights to use them: JSON objects by file name, such as ``vocabulary.json``."""

    def closing_files(self, weights: Callable[[], Mapping[str, Tensor]]) -> dict[str, dict[str, Any]]:
        """What is derived when training has ended, such as thresholds: JSON objects by file name.

        Args:
            weights: reads the weights that are kept.
        """
        return {}

    def carried(self) -> dict[str, Tensor]:
        """What the next step depends on besides weights, optimiser and seed: a language model's state, for one."""
        return {}

    def load_carried(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore what `carried` gave."""
        if tensors:
            raise ValueError(f"{type(self).__name__} carries no state, but was given {', '.join(tensors)}")
