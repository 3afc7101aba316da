"""Adam, AdamW and SGD on groups of weights, by torch's own kernels.

The classes of `torch.optim` give the same bits, but bring in torch's compiler (``torch._dynamo``), whose import takes
as long as torch's own: too long for every process that trains for a few seconds. Their functions do not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.sgd import sgd

from gatewise.training.spec import TrainingSpec
from gatewise.training.weights import Moments

__all__ = ["Updates"]

_BETAS, _EPSILON = (0.9, 0.999), 1e-8


class Updates:
    """The update of the weights from their gradients: Adam (Kingma and Ba, 2015), AdamW with a weight decay, or SGD.

    Args:
        groups: of weights, each with a rate of its own.
        spec: optimizer, rate, weight decay and device.
        begin: gives the first moments of a weight; where it gives None, they are zero.

    Attributes:
        rates: the learning rate of each group, to be set before a step.
        moments: of Adam, by weight that had a gradient.
        adaptive: whether it is Adam, which has moments.

    Example:
        >>> weight = torch.zeros(2, requires_grad=True)
        >>> (3 * weight).sum().backward()
        >>> Updates([[weight]], TrainingSpec(optimizer="sgd", learning_rate=0.5, weight_decay=0.0)).step()
        >>> weight.tolist()
        [-1.5, -1.5]
    """

    def __init__(
        self,
        groups: Sequence[Sequence[Tensor]],
        spec: TrainingSpec,
        begin: Callable[[Tensor], Moments | None] = lambda weight: None,
    ) -> None:
        self.groups = [list(group) for group in groups]
        self.rates = [spec.learning_rate] * len(self.groups)
        self.moments: dict[Tensor, Moments] = {}
        self._begin = begin
        self.adaptive = spec.optimizer == "adam"
        self._decay = spec.weight_decay
        self._fused = spec.device.split(":")[0] in ("cpu", "cuda")

    def forget_gradients(self) -> None:
        """Drop the gradients of the step before."""
        for group in self.groups:
            for weight in group:
                weight.grad = None

    def step(self) -> None:
        """Update the weights that have a gradient."""
        with torch.no_grad():
            for group, rate in zip(self.groups, self.rates, strict=True):
                weights = [weight for weight in group if weight.grad is not None]
                gradients = [weight.grad for weight in weights if weight.grad is not None]
                update = self._update_by_adam if self.adaptive else self._update_by_sgd
                update(weights, gradients, rate)

    def _update_by_adam(self, weights: list[Tensor], gradients: list[Tensor], rate: float) -> None:
        for weight in weights:
            if weight not in self.moments:
                self.moments[weight] = self._begin(weight) or self._zero_moments(weight)
        chosen = [self.moments[weight] for weight in weights]
        adam(
            weights,
            gradients,
            [each["exp_avg"] for each in chosen],
            [each["exp_avg_sq"] for each in chosen],
            [],
            [each["step"] for each in chosen],
            fused=self._fused,
            amsgrad=False,
            beta1=_BETAS[0],
            beta2=_BETAS[1],
            lr=rate,
            weight_decay=self._decay,
            eps=_EPSILON,
            maximize=False,
            decoupled_weight_decay=bool(self._decay),
        )

    def _zero_moments(self, weight: Tensor) -> Moments:
        # a fused kernel counts the steps on the device of the weights, the others on the CPU
        step = torch.zeros((), dtype=torch.float32, device=weight.device if self._fused else "cpu")
        return {"step": step, "exp_avg": torch.zeros_like(weight), "exp_avg_sq": torch.zeros_like(weight)}

    def _update_by_sgd(self, weights: list[Tensor], gradients: list[Tensor], rate: float) -> None:
        sgd(
            weights,
            gradients,
            [],
            fused=self._fused,
            weight_decay=self._decay,
            momentum=0.0,
            lr=rate,
            dampening=0.0,
            nesterov=False,
            maximize=False,
        )
