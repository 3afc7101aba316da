"""What the cells of a comparison look at: three short test examples, with reasons, small enough for its record."""

from __future__ import annotations

from typing import Any

from gatewise.errors import GatewiseError
from gatewise.inspection.reasons import reasons
from gatewise.training.kind import Trained
from gatewise.training.reader import Reader, ReadInput

__all__ = ["three_readings"]

_SEARCHED, _SHOWN = 40, 3
_FEWEST, _MOST = 6, 40
_LONGEST_LABEL = 24


def three_readings(trained: Trained, dataset: Any) -> dict[str, Any]:
    """The answers to three short test examples and how much each step counted, ready for JSON, some two kB.

    The examples depend on the data alone, so that the cells of a comparison have the same ones: the first three of at
    most 40 steps among the first 40. A kind without a reader gives nothing, nor do pictures.

    Args:
        trained: the network.
        dataset: its data.
    """
    try:
        reader = trained.reader(dataset)
        chosen = _short([each for each in reader.examples(_SEARCHED) if each.picture is None])
        return {"readings": [_entry(reader, each) for each in chosen]} if chosen else {}
    except GatewiseError:
        return {}


def _short(examples: list[ReadInput]) -> list[ReadInput]:
    fitting = [each for each in examples if _FEWEST <= len(each.steps) <= _MOST]
    if len(fitting) < _SHOWN:
        fitting = sorted(examples, key=lambda each: len(each.steps))
    return fitting[:_SHOWN]


def _entry(reader: Reader, given: ReadInput) -> dict[str, Any]:
    why = reasons(reader, given, with_removal=False)
    final = reader.prefixes(given)[given.answer_step]
    value = float(final[reader.names.index(why.target)])
    return {
        "title": given.title,
        "truth": given.truth,
        "answer": why.target,
        "value": f"{value:.4g}" if reader.answers == "values" else f"{100 * value:.1f} %",
        "words": given.text is not None,
        "steps": [step.label[:_LONGEST_LABEL] for step in given.steps[-_MOST:]],
        "reasons": [float(f"{value:.3g}") for value in why.per_step[-_MOST:]],
    }
