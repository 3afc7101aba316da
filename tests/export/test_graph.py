"""The graph of every layer, evaluated in NumPy, computes what the layer computes; streams equal whole sequences."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from export_cases import CELLS, LENGTHS, SHAPES, layer_of, outputs, sequences

from gatewise.errors import ConversionError
from gatewise.export.graph import Graph, GraphBuilder, Interpreter
from gatewise.export.graph.expressions import OPERATIONS
from gatewise.export.graph.layers import layer_graph, stack_of
from gatewise.export.graph.stream import StepInterpreter, stream_of
from gatewise.nn import Cell, Recurrent, register_cell

torch.set_num_threads(1)


# every cell in every second shape, in turn; the others are slow
TURNS = [
    pytest.param(cell, shape, marks=() if (place + turn) % 2 == 0 else pytest.mark.slow)
    for place, cell in enumerate(CELLS)
    for turn, shape in enumerate(SHAPES)
]


@pytest.mark.parametrize(("cell", "shape"), TURNS)
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


@pytest.mark.parametrize("shape", ["three residual layers", "widths"])
@pytest.mark.parametrize("cell", CELLS)
def test_a_step_within_a_graph_equals_the_layers(cell: str, shape: str) -> None:
    layer = layer_of(cell, shape)
    stack, weights = stack_of("layers", layer)
    build = GraphBuilder("step")
    x = build.input("x", None, layer.input_size)
    widths = [state.width for each in stack.layers for state in each.directions[0].states]
    states = [build.input(f"state{place}", None, width) for place, width in enumerate(widths)]
    output, *after = build.advance(stack, weights, x, states)
    build.output("output", output)
    for place, name in enumerate(after):
        build.output(f"state{place}", name)
    step = Interpreter(build.graph())
    starts = [state.initial for each in stack.layers for state in each.directions[0].states]
    pairs = enumerate(zip(widths, starts, strict=True))
    kept = {f"state{place}": np.zeros(n) if start is None else weights[start] for place, (n, start) in pairs}
    (row,) = sequences(layer, (5,))
    (expected,) = outputs(layer, [row])
    for value, true in zip(row, expected, strict=True):
        found = step.run([{"x": value, **kept}])
        kept = {name: found[name][0] for name in kept}
        np.testing.assert_allclose(found["output"][0], true, rtol=0, atol=1e-6)


def attending_graph() -> Graph:
    """A sequence in, the mean of its values by the weights of an attention out, and these weights."""
    chance = np.random.default_rng(0)
    build = GraphBuilder("attending")
    x = build.input("x", "T", 4)
    scores = build.linear(build.apply("tanh", x), 3 * chance.normal(size=(1, 4)), name="scores")
    weights = build.softmax_steps(scores)
    build.output("weights", weights)
    build.output("context", build.pool(build.apply("mul", x, weights), "sum"))
    return build.graph()


def test_attention_over_the_steps() -> None:
    chance, graph = np.random.default_rng(1), attending_graph()
    rows = [chance.normal(size=(length, 4)) for length in (1, 5, 3)]
    found = Interpreter(graph).run([{"x": row} for row in rows])
    weight = graph.weights["scores.weight"][0].astype(np.float64)
    for place, row in enumerate(rows):
        powers = np.exp(np.tanh(row) @ weight)
        np.testing.assert_allclose(found["weights"][place][:, 0], powers / powers.sum(), rtol=1e-12)
        np.testing.assert_allclose(found["context"][place], powers @ row / powers.sum(), rtol=1e-12)
    with pytest.raises(ConversionError, match="known at its end only"):
        stream_of(graph)


ACTIVATIONS = ("silu", "elu", "leaky_relu", "softplus", "hardtanh", "softsign", "mish", "hardsigmoid", "relu6", "gelu")
STEPS = {
    "a constant of its own": lambda cell, g, h, w: torch.tanh(g * torch.tensor([0.5, 1.0, 2.0]) + h[0] ** 2),
    "in place": lambda cell, g, h, w: (g + cell.recurrent(h[0], w)).clone().mul_(0.5).sigmoid(),
    "greatest and least": lambda cell, g, h, w: (
        (g - g.max(dim=-1, keepdim=True).values) / (1 + g.min(1, True)[0].abs())
    ),
    "a norm": lambda cell, g, h, w: 0.5 * h[0] + g / g.norm(dim=-1, keepdim=True).clamp(min=0.1),
    "padding": lambda cell, g, h, w: torch.tanh(g + torch.nn.functional.pad(h[0][:, :2].cos(), (0, 1))),
    "conditions": lambda cell, g, h, w: (
        torch.where((g > 0) & (h[0] < 0.5) | ~(g < 1), g.tanh(), h[0]) + (g > 0).float()
    ),
    "products": lambda cell, g, h, w: torch.tanh(
        torch.addmm(w["bias_hh"], h[0], w["weight_hh"].T) + torch.mm(g, w["weight_hh"].tril())
    ),
    "activations": lambda cell, g, h, w: sum(
        0.05 * getattr(torch.nn.functional, name)(g + h[0]) for name in ACTIVATIONS
    ),
}


@pytest.mark.parametrize(
    "name",
    # these two take long; the others capture and compute in the same way
    [pytest.param(name, marks=pytest.mark.slow if name in ("activations", "in place") else ()) for name in STEPS],
)
def test_steps_as_persons_write_them(name: str) -> None:
    """Each step is captured, and computes what it computes in torch."""
    from gatewise.export.layers import layer_examples

    def step(self, gates_x, state, weights, recurrent_mask=None):
        return {"hidden": STEPS[name](self, gates_x, state, weights)}

    label = f"test-export-{name.replace(' ', '-')}"
    register_cell(label)(type("Written", (Cell,), {"gates": ("candidate",), "step": step}))
    torch.manual_seed(0)
    layer = Recurrent(label, 2, 3, bidirectional=True)
    examples = layer_examples(layer)
    found = Interpreter(layer_graph(layer)).run([example.inputs for example in examples])["output"]
    for got, example in zip(found, examples, strict=True):
        np.testing.assert_allclose(got, example.outputs["output"], rtol=1e-5, atol=2e-6)
