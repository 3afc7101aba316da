"""From finished comparisons on several data sets to one record. A pure function of their records."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from gatewise.comparison.several.sentences import caveats_of, headline_of, sentences_of
from gatewise.comparison.several.splits import FEW_SPLITS, splits_headline, splits_of, splits_sentences
from gatewise.comparison.verdict.facts import SIGNIFICANCE
from gatewise.record import (
    BEST_BASELINE,
    NOT_JUDGED,
    Comparison,
    DataSetModel,
    DataSetPart,
    Interval,
    Metric,
    ModelEntry,
    ModelOverall,
    Overall,
    PairOverall,
    Several,
)
from gatewise.statistics.aggregates import improvement_probability, interquartile_mean, performance_profile
from gatewise.statistics.ranks import rank_over_data_sets
from gatewise.statistics.signed_rank import bayesian_signed_rank

__all__ = ["LEAST_DATA_SETS", "SCALE", "error_of", "several_record", "splits_record"]

LEAST_DATA_SETS = 6
"""With fewer, even a cell that is ahead on all of them is so by chance in more than 5 of 100 cases (sign test)."""
SCALE = (
    "A run's score on a data set is the share of the best baseline's error that it saves: 1 less error by error of the "
    "best baseline. 0 is as good as that baseline, 1 is perfect, below 0 is worse. The error is what is missing to "
    "100 % of a share, the logarithm of a perplexity (nats), and any other error as it is."
)
_THRESHOLDS = 41
_LEAST_SCORE = -1.0


def several_record(records: Mapping[str, tuple[str, Comparison]], *, command: str, created: str) -> Several:
    """Bring comparisons on several data sets into one record.

    A run that was lost counts as the worst run of its data set. Data sets whose verdict judges no cell are left out of
    what is said over all of them.

    Args:
        records: by name of the part, the folder that it lies in and its record.
        command: the command that repeats it.
        created: the time, ISO 8601.
    """
    titles = [record.data.name for _, record in records.values()]
    parts = tuple(
        _part(name, folder, record, record.data.name if titles.count(record.data.name) == 1 else name)
        for name, (folder, record) in records.items()
    )
    counted = [_Counted.of(part.name, records[part.name][1]) for part in parts if not part.left_out]
    cells = _cells_of([record for name, (_, record) in records.items() if name in {each.name for each in counted}])
    overall = _overall(counted, cells) if len(counted) > 1 and cells else None
    return Several(
        created=created,
        command=command,
        headline=headline_of(overall, parts),
        sentences=sentences_of(overall, parts),
        caveats=caveats_of(overall, parts, [record for _, record in records.values()], cells),
        parts=parts,
        overall=overall,
    )


def splits_record(
    records: Mapping[str, tuple[str, Comparison]], setting: str, *, command: str, created: str
) -> Several:
    """Bring comparisons on several splits of one data set into one record.

    Args:
        records: by name of the part, the folder that it lies in and its record.
        setting: whose values are the splits.
        command: the command that repeats it.
        created: the time, ISO 8601.

    Raises:
        RunError: no pair of models was compared on two splits.
    """
    known = [record for _, record in records.values()]
    found = splits_of(known, setting)
    caveats = [
        f"{name}: {why}." for name, (_, record) in records.items() if (why := NOT_JUDGED.get(record.verdict.outcome))
    ]
    caveats.append(
        "Splits of one data set share most of their examples; the interval allows for that (Nadeau and Bengio 2003), "
        "and says nothing of other data sets."
    )
    if len(known) < FEW_SPLITS:
        caveats.append(
            f"The variance between {len(known)} splits is hardly known, which makes the interval this wide: "
            f"--resplit {FEW_SPLITS} or more narrows it."
        )
    return Several(
        created=created,
        command=command,
        headline=splits_headline(found, known),
        sentences=splits_sentences(found, known),
        caveats=tuple(caveats),
        parts=tuple(_part(name, folder, record, name) for name, (folder, record) in records.items()),
        overall=None,
        splits=found,
    )


def error_of(metric: Metric, figure: float) -> float:
    """How far a figure is from a perfect one.

    Example:
        >>> accuracy = Metric(name="accuracy", title="accuracy", higher_is_better=True, percent=True)
        >>> perplexity = Metric(name="perplexity", title="perplexity", higher_is_better=False, transform="exp")
        >>> round(error_of(accuracy, 0.9), 3), round(error_of(perplexity, math.e), 3)
        (0.1, 1.0)
    """
    if metric.higher_is_better:
        return max(0.0, 1.0 - figure)
    return max(0.0, math.log(figure)) if metric.transform == "exp" and figure > 0 else max(0.0, figure)


@dataclass(frozen=True)
class _Counted:
    """A data set that counts: the runs' figures and scores of every cell and of the best baseline, higher is better."""

    name: str
    figures: Mapping[str, npt.NDArray[np.float64]]
    scores: Mapping[str, npt.NDArray[np.float64]]
    margin: float

    @classmethod
    def of(cls, name: str, record: Comparison) -> _Counted:
        metric, planned = record.metric, len(record.plan["seeds"])
        sign = 1.0 if metric.higher_is_better else -1.0
        baseline = _best_baseline(record)
        assert baseline is not None
        finished = [value for model in record.models for value in model.figure.per_seed]
        worst = min(finished, key=lambda value: sign * value)
        runs = {
            model.name: [*model.figure.per_seed, *[worst] * (planned - len(model.figure.per_seed))]
            for model in record.cells
        }
        for cell in record.plan["cells"]:
            runs.setdefault(cell, [worst] * planned)
        runs[BEST_BASELINE] = list(baseline.figure.per_seed)
        error = error_of(metric, baseline.figure.estimate)
        scores = {
            model: np.array([1.0 - error_of(metric, value) / error for value in values])
            for model, values in runs.items()
        }
        return cls(name, {model: sign * np.array(values) for model, values in runs.items()}, scores, record.margin)


def _best_baseline(record: Comparison) -> ModelEntry | None:
    sign = 1.0 if record.metric.higher_is_better else -1.0
    baselines = [model for model in record.models if model.is_baseline]
    return max(baselines, key=lambda model: sign * model.figure.estimate, default=None)


def _left_out(record: Comparison) -> str:
    """Why a data set does not count over all of them; empty: it counts."""
    if record.verdict.outcome in NOT_JUDGED:
        return NOT_JUDGED[record.verdict.outcome]
    baseline = _best_baseline(record)
    if baseline is None:
        return "no baseline could be fitted"
    if error_of(record.metric, baseline.figure.estimate) <= 0:
        return "its best baseline makes no error, so that no share of it can be saved"
    return ""


def _part(name: str, folder: str, record: Comparison, title: str) -> DataSetPart:
    baseline = _best_baseline(record)
    error = 0.0 if baseline is None else error_of(record.metric, baseline.figure.estimate)
    planned = len(record.plan["seeds"])

    def model_of(model: ModelEntry) -> DataSetModel:
        errors = [error_of(record.metric, value) for value in model.figure.per_seed]
        return DataSetModel(
            name=model.name,
            title=model.title,
            kind=model.kind,
            figure=model.figure,
            score=None if error <= 0 else 1.0 - float(np.mean(errors)) / error,
            lost=0 if model.is_baseline else planned - len(model.runs),
        )

    return DataSetPart(
        name=name,
        title=title,
        task=record.task,
        unit=record.unit,
        folder=folder,
        command=record.command,
        split_note=record.data.split_note,
        seeds=planned,
        metric=record.metric,
        margin=record.margin,
        headline=record.verdict.headline,
        sentences=record.verdict.sentences,
        left_out=_left_out(record),
        models=tuple(model_of(model) for model in record.models),
    )


def _cells_of(records: Sequence[Comparison]) -> dict[str, str]:
    """The cells that were planned on every data set, with their titles."""
    if not records:
        return {}
    titles = {model.name: model.title for record in records for model in record.cells}
    shared = [cell for cell in records[0].plan["cells"] if all(cell in record.plan["cells"] for record in records)]
    return {cell: titles.get(cell, cell) for cell in shared}


def _overall(counted: Sequence[_Counted], cells: Mapping[str, str]) -> Overall:
    """Ranks, scores, profiles and pairs over the data sets that count."""
    titles = {**cells, BEST_BASELINE: "Best baseline"}
    figures = [[float(part.figures[name].mean()) for name in titles] for part in counted]
    ranking = rank_over_data_sets(figures)
    scores = {name: [part.scores[name] for part in counted] for name in titles}
    thresholds = _thresholds([value for runs in scores.values() for one in runs for value in one])
    models = []
    for name, rank in zip(titles, ranking.ranks, strict=True):
        middle = interquartile_mean(scores[name], _generator(f"score {name}"))
        share, low, high = performance_profile(scores[name], thresholds, _generator(f"profile {name}"))
        models.append(
            ModelOverall(
                name=name,
                title=titles[name],
                kind="baseline" if name == BEST_BASELINE else "recurrent",
                rank=rank,
                score=Interval(estimate=middle.estimate, low=middle.low, high=middle.high, level=middle.level),
                profile=tuple(share.tolist()),
                profile_low=tuple(low.tolist()),
                profile_high=tuple(high.tolist()),
            )
        )
    enough = len(counted) >= LEAST_DATA_SETS
    order = sorted(models, key=lambda model: model.rank)
    places = {name: place for place, name in enumerate(titles)}
    pairs = []
    for first, second in combinations([model.name for model in order], 2):
        p_value = ranking.pair_p_values[places[first]][places[second]]
        differs = enough and ranking.p_value < SIGNIFICANCE and p_value < SIGNIFICANCE
        pairs.append(_pair(counted, first, second, p_value, differs=differs))
    return Overall(
        data_sets=tuple(part.name for part in counted),
        enough=enough,
        scale=SCALE,
        thresholds=tuple(thresholds),
        friedman=ranking.statistic,
        p_value=ranking.p_value,
        critical_difference=ranking.critical_difference,
        significance=SIGNIFICANCE,
        models=tuple(order),
        pairs=tuple(pairs),
    )


def _pair(counted: Sequence[_Counted], first: str, second: str, p_value: float, *, differs: bool) -> PairOverall:
    ours, theirs = ([part.figures[name] for part in counted] for name in (first, second))
    improvement = improvement_probability(ours, theirs, _generator(f"{first} {second}"))
    gaps = [float(one.mean() - two.mean()) / part.margin for one, two, part in zip(ours, theirs, counted, strict=True)]
    found = bayesian_signed_rank(gaps, _generator(f"signed rank {first} {second}"))
    return PairOverall(
        first=first,
        second=second,
        improvement=Interval(
            estimate=improvement.estimate, low=improvement.low, high=improvement.high, level=improvement.level
        ),
        p_value=p_value,
        differs=differs,
        better=found.better,
        same=found.same,
        worse=found.worse,
    )


def _thresholds(scores: Sequence[float]) -> list[float]:
    """Where the profiles are computed: over all scores, not below twice the best baseline's error."""
    low, high = max(_LEAST_SCORE, min(scores)), max(scores)
    room = 0.02 * max(high - low, 0.05)
    return [float(value) for value in np.linspace(low - room, high + room, _THRESHOLDS)]


def _generator(words: str) -> np.random.Generator:
    """A source of random draws that depends on words alone."""
    return np.random.default_rng(zlib.crc32(words.encode("utf-8")))
