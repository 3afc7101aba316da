"""What holds for every cell with every option: the laws, and one implementation against another."""

from __future__ import annotations

import copy
import statistics

import pytest
import torch
from conformance import (
    Case,
    assert_as_exact_as,
    assert_close,
    assert_same,
    cases,
    gradients,
    in_reference,
    not_meant_for,
    parametrize_cases,
    precisions,
    random_state,
    tensors,
    worst_error,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewise.errors import KernelError
from gatewise.kernels.dispatch import force
from gatewise.kernels.fused.library import available_variants
from gatewise.nn import Recurrent, load_layer, save_layer

STEPS, BATCH = 7, 3
DTYPE = precisions()[0]


def sequence(layer: Recurrent, steps: int = STEPS, batch: int = BATCH, seed: int = 1) -> torch.Tensor:
    torch.manual_seed(seed)
    shape = (batch, steps) if layer.batch_first else (steps, batch)
    return torch.randn(*shape, layer.input_size, dtype=DTYPE)


@parametrize_cases()
@pytest.mark.parametrize("ragged", [False, True], ids=["whole", "ragged"])
@pytest.mark.parametrize("dtype", sorted({DTYPE, torch.float32}, key=str), ids=str)
def test_every_implementation_gives_the_reference(case: Case, ragged: bool, dtype: torch.dtype):
    """In training, with the same seed: outputs, states and every gradient, masks included."""
    layer = case.build(dtype=dtype, bidirectional=True)
    x, hx = sequence(layer).to(dtype), random_state(layer, BATCH)
    options = {"seed": 11} | ({"lengths": torch.tensor([3, STEPS, 1])} if ragged else {})
    got = gradients(layer, x, hx, **options)
    plain, truth = plain_and_truth(layer, x, hx, **options)
    if dtype == torch.float64:
        assert_same(got, truth)
    else:
        assert_as_exact_as(got, plain, truth, lambda: errors_nearby(layer, x, hx, **options))


def plain_and_truth(layer: Recurrent, x: torch.Tensor, hx, **options):
    """What the reference gives as the layer is, and in float64."""
    exact = copy.deepcopy(layer).double()
    return (
        in_reference(lambda: gradients(layer, x, hx, **options)),
        in_reference(lambda: gradients(exact, x.double(), double(hx), **options)),
    )


def errors_nearby(layer: Recurrent, x: torch.Tensor, hx, draws: int = 8, **options):
    """The reference's errors in float32, with each weight moved by up to a ten-thousandth."""
    for draw in range(draws):
        moved, generator = copy.deepcopy(layer), torch.Generator().manual_seed(draw)
        with torch.no_grad():
            for parameter in moved.parameters():
                parameter *= 1 + 1e-4 * (2 * torch.rand(parameter.shape, generator=generator) - 1)
        yield worst_error(*plain_and_truth(moved, x, hx, **options))


@pytest.mark.parametrize(
    "cell", ["gru", pytest.param("rnn", marks=pytest.mark.slow), pytest.param("lstm", marks=pytest.mark.slow)]
)
def test_no_less_exact_than_torch_in_float32(cell: str):
    """With layer norm of few units and every option, which lose digits in any float32; over many weights."""
    options = {"num_layers": 2, "layer_norm": True, "zoneout": 0.2, "recurrent_dropout": 0.3, "weight_dropout": 0.3}
    ours, torchs = [], []
    for seed in range(40):
        layer = Case(cell, options).build(dtype=torch.float32, bidirectional=True, seed=seed)
        x, hx = sequence(layer, seed=seed + 1).float(), random_state(layer, BATCH)
        plain, truth = plain_and_truth(layer, x, hx, seed=11)
        ours.append(worst_error(gradients(layer, x, hx, seed=11), truth))
        torchs.append(worst_error(plain, truth))
    assert statistics.median(ours) <= 1.5 * statistics.median(torchs)
    assert sorted(ours)[36] <= 3 * sorted(torchs)[36]


def double(state):
    if isinstance(state, torch.Tensor):
        return state.double()
    return tuple(double(each) for each in state)


@parametrize_cases()
def test_split_is_whole(case: Case):
    layer = case.build(dtype=DTYPE).eval()
    x, hx = sequence(layer), random_state(layer, BATCH)
    whole, final = layer(x, hx)
    state, parts = hx, []
    for part in x.split([2, 1, 4]):
        output, state = layer(part, state)
        parts.append(output)
    assert_close(torch.cat(parts), whole, "output")
    for got, expected in zip(tensors(state), tensors(final), strict=True):
        assert_close(got, expected, "state")


@parametrize_cases()
def test_streamed_is_offline(case: Case):
    layer = case.build(dtype=DTYPE).eval()
    x = sequence(layer)
    whole, final = layer(x)
    state, outputs = layer.initial_state(BATCH), []
    for step in x:
        output, state = layer.step(step, state)
        outputs.append(output)
    assert_close(torch.stack(outputs), whole, "output")
    for got, expected in zip(tensors(state), tensors(final), strict=True):
        assert_close(got, expected, "state")


@parametrize_cases()
def test_batched_is_one_at_a_time(case: Case):
    layer = case.build(dtype=DTYPE, bidirectional=True, batch_first=True).eval()
    x, lengths = sequence(layer), torch.tensor([4, STEPS, 2])
    together, final = layer(x, lengths=lengths)
    for row, length in enumerate(lengths.tolist()):
        alone, state = layer(x[row, :length])
        assert_close(together[row, :length], alone, f"row {row}")
        for got, expected in zip(tensors(final), tensors(state), strict=True):
            assert_close(got[:, row], expected, f"state of row {row}")


@parametrize_cases()
def test_padding_never_leaks(case: Case):
    """Filled with NaN, padding changes no value and no gradient, and gets none."""
    layer = case.build(dtype=DTYPE, bidirectional=True)
    x, hx, lengths = sequence(layer), random_state(layer, BATCH), torch.tensor([4, STEPS - 1, 1])
    expected = gradients(layer, x[: STEPS - 1], hx, seed=3, lengths=lengths)
    padded = x.clone()
    for row, length in enumerate(lengths.tolist()):
        padded[length:, row] = float("nan")
    clean = gradients(layer, x, hx, seed=3, lengths=lengths)
    dirty = gradients(layer, padded, hx, seed=3, lengths=lengths)
    assert_same(dirty, clean, 0.0)
    for row, length in enumerate(lengths.tolist()):
        assert not dirty["output"][length:, row].any()
        assert not dirty["x.grad"][length:, row].any()
    if not layer.dropout and not any(layer.zoneout):  # masks are drawn for the padded shape
        trimmed = {name: value[: STEPS - 1] if name in ("output", "x.grad") else value for name, value in dirty.items()}
        weighted = {name for name in trimmed if name.startswith(("output", "state"))}
        assert_same({n: trimmed[n] for n in weighted}, {n: expected[n] for n in weighted})


@parametrize_cases()
def test_saved_and_loaded_is_the_original(case: Case, tmp_path):
    layer = case.build(dtype=DTYPE, bidirectional=True).eval()
    again = load_layer(save_layer(layer, tmp_path / "layer.safetensors")).eval()
    assert again.config() == layer.config()
    assert repr(again).split("(", 1)[1].replace(f"'{case.cell}', ", "") == repr(layer).split("(", 1)[1].replace(
        f"'{case.cell}', ", ""
    )
    x = sequence(layer)
    assert torch.equal(again(x)[0], layer(x)[0])


@parametrize_cases([case for case in cases() if not {"num_layers", "hidden_size"} & case.options.keys()])
@pytest.mark.parametrize("ragged", [False, True], ids=["whole", "ragged"])
def test_reversed_input_backward_is_forward(case: Case, ragged: bool):
    layer = case.build(dtype=DTYPE, bidirectional=True).eval()
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if name.endswith("_reverse"):
                parameter.copy_(getattr(layer, name.removesuffix("_reverse")))
    x = sequence(layer)
    lengths = torch.tensor([3, STEPS, 1]) if ragged else torch.full((BATCH,), STEPS)
    flipped = x.clone()
    for row, length in enumerate(lengths.tolist()):
        flipped[:length, row] = x[:length, row].flip(0)
    options = {"lengths": lengths} if ragged else {}
    output, final = layer(x, **options)
    other, _ = layer(flipped, **options)
    forward, backward = output.chunk(2, dim=-1)[0], other.chunk(2, dim=-1)[1]
    for row, length in enumerate(lengths.tolist()):
        assert_close(backward[:length, row].flip(0), forward[:length, row], f"row {row}")
    assert all(each.shape[0] == 2 for each in tensors(final))


@parametrize_cases()
def test_same_seed_same_bits(case: Case):
    first, second = case.build(dtype=DTYPE), case.build(dtype=DTYPE)
    x = sequence(first)
    results = [gradients(layer, x, seed=5, lengths=[STEPS, 2, 5]) for layer in (first, first, second)]
    assert_same(results[1], results[0], 0.0)
    assert_same(results[2], results[0], 0.0)


@parametrize_cases()
def test_trace_is_what_the_layer_computes(case: Case):
    layer = case.build(dtype=DTYPE, bidirectional=True, batch_first=True)
    x, hx, lengths = sequence(layer), random_state(layer, BATCH), torch.tensor([3, STEPS, 1])
    torch.manual_seed(2)
    output, final = layer(x, hx, lengths)
    torch.manual_seed(2)
    trace = layer.trace(x, hx, lengths)
    assert_close(trace.output, output, "output")
    for got, expected in zip(tensors(trace.state), tensors(final), strict=True):
        assert_close(got, expected, "state")
    cell = layer._cells[-1]
    assert len(trace.directions) == 2 * layer.num_layers
    for each in trace.directions:
        assert {*cell.gates, *cell.states} <= set(each)
        assert all(value.shape[:2] == (BATCH, STEPS) for value in each.values())
    if not layer.residual:
        last = layer.num_layers - 1
        joined = torch.cat([trace[last, way]["hidden"] for way in ("forward", "backward")], dim=-1)
        assert_close(joined, output, "hidden")


@parametrize_cases()
def test_empty_sequence_gives_the_initial_state(case: Case):
    layer = case.build(dtype=DTYPE, bidirectional=True)
    hx = random_state(layer, 2)
    output, final = layer(torch.zeros(0, 2, 3, dtype=DTYPE), hx)
    assert output.shape[:2] == (0, 2)
    assert output.shape[2] == 2 * layer._cells[-1].state_sizes()[0]
    assert all(torch.equal(a, b) for a, b in zip(tensors(final), tensors(hx), strict=True))
    assert layer(torch.zeros(3, 0, 3, dtype=DTYPE))[0].shape[:2] == (3, 0)
    trace = layer.trace(torch.zeros(0, 2, 3, dtype=DTYPE), hx)
    assert set(trace[0, "forward"]) >= set(layer._cells[0].gates)


@parametrize_cases()
def test_deep_copies_are_independent(case: Case):
    layer = case.build(dtype=DTYPE).eval()
    x = sequence(layer)
    before = layer(x)[0]
    twin = copy.deepcopy(layer)
    with torch.no_grad():
        for parameter in twin.parameters():
            parameter.add_(1.0)
    assert torch.equal(layer(x)[0], before)
    assert not torch.equal(twin(x)[0], before)


BASE = [case for case in cases() if not case.options or set(case.options) == {"cell_options"}]


@parametrize_cases(BASE)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_any_shape_and_lengths(case: Case, data):
    """Ragged rows in any order equal each row alone, for any sizes."""
    steps, batch = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 4))
    layer = case.build(
        data.draw(st.integers(1, 6)),
        data.draw(st.integers(3, 9)),
        num_layers=data.draw(st.integers(1, 2)),
        bidirectional=data.draw(st.booleans()),
        batch_first=True,
        dtype=DTYPE,
    )
    lengths = data.draw(st.lists(st.integers(1, steps), min_size=batch, max_size=batch))
    x = sequence(layer, steps, batch)
    output, final = layer(x, lengths=lengths)
    for row, length in enumerate(lengths):
        alone, state = in_reference(lambda row=row, length=length: layer(x[row, :length]))
        assert_close(output[row, :length], alone, f"row {row} of {lengths}")
        assert not output[row, length:].any()
        for got, expected in zip(tensors(final), tensors(state), strict=True):
            assert_close(got[:, row], expected, f"state of row {row} of {lengths}")


@pytest.mark.parametrize(("cell", "reason"), [("leaky", "there is no fused kernel for leaky"), ("gru", None)])
def test_only_what_no_machine_computes_is_skipped_where_a_kernel_is_forced(cell: str, reason: str | None):
    """A kernel that is not there, of a cell that has one, is a failure."""
    absent = next(name for name in ("neon", "avx2") if name not in available_variants())
    layer = Recurrent(cell, 3, 4)
    with force(absent), pytest.raises(KernelError) as refusal:
        layer(torch.zeros(2, 1, 3))
    assert not_meant_for(refusal.value) == reason
