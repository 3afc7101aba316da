"""Calls that ``torch.compile`` leaves as they are, with a graph break.

Imported only while it traces: its decorators load ``torch._dynamo``, which takes a second that other programs save.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gatewise.kernels.dispatch import Choice
from gatewise.nn.cell import State
from gatewise.nn.implementations import IMPLEMENTATIONS, torch_stack
from gatewise.nn.time_loop import Direction

__all__ = ["direction_outside_the_graph", "stack_outside_the_graph"]


@torch.compiler.disable  # type: ignore[untyped-decorator]
def direction_outside_the_graph(choice: Choice, direction: Direction) -> tuple[Tensor, State]:
    """One direction of one layer."""
    return IMPLEMENTATIONS[choice.family](choice, direction)


@torch.compiler.disable  # type: ignore[untyped-decorator]
def stack_outside_the_graph(*arguments: Any, **options: Any) -> tuple[Tensor, list[Tensor]]:
    """As `gatewise.nn.implementations.torch_stack`."""
    return torch_stack(*arguments, **options)
