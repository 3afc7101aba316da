"""Intervals and tests, as pure functions of arrays; whatever is random takes its generator.

Axis letters: S seeds (training runs of one model), N test examples. A *contribution* is one example's share of a figure
(`gatewise.training.problem.Metric`): right or wrong, a squared error, a negative log-likelihood.
"""

from __future__ import annotations

from gatewise.statistics.classical import DieboldMariano, diebold_mariano, holm, mcnemar
from gatewise.statistics.components import (
    Components,
    block_length,
    long_run_variance,
    variance_components,
)
from gatewise.statistics.differences import (
    Difference,
    Equivalence,
    PairedDifference,
    compare_pairs,
    default_margin,
    paired_difference,
)
from gatewise.statistics.estimates import MEAN, Estimate, estimate_figure
from gatewise.statistics.intervals import Interval, wilson_interval
from gatewise.statistics.resampling import RESAMPLES, bca_reach

__all__ = [
    "MEAN",
    "RESAMPLES",
    "Components",
    "DieboldMariano",
    "Difference",
    "Equivalence",
    "Estimate",
    "Interval",
    "PairedDifference",
    "bca_reach",
    "block_length",
    "compare_pairs",
    "default_margin",
    "diebold_mariano",
    "estimate_figure",
    "holm",
    "long_run_variance",
    "mcnemar",
    "paired_difference",
    "variance_components",
    "wilson_interval",
]
