"""What the page's sections show, made from the record alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from gatewise import words
from gatewise.drawing.ticks import nice_ticks, tick_words
from gatewise.record import NOT_JUDGED, Comparison, Difference, Interval, ModelEntry, TimeRatio, Tuning
from gatewise.reports.pictures import limits_of
from gatewise.statistics.serial import enough_blocks

__all__ = [
    "PairRow", "choices", "differences", "kernels", "searches_of", "settings", "strip", "tiles", "times", "tuning",
]  # fmt: skip

_MOST_TRIALS = 200
_MOST_PAIRS = 21


def tiles(record: Comparison, scale: words.Scale) -> list[dict[str, str]]:
    """The answers of the verdict as short cards: which model, its figure, its price.

    Returns:
        ``question``, ``models`` (titles in a row), ``figure`` and ``beside`` for each card.
    """
    by_name = {model.name: model for model in record.models}
    found = []

    def named(question: str) -> list[ModelEntry]:
        answer = record.verdict.answers.get(question)
        return [] if answer is None else [by_name[name] for name in answer.models if name in by_name]

    leaders = named("quality")
    if leaders:
        values = [scale.value(model.figure.estimate) for model in (leaders[0], leaders[-1])]
        figure = values[0] if len(set(values)) == 1 else f"{values[0]} to {values[1]}"
        beside = scale.title if len(leaders) == 1 else f"{scale.title}, no difference found"
        found.append(_card("Best cell", leaders, figure, beside))
    for name, question, key, write in (
        ("speed", "Fastest to train", "seconds_per_epoch", lambda value: f"{words.duration(value)} per epoch"),
        ("size", "Smallest", "parameters", lambda value: f"{words.count(value)} parameters"),
    ):
        models = named(name)
        if models:
            least = write(min(getattr(model.cost, key) or 0 for model in models))
            if record.verdict.answers[name].rule == "speed-undecided":
                card = _card(question, models, f"from {least}", "no difference in time shown")
            elif len(models) == len(record.cells):
                card = {"question": question, "models": "All about alike", "figure": least, "beside": "within 5 %"}
            else:
                card = _card(question, models, least, _quality_beside(models[0], record, leaders, scale))
            found.append(card)
    taken = by_name.get(record.verdict.recommended or "")
    if taken is not None:
        cost = taken.cost
        figure = f"{scale.value(taken.figure.estimate)}, {words.duration(cost.training_seconds)} to train"
        beside = f"{words.duration(cost.seconds_per_epoch)} per epoch"
        if taken.is_baseline:
            beside = "no recurrent cell is shown to be better"
        found.append(_card("Take", [taken], figure, beside))
    return found


def _card(question: str, models: Sequence[ModelEntry], figure: str, beside: str) -> dict[str, str]:
    titles = [model.title for model in models]
    named = words.join(titles) if len(titles) <= 3 else f"{titles[0]} and {len(titles) - 1} others"
    return {"question": question, "models": named, "figure": figure, "beside": beside}


def _quality_beside(model: ModelEntry, record: Comparison, leaders: Sequence[ModelEntry], scale: words.Scale) -> str:
    """What a cheap model reaches, and how far that is from the best."""
    value = scale.value(model.figure.estimate)
    if not leaders:
        return value
    gap = scale.gain(leaders[0].figure.estimate, model.figure.estimate)
    if model in leaders:
        if gap <= 0:
            return f"{value}, no cell's figure is better"
        return f"{value}, {scale.gap(gap)} worse than the best cell's" + (
            "" if gap <= record.margin else ", may be chance"
        )
    return f"{value}, {scale.gap(gap)} worse than the best"


def strip(models: Sequence[ModelEntry], scale: words.Scale) -> dict[str, Any]:
    """Places, in percent of the width, of each figure and its interval on one common axis."""
    low, high = min(model.figure.low for model in models), max(model.figure.high for model in models)
    ticks = nice_ticks(low, high, 4, limits_of(scale))

    def place(value: float) -> float:
        return round(100 * (value - ticks[0]) / (ticks[-1] - ticks[0]), 2)

    return {
        "ticks": list(zip(_ticks(ticks, scale), map(place, ticks), strict=True)),
        "places": {model.name: _bar(model.figure, place) for model in models},
    }


@dataclass(frozen=True)
class PairRow:
    """A pair of models, the better one first; places in percent of the width.

    Attributes:
        pair: the difference, the better model first: positive means better, whatever the metric.
        titles: of the two.
        bar: where its interval and estimate lie.
        gain: the estimate in words.
        range: the interval in words.
        reading: what it says.
        with_baseline: one of the two is a baseline.
        wins: how often a run of the first beats one of the second, in words; empty: not known, or not judged.
    """

    pair: Difference
    titles: tuple[str, str]
    bar: Mapping[str, float]
    gain: str
    range: str
    reading: str
    with_baseline: bool
    wins: str = ""


def differences(record: Comparison, scale: words.Scale) -> dict[str, Any]:
    """Every pair, the better model first, on one axis of "how much better"; the widest gaps last.

    Returns:
        ``rows`` and ``others`` (of very many pairs, those without the best cell), ``ticks`` and the ``margin``'s band,
        places in percent of the width.
    """
    pairs = [_better_first(pair, scale) for pair in record.differences]
    if not pairs:
        return {"rows": [], "others": []}
    ticks = nice_ticks(min(0.0, *(pair.low for pair in pairs)), max(0.0, *(pair.high for pair in pairs)), 5)
    titles = {model.name: model.title for model in record.models}
    baselines = {model.name for model in record.models if model.is_baseline}
    margin = record.margin

    def place(value: float) -> float:
        return round(min(100.0, max(0.0, 100 * (value - ticks[0]) / (ticks[-1] - ticks[0]))), 2)

    unjudged = {pair: _unjudged(record, pair) for pair in pairs}
    rows = [
        PairRow(
            _shown(pair, record, unjudged[pair]),
            (titles[pair.first], titles[pair.second]),
            _bar(pair, place),
            scale.signed(pair.estimate),
            scale.interval(pair.low, pair.high, signed=True),
            unjudged[pair] or _reading(pair, titles),
            bool({pair.first, pair.second} & baselines),
            "" if unjudged[pair] else _wins(pair),
        )
        for pair in pairs
    ]
    rows.sort(key=lambda row: (row.with_baseline, row.pair.estimate))
    first = _of_best(record, rows)
    return {
        "rows": [row for row in rows if row in first],
        "others": [row for row in rows if row not in first],
        "ticks": list(zip(_ticks(ticks, scale, signed=True), map(place, ticks), strict=True)),
        "margin": {"left": place(-margin), "width": round(place(margin) - place(-margin), 2)},
        "margin_words": scale.margin(margin),
    }


def _of_best(record: Comparison, rows: Sequence[PairRow]) -> list[PairRow]:
    """All rows; of very many, those of the best cell."""
    if len(rows) <= _MOST_PAIRS or not record.cells:
        return list(rows)
    order = sorted(record.cells, key=lambda model: model.figure.estimate)
    best = order[-1 if record.metric.higher_is_better else 0].name
    return [row for row in rows if best in (row.pair.first, row.pair.second)]


def _better_first(pair: Difference, scale: words.Scale) -> Difference:
    """The pair with the better model first, and the difference as its gain: positive means better."""
    if not scale.higher_is_better:
        pair = replace(pair, estimate=-pair.estimate, low=-pair.high, high=-pair.low)
    if pair.estimate >= 0:
        return pair
    won = pair.run_superiority_interval
    if won is not None:
        won = replace(won, estimate=1 - won.estimate, low=1 - won.high, high=1 - won.low)
    pair = replace(pair, first=pair.second, second=pair.first, run_superiority_interval=won)
    return replace(pair, estimate=-pair.estimate, low=-pair.high, high=-pair.low)


def _wins(pair: Difference) -> str:
    """How often a run of the first beats one of the second."""
    won = pair.run_superiority_interval
    if won is None:
        return ""
    return f"runs won {words.percent(won.estimate, 0)} ({100 * won.low:.0f}–{100 * won.high:.0f})"


def _shown(pair: Difference, record: Comparison, unjudged: str) -> Difference:
    """The pair without what is not said of it: nothing where it is not judged, no number of seeds from two."""
    if unjudged:
        return replace(pair, differs=False, equivalent=False, seeds_needed=None)
    return pair if len(record.plan.get("seeds", ())) > 2 else replace(pair, seeds_needed=None)


def _unjudged(record: Comparison, pair: Difference) -> str:
    """Why nothing is said of the two; empty: something is."""
    if record.verdict.outcome in NOT_JUDGED and record.verdict.outcome != "single":
        return "not judged"
    planned = len(record.plan.get("seeds", ()))
    cells = [model for model in record.cells if model.name in (pair.first, pair.second)]
    if cells and all(len(model.runs) == 1 for model in cells) and planned <= 1:
        return "two networks, one seed: not judged"
    lost = [model.title for model in cells if len(model.runs) < planned]
    return f"not judged: {words.join(lost)} lost seeds" if lost else ""


def _reading(pair: Difference, titles: Mapping[str, str]) -> str:
    if not enough_blocks(pair.blocks):
        return "not judged: too few independent blocks"
    if pair.differs and pair.equivalent:
        return f"{titles[pair.first]} is better, by less than the margin"
    if pair.differs:
        return f"{titles[pair.first]} is better"
    return "the same within the margin" if pair.equivalent else "no difference found"


def tuning(record: Comparison, scale: words.Scale) -> list[dict[str, Any]]:
    """For each search its trials, the best first: settings, validation figure, whether chosen.

    Returns:
        ``title``, ``count``, ``trials`` (at most 200 in all are listed).
    """
    metric, searches = record.metric.name, searches_of(record)
    room = max(3, _MOST_TRIALS // max(1, len(searches)))
    found = []
    for title, trials in searches:

        def quality(trial: Tuning) -> float:
            value = (trial.validation or {}).get(metric)
            return float("inf") if value is None else scale.gain(0.0, value)

        rows = []
        for trial in sorted(trials, key=quality)[:room]:
            value = (trial.validation or {}).get(metric)
            rows.append(
                {
                    "settings": _settings_words(trial),
                    "figure": "–" if value is None else scale.value(value),
                    "chosen": trial.chosen,
                    "error": trial.error,
                }
            )
        found.append({"title": title, "count": len(trials), "trials": rows})
    return found


def searches_of(record: Comparison) -> list[tuple[str, list[Tuning]]]:
    """The trials of each search under its title: one for each model, point of the axis, and seed if repeated."""
    titles = {model.name: model.title for model in record.models}
    found: dict[str, list[Tuning]] = {}
    for trial in record.tuning:
        title = titles.get(trial.cell, trial.cell)
        if trial.point is not None and record.axis is not None:
            title += f" at {record.axis.title} {_value(trial.point)}"
        if trial.for_seed is not None:
            title += f", seed {trial.for_seed}"
        found.setdefault(title, []).append(trial)
    return list(found.items())


def choices(record: Comparison, scale: words.Scale) -> list[str]:
    """How the settings of each model were chosen, a sentence each; one sentence where nothing was searched."""
    if not record.tuning:
        return ["No settings were searched: every model, baselines too, has its defaults or the settings given."]
    metric, found = record.metric.name, []
    for title, trials in searches_of(record):
        figures = [value for trial in trials if (value := (trial.validation or {}).get(metric)) is not None]
        winner = next((trial for trial in trials if trial.chosen), None)
        if winner is None or not figures:
            found.append(f"{title}: all of {words.plural(len(trials), 'trial')} failed")
            continue
        of_winner = (winner.validation or {}).get(metric)
        text = f"{title}: {_settings_words(winner)} chosen among {words.plural(len(trials), 'trial')}"
        text += "" if of_winner is None else f", {scale.value(of_winner)} on the validation part"
        default = (trials[0].validation or {}).get(metric) if trials[0].seed is None else None
        if default is not None:  # a baseline's first trial
            text += f" (its defaults: {scale.value(default)})"
        else:
            text += f" (all trials: {scale.value(min(figures))} to {scale.value(max(figures))})"
        found.append(text)
    return found


def _settings_words(trial: Tuning) -> str:
    return ", ".join(
        f"{_spaced(key)} {format(item, '.3g') if isinstance(item, float) else _value(item)}"
        for key, item in trial.settings.items()
    )


def settings(record: Comparison) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The plan's settings, and machine and versions, as pairs of words."""
    hidden = ("cells", "seeds", "task")
    plan = {name: value for name, value in record.plan.items() if name not in hidden and value not in (None, [], {})}
    return _flat(plan), _flat(record.environment)


def times(record: Comparison) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """Every two cells' times beside each other: heads, and for each pair the quicker one's name and its cells.

    Of very many pairs, those of the quickest cell.
    """
    ratios = () if record.times is None else record.times.ratios
    quantities = [name for name in _QUANTITIES if any(pair.quantity == name for pair in ratios)]
    titles = {model.name: model.title for model in record.models}
    order = sorted(record.cells, key=lambda model: model.cost.seconds_per_epoch or 0.0)
    names = [model.name for model in order]
    table = {(pair.quantity, pair.first, pair.second): pair for pair in ratios}
    rows = []
    for first, second in combinations(names, 2):
        found = [_ratio(table, name, first, second) for name in quantities]
        if any(cell != "–" for cell in found) and (len(names) <= _MOST_TIMED or first == names[0]):
            rows.append((first, [titles[second], *found]))
    return (["Against", *(_QUANTITIES[name] for name in quantities)], rows) if rows else ([], [])


_QUANTITIES = {
    "training_step": "training step",
    "streaming_step": "streaming step",
    "one_example": "one example",
    "training_joules": "energy of training",
}
_MOST_TIMED = 7
_READINGS = {"same": "the same", "undecided": "no difference beyond 5 % shown"}


def _ratio(table: Mapping[tuple[str, str, str], TimeRatio], quantity: str, first: str, second: str) -> str:
    """The first one's time as a multiple of the second one's, with its interval and what it does not show."""
    pair = table.get((quantity, first, second))
    values = None if pair is None else (pair.estimate, pair.low, pair.high)
    if pair is None and (pair := table.get((quantity, second, first))) is not None:
        values = (1 / pair.estimate, 1 / pair.high, 1 / pair.low)
    if pair is None or values is None:
        return "–"
    estimate, low, high = values
    said = _READINGS.get(pair.reading)
    return f"{estimate:.2f} ({low:.2f}–{high:.2f})" + (f", {said}" if said else "")


def kernels(models: Sequence[ModelEntry]) -> list[tuple[str, str]]:
    """Which kernel ran which models, and why."""
    found: dict[tuple[str, str], list[str]] = {}
    for model in models:
        found.setdefault((model.kernel.implementation, model.kernel.reason or ""), []).append(model.title)
    return [(name, words.join(titles) + (f": {reason}" if reason else "")) for (name, reason), titles in found.items()]


def _flat(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Nested settings as pairs of words."""
    pairs: list[tuple[str, str]] = []
    for name, value in record.items():
        pairs += _flat(value) if isinstance(value, Mapping) else [(_spaced(name), _value(value))]
    return pairs


def _bar(interval: Interval, place: Callable[[float], float]) -> dict[str, float]:
    left, right = place(interval.low), place(interval.high)
    return {"left": left, "width": round(right - left, 2), "dot": place(interval.estimate)}


def _ticks(ticks: Sequence[float], scale: words.Scale, *, signed: bool = False) -> list[str]:
    return tick_words([round(100 * tick, 9) for tick in ticks] if scale.percent else ticks, signed=signed)


def _spaced(name: object) -> str:
    return str(name).replace("_", " ")


def _value(value: Any) -> str:
    if value is None:
        return "automatic"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
