"""Charts of forecasts: the end of the known past, truth, forecast and its quantiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from markupsafe import Markup

from gatewise.drawing.svg import BOTTOM, HEIGHT, TOP, WIDTH, Axis, axis_for, drawing, frame, left_edge, marker
from gatewise.drawing.ticks import tick_words

__all__ = ["Fan", "fan_chart", "fan_title", "time_words"]

_RIGHT = WIDTH - 16
_PAST_PER_STEP = 3
_LEAST_PAST = 20
_MOST_TIMES = 4


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
        times: of some steps, by their number after the last known one; empty where rows have no times.
    """

    past: tuple[float, ...]
    truth: tuple[float, ...]
    forecast: tuple[float, ...]
    quantiles: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    series: str = ""
    target: str = ""
    origin: float | str = 0.0
    times: Mapping[str, str] = field(default_factory=dict)


def fan_title(fan: Fan) -> str:
    """What a chart shows: the series, where there are several, the column, and from when.

    Example:
        >>> fan_title(Fan((1.0,), (1.0,), (1.0,), target="close", origin="2021-05-13T00:00:00"))
        'close, from 2021-05-13'
    """
    return ", ".join(part for part in (fan.series, fan.target, f"from {time_words(fan.origin)}") if part)


def fan_chart(fan: Fan, style: int) -> Markup:
    """One window: the past in ink, the truth in grey, the forecast in the model's colour.

    The horizontal axis shows times where rows have them, else steps after the last known one.

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
    first = 1 - len(past)
    known = {int(step): time for step, time in fan.times.items() if first <= int(step) <= steps}
    ticks = _few(sorted(known)) if known else None
    along = axis_for([float(first), float(steps)], left_edge(down, tick_words), _RIGHT, tight=True, ticks=ticks)
    if known:
        words = _dates([known[int(tick)] for tick in along.ticks])
        parts = [frame(down, along, tick_words, lambda _: words, "")]
    else:
        parts = [frame(down, along, tick_words, tick_words, "steps after the last known one")]
    parts.append(f'<path class="grid" d="M{along(0):.1f} {TOP:.1f}V{HEIGHT - BOTTOM:.1f}"/>')
    if len(quantiles) > 1:
        outline = [*_points(quantiles[0], 1, along, down), *reversed(_points(quantiles[-1], 1, along, down))]
        parts.append(f'<polygon class="band s{style}" points="{" ".join(outline)}"/>')
    last = past[-1]
    parts.append(_line(past, first, along, down, "line known"))
    parts.append(_line([last, *fan.truth], 0, along, down, "line truth-line"))
    parts.append(_line([last, *fan.forecast], 0, along, down, f"line s{style}"))
    if steps == 1:
        parts.append(marker(along(1), down(fan.forecast[0]), style))
    return drawing("A forecast and the truth", parts)


def _points(values: Sequence[float], start: int, along: Axis, down: Axis) -> list[str]:
    return [f"{along(start + place):.1f},{down(value):.1f}" for place, value in enumerate(values)]


def _line(values: Sequence[float], start: int, along: Axis, down: Axis, style: str) -> str:
    return f'<polyline class="{style}" points="{" ".join(_points(values, start, along, down))}"/>'


def _few(steps: Sequence[int]) -> list[int]:
    """So many steps as have room for their times, equally far apart, the last known one among them.

    Example:
        >>> _few([-27, -18, -9, 0, 9]), _few(list(range(-8, 3)))
        ([-18, 0], [-6, -3, 0])
    """
    apart = -(-len(steps) // _MOST_TIMES)
    start = steps.index(0) % apart if 0 in steps else 0
    return list(steps[start::apart])


def _dates(times: Sequence[str]) -> list[str]:
    """Times as short as they go: months, days, or hours of days, whose year stands in the title.

    Example:
        >>> _dates(["2021-01-01T00:00:00", "2021-02-01T00:00:00"]), _dates(["2021-01-03T06:00:00"])
        (['2021-01', '2021-02'], ['01-03 06:00'])
    """
    if any(time[11:].strip("0:.") for time in times):
        return [time[5:16].replace("T", " ") for time in times]
    if all(time[8:10] == "01" for time in times):
        return [time[:7] for time in times]
    return [time[:10] for time in times]


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
