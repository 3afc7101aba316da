"""The kernels compiled for AArch64 (NEON), run in an emulator against the float64 equations. Nothing is timed."""

from __future__ import annotations

import itertools
import subprocess

import pytest
import torch
from emulated import COMPILER, EMULATOR, Emulated, build, calls_of
from sequence_oracle import CHOICE, Case
from test_activations import assert_accurate, sweep
from test_fused_options import OPTIONS, READINGS
from test_fused_plain import CELLS, SIZES

from gatewise.kernels.fused.call import Sequence
from gatewise.kernels.fused.library import load
from gatewise.kernels.variants import VARIANTS
from gatewise.nn import GRU, LSTM, RNN, MinGRU, MinLSTM
from gatewise.nn.fused import run_fused
from gatewise.nn.time_loop import Direction, run_reference

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(load()[0] is None, reason="no compiled kernels here to call in place of"),
]


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    return build(tmp_path_factory.mktemp("aarch64"))


@pytest.fixture(scope="module")
def emulated(program):
    driver = Emulated(program)
    yield driver
    driver.close()


def check(emulated, case, tolerance=5e-5):
    """One case there; each is at least a training forward, a backward and an inference."""
    assert calls_of(emulated, case, tolerance) >= 3


@pytest.mark.parametrize(("cell", "options"), CELLS)
def test_sizes_and_directions(emulated, cell, options):
    for size, reverse in itertools.product(SIZES, (False, True)):
        batch, steps, inputs, hidden = size
        check(emulated, Case(cell, batch, steps, inputs, hidden, reverse=reverse, options=options), 2e-5)


@pytest.mark.parametrize(("cell", "options"), READINGS)
def test_every_option(emulated, cell, options):
    for option, reverse in itertools.product(OPTIONS.values(), (False, True)):
        lengths = [4, 6, 0, 1, 5, 6, 2, 3] if reverse else None
        check(emulated, Case(cell, 8, 6, 5, 19, lengths, reverse, options=options, **option))
    check(emulated, Case(cell, bias=False, initial=False, options=options))


@pytest.mark.parametrize("coupled", [False, True])
def test_peepholes(emulated, coupled):
    for extra in ({}, {"layer_norm": True}, {"zoneout": "mask", "mask": True}):
        check(emulated, Case("lstm", 4, 7, 3, 18, peephole=True, options={"coupled": coupled}, **extra))


@pytest.mark.parametrize(("cell", "options"), CELLS)
def test_threads(emulated, cell, options):
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        check(emulated, Case(cell, 9, 12, 30, 50, lengths=[12, 1, 7, 3, 9, 12, 0, 5, 2], options=options))
        check(emulated, Case(cell, 2, 40, 30, 70, options=options))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("kind", [MinGRU, MinLSTM])
def test_scanning_cells(emulated, kind):
    for hidden, reverse, lengths in ((1, False, None), (19, True, [7, 2, 0, 5]), (70, False, [1, 7, 7, 3])):
        cell = kind(5, hidden)._cells[0]
        shapes = cell.parameter_shapes()
        drawn = {name: torch.randn(shape) for name, shape in shapes.items()} | {"x": torch.randn(7, 4, 5)}
        drawn["h0"] = torch.rand(4, hidden)
        rows = None if lengths is None else torch.tensor(lengths)
        results = []
        for run, dtype in ((lambda each: run_fused(CHOICE, each), torch.float32), (run_reference, torch.float64)):
            given = {name: value.detach().to(dtype).requires_grad_() for name, value in drawn.items()}
            weights = {name: given[name] for name in shapes}
            with emulated:
                output, (last,) = run(Direction(cell, given["x"], (given["h0"],), weights, rows, reverse))
                ((output * output).sum() + last.sum()).backward()
            results.append([output.detach(), last.detach(), *(each.grad for each in given.values())])
        for got, expected in zip(*results, strict=True):
            assert (got - expected).abs().max() <= 2e-5 * max(float(expected.abs().max()), 1e-3)


@pytest.mark.parametrize("kind", [RNN, LSTM, GRU, MinGRU, MinLSTM])
def test_streams(emulated, kind):
    for batch, hidden in ((1, 7), (3, 33)):
        layer = kind(5, hidden)
        cell = layer._cells[0]
        x = torch.randn(6, batch, 5)
        with torch.no_grad():
            expected, state = layer.double()(x.double())
        layer.float()
        states = list(state) if isinstance(state, tuple) else [state]
        output, found = torch.empty(6, batch, hidden), [torch.empty(batch, hidden) for _ in states]
        arguments = Sequence(6, batch, 5, hidden, 1)
        arguments.x, arguments.x_step_stride, arguments.x_batch_stride = x.data_ptr(), batch * 5, 5
        for name in cell.parameter_shapes():
            setattr(arguments, name, getattr(layer, f"{name}_l0").data_ptr())
        arguments.output = output.data_ptr()
        for name, each in zip(("h_n", "c_n"), found, strict=False):
            setattr(arguments, name, each.data_ptr())
        emulated.run(cell.name, "session", arguments)
        assert torch.allclose(output.double(), expected, atol=2e-6)
        assert all(torch.allclose(one.double(), two[0], atol=4e-6) for one, two in zip(found, states, strict=True))


def test_activations(program, tmp_path):
    neon = next(variant for variant in VARIANTS if variant.name == "neon")
    results = sweep(neon, tmp_path, 65_537, 16_411, compiler=[COMPILER, "-static", "-pthread"], start=[EMULATOR])
    assert set(results) == {"exp", "sigmoid", "tanh"}
    assert_accurate(results)


def test_the_tile_product_uses_fused_vector_instructions(program):
    """The vector types of the sources become NEON's, four lanes at a time, multiplied and added in one."""
    library = str(program.parent / "libgatewise-neon.so")
    done = subprocess.run([COMPILER.replace("g++", "objdump"), "-d", library], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    fused = [line for line in done.stdout.splitlines() if "\tfmla\t" in line and ".4s" in line]
    assert len(fused) > 500
