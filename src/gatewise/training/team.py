"""Processes that train one network together: each step's gradients are summed, all else is decided by the first one.

Every process takes its rows of each batch (`gatewise.training.part.Part`). After a step's backward pass one sum over
the processes gives the gradient, the loss and the counts of the whole batch, and tells whether the first process stops
or saves after the step. On one machine the processes hold one copy of the weights, of which each updates its share
(`gatewise.training.shares`); over several each has its own copy, and all make the same update.
"""

from __future__ import annotations

import json
import math
import socket
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import torch
import torch.distributed
from torch import Tensor, nn

from gatewise.errors import TrainingError
from gatewise.training.flat import FlatGradients
from gatewise.training.layout import Layout
from gatewise.training.part import Part
from gatewise.training.problem import StepLoss
from gatewise.training.shared_memory import Barrier, shared_memory
from gatewise.training.shares import SharedWeights, can_share

__all__ = ["ProcessLost", "Team"]

Result = TypeVar("Result")


class ProcessLost(TrainingError):
    """Another process of the training has ended before its end."""


class Team:
    """The processes of one training, as one of them sees them.

    Args:
        group: of torch.distributed, with the backend gloo.
        seconds: after so long without a sign another process of this machine counts as ended.

    Attributes:
        rank: number of this process, from 0.
        processes: how many there are.
        local: how many of them are on this machine.
        stop: whether the first process stops after the last step.
        save: whether it saves after the last step.
    """

    def __init__(self, group: Any = None, seconds: float = 3600.0) -> None:
        self._group, self._seconds = group, seconds
        self.rank = torch.distributed.get_rank(group)
        self.processes = torch.distributed.get_world_size(group)
        self.stop = self.save = False
        hosts = self.gather(socket.gethostname().encode())
        self.local = hosts.count(socket.gethostname().encode())
        self._gradients: FlatGradients | SharedWeights | None = None
        self._barrier: Barrier | None = None

    @property
    def leads(self) -> bool:
        """Whether this is the first process, which alone writes files, emits events and evaluates."""
        return self.rank == 0

    def differentiated(
        self, outcome: StepLoss, model: nn.Module, part: Part, *, stop: bool = False, save: bool = False
    ) -> StepLoss:
        """Give the weights the gradient of the whole batch's loss.

        .. math:: g = \\frac{\\sum_p w_p\\, g_p}{\\sum_p w_p}

        with the gradient g_p of a process's mean loss and its weight w_p, see `StepLoss`.

        Args:
            outcome: the loss of this process's rows.
            model: the network of `same_weights`. Its parameters get the gradients, None where no process has one; where
                they are shared, each process gets those of its share, and `SharedWeights.clip` divides.
            part: with which the rows were chosen.
            stop: whether the first process stops after this step.
            save: whether it saves after this step.

        Returns:
            Loss and counts of the whole batch, without a graph.

        Raises:
            ProcessLost: another process has ended.
        """
        gradients = self._gradients
        assert gradients is not None
        gradients.forget()
        weight = float(outcome.examples if outcome.weight is None else outcome.weight)
        examples, sums = float(outcome.examples), [float(value) for value in outcome.sums.values()]
        if part.idle:
            weight, examples, sums = 0.0, 0.0, [0.0] * len(sums)
        value, loss = float(outcome.value.detach()), float(outcome.loss.detach())
        if math.isfinite(loss):  # else the sum tells all processes
            (outcome.loss * weight).backward()
        signals = [float(stop and self.leads), float(save and self.leads)]
        figures = [weight, value * weight, loss * weight, examples, *signals, *sums]
        total, value, loss, examples, stopping, saving, *sums = gradients.summed(figures)
        self.stop, self.save = stopping > 0, saving > 0
        divisor = total or 1.0
        return replace(
            outcome,
            loss=torch.tensor(loss / divisor),
            value=torch.tensor(value / divisor),
            examples=round(examples) if math.isfinite(examples) else 0,
            sums=dict(zip(outcome.sums, sums, strict=True)),
            weight=total,
        )

    def share(self, value: Any = None) -> Any:
        """A value of the first process, ready for JSON, in all of them."""
        content = json.dumps(value).encode() if self.leads else b""
        return json.loads(self.broadcast(content))

    def broadcast(self, content: bytes) -> bytes:
        """Bytes of the first process in all of them."""
        size = torch.tensor([len(content)])
        self._call(torch.distributed.broadcast, size, 0)
        held = _tensor(content) if self.leads else torch.empty(int(size), dtype=torch.uint8)
        self._call(torch.distributed.broadcast, held, 0)
        return content if self.leads else held.numpy().tobytes()

    def gather(self, content: bytes) -> list[bytes]:
        """The bytes of every process, in all of them."""
        sizes = torch.zeros(self.processes, dtype=torch.int64)
        sizes[self.rank] = len(content)
        self._sum(sizes)
        padded = torch.zeros(int(sizes.max()), dtype=torch.uint8)
        padded[: len(content)] = _tensor(content)
        found = [torch.empty_like(padded) for _ in range(self.processes)]
        if len(padded):
            self._call(torch.distributed.all_gather, found, padded)
        return [each[:size].numpy().tobytes() for each, size in zip(found, sizes.tolist(), strict=True)]

    def same_weights(self, model: nn.Module) -> SharedWeights | None:
        """Give every process the first one's weights and buffers; each phase of a run has a network of its own.

        Returns:
            The weights, where all processes are on this machine and can hold them together.
        """
        self.close()
        shared = self._shared(model)
        self._gradients = shared or FlatGradients(list(model.parameters()), self._sum)
        with torch.no_grad():
            for value in (*(() if shared else model.parameters()), *model.buffers()):
                if value.numel():
                    held = value.detach().contiguous()
                    self._call(torch.distributed.broadcast, held, 0)
                    value.copy_(held)
        return shared

    def _shared(self, model: nn.Module) -> SharedWeights | None:
        if self.local < self.processes or not can_share(model):  # the same in all processes
            return None
        layout = Layout(list(model.parameters()), self.processes)
        memory = shared_memory(self.rank, self.processes, layout.size, self.gather, self._seconds)
        if memory is None:
            return None
        self._barrier = memory.barrier
        return SharedWeights(model, layout, memory.content, self.rank, partial(self._noticing, memory.barrier.wait))

    def close(self) -> None:
        """Leave what the processes share; those that wait for this one notice it."""
        if isinstance(self._gradients, SharedWeights):
            self._gradients.leave()
        if self._barrier is not None:
            self._barrier.close()
            self._barrier = None

    def gather_tensors(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors of every process by name, in all of them; those of process p under ``p/name``."""
        import safetensors.torch

        content = safetensors.torch.save({name: value.cpu().contiguous() for name, value in tensors.items()})
        parts = [safetensors.torch.load(each) for each in self.gather(content)]
        return {f"{rank}/{name}": value for rank, part in enumerate(parts) for name, value in part.items()}

    def share_checkpoint(
        self, saved: tuple[dict[str, Tensor], dict[str, Any]] | None
    ) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """The tensors and counters that the first process has read, in all of them."""
        import safetensors.torch

        state = self.share(None if saved is None else saved[1])
        if state is None:
            return None
        return safetensors.torch.load(self.broadcast(b"" if saved is None else safetensors.torch.save(saved[0]))), state

    def own_tensors(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """This process's part of what `gather_tensors` gave."""
        begin = f"{self.rank}/"
        return {name.removeprefix(begin): value for name, value in tensors.items() if name.startswith(begin)}

    def _sum(self, values: Tensor) -> None:
        self._call(torch.distributed.all_reduce, values)

    def _call(self, operation: Any, *arguments: Any) -> None:
        self._noticing(operation, *arguments, group=self._group)

    def _noticing(self, operation: Callable[..., Result], *arguments: Any, **options: Any) -> Result:
        """What an operation returns, unless another process has ended."""
        try:
            return operation(*arguments, **options)
        except (RuntimeError, ConnectionError) as error:
            raise ProcessLost(
                f"another of the {self.processes} processes of this training has ended",
                fix="run the same command again to resume from the last checkpoint",
            ) from error


def _tensor(content: bytes) -> Tensor:
    return torch.frombuffer(bytearray(content), dtype=torch.uint8) if content else torch.empty(0, dtype=torch.uint8)
