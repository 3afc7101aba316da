"""What is measured in turns: a training step, a streaming step, a prediction."""

from __future__ import annotations

import importlib
import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from gatewise.comparison.cost.energy import EnergyMeter
from gatewise.nn import Recurrent
from gatewise.training.amount import resolved
from gatewise.training.kind import RecurrentInputs
from gatewise.training.memory import build
from gatewise.training.optimisation import Optimisation, seed_step
from gatewise.training.phase import Phase
from gatewise.training.problem import Problem, StepLoss
from gatewise.training.registry import kind_of
from gatewise.training.rounding import rounded
from gatewise.training.spec import TrainingSpec

__all__ = ["PredictionSampler", "StreamingSampler", "TrainingSampler", "load_libraries", "steps_of", "streaming_of"]

_GOLDEN = (math.sqrt(5) - 1) / 2
_WARM_UP, _WARM_STEPS = 2, 10
Clock = Callable[[], float]


class TrainingSampler:
    """Steps of one phase of a training, spread evenly over its first epoch.

    Every model takes the same steps in the same turn: with equal data and batch size, the same batches.

    Args:
        phase: of a run; its network is drawn anew.
        meter: of the energy; None: seconds alone.
        clock: gives seconds.
    """

    def __init__(self, phase: Phase, meter: EnergyMeter | None = None, clock: Clock = time.perf_counter) -> None:
        self.phase, self._meter, self._clock = phase, meter, clock
        self.seed, self.repeats = phase.spec.training.seed, 1
        self._built: tuple[Problem, Optimisation] | None = None
        self.steps = self.problem.steps_per_epoch

    @property
    def problem(self) -> Problem:
        """The network on its data, as it is now."""
        return self._parts()[0]

    def _parts(self) -> tuple[Problem, Optimisation]:
        if self._built is None:
            spec = self.phase.spec
            seed_step(self.seed, 0, 0)
            problem = build(spec, self.phase.problem)
            steps = problem.steps_per_epoch
            training = resolved(spec.training, kind_of(spec.task).amount, steps)
            optimisation = Optimisation(problem.model, training, steps * (training.epochs or 1))
            problem.model.train()
            problem.begin_epoch(1)
            self._built = problem, optimisation
        return self._built

    def drop(self) -> None:
        """Give the network's memory back."""
        self._built = None

    def renew(self) -> None:
        """Draw the network anew, and take one step, in which the optimiser and the kernels get their memory."""
        self._parts()
        self._steps(0, 1)

    def warm_up(self) -> float:
        """Take a few steps; seconds of the last one."""
        return [self._steps(turn, 1) for turn in range(_WARM_UP)][-1]

    def __call__(self, turn: int) -> dict[str, float]:
        """Seconds, and joules where they can be read, of one step."""
        if self._meter is not None:
            self._meter.restart()
        found = {"training_step": self._steps(turn, self.repeats) / self.repeats}
        joules = None if self._meter is None else self._meter.joules()
        return found if joules is None else {**found, "training_joules": joules / self.repeats}

    def _steps(self, turn: int, count: int) -> float:
        problem, optimisation = self._parts()
        problem.model.train()
        first = int((turn * _GOLDEN + 0.5) % 1.0 * self.steps)
        start = self._clock()
        for step in ((first + number) % self.steps for number in range(count)):
            seed_step(self.seed, 1, step + 1)
            with rounded(optimisation.spec):
                loss = problem.loss(step)
            optimisation.step(loss, f"the measured step {step + 1}")
        return self._clock() - start


class StreamingSampler:
    """Blocks of streaming steps: one sample in, one output out, the state kept.

    Args:
        stacks: the recurrent stacks of a network, the most important first, with real inputs.
        clock: gives nanoseconds.

    Attributes:
        reason: why there is no streaming step; None where there is one.
        kernel: what runs it, and why.
        times: of every step, in seconds.
    """

    def __init__(self, stacks: Sequence[RecurrentInputs], clock: Callable[[], int] = time.perf_counter_ns) -> None:
        self.times: list[float] = []
        self.reason: str | None = None
        self.kernel: tuple[str, str] | None = None
        self._clock, self.block = clock, 50
        if any(each.recurrent.bidirectional for each in stacks):
            self.reason = "the backward direction starts at the end, which a stream does not have"
        elif any(each.inputs.dtype != torch.float32 or each.inputs.device.type != "cpu" for each in stacks):
            self.reason = "only 32-bit numbers on the CPU are streamed"
        if self.reason is not None:
            return
        self._shares = [steps_of(each) / steps_of(stacks[0]) for each in stacks]
        self._rows = [np.ascontiguousarray(each.inputs[:, 0].numpy(), dtype=np.float32) for each in stacks]
        self._stacks, self._done = stacks, 0
        self._sessions = [each.recurrent.eval().session() for each in stacks]

    def warm_up(self) -> float:
        """Take a block of steps, which does not count; seconds of one."""
        found = float(np.median(self._block()))
        # of every fused layer the session knows after its first step what runs it
        self.kernel = (self._sessions[0].implementation, self._sessions[0].reason)
        return found

    def drop(self) -> None:
        """Give the memory of the packed weights back."""
        self._sessions = []

    def renew(self) -> None:
        """Pack the weights anew, and take a few steps."""
        self._sessions = [each.recurrent.session() for each in self._stacks]
        for session, rows in zip(self._sessions, self._rows, strict=True):
            for number in range(_WARM_STEPS):
                session(rows[number % len(rows)][None])

    def __call__(self, turn: int) -> dict[str, float]:
        """Median seconds of a block of steps."""
        block = self._block()
        self.times += block
        return {"streaming_step": float(np.median(block))}

    def _block(self) -> list[float]:
        """Each step's seconds: one step of the first stack and its share of the others' steps."""
        found = [0.0] * self.block
        for session, rows, share in zip(self._sessions, self._rows, self._shares, strict=True):
            for number in range(self.block):
                x = rows[(self._done + number) % len(rows)][None]
                start = self._clock()
                session(x)
                found[number] += share * (self._clock() - start) / 1e9
        self._done += self.block
        return found


class PredictionSampler:
    """Predictions of the first test examples, from raw data.

    Args:
        predict: predicts the first n examples.
        count: n.
        name: of the figure, which is per example.
        clock: gives seconds.

    Attributes:
        times: of every prediction, in seconds per example.
    """

    def __init__(
        self, predict: Callable[[int], object], count: int, name: str, clock: Clock = time.perf_counter
    ) -> None:
        self._predict, self.count, self._name, self._clock = predict, count, name, clock
        self.times: list[float] = []

    def warm_up(self) -> float:
        """Predict twice; seconds of the last time."""
        return [self._once() for _ in range(_WARM_UP)][-1]

    def __call__(self, turn: int) -> Mapping[str, float]:
        """Seconds per example of one prediction."""
        self.times.append(self._once() / self.count)
        return {self._name: self.times[-1]}

    def _once(self) -> float:
        start = self._clock()
        self._predict(self.count)
        return self._clock() - start


def load_libraries() -> None:
    """Load what a first training or fit would load: a program's start is no part of what a model costs."""
    for name in ("feature_extraction.text", "linear_model", "utils.extmath"):
        importlib.import_module(f"sklearn.{name}")
    layer = torch.nn.Linear(1, 1)
    loss = layer(torch.ones(1, 1)).sum()
    Optimisation(layer, TrainingSpec(epochs=1), 1).step(StepLoss(loss, loss, 1), "loading libraries")


def steps_of(stack: RecurrentInputs) -> int:
    """Steps of all sequences of a stack."""
    if stack.lengths is None:
        return stack.inputs.shape[0] * stack.inputs.shape[1]
    return int(stack.lengths.sum())


def streaming_of(layer: Recurrent, inputs: np.ndarray[Any, Any]) -> RecurrentInputs:
    """A stack of recurrent layers with inputs (T, I), as `StreamingSampler` takes it."""
    return RecurrentInputs(layer, torch.from_numpy(np.ascontiguousarray(inputs, dtype=np.float32))[:, None], None)
