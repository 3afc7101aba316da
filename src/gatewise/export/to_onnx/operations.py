"""The operations of expressions as nodes of ONNX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from gatewise.errors import ConversionError
from gatewise.export.graph.expressions import Array, Expression, Operand, Program, is_weight

__all__ = ["OPSET", "Body", "Names"]

OPSET = 17
"""The version of the standard operators: the first one with LayerNormalization."""

_SAME_NAME = {
    "tanh": "Tanh",
    "sigmoid": "Sigmoid",
    "softplus": "Softplus",
    "relu": "Relu",
    "exp": "Exp",
    "log": "Log",
    "sqrt": "Sqrt",
    "neg": "Neg",
    "abs": "Abs",
    "sign": "Sign",
    "sin": "Sin",
    "cos": "Cos",
    "erf": "Erf",
    "floor": "Floor",
    "add": "Add",
    "sub": "Sub",
    "mul": "Mul",
    "div": "Div",
    "pow": "Pow",
    "max": "Max",
    "min": "Min",
}
_COMPARED = {"ge": "GreaterOrEqual", "gt": "Greater", "le": "LessOrEqual", "lt": "Less", "eq": "Equal"}
_REDUCED = {"mean": "ReduceMean", "greatest": "ReduceMax"}


class Names:
    """Weights and constants of a whole model, and new names: what its graph and all inner ones share.

    Args:
        weights: of the graph, by name.
    """

    def __init__(self, weights: Mapping[str, Array]) -> None:
        self.weights = dict(weights)
        self.initializers: dict[str, Any] = {}
        self._count = 0

    def new(self, hint: str) -> str:
        """A name that no value has."""
        self._count += 1
        return f"{hint}_{self._count}"

    def constant(self, array: Any, name: str | None = None) -> str:
        """Keep an array; equal small ones are kept once."""
        array = np.asarray(array, order="C")
        if name is None:
            name = f"constant_{array.dtype.name}_{array.shape}_{hash(array.tobytes()) & 0xFFFFFFFF:08x}"
            if array.size <= 4:
                name = f"constant_{array.dtype.name}_{array.shape}_{'_'.join(map(str, array.ravel()))}"
        if name not in self.initializers:
            self.initializers[name] = numpy_helper.from_array(array, name)
        return name

    def weight(self, name: str, *, turned: bool = False) -> str:
        """A weight by its name, or its transpose."""
        if turned:
            return self.constant(self.weights[name].T, f"{name}.turned")
        return self.constant(self.weights[name], name)


class Body:
    """Nodes of one graph of ONNX, the main one or the body of a `Scan`.

    Attributes:
        ranks: axes of values besides the features less 1 by name, where these differ: 1 a vector, 2 a sequence.

    Args:
        names: what all share.
    """

    def __init__(self, names: Names) -> None:
        self.names = names
        self.nodes: list[Any] = []
        self.ranks: dict[Operand, int] = {}

    def add(self, operator: str, inputs: Sequence[str], hint: str = "", **attributes: Any) -> str:
        """One node with one output, whose name is returned."""
        name = self.names.new(hint or operator.lower())
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def several(self, operator: str, inputs: Sequence[str], count: int, **attributes: Any) -> list[str]:
        """One node with several outputs."""
        outputs = [self.names.new(operator.lower()) for _ in range(count)]
        self.nodes.append(helper.make_node(operator, list(inputs), outputs, **attributes))
        return outputs

    def constant(self, array: Any) -> str:
        """A constant's name."""
        return self.names.constant(array)

    def integers(self, *values: int) -> str:
        """A vector of integers."""
        return self.constant(np.array(values, dtype=np.int64))

    def program(self, program: Program, inputs: Mapping[str, str], *, flat: bool) -> list[str]:
        """A cell's program; returns the names of its outputs.

        Args:
            program: the program.
            inputs: names of its inputs in this body.
            flat: whether values are (B, N), without an axis of time.
        """
        values = dict(inputs)
        for each in program.expressions:
            values[each.name] = self.expression(each, values, flat=flat)
        return [values[name] for name in program.outputs]

    def expression(self, each: Expression, values: Mapping[str, str], *, flat: bool) -> str:
        """One expression over the last axis; returns the name of the result."""
        floating: Any = np.float64 if each.wide else np.float32
        operation = each.operation

        def name(operand: Operand) -> str:
            if not isinstance(operand, str):
                return self.constant(np.array([operand], dtype=floating))
            return self.names.weight(operand) if is_weight(operand) else values[operand]

        if operation == "linear":
            return self._linear(each, values, flat)
        if operation == "embedding":
            return self.add("Gather", [name(each.operands[1]), name(each.operands[0])], axis=0)
        inputs = [name(operand) for operand in each.operands]
        if operation == "constant":
            return inputs[0]
        if operation in _SAME_NAME:
            return self.add(_SAME_NAME[operation], inputs)
        if operation in _COMPARED or operation == "ne":
            return self._compared(operation, inputs, floating)
        if operation == "log_sigmoid":
            return self.add("Neg", [self.add("Softplus", [self.add("Neg", inputs)])])
        if operation in ("softmax", "log_softmax"):
            return self.add("Softmax" if operation == "softmax" else "LogSoftmax", inputs, axis=-1)
        if operation == "sum":
            return self.add("ReduceSum", [*inputs, self.integers(-1)], keepdims=1)
        if operation in _REDUCED:
            return self.add(_REDUCED[operation], inputs, axes=[-1], keepdims=1)
        if operation == "where":
            chosen = self.add("Equal", [inputs[0], self.constant(np.array(0, dtype=floating))])
            return self.add("Where", [chosen, inputs[2], inputs[1]])
        if operation == "slice":
            start, stop = int(each.attributes[0]), int(each.attributes[1])
            return self.add("Slice", [*inputs, *(self.integers(place) for place in (start, stop, -1))])
        if operation == "layer_norm":
            return self._layer_norm(each, inputs, floating)
        if operation == "concat":
            return self._concat(each, inputs)
        raise ConversionError(f"ONNX has no {operation}", got=each.name)

    def _linear(self, each: Expression, values: Mapping[str, str], flat: bool) -> str:
        source, weight, *bias = [str(operand) for operand in each.operands]
        if flat and not each.wide:
            biases = [self.names.weight(name) for name in bias]
            return self.add("Gemm", [values[source], self.names.weight(weight), *biases], transB=1)
        # one copy of an embedding that is the output's weights too; onnxruntime turns it once, while it loads
        if weight in self.names.initializers:
            turned = self.add("Transpose", [weight], perm=[1, 0])
        else:
            turned = self.names.weight(weight, turned=True)
        product = self.add("MatMul", [values[source], turned])
        return self.add("Add", [product, self.names.weight(bias[0])]) if bias else product

    def _compared(self, operation: str, inputs: Sequence[str], floating: Any) -> str:
        found = self.add(_COMPARED.get(operation, "Equal"), inputs)
        if operation == "ne":
            found = self.add("Not", [found])
        return self.add("Cast", [found], to=TensorProto.DOUBLE if floating is np.float64 else TensorProto.FLOAT)

    def _layer_norm(self, each: Expression, inputs: list[str], floating: Any) -> str:
        if len(inputs) == 1:
            inputs = [*inputs, self.constant(np.ones(each.width, dtype=floating))]
        return self.add("LayerNormalization", inputs, axis=-1, epsilon=float(each.attributes[0]))

    def _concat(self, each: Expression, inputs: list[str]) -> str:
        """Side by side; what lacks an axis of time or batch is repeated along it."""
        ranks = [self.ranks.get(operand, 2) if _is_value(operand) else 0 for operand in each.operands]
        if len(set(ranks)) == 1:
            return self.add("Concat", inputs, axis=-1)
        pattern = inputs[ranks.index(max(ranks))]
        lead = self.add("Slice", [self.add("Shape", [pattern]), *(self.integers(place) for place in (0, -1, 0))])
        full = self.add("Concat", [lead, self.integers(1)], axis=0)
        parts = [
            name if rank == max(ranks) else self.add("Expand", [name, full])
            for name, rank in zip(inputs, ranks, strict=True)
        ]
        return self.add("Concat", parts, axis=-1)


def _is_value(operand: Operand) -> bool:
    return isinstance(operand, str) and not is_weight(operand)
