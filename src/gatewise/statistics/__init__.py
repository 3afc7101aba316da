"""Intervals and tests, as pure functions of arrays; whatever is random takes its generator.

Axis letters: S seeds (training runs of one model), N test examples, K numbers that an example contributes. A
*contribution* is one example's share of a figure (`Measure`): right or wrong, a squared error, a negative
log-likelihood; or, with K > 1, counts such as true, predicted and matching spans.
"""

from __future__ import annotations

from gatewise.statistics.bleu import Bleu
from gatewise.statistics.chrf import ChrF
from gatewise.statistics.classes import Auroc, MacroF1, MicroF1, auroc_contributions, f1_contributions
from gatewise.statistics.classical import holm, mcnemar
from gatewise.statistics.components import (
    Components,
    variance_components,
)
from gatewise.statistics.differences import Difference, Equivalence, default_margin, paired_difference
from gatewise.statistics.estimates import MEAN, Estimate, estimate_figure
from gatewise.statistics.intervals import Interval, wilson_interval
from gatewise.statistics.lags import MedianLag, median_lag, median_lag_over, settled
from gatewise.statistics.measure import Mean, Measure
from gatewise.statistics.ordered import MeanAbsoluteError, QuadraticKappa, kappa_contributions
from gatewise.statistics.progress import Progress, late_progress, paired_error
from gatewise.statistics.ratios import Ratio, SpanF1
from gatewise.statistics.resampling import RESAMPLES, bca_reach
from gatewise.statistics.serial import LEAST_BLOCKS, Blocks, find_blocks, long_run_variance
from gatewise.statistics.spread import SeedSpread, seed_spread

__all__ = [
    "LEAST_BLOCKS",
    "MEAN",
    "RESAMPLES",
    "Auroc",
    "Bleu",
    "Blocks",
    "ChrF",
    "Components",
    "Difference",
    "Equivalence",
    "Estimate",
    "Interval",
    "MacroF1",
    "Mean",
    "MeanAbsoluteError",
    "Measure",
    "MedianLag",
    "MicroF1",
    "Progress",
    "QuadraticKappa",
    "Ratio",
    "SeedSpread",
    "SpanF1",
    "auroc_contributions",
    "bca_reach",
    "default_margin",
    "estimate_figure",
    "f1_contributions",
    "find_blocks",
    "holm",
    "kappa_contributions",
    "late_progress",
    "long_run_variance",
    "mcnemar",
    "median_lag",
    "median_lag_over",
    "paired_difference",
    "paired_error",
    "seed_spread",
    "settled",
    "variance_components",
    "wilson_interval",
]
