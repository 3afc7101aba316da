"""What the report of a comparison of translators shows besides: all figures, sentences, and attention maps."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from gatewise import words
from gatewise.drawing.page import FigureWords, Page
from gatewise.drawing.templates import render
from gatewise.record import Comparison, damaged_part, part_from, part_of, placed_runs

__all__ = ["check", "figures", "sections"]

_SENTENCES, _FIRST = 24, 5
_MAPS = 3


@dataclass(frozen=True)
class _Sentence:
    source: str
    reference: str


@dataclass(frozen=True)
class _Details:
    sentences: tuple[_Sentence, ...] = ()


@dataclass(frozen=True)
class _Predictions:
    """Translations of the first test sentences."""

    translations: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Map:
    """How the pieces of a translation looked at those of its sentence: a row of weights for each piece."""

    sentence: int
    source: tuple[str, ...]
    target: tuple[str, ...]
    weights: tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class _Shown:
    """What a network shows besides figures."""

    maps: tuple[_Map, ...] = ()


def figures(comparison: Comparison | None) -> Mapping[str, FigureWords]:
    """The words for the figures of translators."""
    return {
        "bleu": FigureWords(
            "BLEU",
            percent=True,
            percent_sign=False,
            meaning="cased, 13a tokenisation, four orders, exponential smoothing",
        ),
        "lowercased_bleu": FigureWords("BLEU, lowercased", percent=True, percent_sign=False),
        "chrf": FigureWords("chrF", percent=True, percent_sign=False, meaning="F2 of character n-grams up to six"),
        "length_ratio": FigureWords(
            "length / reference", meaning="words of the translations over those of the references"
        ),
        "exact": FigureWords("as the reference", percent=True),
    }


def check(comparison: Comparison, place: object) -> None:
    """Refuse a record whose part of this kind is damaged.

    Raises:
        RunError: naming the part.
    """
    details = part_from(comparison.details, _Details, place=place, at="details")
    for at, run in placed_runs(comparison):
        kept = part_from(run.predictions, _Predictions, place=place, at=f"{at}.predictions")
        if details.sentences and len(kept.translations) != len(details.sentences):
            raise damaged_part(place, f"{at}.predictions.translations", "one of each recorded sentence")
        shown = part_from(run.details, _Shown, place=place, at=f"{at}.details")
        for each, found in enumerate(shown.maps):
            rows = len(found.weights) == len(found.target)
            values = all(
                len(row) == len(found.source) and all(math.isfinite(value) for value in row) for row in found.weights
            )
            if not rows or not values or not 0 <= found.sentence < max(1, len(details.sentences)):
                raise damaged_part(place, f"{at}.details.maps[{each}]", "weights (T, S) of a recorded sentence")


def sections(page: Page) -> Sequence[Markup]:
    """Sentences as they were translated, and where the networks looked."""
    sentences = _sentences(page)
    values = {
        "page": page,
        "first": sentences[:_FIRST],
        "others": sentences[_FIRST:],
        "maps": _maps(page),
    }
    return [render(Path(__file__).parent, "section.html", **values)]


def _sentences(page: Page) -> list[dict[str, Any]]:
    """Spread over the recorded sentences, with the translation of every model's first seed."""
    details = part_from(page.comparison.details, _Details, place="the record", at="details")
    kept = [(model, part_of(model.runs[0], "predictions", _Predictions).translations) for model in page.models]
    step = max(1, len(details.sentences) // _SENTENCES)
    found = []
    for number in range(0, len(details.sentences), step)[:_SENTENCES]:
        sentence = details.sentences[number]
        answers = [
            {
                "title": model.title,
                "style": page.styles[model.name],
                "text": rows[number] or "(nothing)",
                "right": rows[number] == sentence.reference,
            }
            for model, rows in kept
            if number < len(rows)
        ]
        found.append({"source": sentence.source, "reference": sentence.reference, "answers": answers})
    return found


def _maps(page: Page) -> list[dict[str, Any]]:
    """The attention maps of each model's first seed, cells as whole percents."""
    found = []
    for model in page.models:
        maps = part_of(model.runs[0], "details", _Shown).maps[:_MAPS]
        if not maps:
            continue
        pictures = [
            {
                "source": [piece.strip() for piece in each.source],
                "rows": [
                    (piece.strip(), [(round(100 * weight), words.percent(weight)) for weight in row])
                    for piece, row in zip(each.target, each.weights, strict=True)
                ],
            }
            for each in maps
        ]
        found.append({"title": model.title, "style": page.styles[model.name], "pictures": pictures})
    return found
