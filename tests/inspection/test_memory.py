"""The memory curve against cells whose Jacobian is known."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from gatewise.errors import OptionError, ShapeError
from gatewise.inspection import half_life, memory_curve, reach
from gatewise.nn import GRU, LSTM, Recurrent, cells
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
    half = curve["trained"]["half_life"]
    assert half is None if scale > 1 else half > 100 if scale == 1 else half == pytest.approx(1.943, rel=0.05)


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


def test_half_life_is_that_of_the_exponential() -> None:
    assert half_life([3 * 0.5 ** (lag / 7.5) for lag in range(100)]) == pytest.approx(7.5)
    assert half_life([0.1**lag for lag in range(100)]) == pytest.approx(math.log10(2), rel=1e-6)
    assert half_life([1.0, 0.0, 0.0]) == 0.0
    assert half_life([1.0]) is None and half_life([0.0, 0.0]) is None and half_life([1.0, 1.0, 1.0]) is None


def test_a_long_tail_is_not_hidden_by_a_steep_start() -> None:
    tail = [3.0, 1.0, *(0.5 * 0.98**lag for lag in range(98))]
    assert 25 < half_life(tail) < 35  # type: ignore[operator]
    assert reach([1.0, 0.5, 0.02, 0.001]) == 2 and reach(tail) is None


def test_nonsense_is_refused() -> None:
    layer = GRU(3, 5).eval()
    with pytest.raises(ShapeError):
        memory_curve(RecurrentInputs(layer, torch.zeros(0, 2, 3), None))
    with pytest.raises(OptionError):
        memory_curve(RecurrentInputs(layer, torch.zeros(4, 2, 3), None), lags=0)
