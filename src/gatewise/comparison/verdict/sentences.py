"""The sentences of the verdict, each made from facts alone. The rules are stated in docs/verdict.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gatewise.comparison.verdict.facts import LEAST_BLOCKS, Facts, ModelFigures, Range, looks_factor
from gatewise.comparison.verdict.needs import SEEDS_THAT_TELL, more_examples, seeds_in_words
from gatewise.comparison.verdict.times import TRAINING, beside
from gatewise.words import Scale, count, duration, join, plural, ratio
from gatewise.words import size as bytes_in_words

__all__ = [
    "baseline",
    "caveat",
    "earlier_looks",
    "gives_up",
    "headline",
    "nothing",
    "quality",
    "reach",
    "size",
    "undecided",
]

_NAMED = 3
_ORDINALS = {2: "second", 3: "third", 4: "fourth", 5: "fifth"}


def headline(facts: Facts) -> str:
    """Who won in quality, in one line.

    One leader among several: by how much; several that do not differ: that; one cell alone: its figure.
    """
    scale, best, tied = facts.scale, facts.cells[0], facts.tied
    value = scale.value(best.figure.estimate)
    if len(facts.cells) == 1:
        return f"{best.title} reaches {_of_metric(value, scale)}"
    if len(tied) == 1:
        second = facts.cells[1]
        return f"{best.title} has the {scale.best} {scale.title}: {value}, {_gap(facts, best, second)} {second.title}"
    names = join([model.title for model in tied]) if len(tied) <= _NAMED else f"The best {len(tied)} cells"
    if all(facts.between(best, cell).equivalent for cell in tied[1:]):
        return f"{names}: the same {scale.title} within {scale.margin(facts.margin)}"
    return f"{names}: no difference found in {scale.title}"


def quality(facts: Facts, rule: str, *, advise: bool) -> str:
    """Which cell has the best figure, ahead of whom and by how much, and at what time per epoch."""
    if rule == "quality-alone":
        best, scale = facts.cells[0], facts.scale
        reached = _of_metric(scale.value(best.figure.estimate), scale)
        return f"{best.title} reaches {reached} ({_interval(best.figure, scale)})."
    return _leader(facts) if rule == "quality-leader" else _tie(facts, rule, advise=advise)


def _leader(facts: Facts) -> str:
    scale, best, behind = facts.scale, facts.cells[0], facts.behind
    start = f"{best.title} has the {scale.best} {scale.title}, {_value(best, scale)} ({_interval(best.figure, scale)})"
    ahead = [f"{_gap(facts, best, cell)} {cell.title}" for cell in behind[:_NAMED]]
    ahead[0] += f" ({_gain(facts, best, behind[0])})"
    if len(behind) > _NAMED:
        ahead.append(f"more ahead of {len(behind) - _NAMED} others")
    return f"{start}: {join(ahead)}{_time_beside(facts, best, behind[0])}."


def _tie(facts: Facts, rule: str, *, advise: bool) -> str:
    """Cells that do not differ from the best one, and which of them to take."""
    scale, best, tied, behind = facts.scale, facts.cells[0], facts.tied, facts.behind
    taken = facts.cheapest(tied)
    names = [f"{model.title} ({scale.value(model.figure.estimate)})" for model in tied]
    last = max(tied[1:], key=lambda cell: abs(facts.gain(best, cell)))
    found = facts.gain_range(best, last)
    apart = f"{scale.gap(found.estimate)} apart, {_found(facts, best, last, found)}"
    if len(tied) > 2:
        apart = f"{best.title} and {last.title} are {apart}"
    start = f"No difference found between {join(names)}: {apart}"
    if rule == "quality-same":
        start = f"{join(names)} are the same within {scale.margin(facts.margin)}: {apart}"
    if behind:
        verb = "are" if len(behind) > 1 else "is"
        start += f"; {join([cell.title for cell in behind])} {verb} behind {best.title}"
    other = min(tied[1:], key=lambda cell: cell.time) if taken is best else best
    times = facts.times.between(TRAINING, taken.name, other.name)
    if times is None:
        return f"{start}."
    if times.reading == "same":
        return f"{start}; they take about the same time per epoch."
    advice = ""
    if advise and times.reading != "undecided":
        slower = times.reading == "slower"
        advice = f": take {taken.title} for quality, {other.title} for time" if slower else f", so take {taken.title}"
    return f"{start}; {taken.title} {beside(facts, taken, other)}{advice}."


def baseline(facts: Facts, rule: str, *, skill: bool) -> str:
    """Whether any recurrent model is worth its cost over the best baseline."""
    scale, best, other = facts.scale, facts.cells[0], facts.baseline
    assert other is not None
    found = facts.gain_range(best, other)
    start = f"{other.title}, trained in {duration(other.training_seconds)}, reaches {_value(other, scale)}"
    if skill:
        start = f"{other.title} reaches {_of_metric(_value(other, scale), scale)}"
    if rule == "baseline-undecided":
        lead, ahead = (found, best) if found.estimate > 0 else (found.turned, other)
        apart = "(the two are equal, "
        if lead.estimate != 0:
            apart = f"({ahead.inside} is {scale.gap(lead.estimate)} better, "
        apart += f"{_found(facts, best, other, lead)})"
        so = "no skill beyond it is shown" if skill else "here no recurrent cell is shown to be worth its time"
        return _capital(f"{start}: no difference from {best.title} found {apart}, so {so}.")
    gap = f"{scale.gap(found.estimate)} ({_gain(facts, best, other)})"
    if rule == "baseline-better":
        gap = f"{scale.gap(found.estimate)} ({_gain(facts, other, best)})"
        so = "the cells have no skill beyond it" if skill else "on this data no recurrent cell is worth its time"
        return _capital(f"{start}, better than {best.title} by {gap}: {so}.")
    sentence = f"{start}; {best.title} beats it by {gap}"
    times = best.training_seconds / other.training_seconds if other.training_seconds > 0.01 else 0.0
    if times >= 2 and not skill:
        sentence += f" for about {times:.0f} times its training time"
    return _capital(sentence + ".")


def size(facts: Facts, rule: str, *, judged: bool = True) -> str:
    """Which cell is smallest, and what that costs in quality, if that is judged."""
    smallest, others = facts.least(lambda cell: cell.parameters)
    words = _size(min(smallest, key=lambda cell: cell.parameters or 0))
    lower = facts.smaller_baseline
    if lower is None or lower.parameters is None:
        beside = ""
    else:
        beside = f" The baseline {lower.title} is smaller still, {count(lower.parameters)} parameters."
    if rule == "size-alike":
        return f"All cells have about the same size ({words}).{beside}"
    largest = max(others, key=lambda cell: cell.parameters or 0)
    names, verb = join([cell.title for cell in smallest]), "is" if len(smallest) == 1 else "are about equally"
    if len(smallest) > 1:
        return f"{names} {verb} small ({words}); {largest.title} is largest ({_size(largest)}).{beside}"
    times = ratio((smallest[0].parameters or 0) / (largest.parameters or 1))
    end = gives_up(facts, smallest) if judged else ""
    smallest_of = "smallest" if not beside else "the smallest cell"
    return f"{names} {verb} {smallest_of}, {words}, {times} {_possessive(largest.title)} size{end}.{beside}"


def undecided(facts: Facts, seeds: int) -> str:
    """Which pairs are undecided, and how many seeds would decide them."""
    pairs = facts.undecided()
    parts, alike = [], 0
    for place, pair in enumerate(pairs[:_NAMED], 1):
        words = f"{facts.title(pair.first)} and {facts.title(pair.second)}"
        if pair.seeds_needed is None and seeds >= SEEDS_THAT_TELL:
            alike += 1
            if place == len(pairs[:_NAMED]) or pairs[place].seeds_needed is not None:  # said once, after the last
                groups = None if facts.groups is None else facts.group_words
                words += f" ({more_examples('decide it' if alike == 1 else 'decide each', groups)})"
                alike = 0
        elif pair.seeds_needed is not None and seeds >= SEEDS_THAT_TELL:
            words += f" ({seeds_in_words(pair.seeds_needed, seeds)} would detect a difference of this size)"
        parts.append(words)
    if len(pairs) > _NAMED:
        parts.append(plural(len(pairs) - _NAMED, "more pair"))
    end = "" if seeds >= SEEDS_THAT_TELL else "; how many seeds would decide it cannot be said from two"
    return f"Undecided: {'; '.join(parts)}{end}."


def reach(points: Mapping[str, float | None], titles: Mapping[str, str], axis: str) -> tuple[str, str]:
    """How far each cell gets along an axis.

    Args:
        points: the greatest point that each cell reaches; None where it reaches none.
        titles: the cells' titles.
        axis: what the points are: ``sequence length``.

    Returns:
        A headline and a sentence.

    Example:
        >>> reach({"lstm": 200, "rnn": 50, "gru": 200}, {"lstm": "LSTM", "rnn": "RNN", "gru": "GRU"}, "length")
        ('LSTM and GRU reach length 200, RNN 50', 'By length: LSTM and GRU learn it up to 200, RNN up to 50.')
    """
    levels = sorted({point for point in points.values() if point is not None}, reverse=True)
    groups = [[name for name, point in points.items() if point == level] for level in levels]
    names = [join([titles[name] for name in group]) for group in groups]
    verb = "reaches" if len(groups[0]) == 1 else "reach"
    rest = [f"{words} {level:,g}" for words, level in zip(names[1:], levels[1:], strict=True)]
    headline = ", ".join([f"{names[0]} {verb} {axis} {levels[0]:,g}", *rest])
    learns = "learns" if len(groups[0]) == 1 else "learn"
    parts = [f"{names[0]} {learns} it up to {levels[0]:,g}"]
    parts += [f"{words} up to {level:,g}" for words, level in zip(names[1:], levels[1:], strict=True)]
    never = [titles[name] for name, point in points.items() if point is None]
    if never:
        parts.append(f"{join(never)} at none of them")
    return headline, f"By {axis}: {', '.join(parts)}."


def nothing(best: ModelFigures, words: str, value: float, scale: Scale) -> str:
    """No model is clearly better than knowing nothing."""
    above = scale.gain(best.figure.estimate, value) > 0
    return (
        f"No model is clearly better than {words}, which reaches {scale.value(value)}; the best, {best.title}, "
        f"reaches {_value(best, scale)} ({_interval(best.figure, scale)}). Train longer or on more data"
        f"{', or test on more' if above else ''}."
    )


def earlier_looks(looks: Sequence[int], seeds: int) -> str:
    """That seeds were added after the result was known, and what it costs.

    Example:
        >>> earlier_looks([3], 10)
        'Judged before with 3 seeds, now with 10: for this second look p values are multiplied by 6.'
    """
    place = len(looks) + 1
    ordinal = _ORDINALS.get(place, f"{place}th")
    before = join([str(look) for look in looks])
    times = f"for this {ordinal} look p values are multiplied by {looks_factor(place)}"
    return f"Judged before with {before} seeds, now with {seeds}: {times}."


def caveat(facts: Facts, rule: str) -> str:
    """What the figures cannot say: few seeds, lost seeds, different kernels."""
    if rule == "lost-seeds":
        lost = [
            f"{cell.title} lost {cell.lost} of {plural(cell.lost + (cell.seeds or 0), 'seed')}"
            for cell in facts.incomplete
        ]
        verb = "is" if len(lost) == 1 else "are"
        what = "its figure is" if len(lost) == 1 else "their figures are"
        return (
            f"{join(lost)}, so {what} that of the seeds that finished, which is no fair sample, and {verb} not judged."
        )
    if rule == "two-seeds":
        return "Two seeds say little about the spread between seeds; three or more are better."
    if rule == "few-blocks":
        return _few_blocks(facts)
    if rule == "few-groups":
        return (
            f"Intervals are over only {facts.groups} {facts.group_words}, and therefore wide: more of these in the "
            "test part would narrow them; more seeds, or more examples of the same ones, hardly would."
        )
    used = "; ".join(f"{cell.title}: {', '.join(cell.kernels)}" for cell in facts.cells)
    return f"Not all cells ran on the same kernels ({used}), so their times do not compare the cells alone."


def _of_metric(value: str, scale: Scale) -> str:
    """``88.0 % accuracy``, ``a perplexity of 112.3``."""
    article = "an" if scale.title[:1].lower() in "aeiou" else "a"
    return f"{value} {scale.title}" if scale.in_percent else f"{article} {scale.title} of {value}"


def _value(model: ModelFigures, scale: Scale) -> str:
    return scale.value(model.figure.estimate)


def _gap(facts: Facts, first: ModelFigures, second: ModelFigures) -> str:
    """``1.0 points above``, ``2.5 below``: how far the first, better one stands from the second."""
    direction = "above" if facts.scale.higher_is_better else "below"
    return f"{facts.scale.gap(facts.gain(first, second))} {direction}"


def _gain(facts: Facts, first: ModelFigures, second: ModelFigures) -> str:
    return _interval(facts.gain_range(first, second), facts.scale, difference=True)


def _interval(found: Range, scale: Scale, *, signed: bool = False, difference: bool = False) -> str:
    """``95 % interval 0.5 to 1.5``."""
    level = f"{100 * found.level:.0f} % interval"
    if signed:
        return f"{level} {scale.interval(found.low, found.high, signed=True)}"
    end = scale.plain(found.high) if difference else scale.value(found.high)
    return f"{level} {scale.plain(found.low)} to {end}"


def _found(facts: Facts, first: ModelFigures, second: ModelFigures, lead: Range) -> str:
    """The interval of a difference that is not called one, and why where it leaves out zero.

    Only p values are corrected for all pairs; of too few independent blocks no interval holds what it says.
    """
    pair = facts.between(first, second)
    if not pair.enough:
        return "but from too few independent blocks for an interval"
    interval = _interval(lead, facts.scale, signed=True)
    if pair.difference.low <= 0 <= pair.difference.high:
        return interval
    return f"{interval}, no more than chance gives among {plural(facts.pairs, 'pair')}"


def _few_blocks(facts: Facts) -> str:
    """Why nothing is claimed of examples that are too dependent."""
    few = [pair for pair in facts.decisive if not pair.enough]
    blocks = max(1, round(min(pair.blocks for pair in few if pair.blocks is not None)))
    pairs = [f"{facts.title(pair.first)} and {facts.title(pair.second)}" for pair in few]
    which = "no difference" if len(few) == len(facts.decisive) else f"no difference between {'; '.join(pairs[:_NAMED])}"
    if len(few) < len(facts.decisive) and len(pairs) > _NAMED:
        which += f" or {plural(len(pairs) - _NAMED, 'more pair')}"
    return (
        "Neighbouring test examples are autocorrelated: they count as about "
        f"{plural(blocks, 'independent block')}, fewer than the {LEAST_BLOCKS} that a claim needs: {which} is claimed. "
        "A longer test part would help, more seeds would not."
    )


def _time_beside(facts: Facts, best: ModelFigures, other: ModelFigures) -> str:
    words = beside(facts, best, other)
    return f"; it {words}" if words else ""


def gives_up(facts: Facts, models: Sequence[ModelFigures]) -> str:
    """What cheap models cost in quality, each of them: nothing, where one leads or no difference was found."""
    best, scale = facts.cells[0], facts.scale
    if len(models) > 1:
        return f"; {join(_each_gives_up(facts, models))}"
    (model,) = models
    if model.figure.estimate == best.figure.estimate and _shared(facts):
        return ", and no cell has a better figure"
    if model is best:
        others = len(facts.tied) > 1
        return (
            ", and no other cell is shown to be better" if others else f", and also has the {scale.best} {scale.title}"
        )
    if _none_found(facts, model):
        return f", with no difference in {scale.title} from {best.title} found"
    return f", but is {_worse(facts, model)} than {best.title}{_doubt(facts, model)}"


def _each_gives_up(facts: Facts, models: Sequence[ModelFigures]) -> list[str]:
    """The same of several models, each of which is named with what is true of it."""
    best = facts.cells[0]
    equal = [model.title for model in models if model.figure.estimate == best.figure.estimate and _shared(facts)]
    if len(equal) == len(models):
        return ["no cell has a better figure"]
    others = [model for model in models if model is not best and model.title not in equal]
    close = [model.title for model in others if _none_found(facts, model)]
    parts = [f"{best.title} also has the {facts.scale.best} {facts.scale.title}"] if best in models else []
    if equal:
        parts = [f"no cell has a better figure than {join(equal)}"]
    if close:
        verb = "shows" if len(close) == 1 else "show"
        parts.append(f"{join(close)} {verb} no difference in {facts.scale.title} from {best.title}")
    for model in (model for model in others if not _none_found(facts, model)):
        parts.append(f"{model.title} is {_worse(facts, model)} than {best.title}{_doubt(facts, model)}")
    return parts


def _shared(facts: Facts) -> bool:
    """Whether another cell has exactly the best figure too."""
    return any(cell.figure.estimate == facts.cells[0].figure.estimate for cell in facts.cells[1:])


def _worse(facts: Facts, model: ModelFigures) -> str:
    return f"{facts.scale.margin(abs(facts.gain(facts.cells[0], model)))} worse"


def _doubt(facts: Facts, model: ModelFigures) -> str:
    return "" if facts.between(facts.cells[0], model).differs else " (which may be chance)"


def _none_found(facts: Facts, model: ModelFigures) -> bool:
    best = facts.cells[0]
    return not facts.between(best, model).differs and facts.gain(best, model) <= facts.margin


def _size(model: ModelFigures) -> str:
    words = f"{count(model.parameters)} parameter{'' if model.parameters == 1 else 's'}"
    return words if model.file_bytes is None else f"{words}, {bytes_in_words(model.file_bytes)} on disk"


def _possessive(title: str) -> str:
    return f"{title}'s"


def _capital(sentence: str) -> str:
    return sentence[:1].upper() + sentence[1:]
