"""What columns that are known for the future are worth: made-up series whose future they explain.

    python benchmarks/covariates.py --seeds 3        # the table of docs/forecasting.md

``hourly``: 2,400 hours, a daily wave of 10, twice a temperature that is a random walk with steps of 0.3, noise of 0.5;
24 hours ahead of 48, 40 epochs. ``weekly``: three shops, 130 weeks, a promotion in a quarter of them that raises sales
by 40 %, noise of 3 %; 4 weeks ahead of 12, 60 epochs. A GRU of 16 units, and ridge; one seed for data and network.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from gatewise.training import kind_of, load_run, train_run
from gatewise.training.assembly import make_spec

FIGURE = "mean_squared_error"


def hourly(seed: int) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    hours = np.arange(2_400)
    temperature = 10 + np.cumsum(0.3 * draw.normal(size=len(hours)))
    load = 100 + 10 * np.sin(2 * np.pi * hours / 24) + 2 * temperature + 0.5 * draw.normal(size=len(hours))
    times = pd.date_range("2025-01-01", periods=len(hours), freq="h").strftime("%Y-%m-%d %H:%M")
    return pd.DataFrame({"time": times, "temperature": temperature.round(4), "load": load.round(4)})


def weekly(seed: int) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    weeks = pd.date_range("2022-01-03", periods=130, freq="W-MON").strftime("%G-W%V")
    shops = []
    for number, (shop, city) in enumerate((("a", "Bonn"), ("b", "Kiel"), ("c", "Bonn")), start=1):
        base = 100 * number * (1 + 0.1 * np.sin(2 * np.pi * np.arange(len(weeks)) / 52))
        promotion = (draw.random(len(weeks)) < 0.25).astype(int)
        sales = base * (1 + 0.4 * promotion) * (1 + 0.03 * draw.normal(size=len(weeks)))
        columns = {"time": weeks, "shop": shop, "city": city, "promotion": promotion, "load": sales.round(3)}
        shops.append(pd.DataFrame(columns))
    return pd.concat(shops)


CASES: dict[str, tuple[Any, dict[str, Any], dict[str, dict[str, Any]]]] = {
    "hourly": (
        hourly,
        {"horizon": 24, "lookback": 48, "epochs": 40},
        {"neither": {}, "as a feature": {"features": "temperature"}, "known": {"known": "temperature"}},
    ),
    "weekly": (
        weekly,
        {"horizon": 4, "lookback": 12, "epochs": 60, "group": "shop"},
        {
            "neither": {},
            "as a feature": {"features": "promotion"},
            "known": {"known": "promotion"},
            "known, city constant": {"known": "promotion", "static": "city"},
        },
    ),
}


def measure(file: Path, settings: dict[str, Any]) -> tuple[float, float]:
    """Test error of the GRU and of ridge."""
    spec = make_spec("forecasting", str(file), {"time": "time", "target": "load", "threads": 1, **settings})
    kind = kind_of("forecasting")
    data = kind.load(spec.data)
    with tempfile.TemporaryDirectory() as folder:
        result = train_run(spec, data, Path(folder) / "run")
        network = load_run(result.folder).test(data).metrics[FIGURE]
    (ridge,) = (each for each in kind.baselines(spec.data) if "ridge" in each.name)
    ridge.fit(data)
    return network, ridge.test(data).metrics[FIGURE]


def main() -> None:
    """Measure every case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    chosen = parser.parse_args()
    print("| data | columns | GRU, mean | each seed | ridge, mean |")
    print("|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place:
        for name, (make, settings, variants) in CASES.items():
            for title, columns in variants.items():
                found = []
                for seed in range(chosen.seeds):
                    file = Path(place) / f"{name}-{seed}.csv"
                    make(seed).to_csv(file, index=False)
                    found.append(measure(file, {**settings, **columns, "hidden_size": 16, "seed": seed}))
                networks, ridges = zip(*found, strict=True)
                each = ", ".join(f"{value:.4f}" for value in networks)
                means = [f"{statistics.mean(values):.4f}" for values in (networks, ridges)]
                print(f"| {name} | {title} | {means[0]} | {each} | {means[1]} |", flush=True)


if __name__ == "__main__":
    main()
