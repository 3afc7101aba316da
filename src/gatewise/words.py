"""Numbers as text for readers."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from gatewise.grammar import join, plural, singular, units

__all__ = [
    "Scale",
    "confidence",
    "count",
    "duration",
    "duration_between",
    "interval",
    "join",
    "number",
    "p_value",
    "percent",
    "plural",
    "points",
    "ratio",
    "sentence",
    "share",
    "singular",
    "size",
    "unbroken",
    "units",
]
_UNIT = re.compile(r"(?<=[0-9]) (?=(?:%|ns|µs|ms|s|min|h|B|kB|MB|GB|k|M|points?)(?![A-Za-z]))")


def percent(share: float, digits: int = 1) -> str:
    """A share in percent.

    Example:
        >>> percent(0.8864), percent(0.5, 0)
        ('88.6 %', '50 %')
    """
    return f"{100 * share:.{digits}f} %"


def share(value: float) -> str:
    """A share that is above zero, and so never written as zero.

    Example:
        >>> share(0.168), share(0.0004)
        ('16.8 %', 'less than 0.1 %')
    """
    return percent(value) if value >= 0.001 else "less than 0.1 %"


def confidence(probability: float) -> str:
    """A model's probability for its prediction, never rounded up to certainty.

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
        >>> [duration(value) for value in (4e-7, 3.1e-6, 0.00031, 0.0042, 0.5, 43.2, 126.0, 4000.0, None)]
        ['400 ns', '3.1 µs', '310 µs', '4.2 ms', '500 ms', '43 s', '2.1 min', '1.1 h', '–']
    """
    if seconds is None:
        return "–"
    if seconds == 0:
        return "0 s"
    unit, size = _time_unit(seconds)
    return f"{_in_unit(seconds / size)} {unit}" if unit != "h" else f"{seconds / size:.1f} h"


def duration_between(seconds: float, low: float, high: float) -> str:
    """A time with its interval, all in the unit that suits the time.

    Example:
        >>> duration_between(0.529, 0.5163, 0.548), duration_between(3.1e-6, 3.04e-6, 3.2e-6)
        ('529 ms (516–548)', '3.10 µs (3.04–3.20)')
        >>> duration_between(18.2, 17.9, 18.6)
        '18.2 s (17.9–18.6)'
    """
    unit, size = _time_unit(seconds)
    value = seconds / size
    decimals = 2 if value < 9.995 else 1 if value < 99.95 else 0
    middle, first, last = (f"{each / size:.{decimals}f}" for each in (seconds, low, high))
    return f"{middle} {unit} ({first}–{last})"


_TIME_UNITS = (
    (0.9995e-6, "ns", 1e-9),
    (0.9995e-3, "µs", 1e-6),
    (0.9995, "ms", 1e-3),
    (119.5, "s", 1.0),
    (3570.0, "min", 60.0),
)


def _time_unit(seconds: float) -> tuple[str, float]:
    """The unit that suits a time, and its seconds."""
    return next(((unit, size) for limit, unit, size in _TIME_UNITS if seconds < limit), ("h", 3600.0))


def _in_unit(value: float) -> str:
    return f"{value:.0f}" if value >= 9.95 else f"{value:.1f}"


def count(number: float | None) -> str:
    """A whole number, abbreviated from 10,000 on.

    Example:
        >>> [count(value) for value in (950, 2_692_353, 81_920, None)]
        ['950', '2.69 M', '81.9 k', '–']
    """
    if number is None:
        return "–"
    for limit, unit in ((1e6, "M"), (1e4, "k")):
        if number >= limit:
            return f"{number / (1e6 if unit == 'M' else 1e3):.3g} {unit}"
    return f"{number:,.0f}"


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


def unbroken(words: object) -> str:
    """Words in which no line begins with the unit of a number.

    Example:
        >>> unbroken("95 % of 3 points").count("\\u00a0")
        2
    """
    found = _UNIT.sub("\u00a0", str(words))
    return type(words)(found) if isinstance(words, str) else found  # what is marked as safe stays so


_MOST_DECIMALS = 7


class Named(Protocol):
    """A metric as a reader knows it: `gatewise.record.Metric`, `gatewise.statistics.measure.Metric`."""

    @property
    def title(self) -> str: ...
    @property
    def higher_is_better(self) -> bool: ...
    @property
    def percent(self) -> bool: ...
    @property
    def percent_sign(self) -> bool: ...


@dataclass(frozen=True)
class Scale:
    """Writes the values of one metric, all with the same number of decimals.

    Args:
        title: the metric's title: ``accuracy``, ``perplexity``.
        higher_is_better: its direction.
        percent: a fraction shown times 100, differences in points.
        decimals: digits after the decimal point; below 0, values are written with a power of ten.
        percent_sign: whether such a value is written with the sign %.

    Example:
        >>> accuracy = Scale("accuracy", True, True, 1)
        >>> accuracy.value(0.8864), accuracy.gap(0.0123), accuracy.interval(0.881, 0.891)
        ('88.6 %', '1.2 points', '88.1–89.1')
        >>> perplexity = Scale("perplexity", False, False, 1)
        >>> perplexity.value(112.34), perplexity.gap(3.21), perplexity.signed(-3.21)
        ('112.3', '3.2', '−3.2')
        >>> Scale("BLEU", True, True, 1, percent_sign=False).value(0.354)
        '35.4'
    """

    title: str
    higher_is_better: bool
    percent: bool
    decimals: int
    percent_sign: bool = True

    @classmethod
    def of(cls, metric: Named | Mapping[str, Any], reference: float) -> Scale:
        """The scale for a metric, with four significant digits at a typical value.

        Args:
            metric: ``title``, ``higher_is_better`` and ``percent``, as attributes or by key.
            reference: a typical value, such as the best model's.

        Example:
            >>> error = {"title": "mean squared error", "higher_is_better": False, "percent": False}
            >>> Scale.of(error, 0.0213).value(0.02134), Scale.of(error, 0.0).decimals
            ('0.02134', 4)
            >>> Scale.of(error, 3.2e-8).value(3.214e-8)
            '3.21e-08'
        """
        size = abs(reference)
        if isinstance(metric, Mapping):
            title, higher, percent = metric["title"], metric["higher_is_better"], metric["percent"]
            sign = metric.get("percent_sign", True)
        else:
            title, higher, percent = metric.title, metric.higher_is_better, metric.percent
            sign = metric.percent_sign
        decimals = 3 - math.floor(math.log10(size)) if size > 0 and math.isfinite(size) else 4
        return cls(
            str(title),
            bool(higher),
            bool(percent),
            1 if percent else -1 if decimals > _MOST_DECIMALS else max(0, decimals),
            bool(sign),
        )

    @property
    def in_percent(self) -> bool:
        """Whether values have the sign %."""
        return self.percent and self.percent_sign

    @property
    def best(self) -> str:
        """The better end in a word: ``highest`` or ``lowest``."""
        return "highest" if self.higher_is_better else "lowest"

    @property
    def unit(self) -> str:
        """What a difference is counted in, for the head of a table."""
        return "points" if self.percent else self.title

    def gain(self, first: float, second: float) -> float:
        """By how much the first value is better than the second; negative where it is worse."""
        return first - second if self.higher_is_better else second - first

    def plain(self, value: float) -> str:
        """A value without its unit; zero has no sign."""
        size = abs(100 * value if self.percent else value)
        text = f"{size:.3g}" if self.decimals < 0 else f"{size:,.{self.decimals}f}"
        return f"−{text}" if value < 0 and text.strip("0.,") else text

    def value(self, value: float) -> str:
        """A value with its unit."""
        return self.plain(value) + (" %" if self.in_percent else "")

    def gap(self, value: float) -> str:
        """The size of a difference, with its unit."""
        return self.plain(abs(value)) + (" points" if self.percent else "")

    def margin(self, value: float) -> str:
        """A margin with its unit, never written as zero.

        Example:
            >>> Scale("error", False, False, 3).margin(0.00012), Scale("accuracy", True, True, 1).margin(0.005)
            ('0.00012', '0.5 points')
        """
        if value and not self.plain(value).strip("0.,"):
            return f"{100 * value if self.percent else value:.2g}" + (" points" if self.percent else "")
        return self.gap(value)

    def signed(self, value: float) -> str:
        """A difference with its sign."""
        text = self.plain(value)
        return f"+{text}" if value > 0 and text.strip("0.,") else text

    def interval(self, low: float, high: float, *, signed: bool = False) -> str:
        """The two ends of an interval."""
        if signed:
            return f"{self.signed(low)} to {self.signed(high)}"
        return f"{self.plain(low)}–{self.plain(high)}"


def number(value: object) -> str:
    """A setting's value: numbers shortened, anything else as it is.

    Example:
        >>> number(12000), number(0.5), number("mean")
        ('12,000', '0.5', 'mean')
    """
    return f"{value:,g}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def ratio(value: float) -> str:
    """How many times as much, as text that follows a verb.

    Example:
        >>> ratio(0.779), ratio(1.282), ratio(12.4)
        ('0.78 times', '1.3 times', '12 times')
    """
    return f"{value:.2f} times" if value < 1 else f"{value:.1f} times" if value < 9.95 else f"{value:.0f} times"


def size(number: float | None) -> str:
    """Bytes in the unit that suits them.

    Example:
        >>> size(950), size(2_100_000), size(None)
        ('950 B', '2.1 MB', '–')
    """
    if number is None:
        return "–"
    for limit, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if number >= limit:
            return f"{number / limit:.3g} {unit}"
    return f"{number:.0f} B"
