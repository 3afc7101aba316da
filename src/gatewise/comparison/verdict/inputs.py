"""The numbers that a rule of the verdict was applied to, as plain dictionaries, and the way back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gatewise.comparison.verdict.facts import LEAST_BLOCKS, SAME_COST, SIGNIFICANCE, Facts, ModelFigures, Pair, Range
from gatewise.comparison.verdict.times import times_in
from gatewise.comparison.verdict.training import LEAST_NOISE, LEAST_SHARE
from gatewise.record import Learning, TimeRatio, part_from, plain
from gatewise.words import Scale

__all__ = ["facts_from", "inputs_of", "with_times", "with_training"]

_INTERVAL = ("estimate", "low", "high", "level")


def inputs_of(
    facts: Facts, models: Iterable[ModelFigures], pairs: Iterable[Pair] = (), also: Iterable[str] = ()
) -> dict[str, Any]:
    """What the record says that a rule was applied to.

    Args:
        facts: of the comparison.
        models: those that the rule looks at.
        pairs: those that the rule looks at.
        also: further fields of `ModelFigures` that it looks at: ``seconds_per_epoch``, ``parameters`` ...

    Returns:
        ``metric`` and ``higher_is_better``; ``models`` with their figures; ``pairs`` with their differences, corrected
        p values, whether they are shown to be the same, and their independent blocks; ``significance``,
        ``least_blocks``, ``margin`` and ``same_cost``.
    """
    return {
        "metric": facts.scale.title,
        "higher_is_better": facts.scale.higher_is_better,
        "percent": facts.scale.percent,
        "percent_sign": facts.scale.percent_sign,
        "models": [
            {
                "name": model.name,
                "title": model.title,
                "baseline": model.baseline,
                **{name: getattr(model.figure, name) for name in _INTERVAL},
                **{name: plain(getattr(model, name)) for name in also},
            }
            for model in models
        ],
        "pairs": [
            {
                "first": pair.first,
                "second": pair.second,
                **{name: getattr(pair.difference, name) for name in _INTERVAL},
                "adjusted_p_value": pair.adjusted_p,
                "equivalent": pair.equivalent,
                "seeds_needed": pair.seeds_needed,
                "blocks": pair.blocks,
            }
            for pair in pairs
        ],
        "significance": SIGNIFICANCE,
        "least_blocks": LEAST_BLOCKS,
        "margin": facts.margin,
        "same_cost": SAME_COST,
    }


def with_training(facts: Facts, inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs, and beside them how often every cell was trained and how it ended, with the limits held against."""
    cells = dict.fromkeys((*facts.cells, *facts.incomplete))
    return {
        **inputs,
        "seeds": {cell.name: cell.seeds for cell in cells},
        "lost": {cell.name: cell.lost for cell in cells},
        "learning": {cell.name: plain(cell.learning) for cell in facts.cells},
        "late_share": LEAST_SHARE,
        "late_noise": LEAST_NOISE,
    }


def with_times(facts: Facts, inputs: dict[str, Any]) -> dict[str, Any]:
    """The inputs, and beside them the ratios of the cells' times."""
    return {**inputs, "times": times_in(facts)}


def facts_from(inputs: Mapping[str, Any]) -> Facts:
    """The facts out of what `inputs_of` recorded of them."""
    models = [
        ModelFigures(
            name=entry["name"],
            title=entry["title"],
            figure=_range(entry),
            training_seconds=entry.get("training_seconds", 0.0),
            seconds_per_epoch=entry.get("seconds_per_epoch"),
            step_seconds=entry.get("step_seconds"),
            parameters=entry.get("parameters"),
            kernels=tuple(entry.get("kernels", ())),
            baseline=entry["baseline"],
            learning=_learning(inputs, entry["name"]),
            seeds=inputs.get("seeds", {}).get(entry["name"]),
            lost=inputs.get("lost", {}).get(entry["name"], 0),
        )
        for entry in inputs["models"]
    ]
    pairs = [
        Pair(
            entry["first"],
            entry["second"],
            _range(entry),
            entry["adjusted_p_value"],
            entry["equivalent"],
            entry["seeds_needed"],
            entry.get("blocks"),
        )
        for entry in inputs["pairs"]
    ]
    scale = Scale(inputs["metric"], inputs["higher_is_better"], inputs["percent"], 1, inputs.get("percent_sign", True))
    times = part_from(inputs.get("times", []), tuple[TimeRatio, ...], place="the verdict's inputs", at="times")
    return Facts.of(models, pairs, scale, inputs["margin"], times)


def _learning(inputs: Mapping[str, Any], cell: str) -> tuple[Learning, ...]:
    kept = inputs.get("learning", {}).get(cell, [])
    return part_from(kept, tuple[Learning, ...], place="the verdict's inputs", at=f"learning.{cell}")


def _range(entry: Mapping[str, Any]) -> Range:
    return Range(*(entry[name] for name in _INTERVAL))
