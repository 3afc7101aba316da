"""The compiled RNN, LSTM and GRU where calls are unusual: layouts, extremes, threads, forks, graphs."""

from __future__ import annotations

import gc
import os
import threading

import pytest
import torch
from sequence_oracle import Case, compare, kernel, needs_kernels

from gatewise import nn
from gatewise.errors import OptionError, ShapeError
from gatewise.kernels.fused.call import Inputs, Options
from gatewise.kernels.fused.sequence import sequence, zoneout_parts
from gatewise.kernels.fused.workspace import POOL

pytestmark = needs_kernels
CELLS = ["rnn", "lstm", "gru"]
cells = pytest.mark.parametrize("cell", CELLS)
EXTRAS = [{}, {"layer_norm": True, "zoneout": "mask", "mask": True}]
TRACED = {("gru", "plain"), ("lstm", "options")}
extras = pytest.mark.parametrize("extra", EXTRAS, ids=["plain", "options"])


def leaves(case: Case) -> dict[str, torch.Tensor]:
    return {name: tensor.requires_grad_() for name, tensor in case.tensors().items()}


def gradients(case: Case, given: dict[str, torch.Tensor], **keywords) -> list[torch.Tensor]:
    loss = sum((part * part).sum() for part in kernel(case, given))
    return list(torch.autograd.grad(loss, list(given.values()), **keywords))


@cells
@extras
def test_second_backward_is_right(cell, extra):
    case = Case(cell, 4, 6, 5, 20, **extra)
    given = leaves(case)
    loss = sum((part * part).sum() for part in kernel(case, given))
    first = torch.autograd.grad(loss, list(given.values()), retain_graph=True)
    again = torch.autograd.grad(loss, list(given.values()), retain_graph=True)
    third = torch.autograd.grad(loss, list(given.values()))
    for a, b, c in zip(first, again, third, strict=True):
        assert torch.equal(a, b) and torch.equal(a, c)


@cells
def test_second_derivative_is_refused(cell):
    case = Case(cell)
    given = leaves(case)
    for grads in (
        gradients(case, given, create_graph=True),
        torch.autograd.grad(kernel(case, given)[0].sum(), list(given.values()), create_graph=True),
    ):
        with pytest.raises(RuntimeError, match=r"no second derivative.*reference"):
            grads[0].sum().backward()


@cells
def test_output_changed_in_place_is_noticed(cell):
    given = leaves(Case(cell))
    output = kernel(Case(cell), given)[0]
    output.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        output.sum().backward()


@cells
def test_any_layout(cell):
    case = Case(cell, 6, 5, 8, 24)
    given = leaves(case)
    dense = gradients(case, given)
    strange = dict(given)
    strange["x"] = given["x"].transpose(0, 1).contiguous().transpose(0, 1)
    strange["weight_hh"] = given["weight_hh"].t().contiguous().t()
    wide = torch.zeros(5, 6, 16)
    wide[..., ::2] = given["x"].detach()
    for a, b in zip(kernel(case, {**given, "x": wide[..., ::2]}), kernel(case, given), strict=True):
        assert torch.equal(a, b)
    for a, b in zip(dense, gradients(case, strange_leaves(strange)), strict=True):
        assert torch.equal(a, b)
    expanded = kernel(case, given)[0]
    (grad,) = torch.autograd.grad(expanded.sum(), given["x"])
    (explicit,) = torch.autograd.grad(kernel(case, given)[0], given["x"], torch.ones_like(expanded))
    assert torch.equal(grad, explicit)


def strange_leaves(given):
    return {name: tensor.detach().requires_grad_() for name, tensor in given.items()}


@cells
@extras
def test_rows_do_not_touch_each_other(cell, extra):
    case = Case(cell, 9, 7, 5, 20, **extra)
    given = case.tensors()
    given["x"][:, 4] = float("nan")
    given["x"][3, 2] = float("inf")
    output = kernel(case, given)[0]
    clean = kernel(case, case.tensors())[0]
    others = [0, 1, 3, 5, 6, 7, 8]
    assert torch.equal(output[:, others], clean[:, others])
    if not extra:
        assert torch.isnan(output[:, 4]).all()


@cells
def test_same_bits_in_every_batch(cell):
    case = Case(cell, 13, 9, 6, 40)
    given = case.tensors()
    whole = kernel(case, given)
    for row in (0, 5, 12):
        alone = {
            n: t[:, row : row + 1] if n == "x" else t[row : row + 1] if n in ("h0", "c0") else t
            for n, t in given.items()
        }
        single = kernel(Case(cell, 1, 9, 6, 40), alone)
        assert torch.equal(single[0][:, 0], whole[0][:, row])


@cells
@extras
def test_same_bits_every_time(cell, extra):
    case = Case(cell, 7, 9, 6, 40, [9, 3, 4, 4, 9, 1, 6], **extra)
    first = gradients(case, leaves(case))
    for _ in range(3):
        assert all(torch.equal(a, b) for a, b in zip(first, gradients(case, leaves(case)), strict=True))


@cells
def test_huge_and_tiny_values(cell):
    for size in (1e30, 1e-30, 1e-42):
        case = Case(cell, 3, 5, 4, 17, initial=False)
        given = case.tensors()
        given["x"] *= size
        given["weight_hh"] *= min(size, 1.0)
        output = kernel(case, given)[0]
        assert torch.isfinite(output).all()
    ftz = torch.tensor([1e-40]) * 1.0
    assert ftz.item() > 0, "subnormals must stay on outside the kernels"


@cells
def test_calls_from_several_threads(cell):
    case = Case(cell, 5, 20, 8, 48)
    expected = gradients(case, leaves(case))
    wrong = []

    def work() -> None:
        for _ in range(10):
            if not all(torch.equal(a, b) for a, b in zip(expected, gradients(case, leaves(case)), strict=True)):
                wrong.append(1)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not wrong


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
def test_fork_after_use():
    case = Case("gru", 8, 30, 40, 64)
    expected = kernel(case, case.tensors())[0]
    child = os.fork()
    if child == 0:
        good = torch.equal(kernel(case, case.tensors())[0], expected)
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize(
    "cell", ["gru", *(pytest.param(cell, marks=pytest.mark.slow) for cell in CELLS if cell != "gru")]
)
def test_nothing_is_left_behind(cell):
    case = Case(cell, 2, 3, 4, 5)
    for _ in range(5):
        gradients(case, leaves(case))
    gc.collect()
    held, alive = POOL.held, sum(type(each) is torch.Tensor for each in gc.get_objects())
    for _ in range(300):
        gradients(case, leaves(case))
    gc.collect()
    assert POOL.held == held
    assert sum(type(each) is torch.Tensor for each in gc.get_objects()) <= alive + 5


@pytest.mark.parametrize(
    ("cell", "extra"),
    [
        # traced once without and once with options; the operator is the same one for every cell
        pytest.param(cell, extra, id=f"{cell}-{name}", marks=() if (cell, name) in TRACED else pytest.mark.slow)
        for cell in CELLS
        for name, extra in zip(("plain", "options"), EXTRAS, strict=True)
    ],
)
def test_operators_trace(cell, extra):
    case = Case(cell, 4, 5, 6, 16, **extra)
    given = leaves(case)
    expected = gradients(case, given)
    compiled = torch.compile(lambda *tensors: kernel(case, dict(zip(given, tensors, strict=True))), backend="aot_eager")
    loss = sum((part * part).sum() for part in compiled(*given.values()))
    for a, b in zip(expected, torch.autograd.grad(loss, list(given.values())), strict=True):
        assert torch.equal(a, b)


@cells
def test_operators_keep_their_promises(cell):
    case = Case(cell, 3, 4, 5, 6)
    given = leaves(case)
    tensors = [given.get(name) for name in Inputs._fields]
    torch.library.opcheck(
        torch.ops.gatewise.sequence.default,
        (*tensors, *Options(cell), True),
        test_utils=("test_schema", "test_faketensor", "test_autograd_registration"),
    )


def test_exported_graph():
    layer = nn.GRU(3, 4)
    exported = torch.export.export(layer, (torch.randn(5, 2, 3),))
    assert any("gatewise.sequence" in str(node.target) for node in exported.graph.nodes)
    x = torch.randn(5, 2, 3)
    assert torch.equal(exported.module()(x)[0], layer(x)[0])


def test_wrong_tensors_are_refused():
    x, weight_ih, weight_hh = torch.zeros(3, 1, 2), torch.zeros(6, 2), torch.zeros(6, 2)
    inputs = Inputs(x, None, None, weight_ih, weight_hh)
    for name, wrong, message in (
        ("weight_hh", torch.zeros(5, 2), r"weight_hh has the wrong shape.*\(6, 2\)"),
        ("x", x.double(), "float32"),
        ("x", x[0], "right axes"),
        ("weight_hh", None, "weight_hh is missing"),
        ("h0", torch.zeros(2, 2), "h0 has the wrong shape"),
        ("bias_ih", torch.zeros(5), "bias_ih has the wrong shape"),
        ("recurrent_mask", torch.zeros(2, 2), "recurrent_mask has the wrong shape"),
        ("zoneout_h_mask", torch.zeros(3, 1, 2), "zoneout_h_mask has the wrong type"),
        ("lengths", torch.tensor([-1]), "0 to 3"),
        ("lengths", torch.tensor([4]), "0 to 3"),
        ("lengths", torch.tensor([1, 1]), "lengths has the wrong shape"),
    ):
        with pytest.raises(ShapeError, match=message):
            sequence(Options("gru"), inputs._replace(**{name: wrong}))
    with pytest.raises(OptionError, match="0 to 1"):
        zoneout_parts(1.5)


@pytest.mark.slow
@cells
def test_training_shapes(cell):
    for batch, steps, inputs, hidden in [(32, 50, 128, 128), (64, 60, 8, 128), (20, 12, 650, 650), (1, 100, 128, 128)]:
        compare(Case(cell, batch, steps, inputs, hidden), None, 1e-4)


@pytest.mark.slow
@cells
def test_ten_thousand_calls_leave_nothing(cell):
    resource = pytest.importorskip("resource")
    case = Case(cell, 3, 4, 5, 33)
    given = leaves(case)
    for _ in range(500):
        gradients(case, given)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(10_000):
        gradients(case, given)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 20_000  # kilobytes
