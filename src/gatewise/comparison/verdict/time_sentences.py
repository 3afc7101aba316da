"""The sentences of the verdict on speed and on budgets of time, each made from facts alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gatewise.comparison.verdict.facts import Facts
from gatewise.comparison.verdict.sentences import gives_up
from gatewise.comparison.verdict.times import STREAMING, TRAINING, Quickest, over_budget, quickest, span
from gatewise.record import TimeBudget
from gatewise.words import duration, join, ratio

__all__ = ["budget", "speed"]


def speed(facts: Facts, rule: str, *, judged: bool = True) -> str:
    """Which cell trains fastest and which answers fastest, and what that costs in quality, if that is judged."""
    found = quickest(facts, TRAINING, lambda cell: cell.time)
    if found is None:
        return "Times were not measured in turns (--no-cost), so no cell is called faster than another."
    if rule == "speed-fastest":
        start = f"{found.cell.title} trains fastest, {duration(found.cell.time)} per epoch, {_slower(facts, found)}"
        start += gives_up(facts, [found.cell]) if judged else ""
    elif rule == "speed-alike":
        start = _alike(facts, found, judged=judged)
    else:
        start = _open(facts, found)
    return f"{start}{_streaming(facts)}."


def _slower(facts: Facts, found: Quickest) -> str:
    """The quickest one's time beside the slowest one's and the next one's."""
    slowest, following = found.slower[-1], found.slower[0]
    pair = facts.times.between(TRAINING, found.cell.name, slowest.name)
    assert pair is not None
    level = f"{100 * pair.level:.0f} % interval"
    words = f"{ratio(pair.estimate)} {slowest.title}'s time ({level} {span(pair)})"
    near = facts.times.between(TRAINING, found.cell.name, following.name)
    if following is not slowest and near is not None:
        words += f" and {ratio(near.estimate)} {following.title}'s ({span(near)})"
    return words


def _alike(facts: Facts, found: Quickest, *, judged: bool) -> str:
    cells = [found.cell, *found.same]
    seconds = duration(found.cell.time)
    if not found.slower:
        who = "All cells train" if len(cells) > 2 else f"{join([cell.title for cell in cells])} train"
        return f"{who} equally fast within 5 % ({seconds} per epoch)"
    start = f"{join([cell.title for cell in cells])} train fastest, equally within 5 %, about {seconds} per epoch"
    return f"{start}, {_slower(facts, found)}{gives_up(facts, cells) if judged else ''}"


def _open(facts: Facts, found: Quickest) -> str:
    """No difference shown between the quickest and some others."""
    last = found.open[-1]
    pair = facts.times.between(TRAINING, last.name, found.cell.name)
    apart = ""
    if pair is not None:
        level = f"{100 * pair.level:.0f} % interval"
        apart = f": {last.title} takes {ratio(pair.estimate)} {found.cell.title}'s ({level} {span(pair)})"
    names = [f"{cell.title} ({duration(cell.time)} per epoch)" for cell in (found.cell, *found.same, *found.open)]
    words = f"No difference in training time beyond 5 % is shown between {join(names)}{apart}"
    if found.slower:
        verb = "is" if len(found.slower) == 1 else "are"
        words += f"; {join([cell.title for cell in found.slower])} {verb} slower than {found.cell.title}"
    return words


def _streaming(facts: Facts) -> str:
    """The same of streaming steps, as the sentence's second part; empty where none was measured."""
    found = quickest(facts, STREAMING, lambda cell: cell.step_seconds)
    words = "" if found is None else f"; {_step(facts, found)}"
    none = [cell.title for cell in facts.cells if not cell.streams]
    if none:
        words += f"; {join(none)}, which read{'s' if len(none) == 1 else ''} from both ends, cannot run step by step"
    return words


def _step(facts: Facts, found: Quickest) -> str:
    seconds = duration(found.cell.step_seconds)
    alike = [cell.title for cell in (found.cell, *found.same)]
    if found.open:
        names = join([*alike, *(cell.title for cell in found.open)])
        return f"no difference in a streaming step beyond 5 % is shown between {names} (about {seconds})"
    if not found.slower:
        return f"a streaming step takes about {seconds} with {'each' if _all(facts, alike) else join(alike)}"
    slowest = found.slower[-1]
    pair = facts.times.between(STREAMING, found.cell.name, slowest.name)
    assert pair is not None
    beside = f"{seconds}, {ratio(pair.estimate)} {slowest.title}'s, {100 * pair.level:.0f} % interval {span(pair)}"
    return f"a streaming step is quickest with {join(alike)} ({beside})"


def _all(facts: Facts, titles: Sequence[str]) -> bool:
    return len(titles) == len(facts.cells)


def budget(budgets: Mapping[str, TimeBudget], titles: Mapping[str, str]) -> str:
    """Which cells did not take the time that they were given."""
    parts = []
    for cell in over_budget(budgets):
        found = budgets[cell]
        between = "" if found.ratio is None else f" ({found.ratio.low:.2f} to {found.ratio.high:.2f})"
        took = f"{titles.get(cell, cell)} took {ratio(found.share)}{between} its {duration(found.target)}"
        if found.stopped_early and found.share < 1:
            took += ", stopped early where its validation figure no longer improved"
        parts.append(took)
    return f"Not every cell took the time that it was given, within a tenth: {'; '.join(parts)}."
