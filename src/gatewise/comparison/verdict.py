"""A verdict in plain sentences that the numbers allow. The rules are stated in docs/comparison.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from gatewise.comparison.statistics import Difference, Interval

__all__ = ["SIGNIFICANCE", "ModelFigures", "Pair", "Verdict", "decide"]

SIGNIFICANCE = 0.05
_SAME_COST = 0.05


@dataclass(frozen=True)
class ModelFigures:
    """What the verdict has to know of a model. ``baseline`` marks the one that is no recurrent network."""

    name: str
    title: str
    accuracy: Interval
    training_seconds: float
    seconds_per_epoch: float | None
    kernels: tuple[str, ...] = ()
    baseline: bool = False


@dataclass(frozen=True)
class Pair:
    """Accuracy of ``first`` minus that of ``second``; ``adjusted_p`` is corrected for all pairs (Holm)."""

    first: str
    second: str
    difference: Difference
    adjusted_p: float

    @property
    def differs(self) -> bool:
        """Whether the difference is more than chance explains, at the 5 % level."""
        return self.adjusted_p < SIGNIFICANCE


@dataclass(frozen=True)
class Verdict:
    """The outcome: a headline, one or two sentences, what they cannot say, the cells that lead and the model to take.

    ``outcome`` is ``cell`` (one recurrent cell leads), ``tie`` (several do), ``baseline`` (the linear baseline beats
    the best cell), ``undecided`` (no difference between the best cell and the baseline) or ``nothing`` (no model is
    better than always giving the most frequent answer).
    """

    outcome: str
    headline: str
    sentences: tuple[str, ...]
    caveats: tuple[str, ...]
    leaders: tuple[str, ...]
    recommended: str | None

    @property
    def text(self) -> str:
        """The sentences in one line."""
        return " ".join(self.sentences)

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, ready for JSON."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def decide(
    models: Sequence[ModelFigures], pairs: Iterable[Pair], *, seeds: int, majority: float, majority_label: str
) -> Verdict:
    """Draw the verdict.

    Args:
        models: all that were compared, the baseline among them.
        pairs: every pair of models once, in either order.
        seeds: how many times each cell was trained.
        majority: accuracy of always giving the most frequent answer.
        majority_label: that answer.

    Example:
        >>> lstm = ModelFigures("lstm", "LSTM", Interval(0.886, 0.88, 0.892), 120.0, 40.0)
        >>> gru = ModelFigures("gru", "GRU", Interval(0.885, 0.879, 0.891), 94.0, 31.2)
        >>> pair = Pair("lstm", "gru", Difference(Interval(0.001, -0.004, 0.006), 0.7, ""), 0.7)
        >>> verdict = decide([lstm, gru], [pair], seeds=3, majority=0.5, majority_label="positive")
        >>> verdict.headline
        'LSTM and GRU: no difference found'
        >>> print(verdict.text)
        No difference found between LSTM (88.6 %) and GRU (88.5 %): 0.1 points apart, 95 % interval -0.4 to 0.6;
        GRU takes 0.78 of LSTM's time per epoch, so take GRU.
    """
    table = {(pair.first, pair.second): pair for pair in pairs}
    cells = sorted((model for model in models if not model.baseline), key=lambda model: -model.accuracy.estimate)
    baseline = next((model for model in models if model.baseline), None)
    best = cells[0]
    tied = [best, *(model for model in cells[1:] if not _between(table, best, model).differs)]
    behind = [model for model in cells[1:] if model not in tied]
    taken = _cheapest(tied)
    caveats = _caveats(seeds, cells)
    if all(model.accuracy.low <= majority for model in models):
        sentence = (
            f"No model is clearly better than always answering '{majority_label}', which is right in "
            f"{percent(majority)}; the best, {best.title}, reaches {percent(best.accuracy.estimate)} "
            f"({_range(best.accuracy)})."
        )
        headline = f"No model beats always answering '{majority_label}'"
        return Verdict("nothing", headline, (sentence,), caveats, (), None)
    outcome, headline = _headline(best, tied, cells)
    recommended = taken.name
    after: tuple[str, ...] = ()
    if baseline is not None:
        pair = _between(table, baseline, best)
        after = (_baseline_sentence(baseline, best, pair),)
        if not pair.differs:
            outcome, headline = "undecided", f"{best.title} is not shown to beat {baseline.title}"
        elif pair.difference.interval.estimate > 0:
            every = all(_between(table, baseline, model).differs for model in cells)
            outcome = "baseline"
            headline = f"{baseline.title} beats {'every' if every else 'the best'} recurrent cell"
        if outcome in ("undecided", "baseline"):
            recommended = baseline.name
    quality = _quality(best, tied[1:], behind, table)
    first = quality + _cost(best, tied, behind, taken, advise=recommended == taken.name)
    return Verdict(outcome, headline, (first, *after), caveats, tuple(model.name for model in tied), recommended)


def percent(share: float) -> str:
    """A share as a percentage with one decimal.

    Example:
        >>> percent(0.8864)
        '88.6 %'
    """
    return f"{100 * share:.1f} %"


def _between(table: Mapping[tuple[str, str], Pair], first: ModelFigures, second: ModelFigures) -> Pair:
    """The pair in the order asked for, its sign turned if it is stored the other way round."""
    pair = table.get((first.name, second.name))
    if pair is not None:
        return pair
    stored = table[second.name, first.name]
    old = stored.difference.interval
    turned = Interval(-old.estimate, -old.high, -old.low, old.level)
    difference = Difference(turned, stored.difference.p_value, stored.difference.method)
    return Pair(first.name, second.name, difference, stored.adjusted_p)


def _cheapest(tied: Sequence[ModelFigures]) -> ModelFigures:
    """The first of the tied, unless another takes at least 5 % less time per epoch."""
    chosen = tied[0]
    for model in tied[1:]:
        if _time(model) < (1 - _SAME_COST) * _time(chosen):
            chosen = model
    return chosen


def _time(model: ModelFigures) -> float:
    return model.training_seconds if model.seconds_per_epoch is None else model.seconds_per_epoch


def _headline(best: ModelFigures, tied: Sequence[ModelFigures], cells: Sequence[ModelFigures]) -> tuple[str, str]:
    if len(cells) == 1:
        return "cell", f"{best.title} is right in {percent(best.accuracy.estimate)}"
    if len(tied) == 1:
        return "cell", f"{best.title} is the most accurate cell"
    return "tie", f"{_join([model.title for model in tied])}: no difference found"


def _quality(
    best: ModelFigures,
    others: Sequence[ModelFigures],
    behind: Sequence[ModelFigures],
    table: Mapping[tuple[str, str], Pair],
) -> str:
    share = percent(best.accuracy.estimate)
    if not others and not behind:
        return f"{best.title} classifies {share} of the test examples correctly ({_range(best.accuracy)})"
    ahead = [f"{model.title} by {_points(_between(table, best, model))}" for model in behind]
    if not others:
        return f"{best.title} classifies {share} of the test examples correctly and leads {_join(ahead)}"
    widest = max((_between(table, best, model).difference.interval for model in others), key=lambda one: one.estimate)
    names = [f"{model.title} ({percent(model.accuracy.estimate)})" for model in (best, *others)]
    word, up_to = ("between", "") if len(names) == 2 else ("among", "up to ")
    apart = f"{up_to}{100 * abs(widest.estimate):.1f} points apart, {_range(widest, 100)}"
    text = f"No difference found {word} {_join(names)}: {apart}"
    return text + (f"; {best.title} leads {_join(ahead)}" if behind else "")


def _cost(
    best: ModelFigures,
    tied: Sequence[ModelFigures],
    behind: Sequence[ModelFigures],
    taken: ModelFigures,
    *,
    advise: bool,
) -> str:
    if len(tied) > 1:
        other = tied[1] if taken is best else best
        ratio = _time(taken) / _time(other)
        if abs(ratio - 1) <= _SAME_COST:
            return "; they take about the same time per epoch."
        advice = f", so take {taken.title}" if advise else ""
        return f"; {taken.title} takes {ratio:.2f} of {other.title}'s time per epoch{advice}."
    if not behind:
        return "."
    next_best = behind[0]
    ratio = _time(best) / _time(next_best)
    if abs(ratio - 1) <= _SAME_COST:
        return f"; it takes about the same time per epoch as {next_best.title}."
    times = f"{ratio:.2f} of" if ratio < 1 else f"{ratio:.1f} times"
    return f"; it takes {times} {next_best.title}'s time per epoch."


def _baseline_sentence(baseline: ModelFigures, best: ModelFigures, pair: Pair) -> str:
    share = percent(baseline.accuracy.estimate)
    start = f"{baseline.title}, trained in {_seconds(baseline.training_seconds)}, reaches {share}"
    gap = pair.difference.interval.estimate
    if not pair.differs:
        return (
            f"{start}: no difference from {best.title} found ({100 * gap:+.1f} points, "
            f"{_range(pair.difference.interval, 100)}), so here no recurrent cell is shown to be worth its time."
        )
    if gap > 0:
        return f"{start}, {_points(pair)} more than {best.title}: on this data no recurrent cell is worth its time."
    turned = Interval(-gap, -pair.difference.interval.high, -pair.difference.interval.low)
    return f"{start}; {best.title} beats it by {100 * -gap:.1f} points ({_range(turned, 100)})."


def _caveats(seeds: int, cells: Sequence[ModelFigures]) -> tuple[str, ...]:
    caveats = []
    if seeds == 1:
        caveats.append(
            "One seed per cell: the intervals are over test examples only, and another seed could change a cell's "
            "accuracy. Use --seeds 3 or more to include that."
        )
    if seeds == 2:
        caveats.append("Two seeds tell little about the spread between seeds; three or more are better.")
    if len({cell.kernels for cell in cells}) > 1 or any(len(cell.kernels) > 1 for cell in cells):
        used = "; ".join(f"{cell.title}: {', '.join(cell.kernels)}" for cell in cells)
        caveats.append(
            f"Not all cells ran on the same kernels ({used}), so their times do not compare the cells alone."
        )
    return tuple(caveats)


def _points(pair: Pair) -> str:
    interval = pair.difference.interval
    return f"{100 * interval.estimate:.1f} points ({_range(interval, 100)})"


def _range(interval: Interval, scale: float = 0.0) -> str:
    """The interval in words; percentages, or points where a scale is given."""
    level = f"{100 * interval.level:.0f} % interval"
    if scale:
        return f"{level} {scale * interval.low:.1f} to {scale * interval.high:.1f}"
    return f"{level} {100 * interval.low:.1f} to {percent(interval.high)}"


def _seconds(seconds: float) -> str:
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def _join(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]
