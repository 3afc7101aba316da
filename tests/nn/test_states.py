"""States between steps: batch and unbatch, detach, move, save; streams of several rows."""

from __future__ import annotations

import pytest
import torch
from conformance import assert_close, cases, parametrize_cases, random_state, tensors

from gatewise.nn import GRU, LSTM, batch_states, detach_state, load_state, move_state, save_state, unbatch_state


def same(first, second) -> bool:
    pairs = list(zip(tensors(first), tensors(second), strict=True))
    return type(first) is type(second) and all(torch.equal(a, b) for a, b in pairs)


@parametrize_cases([case for case in cases() if case.cell in ("gru", "lstm")])
def test_states_survive_every_trip(case, tmp_path):
    layer = case.build(dtype=torch.float64)
    state = random_state(layer, 3)
    rows = unbatch_state(state)
    assert len(rows) == 3
    assert same(batch_states(rows), state)
    assert same(load_state(save_state(state, tmp_path / "state.safetensors")), state)
    assert same(load_state(save_state(rows[0], tmp_path / "row.safetensors")), rows[0])
    assert all(each.dtype == torch.float32 for each in tensors(move_state(state, dtype=torch.float32)))
    assert same(move_state(state, "cpu"), state)


@parametrize_cases([case for case in cases() if case.cell in ("gru", "lstm")])
def test_streams_can_join_and_part(case):
    """Two streams stepped alone, then together, then alone again equal two whole runs."""
    layer = case.build(dtype=torch.float64).eval()
    x = torch.randn(2, 6, 3, dtype=torch.float64)
    whole = [layer(row)[0] for row in x]
    outputs = [[], []]
    states = [layer.initial_state(), layer.initial_state()]
    for t in range(6):
        if t in (2, 3):
            together, state = layer.step(x[:, t], batch_states(states))
            states = unbatch_state(state)
            for row in range(2):
                outputs[row].append(together[row])
        else:
            for row in range(2):
                output, states[row] = layer.step(x[row, t], states[row])
                outputs[row].append(output)
    for row in range(2):
        assert_close(torch.stack(outputs[row]), whole[row], f"stream {row}")


def test_detached_states_cut_the_graph():
    layer = LSTM(3, 4)
    _, state = layer(torch.randn(5, 2, 3))
    assert all(each.requires_grad for each in tensors(state))
    cut = detach_state(state)
    assert not any(each.requires_grad for each in tensors(cut))
    layer(torch.randn(5, 2, 3), cut)[0].sum().backward()
    assert layer.weight_hh_l0.grad is not None


def test_initial_state_is_learned_where_asked():
    layer = GRU(3, 4, 2, bidirectional=True, learned_initial_state=True)
    with torch.no_grad():
        layer.initial_hidden_l1_reverse.fill_(2.0)
    state = layer.initial_state(5)
    assert state.shape == (4, 5, 4)
    assert bool((state[3] == 2.0).all()) and not state[:3].any()
    x = torch.randn(6, 5, 3)
    assert torch.equal(layer(x)[0], layer(x, state)[0])
    layer(x)[0].sum().backward()
    assert layer.initial_hidden_l0.grad.abs().sum() > 0
    assert not torch.equal(layer(x)[0], layer(x, torch.zeros_like(state))[0])


def test_unbatched_states_have_no_batch_axis():
    layer = LSTM(3, [4, 5])
    output, (hidden, cell) = layer(torch.randn(6, 3))
    assert output.shape == (6, 5)
    assert [tuple(each.shape) for each in (*hidden, *cell)] == [(1, 4), (1, 5), (1, 4), (1, 5)]
    with pytest.raises(Exception, match="batch axis"):
        unbatch_state(hidden)
