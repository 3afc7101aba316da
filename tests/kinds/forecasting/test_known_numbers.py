"""Known columns with numbers are read relative to the window, those with zeros and ones as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from gatewise import Forecaster as Estimator
from gatewise import load_run
from gatewise.errors import RunError
from gatewise.kinds.forecasting.baseline_models import RidgeOnWindow
from gatewise.kinds.forecasting.network import SCALED, Forecaster
from gatewise.kinds.forecasting.series.covariates import Covariate, Covariates
from gatewise.kinds.forecasting.series.loading import load_series
from gatewise.kinds.forecasting.series.scaling import fit_scaling

SMALL = {
    "horizon": 3,
    "lookback": 6,
    "hidden_size": 4,
    "epochs": 1,
    "threads": 1,
    "batch_size": 16,
    "segment_length": 3,
}
DECODINGS = ("direct", "recursive", "segments")


def shop(rows: int = 60, ahead: int = 3) -> pd.DataFrame:
    """Sales with a price that drifts and a promotion; the last rows have no sales yet."""
    generator = np.random.default_rng(0)
    price = 50.0 + np.cumsum(generator.normal(size=rows + ahead)).round(2)
    promotion = generator.integers(0, 2, rows + ahead)
    sales = 2.0 * price + 3.0 * promotion + generator.normal(size=rows + ahead)
    sales[rows:] = np.nan
    day = pd.date_range("2026-01-01", periods=rows + ahead)
    return pd.DataFrame({"day": day, "price": price, "promotion": promotion, "sales": sales})


def load(folder: Path, frame: pd.DataFrame, **settings: Any) -> Any:
    frame.to_csv(folder / "sales.csv", index=False)
    given = {"target": "sales", "time": "day", "known": "price,promotion", "horizon": 3, "lookback": 6}
    return load_series(folder / "sales.csv", **{**given, **settings})


@pytest.mark.parametrize("decoding", DECODINGS)
@pytest.mark.parametrize("normalisation", ["none", "last", "standard", "last-scaled"])
@pytest.mark.parametrize("independent", [False, True])
def test_only_numbers_are_relative_to_the_window(decoding: str, normalisation: str, independent: bool) -> None:
    torch.manual_seed(0)
    model = Forecaster(
        2, 1, lookback=8, horizon=6, hidden_size=6, decoding=decoding, segment_length=3, normalisation=normalisation,
        known=2, static=1, relative=(False, True), channel_independent=independent,
    ).eval()  # fmt: skip
    past, ahead = torch.randn(8, 3, 2 + 1 + 2 + 1), torch.randn(6, 3, 2)
    found = model(past, ahead)

    def change(column: int, add: float = 0.0, times: float = 1.0, both: bool = True) -> float:
        moved, after = past.clone(), ahead.clone()
        after[:, :, column] = after[:, :, column] * times + add
        if both:
            moved[:, :, 3 + column] = moved[:, :, 3 + column] * times + add
        return float((model(moved, after) - found).abs().max().detach())

    assert (change(1, add=5.0) < 1e-5) == (normalisation != "none")
    assert (change(1, times=3.0) < 1e-5) == (normalisation in SCALED)
    assert change(1, add=5.0, both=False) > 1e-3
    assert change(0, add=5.0) > 1e-3
    # without numbers it is the network that it always was, weights and all
    torch.manual_seed(0)
    before = Forecaster(
        2, 1, lookback=8, horizon=6, hidden_size=6, decoding=decoding, segment_length=3, normalisation=normalisation,
        known=2, static=1, channel_independent=independent,
    ).eval()  # fmt: skip
    assert model.state_dict().keys() == before.state_dict().keys()
    assert torch.equal(model(past, ahead), before(past, ahead)) == (normalisation == "none")


def test_what_is_read_of_the_future() -> None:
    options: dict[str, Any] = {"lookback": 4, "horizon": 2, "hidden_size": 3, "known": 2, "relative": (True, False)}
    past, ahead = torch.randn(4, 1, 3), torch.randn(2, 1, 2)
    _, _, _, future = Forecaster(1, 0, **options)._read(past, ahead)
    torch.testing.assert_close(future, torch.stack([ahead[..., 0] - past[-1, :, 1], ahead[..., 1]], 2), rtol=0, atol=0)
    _, _, _, future = Forecaster(1, 0, **options, normalisation="standard")._read(past, ahead)
    expected = (ahead[..., 0] - past[:, :, 1].mean()) / past[:, :, 1].std(correction=0)
    torch.testing.assert_close(future, torch.stack([expected, ahead[..., 1]], 2))
    _, _, _, future = Forecaster(1, 0, **options, normalisation="last-scaled")._read(past, ahead)
    expected = (ahead[..., 0] - past[-1, :, 1]) / past[:, :, 1].std(correction=0)
    torch.testing.assert_close(future, torch.stack([expected, ahead[..., 1]], 2))
    # a window in which the column does not change
    past[:, :, 1] = 2.0
    ahead[:, :, 0] = 2.5
    windows, _, _, future = Forecaster(1, 0, **options, normalisation="standard")._read(past, ahead)
    assert windows[:, :, 1].abs().max() == 0
    assert future is not None
    torch.testing.assert_close(future[..., 0], torch.full((2, 1), 5.0))


@pytest.mark.parametrize("decoding", DECODINGS)
@pytest.mark.parametrize("transform", ["value", "difference"])
def test_a_run_reads_them_so_after_saving_too(tmp_path: Path, decoding: str, transform: str) -> None:
    frame = shop()
    options = {**SMALL, "target": "sales", "time": "day", "decoding": decoding, "segment_length": 3}
    model = Estimator(**options, transform=transform, known="price,promotion").fit(frame)
    expected = model.predict()
    shifted = frame.assign(price=frame["price"] + 1000.0)
    np.testing.assert_allclose(model.predict(frame=shifted), expected, rtol=1e-4)
    later = frame.assign(price=frame["price"] + 10.0 * frame["sales"].isna())
    assert np.abs(model.predict(frame=later) - expected)["sales"].min() > 1e-3
    assert not np.allclose(model.predict(frame=frame.assign(promotion=1 - frame["promotion"])), expected)
    run = model.save(tmp_path / "run")
    known = json.loads((Path(run) / "scaler.json").read_text())["known"]
    assert [(entry["name"], entry["relative"]) for entry in known] == [("price", True), ("promotion", False)]
    again = Estimator.load(run)
    for rows in (frame, shifted, later):
        pd.testing.assert_frame_equal(again.predict(frame=rows), model.predict(frame=rows))
    # rows in which the price is one, as a promotion is: it stays a number, and the promotion is no number
    odd = frame.assign(price=1.0, promotion=2 * frame["promotion"])
    pd.testing.assert_frame_equal(again.predict(frame=odd), model.predict(frame=odd))
    other = frame.assign(price=3.0, promotion=2 * frame["promotion"])
    np.testing.assert_allclose(again.predict(frame=odd), again.predict(frame=other), rtol=1e-4)
    trained: Any = load_run(run)
    dataset = load(tmp_path, frame.dropna())
    assert trained.test(dataset, "validation").metrics == model._trained.test(dataset, "validation").metrics
    inputs = trained.stacks(dataset, 2, 6)
    if decoding == "direct":
        windows, scaling = dataset.windows("test"), trained.scalings[""]
        price = dataset.ahead(windows)[:2, :, 0] - dataset.past(windows)[:2, -1:, 1]
        np.testing.assert_allclose(inputs["decoder"].inputs[:, :, 0].T, price / scaling.deviation[1], atol=1e-5)


def test_it_is_decided_by_the_training_parts_of_all_series(tmp_path: Path) -> None:
    frame = shop().dropna()
    late = frame.assign(promotion=np.where(np.arange(60) < 45, frame["promotion"], 2))
    assert load(tmp_path, late).covariates.relative == (True, False)
    early = frame.assign(promotion=np.where(np.arange(60) < 2, 2, frame["promotion"]))
    assert load(tmp_path, early).covariates.relative == (True, True)
    both = pd.concat([frame.assign(shop="a", price=1.0), frame.assign(shop="b")])
    dataset = load(tmp_path, both, group="shop")
    covariates = dataset.covariates
    assert covariates.relative == (True, False) and covariates.flags == (False, True)
    scaling = fit_scaling(dataset.series[0], 1, "value", covariates.flags)
    assert scaling.mean.tolist()[1:] == [1.0, 0.0] and scaling.deviation.tolist()[1:] == [1.0, 1.0]
    texts = load(tmp_path, frame.assign(price=np.where(frame["price"] > 50, "high", "low")))
    assert texts.covariates.relative == (False, False, False)


def test_ridge_reads_numbers_relative_to_the_window(tmp_path: Path) -> None:
    frame = shop().dropna()
    dataset = load(tmp_path, frame)
    ridge = RidgeOnWindow().fit(dataset, [fit_scaling(dataset.series[0], 1, "value", dataset.covariates.flags)])
    windows = dataset.windows("test")
    found = ridge.predict(dataset, windows)
    shifted = load(tmp_path, frame.assign(price=frame["price"] + 1000.0))
    np.testing.assert_allclose(ridge.predict(shifted, windows), found)
    moved = load(tmp_path, frame.assign(promotion=frame["promotion"] + 1))
    assert np.abs(ridge.predict(moved, windows) - found).min() > 1e-6
    shifted.series[0].values[int(windows.origins[0]) + 1 :, 1] += 1.0
    assert np.abs(ridge.predict(shifted, windows)[0] - found[0]).min() > 1e-6


def test_runs_of_before_read_them_absolutely() -> None:
    entry = {"name": "price", "categories": [], "mean": 0.0, "deviation": 1.0}
    old = Covariates.from_dict({"known": [entry]}, "scaler.json")
    assert old.relative == (False,) and old.flags is None and old.to_dict()["known"][0].keys() == entry.keys()
    new = Covariates((Covariate("price", relative=True), Covariate("promotion", relative=False)))
    assert Covariates.from_dict(new.to_dict(), "scaler.json") == new
    with pytest.raises(RunError, match="damaged"):
        Covariates.from_dict({"known": [{**entry, "relative": "yes"}]}, "scaler.json")


@pytest.mark.parametrize(
    ("form", "frequency", "words"),
    [
        ("%G-W%V", "W-MON", "from 2026-W50 on"),
        ("%d.%m.%Y", "D", "from 18.02.2026 on"),
        ("%Y-%m-%d %H:%M", "h", "from 2026-01-03 00:00 on"),
        ("%Y-%m", "MS", "from 2030-01 on"),
    ],
)
def test_the_split_says_its_start_as_the_file_does(tmp_path: Path, form: str, frequency: str, words: str) -> None:
    days = pd.date_range("2026-01-01", periods=60, freq=frequency).strftime(form)
    dataset = load(tmp_path, shop().dropna().assign(day=days))
    assert words in dataset.split_note
