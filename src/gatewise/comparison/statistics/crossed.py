"""The interval of the mean of a table of seeds and examples, without a bootstrap."""

from __future__ import annotations

import math

import numpy as np

from gatewise.comparison.statistics.differences import Difference
from gatewise.comparison.statistics.intervals import Interval, Scores
from gatewise.comparison.statistics.intervals import check_level as _check_level
from gatewise.errors import ShapeError

__all__ = ["crossed_interval"]


def crossed_interval(scores: Scores, level: float = 0.95) -> Difference:
    """Interval and test of the mean of a table of seeds x examples, when both are samples.

    Another seed and another example would each have given another number. In the crossed random-effects model
    ``score = mean + seed + example + rest`` the mean of the table has the variance

    .. math:: V = (MS_{seed} + MS_{example} - MS_{rest}) / (S N)

    with the mean squares of the two-way analysis of variance (Scheffé 1959, chapter 7; used so for readers x cases by
    Obuchowski & Rockette 1995); the estimate is kept at half of the examples' part or more. Its degrees of freedom are
    Satterthwaite's (1946); a few seeds that differ much give a wide interval, as they should. In simulation a 95 %
    interval holds the truth in 94 to 97 % of cases from three seeds on, in 90 to 95 % with two.

    Args:
        scores: (S, N) with S >= 2 and N >= 2; for a paired comparison the differences of two tables.
        level: probability that such intervals hold the true mean.

    Returns:
        The interval of the mean, and the p value of "the mean is zero".

    Raises:
        ShapeError: fewer than two seeds or examples.

    Example:
        >>> generator = np.random.default_rng(0)
        >>> result = crossed_interval(generator.normal(0.5, 1.0, size=(4, 1000)))
        >>> result.interval.low < 0.5 < result.interval.high, result.p_value < 0.001
        (True, True)
    """
    from scipy.stats import t as student

    _check_level(level)
    table = np.asarray(scores, dtype=np.float64)
    if table.ndim != 2 or min(table.shape) < 2:
        raise ShapeError("scores must be a table", expected="(seeds >= 2, examples >= 2)", got=table.shape)
    seeds, examples = table.shape
    mean = float(table.mean())
    by_seed, by_example = table.mean(axis=1), table.mean(axis=0)
    of_seed = examples * float(np.var(by_seed, ddof=1))
    of_example = seeds * float(np.var(by_example, ddof=1))
    rest = float(np.sum((table - by_seed[:, None] - by_example[None, :] + mean) ** 2)) / ((seeds - 1) * (examples - 1))
    variance = max(of_seed + of_example - rest, 0.5 * of_example) / (seeds * examples)
    if variance <= 0.0:
        return Difference(Interval(mean, mean, mean, level), 1.0 if mean == 0 else 0.0, "seeds x examples")
    spread = of_seed**2 / (seeds - 1) + of_example**2 / (examples - 1) + rest**2 / ((seeds - 1) * (examples - 1))
    freedom = max(1.0, (variance * seeds * examples) ** 2 / spread)
    error = math.sqrt(variance)
    reach = float(student.ppf(0.5 + level / 2, freedom)) * error
    p_value = float(2 * student.sf(abs(mean) / error, freedom))
    return Difference(Interval(mean, mean - reach, mean + reach, level), p_value, "seeds x examples")
