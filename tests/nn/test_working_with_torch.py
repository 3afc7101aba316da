"""vmap and grad, export, compile, checkpointing of states, optimizers: what people do with layers in PyTorch."""

from __future__ import annotations

import copy
from contextlib import nullcontext

import pytest
import torch
from conformance import assert_close, cases, parametrize_cases
from torch.autograd import forward_ad

from gatewise.kernels.dispatch import force
from gatewise.kernels.fused.library import load
from gatewise.nn import GRU, LSTM, RNN, MinGRU, MinLSTM, Recurrent, frozen

FUSED = load()[0] is not None
KINDS = [RNN, LSTM, GRU, MinGRU, MinLSTM]
BASE = [case for case in cases() if not case.options or set(case.options) == {"cell_options"}]


@parametrize_cases(BASE)
def test_per_sample_gradients_by_vmap(case):
    layer = case.build(dtype=torch.float64, num_layers=2, bidirectional=True)
    parameters = dict(layer.named_parameters())
    x = torch.randn(4, 5, 3, dtype=torch.float64)

    def loss(parameters, row):
        return torch.func.functional_call(layer, parameters, (row,))[0].pow(2).sum()

    rows = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(parameters, x)
    for index in range(4):
        layer.zero_grad()
        with force("reference"):
            loss(parameters, x[index]).backward()
        for name, parameter in layer.named_parameters():
            assert_close(rows[name][index], parameter.grad, name)


@pytest.mark.parametrize("mode", ["gradients", "no gradients", "frozen", "no weight is trained"])
@pytest.mark.parametrize("kind", KINDS)
def test_forward_mode_derivatives_are_those_of_jvp(kind, mode):
    """Without gradients the compiled kernels used to run, and the derivative was lost without a word."""
    torch.manual_seed(0)
    layer = kind(3, 4, 2, bidirectional=kind is not LSTM)
    x, direction = torch.randn(5, 2, 3), torch.randn(5, 2, 3)
    with force("reference"):
        expected = torch.func.jvp(lambda each: layer(each)[0], (x,), (direction,))[1]
    if mode == "no weight is trained":
        layer.requires_grad_(False)
    gradients = nullcontext() if mode == "gradients" else torch.no_grad()
    held = frozen(layer) if mode == "frozen" else nullcontext()
    with gradients, held:
        plain = [layer(x)[0] for _ in range(3)]  # the call is prepared, and bound
        with forward_ad.dual_level():
            found = forward_ad.unpack_dual(layer(forward_ad.make_dual(x, direction))[0])
            assert found.tangent is not None, "the derivative is lost"
            assert_close(found.tangent, expected, "tangent")
            assert_close(found.primal, plain[0], "primal")
        assert torch.equal(layer(x)[0], plain[-1])
    assert not FUSED or {each.family for _, each in layer._choices} == {"fused"}, (
        "afterwards the compiled kernels run again"
    )


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ragged", [False, True], ids=["whole", "ragged"])
def test_export_keeps_the_numbers_for_other_inputs(kind, ragged):
    layer = kind(3, 4, 2, bidirectional=True, batch_first=True).eval()
    options = {"lengths": torch.tensor([5, 2])} if ragged else {}
    program = torch.export.export(layer, (torch.randn(2, 5, 3),), options)
    x = torch.randn(2, 5, 3)
    if ragged:
        options = {"lengths": torch.tensor([1, 4])}
    got, final = program.module()(x, **options)
    expected, state = layer(x, **options)
    assert_close(got, expected, "output", 1e-5)
    assert_close(*(each[0] if isinstance(each, tuple) else each for each in (final, state)), "state", 1e-5)


def test_export_of_options():
    layer = GRU(3, 4, 2, reset="before", layer_norm=True, zoneout=0.1, learned_initial_state=True, residual=True).eval()
    x = torch.randn(5, 2, 3)
    assert_close(torch.export.export(layer, (x,)).module()(x)[0], layer(x)[0], "output", 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_compiled_model_gives_the_same_values_and_gradients(kind):
    torch._dynamo.reset()
    model = torch.nn.Sequential(torch.nn.Linear(3, 3), kind(3, 4, 2, bidirectional=True))
    x = torch.randn(5, 2, 3)
    compiled = torch.compile(model, backend="aot_eager")
    results = []
    for each in (model, compiled):
        model.zero_grad()
        output, _ = each(x)
        output.sum().backward()
        results.append((output.detach(), model[0].weight.grad.clone(), model[1].weight_ih_l1_reverse.grad.clone()))
    for got, expected in zip(*results, strict=True):
        assert_close(got, expected, "compiled", 1e-5)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (RNN, {}),
        (RNN, {"nonlinearity": "relu"}),
        (GRU, {}),
        (LSTM, {}),
        (LSTM, {"proj_size": 2}),
        (GRU, {"num_layers": 2, "bidirectional": True}),
    ],
)
def test_code_for_torch_reads_the_attributes_it_knows(kind, options):
    ours, theirs = (layer(3, 4, **options) for layer in (kind, getattr(torch.nn, kind.__name__)))
    names = ("mode", "proj_size", "input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout")
    for name in (*names, "bidirectional", *(["nonlinearity"] if kind is RNN else [])):
        assert getattr(ours, name) == getattr(theirs, name), name
    with pytest.raises(AttributeError):
        ours.mode = "another"
    assert copy.deepcopy(ours).mode == theirs.mode


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_every_dtype_runs_and_has_gradients(kind, dtype):
    layer = kind(3, 4, bidirectional=True, dtype=dtype)
    single = copy.deepcopy(layer).double()
    x = torch.randn(6, 2, 3, dtype=dtype)
    output, _ = layer(x, lengths=[6, 3])
    assert output.dtype == dtype
    output.sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in layer.parameters())
    limit = {torch.bfloat16: 3e-2, torch.float16: 5e-3, torch.float64: 1e-12}[dtype]
    with force("reference"):
        assert_close(output.double(), single(x.double(), lengths=[6, 3])[0], "output", limit)


def test_an_optimizer_lowers_the_loss():
    torch.manual_seed(0)
    layer = GRU(2, 8, learned_initial_state=True, layer_norm=True)
    optimizer = torch.optim.Adam(layer.parameters(), 1e-2)
    x = torch.randn(10, 16, 2)
    target = x.cumsum(0).tanh()[..., 0]
    losses = []
    for _ in range(60):
        loss = (layer(x)[0][..., 0] - target).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 4


def test_moving_keeps_the_parameters():
    layer = GRU(3, 4, 2)
    parameters = list(layer.parameters())
    layer.double().flatten_parameters()
    assert [id(each) for each in layer.parameters()] == [id(each) for each in parameters]
    assert layer(torch.randn(5, 2, 3, dtype=torch.float64))[0].dtype == torch.float64


def test_meta_device_gives_shapes_without_memory():
    layer = LSTM(3, 4, 2, bidirectional=True, device="meta")
    with force("reference"):
        output, (hidden, cell) = layer(torch.empty(5, 2, 3, device="meta"))
    assert (output.shape, hidden.shape, cell.shape) == ((5, 2, 8), (4, 2, 4), (4, 2, 4))


def test_replacing_a_parameter_is_seen():
    layer = GRU(3, 4)
    x = torch.randn(5, 2, 3)
    layer.weight_ih_l0 = torch.nn.Parameter(torch.zeros(12, 3))
    assert torch.equal(layer(x)[0], layer(torch.zeros_like(x))[0])


def test_weight_norm_parametrization_works():
    layer = GRU(3, 4)
    x = torch.randn(5, 2, 3)
    before = layer(x)[0]
    torch.nn.utils.parametrizations.weight_norm(layer, "weight_hh_l0")
    after = layer(x)[0]
    assert_close(after, before, "output", 1e-5)
    after.sum().backward()
    assert layer.parametrizations.weight_hh_l0.original0.grad is not None


def test_frozen_and_inference_modes():
    layer = LSTM(3, 4).requires_grad_(False)
    x = torch.randn(5, 2, 3, requires_grad=True)
    layer(x)[0].sum().backward()
    assert x.grad is not None and layer.weight_ih_l0.grad is None
    with torch.inference_mode():
        assert not layer(x)[0].requires_grad


def test_kernel_and_its_reason_are_reported():
    layer = GRU(3, 4, 2, bidirectional=True, reset="before")
    assert layer.kernel is None
    assert layer.explain_kernel() == "not run yet"
    with force("torch"):
        layer(torch.randn(5, 2, 3))
    assert layer.kernel == "reference"
    assert [place for place, _ in layer.choices] == ["l0", "l0_reverse", "l1", "l1_reverse"]
    assert "l1_reverse: reference (torch was requested, but torch's gru has no reset_before)" in layer.explain_kernel()


def test_the_environment_forces_a_kernel(monkeypatch):
    layer = GRU(3, 4)
    for name in ("reference", "torch"):
        monkeypatch.setenv("GATEWISE_KERNEL", name)
        layer(torch.randn(5, 2, 3))
        assert layer.kernel == name


def test_representation_shows_what_differs_from_the_defaults():
    assert repr(GRU(2, 3)) == "GRU(2, 3)"
    assert repr(LSTM(2, [3, 4], peephole=True)) == "LSTM(2, (3, 4), num_layers=2, peephole=True)"
    assert repr(Recurrent("gru", 2, 3, zoneout=0.1)) == "Recurrent('gru', 2, 3, zoneout=(0.1,))"
