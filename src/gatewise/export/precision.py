"""What a precision below float32 costs: the change in the test figure, and when that is too much. Imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gatewise.errors import ConversionError
from gatewise.export.gaps import relative_gap
from gatewise.export.graph import Example
from gatewise.export.graph.expressions import Array
from gatewise.statistics import paired_difference
from gatewise.statistics.measure import Measure
from gatewise.words import count

__all__ = [
    "MOST_LOSS",
    "NOTABLE_LOSS",
    "Change",
    "Material",
    "Rounding",
    "change_of",
    "changed",
    "output_gap",
    "refuse_loss",
]

MOST_LOSS = 0.05
"""An export that loses more than this share of the test figure is refused unless asked for."""
NOTABLE_LOSS = 0.01
"""From this share on it is said that it is much."""

Outputs = Sequence[Mapping[str, Array]]


@dataclass(frozen=True)
class Material:
    """What an export in another precision is made and judged with.

    Attributes:
        training: inputs of the training part, to calibrate with.
        examples: test examples with the trained network's outputs, for the figure; empty: there is no figure.
        scores: from outputs for all ``examples`` to contributions and what they contribute to.
        most_loss: greatest share of the figure that may be lost.
        name: of the precision: ``int8``, ``fp16``.
    """

    name: str
    training: Sequence[Mapping[str, Any]] = ()
    examples: Sequence[Example] = ()
    scores: Callable[[Outputs], tuple[Any, Measure] | None] | None = None
    most_loss: float = MOST_LOSS


@dataclass(frozen=True)
class Change:
    """The test figure before and after.

    Attributes:
        figure, title: as of `gatewise.statistics.Measure`.
        percent: a fraction that is shown times 100.
        percent_sign: whether with the sign %.
        before, after: the figure of the trained network, and of what was exported.
        change, low, high: after less before with its 95 % interval, paired over the test examples.
        loss: the share of the figure that is lost; below 0 it is gained.
        examples: test examples.
        method: of the interval.
    """

    figure: str
    title: str
    percent: bool
    before: float
    after: float
    change: float
    low: float
    high: float
    loss: float
    examples: int
    method: str
    percent_sign: bool = True

    def to_dict(self) -> dict[str, Any]:
        """A dictionary, ready for JSON."""
        return {**asdict(self), "loss": self.loss if np.isfinite(self.loss) else None}


@dataclass(frozen=True)
class Rounding:
    """What a precision below float32 costs.

    Attributes:
        precision: its name.
        change: in the test figure; None: there is none.
        gap: greatest difference of outputs from the trained network's; None: unknown, nothing was run.
        mixed: by recurrent stack that computes between its products in float32, the reason: an operation.
    """

    precision: str
    change: Change | None
    gap: float | None
    mixed: Mapping[str, str]

    def to_dict(self) -> dict[str, Any]:
        """A dictionary, ready for JSON."""
        change = None if self.change is None else self.change.to_dict()
        return {"precision": self.precision, "figure": change, "gap": self.gap, "mixed": dict(self.mixed)}


def change_of(material: Material, outputs: Outputs) -> Change | None:
    """The change from the trained network's outputs to these; None where there is no figure.

    Args:
        material: with the trained network's outputs.
        outputs: for the same examples.
    """
    if material.scores is None or not material.examples:
        return None
    first, second = material.scores([each.outputs for each in material.examples]), material.scores(outputs)
    if first is None or second is None:
        return None
    measure = first[1]
    found = paired_difference(second[0], first[0], np.random.default_rng(0), measure=measure)
    before, after = measure.of(first[0]), measure.of(second[0])
    worse = before - after if measure.higher_is_better else after - before
    loss = worse / abs(before) if before else 0.0 if worse <= 0 else np.inf
    return Change(
        measure.name,
        measure.title,
        measure.percent,
        before,
        after,
        found.interval.estimate,
        found.interval.low,
        found.interval.high,
        float(loss),
        len(material.examples),
        found.method,
        measure.percent_sign,
    )


def output_gap(outputs: Outputs, examples: Sequence[Example]) -> float:
    """The greatest difference of numbers from the trained network's, as a share of the greatest one; tags left out."""
    names = [name for name, value in examples[0].outputs.items() if np.issubdtype(np.asarray(value).dtype, np.floating)]
    gaps = [relative_gap([r[name] for r in outputs], [e.outputs[name] for e in examples]) for name in names]
    return max(gaps, default=0.0)


def refuse_loss(change: Change | None, material: Material) -> None:
    """Refuse what loses too much.

    Raises:
        ConversionError: more than ``most_loss`` of the figure is lost.
    """
    if change is None or change.loss <= material.most_loss:
        return
    raise ConversionError(
        f"--precision {material.name} loses {100 * change.loss:.1f} % of the test figure; nothing was written",
        expected=f"at most {100 * material.most_loss:g} % ({change.title} {change.before:.4g})",
        got=f"{change.title} {change.after:.4g} on {change.examples} test examples",
        fix="export without --precision, train a wider network, or allow it with --max-loss",
    )


def changed(change: Change) -> str:
    """A sentence on what the test figure became."""
    times, unit = (100, " %" if change.percent_sign else "") if change.percent else (1, "")
    before, after, low, high = (times * each for each in (change.before, change.after, change.low, change.high))
    return (
        f"Test figure ({change.title}) on {count(change.examples)} examples: {before:.4g}{unit} in float32, "
        f"{after:.4g}{unit} now; change {times * change.change:+.2g} (95 % interval {low:+.2g} to {high:+.2g})."
    )
