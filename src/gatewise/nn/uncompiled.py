"""Calls that ``torch.compile`` leaves as they are, with a graph break.

Imported only while it traces: its decorators load ``torch._dynamo``, which takes a second that other programs save.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from gatewise.kernels.dispatch import Choice
from gatewise.nn.cell import State
from gatewise.nn.implementations import IMPLEMENTATIONS, torch_stack
from gatewise.nn.time_loop import Direction

__all__ = ["direction_outside_the_graph", "stack_outside_the_graph"]

_Function = TypeVar("_Function", bound=Callable[..., Any])


def _never_compiled(function: _Function) -> _Function:
    disabled: _Function = torch.compiler.disable(function)
    return disabled


@_never_compiled
def direction_outside_the_graph(choice: Choice, direction: Direction) -> tuple[Tensor, State]:
    """One direction of one layer."""
    return IMPLEMENTATIONS[choice.family](choice, direction)


@_never_compiled
def stack_outside_the_graph(*arguments: Any, **options: Any) -> tuple[Tensor, list[Tensor]]:
    """As `gatewise.nn.implementations.torch_stack`."""
    return torch_stack(*arguments, **options)
