"""Forecasts beside what came: the end of the known past, truth, forecast and its quantiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from gatewise.reports.svg import BOTTOM, HEIGHT, LEFT, TOP, WIDTH, Axis, axis_for, drawing, frame, marker

__all__ = ["fan_chart", "fans"]

_RIGHT = WIDTH - 16
_PAST_PER_STEP = 3
_LEAST_PAST = 20


def fans(models: Sequence[Mapping[str, Any]], styles: Mapping[str, int]) -> dict[str, Any] | None:
    """The forecasts that the best recurrent model keeps of a few windows, a picture each.

    Args:
        models: the best first.
        styles: number of each model's colour and marker.

    Returns:
        ``title`` and ``style`` of the model, and ``pictures`` (``title``, ``picture``); None where there are none.
    """
    for model in models:
        found = (model["runs"][0].get("predictions") or {}).get("fans")
        if model["kind"] == "baseline" or not found:
            continue
        pictures = [
            {
                "title": f"{entry['series']}, {entry['target']}, from {_time(entry['origin'])}",
                "picture": fan_chart(entry, styles[model["name"]]),
            }
            for entry in found
        ]
        return {"title": model["title"], "style": styles[model["name"]], "pictures": pictures}
    return None


def fan_chart(entry: Mapping[str, Any], style: int) -> Markup:
    """One window: the past in ink up to step 0, the truth going on in grey, the forecast in the model's colour.

    Args:
        entry: ``past``, ``truth``, ``forecast``, and ``quantiles`` by probability.
        style: number of the model's colour.

    Example:
        >>> entry = {"past": [1.0, 2.0], "truth": [3.0], "forecast": [2.5], "quantiles": {"0.1": [2.0], "0.9": [3.0]}}
        >>> "polygon" in fan_chart(entry, 1)
        True
    """
    steps = len(entry["truth"])
    past = entry["past"][-max(_LEAST_PAST, _PAST_PER_STEP * steps) :]
    quantiles = [entry["quantiles"][level] for level in sorted(entry["quantiles"], key=float)]
    values = [value for line in (past, entry["truth"], entry["forecast"], *quantiles) for value in line]
    down = axis_for(values, HEIGHT - BOTTOM, TOP)
    along = axis_for([1.0 - len(past), float(steps)], LEFT, _RIGHT, tight=True)
    parts = [frame(down, along, lambda value: f"{value:,g}", lambda value: f"{value:g}", "steps", _RIGHT)]
    if len(quantiles) > 1:
        outline = [*_points(quantiles[0], 1, along, down), *reversed(_points(quantiles[-1], 1, along, down))]
        parts.append(f'<polygon class="band s{style}" points="{" ".join(outline)}"/>')
    last = past[-1]
    parts.append(_line(past, 1 - len(past), along, down, "line known"))
    parts.append(_line([last, *entry["truth"]], 0, along, down, "line truth-line"))
    parts.append(_line([last, *entry["forecast"]], 0, along, down, f"line s{style}"))
    if steps == 1:
        parts.append(marker(along(1), down(entry["forecast"][0]), style))
    return drawing("A forecast and what came", parts)


def _points(values: Sequence[float], start: int, along: Axis, down: Axis) -> list[str]:
    return [f"{along(start + place):.1f},{down(value):.1f}" for place, value in enumerate(values)]


def _line(values: Sequence[float], start: int, along: Axis, down: Axis, style: str) -> str:
    return f'<polyline class="{style}" points="{" ".join(_points(values, start, along, down))}"/>'


def _time(origin: Any) -> str:
    """A time without the hours it does not need.

    Example:
        >>> _time("2020-03-02T00:00:00"), _time(41.0)
        ('2020-03-02', 'step 41')
    """
    if isinstance(origin, str):
        day, _, hour = origin.partition("T")
        return day if not hour.strip("0:.") else f"{day} {hour[:5]}"
    return f"step {origin:g}"
