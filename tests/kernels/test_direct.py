"""Calls of one or two steps multiply with weights as they lie, unpacked: the same bits as with packed ones."""

import sys

import pytest
import torch

from fresh_processes import TORCH, fresh
from gatewise import nn
from gatewise.kernels.dispatch import force
from gatewise.kernels.fused import library

pytestmark = pytest.mark.skipif(library.load()[0] is None, reason="no compiled kernels")
KINDS = [nn.RNN, nn.GRU, nn.LSTM]
# Inputs, units: whole blocks or not, odd ends of rows, and rows that fall into few sets of a cache.
SIZES = [(7, 5), (64, 64), (30, 41), (65, 96), (512, 24), (1024, 16), (16, 512)]


def bits(tensors):
    output, state = tensors
    return [each.view(torch.int32) for each in (output, *(state if isinstance(state, tuple) else (state,)))]


def same(one, two):
    return all(torch.equal(a, b) for a, b in zip(bits(one), bits(two), strict=True))


def some_state(layer, rows):
    state = torch.randn(layer.num_layers * (1 + layer.bidirectional), rows, layer.hidden_size)
    return (state, torch.randn_like(state)) if isinstance(layer, nn.LSTM) else state


@pytest.mark.parametrize("variant", library.available_variants())
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", SIZES)
def test_same_bits_as_a_longer_call_which_packs(kind, sizes, variant):
    layer = kind(*sizes, bias=sizes[0] != 65)
    with force(variant), torch.no_grad():
        for rows in (1, 2, 3, 7, 12):
            x = torch.randn(13, rows, sizes[0])
            for hx in (None, some_state(layer, rows)):
                packed = layer(x, hx)[0]
                for steps in (1, 2, 5):
                    assert torch.equal(layer(x[:steps], hx)[0], packed[:steps])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("threads", [1, 2])
def test_same_bits_where_only_the_recurrent_weights_are_used_as_they_lie(kind, threads):
    """Twelve steps of weights beyond a cache: the input's product is made ahead, from packed panels."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        layer = kind(24 if kind is nn.LSTM else 500, 1024 if kind is nn.RNN else 512).eval()
        with torch.no_grad():
            for rows in (1, 3):
                x = torch.randn(26, rows, layer.input_size)
                packed = layer(x)[0]
                for steps in (8, 12):
                    assert torch.equal(layer(x[:steps])[0], packed[:steps])
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("kind", KINDS)
def test_two_threads_share_the_units_of_every_width_with_the_bits_of_one(kind):
    before = torch.get_num_threads()
    try:
        with torch.no_grad():
            for hidden in (32, 64, 100, 128, 256):
                layer, x = kind(hidden, hidden).eval(), torch.randn(2, 8, hidden)
                for steps in (1, 2):
                    torch.set_num_threads(1)
                    alone = layer(x[:steps])
                    torch.set_num_threads(2)
                    assert same(alone, layer(x[:steps]))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("steps", [1, 3])
def test_every_call_has_the_bits_of_the_first(kind, steps):
    """Calls with many weights begin with those that the call before ended with."""
    layer, x = kind(512, 520).eval(), torch.randn(steps, 2, 512)
    with torch.no_grad():
        first = layer(x)
        assert all(same(first, layer(x)) for _ in range(3))
        with nn.frozen(layer):
            assert all(same(first, layer(x)) for _ in range(4))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [1, 2, 4, 8, 9])
def test_same_bits_as_frozen(kind, rows):
    layer = kind(65, 100).eval()
    with torch.no_grad():
        for steps in (1, 2):
            x = torch.randn(steps, rows, 65)
            for hx in (None, some_state(layer, rows)):
                direct = layer(x, hx)
                with nn.frozen(layer):
                    assert all(same(direct, layer(x, hx)) for _ in range(3))
                    assert layer._frozen._packed is not None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [1, 2, 4, 7])
@pytest.mark.parametrize("threads", [1, 2])
def test_one_step_after_the_other_is_the_whole_sequence(kind, rows, threads):
    """Chunks of a stream: short calls go unpacked, the long one packs."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        layer, x = kind(96, 200, num_layers=2).eval(), torch.randn(12, rows, 96)
        with torch.no_grad():
            whole = layer(x)
            for length in (1, 2, 3):
                state, outputs = None, []
                for chunk in x.split(length):
                    output, state = layer(chunk, state)
                    outputs.append(output)
                assert same(whole, (torch.cat(outputs), state))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_alone_has_the_bits_it_has_in_a_batch(kind):
    layer, x = kind(40, 72), torch.randn(1, 16, 40)
    with torch.no_grad():
        for rows in (2, 3, 4, 5, 8, 16):
            together = layer(x[:, :rows])[0]
            for row in range(rows):
                assert torch.equal(together[:, row], layer(x[:, row : row + 1])[0][:, 0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [1, 3, 8])
def test_both_directions_lengths_strides_and_training_as_in_float64(kind, rows):
    layer = kind(33, 48, num_layers=2, bidirectional=True, batch_first=True)
    exact = kind(33, 48, num_layers=2, bidirectional=True, batch_first=True).double()
    exact.load_state_dict({name: value.double() for name, value in layer.state_dict().items()})
    lengths = torch.tensor([2, 1, 1, 2, 1, 1, 2, 1][:rows])
    x = torch.randn(rows, 2, 2 * 33)[..., ::2]
    state = some_state(layer, rows)
    in_float64 = tuple(each.double() for each in state) if isinstance(state, tuple) else state.double()
    expected = exact(x.double(), in_float64, lengths=lengths)[0].detach()
    trained = layer(x, state, lengths=lengths)[0]
    torch.testing.assert_close(trained.double().detach(), expected, rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        for given in (x, x.contiguous(), torch._neg_view(-x)):
            assert torch.equal(layer(given, state, lengths=lengths)[0], trained)


@pytest.mark.parametrize("kind", KINDS)
def test_changed_weights_count_at_once_however_they_were_written(kind):
    """Nothing is remembered between calls: not even what torch cannot see goes unnoticed."""
    layer, x = kind(24, 32).eval(), torch.randn(1, 2, 24)
    with torch.inference_mode():
        before = layer(x)[0]
        layer.weight_ih_l0.detach().numpy()[3] += 1.0
        after = layer(x)[0]
        assert not torch.equal(before, after)
        with nn.frozen(layer):
            assert all(torch.equal(after, layer(x)[0]) for _ in range(2))


NEAR_THE_END = """
import ctypes, mmap, sys
import torch
from gatewise import nn
from gatewise.kernels.dispatch import force

libc = ctypes.CDLL(None, use_errno=True)
kept = []


def before_a_forbidden_page(values):
    size = -(-values.numel() * 4 // mmap.PAGESIZE) * mmap.PAGESIZE
    memory = mmap.mmap(-1, size + mmap.PAGESIZE)
    kept.append(memory)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    assert libc.mprotect(ctypes.c_void_p(address + size), mmap.PAGESIZE, 0) == 0
    moved = torch.frombuffer(memory, dtype=torch.float32, count=values.numel(), offset=size - values.numel() * 4)
    return moved.view(values.shape).copy_(values)


with force(sys.argv[1]), torch.no_grad():
    for kind in (nn.RNN, nn.GRU, nn.LSTM):
        for inputs, units in ((1, 16), (5, 32), (19, 48), (64, 33), (3, 64), (1030, 16)):
            layer = kind(inputs, units)
            moved = kind(inputs, units)
            for name, values in layer.named_parameters():
                setattr(moved, name, torch.nn.Parameter(before_a_forbidden_page(values)))
            for rows in range(1, 10):
                x = torch.randn(1, rows, inputs)
                hx = layer.initial_state(rows)
                assert torch.equal(moved(before_a_forbidden_page(x), hx)[0], layer(x, hx)[0])
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="protects pages as Linux does")
@pytest.mark.parametrize("variant", library.available_variants())
def test_nothing_is_read_behind_weights_or_input(variant, tmp_path):
    done = fresh(["-c", NEAR_THE_END, variant], tmp_path, libraries=TORCH)
    assert done.returncode == 0, done.stderr
