"""The sentences of a verdict on cells that were not trained long enough to be judged."""

from __future__ import annotations

from collections.abc import Sequence

from gatewise.comparison.verdict.facts import Facts, ModelFigures, Range
from gatewise.words import Scale, duration, join, plural

__all__ = [
    "baseline_so_far",
    "cells_unlearned",
    "headline",
    "incomplete",
    "nothing_so_far",
    "single",
    "unfinished",
    "unlearned",
]

_NAMED = 4
_FEW = 4


def headline(facts: Facts, rule: str, trivial: str) -> str:
    """Why nothing is judged, in one line."""
    if rule == "outcome-single":
        return "Not judged: one seed says nothing of a cell"
    if rule == "outcome-incomplete":
        return "Not judged: every cell lost seeds"
    if rule == "outcome-unlearned":
        return f"Not judged: no cell is shown to be better than {trivial}"
    verb = "was" if len(facts.unfinished) == 1 else "were"
    if _epochs(facts.unfinished) == 1:
        return f"Not judged: {_named(facts.unfinished)} {verb} trained for a single epoch"
    return f"Not judged: {_named(facts.unfinished)} {verb} still improving when training stopped"


def unfinished(facts: Facts) -> str:
    """Which cells were still improving, by how much the best of them, and what to do."""
    cells = facts.unfinished
    epochs = _epochs(cells)
    verb = "was" if len(cells) == 1 else "were"
    so = "so the figures say how far the networks got, not what the cells can do"
    advice = f"Train longer{_how(cells)}."
    if epochs == 1:
        start = f"Not judged: {_named(cells)} {verb} trained for a single epoch: that cannot show whether learning had"
        return f"{start} come to its end, {so}. {advice}"
    start = f"Not judged: {_named(cells)} {verb} still improving when training stopped: "
    steepest = max(cells, key=_gain)
    whose = "its" if len(cells) == 1 else _possessive(steepest.title)
    moved = f"{'risen' if facts.scale.higher_is_better else 'fallen'} by {facts.scale.gap(_gain(steepest))}"
    why = (
        f"after {plural(epochs, 'epoch')} {whose} validation {facts.scale.title} had {moved} in the last quarter of the"
    )
    why += " learning"
    derived = _derived(cells)
    if derived > 2 * epochs:
        why = f"only {epochs} of the {derived} epochs that the size of this data calls for were trained"
        if _gain(steepest) <= 0:
            why += ", and the validation loss fell to the end"
    return f"{start}{why}, {so}. {advice}"


def nothing_so_far(words: str, value: float, *, scale: Scale) -> str:
    """That what was reached so far is no more than knowing nothing reaches."""
    return f"So far no model is shown to be better than {words}, which reaches {scale.value(value)}."


def single(facts: Facts) -> str:
    """What the networks reached that were trained once each, and that this is not said of their cells."""
    scale, best = facts.scale, facts.cells[0]
    reached = f"{scale.value(best.figure.estimate)} ({_interval(best.figure, scale)})"
    start = "Not judged: one seed says nothing of a cell: another seed could change its figure by more than other test"
    start += " examples would"
    advice = "Train each cell at least three times: --seeds 3."
    if len(facts.cells) == 1:
        return f"{start}. This {best.title} network reaches {reached}. {advice}"
    second = facts.cells[1]
    lead = facts.gain_range(best, second)
    side = "above" if scale.higher_is_better else "below"
    ahead = (
        f"{scale.gap(lead.estimate)} {side} the {second.title} network ({_lead(lead, scale)}, over test examples alone)"
    )
    which = (
        f"Of these {len(facts.cells)} networks the {best.title} has the {scale.best} {scale.title}, {reached}, {ahead}"
    )
    return f"{start}. {which}. {advice}"


def incomplete(facts: Facts) -> str:
    """Every cell lost seeds, and what to do."""
    lost = join([f"{cell.lost} of {cell.lost + (cell.seeds or 0)} runs of {cell.title}" for cell in facts.cells])
    return (
        f"Not judged: every cell lost seeds: {lost} did not finish, and those that did are no fair sample. Run "
        "the same command again to repeat them, or with another setting, for example a lower --learning-rate, with "
        "which all finish."
    )


def unlearned(facts: Facts, words: str, value: float) -> str:
    """No cell is better than knowing nothing, and what to do."""
    scale, best = facts.scale, facts.cells[0]
    reached = f"{scale.value(best.figure.estimate)} ({_interval(best.figure, scale)})"
    which = f"the best, {best.title}, reaches {reached}" if len(facts.cells) > 1 else f"{best.title} reaches {reached}"
    advice = f"Train on more data, or longer{_how(facts.cells)}"
    start = f"Not judged: no cell is shown to be better than {words}: that reaches {scale.value(value)}"
    return f"{start}; {which}. {advice}."


def baseline_so_far(facts: Facts) -> str:
    """How far the best cell is from the best baseline, without a conclusion: the interval is none of cells."""
    scale, best, other = facts.scale, facts.cells[0], facts.baseline
    assert other is not None
    found = facts.gain_range(best, other)
    side = "above" if (found.estimate > 0) == scale.higher_is_better else "below"
    lead = found if found.estimate > 0 else found.turned
    start = (
        f"{other.title}, trained in {duration(other.training_seconds)}, reaches {scale.value(other.figure.estimate)}"
    )
    same = scale.value(other.figure.estimate) == scale.value(best.figure.estimate)
    apart = "as good" if same else f"{scale.gap(found.estimate)} {side} it"
    of = "over test examples alone" if best.seeds == 1 else "of the networks as they are now"
    apart += f" ({_lead(lead, scale)}, {of})"
    return f"{start}; so far {best.title}, with {scale.value(best.figure.estimate)}, is {apart}."


def cells_unlearned(facts: Facts, names: tuple[str, ...], words: str, value: float) -> str:
    """Which cells, but not all, are not shown to be better than knowing nothing; and what might show it of those."""
    cells = [cell for cell in facts.cells if cell.name in names]
    verb = "is" if len(cells) == 1 else "are"
    above = all(facts.scale.gain(cell.figure.estimate, value) > 0 for cell in cells)
    change = "more test examples or longer training" if above else "longer training"
    return f"{_named(tuple(cells))} {verb} not shown to be better than {words}; {change} might change that."


def _gain(cell: ModelFigures) -> float:
    """The mean gain of a cell's runs in the last quarter of their learning."""
    gains = [run.gain for run in cell.learning if run.gain is not None]
    return sum(gains) / len(gains) if gains else 0.0


def _epochs(cells: Sequence[ModelFigures]) -> int:
    """How many epochs the longest of their runs was trained."""
    return max((run.epochs for cell in cells for run in cell.learning), default=0)


def _how(cells: Sequence[ModelFigures]) -> str:
    """How to train longer: the epochs that the size of the data calls for, where they are more, else some more."""
    epochs = _epochs(cells)
    derived = _derived(cells)
    if derived > epochs > 0:
        return f": without --epochs training ends by itself, after {derived} at most"
    return f", for example with --epochs {_more(epochs)}" if epochs else ""


def _derived(cells: Sequence[ModelFigures]) -> int:
    """How many epochs the size of the data calls for; 0: not known."""
    return max((run.derived_epochs or 0 for cell in cells for run in cell.learning), default=0)


def _more(epochs: int) -> int:
    """How many epochs to try: four times as many of a few, else twice as many."""
    return epochs * (4 if epochs < _FEW else 2)


def _named(cells: tuple[ModelFigures, ...]) -> str:
    titles = [cell.title for cell in cells]
    return join(titles) if len(titles) <= _NAMED else f"{titles[0]} and {len(titles) - 1} other cells"


def _possessive(title: str) -> str:
    return f"{title}'s"


def _interval(found: Range, scale: Scale) -> str:
    return f"{100 * found.level:.0f} % interval {scale.plain(found.low)} to {scale.value(found.high)}"


def _lead(found: Range, scale: Scale) -> str:
    """The interval of how far the better one is ahead: with signs where it holds zero."""
    level = f"{100 * found.level:.0f} % interval"
    if found.low < 0:
        return f"{level} {scale.interval(found.low, found.high, signed=True)}"
    return f"{level} {scale.plain(found.low)} to {scale.plain(found.high)}"
