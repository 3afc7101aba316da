"""The graph of every layer, evaluated in NumPy, computes what the layer computes; streams equal whole sequences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from export_cases import CELLS, LENGTHS, SHAPES, layer_of, outputs, sequences

from gatewise.errors import ConversionError
from gatewise.export.graph import Interpreter
from gatewise.export.graph.expressions import OPERATIONS
from gatewise.export.graph.layers import layer_graph
from gatewise.export.graph.stream import StepInterpreter, stream_of
from gatewise.nn import Cell, Recurrent, register_cell

torch.set_num_threads(1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("cell", CELLS)
def test_interpreter_equals_layer(cell: str, shape: str) -> None:
    layer = layer_of(cell, shape)
    rows = sequences(layer)
    truth, found = outputs(layer, rows), Interpreter(layer_graph(layer)).run([{"x": row} for row in rows])["output"]
    for length, expected, got in zip(LENGTHS, truth, found, strict=True):
        assert got.shape == (length, expected.shape[1])
        np.testing.assert_allclose(got, expected, rtol=0, atol=1e-6)  # float32 weights cross as they are


@pytest.mark.parametrize("shape", [name for name in SHAPES if not SHAPES[name].get("bidirectional")])
@pytest.mark.parametrize("cell", CELLS)
def test_steps_equal_whole(cell: str, shape: str) -> None:
    layer = layer_of(cell, shape)
    graph = layer_graph(layer)
    (row,) = sequences(layer, (6,))
    (whole,) = Interpreter(graph).run([{"x": row}])["output"]
    stream = StepInterpreter(graph)
    state = stream.initial(1)
    for value, expected in zip(row, whole, strict=True):
        got, state = stream.step({"x": value[None]}, state)
        np.testing.assert_allclose(got["output"][0], expected, rtol=0, atol=1e-12)


def test_padding_is_not_read() -> None:
    layer = layer_of("gru", "two layers, both directions")
    rows = sequences(layer)
    interpreter = Interpreter(layer_graph(layer))
    together = interpreter.run([{"x": row} for row in rows])["output"]
    for row, expected in zip(rows, together, strict=True):
        np.testing.assert_allclose(interpreter.run([{"x": row}])["output"][0], expected, rtol=0, atol=1e-13)


def test_both_directions_do_not_stream() -> None:
    with pytest.raises(ConversionError, match=r"step by step.*bidirectional"):
        stream_of(layer_graph(layer_of("gru", "one layer, both directions")))


@pytest.mark.parametrize("cell", CELLS)
def test_programs_are_flat_and_known(cell: str) -> None:
    """What a target relies on: each expression reads earlier ones and weights with a dot, and states its width."""
    graph = layer_graph(layer_of(cell, "two layers, both directions"))
    for layer in graph.stacks["recurrent"].layers:
        for direction in layer.directions:
            for program in (direction.project, direction.step):
                widths = dict(program.inputs)
                for each in program.expressions:
                    assert each.operation in OPERATIONS
                    for operand in each.operands:
                        if isinstance(operand, str):
                            assert operand in (graph.weights if "." in operand else widths), operand
                    widths[each.name] = each.width
                assert set(program.outputs) <= set(widths)
            assert [dict(direction.step.widths)[name] for name in direction.step.outputs] == [
                state.width for state in direction.states
            ]


def test_a_step_that_branches_on_values_is_refused() -> None:
    @register_cell("test-export-branching")
    class Branching(Cell):
        gates = ("candidate",)

        def step(self, gates_x, state, weights, recurrent_mask=None):
            new = torch.tanh(gates_x) if state[0].sum() > 0 else torch.relu(gates_x)
            return {"hidden": new}

    with pytest.raises(ConversionError, match=r"test-export-branching.*torch\.where"):
        layer_graph(Recurrent("test-export-branching", 2, 3))


def test_a_step_that_mixes_rows_is_refused() -> None:
    @register_cell("test-export-mixing")
    class Mixing(Cell):
        gates = ("candidate",)

        def step(self, gates_x, state, weights, recurrent_mask=None):
            return {"hidden": torch.tanh(gates_x - gates_x.mean(dim=0))}

    with pytest.raises(ConversionError, match="mean"):
        layer_graph(Recurrent("test-export-mixing", 2, 3))
