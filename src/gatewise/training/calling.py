"""Call any method of a network with other weights than its own: averaged ones, or those of another epoch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call

__all__ = ["called"]


class _Method(nn.Module):
    """One method of a network as a module."""

    def __init__(self, model: nn.Module, name: str) -> None:
        super().__init__()
        self.model, self.name = model, name

    def forward(self, *values: Any, **options: Any) -> Any:
        return getattr(self.model, self.name)(*values, **options)


def called(model: nn.Module, weights: Mapping[str, Tensor] | None, name: str, *values: Any, **options: Any) -> Any:
    """A method's result in evaluation mode, without gradients.

    Args:
        model: the network; it is in evaluation mode afterwards.
        weights: by the names of its parameters; None: its own.
        name: of the method.
        values: of the method.
        options: of the method, by name.

    Example:
        >>> model = nn.Linear(2, 1, bias=False)
        >>> called(model, {"weight": torch.tensor([[1.0, 2.0]])}, "forward", torch.ones(1, 2))
        tensor([[3.]])
    """
    model.eval()
    with torch.inference_mode():
        if weights is None:
            return getattr(model, name)(*values, **options)
        named = {f"model.{key}": value for key, value in weights.items()}
        return functional_call(_Method(model, name), named, values, options)
