"""What a network writes for an input, word by word: how sure it is of each, what it looked at, and what counted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import DataError
from gatewise.inspection.reasons import Reasons, reasons
from gatewise.training.reader import Reader, ReadInput

__all__ = ["Writing", "writing"]

Array = npt.NDArray[np.float64]
_FOLLOWING = 5


@dataclass(frozen=True, eq=False)
class Writing:
    """A written sequence of W steps, such as a translation, beside the T steps of what was read.

    Attributes:
        labels: of what was written.
        chances: (W,) the probability of each, those before it being given.
        reasons: of each, for the log-odds of the word as it was written.
        attention: (W, T), each row summing to 1; None: the network has no attention.
        drafts: T texts: what it would write if the input ended after each step.
        following: for each, the likeliest words at its place with their probabilities, falling.
    """

    labels: tuple[str, ...]
    chances: Array
    reasons: tuple[Reasons, ...]
    attention: Array | None
    drafts: tuple[str, ...]
    following: tuple[tuple[tuple[str, float], ...], ...] = ()

    @property
    def table(self) -> Array:
        """(W, T) reasons of each written step."""
        return np.stack([each.per_step for each in self.reasons])

    @property
    def completeness_error(self) -> float:
        """The largest of all."""
        return max(each.completeness_error for each in self.reasons)

    @property
    def agreement(self) -> float | None:
        """How often attention and reasons name the same step first: the share of the written steps with reasons."""
        if self.attention is None or not self.table.any():
            return None
        found = self.table.any(axis=1)
        return float((self.attention.argmax(axis=1) == self.table.argmax(axis=1))[found].mean())

    def record(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "steps": list(self.labels),
            "chances": [round(float(each), 6) for each in self.chances],
            "reasons": np.round(self.table, 5).tolist(),
            "completeness_error": self.completeness_error,
            "attention": None if self.attention is None else np.round(self.attention, 4).tolist(),
            "same_step_first": self.agreement,
            "drafts": list(self.drafts),
            "names": [each.target for each in self.reasons],
            "following": [[[name, round(chance, 6)] for name, chance in each] for each in self.following],
        }


def writing(
    reader: Reader,
    read_input: ReadInput,
    *,
    method: str = "integrated-gradients",
    stop: Callable[[], bool] | None = None,
) -> Writing:
    """Explain every step of what a network writes for an input.

    Args:
        reader: of a network that writes.
        read_input: what it read.
        method: of the reasons, see `gatewise.inspection.reasons.reasons`.
        stop: looked at between computations.

    Raises:
        DataError: the network writes nothing.
        Stopped: ``stop`` said so.

    Example:
        >>> from gatewise.training import load_run
        >>> reader = load_run("runs/multi30k-gru").reader()                           # doctest: +SKIP
        >>> found = writing(reader, reader.parse("A dog runs."))                      # doctest: +SKIP
        >>> found.labels, found.table.shape                                           # doctest: +SKIP
        (('Ein', 'Hund', 'rennt', '.', '∎'), (5, 5))
    """
    if not read_input.written:
        raise DataError("this network writes nothing", expected="one that writes a sequence of its own")
    each = tuple(
        reasons(reader, replace(read_input, place=place), method=method, with_removal=False, stop=stop)
        for place in range(len(read_input.written))
    )
    odds = np.array([one.score_at_input for one in each])
    return Writing(
        tuple(step.label for step in read_input.written),
        1.0 / (1.0 + np.exp(-odds)),
        each,
        reader.attention(read_input),
        reader.drafts(read_input),
        _likeliest(reader, read_input),
    )


def _likeliest(reader: Reader, read_input: ReadInput) -> tuple[tuple[tuple[str, float], ...], ...]:
    chances = reader.following(read_input)
    if chances is None:
        return ()
    order = np.argsort(-chances, axis=1, kind="stable")[:, :_FOLLOWING]
    return tuple(
        tuple((reader.names[place], float(chances[row, place])) for place in places) for row, places in enumerate(order)
    )
