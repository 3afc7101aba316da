"""How far an exported model is from the trained network, and when it is handed out: the same for every target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import ConversionError
from gatewise.export.graph.graph import Graph
from gatewise.export.graph.nodes import Viterbi

__all__ = ["LIMIT", "Check", "compared", "refuse_gaps", "relative_gap"]

LIMIT = 1e-5
"""Greatest gap at which a model is handed out."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Check:
    """What was compared and how far it differs.

    Attributes:
        examples: how many.
        shortest, longest: their steps; None where the examples are no sequences.
        gaps: greatest gap by what was compared with what.
        limit: greatest gap at which it is handed out.
        differing_tags: examples of which the tags differ where two sequences of tags have the same score.
    """

    examples: int
    shortest: int | None
    longest: int | None
    gaps: Mapping[str, float]
    differing_tags: int = 0
    limit: float = LIMIT

    @property
    def greatest(self) -> float:
        """Of all gaps."""
        return max(self.gaps.values())

    def to_dict(self) -> dict[str, Any]:
        """A dictionary, ready for JSON."""
        return {
            "examples": self.examples,
            "shortest": self.shortest,
            "longest": self.longest,
            "gaps": dict(self.gaps),
            "greatest": self.greatest,
            "limit": self.limit,
            "differing_tags": self.differing_tags,
        }


def relative_gap(found: Sequence[Array], expected: Sequence[Array]) -> float:
    """The greatest difference of any number, as a share of the greatest number expected.

    Example:
        >>> relative_gap([np.array([1.0, 200.002])], [np.array([1.0, 200.0])])
        1.0000000000...e-05
    """
    if any(each.shape != other.shape for each, other in zip(found, expected, strict=True)):
        return np.inf
    differences = [np.abs(each - other).max(initial=0.0) for each, other in zip(found, expected, strict=True)]
    greatest = max(np.abs(each).max(initial=0.0) for each in expected)
    gap = float(max(differences) / greatest) if greatest > 0 else float(max(differences))
    return np.inf if np.isnan(gap) else gap


Rows = Sequence[Mapping[str, Array]]
"""Outputs of examples by name."""


def compared(graph: Graph, precise: Rows, found: Rows, expected: Rows) -> tuple[float, int]:
    """The greatest gap of all outputs, of tags that of their scores; and in how many examples the tags differ.

    Args:
        graph: whose outputs they are.
        precise: the outputs of the same examples in float64, by which tags are scored.
        found, expected: what is compared.
    """
    gap, differing = 0.0, 0
    for name, value in graph.outputs.items():
        node = graph.values[value]
        if not isinstance(node, Viterbi):
            gap = max(gap, relative_gap([row[name] for row in found], [row[name] for row in expected]))
            continue
        scores = next((other for other, given in graph.outputs.items() if given == node.source), None)
        for true, one, two in zip(precise, found, expected, strict=True):
            tags, others = one[name], two[name]
            if np.array_equal(tags, others):
                continue
            differing += 1
            if scores is None or tags.shape != others.shape:
                return np.inf, differing
            first, second = (_path_score(graph, node, true[scores], each) for each in (tags, others))
            between = abs(first - second) / max(abs(second), 1.0)
            gap = max(gap, between if np.isfinite(between) else np.inf)
    return gap, differing


def _path_score(graph: Graph, node: Viterbi, scores: Array, tags: Array) -> float:
    moves, start, end = (graph.weights[name].astype(np.float64) for name in (node.transitions, node.start, node.end))
    total = start[tags[0]] + end[tags[-1]] + moves[tags[:-1], tags[1:]].sum()
    return float(total + scores[np.arange(len(tags)), tags].sum())


def refuse_gaps(check: Check) -> None:
    """Refuse to hand out what computes something else.

    Raises:
        ConversionError: a gap is over the limit.
    """
    if not check.greatest <= check.limit:
        name = max(check.gaps, key=lambda each: check.gaps[each])
        raise ConversionError(
            f"the exported model differs from the trained network ({name}); nothing was written",
            expected=f"at most {check.limit:g} of the greatest number",
            got="; ".join(f"{each}: {gap:.1e}" for each, gap in check.gaps.items()),
            fix="please report it, with the command that trained the network",
        )
