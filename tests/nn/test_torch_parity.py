"""gatewise.nn equals torch.nn: outputs, final states and every gradient, on random weights and odd sizes."""

from __future__ import annotations

import itertools
import random
from typing import Any

import pytest
import torch
from conformance import assert_as_exact_as, assert_same, gradients, precisions
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

import gatewise.nn
from gatewise.kernels.dispatch import force

GRID: list[dict[str, Any]] = [
    {
        "kind": kind,
        "input_size": i,
        "hidden_size": h,
        "steps": t,
        "batch": b,
        "num_layers": layers,
        "bidirectional": bidirectional,
        "bias": bias,
        "batch_first": batch_first,
        "hx": hx,
        "lengths": lengths,
        "unbatched": unbatched,
    }
    for kind, i, h, t, b, layers, bidirectional, bias, batch_first, hx, lengths, unbatched in itertools.product(
        ("rnn_tanh", "rnn_relu", "lstm", "lstm_proj", "gru"),
        (1, 3, 17, 33),
        (1, 3, 17, 33),
        (1, 2, 37),
        (1, 2, 5),
        (1, 2, 3),
        (False, True),
        (True, False),
        (False, True),
        (False, True),
        (False, True),
        (False, True),
    )
    if not (kind == "lstm_proj" and h == 1) and not (unbatched and (lengths or b > 1))
]


def sample(count: int, seed: int) -> list[Any]:
    chosen = random.Random(seed).sample(GRID, count)
    return [pytest.param(each, id="-".join(f"{key[:5]}={value}" for key, value in each.items())) for each in chosen]


def build(kind: str, dtype: torch.dtype, **arguments: Any) -> tuple[torch.nn.Module, torch.nn.Module]:
    """The same layer from both libraries, with the same weights because the seed is the same."""
    name = kind.split("_")[0].upper()
    if kind.startswith("rnn"):
        arguments["nonlinearity"] = kind[4:]
    if kind == "lstm_proj":
        arguments["proj_size"] = (arguments["hidden_size"] + 1) // 2
    torch.manual_seed(3)
    theirs = getattr(torch.nn, name)(**arguments, dtype=dtype)
    torch.manual_seed(3)
    mine = getattr(gatewise.nn, name)(**arguments, dtype=dtype)
    return theirs, mine


class Ragged(torch.nn.Module):
    """torch.nn's layer on a ragged batch, by packing."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor, hx: Any, lengths: torch.Tensor) -> Any:
        first = self.inner.batch_first
        steps = x.shape[1 if first else 0]
        packed = pack_padded_sequence(x, lengths, batch_first=first, enforce_sorted=False)
        output, final = self.inner(packed, hx)
        return pad_packed_sequence(output, batch_first=first, total_length=steps)[0], final


def check(setting: dict[str, Any], dtype: torch.dtype) -> None:
    setting = dict(setting)
    kind, steps, batch = setting.pop("kind"), setting.pop("steps"), setting.pop("batch")
    with_hx, ragged, unbatched = setting.pop("hx"), setting.pop("lengths"), setting.pop("unbatched")
    theirs, mine = build(kind, dtype, **setting)
    torch.manual_seed(4)
    shape = (batch, steps) if setting["batch_first"] else (steps, batch)
    x = torch.randn(*((steps,) if unbatched else shape), setting["input_size"], dtype=dtype)
    hx = None
    if with_hx:
        start = mine.initial_state(None if unbatched else batch)
        hx = tuple(torch.randn_like(each) for each in start) if kind.startswith("lstm") else torch.randn_like(start)
    options = {"lengths": torch.randint(1, steps + 1, (batch,))} if ragged else {}
    oracle = Ragged(theirs) if ragged else theirs
    got, expected = gradients(mine, x, hx, **options), named(gradients(oracle, x, hx, **options))
    if dtype == torch.float64:
        assert_same(got, expected)
        with force("reference"):
            assert_same(gradients(mine, x, hx, **options), expected)
    else:
        assert_as_exact_as(got, expected, named(gradients(oracle.double(), x.double(), doubled(hx), **options)))


def named(results: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.removeprefix("inner."): value for name, value in results.items()}


def doubled(hx: Any) -> Any:
    return None if hx is None else hx.double() if isinstance(hx, torch.Tensor) else tuple(each.double() for each in hx)


@pytest.mark.parametrize("setting", sample(60, seed=1))
@pytest.mark.parametrize("dtype", precisions(), ids=str)
def test_equals_torch(setting, dtype):
    check(setting, dtype)


@pytest.mark.parametrize("setting", sample(20, seed=2))
def test_equals_torch_in_float32(setting):
    check(setting, torch.float32)


@pytest.mark.slow
@pytest.mark.parametrize("setting", sample(900, seed=3))
@pytest.mark.parametrize("dtype", sorted({*precisions(), torch.float32}, key=str), ids=str)
def test_equals_torch_over_the_grid(setting, dtype):
    check(setting, dtype)


@pytest.mark.parametrize("kind", ["rnn_tanh", "lstm", "lstm_proj", "gru"])
def test_same_seed_gives_same_weights_names_and_shapes(kind):
    theirs, mine = build(kind, torch.float32, input_size=5, hidden_size=7, num_layers=3, bidirectional=True)
    assert list(theirs.state_dict()) == list(mine.state_dict())
    for name, value in theirs.state_dict().items():
        assert torch.equal(value, mine.state_dict()[name]), name
    assert [len(group) for group in theirs.all_weights] == [len(group) for group in mine.all_weights]


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_options_draw_after_the_standard_weights(name):
    torch.manual_seed(5)
    plain = getattr(gatewise.nn, name)(5, 7, 2, bidirectional=True)
    torch.manual_seed(5)
    extra = {"peephole": True} if name == "LSTM" else {}
    rich = getattr(gatewise.nn, name)(5, 7, 2, bidirectional=True, layer_norm=True, learned_initial_state=True, **extra)
    for key, value in plain.state_dict().items():
        assert torch.equal(value, rich.state_dict()[key]), key


@pytest.mark.parametrize("kind", ["rnn_tanh", "lstm", "gru"])
def test_dropout_between_layers_equals_torch_under_the_same_seed(kind):
    theirs, mine = build(
        kind, torch.float64, input_size=3, hidden_size=4, num_layers=3, dropout=0.4, bidirectional=True
    )
    x = torch.randn(6, 2, 3, dtype=torch.float64)
    torch.manual_seed(9)
    expected, _ = theirs(x)
    for implementation in ("torch", "reference"):
        with force(implementation):
            torch.manual_seed(9)
            got, _ = mine(x)
        assert torch.allclose(got, expected, atol=1e-12)


@pytest.mark.parametrize("kind", ["rnn_relu", "lstm", "lstm_proj", "gru"])
@pytest.mark.parametrize("enforce_sorted", [True, False])
@pytest.mark.parametrize("with_hx", [True, False])
def test_packed_sequence_in_and_out(kind, enforce_sorted, with_hx):
    theirs, mine = build(kind, torch.float64, input_size=3, hidden_size=4, num_layers=2, bidirectional=True)
    x = torch.randn(6, 4, 3, dtype=torch.float64)
    lengths = torch.tensor([6, 4, 4, 1]) if enforce_sorted else torch.tensor([2, 6, 1, 5])
    packed = pack_padded_sequence(x, lengths, enforce_sorted=enforce_sorted)
    start = mine.initial_state(4)
    hx = None
    if with_hx:
        hx = tuple(map(torch.randn_like, start)) if kind.startswith("lstm") else torch.randn_like(start)
    expected, expected_final = theirs(packed, hx)
    got, final = mine(packed, hx)
    assert isinstance(got, PackedSequence)
    assert torch.allclose(got.data, expected.data, atol=1e-12)
    for field in ("batch_sizes", "sorted_indices", "unsorted_indices"):
        theirs_field, mine_field = getattr(expected, field), getattr(got, field)
        assert (theirs_field is None) == (mine_field is None)
        assert theirs_field is None or torch.equal(theirs_field, mine_field)
    pairs = zip(final, expected_final, strict=True) if isinstance(final, tuple) else [(final, expected_final)]
    assert all(torch.allclose(a, b, atol=1e-12) for a, b in pairs)


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precisions_are_what_torch_computes(name, dtype):
    torch.manual_seed(1)
    theirs = getattr(torch.nn, name)(5, 7, dtype=dtype)
    torch.manual_seed(1)
    mine = getattr(gatewise.nn, name)(5, 7, dtype=dtype)
    x = torch.randn(4, 2, 5, dtype=dtype)
    with force("torch"):
        got = mine(x)[0]
    assert got.dtype == dtype
    assert torch.equal(got, theirs(x)[0])


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
def test_autocast_gives_torchs_dtype_and_values(name):
    torch.manual_seed(1)
    theirs = getattr(torch.nn, name)(5, 7)
    torch.manual_seed(1)
    mine = getattr(gatewise.nn, name)(5, 7)
    x = torch.randn(4, 2, 5)
    with torch.autocast("cpu", torch.bfloat16):
        mine(x)[0].float().sum().backward()
    assert mine.weight_hh_l0.grad.abs().sum() > 0
    with torch.autocast("cpu", torch.bfloat16), force("torch"):
        try:
            expected = theirs(x)[0]
        except RuntimeError as error:
            pytest.skip(f"torch itself has no {name} in bfloat16 on this processor: {error}")
        got = mine(x)[0]
    assert got.dtype == expected.dtype
    assert torch.allclose(got.float(), expected.float(), atol=1e-2)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", ["rnn_tanh", "lstm", "lstm_proj", "gru"])
@pytest.mark.parametrize("ragged", [True, False])
def test_cudnn_equals_the_reference(kind, ragged):
    _, mine = build(kind, torch.float64, input_size=5, hidden_size=6, num_layers=2, bidirectional=True)
    x = torch.randn(7, 4, 5, dtype=torch.float64)
    options = {"lengths": torch.tensor([7, 2, 5, 1])} if ragged else {}
    with force("reference"):
        expected = gradients(mine, x, **options)
    mine.cuda()
    got = gradients(mine, x.cuda(), **{key: value.cuda() for key, value in options.items()})
    assert mine.kernel == "torch"
    assert_same({key: value.cpu() for key, value in got.items()}, expected, 1e-8)
