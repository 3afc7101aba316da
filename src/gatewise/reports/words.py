"""Numbers as a reader wants them."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["confidence", "count", "duration", "interval", "p_value", "percent", "points", "sentence"]


def percent(share: float, digits: int = 1) -> str:
    """A share in percent.

    Example:
        >>> percent(0.8864), percent(0.5, 0)
        ('88.6 %', '50 %')
    """
    return f"{100 * share:.{digits}f} %"


def confidence(probability: float) -> str:
    """A model's probability for its answer, never rounded up to certainty.

    Example:
        >>> confidence(0.873), confidence(0.9999)
        ('87 %', '> 99 %')
    """
    return "> 99 %" if probability >= 0.995 else percent(probability, 0)


def points(share: float) -> str:
    """A difference of shares in percentage points, with its sign.

    Example:
        >>> points(0.0123), points(-0.004), points(0.0)
        ('+1.2', '−0.4', '0.0')
    """
    text = f"{100 * share:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def interval(entry: Mapping[str, float], *, signed: bool = False) -> str:
    """The two ends of an interval of shares.

    Example:
        >>> interval({"low": 0.881, "high": 0.891}), interval({"low": -0.004, "high": 0.006}, signed=True)
        ('88.1–89.1', '−0.4 to +0.6')
    """
    if signed:
        return f"{points(entry['low'])} to {points(entry['high'])}"
    return f"{100 * entry['low']:.1f}–{100 * entry['high']:.1f}"


def duration(seconds: float | None) -> str:
    """A time in the unit that suits it.

    Example:
        >>> [duration(value) for value in (0.00031, 0.0042, 0.5, 43.2, 126.0, 4000.0, None)]
        ['310 µs', '4.2 ms', '500 ms', '43 s', '2.1 min', '1.1 h', '–']
    """
    if seconds is None:
        return "–"
    for limit, unit, size in ((0.9995e-3, "µs", 1e-6), (0.9995, "ms", 1e-3), (119.5, "s", 1.0), (3570.0, "min", 60.0)):
        if seconds < limit:
            value = seconds / size
            return f"{value:.0f} {unit}" if value >= 9.95 or unit == "µs" else f"{value:.1f} {unit}"
    return f"{seconds / 3600:.1f} h"


def count(number: int | None) -> str:
    """A whole number, shortened where nobody needs every digit.

    Example:
        >>> [count(value) for value in (950, 2_692_353, 81_920, None)]
        ['950', '2.69 M', '81.9 k', '–']
    """
    if number is None:
        return "–"
    for limit, unit in ((1e6, "M"), (1e4, "k")):
        if number >= limit:
            return f"{number / (1e6 if unit == 'M' else 1e3):.3g} {unit}"
    return f"{number:,}"


def p_value(value: float) -> str:
    """A p value with two figures, never a bare zero.

    Example:
        >>> p_value(0.0000001), p_value(0.034), p_value(0.71)
        ('< 0.001', '0.034', '0.71')
    """
    if value < 0.001:
        return "< 0.001"
    return f"{value:.3f}" if value < 0.1 else f"{value:.2f}"


def sentence(words: str) -> str:
    """Words as a sentence: a capital first and a full stop at the end.

    Example:
        >>> sentence("a fifth held out of the training split"), sentence("Done.")
        ('A fifth held out of the training split.', 'Done.')
    """
    words = words.strip()
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "!", "?")) else ".")
