"""The test texts that a model misclassifies with the greatest confidence."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from gatewise.record import ModelEntry, Run

__all__ = ["wrong_examples"]

_WRONG_SHOWN = 6
_EXCERPT = 600


def wrong_examples(models: Sequence[ModelEntry], dataset: Any) -> dict[str, Any]:
    """The details of a classification record: true classes, and the confidently wrong examples of all models.

    Args:
        models: of the record.
        dataset: texts and labels, see `gatewise.data.records.TextDataset`.

    Returns:
        ``truth`` (class of each test example), ``most_wrong`` (by model: the test examples that all its runs get wrong,
        most confident first) and ``examples`` (texts, shortened, each once).
    """
    truth = np.asarray(dataset.test.labels)
    most_wrong = {model.name: _most_wrong(model.runs, truth) for model in models}
    wanted = sorted({index for indices in most_wrong.values() for index in indices})
    examples = [
        {
            "index": index,
            "truth": int(truth[index]),
            "text": _excerpt(dataset.test.texts[index]),
            "characters": len(dataset.test.texts[index]),
        }
        for index in wanted
    ]
    return {"truth": truth.tolist(), "most_wrong": most_wrong, "examples": examples}


def _most_wrong(runs: Sequence[Run], truth: np.ndarray[Any, Any]) -> list[int]:
    """The examples that all runs of a model get wrong, most confident first."""
    given = np.mean([run.predictions["truth_probability"] for run in runs], axis=0)
    right = np.array([np.asarray(run.predictions["predicted"]) == truth for run in runs])
    always = np.flatnonzero(~right.any(axis=0))
    most_confident = always[np.argsort(given[always], kind="stable")][:_WRONG_SHOWN]
    return [int(index) for index in most_confident]


def _excerpt(text: str) -> str:
    """Beginning and end of a text in one line: the conclusion of a review is at its end."""
    line = " ".join(re.sub(r"<br\s*/?>", " ", text).split())
    if len(line) <= _EXCERPT:
        return line
    start, end = line[: 2 * _EXCERPT // 3], line[-_EXCERPT // 3 :]
    # cut between words, unless there are none
    return f"{start.rpartition(' ')[0] or start} [...] {end.partition(' ')[2] or end}"
