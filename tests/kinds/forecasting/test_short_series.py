"""Whether a network of default settings learns what the few windows of a short series hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gatewise.training import kind_of, load_run, train_run
from gatewise.training.amount import resolved
from gatewise.training.assembly import make_spec


def test_few_windows_get_hundreds_of_epochs_and_patience_to_match() -> None:
    """Ninety months are one step an epoch."""
    kind = kind_of("forecasting")
    spec = make_spec("forecasting", "prices.csv", {"horizon": 6})
    short, long = (resolved(spec.training, kind.amount, steps) for steps in (1, 560))
    assert short.epochs == 400 and short.patience is not None and short.patience > 100
    assert (long.epochs, long.patience) == (20, 7)


@pytest.mark.slow
def test_ninety_months_of_trend_and_season_are_learned(tmp_path: Path) -> None:
    """A few windows are one step an epoch: of a hundred, patience left 35, no better than the last value."""
    months = np.arange(90)
    values = 100 + 0.2 * months + np.sin(months * np.pi / 6) + np.random.default_rng(0).normal(0, 0.2, 90)
    times = pd.date_range("2015-01-31", periods=90, freq="ME").strftime("%Y-%m")
    path = tmp_path / "prices.csv"
    pd.DataFrame({"month": times, "price": values.round(3)}).to_csv(path, index=False)
    spec = make_spec("forecasting", str(path), {"horizon": 6, "hidden_size": 64, "threads": 1})
    kind = kind_of("forecasting")
    data = kind.load(spec.data)
    run = train_run(spec, data, tmp_path / "run")
    error = load_run(run.folder).test(data).metrics["mean_squared_error"]
    for baseline in kind.baselines(data):
        if baseline.name in ("persistence", "drift"):
            baseline.fit(data)
            assert error < baseline.test(data).metrics["mean_squared_error"] / 4
