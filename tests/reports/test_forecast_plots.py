"""Pictures of forecasts, drawn from a record alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gatewise.reports.forecast_plots import fans_figure, horizon_figure, write_forecasts


def model(name: str, kind: str, steps: int = 3) -> dict[str, Any]:
    fan = {
        "series": "a",
        "target": "close",
        "origin": "2026-01-02T00:00:00",
        "past": [1.0, 2.0, 3.0],
        "truth": [float(step) for step in range(steps)],
        "forecast": [step + 0.5 for step in range(steps)],
        "quantiles": {"0.1": [step - 1.0 for step in range(steps)], "0.9": [step + 1.0 for step in range(steps)]},
    }
    runs = [
        {"test": {"by_horizon": [seed + 1.0 + step for step in range(steps)]}, "predictions": {"fans": [fan]}}
        for seed in range(2)
    ]
    return {"name": name, "title": name.upper(), "kind": kind, "runs": runs}


def test_fans_show_truth_forecast_and_quantiles() -> None:
    figure = fans_figure([model("gru", "recurrent"), model("persistence", "baseline")])
    assert figure is not None
    axes = figure.axes[0]
    assert list(axes.lines[2].get_ydata()) == [3.0, 0.5, 1.5, 2.5] and len(axes.lines) == 3
    assert len(axes.collections) == 1 and axes.get_title(loc="left") == "a close, from 2026-01-02 00:00"


def test_error_by_step_is_the_mean_over_seeds() -> None:
    figure = horizon_figure([model("gru", "recurrent"), model("persistence", "baseline")])
    assert figure is not None
    assert list(figure.axes[0].lines[0].get_ydata()) == [1.5, 2.5, 3.5]
    assert figure.axes[0].lines[1].get_linestyle() == "--"


def test_what_was_not_measured_is_not_drawn(tmp_path: Path) -> None:
    assert fans_figure([model("persistence", "baseline")]) is None
    assert horizon_figure([model("gru", "recurrent", steps=1)]) is None
    written = write_forecasts({"models": [model("gru", "recurrent")]}, tmp_path)  # type: ignore[arg-type]
    assert [path.name for path in written] == ["forecasts.png", "forecasts.svg", "horizon.png", "horizon.svg"]
    assert all(path.stat().st_size > 1000 for path in written)
