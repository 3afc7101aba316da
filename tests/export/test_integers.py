"""Programs in integers: the same bits in C and NumPy, whatever the compiler; close to the network."""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from c_programs import needs_compiler
from export_cases import CELLS, HIDDEN, INPUT, SHAPES, WHOLE_FUZZ, layer_of, outputs, random_layer
from many_programs import ManyPrograms

import gatewise.export
from gatewise.errors import ConversionError, OptionError
from gatewise.export.gaps import LIMIT, relative_gap
from gatewise.export.graph import Example, Interpreter
from gatewise.export.graph.expressions import Expression, Program
from gatewise.export.graph.layers import layer_graph
from gatewise.export.graph.nodes import Direction, Layer, Stack, State
from gatewise.export.integers import IntegerInterpreter, Quantised, quantise_graph
from gatewise.export.integers.formats import fraction_of, logistic, multipliers, quantise, rescaled, rows_of
from gatewise.export.integers.quantised import rounded_graph
from gatewise.export.integers.stack import why_not_integers
from gatewise.export.layers import layer_examples
from gatewise.export.precision import Material, change_of, refuse_loss
from gatewise.export.to_c.check import ROUNDED
from gatewise.export.to_c.compiler import EXACT, SANITISED, find_compiler, sanitises
from gatewise.export.to_c.source import Source, emit_source
from gatewise.nn import GRU, LSTM, Cell, Recurrent, register_cell
from gatewise.nn.cell import _REGISTRY
from gatewise.statistics.measure import Mean

torch.set_num_threads(1)
FLOATS = {"rnn layer norm", "lstm layer norm", "gru before layer norm", "gru layer norm zoneout", "minlstm"}
FLOATS |= {"own, many operations"}
"""Cells whose step is not in integers."""


def _quantised(layer: Recurrent) -> Quantised:
    # the examples that are compared are among them: what lies beyond is limited, see the test of that
    inputs = [each.inputs for seed in range(4) for each in layer_examples(layer, seed)]
    return quantise_graph(layer_graph(layer), inputs)


def _assert_same(programs: ManyPrograms, number: int, layer: Recurrent, quantised: Quantised) -> None:
    examples = layer_examples(layer)
    inputs = [each.inputs for each in examples]
    whole, last = programs.run(number, inputs)
    oracle = IntegerInterpreter(quantised)
    found, expected = [row["output"] for row in whole], oracle.run(inputs)["output"]
    if oracle.exact:
        assert all(np.array_equal(one, other) for one, other in zip(found, expected, strict=True))
    else:
        assert relative_gap(found, expected) < ROUNDED
    if programs.sources[number].has_step:
        assert all(np.array_equal(step["output"], row[-1]) for step, row in zip(last, found, strict=True))
    # beside the weights' rounding that of values to 16 bits: little, as long as gates and outputs are not tiny
    packed = Interpreter(rounded_graph(quantised.graph, quantised.rows)).run(inputs)["output"]
    greatest = max(np.abs(each).max() for each in packed)
    gap = max(np.abs(one - other).max() for one, other in zip(found, packed, strict=True))
    assert gap < 0.03 * max(greatest, 0.25), (gap, greatest)


def _programs(layers: list[Recurrent], folder: Path, flags: tuple[str, ...]) -> tuple[ManyPrograms, list[Quantised]]:
    found = [_quantised(layer) for layer in layers]
    sources = [emit_source(each.graph, f"m{number}", 64, each) for number, each in enumerate(found)]
    return ManyPrograms(sources, folder, flags), found


EVERYDAY = ("rnn relu", "lstm peephole", "gru", "gru before replace", "gru before layer norm", "mingru zoneout")


@needs_compiler
@pytest.mark.parametrize("cells", [EVERYDAY, pytest.param(tuple(CELLS), marks=pytest.mark.slow)], ids=["some", "all"])
def test_cells_give_the_bits_of_numpy(cells: tuple[str, ...], tmp_path: Path) -> None:
    """One shape each, in turn; all cells under the sanitisers where there are some."""
    compiler = find_compiler()
    assert compiler is not None
    shapes = list(SHAPES)
    layers = [layer_of(cell, shapes[place % len(shapes)]) for place, cell in enumerate(cells)]
    checked = len(cells) == len(CELLS) and sanitises(compiler)
    programs, quantised = _programs(layers, tmp_path, SANITISED if checked else ("-O0", "-ffp-contract=off"))
    for number, (cell, layer) in enumerate(zip(cells, layers, strict=True)):
        assert bool(quantised[number].mixed) == (cell in FLOATS), cell
        _assert_same(programs, number, layer, quantised[number])


@needs_compiler
@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES if WHOLE_FUZZ else ["two layers, both directions"])
def test_every_shape_of_the_main_cells(shape: str, tmp_path: Path) -> None:
    cells = ("rnn", "lstm peephole", "gru", "gru replace", "gru before", "gru before replace")
    layers = [layer_of(cell, shape, seed=3) for cell in cells]
    programs, quantised = _programs(layers, tmp_path, ("-O0", "-ffp-contract=off"))
    for number, layer in enumerate(layers):
        _assert_same(programs, number, layer, quantised[number])


@needs_compiler
@pytest.mark.slow
def test_every_compiler_gives_the_same_bits(tmp_path: Path) -> None:
    """Optimised or not, with vectors or without, and on another processor."""
    layers = [layer_of(cell, "two layers, both directions") for cell in ("gru before", "lstm zoneout", "mingru")]
    ways = {"plain": (("-O0",), None), "fast": ((*EXACT, "-march=native"), None)}
    if shutil.which("aarch64-linux-gnu-gcc") is not None and shutil.which("qemu-aarch64") is not None:
        ways["aarch64"] = ((*EXACT, "-static"), ["aarch64-linux-gnu-gcc"])
    found = [_quantised(layer) for layer in layers]
    sources = [emit_source(each.graph, f"m{number}", 64, each) for number, each in enumerate(found)]
    for name, (flags, compiler) in ways.items():
        folder = tmp_path / name
        folder.mkdir()
        programs = ManyPrograms(sources, folder, flags, compiler)
        if name == "aarch64":
            (folder / "many").rename(folder / "many.elf")
            (folder / "many").write_text(f'#!/bin/sh\nexec qemu-aarch64 "{folder}/many.elf" "$@"\n')
            (folder / "many").chmod(0o755)
        for number, layer in enumerate(layers):
            _assert_same(programs, number, layer, found[number])


@needs_compiler
@pytest.mark.skipif(not WHOLE_FUZZ, reason="GATEWISE_FUZZ is not set")
@pytest.mark.parametrize("hundred", range(10))
def test_a_thousand_random_layers_in_c(hundred: int, tmp_path: Path) -> None:
    """In float32 against the layer, in integers against NumPy; a hundred of each are compiled at once."""
    seeds = range(5_000 + 100 * hundred, 5_100 + 100 * hundred)
    layers = [random_layer(seed)[0] for seed in seeds]
    for kind in ("float32", "int8"):
        folder = tmp_path / kind
        folder.mkdir()
        quantised = [_quantised(layer) if kind == "int8" else None for layer in layers]
        sources: list[Source] = [
            emit_source(layer_graph(layer), f"m{number}", 64, quantised[number]) for number, layer in enumerate(layers)
        ]
        programs = ManyPrograms(sources, folder, ("-O0", "-ffp-contract=off"))
        for number, (seed, layer) in enumerate(zip(seeds, layers, strict=True)):
            found = quantised[number]
            try:
                if found is not None:
                    _assert_same(programs, number, layer, found)
                    continue
                examples = layer_examples(layer)
                whole, _ = programs.run(number, [each.inputs for each in examples])
                true = outputs(layer, [each.inputs["x"] for each in examples])
                gap = relative_gap([row["output"] for row in whole], true)
                # a layer norm of three numbers loses digits in float32, in torch and NumPy as in C: seed 5614
                plain = Interpreter(sources[number].graph, np.float32).run([each.inputs for each in examples])
                others = ([each.outputs["output"] for each in examples], plain["output"])
                lost = max(relative_gap(rows, true) for rows in others)
                assert gap < max(LIMIT, 3 * lost), (gap, lost)
            except AssertionError as error:
                raise AssertionError(f"seed {seed}, {kind}: {layer}") from error


@needs_compiler
def test_inputs_beyond_the_calibration_are_limited_in_the_same_way(tmp_path: Path) -> None:
    layer = layer_of("gru", "one layer")
    programs, (quantised,) = _programs([layer], tmp_path, EXACT)
    x = np.array([[1e9, -1e9, 3e38, np.inf, -np.inf], [np.nan, 0.0, -0.0, 1e-30, 4.0]], dtype=np.float32)
    whole, _ = programs.run(0, [{"x": x}])
    expected = IntegerInterpreter(quantised).run([{"x": x}])["output"][0]
    assert np.array_equal(whole[0]["output"], expected) and np.isfinite(expected).all()


def test_the_oracle_is_what_its_definition_says() -> None:
    """Products, factors and shifts in whole numbers and fractions of Python, not in NumPy."""
    chance = np.random.default_rng(0)
    weight, x = chance.normal(size=(9, 40)).astype(np.float32), chance.integers(-32767, 32768, size=40)
    bias = chance.normal(size=9)
    rows = rows_of(weight)
    after = multipliers(rows.scale, 13, 10, bias)
    found = after.apply(rows.sums(x))
    for row in range(9):
        total = sum(int(a) * int(b) for a, b in zip(rows.values[row], x, strict=True))
        exact = Fraction(total * int(after.factors[row]), 2**after.shift)
        value = math.floor(exact + Fraction(1, 2)) + round(float(bias[row]) * 2**10)
        assert found[row] == max(-32767, min(32767, value))
        real = float(rows.scale[row]) * total / 2**13 + bias[row]
        assert abs(found[row] / 2**10 - max(-31.999, min(31.999, real))) < 2e-3
    assert np.abs(rows.floats - weight).max() <= 0.5001 * rows.scale.max()


def test_the_functions_have_the_errors_that_they_state() -> None:
    x = np.arange(-70_000, 70_001)
    found = logistic(x) / 32768
    assert np.abs(found - 1 / (1 + np.exp(-x / 4096))).max() < 4e-5
    assert np.array_equal(logistic(x) + logistic(-x), np.full(len(x), 32768))
    values = np.array([0.25, -0.25, 0.75, -0.75, 7.9, -7.9], dtype=np.float32)
    assert quantise(values, 1).tolist() == [1, -1, 2, -2, 16, -16]
    assert rescaled(np.array([30000, -30000]), 0, 3).tolist() == [32767, -32767]
    assert all(2.0 ** (14 - fraction_of(most)) >= most for most in (1e-3, 0.99, 1.0, 1.01, 777.0))


def _change(before: list[float], after: list[float], *, higher: bool = True) -> tuple[Material, list[dict]]:
    measure = Mean("accuracy", "accuracy", higher_is_better=higher, percent=higher)
    examples = [Example({}, {"right": np.array([value])}) for value in before]
    scores = lambda outputs: (np.array([row["right"][0] for row in outputs]), measure)  # noqa: E731
    return Material("int8", (), examples, scores, 0.05), [{"right": np.array([value])} for value in after]


def test_the_change_of_the_figure_is_paired_and_large_losses_are_refused() -> None:
    right = [1.0] * 90 + [0.0] * 10
    material, after = _change(right, [0.0] * 2 + right[2:])
    change = change_of(material, after)
    assert change is not None
    assert (change.before, change.after) == (0.9, 0.88) and round(change.change, 6) == -0.02
    assert change.low < -0.02 < change.high <= 0.02 and change.high - change.low < 0.1  # unpaired it would be 0.17
    refuse_loss(change, material)
    material, after = _change(right, [0.0] * 9 + right[9:])
    with pytest.raises(ConversionError, match=r"int8 loses 10\.0 % .*--max-loss"):
        refuse_loss(change_of(material, after), material)
    material, after = _change([1.0, 2.0, 3.0], [1.1, 2.2, 3.3], higher=False)
    with pytest.raises(ConversionError, match=r"loses 10\.0 %"):
        refuse_loss(change_of(material, after), material)
    material, after = _change([1.0, 2.0, 3.0], [0.5, 1.0, 1.5], higher=False)
    gain = change_of(material, after)
    assert gain is not None and gain.loss == -0.5
    refuse_loss(gain, material)


class Chosen(Cell):
    """A cell that chooses between values and numbers, and adds up what comparisons give."""

    gates = ("first", "second")
    states = ("hidden", "memory")

    def step(self, gates_x, state, weights, recurrent_mask=None):
        hidden, memory = state
        total = gates_x + self.recurrent(hidden, weights, recurrent_mask)
        first, second = total.split(self.hidden_size, dim=1)
        kept = torch.where(first > 0, torch.tanh(first), 0.0)
        marked = torch.maximum((second > 0.25).float(), torch.sigmoid(second)).clamp(max=200.0)
        memory = torch.where(second > 0, -0.25, 0.5 * memory + 0.25 * kept)
        hidden = 0.5 * hidden + 0.5 * kept + 0.1 * memory * marked
        return {"first": first, "second": second, "hidden": hidden, "memory": memory}


@pytest.fixture
def chosen() -> Iterator[Recurrent]:
    register_cell("test-export-chosen")(Chosen)
    torch.manual_seed(2)
    try:
        yield Recurrent("test-export-chosen", INPUT, HIDDEN).eval()
    finally:
        del _REGISTRY["test-export-chosen"]


@needs_compiler
def test_choices_between_values_and_numbers_keep_their_digits(chosen: Recurrent, tmp_path: Path) -> None:
    programs, (quantised,) = _programs([chosen], tmp_path, EXACT)
    assert not quantised.mixed
    _assert_same(programs, 0, chosen, quantised)
    inputs = [each.inputs for each in layer_examples(chosen)]
    packed = Interpreter(rounded_graph(quantised.graph, quantised.rows)).run(inputs)["output"]
    found = IntegerInterpreter(quantised).run(inputs)["output"]
    assert max(np.abs(one - other).max() for one, other in zip(found, packed, strict=True)) < 2e-3


@needs_compiler
def test_layers_leave_in_integers(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layer = GRU(8, 64)
    rows = [np.random.default_rng(seed).normal(size=(30, 8)) for seed in range(5)]
    made = gatewise.export.c(layer, tmp_path / "small", precision="int8", calibration=rows)
    assert made.rounding is not None and made.rounding.gap is not None and 0 < made.rounding.gap < 0.02
    assert made.compiled is not None and made.compiled.check.greatest == 0.0 and made.compiled.check.limit == 0.0
    whole = emit_source(layer_graph(layer))
    assert made.figures["weight_bytes"] < 0.35 * whole.weight_bytes  # type: ignore[operator]
    assert made.figures["memory_bytes"] < 0.7 * whole.memory  # type: ignore[operator]
    with pytest.raises(OptionError, match="int4"):
        gatewise.export.c(layer, tmp_path / "other", precision="int4")
    with pytest.raises(OptionError, match="sequence 1 of the calibration"):
        gatewise.export.c(layer, tmp_path / "other", precision="int8", calibration=[rows[0], rows[0][:, :3]])
    assert not (tmp_path / "other").exists()


@needs_compiler
def test_a_program_with_another_bit_is_not_handed_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gatewise.export.to_c import integers

    monkeypatch.setattr(integers, "LOGISTIC", integers.LOGISTIC + 3)
    with pytest.raises(ConversionError, match="C, integers in NumPy"):
        gatewise.export.c(LSTM(3, 5), tmp_path / "out", precision="int8")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("limit", [-3.4e38, -math.inf, 2.0**30, math.nan])
def test_numbers_that_no_shift_reaches_are_refused(limit: float) -> None:
    compared = Expression("e0", "ge", ("s0", limit), 2)
    step = Program((("gates", 2), ("s0", 2)), (compared, Expression("e1", "mul", ("e0", "gates"), 2)), ("e1",))
    direction = Direction(False, Program((("x", 2),), (), ("x",)), step, (State("s0", 2),))
    stack = Stack("recurrent", 2, (Layer((direction,), False),))
    assert why_not_integers(stack, {}) == "numbers of 1,073,741,824 and more"
    small = replace(compared, operands=("s0", -(2.0**30) + 64))
    program = replace(step, expressions=(small, step.expressions[1]))
    kept = replace(stack, layers=(Layer((replace(direction, step=program),), False),))
    assert why_not_integers(kept, {}) is None


@pytest.mark.parametrize("value", [math.nan, -math.inf, 1e38])
@pytest.mark.parametrize(
    ("cell", "weight"),
    [
        ("lstm", "bias_hh_l0"),
        ("lstm coupled peephole", "weight_peephole_l0"),
        ("rnn layer norm", "norm"),
        ("gru learned start", "initial_hidden_l0"),
        ("gru", "weight_hh_l0"),
    ],
)
def test_weights_that_are_no_finite_numbers_are_refused(cell: str, weight: str, value: float, tmp_path: Path) -> None:
    layer = layer_of(cell, "one layer")
    name = next(each for each, _ in layer.named_parameters() if weight in each)
    with torch.no_grad():
        layer.get_parameter(name).view(-1)[2] = value
    message = rf"int8 does not go with the weight recurrent\.{name}.*finite.*got: "
    with pytest.raises(ConversionError, match=message) as e:
        gatewise.export.c(layer, tmp_path / "out", precision="int8")
    assert "[" in str(e.value) and "without --precision" in str(e.value) and not (tmp_path / "out").exists()


def test_weights_that_onnx_cannot_pack_are_refused(tmp_path: Path) -> None:
    layer = layer_of("gru", "one layer")
    with torch.no_grad():
        layer.get_parameter("weight_ih_l0")[1, 3] = math.nan
    with pytest.raises(ConversionError, match=r"int8 does not go with the weight .*got: nan at \[1, 3\]"):
        gatewise.export.onnx(layer, tmp_path / "out", precision="int8")


def test_what_integers_cannot_express_is_named() -> None:
    with pytest.raises(ConversionError, match="no training example"):
        quantise_graph(layer_graph(GRU(2, 3)), [])
