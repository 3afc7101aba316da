"""Forecasting: networks, figures, baselines; each against what can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from gatewise.errors import OptionError
from gatewise.kinds.forecasting import baseline_models
from gatewise.kinds.forecasting.figures import evaluate_forecasts
from gatewise.kinds.forecasting.kind import ForecastingKind
from gatewise.kinds.forecasting.network import SCALED, Forecaster
from gatewise.kinds.forecasting.problem import ForecastingProblem, forecast_windows, pinball_loss
from gatewise.kinds.forecasting.series.axis import Spacing
from gatewise.kinds.forecasting.series.records import Series, SeriesDataset, Windows
from gatewise.kinds.forecasting.series.scaling import fit_scaling
from gatewise.kinds.forecasting.windows import ScaledSeries


def made_up(values: np.ndarray, *, horizon: int = 3, lookback: int = 8, season: int = 4) -> SeriesDataset:
    rows = len(values)
    series = Series("", np.arange(float(rows)), values, (int(0.7 * rows), int(0.8 * rows), rows))
    names = tuple(f"y{number}" for number in range(values.shape[1]))
    spacing = Spacing("rows")
    return SeriesDataset("made up", "", "", "f", (), names, (), (series,), horizon, lookback, spacing, season)


def seasons(rows: int = 200, columns: int = 1) -> np.ndarray:
    steps = np.arange(rows)[:, None]
    return np.sin(2 * np.pi * steps / 4 + np.arange(columns)) + 10


def scaled_of(dataset: SeriesDataset, transform: str = "value") -> ScaledSeries:
    scalings = [fit_scaling(each, len(dataset.targets), transform) for each in dataset.series]
    return ScaledSeries(
        dataset.series,
        scalings,
        len(dataset.targets),
        transform,
        lookback=dataset.lookback,
        horizon=dataset.horizon,
    )


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "minlstm"])
def test_recursive_equals_direct_for_one_step(cell: str) -> None:
    made = {}
    for decoding in ("direct", "recursive"):
        torch.manual_seed(0)
        made[decoding] = Forecaster(
            2, 1, lookback=6, horizon=1, cell=cell, hidden_size=5, decoding=decoding, quantiles=1
        ).eval()
    past = torch.randn(6, 3, 3)
    torch.testing.assert_close(made["direct"](past), made["recursive"](past), rtol=0, atol=1e-6)


def test_recursive_reads_its_own_forecasts() -> None:
    torch.manual_seed(0)
    model = Forecaster(1, 1, lookback=6, horizon=3, hidden_size=5, decoding="recursive", normalisation="none").eval()
    past = torch.randn(6, 2, 2)
    found = model(past)
    grown = past
    for step in range(3):
        output, _ = model.recurrent(grown)
        following = model.head(output[-1])
        torch.testing.assert_close(following, found[step, :, 0], rtol=0, atol=1e-5)
        grown = torch.cat([grown, torch.cat([following, past[-1, :, 1:]], dim=1)[None]])


def test_segments_by_hand() -> None:
    torch.manual_seed(0)
    model = Forecaster(1, 0, lookback=8, horizon=6, hidden_size=5, decoding="segments", segment_length=4).eval()
    past = torch.randn(8, 1, 1)
    windows = past - past[-1:]
    read = torch.relu(model.read_segment(windows.view(2, 4)))
    _, state = model.recurrent(read[:, None])
    written = []
    for place in range(2):
        output, _ = model.recurrent(model.place[place].view(1, 1, -1), state)
        written.append(model.head(output[0, 0]))
    expected = torch.cat(written)[:6] + past[-1, 0, 0]
    torch.testing.assert_close(model(past)[:, 0, 0, 0], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("decoding", ["direct", "recursive", "segments"])
@pytest.mark.parametrize("normalisation", ["last", "standard", "last-scaled"])
def test_level_is_taken_and_given_back(decoding: str, normalisation: str) -> None:
    torch.manual_seed(0)
    model = Forecaster(
        2,
        0,
        lookback=8,
        horizon=5,
        hidden_size=6,
        decoding=decoding,
        segment_length=4,
        normalisation=normalisation,
        channel_independent=True,
    ).eval()
    past = torch.randn(8, 3, 2)
    torch.testing.assert_close(model(past + 100), model(past) + 100, rtol=0, atol=1e-3)
    if normalisation in SCALED:
        torch.testing.assert_close(model(past * 50), model(past) * 50, rtol=1e-3, atol=1e-2)


@pytest.mark.parametrize("decoding", ["direct", "segments"])
def test_independent_channels_do_not_see_each_other(decoding: str) -> None:
    torch.manual_seed(0)
    options = {"lookback": 8, "horizon": 5, "hidden_size": 6, "decoding": decoding, "segment_length": 4}
    apart = Forecaster(3, 1, channel_independent=True, **options).eval()
    past = torch.randn(8, 2, 4)
    other = past.clone()
    other[:, :, 1] += torch.randn(8, 2)
    before, after = apart(past), apart(other)
    torch.testing.assert_close(before[:, :, [0, 2]], after[:, :, [0, 2]], rtol=0, atol=1e-6)
    assert not torch.allclose(before[:, :, 1], after[:, :, 1])
    together = Forecaster(3, 1, channel_independent=False, **options).eval()
    assert not torch.allclose(together(past)[:, :, 0], together(other)[:, :, 0])


@pytest.mark.parametrize("decoding", ["direct", "segments"])
@pytest.mark.parametrize("independent", [False, True])
@pytest.mark.parametrize("normalisation", ["last", "standard", "last-scaled"])
def test_the_shortcut_is_a_linear_map_of_each_window(decoding: str, independent: bool, normalisation: str) -> None:
    options = {
        "lookback": 9, "horizon": 5, "hidden_size": 6, "decoding": decoding, "segment_length": 4, "quantiles": 1,
        "channel_independent": independent, "normalisation": normalisation,
    }  # fmt: skip
    torch.manual_seed(0)
    plain = Forecaster(2, 1, **options).eval()
    torch.manual_seed(0)
    model = Forecaster(2, 1, shortcut=True, **options).eval()
    past = torch.randn(9, 3, 3)
    torch.testing.assert_close(model(past), plain(past), rtol=0, atol=0)  # it starts from zero
    assert model.shortcut is not None
    with torch.no_grad():
        model.shortcut.weight.normal_()
        model.shortcut.bias.normal_()
    targets = past[:, :, :2]
    level = targets.mean(dim=0) if normalisation == "standard" else targets[-1]
    scale = torch.ones(3, 2) if normalisation == "last" else (targets.var(dim=0, unbiased=False) + 1e-5).sqrt()
    mapped = torch.einsum("ht,tbk->hbk", model.shortcut.weight, (targets - level) / scale)
    expected = plain(past) + ((mapped + model.shortcut.bias[:, None, None]) * scale)[..., None]
    torch.testing.assert_close(model(past), expected, rtol=1e-5, atol=1e-5)


def test_a_window_alone_equals_the_window_in_a_batch() -> None:
    torch.manual_seed(0)
    model = Forecaster(
        2, 0, lookback=8, horizon=5, hidden_size=6, decoding="segments", segment_length=4, channel_independent=True
    ).eval()
    past = torch.randn(8, 4, 2)
    torch.testing.assert_close(model(past)[:, 2:3], model(past[:, 2:3]), rtol=0, atol=1e-6)


def test_options_that_do_not_fit() -> None:
    with pytest.raises(OptionError, match="shorter than a segment"):
        Forecaster(1, 0, lookback=8, horizon=2, decoding="segments", segment_length=9)
    with pytest.raises(OptionError, match="only go forward"):
        Forecaster(1, 0, lookback=8, horizon=2, decoding="recursive", bidirectional=True)
    with pytest.raises(OptionError, match="without a shortcut"):
        Forecaster(1, 0, lookback=8, horizon=2, decoding="recursive", shortcut=True)


def test_gathered_windows_are_the_rows_of_the_series() -> None:
    dataset = made_up(seasons(60, 2))
    scaled, windows = scaled_of(dataset), dataset.windows("train")
    past, future = scaled.gather(windows, np.array([5, 0]))
    scaling = fit_scaling(dataset.series[0], 2, "value")
    whole = (dataset.series[0].values - scaling.mean) / scaling.deviation
    np.testing.assert_allclose(past[:, 0].numpy(), whole[5:13], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(future[:, 1].numpy(), whole[8:11], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("transform", ["value", "difference", "log-return"])
def test_true_steps_turn_back_into_true_values(transform: str) -> None:
    dataset = made_up(seasons(60, 2))
    scaled, windows = scaled_of(dataset, transform), dataset.windows("test")
    _, future = scaled.gather(windows, np.arange(len(windows.origins)))
    values = scaled.values(future.transpose(0, 1).double().numpy(), windows)
    np.testing.assert_allclose(values, dataset.truth(windows), rtol=1e-5)


def test_figures_by_hand() -> None:
    values = np.array([[1.0], [3.0], [2.0], [4.0], [4.0], [5.0], [5.0], [6.0], [8.0], [7.0]])
    dataset = made_up(values, horizon=1, lookback=2)
    scaling = fit_scaling(dataset.series[0], 1, "value")
    truth = np.array([8.0, 7.0])
    forecasts = np.array([7.0, 9.0])[:, None, None]
    found = evaluate_forecasts(dataset, [scaling], "test", forecasts, {0.1: forecasts - 1.5, 0.9: forecasts + 1.5})
    deviation = values[:7].std()
    errors = forecasts.ravel() - truth
    metrics = found.metrics
    assert metrics["mean_squared_error"] == pytest.approx(np.mean(errors**2) / deviation**2)
    np.testing.assert_allclose(found.contributions, errors**2 / deviation**2)
    assert metrics["mean_absolute_scaled_error"] == pytest.approx(1.5 / np.abs(np.diff(values[:7, 0])).mean())
    assert metrics["symmetric_mean_absolute_percentage_error"] == pytest.approx(np.mean([2 * 1 / 15, 2 * 2 / 16]))
    assert metrics["directional_accuracy"] == 0.5
    assert metrics["scaled_price_mean_squared_error"] == pytest.approx(2.5 / (5 - 1) ** 2)
    assert metrics["coverage"] == {"0.1": 0.5, "0.9": 1.0} and metrics["interval_coverage"] == 0.5
    low, high = metrics["directional_accuracy_interval"]
    assert 0 < low < 0.5 < high < 1
    assert [fan["truth"] for fan in found.predictions["fans"]] == [[8.0], [7.0]]


def test_baselines_by_hand() -> None:
    values = np.arange(40.0)[:, None] ** 2
    dataset = made_up(values, horizon=5, lookback=4, season=3)
    windows = Windows(np.array([0]), np.array([9]))
    assert baseline_models.persistence(dataset, windows).ravel().tolist() == [81.0] * 5
    assert baseline_models.seasonal_naive(dataset, windows).ravel().tolist() == [49.0, 64.0, 81.0, 49.0, 64.0]
    assert baseline_models.drift(dataset, windows).ravel().tolist() == [81.0 + 15 * step for step in range(1, 6)]


def test_ridge_finds_a_linear_world() -> None:
    random = np.random.default_rng(0)
    values = random.normal(size=(400, 1))
    for row in range(2, 400):
        values[row] = 1.2 * values[row - 1] - 0.5 * values[row - 2] + 0.01 * random.normal()
    dataset = made_up(values, horizon=1, lookback=4)
    scalings = [fit_scaling(dataset.series[0], 1, "value")]
    windows = dataset.windows("test")
    found = baseline_models.RidgeOnWindow((1e-9,)).fit(dataset, scalings).predict(dataset, windows)
    assert float(np.abs(found - dataset.truth(windows)).max()) < 0.05


def test_a_network_learns_a_season_and_the_order_depends_on_the_epoch_alone() -> None:
    torch.manual_seed(0)
    dataset = made_up(seasons())
    scalings = [fit_scaling(dataset.series[0], 1, "value")]
    model = Forecaster(1, 0, lookback=8, horizon=3, hidden_size=8, dropout=0.0)
    problem = ForecastingProblem(model, dataset, scalings, scaled_of(dataset), batch_size=16, seed=0, levels=(0.5,))
    model_with_levels = Forecaster(1, 0, lookback=8, horizon=3, hidden_size=8, dropout=0.0, quantiles=1)
    problem.model = model_with_levels
    optimizer = torch.optim.Adam(model_with_levels.parameters(), lr=0.02)
    for epoch in range(1, 9):
        problem.begin_epoch(epoch)
        for step in range(problem.steps_per_epoch):
            optimizer.zero_grad()
            problem.loss(step).loss.backward()
            optimizer.step()
    figures = problem.validate(dict(model_with_levels.named_parameters()))
    assert figures["mean_squared_error"] < 0.05
    problem.begin_epoch(3)
    first = problem.loss(0).value.item()
    problem.begin_epoch(4)
    problem.begin_epoch(3, step=1)
    assert problem.loss(0).value.item() == first


def test_quantiles_are_put_in_order() -> None:
    torch.manual_seed(0)
    dataset = made_up(seasons(60))
    model = Forecaster(1, 0, lookback=8, horizon=3, hidden_size=4, quantiles=3)
    found = forecast_windows(model, scaled_of(dataset), dataset.windows("test"))
    assert (np.diff(found[..., 1:], axis=-1) >= 0).all()


def test_pinball_loss_is_least_at_the_quantile() -> None:
    truth = torch.linspace(0, 1, 101).view(1, -1, 1)
    losses = {
        level: float(pinball_loss(torch.full((1, 101, 1, 1), level), truth, [0.9])) for level in (0.5, 0.8, 0.9, 0.99)
    }
    assert min(losses, key=lambda level: losses[level]) == 0.9


def test_the_statistics_are_told_how_many_windows_share_a_step() -> None:
    dataset = made_up(seasons(), horizon=3)
    assert ForecastingKind().measure(dataset).overlap == 3
    several = SeriesDataset(**{**vars(dataset), "series": dataset.series * 5})
    assert ForecastingKind().measure(several).overlap == 15
