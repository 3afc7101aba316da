"""The rules of the verdict as functions of facts. In words: `gatewise.record.rules` and docs/verdict.md."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatewise.comparison.verdict import times
from gatewise.comparison.verdict.facts import SIGNIFICANCE, Facts
from gatewise.comparison.verdict.inputs import facts_from, inputs_of, with_times, with_training
from gatewise.record import plain

__all__ = ["Ruling", "Trivial", "apply_again", "reached"]

FEW_GROUPS = 10
"""Over fewer groups than these intervals are wide whatever else there is."""


@dataclass(frozen=True)
class Trivial:
    """What knowing nothing would reach: always giving the most frequent answer.

    Args:
        words: completes "better than ...": ``always answering 'negative'``.
        value: its figure.
    """

    words: str
    value: float


@dataclass(frozen=True)
class Ruling:
    """What a rule decides.

    Attributes:
        rule: its id.
        models: names of the models that it is about, the best first.
        inputs: what it was applied to, see `gatewise.comparison.verdict.inputs.inputs_of`.
        recommended: of the outcome: the model to take.
    """

    rule: str
    models: tuple[str, ...]
    inputs: Mapping[str, Any]
    recommended: str | None = None


def outcome(facts: Facts, trivial: Trivial | None) -> Ruling:
    """What the comparison found, who leads, and which model to take."""
    among = [*facts.against_best, *facts.against_baseline]
    inputs = inputs_of(facts, facts.everyone, among, ("training_seconds", "seconds_per_epoch"))
    inputs = with_times(facts, with_training(facts, inputs))
    inputs["trivial"] = None if trivial is None else trivial.value
    if not facts.cells:
        return Ruling("outcome-failed", (), inputs)
    if facts.cells == facts.incomplete:
        return Ruling("outcome-incomplete", (), inputs)
    if facts.unfinished:
        return Ruling("outcome-unfinished", (), inputs)
    if trivial is not None and facts.none_beats(trivial.value):
        return Ruling("outcome-nothing", (), inputs)
    if _unlearned(facts, trivial):
        return Ruling("outcome-unlearned", (), inputs)
    if facts.single:
        return Ruling("outcome-single", (), inputs)
    best, baseline, leaders = facts.cells[0], facts.baseline, _names(facts.tied)
    if baseline is not None and not facts.between(best, baseline).differs:
        return Ruling("outcome-undecided", leaders, inputs, baseline.name)
    if baseline is not None and facts.gain(best, baseline) < 0:
        return Ruling("outcome-baseline", leaders, inputs, baseline.name)
    rule = "outcome-cell" if len(leaders) == 1 else "outcome-tie"
    return Ruling(rule, leaders, inputs, facts.cheapest(facts.tied).name)


def training(facts: Facts, trivial: Trivial | None) -> Ruling | None:
    """Which cells were not trained long or often enough to be judged. None: all were."""
    inputs = with_training(facts, inputs_of(facts, facts.cells, facts.against_best if facts.single else ()))
    inputs["trivial"] = None if trivial is None else trivial.value
    if facts.cells and facts.cells == facts.incomplete:
        return Ruling("training-incomplete", _names(facts.cells), inputs)
    if facts.unfinished:
        return Ruling("training-unfinished", _names(facts.unfinished), inputs)
    if _unlearned(facts, trivial):
        return Ruling("training-unlearned", _names(facts.cells), inputs)
    return Ruling("training-single", _names(facts.cells), inputs) if facts.single else None


def nothing(facts: Facts, trivial: Trivial) -> Ruling:
    """No model is shown to be better than knowing nothing."""
    inputs = {**inputs_of(facts, facts.everyone), "trivial": trivial.value}
    return Ruling("nothing" if facts.none_beats(trivial.value) else "", (facts.foremost.name,), inputs)


def quality(facts: Facts) -> Ruling:
    """Which cells lead, and whether those that tie are shown to be the same."""
    inputs = inputs_of(facts, facts.cells, facts.against_best, ("seconds_per_epoch", "training_seconds"))
    inputs = with_times(facts, inputs)
    best, tied = facts.cells[0], facts.tied
    if len(facts.cells) == 1:
        return Ruling("quality-alone", (best.name,), inputs)
    if len(tied) == 1:
        return Ruling("quality-leader", (best.name,), inputs)
    same = all(facts.between(best, cell).equivalent for cell in tied[1:])
    return Ruling("quality-same" if same else "quality-tie", _names(tied), inputs)


def baseline(facts: Facts, *, judged: bool = True) -> Ruling:
    """Whether the best cell is better than the best baseline; of cells that are not judged, only how far it is."""
    best, other = facts.cells[0], facts.baseline
    assert other is not None
    pair = facts.between(best, other)
    inputs = {**inputs_of(facts, (best, other), (pair,), ("training_seconds",)), "judged": judged}
    if not judged:
        return Ruling("baseline-so-far", (other.name,), inputs)
    if not pair.differs:
        return Ruling("baseline-undecided", (other.name,), inputs)
    if facts.gain(best, other) < 0:
        return Ruling("baseline-better", (other.name,), inputs)
    return Ruling("baseline-beaten", (best.name,), inputs)


def speed(facts: Facts) -> Ruling | None:
    """Which cell trains fastest, or which are not shown to differ. None: one cell alone."""
    if len(facts.cells) < 2:
        return None
    also = ("seconds_per_epoch", "training_seconds", "step_seconds", "streams")
    rule, names = times.speed(facts)
    inputs = inputs_of(facts, facts.cells, facts.against_best if rule == "speed-fastest" else (), also)
    return Ruling(rule, names, with_times(facts, inputs))


def size(facts: Facts) -> Ruling | None:
    """Which cells have the fewest parameters. None: one cell alone, or sizes unknown."""
    smallest, others = facts.least(lambda cell: cell.parameters)
    if len(facts.cells) < 2 or not smallest:
        return None
    smaller = facts.smaller_baseline
    models = facts.cells if smaller is None else (*facts.cells, smaller)
    inputs = inputs_of(facts, models, facts.against_best if others else (), ("parameters",))
    return Ruling("size-smallest" if others else "size-alike", _names(smallest), inputs)


def undecided(facts: Facts) -> Ruling | None:
    """Pairs that are neither different nor shown to be the same. None: there are none."""
    pairs = facts.undecided()
    if not pairs:
        return None
    inputs = inputs_of(facts, facts.everyone, facts.decisive)
    return Ruling(
        "undecided", tuple(dict.fromkeys(name for pair in pairs for name in (pair.first, pair.second))), inputs
    )


def reach(inputs: Mapping[str, Any]) -> Ruling | None:
    """Which cells reach farthest along an axis. None: no cell reaches anything.

    Args:
        inputs: ``points`` in the axis' order, each with its ``decisions`` (see `gatewise.record.ReachDecision`).
    """
    found = reached(inputs)
    levels = [level for level in found.values() if level is not None]
    if not levels:
        return None
    return Ruling("reach", tuple(cell for cell, level in found.items() if level == max(levels)), inputs)


def reached(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """For each cell the greatest point that it reaches, without a gap before it; None: it reaches none."""
    found: dict[str, Any] = {}
    stopped: set[str] = set()
    for point in inputs["points"]:
        for decision in point["decisions"]:
            cell = decision["cell"]
            found.setdefault(cell, None)
            sign = 1.0 if inputs["higher_is_better"] else -1.0
            estimate = decision["estimate"]
            ahead = estimate is not None and sign * (estimate - decision["half_way"]) >= 0
            differs = decision["adjusted_p_value"] < inputs["significance"] and decision.get("enough", True)
            if cell not in stopped and differs and ahead:
                found[cell] = point["value"]
            else:
                stopped.add(cell)
    return found


def caveats(facts: Facts, seeds: int, trivial: Trivial | None = None, looks: Sequence[int] = ()) -> list[Ruling]:
    """What the figures cannot say."""
    found = []
    if facts.incomplete and facts.cells != facts.incomplete:
        every = {cell.name: [cell.lost, cell.seeds] for cell in (*facts.cells, *facts.incomplete)}
        found.append(Ruling("lost-seeds", _names(facts.incomplete), {"lost_and_finished": every}))
    if looks:
        found.append(Ruling("earlier-looks", (), {"looks": list(looks), "seeds": seeds}))
    counted = {"seeds": seeds, "cells": [cell.name for cell in facts.cells]}
    if seeds == 2:
        found.append(Ruling("two-seeds", (), counted))
    few = tuple(pair for pair in facts.decisive if not pair.enough)
    if few:
        found.append(Ruling("few-blocks", (), inputs_of(facts, facts.everyone, few)))
    elif facts.groups is not None and facts.groups < FEW_GROUPS:
        found.append(Ruling("few-groups", (), {"groups": facts.groups}))
    low = _not_above(facts, trivial)
    if trivial is not None and low and len(low) < len(facts.cells):
        inputs = {**inputs_of(facts, facts.cells), "trivial": trivial.value}
        found.append(Ruling("cell-unlearned", low, inputs))
    kernels = {"kernels": {cell.name: list(cell.kernels) for cell in facts.cells}}
    if _kernels_differ(kernels):
        found.append(Ruling("different-kernels", (), kernels))
    off = times.over_budget(facts.budgets)
    if off:
        found.append(Ruling("time-budget", off, {"budgets": plain(facts.budgets)}))
    return found


def apply_again(rule: str, inputs: Mapping[str, Any]) -> Ruling | None:
    """Apply the rule of a sentence again to the inputs that the record holds.

    Args:
        rule: id that the record holds.
        inputs: what it was applied to.

    Returns:
        What is decided now: the same rule id and models, if the record is right; None: nothing is.

    Example:
        >>> apply_again("two-seeds", {"seeds": 2, "cells": ["gru"]}).rule
        'two-seeds'
        >>> apply_again("two-seeds", {"seeds": 3, "cells": ["gru"]}) is None
        True
    """
    question = rule.split("-")[0]
    simple: dict[str, Callable[[Facts], Ruling | None]] = {
        "quality": quality,
        "speed": speed,
        "size": size,
        "undecided": undecided,
    }
    if question in simple:
        return simple[question](facts_from(inputs))
    if question == "baseline":
        return baseline(facts_from(inputs), judged=inputs.get("judged", True))
    if rule == "reach":
        return reach(inputs)
    if rule == "lost-seeds":
        low = tuple(name for name, (lost, _) in inputs["lost_and_finished"].items() if lost)
        return Ruling(rule, low, inputs) if 0 < len(low) < len(inputs["lost_and_finished"]) else None
    if question in ("outcome", "nothing", "training", "cell"):
        trivial = None if inputs["trivial"] is None else Trivial("", inputs["trivial"])
        facts = facts_from(inputs)
        if question == "training":
            return training(facts, trivial)
        if question == "cell":
            low = _not_above(facts, trivial)
            return Ruling(rule, low, inputs) if 0 < len(low) < len(facts.cells) else None
        return outcome(facts, trivial) if question == "outcome" or trivial is None else nothing(facts, trivial)
    holds = {
        "two-seeds": lambda: inputs["seeds"] == 2,
        "earlier-looks": lambda: bool(inputs["looks"]),
        "different-kernels": lambda: _kernels_differ(inputs),
        "few-blocks": lambda: any(not pair.enough for pair in facts_from(inputs).table.values()),
        "few-groups": lambda: inputs["groups"] < FEW_GROUPS,
        "time-budget": lambda: any(not budget["kept"] for budget in inputs["budgets"].values()),
    }
    return Ruling(rule, (), inputs) if holds[rule]() else None


def reach_inputs(axis: Any, *, higher_is_better: bool) -> dict[str, Any]:
    """What the record says that the rule of reach was applied to, out of its axis."""
    points = [{"value": point.value, "decisions": plain(point.decisions)} for point in axis.points]
    return {
        "axis": axis.title,
        "higher_is_better": higher_is_better,
        "significance": SIGNIFICANCE,
        "points": points,
    }


def _kernels_differ(inputs: Mapping[str, Any]) -> bool:
    """Whether cells, or the runs of one cell, ran on different kernels."""
    used = [tuple(each) for each in inputs["kernels"].values()]
    return len(set(used)) > 1 or any(len(each) > 1 for each in used)


def _not_above(facts: Facts, trivial: Trivial | None) -> tuple[str, ...]:
    """The cells that are not shown to be better than knowing nothing."""
    return () if trivial is None else _names(cell for cell in facts.cells if not facts.beats(cell, trivial.value))


def _unlearned(facts: Facts, trivial: Trivial | None) -> bool:
    """Whether that is true of every cell."""
    return bool(facts.cells) and len(_not_above(facts, trivial)) == len(facts.cells)


def _names(models: Any) -> tuple[str, ...]:
    return tuple(model.name for model in models)
