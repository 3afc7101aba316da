"""How far an exported model is from the trained network, and when it is handed out: the same for every target."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import ConversionError

__all__ = ["LIMIT", "Check", "refuse_gaps", "relative_gap"]

LIMIT = 1e-5
"""Greatest gap at which a model is handed out."""

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Check:
    """What was compared and how far it differs.

    Attributes:
        examples: how many.
        shortest, longest: their steps; None where all have the same number.
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
