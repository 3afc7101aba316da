"""From contributions per seed and example to figures and differences with their intervals, ready for JSON.

Axis letters: S seeds, N test examples, K numbers that an example contributes.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.comparison.verdict.facts import SIGNIFICANCE, looks_factor
from gatewise.statistics import Difference, SeedSpread, estimate_figure, holm, paired_difference, seed_spread
from gatewise.statistics.aggregates import improvement_probability
from gatewise.statistics.measure import Measure

__all__ = ["Table", "difference_entries", "figure_entries"]

Table = npt.NDArray[np.float64]
Entry = dict[str, Any]
_DRAWS = 500


def figure_entries(tables: Mapping[str, Table], metric: Measure, baselines: Sequence[str]) -> dict[str, Entry]:
    """Every model's figure with its interval.

    Args:
        tables: for each model (S, N) contributions; (S, N, K) where an example contributes K > 1 numbers. What is drawn
            at random depends on the model's name alone, not on which other models there are.
        metric: what they contribute to.
        baselines: the models that are no cells, and have no seeds. The cells' intervals allow for the spread between
            the seeds of all of them (`gatewise.statistics.seed_spread`).

    Returns:
        For each what `gatewise.statistics.Estimate.to_dict` gives (``estimate``, ``low``, ``high``, ``level``,
        ``deviation``, ``per_seed``, ``examples``, ``over``, ``method``) and ``seeds``, their number.

    Example:
        >>> from gatewise.statistics import Mean
        >>> accuracy = Mean("accuracy", "accuracy", higher_is_better=True, percent=True)
        >>> entry = figure_entries({"gru": np.array([[1.0] * 90 + [0.0] * 10])}, accuracy, [])["gru"]
        >>> entry["estimate"], entry["over"], entry["seeds"], entry["deviation"]
        (0.9, 'examples', 1, None)
    """
    spread = _spread(tables, metric, baselines)
    return {name: _figure(name, table, metric, None if name in baselines else spread) for name, table in tables.items()}


def _spread(tables: Mapping[str, Table], metric: Measure, baselines: Sequence[str]) -> SeedSpread | None:
    return seed_spread([table for name, table in tables.items() if name not in baselines], metric)


def _figure(name: str, table: Table, metric: Measure, spread: SeedSpread | None) -> Entry:
    found = {**estimate_figure(table, metric, _generator(name), spread=spread).to_dict(), "seeds": len(table)}
    below_zero = -np.inf < metric.bounds[0] < 0  # as an agreement worse than chance
    if (table >= 0).all() and not below_zero:  # no figure of such contributions lies lower
        found["low"] = max(found["low"], float(metric.figure(np.zeros(table.shape[2:]))))
    return found


def difference_entries(
    tables: Mapping[str, Table],
    metric: Measure,
    baselines: Sequence[str],
    *,
    margin: float,
    look: int = 1,
) -> list[Entry]:
    """Every cell against every other model: difference, interval, p values, equivalence, seeds needed.

    Two baselines are not set against each other: nobody asked which of them is better. Who looks, and adds seeds until
    something differs, finds something sooner or later; so from the second look on p values are multiplied by k (k + 1),
    and what all later looks together are allowed is half of what the first is.

    Args:
        tables: for each model, contributions as in `figure_entries`; S = 1 for one without seeds.
        metric: what they contribute to.
        baselines: the models that are no cells.
        margin: differences within it make no difference in practice; above 0.
        look: k, how many times the same comparison was judged, this time included, each with more seeds.

    Returns:
        The entries of ``differences`` in comparison.json.

    Example:
        >>> from gatewise.statistics import Mean
        >>> accuracy = Mean("accuracy", "accuracy", higher_is_better=True, percent=True)
        >>> a, b = np.array([[1.0] * 90 + [0.0] * 10]), np.array([[1.0] * 80 + [0.0] * 20])
        >>> (pair,) = difference_entries({"lstm": a, "rnn": b}, accuracy, [], margin=0.005)
        >>> round(pair["estimate"], 3), pair["differs"], pair["equivalent"]
        (0.1, True, False)
    """
    pairs = [(one, two) for one, two in combinations(tables, 2) if not (one in baselines and two in baselines)]
    spread = _spread(tables, metric, baselines)
    found = [
        paired_difference(
            tables[one],
            tables[two],
            _generator(f"{one} {two}"),
            measure=metric,
            spread=spread,
            seedless=(one in baselines, two in baselines),
        )
        for one, two in pairs
    ]
    factor, later = looks_factor(look), looks_factor(look + 1)
    adjusted = [min(1.0, factor * p_value) for p_value in holm([difference.p_value for difference in found])]
    levels = [level / later for level in _levels([difference.p_value for difference in found], adjusted)]
    entries = []
    for (one, two), difference, p_value, level in zip(pairs, found, adjusted, levels, strict=True):
        entry = _bounded(difference.to_dict(significance=level), metric)
        if entry["seeds_needed"] is not None and p_value >= SIGNIFICANCE:
            entry["seeds_needed"] = max(entry["seeds_needed"], len(tables[one]) + 1, len(tables[two]) + 1)
        claims = _claims(difference, p_value, margin, factor)
        wins = _wins(tables[one], tables[two], metric, f"{one} {two} runs")
        entries.append({"first": one, "second": two, **entry, **claims, "run_superiority_interval": wins})
    return entries


def _bounded(entry: Entry, metric: Measure) -> Entry:
    """A difference whose interval ends where no two figures lie farther apart."""
    lowest, highest = (0.0, 1.0) if metric.percent and metric.higher_is_better else metric.bounds
    widest = highest - lowest
    return entry | {"low": max(entry["low"], -widest), "high": min(entry["high"], widest)}


def _claims(difference: Difference, p_value: float, margin: float, factor: float) -> Entry:
    """What may be said of a difference: that there is one, or that there is none in practice.

    Args:
        difference: of two models.
        p_value: adjusted for all pairs and looks.
        margin: differences within it make no difference in practice.
        factor: by which looks multiply the p value of equivalence.
    """
    equivalence = difference.equivalence(margin)
    return {
        "adjusted_p_value": p_value,
        "significance": SIGNIFICANCE,
        "differs": difference.enough and p_value < SIGNIFICANCE,
        "equivalent": difference.enough and factor * equivalence.p_value < SIGNIFICANCE,
        "equivalence_p_value": equivalence.p_value,
        "smallest_margin": equivalence.smallest_margin,
    }


def _wins(one: Table, two: Table, metric: Measure, words: str) -> Entry | None:
    """How often a run of the first beats a run of the second, with its interval over seeds; None for one seed each."""
    if max(len(one), len(two)) == 1:
        return None
    sized = metric.sized(one.shape[1])
    runs = [np.atleast_1d(sized.figure(table.mean(axis=1))) for table in (one, two)]
    found = improvement_probability(
        [runs[0]], [runs[1]], _generator(words), higher_is_better=[metric.higher_is_better], draws=_DRAWS
    )
    return {"estimate": found.estimate, "low": found.low, "high": found.high, "level": found.level}


def _levels(p_values: Sequence[float], adjusted: Sequence[float]) -> list[float]:
    """The level at which Holm's correction tests each pair, at the first look.

    The k-th smallest p value of m is tested at 0.05 / (m - k + 1), the first that fails and all after it at the level
    of that first one: with more seeds, too, each of them would have to be found before the others.

    Example:
        >>> [round(level, 3) for level in _levels([0.001, 0.04, 0.5], [0.003, 0.08, 0.5])]
        [0.017, 0.025, 0.025]
    """
    open_pairs = sum(p_value >= SIGNIFICANCE for p_value in adjusted)
    ranks = np.argsort(np.argsort(p_values, kind="stable"), kind="stable")
    return [
        SIGNIFICANCE / (open_pairs if corrected >= SIGNIFICANCE else len(p_values) - int(rank))
        for rank, corrected in zip(ranks, adjusted, strict=True)
    ]


def _generator(words: str) -> np.random.Generator:
    """A source of random draws that depends on words alone."""
    return np.random.default_rng(zlib.crc32(words.encode("utf-8")))
