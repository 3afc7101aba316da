"""Comparisons on several data sets, and what they say together: what `comparisons.json` holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gatewise.record.figures import Figure, Interval, Metric

__all__ = [
    "BEST_BASELINE",
    "SEVERAL_FORMAT",
    "SEVERAL_VERSION",
    "DataSetModel",
    "DataSetPart",
    "ModelOverall",
    "Overall",
    "PairOverall",
    "Several",
    "SplitPair",
    "Splits",
]

SEVERAL_FORMAT = "gatewise.comparisons"
SEVERAL_VERSION = 1
BEST_BASELINE = "best-baseline"
"""Name under which the best baseline of each data set takes part over all of them."""


@dataclass(frozen=True, kw_only=True)
class DataSetModel:
    """One model on one data set.

    Attributes:
        name: of the cell or baseline.
        title: as a reader knows it.
        kind: ``recurrent`` or ``baseline``.
        figure: the data set's metric on its test part.
        score: the share of the best baseline's error that it saves, the mean over its runs; None: it is not known.
        lost: runs that did not finish.
    """

    name: str
    title: str
    kind: Literal["recurrent", "baseline"]
    figure: Figure
    score: float | None
    lost: int = 0


@dataclass(frozen=True, kw_only=True)
class DataSetPart:
    """The comparison on one data set.

    Attributes:
        name: of its folder.
        title: of the data.
        task: the kind of problem.
        unit: what a test example is, in the plural.
        folder: where the comparison lies, from the folder of this record.
        command: that repeats it.
        split_note: what the test part is.
        seeds: how often each cell was to be trained.
        metric: its own.
        margin: differences within it make none in practice, in the metric's unit.
        headline: of its verdict.
        sentences: of its verdict.
        left_out: why it does not count over all data sets; empty: it counts.
        models: those that finished, in the record's order.
    """

    name: str
    title: str
    task: str
    unit: str
    folder: str
    command: str
    split_note: str
    seeds: int
    metric: Metric
    margin: float
    headline: str
    sentences: tuple[str, ...]
    left_out: str
    models: tuple[DataSetModel, ...]


@dataclass(frozen=True, kw_only=True)
class ModelOverall:
    """One model over all data sets that count.

    Attributes:
        name: of the cell, or `BEST_BASELINE`.
        title: as a reader knows it.
        kind: ``recurrent`` or ``baseline``.
        rank: the mean of its ranks; 1 is the best.
        score: interquartile mean of its runs' scores, with an interval over seeds.
        profile: the share of its runs whose score is above each threshold.
        profile_low: lower end of the band.
        profile_high: upper end of the band.
    """

    name: str
    title: str
    kind: Literal["recurrent", "baseline"]
    rank: float
    score: Interval
    profile: tuple[float, ...]
    profile_low: tuple[float, ...]
    profile_high: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class PairOverall:
    """Two models over all data sets that count.

    Attributes:
        first: name of a model.
        second: name of another.
        improvement: probability that a run of the first beats one of the second, with an interval over seeds.
        p_value: of "the two rank alike", corrected for all pairs (Nemenyi 1963).
        differs: whether they do, where there are enough data sets to say so.
        better: probability that on data sets of this sort the first is better by more than the margin.
        same: probability that the two are the same within the margin.
        worse: probability that the first is worse by more than the margin.
    """

    first: str
    second: str
    improvement: Interval
    p_value: float
    differs: bool
    better: float
    same: float
    worse: float


@dataclass(frozen=True, kw_only=True)
class Overall:
    """What the data sets say together.

    Attributes:
        data_sets: names of the parts that count.
        enough: whether they are enough to say something of other data sets.
        scale: how figures of different kinds are put on one scale, in words.
        thresholds: of the profiles.
        friedman: the statistic of Friedman's test.
        p_value: of "all models rank alike" (Iman and Davenport 1980).
        critical_difference: of mean ranks, for all pairs together (Nemenyi 1963).
        significance: below which p values count.
        models: by mean rank, the best first.
        pairs: every model with every other, the better ranked first.
    """

    data_sets: tuple[str, ...]
    enough: bool
    scale: str
    thresholds: tuple[float, ...]
    friedman: float
    p_value: float
    critical_difference: float
    significance: float
    models: tuple[ModelOverall, ...]
    pairs: tuple[PairOverall, ...]


@dataclass(frozen=True, kw_only=True)
class SplitPair:
    """Two models over several splits of one data set.

    Attributes:
        first: name of a model.
        second: name of another.
        difference: figure of the first minus that of the second, the mean over splits with its interval.
        p_value: of "no difference".
        adjusted_p_value: the same corrected for all pairs (Holm, 1979).
        differs: whether they do.
        improvement: probability that a run of the first beats one of the second on the same split, with its interval.
        shares: of the variance of one split's difference: ``seeds``, ``examples``, ``both``, ``splits``.
    """

    first: str
    second: str
    difference: Interval
    p_value: float
    adjusted_p_value: float
    differs: bool
    improvement: Interval
    shares: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Splits:
    """Comparisons on several splits of one data set.

    Attributes:
        count: how many.
        setting: whose values are the splits.
        searched: whether each seed had a search of its own, so that the seeds' share includes the search's.
        pairs: that all splits have.
    """

    count: int
    setting: str
    searched: bool
    pairs: tuple[SplitPair, ...]


@dataclass(frozen=True, kw_only=True)
class Several:
    """Comparisons on several data sets.

    Attributes:
        created: time of writing, ISO 8601.
        command: the command line that repeats it.
        headline: the outcome in one line.
        sentences: what the figures allow to say.
        caveats: what they do not.
        parts: one per data set.
        overall: None: fewer than two data sets count, or they are splits of one.
        splits: where the parts are splits of one data set.
    """

    created: str
    command: str
    headline: str
    sentences: tuple[str, ...]
    caveats: tuple[str, ...]
    parts: tuple[DataSetPart, ...]
    overall: Overall | None
    splits: Splits | None = None
    format: str = SEVERAL_FORMAT
    format_version: int = SEVERAL_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, ready for JSON: the content of `comparisons.json`."""
        from gatewise.record.writing import plain

        content: dict[str, Any] = plain(self)
        first = {name: content.pop(name) for name in ("format", "format_version")}
        return first | content
