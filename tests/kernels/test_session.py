"""Streams: the compiled steps equal the whole sequence, keep and give back their state, and allocate nothing."""

import gc

import numpy as np
import pytest
import torch

from gatewise import nn
from gatewise.errors import GatewiseError, OptionError, ShapeError
from gatewise.kernels.dispatch import force
from gatewise.kernels.fused.library import available_variants
from gatewise.kernels.fused.session import FusedSession, SessionLayer

needs_library = pytest.mark.skipif(not available_variants(), reason="no compiled kernels")
KERNELS = ["reference", *available_variants()]
LAYERS = {
    "rnn": lambda *sizes, **k: nn.RNN(*sizes, **k),
    "rnn relu": lambda *sizes, **k: nn.RNN(*sizes, nonlinearity="relu", **k),
    "lstm": lambda *sizes, **k: nn.LSTM(*sizes, **k),
    "lstm without bias": lambda *sizes, **k: nn.LSTM(*sizes, bias=False, **k),
    "gru": lambda *sizes, **k: nn.GRU(*sizes, **k),
    "gru replace": lambda *sizes, **k: nn.GRU(*sizes, update="replace", **k),
    "gru before": lambda *sizes, **k: nn.GRU(*sizes, reset="before", **k),
    "gru before replace": lambda *sizes, **k: nn.GRU(*sizes, reset="before", update="replace", **k),
    "mingru": lambda *sizes, **k: nn.MinGRU(*sizes, **k),
    "minlstm": lambda *sizes, **k: nn.MinLSTM(*sizes, **k),
}


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("name", LAYERS)
def test_streamed_equals_whole(name, kernel):
    for input_size, hidden_size, depth, batch in ((7, 33, 3, 2), (1, 1, 1, 1)):
        layer = LAYERS[name](input_size, hidden_size, depth)
        x = torch.randn(6, batch, input_size)
        with force("reference"), torch.no_grad():
            whole, final = layer(x)
        with force(kernel):
            session = layer.session(batch)
            streamed = torch.stack([session(x_t) for x_t in x])
        assert (session.implementation == "step") == (kernel == "reference")
        torch.testing.assert_close(streamed, whole, atol=3e-6, rtol=1e-5)
        torch.testing.assert_close(session.state(), final, atol=3e-6, rtol=1e-5)


@pytest.mark.parametrize("kernel", KERNELS)
def test_state_goes_out_and_back_in_and_reset_starts_again(kernel):
    with force(kernel):
        layer = nn.LSTM(3, 5, num_layers=2)
        session = layer.session()
        x = torch.randn(4, 1, 3)
        first = [session(x_t) for x_t in x[:2]]
        state = session.state()
        rest = [session(x_t) for x_t in x[2:]]
        session.reset(state)
        assert all(torch.equal(session(x_t), want) for x_t, want in zip(x[2:], rest, strict=True))
        session.reset()
        assert all(torch.equal(session(x_t), want) for x_t, want in zip(x[:2], first, strict=True))
        _, final = layer(x)
        session.reset(final)
        torch.testing.assert_close(session.state(), final)


def test_learned_initial_states_and_layers_of_different_width():
    layer = nn.GRU(3, [4, 6], num_layers=2, learned_initial_state=True)
    with torch.no_grad():
        layer.initial_hidden_l1.copy_(torch.randn(6))
    x = torch.randn(3, 2, 3)
    session = layer.session(2)
    streamed = torch.stack([session(x_t) for x_t in x])
    torch.testing.assert_close(streamed, layer(x)[0].detach(), atol=3e-6, rtol=1e-5)


@pytest.mark.parametrize(
    "options", [{"layer_norm": True}, {"zoneout": 0.2}, {"peephole": True}, {"coupled": True}, {"proj_size": 2}]
)
def test_options_without_a_compiled_step_take_the_layers_own(options):
    layer = nn.LSTM(3, 4, **options).eval()
    x = torch.randn(5, 1, 3)
    session = layer.session()
    assert session.implementation == "step"
    assert session.reason
    streamed = torch.stack([session(x_t) for x_t in x])
    torch.testing.assert_close(streamed, layer(x)[0].detach(), atol=3e-6, rtol=1e-5)


@pytest.mark.parametrize("kernel", KERNELS)
def test_arrays_and_single_rows_come_back_as_they_went_in(kernel):
    with force(kernel):
        session = nn.GRU(3, 4).session()
        tensor = session(torch.ones(1, 3))
        session.reset()
        array = session(np.ones((1, 3), np.float32))
        session.reset()
        row = session(np.ones(3, np.float32))
        session.reset()
        strided = session(torch.ones(1, 6)[:, ::2])
    assert isinstance(array, np.ndarray) and array.shape == (1, 4) and row.shape == (4,)
    assert np.array_equal(array, tensor.numpy()) and np.array_equal(row, array[0])
    assert torch.equal(strided, tensor)


def test_outputs_are_the_callers_own():
    session = nn.GRU(3, 4).session()
    first = session(torch.ones(1, 3))
    kept = first.clone()
    session(torch.ones(1, 3))
    assert torch.equal(first, kept)
    first.fill_(9.0)
    assert not bool((session.state() == 9.0).any())


def test_what_a_stream_cannot_be_is_refused():
    with pytest.raises(OptionError, match="backward direction"):
        nn.GRU(3, 4, bidirectional=True).session()
    with pytest.raises(OptionError, match=r"layer\.eval"):
        nn.GRU(3, 4, zoneout=0.1).session()
    session = nn.GRU(3, 4).session()
    for wrong in (torch.ones(1, 4), torch.ones(2, 3), torch.ones(1, 3, dtype=torch.float64), np.ones((1, 3))):
        with pytest.raises(GatewiseError):
            session(wrong)
    with pytest.raises(ShapeError):
        session.reset(torch.zeros(1, 1, 5))


@needs_library
def test_weights_of_another_shape_never_reach_the_pointers():
    with pytest.raises(ShapeError, match="weight_hh"):
        FusedSession([SessionLayer("gru", torch.zeros(12, 3), torch.zeros(12, 5))])
    with pytest.raises(ShapeError):
        FusedSession([])


@needs_library
def test_ten_thousand_steps_allocate_nothing_and_sessions_are_freed():
    import resource

    session = nn.LSTM(40, 128).session()
    x = torch.randn(1, 40)
    for _ in range(1000):
        session(x)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(10_000):
        session(x)
    layer = nn.LSTM(128, 256)
    for _ in range(60):  # each holds 1.6 MB of packed weights
        layer.session()
    gc.collect()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000
