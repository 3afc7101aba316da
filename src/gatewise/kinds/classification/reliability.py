"""The part of the report on calibration: a chart of confidence against right answers, and each model in a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from markupsafe import Markup

from gatewise import words
from gatewise.drawing.page import Page
from gatewise.drawing.svg import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis, axis_for, drawing, frame, marker
from gatewise.drawing.ticks import percent_words
from gatewise.kinds.classification.calibration import Bin, calibration_sentence
from gatewise.record import ModelEntry

__all__ = ["Calibration", "ReliabilityBin", "calibrations", "reliability_chart"]


@dataclass(frozen=True)
class ReliabilityBin:
    """Predictions of about the same confidence, as the record has them; see `Bin`."""

    confidence: float
    right: float
    count: int


class Calibration(NamedTuple):
    """One model's calibration, mean over seeds.

    Attributes:
        name: of the model.
        title: of the model.
        style: number of its colour and marker.
        bins: the least confident first.
        sentence: in words.
        figures: expected calibration error, Brier score and log loss as written.
    """

    name: str
    title: str
    style: int
    bins: list[Bin]
    sentence: str
    figures: tuple[str, str, str]


def calibrations(
    page: Page, kept: Mapping[str, Sequence[Sequence[ReliabilityBin]]], of: str = "answers"
) -> list[Calibration]:
    """The calibration of every model whose runs all keep it.

    Args:
        page: the comparison.
        kept: the bins of each run, by model.
        of: what is predicted.
    """
    found = []
    for model in page.models:
        runs = kept[model.name]
        if not runs or not all(runs) or len({len(run) for run in runs}) > 1:
            continue
        bins = [
            Bin(
                sum(each.confidence for each in column) / len(column),
                sum(each.right for each in column) / len(column),
                column[0].count,
            )
            for column in zip(*runs, strict=True)
        ]
        sentence = calibration_sentence(bins, what=page.titles[model.name], of=of)
        style = page.styles[model.name]
        found.append(Calibration(model.name, page.titles[model.name], style, bins, sentence, _figures(model)))
    return found


def _figures(model: ModelEntry) -> tuple[str, str, str]:
    error, brier, loss = (model.figures.get(name) for name in ("expected_calibration_error", "brier_score", "loss"))
    return (
        "–" if error is None else words.percent(error),
        "–" if brier is None else f"{brier:.4f}",
        "–" if loss is None else f"{loss:.4f}",
    )


def reliability_chart(found: Sequence[Calibration]) -> Markup:
    """Confidence along, share of right answers up; on the broken diagonal both are the same.

    Args:
        found: of the models.

    Example:
        >>> one = Calibration("gru", "GRU", 1, [Bin(0.6, 0.5, 20), Bin(0.9, 0.8, 20)], "", ("", "", ""))
        >>> "polyline" in reliability_chart([one])
        True
    """
    values = [value for each in found for one in each.bins for value in (one.confidence, one.right)]
    lowest = min(values)
    low = next(start for start in (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.2, 0.0) if start <= lowest)
    along = axis_for([low, 1.0], LEFT, WIDTH - RIGHT / 2, tight=True)
    down = axis_for([low, 1.0], HEIGHT - BOTTOM, TOP, tight=True)
    parts = [frame(down, along, percent_words, percent_words, "confidence")]
    parts.append(_line([(low, low), (1.0, 1.0)], along, down, "line truth-line"))
    for each in found:
        places = [(one.confidence, one.right) for one in each.bins]
        parts.append(_line(places, along, down, f"line s{each.style}"))
        parts += [marker(along(x), down(y), each.style) for x, y in places]
    return drawing("Share of right answers at each confidence", parts)


def _line(places: Sequence[tuple[float, float]], along: Axis, down: Axis, style: str) -> str:
    points = " ".join(f"{along(x):.1f},{down(y):.1f}" for x, y in places)
    return f'<polyline class="{style}" points="{points}"/>'
