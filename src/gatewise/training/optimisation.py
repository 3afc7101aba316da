"""One optimisation step: loss, gradient, clipping, Adam, averaging; a function of seed, epoch and step alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from gatewise.errors import DivergenceError
from gatewise.training.phase import Rates
from gatewise.training.problem import StepLoss
from gatewise.training.spec import TrainingSpec
from gatewise.training.updates import Updates
from gatewise.training.weights import MOMENTS, STEP, Weights

_INTERVAL = 5
_BEGUN = "averaging.begun"
_STEP = "adam_step"

__all__ = ["Optimisation", "divergence", "learning_rate", "seed_step"]


def learning_rate(spec: TrainingSpec, step: int, steps: int) -> float:
    """The rate of a step, from 0, of a run of ``steps``.

    Example:
        >>> spec = TrainingSpec(learning_rate=0.5, schedule="linear")
        >>> [learning_rate(spec, step, 4) for step in range(4)]
        [0.5, 0.375, 0.25, 0.125]
    """
    warming = round(spec.warm_up * steps)
    if step < warming:
        return spec.learning_rate * (step + 1) / (warming + 1)
    done = (step - warming) / (steps - warming)
    if spec.schedule == "linear":
        return spec.learning_rate * (1 - done)
    if spec.schedule == "cosine":
        return spec.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
    return spec.learning_rate


def seed_step(seed: int, epoch: int, step: int, rank: int = 0) -> None:
    """Seed torch for one step: its dropout masks depend on nothing else, so a run can be resumed anywhere.

    Of several processes each draws its own; the first one draws as if it were alone.
    """
    words = [seed, epoch, step, rank] if rank else [seed, epoch, step]
    number = int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> np.uint64(1))
    if _accelerated():
        torch.manual_seed(number)
    else:
        # torch.manual_seed would also note this call, with its whole stack, for devices that may appear later
        torch.default_generator.manual_seed(number)


@cache
def _accelerated() -> bool:
    return bool(torch.accelerator.is_available())


class Optimisation:
    """Updates model, optimizer moments and averaged weights together.

    Args:
        model: the network; its parameters are changed in place.
        spec: optimizer, rates, clipping, averaging.
        steps: steps of the whole run.
        rates: rates by layer; None: the same for all.
        weights: of the model, where several processes share them; None: this process has them for itself.
    """

    def __init__(
        self,
        model: nn.Module,
        spec: TrainingSpec,
        steps: int,
        rates: Rates | None = None,
        weights: Weights | None = None,
    ) -> None:
        self.model = model
        self.spec = spec
        self.steps = steps
        self.rates = rates
        self.done = 0
        self._weights = weights or Weights(model)
        self._named = self._weights.named
        layers = [list(self._named)] if rates is None else rates.layers
        groups = [[piece for name in layer for piece in self._weights.pieces(name)] for layer in layers]
        self._updates = Updates(groups, spec, self._weights.first_moments)
        self._average = self._weights.copies() if spec.averaging else {}
        self._begun = 0

    def step(self, loss: StepLoss, place: str) -> float:
        """Update the weights from one batch.

        Args:
            loss: of the batch; without a graph where the weights have its gradient already (`Team.differentiated`).
            place: epoch and step, for the message.

        Returns:
            The task's loss, in nats or whatever it is measured in.

        Raises:
            DivergenceError: loss or gradient is NaN or infinite; the weights are as before the step.
        """
        differentiated = not loss.loss.requires_grad
        if not differentiated:
            self._updates.forget_gradients()
        value, whole = float(loss.value.detach()), float(loss.loss.detach())
        if not math.isfinite(whole) or not math.isfinite(value):
            raise divergence("loss", value if math.isfinite(whole) else whole, place)
        if not differentiated:
            loss.loss.backward()
        norm = self._weights.clip(self.spec.clip_norm)
        if not math.isfinite(norm):
            raise divergence("gradient's norm", norm, place)
        rate = learning_rate(self.spec, self.done, self.steps)
        factors = [1.0] if self.rates is None else self.rates.factors(self.done * (self.spec.epochs or 1) / self.steps)
        self._updates.rates = [rate * factor for factor in factors]
        self._updates.step()
        self.done += 1
        self._move_average()
        self._weights.finish()
        return value

    def observe(self, losses: Sequence[float]) -> None:
        """After an epoch: let nt-asgd begin its mean where the validation loss no longer falls.

        Args:
            losses: validation losses of all epochs so far.
        """
        if self.spec.optimizer != "nt-asgd" or self._average or len(losses) <= _INTERVAL:
            return
        if losses[-1] > min(losses[:-_INTERVAL]):
            self._average, self._begun = self._weights.copies(), self.done

    def weights_to_keep(self) -> dict[str, Tensor]:
        """The weights that are evaluated and saved: the averaged ones, or those of the last step."""
        chosen = self._average or self._named
        return {name: value.detach().clone() for name, value in chosen.items()}

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, by name, for a checkpoint."""
        tensors = {f"weight.{name}": value.detach() for name, value in self._named.items()}
        tensors |= {f"average.{name}": value for name, value in self._average.items()}
        if self._begun:
            tensors[_BEGUN] = torch.tensor(self._begun)
        for name in self._named if self._updates.adaptive else ():
            moments = self._weights.moments(name, self._updates.moments)
            if moments is not None:
                tensors |= {f"{moment}.{name}": moments[moment] for moment in MOMENTS}
                tensors[f"{_STEP}.{name}"] = moments[STEP]
        return {name: value.cpu().contiguous() for name, value in tensors.items()}

    def load_state(self, tensors: dict[str, Tensor], done: int) -> None:
        """Restore what `state` gave after ``done`` steps; KeyError or RuntimeError where it does not fit."""
        self.done = done
        if _BEGUN in tensors:
            self._average, self._begun = self._weights.copies(), int(tensors[_BEGUN])
        with torch.no_grad():
            for name, value in self._named.items():
                value.copy_(tensors[f"weight.{name}"])
                if self._average:
                    self._average[name].copy_(tensors[f"average.{name}"])
                # a weight without gradients has no moments, one with few gradients a lower step count
                if f"exp_avg.{name}" in tensors:
                    # a checkpoint of an older version has no steps: every weight took all of them
                    step = tensors.get(f"{_STEP}.{name}", torch.tensor(float(done)))
                    moments = {STEP: step, **{each: tensors[f"{each}.{name}"] for each in MOMENTS}}
                    self._weights.restore(name, moments, self._updates.moments)

    def _move_average(self) -> None:
        if not self._average:
            return
        if self._begun:
            decay = 1 - 1 / (self.done - self._begun + 1)
        else:
            # early on the average forgets faster, so that the random start does not linger
            decay = min(self.spec.averaging, (1 + self.done) / (10 + self.done))
        with torch.no_grad():
            torch._foreach_lerp_(self._weights.own(self._average), self._weights.own(), 1 - decay)


def divergence(what: str, value: float, place: str) -> DivergenceError:
    """The error for a figure of training that is NaN or infinite."""
    return DivergenceError(
        f"training diverged: the {what} became {value} in {place}",
        expected="a finite number",
        fix="lower --learning-rate (for example to a third), or --clip-norm",
    )
