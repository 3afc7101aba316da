"""Intervals and tests, as pure functions of arrays; whatever is random takes its generator.

Axis letters: S seeds (training runs of one model), N test examples, K numbers that an example contributes. A
*contribution* is one example's share of a figure (`Measure`): right or wrong, a squared error, a negative
log-likelihood; or, with K > 1, counts such as true, predicted and matching spans.
"""

from __future__ import annotations

from gatewise.statistics.bleu import Bleu
from gatewise.statistics.classes import Auroc, MacroF1, MicroF1, auroc_contributions, f1_contributions
from gatewise.statistics.classical import holm, mcnemar
from gatewise.statistics.components import (
    Components,
    block_length,
    long_run_variance,
    variance_components,
)
from gatewise.statistics.differences import Difference, Equivalence, default_margin, paired_difference
from gatewise.statistics.estimates import MEAN, Estimate, estimate_figure
from gatewise.statistics.intervals import Interval, wilson_interval
from gatewise.statistics.measure import Mean, Measure
from gatewise.statistics.progress import Progress, late_progress, paired_error
from gatewise.statistics.ratios import Ratio, SpanF1
from gatewise.statistics.resampling import RESAMPLES, bca_reach
from gatewise.statistics.spread import SeedSpread, seed_spread

__all__ = [
    "MEAN",
    "RESAMPLES",
    "Auroc",
    "Bleu",
    "Components",
    "Difference",
    "Equivalence",
    "Estimate",
    "Interval",
    "MacroF1",
    "Mean",
    "Measure",
    "MicroF1",
    "Progress",
    "Ratio",
    "SeedSpread",
    "SpanF1",
    "auroc_contributions",
    "bca_reach",
    "block_length",
    "default_margin",
    "estimate_figure",
    "f1_contributions",
    "holm",
    "late_progress",
    "long_run_variance",
    "mcnemar",
    "paired_difference",
    "paired_error",
    "seed_spread",
    "variance_components",
    "wilson_interval",
]
