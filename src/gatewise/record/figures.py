"""Figures with their intervals, and the differences between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Difference", "Figure", "Interval", "Metric", "Skill", "Variance"]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """The figure by which the models of a comparison are compared.

    Attributes:
        name: as in `Run.test` and `Epoch.validation`.
        title: in words.
        higher_is_better: its direction.
        percent: a fraction that is shown times 100.
        percent_sign: whether it is then written with the sign %; BLEU is not.
        transform: from the mean contribution of the test examples to the figure: ``mean``, ``exp`` or ``sqrt``; None:
            another function.
        dependence: ``independent`` examples, or ``serial`` ones.
        contribution: what one example contributes, in words.
        overlap: of serial examples, how many in a row share what they measure.
        documents: of serial examples, in how many documents they lie; None: not known.
    """

    name: str
    title: str
    higher_is_better: bool
    percent: bool = False
    percent_sign: bool = True
    transform: str | None = None
    dependence: str = "independent"
    contribution: str = ""
    overlap: int = 1
    documents: int | None = None


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An estimate with its two-sided interval."""

    estimate: float
    low: float
    high: float
    level: float


@dataclass(frozen=True, kw_only=True)
class Figure(Interval):
    """The metric of one model on the test part.

    Attributes:
        method: how the interval was made.
        over: what it allows for: ``examples``, or ``seeds and examples``.
        seeds: how many.
        examples: how many test examples.
        deviation: standard deviation over seeds; None for one seed.
        per_seed: the figure of each seed.
        blocks: how many independent blocks the test examples are; None: they are independent, or an older record.
    """

    method: str
    over: str
    seeds: int
    examples: int
    deviation: float | None
    per_seed: tuple[float, ...]
    blocks: float | None = None


@dataclass(frozen=True, kw_only=True)
class Skill:
    """The fraction of a baseline's error that a model saves: 1 - error / the baseline's error (Murphy, 1988)."""

    against: str
    value: float


@dataclass(frozen=True, kw_only=True)
class Variance:
    """The variance of a difference, by source: see `gatewise.statistics.components.Components`.

    Attributes:
        seed: what the spread of the seeds' means tells of it; 0 with one seed.
        example: what the spread of the examples' means tells of it.
        rest: the part counted in both.
        seeds: of each model; of two models with other numbers, as many as would give this variance.
        example_degrees: degrees of freedom of the examples' part.
        seed_degrees: of the seeds' part; None: one seed.
        least: a floor.
    """

    seed: float
    example: float
    rest: float
    seeds: float
    example_degrees: float
    seed_degrees: float | None = None
    least: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Difference(Interval):
    """Two models on the same test examples: figure of the first minus that of the second.

    Attributes:
        first: name of a model.
        second: name of another.
        method: how the interval was made.
        over: what it allows for.
        p_value: of "no difference".
        adjusted_p_value: the same corrected for all pairs (Holm, 1979).
        significance: below which corrected p value the two differ.
        differs: whether they do.
        equivalent: whether the difference is shown to lie within the margin.
        equivalence_p_value: of "beyond the margin".
        smallest_margin: the smallest margin within which it could be said to lie.
        superiority: probability that the first is better.
        run_superiority: probability that a run of the first is better than one of the second; None for one seed.
        run_superiority_interval: the same with its interval over seeds; None for one seed, or an older record.
        seeds_needed: seeds of each that would detect a difference of this size; None: unknown, or only more examples
            would.
        ratio: of the two figures, where they are perplexities.
        degrees: of freedom; None: infinitely many.
        blocks: how many independent blocks the test examples are for this pair; with fewer than 8 the two neither
            differ nor are equivalent, whatever the p values; None: they are independent, or an older record.
        variance: of the estimate, by source; None: an older record.
    """

    first: str
    second: str
    method: str
    over: str
    p_value: float
    adjusted_p_value: float
    significance: float
    differs: bool
    equivalent: bool
    equivalence_p_value: float
    smallest_margin: float
    superiority: float | None = None
    run_superiority: float | None = None
    seeds_needed: int | None = None
    ratio: Interval | None = None
    degrees: float | None = None
    blocks: float | None = None
    variance: Variance | None = None
    run_superiority_interval: Interval | None = None

    @property
    def sources(self) -> Mapping[str, float]:
        """Shares of the variance: ``seeds``, ``examples``, and ``both``, which shrinks with more of either."""
        parts = self.variance
        if parts is None or parts.seed == 0:
            return {}
        found = {
            "seeds": max(parts.seed - parts.rest, 0.0),
            "examples": max(parts.example - parts.rest, 0.0),
            "both": parts.rest,
        }
        whole = sum(found.values())
        return {name: value / whole for name, value in found.items()} if whole else {}
