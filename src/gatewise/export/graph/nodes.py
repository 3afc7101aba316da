"""The parts of a graph, each said for ONE example: targets add the batch. Imports no torch.

A value has ``width`` features and ``steps``:

- None: one vector;
- a number: a sequence that is always so long;
- ``"T"``: a sequence as long as the example's own, which differs from example to example.

All sequences of ``"T"`` steps in a graph are equally long. A value is in the network's precision (float32), or where it
is ``wide`` in float64: values before their scaling (5000.1 and 5000.2 differ by few digits) and after its inverse.
Weights are float32; float64 where wide values meet them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatewise.export.graph.expressions import Expression, Program
from gatewise.export.graph.grids import GridNode

if TYPE_CHECKING:
    from gatewise.export.graph.graph import Graph

__all__ = [
    "Accumulate",
    "Convert",
    "Convolution",
    "Direction",
    "EachStep",
    "Input",
    "JoinSteps",
    "Layer",
    "Native",
    "Node",
    "Pool",
    "Reshape",
    "Run",
    "SoftmaxSteps",
    "Stack",
    "State",
    "Steps",
    "Viterbi",
]


@dataclass(frozen=True)
class Input:
    """What is given for an example.

    Attributes:
        name: of the value.
        steps: see the module.
        width: features; 1 for tokens.
        tokens: integers from 0 instead of numbers, each a scalar of its step.
        limit: tokens are below this; 0 for numbers.
        inner: each step holds a sequence of tokens of its own (a word's characters), at least one; the
            value can only be read by `EachStep`.
        wide: float64.
        meaning: what it is, in a few words.
    """

    name: str
    steps: int | str | None
    width: int
    tokens: bool = False
    limit: int = 0
    inner: bool = False
    wide: bool = False
    meaning: str = ""


@dataclass(frozen=True)
class State:
    """What a direction carries from step to step.

    Attributes:
        name: as the cell calls it: ``hidden``, ``cell``.
        width: its size.
        initial: the weight (width,) that it starts with; None: zeros.
    """

    name: str
    width: int
    initial: str | None = None


@dataclass(frozen=True)
class Native:
    """A standard cell, for targets that have an operator for it; its step computes the same.

    Gate order in the rows of the weights: ``gru`` reset, update, candidate; ``lstm`` input, forget, candidate, output
    (coupled: forget, candidate, output); see `gatewise.nn.GRU` and `gatewise.nn.LSTM` for the equations.

    Attributes:
        cell: ``rnn``, ``lstm`` or ``gru``.
        options: the cell's own options: ``nonlinearity``; ``peephole``, ``coupled``; ``reset``, ``update``.
        weights: name in the graph by role: ``weight_ih``, ``weight_hh``; ``bias_ih``, ``bias_hh`` and
            ``weight_peephole`` where there are any.
    """

    cell: str
    options: tuple[tuple[str, str | bool], ...]
    weights: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Direction:
    """One direction of one layer.

    ::

        gates_t       = project(x_t)
        state_t       = step(gates_t, state_(t-1))         all states at once
        output_t      = the first state

    Attributes:
        reverse: it starts at the example's own last step and goes to the first; outputs stay at their steps.
        project: program with the input ``x`` and one output.
        step: program with the inputs ``gates``, ``s0``, ``s1``, ... (the states before) and one output per state.
            Zoneout's mean is in it.
        states: what is carried.
        native: the same as a standard cell; None where no standard cell is exact.
    """

    reverse: bool
    project: Program
    step: Program
    states: tuple[State, ...]
    native: Native | None = None


@dataclass(frozen=True)
class Layer:
    """One or two directions that read the same; their outputs side by side, forward first.

    Attributes:
        directions: forward, and backward where there is one.
        residual: the layer's input is added to its output.
    """

    directions: tuple[Direction, ...]
    residual: bool = False

    @property
    def width(self) -> int:
        """Of the output."""
        return sum(each.states[0].width for each in self.directions)


@dataclass(frozen=True)
class Stack:
    """Recurrent layers, each reading the one before.

    Attributes:
        name: unique in the graph.
        input_size: features that the first layer reads.
        layers: the first one first.
    """

    name: str
    input_size: int
    layers: tuple[Layer, ...]

    @property
    def width(self) -> int:
        """Of the output."""
        return self.layers[-1].width

    @property
    def bidirectional(self) -> bool:
        """Whether a layer reads backwards too."""
        return any(each.reverse for layer in self.layers for each in layer.directions)


@dataclass(frozen=True)
class Run:
    """A stack over a sequence: ``name`` is the last layer's output at every step.

    Several runs may share a stack.

    Attributes:
        stack: its name.
        source: the sequence.
        initial: another run, with whose final states this one starts; None: the stack's own initial states.
    """

    name: str
    stack: str
    source: str
    steps: int | str
    width: int
    initial: str | None = None
    wide: bool = False


@dataclass(frozen=True)
class Pool:
    """One vector from the steps of a sequence.

    Attributes:
        how: ``last``, ``mean``, ``sum`` or ``max``.
        directions: of ``last``: with 2 the first half is the last step's and the second half the first step's, where
            the backward direction ends.
    """

    name: str
    source: str
    how: str
    width: int
    directions: int = 1
    wide: bool = False
    steps: None = None


@dataclass(frozen=True)
class SoftmaxSteps:
    """``exp(x_t) / sum over u of exp(x_u)``, each feature by itself: the weights of an attention over a sequence."""

    name: str
    source: str
    steps: int | str
    width: int
    wide: bool = False


@dataclass(frozen=True)
class Steps:
    """``steps`` consecutive steps of a sequence.

    Attributes:
        start: the first; negative: from the example's own end.
    """

    name: str
    source: str
    start: int
    steps: int
    width: int
    wide: bool = False


@dataclass(frozen=True)
class JoinSteps:
    """Sequences of known lengths after one another; a vector counts as one step."""

    name: str
    sources: tuple[str, ...]
    steps: int
    width: int
    wide: bool = False


@dataclass(frozen=True)
class Reshape:
    """The same numbers, step after step, as another number of steps of another width; not of ``"T"`` steps."""

    name: str
    source: str
    steps: int | None
    width: int
    wide: bool = False


@dataclass(frozen=True)
class Accumulate:
    """Running sums over the steps of a sequence."""

    name: str
    source: str
    steps: int
    width: int
    wide: bool = False


@dataclass(frozen=True)
class Convert:
    """The same numbers in the network's precision, or ``wide``."""

    name: str
    source: str
    steps: int | str | None
    width: int
    wide: bool


@dataclass(frozen=True)
class Convolution:
    """``y_t = sum over k of weight[:, :, k] x_(t + k - K // 2) + bias``; beyond the sequence x is zero.

    Attributes:
        weight: (O, I, K), K odd.
        bias: (O,).
    """

    name: str
    source: str
    weight: str
    bias: str
    steps: int | str
    width: int
    wide: bool = False


@dataclass(frozen=True)
class Viterbi:
    """The tags (``"T"`` steps of tokens) with the highest score; of equal ones the lower tag, from the end.

    ::

        score(y) = start[y_1] + sum_t x_t[y_t] + sum_t transitions[y_(t-1), y_t] + end[y_T]

    Attributes:
        source: x, a score per tag at each step.
        transitions: (C, C), from row to column; -inf: never.
        start: (C,).
        end: (C,).
    """

    name: str
    source: str
    transitions: str
    start: str
    end: str
    steps: int | str
    width: int = 1
    wide: bool = False


@dataclass(frozen=True)
class EachStep:
    """A graph for each step's inner sequence: its single output, a vector, becomes the step's value.

    Attributes:
        source: an `Input` with ``inner``.
        body: its one input is a token sequence of ``"T"`` steps (here: the inner length); its weights are its own.
    """

    name: str
    source: str
    body: Graph
    steps: int | str
    width: int
    wide: bool = False


Node = (
    Expression
    | Run
    | Pool
    | SoftmaxSteps
    | Steps
    | JoinSteps
    | Reshape
    | Accumulate
    | Convert
    | Convolution
    | Viterbi
    | EachStep
    | GridNode
)
