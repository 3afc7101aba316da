"""The compiled MinGRU and MinLSTM layers against their reference steps in double precision."""

import itertools

import pytest
import torch

from gatewise.errors import ShapeError
from gatewise.kernels.dispatch import force
from gatewise.kernels.fused.call import Inputs, Options
from gatewise.kernels.fused.library import available_variants
from gatewise.kernels.fused.sequence import sequence
from gatewise.kernels.mingru.reference import step as mingru_step
from gatewise.kernels.minlstm.reference import step as minlstm_step

pytestmark = pytest.mark.skipif(not available_variants(), reason="no compiled kernels")
CELLS = {"mingru": (mingru_step, 2), "minlstm": (minlstm_step, 3)}
SHAPES = [(5, 3, 4, 37), (1, 1, 1, 1), (6, 5, 3, 16), (30, 1, 9, 8), (3, 30, 5, 64), (7, 20, 40, 70)]
cells = pytest.mark.parametrize("cell", CELLS)


def scan_layer(cell, x, weight, bias, h0, lengths=None, reverse=False):
    """The compiled layer: output and last state."""
    return sequence(Options(cell, reverse), Inputs(x, h0, None, weight, None, bias, lengths=lengths))


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


def draw(generator, *sizes):
    return torch.randn(sizes, generator=generator)


def make_leaves(cell, steps, batch, inputs, hidden, seed=0):
    """x, weight, bias and initial state, all with gradients; large enough to saturate some gates."""
    generator, rows = torch.Generator().manual_seed(seed), CELLS[cell][1] * hidden
    tensors = [
        draw(generator, steps, batch, inputs) * 2,
        draw(generator, rows, inputs) / inputs**0.5,
        draw(generator, rows),
        draw(generator, batch, hidden),
    ]
    return [each.requires_grad_() for each in tensors]


@pytest.mark.parametrize("variant", available_variants())
@cells
@pytest.mark.parametrize("kept", [True, False], ids=["gates kept", "gates computed again"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_the_reference_with_all_gradients(cell, shape, kept, variant, monkeypatch):
    """Input product and scan in one pass; more rows than one chunk, widths that are no multiple of a register."""
    monkeypatch.setattr("gatewise.kernels.fused.eager.KEPT_VALUES", 1 << 30 if kept else 0)
    step, _ = CELLS[cell]
    steps, batch, _, hidden = shape
    generator = torch.Generator().manual_seed(hidden)
    ragged = torch.randint(0, steps + 1, (batch,), generator=generator)
    for reverse, lengths in ((False, None), (False, ragged), (True, None), (True, ragged)):
        leaves = make_leaves(cell, *shape)
        weight, last_weight = draw(generator, steps, batch, hidden), draw(generator, batch, hidden)
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


@cells
def test_large_inputs_saturate_without_nan(cell):
    """Both gates of the MinLSTM shut at once is 0 / 0 in its textbook form."""
    step, gates = CELLS[cell]
    values = torch.tensor([-200.0, -90.0, -30.0, 0.0, 30.0, 90.0, 200.0])
    x = torch.cartesian_prod(*[values] * gates).reshape(-1, 1, gates).requires_grad_()
    h0 = torch.full((1, 1), 0.75)
    output, _ = scan_layer(cell, x, torch.eye(gates), None, h0)
    output.sum().backward()
    wanted, _ = oracle(step, x.detach().double(), h0.double(), None, False)
    assert bool(torch.isfinite(x.grad).all())
    assert relative(output, wanted) < 2e-6


@cells
@pytest.mark.parametrize("place", [0, 1])
def test_nan_stays_in_its_row_and_in_its_channel_and_is_not_lost(cell, place):
    gates = CELLS[cell][1]
    x, weight, bias = torch.zeros(4, 2, 3), torch.ones(gates * 5, 3), torch.zeros(gates * 5)
    x[1, 0, place] = float("nan")
    output, last = scan_layer(cell, x, weight, bias, torch.zeros(2, 5))
    assert torch.isnan(output[1:, 0]).all() and torch.isnan(last[0]).all()
    assert torch.isfinite(output[0]).all() and torch.isfinite(output[:, 1]).all()
    bias[place * 5 + 3] = float("nan")
    output, _ = scan_layer(cell, torch.zeros(4, 2, 3), weight, bias, torch.zeros(2, 5))
    assert torch.isnan(output[..., 3]).all() and torch.isfinite(output[..., [0, 1, 2, 4]]).all()


PLACES = [
    (cell, where)
    for cell, (_, gates) in CELLS.items()
    for where in ("input", "state", *(f"bias of gate {gate}" for gate in range(gates)))
]


# the widest variant in all ways; the others, which differ in their lanes alone, plain, and ragged backward
WAYS = [
    pytest.param(variant, ragged, reverse, marks=() if ragged == reverse or not place else pytest.mark.slow)
    for place, variant in enumerate(available_variants())
    for ragged, reverse in itertools.product((False, True), repeat=2)
]


@pytest.mark.parametrize(("variant", "ragged", "reverse"), WAYS)
@pytest.mark.parametrize("kept", [True, False], ids=["gates kept", "gates computed again"])
@pytest.mark.parametrize(("cell", "where"), PLACES)
def test_nan_is_where_the_reference_has_it_in_all_gradients(cell, kept, where, ragged, reverse, variant, monkeypatch):
    """From its step on and nowhere else, in outputs, states and every gradient; padded steps have none."""
    monkeypatch.setattr("gatewise.kernels.fused.eager.KEPT_VALUES", 1 << 30 if kept else 0)
    step, _ = CELLS[cell]
    x, weight, bias, h0 = (each.detach() for each in make_leaves(cell, 30, 3, 4, 19))
    gate = int(where[-1]) if where.startswith("bias") else 0
    place = {"input": (x, (11, 1, 2)), "state": (h0, (1, 5))}.get(where, (bias, (gate * 19 + 7,)))
    place[0][place[1]] = float("nan")
    lengths = torch.tensor([30, 20, 9]) if ragged else None
    leaves = [each.clone().requires_grad_() for each in (x, weight, bias, h0)]
    exact = [each.double().requires_grad_() for each in (x, weight, bias, h0)]
    weights = draw(torch.Generator().manual_seed(3), 30, 3, 19)
    with force(variant):
        found = scan_layer(cell, *leaves, lengths=lengths, reverse=reverse)
        (found[0] * weights).sum().backward()
        with torch.no_grad():
            assert torch.equal(scan_layer(cell, *leaves, lengths=lengths, reverse=reverse)[0].isnan(), found[0].isnan())
    rows = []
    for row in range(3):  # one by one and without padding, through which the plain loop's NaN would come back
        length = 30 if lengths is None else int(lengths[row])
        gates_x = torch.nn.functional.linear(exact[0][:length, row : row + 1], *exact[1:3])
        output, last = oracle(step, gates_x, exact[3][row : row + 1], None, reverse)
        (output * weights[:length, row : row + 1]).sum().backward()
        rows.append((output[:, 0], last[0]))
    for row, (output, last) in enumerate(rows):
        assert torch.equal(found[0][: len(output), row].isnan(), output.isnan())
        assert not found[0][len(output) :, row].any() and torch.equal(found[1][row].isnan(), last.isnan())
    assert any(output.isnan().any() for output, _ in rows)
    for got, want in zip(leaves, exact, strict=True):
        assert torch.equal(got.grad.isnan(), want.grad.isnan())


@cells
def test_no_steps_give_the_initial_state(cell):
    x, weight, bias, h0 = make_leaves(cell, 0, 3, 2, 4)
    output, last = scan_layer(cell, x, weight, bias, h0)
    assert output.shape == (0, 3, 4)
    assert torch.equal(last, h0)


@cells
def test_a_strided_view_equals_its_copy_without_bias_and_x_gradient(cell):
    _, weight, _, h0 = make_leaves(cell, 6, 2, 5, 8)
    x = torch.randn(2, 6, 5).transpose(0, 1)
    (output, last), (want, want_last) = (scan_layer(cell, each, weight, None, h0) for each in (x, x.contiguous()))
    assert torch.equal(output, want) and torch.equal(last, want_last)
    assert torch.equal(*(torch.autograd.grad(each.sum(), weight)[0] for each in (last, want_last)))


@cells
def test_the_same_bits_for_any_number_of_threads_and_twice(cell):
    leaves = make_leaves(cell, 90, 20, 30, 50)
    former = torch.get_num_threads()
    try:
        results = []
        for threads in (1, 2, 3, 8):
            torch.set_num_threads(threads)
            output = scan_layer(cell, *leaves)[0]
            first = torch.autograd.grad(output.sum(), leaves, retain_graph=True)
            results += [(output, *first), (output, *torch.autograd.grad(output.sum(), leaves))]
    finally:
        torch.set_num_threads(former)
    for each in results[1:]:
        assert all(torch.equal(got, want) for got, want in zip(each, results[0], strict=True))


@cells
def test_second_derivatives_are_refused_clearly(cell):
    leaves = make_leaves(cell, 2, 3, 4, 5)
    slope = torch.autograd.grad(scan_layer(cell, *leaves)[0].sum(), leaves[0], create_graph=True)[0]
    with pytest.raises(RuntimeError, match=r"no second derivative.*reference"):
        slope.sum().backward()


def test_wrong_tensors_never_reach_the_pointers():
    x, weight, bias, h0 = torch.zeros(2, 3, 5), torch.zeros(8, 5), torch.zeros(8), torch.zeros(3, 4)
    for wrong in (
        (x[0], weight, bias, h0),
        (x, weight[:7], bias, h0),
        (x, weight, bias[:7], h0),
        (x, weight, bias, h0[:2]),
        (x.double(), weight, bias, h0),
        (x.double(), weight.double(), bias.double(), h0.double()),
    ):
        with pytest.raises(ShapeError):
            scan_layer("mingru", *wrong)
    for lengths in ([1, 2], [1, 2, 3], [1, -1, 2]):
        with pytest.raises(ShapeError, match="length"):
            scan_layer("mingru", x, weight, bias, h0, lengths=torch.tensor(lengths))
    with pytest.raises(ShapeError, match="weight_hh"):
        sequence(Options("mingru"), Inputs(x, h0, None, weight, torch.zeros(8, 4), bias))


@cells
@pytest.mark.parametrize("kept", [True, False], ids=["gates kept", "gates computed again"])
@pytest.mark.parametrize("lengths", [None, [1, 3]], ids=str)
def test_a_traced_call_equals_an_eager_one(cell, lengths, kept, monkeypatch):
    """Also that the operator keeps torch's rules: schema, fake rule, autograd registration."""
    monkeypatch.setattr("gatewise.kernels.fused.eager.KEPT_VALUES", 1 << 30 if kept else 0)
    leaves, rows = make_leaves(cell, 3, 2, 5, 4), None if lengths is None else torch.tensor(lengths)
    compiled = torch.compile(lambda *each: scan_layer(cell, *each, lengths=rows), backend="aot_eager", fullgraph=True)
    results = []
    for call in (compiled, lambda *each: scan_layer(cell, *each, lengths=rows)):
        output, last = call(*leaves)
        results.append([output, last, *torch.autograd.grad((output * output).sum() + last.sum(), leaves)])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))
    x, weight, bias, h0 = leaves
    inputs = Inputs(x, h0, None, weight, None, bias, lengths=rows)
    tests = ("test_schema", "test_faketensor", "test_autograd_registration")
    torch.library.opcheck(torch.ops.gatewise.sequence.default, (*inputs, *Options(cell), True), test_utils=tests)
