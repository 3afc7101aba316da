"""The Triton kernels against the plain loop: in Triton's interpreter here, on the device where there is a GPU."""

import argparse
import importlib.util
import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from on_a_gpu import DEVICE, compare, everything, interpreted, made, needs_cuda, needs_triton

from gatewise.kernels.dispatch import force
from gatewise.kernels.registry import CELLS

pytestmark = [needs_triton, *([pytest.mark.cuda] if DEVICE == "cuda" else [])]
ROWS = {"layer_norm": True, "zoneout": 0.3, "recurrent_dropout": 0.3}
EVERY_CELL = [
    ("RNN", {"nonlinearity": "relu"} | ROWS),
    ("LSTM", {"peephole": True} | ROWS),
    ("GRU", {"reset": "before"} | ROWS),
    ("MinGRU", {"zoneout": 0.3}),
    pytest.param("LSTM", {"peephole": True, "coupled": True} | ROWS, marks=pytest.mark.slow),
    pytest.param("GRU", {"update": "replace"} | ROWS, marks=pytest.mark.slow),
    pytest.param("MinLSTM", {"zoneout": 0.3}, marks=pytest.mark.slow),
]


@pytest.mark.parametrize(("kind", "options"), EVERY_CELL)
def test_all_options_at_once_on_ragged_rows(kind, options):
    compare(made(kind, torch.float64, **options), batch=2, steps=3, lengths=[3, 2])


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU", "MinLSTM"])
def test_one_step_of_one_row(kind):
    compare(made(kind, torch.float32, width=3), batch=1, steps=1)


def test_both_directions_in_several_programs():
    """Tiles that leave rows and units over; the backward direction begins at each row's own end."""
    layer = made("RNN", torch.float32, width=5, recurrent_dropout=0.3, bidirectional=True)
    compare(layer, steps=2, lengths=[2, 1, 2], tile=4)


def test_evaluation_uses_expectations():
    compare(made("GRU", torch.float64, training=False, **ROWS), batch=1, steps=2)


def test_a_scan_goes_on_from_piece_to_piece():
    """A tile has 4 steps of 4 units in float32, 2 in float64."""
    compare(made("MinGRU", torch.float64, width=5, zoneout=0.2), batch=1, steps=3, tile=8)


def _sum_of_last(layer, x):
    return layer(x)[1].sum()


def test_gradients_of_the_last_state_alone_and_of_few_tensors():
    """No gradient reaches the output, and the input and the biases want none."""
    layer = made("GRU", torch.float64, layer_norm=True).to(DEVICE)
    layer.bias_hh_l0.requires_grad_(False)
    x = torch.randn(2, 2, 5, dtype=torch.float64).to(DEVICE)
    with force("reference"):
        expected = torch.autograd.grad(_sum_of_last(layer, x), layer.weight_hh_l0)
    with interpreted():
        got = torch.autograd.grad(_sum_of_last(layer, x), layer.weight_hh_l0)
    assert torch.allclose(got[0], expected[0], rtol=0, atol=1e-12)


def test_a_second_backward_gives_the_same_bits_and_a_second_derivative_is_refused():
    layer = made("RNN", torch.float64, layer_norm=True).to(DEVICE)
    x = torch.randn(2, 2, 5, dtype=torch.float64).to(DEVICE).requires_grad_()
    with interpreted():
        loss = layer(x)[0].pow(2).sum()
        first, second = (torch.autograd.grad(loss, x, retain_graph=True)[0] for _ in range(2))
        assert torch.equal(first, second)
        (again,) = torch.autograd.grad(loss, x, create_graph=True)
        with pytest.raises(RuntimeError, match="no second derivative"):
            torch.autograd.grad(again.sum(), x)


def test_a_nan_stays_in_its_row():
    layer = made("LSTM", torch.float32, layer_norm=True).to(DEVICE)
    x = torch.randn(2, 3, 5).to(DEVICE)
    x[0, 1, 0] = float("nan")
    with interpreted(), torch.no_grad():
        output, _ = layer(x)
    assert output[:, 1].isnan().all() and output[:, [0, 2]].isfinite().all()


@pytest.mark.parametrize("kind", ["LSTM", "MinLSTM"])
def test_large_inputs_do_not_overflow(kind):
    layer = made(kind, torch.float64)
    with torch.no_grad():
        layer.weight_ih_l0 *= 300.0
    compare(layer, batch=1, steps=1)


def _own_options(kind):
    if kind == "GRU":
        return [{"reset": a, "update": b} for a in ("after", "before") for b in ("keep", "replace")]
    if kind == "LSTM":
        return [{"peephole": a, "coupled": b} for a in (False, True) for b in (False, True)]
    return [{"nonlinearity": "tanh"}, {"nonlinearity": "relu"}]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_every_pair_of_options(kind):
    """Each option of the cell with each pair of row options, with and without biases, in evaluation and in training."""
    pairs = itertools.cycle(itertools.combinations(ROWS, 2))
    for number, own in enumerate(_own_options(kind)):
        options = {name: ROWS[name] for name in next(pairs)} | own
        compare(made(kind, torch.float64, training=number % 2 == 0, bias=number % 3 > 0, **options), batch=2, steps=2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("width", [1, 11])
def test_tiles_that_leave_rows_and_units_over(kind, width):
    options = {"reset": "before"} if kind == "GRU" else {}
    compare(
        made(kind, torch.float32, width=width, zoneout=0.3, **options),
        batch=5,
        steps=2,
        lengths=[1, 2, 2, 1, 2],
        tile=8,
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["MinGRU", "MinLSTM"])
def test_scans_of_many_pieces(kind):
    compare(made(kind, torch.float64, bidirectional=True, zoneout=0.2), batch=2, steps=17, lengths=[17, 3])
    compare(made(kind, torch.float32, training=False, width=3, zoneout=0.2), batch=1, steps=40)


@needs_cuda
@pytest.mark.cuda
@pytest.mark.parametrize(("kind", "options"), EVERY_CELL)
def test_the_gpu_equals_the_loop_on_the_cpu(kind, options):
    """Evaluation, since a GPU draws other masks from the same seed."""
    layer = made(kind, torch.float64, training=False, **options)
    x = torch.randn(40, 7, 5, dtype=torch.float64)
    lengths = [40, 1, 39, 17, 20, 33, 2]
    with force("reference"):
        expected = everything_of(layer, x, lengths)
    layer.cuda()
    got = everything_of(layer, x.cuda(), lengths)
    assert layer.kernel == "triton", layer.explain_kernel()
    for name, value in expected.items():
        assert torch.allclose(got[name].cpu(), value, rtol=0, atol=1e-8 * float(value.abs().max()) + 1e-12), name


def everything_of(layer, x, lengths):
    sizes = layer._cells[0].state_sizes()
    generator = torch.Generator().manual_seed(3)
    state = tuple(torch.randn(1, x.shape[1], size, dtype=x.dtype, generator=generator).to(x.device) for size in sizes)
    return everything(layer, x.clone().requires_grad_(), tuple(each.requires_grad_() for each in state), lengths)


@needs_cuda
@pytest.mark.cuda
@pytest.mark.parametrize(("kind", "options"), EVERY_CELL)
def test_a_captured_graph_replays_the_walk(kind, options):
    """Nothing in a walk waits for the device: forward and backward can be captured and replayed on new numbers."""
    layer = made(kind, torch.float32, training=False, **options).cuda()
    x = torch.randn(6, 4, 5, device="cuda", requires_grad=True)

    def run():
        output, _ = layer(x)
        return output, torch.autograd.grad(output.square().sum(), [x, *layer.parameters()])

    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured, gradients = run()
    with torch.no_grad():
        x.copy_(torch.randn_like(x))
    graph.replay()
    expected, wanted = run()
    assert torch.allclose(captured, expected, atol=1e-6)
    assert all(torch.allclose(a, b, atol=1e-4) for a, b in zip(gradients, wanted, strict=True))


@pytest.mark.slow
def test_every_kernel_compiles_for_a_gpu_within_its_registers(tmp_path):
    """To machine code, without a GPU; the walks run on the meta device, where nothing can be read back."""
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    command = [sys.executable, str(Path(__file__).with_name("gpu_dry_run.py")), "sm_90", "float32"]
    done = subprocess.run(
        command, env=environment | {"TRITON_CACHE_DIR": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    made = [json.loads(line) for line in done.stdout.splitlines()]
    assert {each["cell"] for each in made} == set(CELLS)
    assert [each for each in made if each["stack"] > 0] == []


@pytest.fixture
def benchmark(monkeypatch):
    """`benchmarks/gpu.py` with one layer of one shape."""
    path = Path(__file__).parents[2] / "benchmarks" / "gpu.py"
    spec = importlib.util.spec_from_file_location("gpu_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "LAYERS", [("RNN", {"layer_norm": True})])
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    return module


def _asked_of(benchmark, **more):
    return argparse.Namespace(**{"shape": [(1, 1, 2, 3)], "rounds": 1, "tf32": False, "check": False} | more)


def test_the_benchmark_times_what_agrees_with_the_loop(benchmark):
    """Here it runs in the interpreter, whose times the program itself refuses to take."""
    (row,) = benchmark.measure(_asked_of(benchmark), DEVICE)
    assert row["parity"] and {"triton", "loop"} <= row["training"].keys() == row["inference"].keys()
    assert "training ms" in benchmark.line_of(row)


def test_the_benchmark_reports_no_time_while_parity_is_red(benchmark, monkeypatch):
    monkeypatch.setattr(benchmark, "LIMITS", {False: -1.0})
    (row,) = benchmark.measure(_asked_of(benchmark), DEVICE)
    assert not row["parity"] and "training" not in row and "NOT HOLD" in benchmark.line_of(row)


@pytest.mark.skipif(DEVICE == "cuda", reason="there is a GPU")
def test_the_benchmark_times_nothing_without_a_gpu(benchmark, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["gpu.py"])
    assert benchmark.main() == 2
