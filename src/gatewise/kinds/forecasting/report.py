"""What the report of a comparison of forecasts shows besides: forecasts, error by horizon, honest quantiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from markupsafe import Markup

from gatewise import words
from gatewise.drawing.page import FigureWords, Page
from gatewise.drawing.templates import render
from gatewise.kinds.forecasting.fans import Fan, fan_chart, fan_title
from gatewise.record import Comparison, Run, part_from, placed_runs

__all__ = ["check", "figures", "notes", "sections"]

_MOST_STEPS = 12


@dataclass(frozen=True)
class _Test:
    """What the figures of a run hold besides numbers."""

    by_horizon: tuple[float, ...] | None = None
    coverage: Mapping[str, float] | None = None


@dataclass(frozen=True)
class _Predictions:
    """What a run keeps of single windows."""

    fans: tuple[Fan, ...] = field(default=())


def figures(comparison: Comparison | None) -> Mapping[str, FigureWords]:
    """The words for the figures of forecasts."""
    short = partial(FigureWords, percent=False)
    return {
        "mean_squared_error": short("MSE", meaning="mean squared error"),
        "mean_absolute_error": short("MAE", meaning="mean absolute error"),
        "root_mean_squared_error": short("RMSE", meaning="root mean squared error"),
        "mean_absolute_scaled_error": short("MASE", meaning="mean absolute scaled error"),
        "symmetric_mean_absolute_percentage_error": short("sMAPE", meaning="symmetric mean absolute percentage error"),
        "scaled_price_mean_squared_error": short("MSE, 0 to 1", meaning="scaled price mean squared error"),
        "directional_accuracy": FigureWords("direction right", percent=True),
        "interval_coverage": FigureWords("inside the quantiles", percent=True),
    }


def check(comparison: Comparison, place: object) -> None:
    """Refuse a record whose part of this kind is damaged.

    Raises:
        RunError: naming the part.
    """
    for at, run in placed_runs(comparison):
        part_from(run.test, _Test, place=place, at=f"{at}.test")
        part_from(run.predictions, _Predictions, place=place, at=f"{at}.predictions")


def notes(page: Page) -> Sequence[str]:
    """Which columns the networks and ridge read besides the targets' past."""
    names = {
        which: ", ".join(map(str, page.comparison.data.details.get(which) or ()))
        for which in ("features", "known", "static")
    }
    read = {
        "features": "up to the present",
        "known": "up to the last step that is forecast",
        "static": "constant in a series",
    }
    parts = [f"{names[which]} ({meaning})" for which, meaning in read.items() if names[which]]
    if not names["known"] and not names["static"]:
        return []
    return [f"Cells and ridge also read {'; '.join(parts)}. Persistence, seasonal naive and drift do not."]


def sections(page: Page) -> Sequence[Markup]:
    """Forecasts beside what came, the error at every step of the horizon, and how often the quantiles were right."""
    tests = {model.name: [_test(run) for run in model.runs] for model in page.models}
    levels = sorted({level for found in tests.values() for test in found for level in test.coverage or {}}, key=float)
    values = {
        "page": page,
        "fans": _fans(page),
        "horizon": _horizon(page, tests),
        "levels": [(f"should be {words.percent(float(level), 0)}", False) for level in levels],
        "coverage": _coverage(tests, levels),
    }
    return [render(Path(__file__).parent, "section.html", **values)]


def _test(run: Run) -> _Test:
    return part_from(run.test, _Test, place="the record", at=f"{run.name}.test")


def _fans(page: Page) -> dict[str, Any] | None:
    """The forecasts that the best recurrent model keeps of a few windows, a picture each."""
    for model in page.models:
        kept = part_from(model.runs[0].predictions, _Predictions, place="the record", at=f"{model.name}.predictions")
        if model.is_baseline or not kept.fans:
            continue
        style = page.styles[model.name]
        pictures = [(fan_title(fan), fan_chart(fan, style)) for fan in kept.fans]
        begin = "the beginning of the forecast" if kept.fans[0].times else "step 0"
        return {"title": model.title, "pictures": pictures, "begin": begin}
    return None


def _horizon(page: Page, tests: Mapping[str, Sequence[_Test]]) -> dict[str, Any]:
    """The error at every step of a horizon of several, mean over seeds."""
    by_step = {name: _mean_rows([test.by_horizon for test in found]) for name, found in tests.items()}
    known = {name: row for name, row in by_step.items() if row}
    horizon = max((len(row) for row in known.values()), default=0)
    shown = _chosen(horizon)
    return {
        "caption": f"Test {page.scale.title} at each step of the horizon",
        "heads": [(f"{step + 1:,}", False) for step in shown],
        "rows": [
            (name, [page.scale.value(row[step]) if step < len(row) else "–" for step in shown])
            for name, row in known.items()
            if horizon > 1
        ],
    }


def _coverage(tests: Mapping[str, Sequence[_Test]], levels: Sequence[str]) -> list[tuple[str, list[str]]]:
    """How often the truth lay below each forecast quantile, mean over seeds."""
    rows = []
    for name, found in tests.items():
        known = [test.coverage for test in found if test.coverage]
        if known:
            shares = [[entry[level] for entry in known if level in entry] for level in levels]
            rows.append((name, [words.percent(sum(share) / len(share)) if share else "–" for share in shares]))
    return rows


def _mean_rows(rows: Sequence[Sequence[float] | None]) -> list[float]:
    """Mean over seeds, step by step."""
    known = [row for row in rows if row]
    return [sum(column) / len(column) for column in zip(*known, strict=False)] if known else []


def _chosen(steps: int, most: int = _MOST_STEPS) -> list[int]:
    """At most so many steps of a horizon, first and last among them.

    Example:
        >>> _chosen(5), _chosen(96, 4)
        ([0, 1, 2, 3, 4], [0, 32, 63, 95])
    """
    if steps <= most:
        return list(range(steps))
    return sorted({round(place * (steps - 1) / (most - 1)) for place in range(most)})
