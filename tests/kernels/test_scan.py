"""The compiled MinGRU and MinLSTM against their reference steps in double precision."""

import pytest
import torch

from gatewise.errors import ShapeError
from gatewise.kernels.dispatch import force
from gatewise.kernels.fused.library import available_variants
from gatewise.kernels.fused.scan import mingru, minlstm
from gatewise.kernels.fused.scan_layer import scan_layer
from gatewise.kernels.mingru.reference import step as mingru_step
from gatewise.kernels.minlstm.reference import step as minlstm_step

pytestmark = pytest.mark.skipif(not available_variants(), reason="no compiled kernels")
CELLS = {"mingru": (mingru, mingru_step, 2), "minlstm": (minlstm, minlstm_step, 3)}
SHAPES = [(5, 3, 37), (1, 1, 1), (6, 5, 16), (9, 1, 8), (3, 30, 64)]


def oracle(step, gates_x, h0, lengths, reverse):
    """The reference step over time, in the precision of its inputs."""
    steps, batch, _ = gates_x.shape
    lengths = torch.full((batch,), steps) if lengths is None else lengths
    hidden, outputs = h0, [torch.zeros_like(h0)] * steps
    for t in reversed(range(steps)) if reverse else range(steps):
        active = (t < lengths)[:, None]
        new = step(gates_x[t], hidden)["hidden"]
        outputs[t] = torch.where(active, new, torch.zeros_like(new))
        hidden = torch.where(active, new, hidden)
    return (torch.stack(outputs) if steps else gates_x.new_zeros(0, *h0.shape)), hidden


def relative(got, want):
    got, want = got.detach().double(), want.detach()
    return float((got - want).abs().max() / want.abs().max().clamp(min=1e-12)) if want.numel() else 0.0


@pytest.mark.parametrize("variant", available_variants())
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_the_reference_with_all_gradients(cell, shape, variant):
    function, step, gates = CELLS[cell]
    steps, batch, hidden = shape
    generator = torch.Generator().manual_seed(steps * 100 + hidden)
    for reverse in (False, True):
        for lengths in (None, torch.randint(0, steps + 1, (batch,), generator=generator)):
            gates_x = (torch.randn(steps, batch, gates * hidden, generator=generator) * 3).requires_grad_()
            h0 = torch.randn(batch, hidden, generator=generator).requires_grad_()
            weight = torch.randn(steps, batch, hidden, generator=generator)
            last_weight = torch.randn(batch, hidden, generator=generator)
            with force(variant):
                output, last = function(gates_x, h0, lengths=lengths, reverse=reverse)
                ((output * weight).sum() + (last * last_weight).sum()).backward()
            exact = [each.detach().double().requires_grad_() for each in (gates_x, h0)]
            wanted, wanted_last = oracle(step, *exact, lengths, reverse)
            ((wanted * weight).sum() + (wanted_last * last_weight).sum()).backward()
            assert relative(output, wanted) < 2e-6
            assert relative(last, wanted_last) < 2e-6
            assert relative(gates_x.grad, exact[0].grad) < 3e-6
            assert relative(h0.grad, exact[1].grad) < 3e-6


@pytest.mark.parametrize("cell", CELLS)
def test_large_inputs_saturate_without_nan(cell):
    """Both gates of the MinLSTM shut at once is 0 / 0 in its textbook form."""
    function, step, gates = CELLS[cell]
    values = torch.tensor([-200.0, -90.0, -30.0, 0.0, 30.0, 90.0, 200.0])
    rows = torch.cartesian_prod(*[values] * gates).reshape(-1, 1, gates)
    gates_x = rows.clone().requires_grad_()
    h0 = torch.full((1, 1), 0.75)
    output, _ = function(gates_x, h0)
    output.sum().backward()
    wanted, _ = oracle(step, gates_x.detach().double(), h0.double(), None, False)
    assert bool(torch.isfinite(gates_x.grad).all())
    assert relative(output, wanted) < 2e-6


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("place", [0, 1])
def test_nan_in_one_channel_stays_there_and_is_not_lost(cell, place):
    function, _, gates = CELLS[cell]
    gates_x = torch.zeros(4, 2, gates * 5)
    gates_x[1, 0, place * 5 + 3] = float("nan")
    output, last = function(gates_x, torch.zeros(2, 5))
    assert torch.isnan(output[1:, 0, 3]).all() and torch.isnan(last[0, 3])
    assert torch.isfinite(output[0]).all() and torch.isfinite(output[:, 1]).all()


def test_no_steps_give_the_initial_state():
    h0 = torch.randn(3, 4)
    output, last = mingru(torch.zeros(0, 3, 8), h0)
    assert output.shape == (0, 3, 4)
    assert torch.equal(last, h0)


def test_strided_input_equals_its_copy():
    wide = torch.randn(2, 6, 16)
    strided = wide.transpose(0, 1)
    assert torch.equal(mingru(strided, torch.zeros(2, 8))[0], mingru(strided.contiguous(), torch.zeros(2, 8))[0])


def test_same_bits_for_any_number_of_threads():
    gates_x, h0 = torch.randn(300, 20, 3 * 50), torch.randn(20, 50)
    former = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 3, 8):
            torch.set_num_threads(threads)
            results.append(minlstm(gates_x, h0)[0])
    finally:
        torch.set_num_threads(former)
    assert all(torch.equal(results[0], each) for each in results[1:])


def test_retained_graph_gives_the_same_gradient_twice():
    gates_x = torch.randn(5, 2, 8, requires_grad=True)
    output, _ = mingru(gates_x, torch.zeros(2, 4))
    first = torch.autograd.grad(output.sum(), gates_x, retain_graph=True)[0]
    assert torch.equal(first, torch.autograd.grad(output.sum(), gates_x)[0])


def test_second_derivatives_are_refused_clearly():
    gates_x = torch.randn(2, 3, 8, requires_grad=True)
    slope = torch.autograd.grad(mingru(gates_x, torch.zeros(3, 4))[0].sum(), gates_x, create_graph=True)[0]
    with pytest.raises(RuntimeError, match=r"no second derivative.*reference"):
        slope.sum().backward()


@pytest.mark.parametrize(
    ("gates_x", "h0", "lengths"),
    [
        (torch.zeros(2, 3, 7), torch.zeros(3, 4), None),
        (torch.zeros(2, 3, 8), torch.zeros(2, 4), None),
        (torch.zeros(2, 3, 8).double(), torch.zeros(3, 4).double(), None),
        (torch.zeros(2, 3, 8), torch.zeros(3, 4), torch.tensor([1, 2])),
        (torch.zeros(2, 3, 8), torch.zeros(3, 4), torch.tensor([1, 2, 3])),
        (torch.zeros(2, 3, 8), torch.zeros(3, 4), torch.tensor([1, -1, 2])),
    ],
)
def test_wrong_tensors_never_reach_the_pointers(gates_x, h0, lengths):
    with pytest.raises(ShapeError):
        mingru(gates_x, h0, lengths=lengths)


def test_the_operator_keeps_torchs_rules():
    """Schema, fake rule, autograd registration and tracing with unknown sizes."""
    arguments = (torch.randn(3, 2, 8, requires_grad=True), torch.zeros(2, 4, requires_grad=True))
    for lengths in (None, torch.tensor([1, 3])):
        torch.library.opcheck(torch.ops.gatewise.scan, (*arguments, lengths, False, "mingru"))


@pytest.mark.parametrize("variant", available_variants())
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("kept", [True, False], ids=["gates kept", "gates computed again"])
@pytest.mark.parametrize("shape", [(5, 3, 4, 37), (1, 1, 1, 1), (30, 1, 9, 8), (7, 20, 40, 70)], ids=str)
def test_a_whole_layer_equals_the_reference_with_all_gradients(cell, shape, kept, variant, monkeypatch):
    """Input product and scan in one pass; more rows than one chunk, widths that are no multiple of a register."""
    monkeypatch.setattr("gatewise.kernels.fused.scan_layer.KEPT_VALUES", 1 << 30 if kept else 0)
    _, step, gates = CELLS[cell]
    steps, batch, inputs, hidden = shape
    generator = torch.Generator().manual_seed(hidden)

    def draw(*sizes):
        return torch.randn(sizes, generator=generator)

    for reverse, lengths in ((False, None), (True, torch.randint(0, steps + 1, (batch,), generator=generator))):
        tensors = [draw(steps, batch, inputs), draw(gates * hidden, inputs) / inputs**0.5, draw(gates * hidden)]
        leaves = [each.requires_grad_() for each in (*tensors, draw(batch, hidden))]
        weight, last_weight = draw(steps, batch, hidden), draw(batch, hidden)
        with force(variant):
            output, last = scan_layer(cell, *leaves, lengths=lengths, reverse=reverse)
            ((output * weight).sum() + (last * last_weight).sum()).backward()
            with torch.no_grad():
                assert torch.equal(scan_layer(cell, *leaves, lengths=lengths, reverse=reverse)[0], output)
        exact = [each.detach().double().requires_grad_() for each in leaves]
        gates_x = torch.nn.functional.linear(*exact[:3])
        wanted, wanted_last = oracle(step, gates_x, exact[3], lengths, reverse)
        ((wanted * weight).sum() + (wanted_last * last_weight).sum()).backward()
        assert relative(output, wanted) < 3e-6
        assert relative(last, wanted_last) < 3e-6
        for got, want in zip(leaves, exact, strict=True):
            assert relative(got.grad, want.grad) < 5e-6


def test_a_whole_layer_from_a_strided_view_without_bias_and_x_gradient():
    x, weight = torch.randn(2, 6, 5).transpose(0, 1), torch.randn(16, 5, requires_grad=True)
    output, last = scan_layer("mingru", x, weight, None, torch.zeros(2, 8))
    want, want_last = mingru(torch.nn.functional.linear(x, weight), torch.zeros(2, 8))
    torch.testing.assert_close((output, last), (want, want_last))
    slope = torch.autograd.grad(last.sum(), weight)[0]
    torch.testing.assert_close(slope, torch.autograd.grad(want_last.sum(), weight)[0], atol=1e-5, rtol=1e-4)


def test_a_whole_layer_gives_the_same_bits_for_any_number_of_threads_and_twice():
    leaves = [torch.randn(90, 20, 30), torch.randn(150, 30) / 5, torch.randn(150), torch.randn(20, 50)]
    leaves = [each.requires_grad_() for each in leaves]
    former = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 3, 8):
            torch.set_num_threads(threads)
            output = scan_layer("minlstm", *leaves)[0]
            first = torch.autograd.grad(output.sum(), leaves, retain_graph=True)
            results += [(output, *first), (output, *torch.autograd.grad(output.sum(), leaves))]
    finally:
        torch.set_num_threads(former)
    for each in results[1:]:
        assert all(torch.equal(got, want) for got, want in zip(each, results[0], strict=True))


def test_wrong_tensors_never_reach_the_layers_pointers():
    x, weight, bias, h0 = torch.zeros(2, 3, 5), torch.zeros(8, 5), torch.zeros(8), torch.zeros(3, 4)
    for wrong in (
        (x[0], weight, bias, h0),
        (x, weight[:7], bias, h0),
        (x, weight, bias[:7], h0),
        (x, weight, bias, h0[:2]),
        (x.double(), weight, bias, h0),
    ):
        with pytest.raises(ShapeError):
            scan_layer("mingru", *wrong)
    with pytest.raises(ShapeError, match="length"):
        scan_layer("mingru", x, weight, bias, h0, lengths=torch.tensor([1, 2, 3]))


def test_the_layers_operator_keeps_torchs_rules():
    tensors = torch.randn(3, 2, 5), torch.randn(8, 5), torch.randn(8), torch.zeros(2, 4)
    leaves = [each.requires_grad_() for each in tensors]
    torch.library.opcheck(torch.ops.gatewise.scan_layer, (*leaves, None, False, "mingru", True))
