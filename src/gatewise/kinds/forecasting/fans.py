"""Charts of forecasts: the end of the known past, truth, forecast and its quantiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from gatewise.drawing.svg import BOTTOM, HEIGHT, LEFT, TOP, WIDTH, Axis, axis_for, drawing, frame, marker

__all__ = ["Fan", "fan_chart", "time_words"]

_RIGHT = WIDTH - 16
_PAST_PER_STEP = 3
_LEAST_PAST = 20


@dataclass(frozen=True)
class Fan:
    """The forecast of one window.

    Attributes:
        past: up to the last known step.
        truth: of the forecast steps.
        forecast: of the same steps.
        quantiles: by probability.
        series: its name.
        target: the column that was forecast.
        origin: time or number of the last known step.
    """

    past: tuple[float, ...]
    truth: tuple[float, ...]
    forecast: tuple[float, ...]
    quantiles: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    series: str = ""
    target: str = ""
    origin: float | str = 0.0


def fan_chart(fan: Fan, style: int) -> Markup:
    """One window: the past in ink up to step 0, the truth in grey, the forecast in the model's colour.

    Args:
        fan: the window.
        style: number of the model's colour.

    Example:
        >>> fan = Fan((1.0, 2.0), (3.0,), (2.5,), {"0.1": (2.0,), "0.9": (3.0,)})
        >>> "polygon" in fan_chart(fan, 1)
        True
    """
    steps = len(fan.truth)
    past = fan.past[-max(_LEAST_PAST, _PAST_PER_STEP * steps) :]
    quantiles = [fan.quantiles[level] for level in sorted(fan.quantiles, key=float)]
    values = [value for line in (past, fan.truth, fan.forecast, *quantiles) for value in line]
    down = axis_for(values, HEIGHT - BOTTOM, TOP)
    along = axis_for([1.0 - len(past), float(steps)], LEFT, _RIGHT, tight=True)
    parts = [frame(down, along, lambda value: f"{value:,g}", lambda value: f"{value:g}", "steps", _RIGHT)]
    if len(quantiles) > 1:
        outline = [*_points(quantiles[0], 1, along, down), *reversed(_points(quantiles[-1], 1, along, down))]
        parts.append(f'<polygon class="band s{style}" points="{" ".join(outline)}"/>')
    last = past[-1]
    parts.append(_line(past, 1 - len(past), along, down, "line known"))
    parts.append(_line([last, *fan.truth], 0, along, down, "line truth-line"))
    parts.append(_line([last, *fan.forecast], 0, along, down, f"line s{style}"))
    if steps == 1:
        parts.append(marker(along(1), down(fan.forecast[0]), style))
    return drawing("A forecast and the truth", parts)


def _points(values: Sequence[float], start: int, along: Axis, down: Axis) -> list[str]:
    return [f"{along(start + place):.1f},{down(value):.1f}" for place, value in enumerate(values)]


def _line(values: Sequence[float], start: int, along: Axis, down: Axis, style: str) -> str:
    return f'<polyline class="{style}" points="{" ".join(_points(values, start, along, down))}"/>'


def time_words(origin: float | str) -> str:
    """A time without the hours it does not need.

    Example:
        >>> time_words("2020-03-02T00:00:00"), time_words(41.0)
        ('2020-03-02', 'step 41')
    """
    if isinstance(origin, str):
        day, _, hour = origin.partition("T")
        return day if not hour.strip("0:.") else f"{day} {hour[:5]}"
    return f"step {origin:g}"
