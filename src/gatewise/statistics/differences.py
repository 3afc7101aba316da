"""Two models on the same examples: the difference of their figures, and what may be said of it."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from gatewise.errors import OptionError, ShapeError
from gatewise.statistics.classical import mcnemar
from gatewise.statistics.clusters import clustered, over_clusters
from gatewise.statistics.components import Components, t_quantile, variance_components
from gatewise.statistics.estimates import MEAN, Over, is_binary, mean_interval, unit_error
from gatewise.statistics.intervals import Array, Interval, Scores, as_table, check_level
from gatewise.statistics.measure import Mean, Measure, linearised
from gatewise.statistics.planning import seeds_needed
from gatewise.statistics.resampling import RESAMPLES
from gatewise.statistics.serial import enough_blocks
from gatewise.statistics.spread import SeedSpread, seed_part, seed_spread

__all__ = ["Difference", "Equivalence", "default_margin", "paired_difference"]

_ENOUGH_DIFFER = 5
"""Groups on which two models differ; with fewer, what differs by group is hardly known."""

_FEW = 20
"""Examples on which two models differ, below which the shape of a bootstrap over them is chance."""


@dataclass(frozen=True)
class Equivalence:
    """Whether two figures are shown to be within a margin of each other.

    Args:
        margin: in the figure's unit, above 0.
        p_value: of "they are further apart than the margin" (two one-sided tests: Schuirmann 1987).
        shown: whether that is refuted, so that "within the margin" may be said at the level.
        level: of that statement.
        smallest_margin: the smallest margin for which it may be said.
    """

    margin: float
    p_value: float
    shown: bool
    level: float
    smallest_margin: float


@dataclass(frozen=True)
class Difference:
    """Figure of the first minus figure of the second.

    Args:
        interval: the difference and its interval, in the figure's unit.
        p_value: two-sided, of "no difference".
        method: how, in words.
        over: what interval and test allow for; ``examples`` where both models have one seed.
        degrees: degrees of freedom of the interval.
        ratio: first by second with its interval, for a perplexity; else None.
        superiority: probability that the first is the better one of the two: the share of the uncertainty's
            distribution on its side of zero.
        run_superiority: probability that a run of the first, with a seed of its own, beats a run of the second (ties
            half), over all pairs of runs measured; None where both have one seed.
        components: where the uncertainty comes from; None where the difference was not computed from contributions.
        blocks: how many independent blocks the examples are, where neighbours depend on each other; None: they do not.

    Example:
        >>> a = np.array([1] * 90 + [0] * 10); b = np.array([1] * 80 + [0] * 20)
        >>> found = paired_difference(a, b, np.random.default_rng(0))
        >>> round(found.interval.estimate, 3), found.p_value < 0.01, found.superiority > 0.99
        (0.1, True, True)
    """

    interval: Interval
    p_value: float
    method: str
    over: Over = "examples"
    degrees: float = math.inf
    ratio: Interval | None = None
    superiority: float = math.nan
    run_superiority: float | None = None
    components: Components | None = None
    blocks: float | None = None

    @property
    def enough(self) -> bool:
        """Whether there are enough independent blocks to claim anything: `gatewise.statistics.serial.LEAST_BLOCKS`."""
        return enough_blocks(self.blocks)

    def equivalence(self, margin: float, level: float = 0.95) -> Equivalence:
        """Test whether the two figures are within a margin of each other.

        Args:
            margin: in the figure's unit.
            level: of the statement; each of the two one-sided tests is made at 1 - level.

        Raises:
            OptionError: a margin that is not above 0.

        Example:
            >>> Difference(Interval(0.001, -0.002, 0.004), 0.5, "").equivalence(0.005).shown
            True
        """
        check_level(level)
        if not (margin > 0 and math.isfinite(margin)):
            raise OptionError(
                "a margin of equivalence is out of range", expected="above 0", got=margin, fix="give a larger --margin"
            )
        estimate = self.interval.estimate
        p_value = max(
            self._parts.tail((estimate + margin) / self._side("low")),
            self._parts.tail((margin - estimate) / self._side("high")),
        )
        reach = self._parts.reach(level)
        smallest = max(reach * self._side("low") - estimate, reach * self._side("high") + estimate)
        return Equivalence(margin, p_value, p_value < 1 - level, level, max(smallest, 0.0))

    def seeds_needed(self, *, power: float = 0.8, significance: float = 0.05) -> int | None:
        """Seeds of each model with which a difference of this size would be found with the given probability.

        The examples stay the same; what differs between them stays too. A plain estimate from the present variance
        components, which few seeds tell roughly. Where several pairs are tested, the level is that of the correction.

        Args:
            power: probability of finding it.
            significance: level of the test.

        Returns:
            The number, at least 2; None where it is not known (one seed), or where no number of seeds would do and
            only more test examples would.

        Example:
            >>> parts = Components(seed=3e-5, example=2e-6, rest=1e-6, seeds=3, example_degrees=9999)
            >>> Difference(Interval(0.01, -0.01, 0.03), 0.2, "", components=parts).seeds_needed()
            10
        """
        if self.components is None or not self.enough:
            return None
        gap = abs(self.interval.estimate)
        return seeds_needed(self.components, gap, significance=significance, power=power)

    def to_dict(self, *, significance: float = 0.05) -> dict[str, Any]:
        """A dictionary, ready for JSON: the interval's parts and the fields; the variance's parts under ``variance``.

        Args:
            significance: of `seeds_needed`.
        """
        fields = {name: value for name, value in asdict(self).items() if name not in ("interval", "components")}
        finite = self.degrees if math.isfinite(self.degrees) else None
        return {
            **asdict(self.interval),
            **fields,
            "degrees": finite,
            "seeds_needed": self.seeds_needed(significance=significance),
            "variance": self._variance(),
        }

    def _variance(self) -> dict[str, float | None] | None:
        """Where the uncertainty comes from, as plain numbers."""
        parts = self.components
        if parts is None:
            return None
        names = ("seed", "example", "rest", "seeds", "example_degrees", "seed_degrees", "least")
        return {name: getattr(parts, name) for name in names}

    @property
    def _parts(self) -> Components:
        """The variance; that of the interval where the difference was not computed from contributions."""
        if self.components is not None:
            return self.components
        error = self.interval.half_width / t_quantile(0.5 + self.interval.level / 2, self.degrees)
        return Components(seed=0.0, example=error**2, rest=0.0, seeds=1, example_degrees=self.degrees)

    def _side(self, side: str) -> float:
        """How much farther the interval reaches to one side than the variance alone would have it."""
        plain = self._parts.reach(0.5 + self.interval.level / 2)
        estimate = self.interval.estimate
        reach = estimate - self.interval.low if side == "low" else self.interval.high - estimate
        return reach / plain if plain > 0 and reach > 0 else 1.0


def paired_difference(
    first: Scores,
    second: Scores,
    generator: np.random.Generator,
    *,
    measure: Measure = MEAN,
    spread: SeedSpread | None = None,
    seedless: tuple[bool, bool] | None = None,
    level: float = 0.95,
    resamples: int = RESAMPLES,
) -> Difference:
    """Compare two models on the same examples, with as many seeds as there are.

    The difference is computed example by example: what makes an example hard for both cancels. Seeds are not paired:
    runs of two cells with the same seed have nothing in common. How far seeds lie apart is taken from these two models,
    or from all models of the comparison (`seed_spread`), whichever is larger (`seed_part`). Figures that are no plain
    mean are linearised about their means (delta method). Interval as in `estimate_figure`. The p value is the level at
    which that interval would end at zero; for right and wrong with one seed it is McNemar's. For a series with one seed
    it is Diebold and Mariano's test, with the long-run variance of slow cosines and Student's t (Coroneo and Iacone
    2020).

    Args:
        first: (S, N) contributions, or (N,); where K > 1 (S, N, K) or (N, K).
        second: (S, N); the two may have other numbers of seeds.
        generator: source of the bootstrap's draws.
        measure: what they contribute to.
        spread: between the seeds of all models of the comparison; None: of these two.
        seedless: which of the two is a model without seeds, as a baseline is; None: each with a single row.
        level: of the interval.
        resamples: of the bootstrap.

    Raises:
        ShapeError: the tables have other examples, or values that are not finite.
        OptionError: too few resamples, or a level outside (0, 1).

    Example:
        >>> generator = np.random.default_rng(0)
        >>> a = generator.random((3, 500)) < 0.9; b = generator.random((3, 500)) < 0.8
        >>> found = paired_difference(a, b, generator, measure=Mean("accuracy", "accuracy", True, percent=True))
        >>> found.over, found.interval.low < 0.1 < found.interval.high
        ('seeds and examples', True)
    """
    check_level(level)
    one, two = as_table(first, measure.numbers), as_table(second, measure.numbers)
    if one.shape[1] != two.shape[1]:
        raise ShapeError("the two tables do not fit", expected="the same examples", got=(one.shape, two.shape))
    examples = one.shape[1]
    measure = measure.sized(examples)
    means = one.mean(axis=(0, 1)), two.mean(axis=(0, 1))
    scaled = tuple(
        clustered(linearised(table, mean, measure), measure.groups)
        for table, mean in zip((one, two), means, strict=True)
    )
    estimate = float(measure.figure(means[0])) - float(measure.figure(means[1]))
    spread = seed_spread((one, two), measure) if spread is None else spread
    seedless = (len(one) == 1, len(two) == 1) if seedless is None else seedless
    parts = _parts_of(scaled, means, seedless, spread, measure)
    transform = measure.transform if isinstance(measure, Mean) else ""
    binary = transform == "mean" and measure.higher_is_better and is_binary(one) and is_binary(two)
    parts = _no_smaller_than_possible(parts, measure, means, (one, two), binary=binary)
    by_example = scaled[0].mean(axis=0) - scaled[1].mean(axis=0)
    least = 1.0 if measure.numbers > 1 or (binary and _few_differ(parts, (one, two))) else 0.0
    interval = mean_interval(
        estimate, by_example, parts, generator, level, resamples, borders=measure.borders, least=least
    )
    return _described(interval, parts, measure, means, (one, two), binary=binary)


def _described(
    interval: Interval,
    parts: Components,
    measure: Measure,
    means: tuple[Array, Array],
    tables: tuple[Array, Array],
    *,
    binary: bool,
) -> Difference:
    """The difference with its test, and what else is said of it."""
    one, two = tables
    single = parts.seed_degrees is None
    exact = single and binary and measure.groups is None
    as_ratio = isinstance(measure, Mean) and measure.transform == "exp"
    found = Difference(
        interval,
        1.0,
        _method(single, exact, measure),
        over="examples" if single else "seeds and examples",
        degrees=parts.degrees,
        ratio=_ratio(interval, float(means[0]), float(means[1])) if as_ratio else None,
        superiority=0.5,
        run_superiority=None if max(len(one), len(two)) == 1 else _run_superiority(one, two, measure),
        components=parts,
        blocks=None if parts.blocks is None else parts.blocks.count,
    )
    return _tested(found, measure, (one[0], two[0]) if exact else None)


def _parts_of(
    scaled: tuple[Array, ...],
    means: tuple[Array, Array],
    seedless: tuple[bool, bool],
    spread: SeedSpread | None,
    measure: Measure,
) -> Components:
    """The variance of the difference of two linearised tables by its sources, over groups where there are some."""
    slopes = [float(measure.gradient(each)) if measure.numbers == 1 else 1.0 for each in means]
    seeded = [(table, slope) for table, slope, without in zip(scaled, slopes, seedless, strict=True) if not without]
    one, two = scaled
    return over_clusters(_components(one, two, seed_part(seeded, spread), seedless, measure), measure.groups)


def _no_smaller_than_possible(
    parts: Components, measure: Measure, means: tuple[Array, Array], tables: tuple[Array, Array], *, binary: bool
) -> Components:
    """The variance, but never less than a figure of so many examples can show.

    Agreement on all N examples is no proof of agreement on the next one (Agresti & Min 2005): one more is allowed for.
    Where fewer than five groups have an example on which the two models differ, it is one more group.
    """
    one, two = tables
    count: float = one.shape[1]
    if binary:
        if measure.groups is not None:
            differing = np.unique(measure.groups[one.mean(axis=0) != two.mean(axis=0)])
            count = count if len(differing) >= _ENOUGH_DIFFER else parts.example_degrees + 1
        one_more = 1.0 / (count + 2) ** 2
        return parts.with_more(one_more) if _few_differ(parts, (one, two)) else parts.with_least(one_more)
    if measure.numbers > 1:
        return parts.with_more(max(unit_error(measure, each, one.shape[1]) for each in means) ** 2)
    return parts


def _few_differ(parts: Components, tables: tuple[Array, Array]) -> bool:
    """Whether two models that are right or wrong differ on so few examples that their bootstrap's shape is chance.

    Of a single run each, McNemar's test says that already.
    """
    one, two = tables
    return parts.seed_degrees is not None and int(np.count_nonzero(one.mean(axis=0) != two.mean(axis=0))) < _FEW


def _tested(found: Difference, measure: Measure, answers: tuple[Array, Array] | None) -> Difference:
    """The difference with its p value and the probability that the first is better.

    Args:
        found: the difference, with its interval.
        measure: its direction.
        answers: right and wrong ones of a single run each, for McNemar's test; None: by the interval's own law.
    """
    estimate = found.interval.estimate
    if estimate == 0.0:
        return found
    tail = found._parts.tail(abs(estimate) / found._side("low" if estimate > 0 else "high"))
    p_value = min(1.0, 2 * tail) if answers is None else mcnemar(*answers)
    ahead = (estimate > 0) == measure.higher_is_better
    return replace(found, p_value=p_value, superiority=1 - tail if ahead else tail)


def default_margin(measure: Measure, best: float) -> float:
    """The difference that makes none in practice, where nobody says: 0.5 points of a share, or 1 % of the best.

    Example:
        >>> default_margin(Mean("accuracy", "accuracy", True, percent=True), 0.9)
        0.005
    """
    return 0.005 if measure.percent or measure.bounds == (0.0, 1.0) else max(abs(best) / 100, math.ulp(1.0))


def _components(
    one: Array, two: Array, seeds: tuple[float, float | None], seedless: tuple[bool, bool], measure: Measure
) -> Components:
    """The parts of a difference: the seeds' as given, the examples' from the means over seeds, the rest of both."""
    serial, borders = measure.dependence == "serial", measure.borders
    gaps = (one.mean(axis=0) - two.mean(axis=0))[None]
    shared = variance_components(gaps, serial=serial, overlap=measure.overlap, borders=borders)
    part, degrees = seeds
    if degrees is None:
        return shared
    rest = sum(
        variance_components(each, serial=serial, blocks=shared.blocks, borders=borders).rest for each in (one, two)
    )
    if np.array_equal(one, two):  # the very same runs
        part, rest = 0.0, 0.0
    # as many seeds as would give both means this weight
    counts = [len(table) for table, without in zip((one, two), seedless, strict=True) if not without]
    count = len(counts) / sum(1 / each for each in counts)
    return replace(shared, seed=part, rest=rest, seeds=count, seed_degrees=degrees)


def _ratio(interval: Interval, first: float, second: float) -> Interval:
    """First by second: the difference's interval, taken back to the scale of logarithms."""
    gap = first - second
    middle = math.exp(min((first + second) / 2, 700.0))
    ends = [gap + (end - interval.estimate) / middle for end in (interval.low, interval.high)]
    return Interval(math.exp(gap), math.exp(ends[0]), math.exp(ends[1]), interval.level)


def _run_superiority(one: Array, two: Array, measure: Measure) -> float:
    gap = measure.figure(one.mean(axis=1))[:, None] - measure.figure(two.mean(axis=1))[None, :]
    ahead = gap > 0 if measure.higher_is_better else gap < 0
    return float(np.mean(ahead + 0.5 * (gap == 0)))


def _method(single: bool, exact: bool, measure: Measure) -> str:
    serial, by = measure.dependence == "serial", "" if measure.groups is None else ", by group"
    if not single:
        return f"seeds and examples (variance components, {'moving-block ' if serial else ''}BCa bootstrap{by})"
    if serial:
        return "examples (Diebold-Mariano, moving-block BCa bootstrap)"
    return f"examples ({'McNemar mid-p, ' if exact else ''}BCa bootstrap{by})"
