"""Counters, gauges and histograms in Prometheus' text format (exposition format 0.0.4)."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Sequence

__all__ = ["LATENCIES", "Metrics"]

LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)
_MOST_SERIES = 1000
_Labels = tuple[tuple[str, str], ...]


class Metrics:
    """Numbers by name and labels; safe between threads.

    Example:
        >>> metrics = Metrics()
        >>> metrics.count("steps_total", 3, model="a")
        >>> metrics.observe("seconds", 0.003, buckets=(0.001, 0.01))
        >>> print(metrics.text())
        # TYPE gatewise_steps_total counter
        gatewise_steps_total{model="a"} 3
        # TYPE gatewise_seconds histogram
        gatewise_seconds_bucket{le="0.001"} 0
        gatewise_seconds_bucket{le="0.01"} 1
        gatewise_seconds_bucket{le="+Inf"} 1
        gatewise_seconds_sum 0.003
        gatewise_seconds_count 1
        <BLANKLINE>
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: dict[str, tuple[str, dict[_Labels, float]]] = {}
        self._histograms: dict[str, tuple[Sequence[float], dict[_Labels, list[float]]]] = {}

    def count(self, name: str, by: float = 1, **labels: str) -> None:
        """Add to a counter."""
        with self._lock:
            values = self._numbers.setdefault(name, ("counter", {}))[1]
            key = _key(labels)
            if key in values or len(values) < _MOST_SERIES:
                values[key] = values.get(key, 0) + by

    def set(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        with self._lock:
            self._numbers.setdefault(name, ("gauge", {}))[1][_key(labels)] = value

    def observe(self, name: str, value: float, buckets: Sequence[float] = LATENCIES, **labels: str) -> None:
        """Add a value to a histogram, whose buckets are those of its first value."""
        with self._lock:
            edges, values = self._histograms.setdefault(name, (tuple(buckets), {}))
            key = _key(labels)
            if key in values or len(values) < _MOST_SERIES:
                row = values.setdefault(key, [0.0] * (len(edges) + 2))
                row[bisect_left(edges, value)] += 1
                row[-1] += value

    def value(self, name: str, **labels: str) -> float:
        """A counter or gauge as it is now; 0 where there is none."""
        with self._lock:
            return self._numbers.get(name, ("", {}))[1].get(_key(labels), 0)

    def text(self) -> str:
        """All of them."""
        lines = []
        with self._lock:
            for name, (kind, values) in self._numbers.items():
                lines.append(f"# TYPE gatewise_{name} {kind}")
                lines += [f"gatewise_{name}{_shown(key)} {value:.10g}" for key, value in values.items()]
            for name, (edges, rows) in self._histograms.items():
                lines.append(f"# TYPE gatewise_{name} histogram")
                for key, row in rows.items():
                    total = 0.0
                    for edge, count in zip((*map(str, edges), "+Inf"), row, strict=False):
                        total += count
                        lines.append(f"gatewise_{name}_bucket{_shown((*key, ('le', edge)))} {total:.10g}")
                    lines.append(f"gatewise_{name}_sum{_shown(key)} {row[-1]:.10g}")
                    lines.append(f"gatewise_{name}_count{_shown(key)} {total:.10g}")
        return "\n".join(lines) + "\n"


def _key(labels: dict[str, str]) -> _Labels:
    return tuple(sorted(labels.items()))


def _shown(key: _Labels) -> str:
    def plain(value: str) -> str:
        return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")

    return "{" + ",".join(f'{name}="{plain(value)}"' for name, value in key) + "}" if key else ""
