"""Round numbers along an axis, and how they are written."""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["hundredths_words", "nice_ticks", "percent_words", "tick_words", "time_words"]

_TIMES = ((1e-3, "µs", 1e-6), (1.0, "ms", 1e-3), (60.0, "s", 1.0), (3600.0, "min", 60.0), (math.inf, "h", 3600.0))


def nice_ticks(low: float, high: float, wanted: int = 5, limits: tuple[float, float] | None = None) -> list[float]:
    """Round numbers that enclose a range.

    Args:
        low, high: the range.
        wanted: about how many.
        limits: between which all values lie, such as 0 and 1 for a share: no tick is beyond.

    Example:
        >>> nice_ticks(0.83, 0.891)
        [0.82, 0.84, 0.86, 0.88, 0.9]
        >>> nice_ticks(2.0, 2.0)
        [1.8, 1.9, 2.0, 2.1, 2.2]
        >>> nice_ticks(1.0, 1.0, limits=(0.0, 1.0))
        [0.9, 0.925, 0.95, 0.975, 1.0]
    """
    least, most = limits if limits is not None and limits[0] <= low and high <= limits[1] else (-math.inf, math.inf)
    if high <= low:
        span = abs(low) / 10 or 0.1
        low, high = max(least, 0.0 if low == 0 else low - span), min(most, high + span)
    raw = (high - low) / max(1, wanted - 1)
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * size for factor in (1, 2, 2.5, 5, 10) if factor * size >= raw * 0.999)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    digits = max(0, 2 - math.floor(math.log10(step)))
    ticks = [round(index * step, digits) for index in range(first, last + 1)]
    return [tick for tick in ticks if least - 1e-9 <= tick <= most + 1e-9]


def tick_words(ticks: Sequence[float], *, signed: bool = False) -> list[str]:
    """The numbers along one axis, all with as many decimals as the finest needs.

    Args:
        ticks: the numbers.
        signed: positive ones have a sign, too.

    Example:
        >>> tick_words([0.68, 0.7, 0.72]), tick_words([-20.0, 0.0, 20.0], signed=True), tick_words([12500.0])
        (['0.68', '0.70', '0.72'], ['−20', '0', '+20'], ['12,500'])
        >>> tick_words([1e-9, 2e-9])
        ['1e-09', '2e-09']
    """
    size = max((abs(tick) for tick in ticks), default=0.0)
    if size and not 1e-4 <= size < 1e7:
        return ["0" if tick == 0 else f"{tick:.3g}".replace("-", "−", tick < 0) for tick in ticks]
    digits = next((digits for digits in range(8) if all(_whole(tick * 10**digits) for tick in ticks)), 8)
    found = []
    for tick in ticks:
        text = f"{abs(tick):,.{digits}f}"
        sign = "−" if tick < 0 else "+" if signed and tick > 0 else ""
        found.append("0" if tick == 0 else sign + text)
    return found


def hundredths_words(ticks: Sequence[float]) -> list[str]:
    """Fractions times 100, without a sign.

    Example:
        >>> hundredths_words([0.25, 0.3])
        ['25', '30']
    """
    return tick_words([round(100 * tick, 9) for tick in ticks])


def percent_words(ticks: Sequence[float]) -> list[str]:
    """Shares in percent.

    Example:
        >>> percent_words([0.85, 0.875])
        ['85.0 %', '87.5 %']
    """
    return [f"{text} %" for text in hundredths_words(ticks)]


def time_words(ticks: Sequence[float]) -> list[str]:
    """Seconds; those of one order of magnitude in the same unit.

    Example:
        >>> time_words([0.0, 0.5, 1.0, 1.5]), time_words([1e-4, 1e-2, 1.0, 60.0])
        (['0', '0.5 s', '1.0 s', '1.5 s'], ['100 µs', '10 ms', '1 s', '1 min'])
    """
    known = [tick for tick in ticks if tick > 0]
    if not known:
        return ["0" for _ in ticks]
    found = []
    unit, size = _unit(max(known))
    shared = tick_words([round(tick / size, 9) for tick in ticks])
    together = max(known) < 100 * min(known) and max(map(len, shared)) <= 5
    for tick, text in zip(ticks, shared, strict=True):
        if not together:
            unit, size = _unit(tick)
            text = f"{tick / size:g}"
        found.append("0" if tick == 0 else f"{text} {unit}")
    return found


def _unit(seconds: float) -> tuple[str, float]:
    return next((unit, size) for limit, unit, size in _TIMES if seconds < limit)


def _whole(value: float) -> bool:
    return abs(value - round(value)) < 1e-6 * max(1.0, abs(value))
