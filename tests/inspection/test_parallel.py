"""Whether a network can be evaluated in parallel, against dynamics that are known."""

from __future__ import annotations

import math

import pytest
import torch

from gatewise.errors import ShapeError
from gatewise.inspection.parallel import parallel
from gatewise.nn import Cell, Recurrent, register_cell
from gatewise.nn.cell import _REGISTRY
from gatewise.training.kind import RecurrentInputs


def _stack(layers: Recurrent, steps: int = 60) -> RecurrentInputs:
    generator = torch.Generator().manual_seed(5)
    return RecurrentInputs(layers.eval(), torch.randn(steps, 1, layers.input_size, generator=generator), None)


def _scaled(cell: str, scale: float, hidden: int = 24, **options: object) -> Recurrent:
    torch.manual_seed(0)
    layers = Recurrent(cell, 8, hidden, **options)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.mul_(scale)
    return layers


@pytest.mark.parametrize("scale", [0.6, 1.1])
def test_a_linear_network_has_the_exponents_of_its_matrix_and_one_sweep(scale: float) -> None:
    torch.manual_seed(0)
    layers = Recurrent("rnn", 2, 3, bias=False, cell_options={"nonlinearity": "relu"})
    sizes = torch.tensor([1.0, 0.5, 0.25]) * scale
    with torch.no_grad():
        layers.weight_hh_l0.copy_(torch.diag(sizes))
        layers.weight_ih_l0.fill_(1.0)
    found = parallel(RecurrentInputs(layers.eval(), torch.rand(80, 1, 2) + 0.1, None)).layers[0]
    assert found.exponents == pytest.approx([math.log(each) for each in sizes.tolist()], abs=1e-3)
    # from zeros the units are at their kink, from the second sweep on they are linear
    assert found.full.count is not None and found.full.count <= 2 and found.full.error < 1e-6
    assert found.diagonal is not None and found.diagonal.count == found.full.count


@pytest.mark.parametrize(
    ("scale", "said"),
    [(0.9, "forgets where it began"), (1.0, "neither approach each other nor move apart"), (1.1, "states move apart")],
)
def test_only_a_clearly_positive_exponent_is_said_to_move_states_apart(scale: float, said: str) -> None:
    layers = Recurrent("rnn", 2, 3, bias=False, cell_options={"nonlinearity": "relu"})
    with torch.no_grad():
        layers.weight_hh_l0.copy_(scale * torch.eye(3))
        layers.weight_ih_l0.fill_(1.0)
    found = parallel(RecurrentInputs(layers.eval(), torch.rand(12, 1, 2) + 0.1, None), diagonal=False)
    assert said in found.sentence and "chao" not in found.sentence
    assert ("neither" in said) == (abs(found.exponent) < 1e-6)


@pytest.mark.parametrize("cell", ["mingru", pytest.param("minlstm", marks=pytest.mark.slow)])
def test_cells_that_are_linear_in_their_state_take_one_sweep(cell: str) -> None:
    found = parallel(_stack(Recurrent(cell, 8, 12, num_layers=2)))
    assert found.sweeps == 1 and "settles in 1 sweep over 60 steps" in found.sentence


@pytest.mark.parametrize("cell", ["gru", *(pytest.param(name, marks=pytest.mark.slow) for name in ("rnn", "lstm"))])
def test_fresh_networks_settle_in_a_few_sweeps(cell: str) -> None:
    found = parallel(_stack(_scaled(cell, 1.0)))
    full, diagonal = found.layers[0].full, found.layers[0].diagonal
    assert full.count is not None and 2 <= full.count <= 4 and full.outcome == "settled"
    assert full.residual <= 1e-6 and full.error < 1e-5
    assert diagonal is not None and diagonal.count is not None and diagonal.count > full.count
    assert found.exponent < 0 and "can be evaluated in parallel" in found.sentence


@pytest.mark.slow
def test_chaos_does_not_settle() -> None:
    found = parallel(_stack(_scaled("rnn", 6.0, hidden=64), steps=128), diagonal=False)
    assert found.sweeps is None and found.exponent > 0
    assert "cannot be evaluated in parallel" in found.sentence and "nearby states move apart" in found.sentence
    assert found.layers[0].full.outcome in ("diverged", "too many")


def test_every_layer_and_direction_is_taken_on_what_it_reads() -> None:
    """The states found by Newton's method are those that the trace has: checked by `error` against the steps."""
    layers = _scaled("lstm", 1.5, hidden=5, num_layers=2, bidirectional=True, learned_initial_state=True)
    stack = _stack(layers, 25)
    found = parallel(stack, diagonal=False)
    assert [(each.layer, each.direction) for each in found.layers] == [
        (layer, direction) for layer in (0, 1) for direction in ("forward", "backward")
    ]
    assert all(each.full.error < 1e-5 for each in found.layers)
    from gatewise.inspection.parallel import _dynamics

    trace = layers.trace(stack.inputs)
    with torch.no_grad():
        for layer, direction, dynamics in _dynamics(stack, 25):
            hidden = dynamics.sequential()[:, :5].float()
            expected = trace[layer, direction]["hidden"][:, 0]
            assert torch.allclose(hidden.flip(0) if direction == "backward" else hidden, expected, atol=1e-5)


def test_a_cell_of_ones_own_and_zoneout() -> None:
    class Odd(Cell):
        """Two states, one of them a running maximum, by an operation that has no forward derivative of its own."""

        gates = ("candidate",)
        states = ("hidden", "peak")

        def step(self, gates_x, state, weights, recurrent_mask=None):
            hidden, peak = state
            candidate = torch.tanh(gates_x + self.recurrent(hidden, weights, recurrent_mask))
            peak = torch.maximum(0.9 * peak, candidate)
            return {"candidate": candidate, "hidden": 0.5 * hidden + 0.5 * candidate * peak, "peak": peak}

    register_cell("test-parallel-odd")(Odd)
    try:
        found = parallel(_stack(Recurrent("test-parallel-odd", 3, 4, zoneout=[0.1, 0.2]), 20))
        assert found.layers[0].full.outcome == "settled" and found.layers[0].full.error < 1e-5
        assert len(found.layers[0].exponents) == 3
    finally:
        del _REGISTRY["test-parallel-odd"]
    with pytest.raises(ShapeError, match="at least 4"):
        parallel(_stack(Recurrent("gru", 2, 3), 3))
