"""Cells that misbehave, in a module that other processes can import."""

from __future__ import annotations

import os
import signal
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gatewise.nn import Cell, register_cell


def flag(parent: int) -> Path:
    """The file that lets the first mortal cell die in a process that this one started."""
    return Path(tempfile.gettempdir()) / f"gatewise-mortal-{parent}"


class _Plain(Cell):
    """h_t = tanh(W_ih x_t + W_hh h_{t-1} + b)."""

    gates = ("candidate",)

    def step(
        self, gates_x: Tensor, state: tuple[Tensor, ...], weights: Any, recurrent_mask: Tensor | None = None
    ) -> dict[str, Tensor]:
        (hidden,) = state
        self.misbehave(gates_x)
        candidate = torch.tanh(gates_x + self.recurrent(hidden, weights, recurrent_mask))
        return {"candidate": candidate, "hidden": candidate}

    def misbehave(self, gates_x: Tensor) -> None:
        """What goes wrong in a step."""


@register_cell("steady")
class Steady(_Plain):
    """Nothing goes wrong."""


@register_cell("greedy")
class Greedy(_Plain):
    """Memory runs out."""

    def misbehave(self, gates_x: Tensor) -> None:
        raise MemoryError


@register_cell("deadly")
class Deadly(_Plain):
    """The process is killed, every time."""

    def misbehave(self, gates_x: Tensor) -> None:
        if gates_x.requires_grad:
            os.kill(os.getpid(), signal.SIGKILL)


@register_cell("mortal")
class Mortal(_Plain):
    """The process is killed once: the first that finds the file takes it away and dies."""

    def misbehave(self, gates_x: Tensor) -> None:
        place = flag(os.getppid())
        if gates_x.requires_grad and place.exists():
            place.unlink()
            os.kill(os.getpid(), signal.SIGKILL)
