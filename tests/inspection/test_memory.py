"""The memory curve against cells whose Jacobian is known."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from gatewise.errors import OptionError, ShapeError
from gatewise.inspection import memory_curve, reach
from gatewise.nn import GRU, LSTM, Recurrent, cells
from gatewise.statistics import median_lag, median_lag_over, settled
from gatewise.training.kind import RecurrentInputs


def _linear(weight_hh: Tensor, weight_ih: Tensor) -> Recurrent:
    """A ReLU network that never leaves its linear part: positive weights, positive inputs."""
    layer = Recurrent(
        "rnn",
        weight_ih.shape[1],
        len(weight_hh),
        bias=False,
        cell_options={"nonlinearity": "relu"},
        dtype=torch.float64,
    ).eval()
    with torch.no_grad():
        layer.weight_hh_l0.copy_(weight_hh)
        layer.weight_ih_l0.copy_(weight_ih)
    return layer


def _known(weight_hh: Tensor, weight_ih: Tensor, lags: int) -> list[float]:
    return [float(torch.linalg.norm(torch.linalg.matrix_power(weight_hh, lag) @ weight_ih)) for lag in range(lags)]


@pytest.mark.parametrize("scale", [0.7, 1.0, 1.3])
def test_linear_network_has_the_norm_of_its_powers(scale: float) -> None:
    """d h_T / d x_{T-k} = W^k U, whatever the inputs: vanishing, kept and exploding."""
    torch.manual_seed(0)
    weight = torch.rand(6, 6, dtype=torch.float64)
    weight *= scale / torch.linalg.eigvals(weight).abs().max()
    entry = torch.rand(6, 3, dtype=torch.float64)
    inputs = RecurrentInputs(_linear(weight, entry), torch.rand(30, 4, 3, dtype=torch.float64) + 0.1, None)
    curve = memory_curve(inputs, projections=None)
    assert curve["trained"]["norms"] == pytest.approx(_known(weight, entry, 30), rel=1e-9)
    if scale < 1:
        tail = np.array(curve["trained"]["norms"][20:])
        assert tail[1:] / tail[:-1] == pytest.approx(0.7, rel=1e-3)
    middle = curve["trained"]["median_lag"]
    assert middle == median_lag(curve["trained"]["norms"])
    assert middle > 25 if scale > 1 else middle == pytest.approx(14.5, abs=1) if scale == 1 else middle < 1
    assert curve["trained"]["settled"] == (scale < 1)


def test_random_projections_estimate_the_same_norm() -> None:
    torch.manual_seed(1)
    layer, x = LSTM(3, 16).eval(), torch.randn(25, 40, 3)
    exact = memory_curve(RecurrentInputs(layer, x, None), projections=None)["trained"]["norms"]
    guess = memory_curve(RecurrentInputs(layer, x, None), projections=64)["trained"]["norms"]
    assert guess == pytest.approx(exact, rel=0.1)
    assert guess != exact


def test_ragged_rows_count_from_their_own_end() -> None:
    torch.manual_seed(2)
    layer, x = GRU(3, 5).eval(), torch.randn(12, 3, 3)
    ragged = memory_curve(RecurrentInputs(layer, x, torch.tensor([12, 9, 10])), projections=None)["trained"]["norms"]
    each = [
        memory_curve(RecurrentInputs(layer, x[:length, row : row + 1], None), projections=None)["trained"]["norms"]
        for row, length in enumerate((12, 9, 10))
    ]
    assert len(ragged) == 10
    for lag in range(10):
        squares = [norms[lag] ** 2 for norms in each if lag < len(norms)]
        assert ragged[lag] == pytest.approx(math.sqrt(np.mean(squares)), rel=1e-5)


@pytest.mark.parametrize("cell", cells())
@pytest.mark.parametrize("shape", [{}, {"bidirectional": True}, {"num_layers": 2}])
def test_every_registered_cell_has_a_curve(cell: str, shape: dict[str, int]) -> None:
    """At lag 0 it is the derivative by finite differences; the layer itself stays as it was."""
    torch.manual_seed(3)
    layer = Recurrent(cell, 2, 4, dtype=torch.float64, **shape).eval()
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    x = torch.randn(6, 1, 2, dtype=torch.float64)
    curve = memory_curve(RecurrentInputs(layer, x, None), projections=None)
    total = 0.0
    for place in range(2):
        moved = x.clone()
        moved[3, 0, place] += 1e-6
        with torch.no_grad():
            change = (layer(moved)[0] - layer(x)[0])[-1, 0, :4] / 1e-6
        total += float(change.square().sum())
    assert curve["trained"]["norms"][2] == pytest.approx(math.sqrt(total), rel=1e-4)
    assert curve["initialisation"]["norms"] != curve["trained"]["norms"]
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
    json.dumps(curve, allow_nan=False)


def test_it_leaves_the_random_state_alone_and_takes_inference_tensors() -> None:
    layer = GRU(3, 5).eval()
    with torch.inference_mode():
        x = torch.randn(8, 2, 3)
    torch.manual_seed(4)
    wanted = torch.rand(1)
    torch.manual_seed(4)
    first = memory_curve(RecurrentInputs(layer, x, None))
    assert torch.rand(1) == wanted
    assert memory_curve(RecurrentInputs(layer, x, None)) == first


def test_the_median_lag_is_that_of_the_squared_gradient() -> None:
    # half of the sum of r^2k lies within log(1/2) / log(r^2) lags, counted from half a lag before the first
    for ratio in (0.9, 0.97):
        wanted = math.log(0.5) / math.log(ratio**2) - 0.5
        assert median_lag([3 * ratio**lag for lag in range(400)]) == pytest.approx(wanted, abs=0.05)
    assert median_lag([1.0, 0.0, 0.0]) == 0.0 and settled([1.0, 0.0, 0.0])
    assert median_lag([0.0, 0.0, 1.0]) == 2.0 and not settled([0.0, 0.0, 1.0])
    assert median_lag([1.0]) is None and median_lag([0.0, 0.0]) is None
    assert median_lag([1e-200, 1e-200, 0.0]) == pytest.approx(0.5)


def test_the_median_lag_does_not_depend_on_how_many_lags_were_measured() -> None:
    """The exponential that fits such a curve best halves every 2.0, 5.3 and 13 steps over 20, 50 and 100 lags."""
    curve = [0.5**lag + 0.02 * 0.97**lag for lag in range(400)]
    fitted = [-1 / np.polyfit(range(lags), np.log2(curve[:lags]), 1)[0] for lags in (20, 50, 100)]
    assert fitted[2] > 3 * fitted[0]
    found = [median_lag(curve[:lags]) for lags in (20, 50, 100, 400)]
    assert found == pytest.approx([found[-1]] * 4, abs=0.02)
    assert all(settled(curve[:lags]) for lags in (20, 50, 100))


def test_what_more_lags_would_move_is_a_lower_bound() -> None:
    curve = [1.0, *(0.5 * 0.98**lag for lag in range(400))]
    found = {lags: (median_lag(curve[:lags]), settled(curve[:lags])) for lags in (20, 100, 400)}
    assert not found[20][1] and found[400][1]
    assert found[20][0] < found[100][0] <= found[400][0]  # type: ignore[operator]
    assert reach([1.0, 0.5, 0.02, 0.001]) == 2 and reach(curve[:100]) is None


def test_seeds_together_have_a_mean_and_a_range() -> None:
    curves = [[ratio**lag for lag in range(300)] for ratio in (0.9, 0.95, 0.97)]
    each = [median_lag(curve) for curve in curves]
    found = median_lag_over([*curves, [0.0] * 300])
    assert found is not None and found.runs == 3 and found.settled
    assert (found.mean, found.least, found.most) == (np.mean(each), each[0], each[2])
    assert str(found) == "6.7 (2.8 to 11)"
    assert median_lag_over([]) is None
    longer = median_lag_over([*curves, [1.0] * 300])
    assert longer is not None and not longer.settled and str(longer).startswith("> ")


def test_nonsense_is_refused() -> None:
    layer = GRU(3, 5).eval()
    with pytest.raises(ShapeError):
        memory_curve(RecurrentInputs(layer, torch.zeros(0, 2, 3), None))
    with pytest.raises(OptionError):
        memory_curve(RecurrentInputs(layer, torch.zeros(4, 2, 3), None), lags=0)


def _begun(layer: Recurrent, batch: int) -> object:
    """A state far from zero, other for every row."""
    parts = [torch.randn(layer.num_layers, batch, size) * 2 for size in layer._cells[0].state_sizes()]
    return parts[0] if len(parts) == 1 else tuple(parts)


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_layers_that_begin_in_a_state_are_followed_from_there(cell: str) -> None:
    """A decoder begins where the encoder left it: its gradient is that of its own sequence, row by row."""
    torch.manual_seed(3)
    layer, x = Recurrent(cell, 3, 5, num_layers=2).eval(), torch.randn(6, 3, 3)
    state = _begun(layer, 3)
    found = memory_curve(RecurrentInputs(layer, x, None, state), projections=None)["trained"]["norms"]
    squares = np.zeros((6, 3))
    for row in range(3):
        own = x[:, row : row + 1].clone().requires_grad_()
        first = state[:, row : row + 1] if torch.is_tensor(state) else tuple(each[:, row : row + 1] for each in state)
        for unit in range(5):
            output, _ = layer(own, first)
            (gradient,) = torch.autograd.grad(output[-1, 0, unit], own)
            squares[:, row] += gradient[:, 0].double().square().sum(dim=-1).numpy()
    expected = np.sqrt(squares.mean(axis=1))[::-1]
    assert found == pytest.approx(expected.tolist(), rel=1e-4)
    from_zero = memory_curve(RecurrentInputs(layer, x, None), projections=None)["trained"]["norms"]
    assert not np.allclose(found, from_zero, rtol=1e-2), "the state makes a difference that the test can see"
    guess = memory_curve(RecurrentInputs(layer, x, None, state), projections=512)["trained"]["norms"]
    assert guess == pytest.approx(found, rel=0.1)
