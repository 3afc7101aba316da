"""What would make an expert doubt a comparison: checks of its record, and of the measurements beside it."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from gatewise import words
from gatewise.comparison.planning import found_difference, needed_seeds
from gatewise.comparison.run.cache import contributions_in
from gatewise.comparison.verdict.needs import SEEDS_THAT_TELL, more_examples, seeds_in_words
from gatewise.comparison.verdict.rules import FEW_GROUPS, apply_again
from gatewise.comparison.verdict.training import still_improving, unfinished
from gatewise.errors import GatewiseError, RunError
from gatewise.record import Answer, Comparison, Difference, ModelEntry
from gatewise.statistics import LEAST_BLOCKS
from gatewise.statistics.serial import enough_blocks

__all__ = ["CHECKS", "Check", "audit"]

_FEW_EXAMPLES = 200
_FEW_GROUPS = 20
_DETECTABLE = 1.43
"""A difference that is found with a probability of 80 %, in half widths of its 95 % interval: (1.96 + 0.84) / 1.96."""
_MAJORITY = 0.8
_SPREADS = 3.0
_EXACT = 1e-5


@dataclass(frozen=True)
class Check:
    """One check of a comparison.

    Attributes:
        name: as in docs/audit.md.
        result: ``passed``; ``warning``: what is said holds, with this in mind; ``failed``: it should not be relied on;
            ``unknown``: the record does not tell.
        sentence: what was found.
        advice: what to do about it; empty where nothing has to be done.
    """

    name: str
    result: Literal["passed", "warning", "failed", "unknown"]
    sentence: str
    advice: str = ""


def audit(record: Comparison, folder: Path | None = None) -> tuple[Check, ...]:
    """Check a comparison: seeds, training, tuning, examples, times, and whether the record agrees with itself.

    Args:
        record: of a finished comparison.
        folder: where it lies; with it the figures are computed anew from the measurements there.

    Returns:
        One result per check, in the order of docs/audit.md.

    Example:
        >>> from gatewise.record import read_comparison
        >>> [check.name for check in audit(read_comparison("runs/imdb"))]  # doctest: +SKIP
        ['seeds', 'lost-seeds', 'training', ...]
    """
    found = [check(record) for check in CHECKS]
    return tuple([*found, _recomputed(record, folder)] if folder is not None else found)


def _seeds(record: Comparison) -> Check:
    least = len(record.plan.get("seeds", ()))
    if not record.cells:
        return Check("seeds", "failed", "No cell finished training.", "Look at what failed, and run it again.")
    if least == 1:
        return Check(
            "seeds", "failed", "Cells were trained with one seed, which says nothing of them.", "Use --seeds 3."
        )
    if least == 2:
        return Check("seeds", "warning", "Cells were trained with two seeds: their spread is hardly known.", "Use 5.")
    return Check("seeds", "passed", f"Every cell was to be trained with {words.plural(least, 'seed')}.")


def _lost(record: Comparison) -> Check:
    planned = len(record.plan.get("seeds", ()))
    lost = [f"{model.title} {planned - len(model.runs)}" for model in record.cells if len(model.runs) < planned]
    missing = sorted({failure.cell for failure in record.failed} - {model.name for model in record.models})
    if lost or missing:
        parts = [f"Seeds that were lost, of {planned}: {words.join(lost)}."] if lost else []
        parts += [f"Nothing is left of {words.join(missing)}."] if missing else []
        return Check(
            "lost-seeds", "warning", " ".join(parts), "Run the same command again, or choose settings that all finish."
        )
    return Check("lost-seeds", "passed", "No run was lost.")


def _training(record: Comparison) -> Check:
    planned = len(record.plan.get("seeds", ()))
    known = [model for model in record.cells if model.learning and len(model.runs) >= planned]
    if not known:
        return Check("training", "unknown", "The record does not say how the trainings ended.", "Compare anew.")
    rising = [model.title for model in known if unfinished(model.learning, record.margin)]
    if rising:
        verb = "was" if len(rising) == 1 else "were"
        single = all(run.epochs == 1 for model in known for run in model.learning)
        ended = "trained for a single epoch, which shows no curve" if single else "stopped while still improving"
        return Check("training", "failed", f"{words.join(rising)} {verb} {ended}.", "Train longer: more --epochs.")
    runs = [run for model in known for run in model.learning]
    last = sum(run.best_epoch == run.epochs for run in runs)
    some = sum(still_improving(run, record.margin) for run in runs)
    said = f"{last} of {words.plural(len(runs), 'run')} had the last epoch as the best one"
    if some:
        return Check(
            "training",
            "warning",
            f"{said}; {some} still improved, fewer than half of any cell's.",
            "Try more --epochs.",
        )
    return Check("training", "passed", f"{said}.")


def _tuning(record: Comparison) -> Check:
    searches = Counter((trial.cell, trial.for_seed, trial.point) for trial in record.tuning)
    trials = {
        model.title: max((count for (cell, *_), count in searches.items() if cell == model.name), default=0)
        for model in record.models
    }
    if not any(trials.values()):
        return Check(
            "tuning",
            "warning",
            "No settings were searched: all models are compared at their defaults, which may suit some better.",
            "Add --search random --trials 10: cells and baselines get as many each.",
        )
    most = max(trials.values())
    asked = [model for model in record.models if not model.is_baseline or model.runs[0].tunable is not False]
    without = [model for model in asked if not trials[model.title]]
    if len({trials[model.title] for model in record.cells}) > 1 or any(model.runs[0].tunable for model in without):
        counts = words.join([f"{model.title} {trials[model.title]}" for model in asked])
        return Check(
            "tuning", "failed", f"Not every model had as many trials: {counts}.", "Compare anew: each gets as many."
        )
    if without:
        said = (
            f"{words.join([model.title for model in without])} had no trials; the record does not say whether it could."
        )
        return Check("tuning", "warning", said, "Compare anew: each model that has settings gets as many.")
    short = [f"{model.title} {trials[model.title]}" for model in asked if trials[model.title] < most]
    if short:
        return Check(
            "tuning", "warning", f"Of {most} trials some had fewer, all that they can be: {words.join(short)}."
        )
    return Check("tuning", "passed", f"Cells and baselines were chosen from {most} trials each.")


def _looks(record: Comparison) -> Check:
    if record.looks:
        before = words.join([str(seeds) for seeds in record.looks])
        said = f"Seeds were added after a result with {before} seeds was known; p values are corrected for that."
        return Check("looks", "warning", said, "Plan the number of seeds beforehand.")
    return Check("looks", "passed", "Judged once in this folder.")


def _independence(record: Comparison) -> Check:
    groups = record.data.details.get("test_groups")
    if isinstance(groups, int):
        column = dict(record.plan.get("data") or {}).get("group")
        of = f"by {column}" if column else "of near duplicates, or of one text"
        said = f"The test examples are of {groups:,} groups {of}, over which intervals are computed."
        if groups < _FEW_GROUPS:
            return Check("independence", "warning", said, "Differences of few groups are known badly; add some.")
        return Check("independence", "passed", said)
    if record.metric.dependence != "serial":
        return Check("independence", "passed", "Test examples are taken for independent, as they were drawn.")
    blocks = [pair.blocks for pair in record.differences]
    known = [count for count in blocks if count is not None]
    if not known:
        return Check("independence", "unknown", "The record does not say how far test examples depend on each other.")
    least = min(known)
    counted = words.plural(max(1, round(least)), "independent block")
    where = " in the pair of models with the fewest" if max(known) > least else ""
    said = f"Neighbouring test examples are autocorrelated: they count as {counted}{where}."
    if not enough_blocks(least):
        advice = "A longer test part; more seeds do not help."
        return Check("independence", "failed", f"{said} A claim needs {LEAST_BLOCKS}.", advice)
    return Check("independence", "passed", said)


def _power(record: Comparison) -> Check:
    if not record.differences:
        return Check("power", "unknown", "Nothing was compared.")
    best = record.verdict.leaders[:1] or (record.models[0].name,)
    pairs = [pair for pair in record.differences if best[0] in (pair.first, pair.second)] or list(record.differences)
    if not all(enough_blocks(pair.blocks) for pair in pairs):
        return Check("power", "failed", "No difference can be found: see independence.")
    known = [found_difference(record, pair) for pair in pairs]
    least = max(
        _DETECTABLE * (pair.high - pair.low) / 2 if found is None else found
        for pair, found in zip(pairs, known, strict=True)
    )
    if record.metric.percent and least >= 1:
        said = "Not even the largest difference that there can be would have been found in 80 of 100 such comparisons."
        return Check("power", "failed", said, _more_power(record, pairs))
    scale = words.Scale.of(record.metric, record.models[0].figure.estimate)
    said = f"A difference from the best cell of {scale.gap(least)} would have been found in 80 of 100 such comparisons"
    margin = scale.gap(record.margin)
    if least > record.margin:
        said = f"{said}, smaller ones less often; the margin is {margin}."
        return Check("power", "warning", said, _more_power(record, pairs))
    return Check("power", "passed", f"{said}; the margin is {margin}.")


def _more_power(record: Comparison, pairs: Iterable[Difference]) -> str:
    """What would find a difference as large as the margin, by the rule of the verdict on what is undecided."""
    had = len(record.plan.get("seeds", ()))
    if had < SEEDS_THAT_TELL or any(pair.variance is None for pair in pairs):
        source = words.plural(had, "seed") if had < SEEDS_THAT_TELL else "a record of an older version"
        return f"More seeds, or more test examples: which of them cannot be said from {source}."
    groups = record.data.details.get("test_groups")
    apart = "groups of test examples" if isinstance(groups, int) else None
    needed = [needed_seeds(record, pair, record.margin) for pair in pairs]
    if any(seeds is None for seeds in needed) or (isinstance(groups, int) and groups < FEW_GROUPS):
        return words.sentence(more_examples("find a difference as large as the margin", apart))
    most = max(seeds for seeds in needed if seeds is not None)
    return words.sentence(f"{seeds_in_words(most, had)} would find a difference as large as the margin")


def _examples(record: Comparison) -> Check:
    count = record.data.sizes.test
    majority = record.data.details.get("majority") or {}
    share = majority.get("accuracy") if isinstance(majority, dict) else None
    if count < _FEW_EXAMPLES:
        return Check("examples", "warning", f"The test part has {count} {record.unit} only.", "Hold out more.")
    if record.metric.name == "accuracy" and isinstance(share, float) and share > _MAJORITY:
        said = f"Always answering {majority.get('label')!r} reaches {words.percent(share)}: accuracy says little here."
        return Check("examples", "warning", said, "Compare with --metric macro-f1 or auroc.")
    return Check("examples", "passed", f"The test part has {count:,} {record.unit}.")


def _spread(record: Comparison) -> Check:
    known = {model.title: model.figure.deviation for model in record.cells if model.figure.deviation is not None}
    if len(known) < 2:
        return Check("spread", "unknown", "It takes two cells with two seeds each to tell.")
    middle = float(np.median(list(known.values())))
    wide = [title for title, deviation in known.items() if deviation > _SPREADS * middle]
    if wide:
        said = f"The seeds of {words.join(wide)} lie more than {_SPREADS:g} times as far apart as the middle cell's."
        return Check("spread", "warning", said, "Look at its worst seed; a lower --learning-rate may help.")
    return Check("spread", "passed", "No cell's seeds lie much farther apart than the others'.")


def _times(record: Comparison) -> Check:
    if len(record.cells) < 2:
        return Check("times", "passed", "One cell: no time is compared.")
    if record.times is None:
        said = "Times were not measured in turns: nothing is said of speed."
        return Check("times", "warning", said, "Compare without --no-cost.")
    kernels = {run.kernel.implementation for model in record.cells for run in model.runs}
    if len(kernels) > 1:
        said = f"Cells ran on different kernels ({', '.join(sorted(kernels))}): times compare these, too."
        return Check("times", "warning", said, "See `gatewise doctor`.")
    return Check("times", "passed", "Times were measured in turns, on the same kernels.")


def _verdict(record: Comparison) -> Check:
    wrong = []
    for said in record.verdict.statements:
        try:
            again = apply_again(said.rule, said.inputs)
        except (KeyError, TypeError, GatewiseError):  # a rule, or numbers, of another version
            again = None
        models = isinstance(said, Answer) and again is not None and again.models != said.models
        if again is None or again.rule != said.rule or models:
            wrong.append(said.rule)
    if wrong:
        said_so = f"By the numbers in the record these rules do not give what it says: {words.join(wrong)}."
        advice = "The file was changed, or another version made it: run the same `gatewise compare` again."
        return Check("verdict", "failed", said_so, advice)
    count = len(record.verdict.statements)
    return Check("verdict", "passed", f"The rules, applied again, give all {count} statements.")


def _recomputed(record: Comparison, folder: Path) -> Check:
    transform: dict[str, Callable[[float], float]] = {"mean": float, "exp": math.exp, "sqrt": math.sqrt}
    if record.metric.transform not in transform:
        return Check("figures", "unknown", "The metric is no mean: its figures are not computed anew here.")
    figure, checked, wrong = transform[record.metric.transform], 0, []
    for model, place, stated in _measurements(record, folder):
        if not place.exists():
            continue
        checked += 1
        try:
            table = contributions_in(place).astype(np.float64)
        except RunError:
            wrong.append(f"{model.title} ({place.name} is damaged)")
            continue
        if not math.isclose(figure(float(table.mean())), stated, rel_tol=_EXACT, abs_tol=_EXACT):
            wrong.append(f"{model.title} ({place.name})")
    if wrong:
        said = f"Measurements give other figures than the record: {words.join(wrong)}."
        return Check("figures", "failed", said, "Delete what was changed, and run the same `gatewise compare` again.")
    if not checked:
        return Check("figures", "unknown", "The folder holds no measurements to compute the figures from.")
    return Check("figures", "passed", f"Computed anew from {words.plural(checked, 'measurement')}, the figures agree.")


def _measurements(record: Comparison, folder: Path) -> Iterable[tuple[ModelEntry, Path, float]]:
    for model in record.cells:
        for run, stated in zip(model.runs, model.figure.per_seed, strict=True):
            if run.folder is not None:
                yield model, folder / "measurements" / f"{Path(run.folder).name}.safetensors", stated


CHECKS: tuple[Callable[[Comparison], Check], ...] = (
    _seeds,
    _lost,
    _training,
    _tuning,
    _looks,
    _independence,
    _power,
    _examples,
    _spread,
    _times,
    _verdict,
)
