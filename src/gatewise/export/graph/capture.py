"""A cell's step as expressions: captured by ``torch.export``, weights folded, one operation after another."""

from __future__ import annotations

import operator
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gatewise.errors import ConversionError
from gatewise.export.graph.expressions import Array, Program
from gatewise.export.graph.torch_operations import BINARY, SAME, UNARY, Operations
from gatewise.export.graph.torch_values import BATCH, UnknownOperation, Value
from gatewise.nn.cell import Cell

__all__ = ["capture_cell"]


class _Traced(nn.Module):
    """A function of tensors as a module, as ``torch.export`` wants it."""

    def __init__(self, function: Callable[..., tuple[Tensor, ...]]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        """Call the function."""
        return self.function(*tensors)


def capture_cell(
    cell: Cell, weights: Mapping[str, Tensor], names: Mapping[str, str]
) -> tuple[Program, Program, dict[str, Array]]:
    """The programs of a cell.

    Args:
        cell: any registered cell.
        weights: one direction's parameters by short name.
        names: the name in the graph of each.

    Returns:
        Projection of the input, step, and the weights that they read, by name in the graph: parts of a parameter
        (``..weight_hh_l0.0_16``) and what the step computes from parameters alone are weights of their own.

    Raises:
        ConversionError: the step does something that is no elementwise operation or product; the message names it.
    """
    dtype, device = _kind(weights)
    short = tuple(weights)
    shapes = tuple((name, tuple(weights[name].shape)) for name in short)
    project, step = _export(cell, shapes, dtype, device)
    sizes = cell.state_sizes()
    found: dict[str, Array] = {}
    first = _Reader(cell, project, {"x": cell.input_size}, weights, names, found, "x")
    projected = first.program()
    width = projected.widths[projected.outputs[0]]
    inputs = {"gates": width, **{f"s{place}": size for place, size in enumerate(sizes)}}
    second = _Reader(cell, step, inputs, weights, names, found, "s")
    stepped = second.program()
    for name, size, given in zip(cell.states, sizes, stepped.outputs, strict=True):
        if stepped.widths[given] != size:
            raise ConversionError(
                f"cell {cell.name!r}: the step's state {name!r} has another width than state_sizes says",
                expected=size,
                got=stepped.widths[given],
            )
    return projected, stepped, found


def _kind(weights: Mapping[str, Tensor]) -> tuple[torch.dtype, torch.device]:
    first = next(iter(weights.values()), torch.zeros(()))
    return first.dtype, first.device


def _key(cell: Cell) -> tuple[Any, ...] | None:
    """What a cell's traces depend on besides its weights; None where that is more than plain values."""
    plain = (bool, int, float, str, type(None))
    values = vars(cell)
    for value in values.values():
        if not isinstance(value, plain) and not (isinstance(value, tuple) and all(isinstance(e, plain) for e in value)):
            return None
    return (type(cell), *sorted((name, repr(value)) for name, value in values.items()))


_CACHE: dict[tuple[Any, ...], tuple[Any, Any]] = {}


def _export(
    cell: Cell, shapes: Sequence[tuple[str, tuple[int, ...]]], dtype: torch.dtype, device: torch.device
) -> tuple[Any, Any]:
    """The traced graphs of projection and step; the same for all cells of one kind, size and options."""
    own = _key(cell)
    if own is None:
        return _both(cell, shapes, dtype, device)
    key = (*own, tuple(shapes), dtype, device)
    if key not in _CACHE:
        _CACHE[key] = _both(cell, shapes, dtype, device)
    return _CACHE[key]


def _both(
    cell: Cell, shapes: Sequence[tuple[str, tuple[int, ...]]], dtype: torch.dtype, device: torch.device
) -> tuple[Any, Any]:
    names = [name for name, _ in shapes]
    weights = [torch.zeros(shape, dtype=dtype, device=device) for _, shape in shapes]
    x = torch.zeros(BATCH, cell.input_size, dtype=dtype, device=device)
    states = [torch.zeros(BATCH, size, dtype=dtype, device=device) for size in cell.state_sizes()]

    def project(x: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        return (cell.project(x, dict(zip(names, weights, strict=True))),)

    def step(gates: Tensor, *rest: Tensor) -> tuple[Tensor, ...]:
        state, given = rest[: len(states)], rest[len(states) :]
        values = cell.step(gates, tuple(state), dict(zip(names, given, strict=True)))
        return tuple(values[name] for name in cell.states)

    with torch.no_grad():
        gates = project(x, *weights)[0]
        return _traced(cell, project, (x, *weights)), _traced(cell, step, (gates, *states, *weights))


def _traced(cell: Cell, function: Callable[..., tuple[Tensor, ...]], arguments: tuple[Tensor, ...]) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.export.export(_Traced(function).eval(), arguments)
    except Exception as error:
        reason = str(error).strip().splitlines()
        raise ConversionError(
            f"cell {cell.name!r}: torch.export cannot capture its step",
            expected="tensor operations without branches on values",
            got=reason[0] if reason else type(error).__name__,
            fix="write the step with torch.where in place of if",
        ) from error


class _Reader(Operations):
    """Walks a traced graph: what depends on weights alone is evaluated, everything else becomes expressions."""

    def __init__(
        self,
        cell: Cell,
        exported: Any,
        inputs: Mapping[str, int],
        weights: Mapping[str, Tensor],
        names: Mapping[str, str],
        found: dict[str, Array],
        prefix: str,
    ) -> None:
        super().__init__(prefix, names, found)
        self.cell, self.exported, self.inputs, self.weights = cell, exported, dict(inputs), weights
        self.known: dict[Any, Any] = {}

    def program(self) -> Program:
        """The whole graph; decomposed into simpler operations where one is not known."""
        try:
            return self._walk(self.exported)
        except UnknownOperation as unknown:
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # torch warns of its own ways
                    simpler = self.exported.run_decompositions()
                return self._walk(simpler)
            except UnknownOperation as error:
                raise ConversionError(
                    f"cell {self.cell.name!r}: its step uses {error.operation}, which is no elementwise operation or "
                    "product of vectors",
                    got=error.reason or unknown.operation,
                    fix="write the step with products (linear, @), elementwise operations, split, chunk and cat",
                ) from error

    def _walk(self, exported: Any) -> Program:
        self.expressions, self.known, self.parameters = [], {}, {}
        placeholders = [node for node in exported.graph.nodes if node.op == "placeholder"]
        count = len(self.inputs)
        constants = _constants(exported)
        ordinary = [node for node in placeholders if node.name not in constants]
        for node, (name, width) in zip(ordinary, self.inputs.items(), strict=False):
            self.known[node] = Value(name, width)
        for node, (short, weight) in zip(ordinary[count:], self.weights.items(), strict=True):
            self.known[node] = weight.detach()
            self.parameters[id(self.known[node])] = (self.names[short], self.known[node])
        for node in placeholders:
            if node.name in constants:
                self.known[node] = constants[node.name]
        outputs: tuple[str, ...] = ()
        for node in exported.graph.nodes:
            if node.op == "call_function":
                self.known[node] = self._call(node)
            elif node.op == "output":
                outputs = tuple(self._output(self.known[each]) for each in node.args[0])
            elif node.op != "placeholder":
                raise UnknownOperation(str(node.op))
        return Program(tuple(self.inputs.items()), tuple(self.expressions), outputs)

    def _output(self, value: Any) -> str:
        if isinstance(value, Value) and not value.flat:
            return value.name
        if isinstance(value, Tensor):  # a state that depends on weights alone
            operand, width = self._operand(value)
            first = next(iter(self.inputs.items()))
            zero = self._emit("mul", (first[0], 0.0), first[1])
            return self._emit("add", (self._emit("sum", (zero.name,), 1).name, operand), width).name
        raise UnknownOperation("output", "a state without a feature axis")

    def _call(self, node: Any) -> Any:
        resolved = torch.fx.node.map_arg((node.args, node.kwargs), lambda each: self.known[each])
        arguments, keywords = resolved
        if node.target is operator.getitem:
            return arguments[0][arguments[1]]
        if not _depends(arguments) and not _depends(keywords):
            with torch.no_grad():
                return node.target(*arguments, **keywords)
        name = str(getattr(node.target, "__name__", node.target)).split(".")[0]
        name = name.strip("_") if name.startswith("__") else name  # x & y is __and__; x.mul_(y) stays what it is
        handler = getattr(self, "_" + name.lstrip("_"), None)
        if name in SAME:
            return arguments[0]
        if name in UNARY:
            return self._unary(UNARY[name], arguments[0])
        if name in BINARY and len(arguments) == 2 and not keywords:
            return self._pair(BINARY[name], arguments[0], arguments[1])
        if handler is None:
            raise UnknownOperation(str(node.target))
        return handler(*arguments, **keywords)


def _depends(arguments: Any) -> bool:
    if isinstance(arguments, dict):
        return any(_depends(each) for each in arguments.values())
    if isinstance(arguments, list | tuple):
        return any(_depends(each) for each in arguments)
    return isinstance(arguments, Value)


def _constants(exported: Any) -> dict[str, Tensor]:
    """Tensors that the step made itself, by the name of their placeholder."""
    signature = exported.graph_signature
    found = {}
    for kind in ("inputs_to_lifted_tensor_constants", "inputs_to_buffers", "inputs_to_parameters"):
        for name, target in getattr(signature, kind, {}).items():
            store = exported.constants if target in exported.constants else exported.state_dict
            found[name] = store[target]
    return found
