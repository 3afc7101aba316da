"""What comparisons on several splits of one data set say together. A pure function of their records."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gatewise import words
from gatewise.comparison.verdict.facts import SIGNIFICANCE
from gatewise.errors import RunError
from gatewise.record import NOT_JUDGED, Comparison, Interval, SplitPair, Splits
from gatewise.statistics import holm
from gatewise.statistics.aggregates import improvement_probability
from gatewise.statistics.components import Components
from gatewise.statistics.splits import difference_over_splits

__all__ = ["FEW_SPLITS", "share_titles", "splits_headline", "splits_of", "splits_sentences"]

FEW_SPLITS = 5
"""With fewer, Student's t (12.7 with two, 4.3 with three, 3.2 with four) is what makes the interval wide."""


def splits_of(records: Sequence[Comparison], setting: str) -> Splits:
    """Every pair over all splits: mean difference, shares of its variance, and how often a run wins.

    Args:
        records: one comparison per split.
        setting: whose values are the splits.

    Raises:
        RunError: fewer than two splits, or no pair that all have.
    """
    kept = [{(pair.first, pair.second): pair for pair in record.differences} for record in records]
    names = [name for name in kept[0] if all(name in each for each in kept)] if len(records) > 1 else []
    if not names:
        raise RunError("no pair of models was compared on two splits", fix="see what failed in each of them")
    sizes = records[0].data.sizes
    higher = records[0].metric.higher_is_better
    found = []
    for name in names:
        pairs = [each[name] for each in kept]
        parts = []
        for pair in pairs:
            known = pair.variance
            if known is None:
                raise RunError("a record does not hold the parts of its variance", fix="compare again")
            parts.append(Components(known.seed, known.example, known.rest, known.seeds, known.example_degrees))
        over = difference_over_splits(
            [pair.estimate for pair in pairs], parts, test_by_train=sizes.test / max(1, sizes.train)
        )
        ours, theirs = ([record.model(each).figure.per_seed for record in records] for each in name)
        wins = improvement_probability(ours, theirs, _generator(" ".join(name)), higher_is_better=[higher] * len(ours))
        found.append((name, over, wins))
    adjusted = holm([over.p_value for _, over, _ in found])
    judged = all(record.verdict.outcome not in NOT_JUDGED or record.verdict.outcome == "single" for record in records)
    return Splits(
        count=len(records),
        setting=setting,
        searched=bool((records[0].plan.get("search") or {}).get("repeat")),
        pairs=tuple(
            SplitPair(
                first=first,
                second=second,
                difference=_possible(_interval(over.interval), records),
                p_value=over.p_value,
                adjusted_p_value=p_value,
                differs=judged and p_value < SIGNIFICANCE,
                improvement=_interval(wins),
                shares={name: getattr(over, name) for name in ("seeds", "examples", "both", "splits")},
            )
            for ((first, second), over, wins), p_value in zip(found, adjusted, strict=True)
        ),
    )


def splits_headline(found: Splits, records: Sequence[Comparison]) -> str:
    """The outcome in one line."""
    cells = {model.name for model in records[0].cells}
    better = [pair for pair in found.pairs if pair.differs and {pair.first, pair.second} <= cells]
    over = f"Over {found.count} splits"
    if not better:
        return f"{over} no cell is shown to be better than another"
    named = words.plural(len(better), "pair")
    return f"{over} {named} of cells differ{'s' if len(better) == 1 else ''}"


def splits_sentences(found: Splits, records: Sequence[Comparison]) -> tuple[str, ...]:
    """Each pair of cells in a sentence, and where the variance of a difference comes from."""
    record = records[0]
    titles = {model.name: model.title for model in record.models}
    cells = {model.name for model in record.cells}
    scale = words.Scale.of(record.metric, max(abs(model.figure.estimate) for model in record.models))
    said = []
    for pair in found.pairs:
        if not {pair.first, pair.second} <= cells:
            continue
        gap, wins = pair.difference, pair.improvement
        reading = "differ" if pair.differs else "no difference shown"
        said.append(
            f"{titles[pair.first]} minus {titles[pair.second]}: {scale.signed(gap.estimate)} "
            f"(95 % interval {scale.interval(gap.low, gap.high, signed=True)}, corrected p "
            f"{words.p_value(pair.adjusted_p_value)}: {reading}); a run of {titles[pair.first]} wins in "
            f"{words.percent(wins.estimate, 0)} of pairs of runs ({100 * wins.low:.0f} to {100 * wins.high:.0f} %)."
        )
    shares = {name: float(np.median([pair.shares[name] for pair in found.pairs])) for name in found.pairs[0].shares}
    whole = sum(shares.values()) or 1.0
    titled = share_titles(found, len(record.plan["seeds"]))
    known = {name: value for name, value in shares.items() if name in titled}
    listed = words.join([f"{titled[name]} {words.percent(value / whole, 0)}" for name, value in known.items()])
    said.append(f"Where the variance of one split's difference comes from, by the middle pair: {listed}.")
    return tuple(said)


def share_titles(found: Splits, seeds: int) -> dict[str, str]:
    """The sources of variance in words; with one seed its part cannot be separated from the splits'."""
    if seeds == 1:
        return {"examples": "test examples", "splits": "splits and seeds"}
    named = "seeds and searches" if found.searched else "seeds"
    return {"seeds": named, "examples": "test examples", "both": f"{named} and examples together", "splits": "splits"}


def _interval(found: object) -> Interval:
    return Interval(**{name: float(getattr(found, name)) for name in ("estimate", "low", "high", "level")})


def _possible(found: Interval, records: Sequence[Comparison]) -> Interval:
    """The part of an interval that shares can differ by: Student's t with one degree of freedom reaches beyond it."""
    figures = [figure for record in records for model in record.models for figure in model.figure.per_seed]
    if not records[0].metric.percent or min(figures) < 0 or max(figures) > 1:
        return found
    return replace(found, low=max(found.low, -1.0), high=min(found.high, 1.0))


def _generator(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode("utf-8")))
