"""A cell is its gates, its states, its parameters and one step; the registry of cells.

Unrolling, padding, direction, depth, dropout, traces and checkpointing exist once, in the layers. A cell of one's own::

    @register_cell("leaky")
    class Leaky(Cell):
        '''h_t = 0.9 h_{t-1} + 0.1 tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh).'''

        gates = ("candidate",)

        def step(self, gates_x, state, weights, recurrent_mask=None):
            (hidden,) = state
            candidate = torch.tanh(gates_x + self.recurrent(hidden, weights, recurrent_mask))
            return {"candidate": candidate, "hidden": 0.9 * hidden + 0.1 * candidate}

    layer = Recurrent("leaky", input_size=10, hidden_size=20, bidirectional=True)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, TypeVar

from torch import Tensor

from gatewise.errors import OptionError, did_you_mean
from gatewise.kernels.products import input_product, recurrent_product

__all__ = ["Cell", "State", "Weights", "cell_class", "cells", "register_cell"]

State = tuple[Tensor, ...]
"""One direction's states, in the order of :attr:`Cell.states`, each ``(B, size)``."""
Weights = Mapping[str, Tensor]
"""One direction's parameters by short name: ``weight_ih``, ``weight_hh``, ``bias_ih``, ..."""

_REGISTRY: dict[str, type[Cell]] = {}
_CellType = TypeVar("_CellType", bound="type[Cell]")


class Cell:
    """Base of all cells: gates, states, parameters and one step, without a time loop.

    A subclass sets :attr:`gates` (and :attr:`states` if it has more than ``hidden``) and writes :meth:`step`. By
    default its parameters are those of torch.nn: ``weight_ih (G*H, I)``, ``weight_hh (G*H, H)``, ``bias_ih (G*H,)``,
    ``bias_hh (G*H,)``.

    Attributes:
        name: the registered name.
        gates: names of the gates and candidates that have weights, in memory order; G is their number.
        states: names of what is carried from step to step; the first one is the output.
        supports: options of the layer that need the cell's help: ``"recurrent_dropout"`` (``step`` applies
            ``recurrent_mask``) and ``"layer_norm"`` (``step`` uses :meth:`recurrent`, or normalises itself).

    Args:
        input_size: I.
        hidden_size: H.
        bias: have ``bias_ih`` and ``bias_hh``.
        layer_norm: normalise the products (only where :attr:`supports` names it).

    Example:
        >>> cell = cell_class("gru")(10, 20)
        >>> cell.gates, cell.states, cell.parameter_shapes()["weight_ih"]
        (('reset', 'update', 'candidate'), ('hidden',), (60, 10))
    """

    name: ClassVar[str] = ""
    gates: tuple[str, ...] = ()
    states: tuple[str, ...] = ("hidden",)
    supports: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, layer_norm: bool = False) -> None:
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        self.layer_norm = layer_norm

    def options(self) -> dict[str, object]:
        """This cell's own constructor options, by name; what ``cell_options`` of a layer takes."""
        return {}

    @property
    def kernel_name(self) -> str:
        """The name a kernel request carries."""
        return self.name

    def kernel_options(self) -> frozenset[str]:
        """This cell's own options that a kernel must know, see :data:`gatewise.kernels.dispatch.OPTIONS`."""
        return frozenset()

    def state_sizes(self) -> tuple[int, ...]:
        """Width of each state; the first one is the width of the output."""
        return (self.hidden_size,) * len(self.states)

    @property
    def blocks(self) -> tuple[int, ...]:
        """Widths over which layer normalisation takes one mean and variance each."""
        return (len(self.gates) * self.hidden_size,)

    def parameter_shapes(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the parameters that torch.nn has too, in torch.nn's order; drawn from U(-1/sqrt(H), 1/sqrt(H))."""
        rows = len(self.gates) * self.hidden_size
        shapes: dict[str, tuple[int, ...]] = {
            "weight_ih": (rows, self.input_size),
            "weight_hh": (rows, self.state_sizes()[0]),
        }
        if self.bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        return shapes

    def extra_shapes(self) -> dict[str, tuple[tuple[int, ...], str]]:
        """Parameters that torch.nn lacks: name to (shape, how it starts: ``"uniform"``, ``"ones"`` or ``"zeros"``)."""
        if not self.layer_norm:
            return {}
        rows = len(self.gates) * self.hidden_size
        return {"layer_norm_ih": ((rows,), "ones"), "layer_norm_hh": ((rows,), "ones")}

    def project(self, x: Tensor, weights: Weights) -> Tensor:
        """The input's share of every gate, for one step or all steps at once.

        Args:
            x: ``(.., I)``.
            weights: this direction's parameters.

        Returns:
            ``(.., G*H)``, handed to :meth:`step` as ``gates_x``.
        """
        gain = weights.get("layer_norm_ih")
        return input_product(x, weights["weight_ih"], weights.get("bias_ih"), gain, self.blocks)

    def recurrent(self, hidden: Tensor, weights: Weights, recurrent_mask: Tensor | None = None) -> Tensor:
        """The old state's share of every gate: ``W_hh (mask * h) + b_hh``, normalised where that is on.

        Args:
            hidden: ``(B, H)``.
            weights: this direction's parameters.
            recurrent_mask: ``(B, H)`` or None.

        Returns:
            ``(B, G*H)``.
        """
        gain = weights.get("layer_norm_hh")
        return recurrent_product(
            hidden, weights["weight_hh"], weights.get("bias_hh"), recurrent_mask, gain, self.blocks
        )

    def step(
        self, gates_x: Tensor, state: State, weights: Weights, recurrent_mask: Tensor | None = None
    ) -> dict[str, Tensor]:
        """One step.

        Args:
            gates_x: ``(B, G*H)``, what :meth:`project` made of x_t.
            state: the states before the step.
            weights: this direction's parameters.
            recurrent_mask: ``(B, H)`` or None; given only where :attr:`supports` has ``"recurrent_dropout"``.

        Returns:
            Every gate, candidate and new state under its name, each ``(B, size)``.
        """
        raise NotImplementedError(f"{type(self).__name__} has no step")

    def scan(self, gates_x: Tensor, state: State, weights: Weights) -> Tensor | None:
        """All outputs at once, for a cell whose recurrence is linear; None where there is no such way.

        Args:
            gates_x: ``(T, B, G*H)``.
            state: the states before the first step (a scanning cell has exactly one).
            weights: this direction's parameters.

        Returns:
            ``(T, B, H)`` or None.
        """
        return None


def register_cell(name: str) -> Callable[[_CellType], _CellType]:
    """Class decorator: make a cell known to ``Recurrent(name, ...)`` and to the conformance tests.

    Args:
        name: not taken yet; without a comma, a star or blanks around it, so that ``--cells`` can name it.

    Raises:
        OptionError: the name is taken or cannot be named, or the class is no `Cell` or lacks gates, states or a step.

    Example:
        >>> register_cell("gru")(cell_class("lstm"))
        Traceback (most recent call last):
        gatewise.errors.OptionError: a cell named 'gru' is registered already; got: ...; fix: choose another name
    """

    def register(cell: _CellType) -> _CellType:
        if not isinstance(name, str) or not name or name != name.strip() or set(name) & set(",*"):
            raise OptionError(
                f"a cell cannot be named {name!r}",
                expected="a name without a comma, a star or blanks around it",
                fix='@register_cell("leaky")',
            )
        if not (isinstance(cell, type) and issubclass(cell, Cell)):
            raise OptionError(
                f"cell {name!r} is no cell",
                expected="a class derived from gatewise.nn.Cell",
                got=getattr(cell, "__name__", cell),
                fix=f"class {getattr(cell, '__name__', 'Own')}(nn.Cell):",
            )
        known = _REGISTRY.get(name)
        if known is not None and (known.__module__, known.__qualname__) != (cell.__module__, cell.__qualname__):
            raise OptionError(f"a cell named {name!r} is registered already", got=known, fix="choose another name")
        if not cell.gates or not cell.states:
            raise OptionError(
                f"cell {name!r} needs gates and states",
                expected="tuples of names, such as gates = ('candidate',) and states = ('hidden',)",
                got=f"gates = {cell.gates!r}, states = {cell.states!r}",
            )
        if cell.step is Cell.step:
            raise OptionError(
                f"cell {name!r} has no step",
                expected="a method step(self, gates_x, state, weights, recurrent_mask=None)",
                fix="write it; it returns every gate and new state by name",
            )
        cell.name = name
        _REGISTRY[name] = cell
        return cell

    return register


def cell_class(name: str) -> type[Cell]:
    """The registered cell of a name.

    Raises:
        OptionError: no such cell.

    Example:
        >>> cell_class("gur")
        Traceback (most recent call last):
        gatewise.errors.OptionError: no cell is named 'gur'; fix: did you mean 'gru'?
    """
    if name not in _REGISTRY:
        raise OptionError(f"no cell is named {name!r}", fix=did_you_mean(name, cells()))
    return _REGISTRY[name]


def cells() -> tuple[str, ...]:
    """The names of all registered cells, in the order they were registered.

    Example:
        >>> cells()[:5]
        ('rnn', 'lstm', 'gru', 'mingru', 'minlstm')
    """
    return tuple(_REGISTRY)
