"""What the report of a comparison of captioners shows besides: all figures, pictures with captions, attention maps."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from gatewise import words
from gatewise.drawing.page import FigureWords, Page
from gatewise.drawing.templates import render
from gatewise.errors import RunError
from gatewise.record import Comparison, Run, part_from

__all__ = ["check", "figures", "sections"]

_FIRST = 6
_MAPS = 3
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True)
class _Picture:
    name: str
    png: str
    captions: tuple[str, ...]


@dataclass(frozen=True)
class _Details:
    pictures: tuple[_Picture, ...] = ()
    drawn: bool = False
    checked: bool = False


@dataclass(frozen=True)
class _Predictions:
    """Captions of the first test pictures."""

    captions: tuple[str, ...] = ()
    right: tuple[bool, ...] = ()


@dataclass(frozen=True)
class _Map:
    """How the words of a caption looked at its picture: for each a square of weights in thousandths."""

    picture: int
    words: tuple[str, ...]
    weights: tuple[tuple[tuple[int, ...], ...], ...]


@dataclass(frozen=True)
class _Shown:
    """What a network shows besides figures."""

    maps: tuple[_Map, ...] = ()


def figures(comparison: Comparison | None) -> Mapping[str, FigureWords]:
    """The words for the figures of captioners."""
    return {
        "truth": FigureWords("true captions", percent=True, meaning="parsed, and checked against the scene"),
        "exact": FigureWords("exact match", percent=True, meaning="word for word one of the picture's captions"),
        "bleu": FigureWords(
            "BLEU-4", percent=True, percent_sign=False, meaning="cased, 13a tokenisation, exponential smoothing"
        ),
        "chrf": FigureWords("chrF", percent=True, percent_sign=False, meaning="F2 of character n-grams up to six"),
        "different": FigureWords("different captions", percent=True, meaning="different captions over pictures"),
    }


def check(comparison: Comparison, place: object) -> None:
    """Refuse a record whose part of this kind is damaged.

    Raises:
        RunError: naming the part.
    """
    details = part_from(comparison.details, _Details, place=place, at="details")
    for number, picture in enumerate(details.pictures):
        if not _BASE64.fullmatch(picture.png):
            raise _damaged(place, f"details.pictures[{number}].png", "a picture in base 64")
    for number, model in enumerate(comparison.models):
        for seed, run in enumerate(model.runs):
            at = f"models[{number}].runs[{seed}]"
            kept = part_from(run.predictions, _Predictions, place=place, at=f"{at}.predictions")
            if not len(details.pictures) <= len(kept.captions) == len(kept.right):
                raise _damaged(place, f"{at}.predictions.captions", "one of each recorded picture")
            shown = part_from(run.details, _Shown, place=place, at=f"{at}.details")
            for each, found in enumerate(shown.maps):
                sides = {len(rows) for rows in found.weights} | {len(row) for rows in found.weights for row in rows}
                if (
                    len(found.weights) != len(found.words)
                    or len(sides) != 1
                    or not 0 <= found.picture < len(details.pictures)
                ):
                    raise _damaged(place, f"{at}.details.maps[{each}]", "a square of weights of each word")


def sections(page: Page) -> Sequence[Markup]:
    """Pictures with their captions, and where the networks looked."""
    details = part_from(page.comparison.details, _Details, place="the record", at="details")
    cards = _cards(page, details)
    values: dict[str, Any] = {
        "page": page,
        "first": cards[:_FIRST],
        "others": cards[_FIRST:],
        "maps": _maps(page),
        "details": details,
    }
    used = sorted({picture["place"] for model in values["maps"] for picture in model["pictures"]})
    values["looked"] = [(place, details.pictures[place].png) for place in used]
    return [render(Path(__file__).parent, "section.html", **values)]


def _damaged(place: object, at: str, expected: str) -> RunError:
    return RunError(
        f"{place} is damaged: {at} cannot be read",
        expected=expected,
        fix="run the same `gatewise compare` again; finished runs are reused",
    )


def _part(run: Run, name: str, wanted: Any) -> Any:
    return part_from(getattr(run, name), wanted, place="the record", at=f"{run.name}.{name}")


def _cards(page: Page, details: _Details) -> list[dict[str, Any]]:
    """The recorded pictures, with the caption of every model's first seed."""
    kept = [(model, _part(model.runs[0], "predictions", _Predictions)) for model in page.models]
    return [
        {
            "picture": picture,
            "answers": [
                {
                    "title": model.title,
                    "style": page.styles[model.name],
                    "text": rows.captions[number] or "(nothing)",
                    "right": rows.right[number],
                }
                for model, rows in kept
            ],
        }
        for number, picture in enumerate(details.pictures)
    ]


def _maps(page: Page) -> list[dict[str, Any]]:
    """Where each model's first seed looked: for each word the places of the picture, lightest where it looked most."""
    found = []
    for model in page.models:
        maps = _part(model.runs[0], "details", _Shown).maps[:_MAPS]
        if not maps:
            continue
        pictures = []
        for each in maps:
            steps = []
            for word, weights in zip(each.words, each.weights, strict=True):
                most = max(1, max(max(row) for row in weights))
                veils = [
                    (column, row, round(0.82 * (1 - weight / most), 2))
                    for row, values in enumerate(weights)
                    for column, weight in enumerate(values)
                ]
                steps.append({"word": word, "veils": veils, "most": words.percent(most / 1000)})
            pictures.append({"place": each.picture, "scale": round(1 / len(each.weights[0]), 4), "steps": steps})
        found.append({"title": model.title, "style": page.styles[model.name], "pictures": pictures})
    return found
