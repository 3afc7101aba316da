"""What the report of a comparison of language models shows besides: samples of text, and what surprises a model."""

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
from gatewise.record import Comparison, ModelEntry, part_from

__all__ = ["check", "figures", "sections"]

_NEXT = 8


@dataclass(frozen=True)
class _Sample:
    prompt: str
    text: str


@dataclass(frozen=True)
class _Likely:
    token: str
    probability: float


@dataclass(frozen=True)
class _Next:
    """The likeliest tokens after a prompt."""

    prompt: str = ""
    tokens: tuple[_Likely, ...] = ()


@dataclass(frozen=True)
class _Details:
    """What a network shows besides figures."""

    samples: tuple[_Sample, ...] = ()
    next_tokens: _Next = _Next()


@dataclass(frozen=True)
class _Predictions:
    """The first tokens of the test part, and -ln p of each."""

    tokens: tuple[str, ...] = ()
    nats: tuple[float, ...] = ()


@dataclass(frozen=True)
class _Data:
    tokenisation: str | None = None


def figures(comparison: Comparison | None) -> Mapping[str, FigureWords]:
    """The words for the figures of language models; a character model's tokens are characters."""
    if comparison is None:
        return {}
    data = part_from(comparison.data.details, _Data, place="the record", at="data.details")
    unit = "character" if data.tokenisation == "character" else "token"
    return {"bits_per_token": FigureWords(f"bits per {unit}")}


def check(comparison: Comparison, place: object) -> None:
    """Refuse a record whose part of this kind is damaged.

    Raises:
        RunError: naming the part.
    """
    part_from(comparison.data.details, _Data, place=place, at="data.details")
    for number, model in enumerate(comparison.models):
        part_from(model.details, _Details, place=place, at=f"models[{number}].details")
        for seed, run in enumerate(model.runs):
            part_from(run.predictions, _Predictions, place=place, at=f"models[{number}].runs[{seed}].predictions")


def sections(page: Page) -> Sequence[Markup]:
    """What the models write, and what surprises the best of them."""
    values = {"page": page, "samples": _samples(page.models), "surprise": _surprise(page)}
    return [render(Path(__file__).parent, "section.html", **values)]


def _samples(models: Sequence[ModelEntry]) -> list[dict[str, Any]]:
    """What each model writes: its samples, and the likeliest words after a prompt."""
    found = []
    for model in models:
        details = part_from(model.details, _Details, place="the record", at=f"{model.name}.details")
        if details.samples:
            likeliest = [(each.token, words.percent(each.probability)) for each in details.next_tokens.tokens[:_NEXT]]
            found.append(
                {
                    "name": model.name,
                    "samples": details.samples,
                    "prompt": details.next_tokens.prompt,
                    "next": likeliest,
                }
            )
    return found


def _surprise(page: Page) -> dict[str, Any] | None:
    """The first test tokens as the best model read them, each with how much it surprised, 0 to 100.

    100 stands for 10 nats and more: a token held for less likely than 1 in 22,000.
    """
    for model in page.models:
        kept = part_from(model.runs[0].predictions, _Predictions, place="the record", at=f"{model.name}.predictions")
        if not model.is_baseline and kept.nats:
            pairs = zip(kept.tokens, kept.nats, strict=False)
            tokens = [(token, round(min(100.0, 10 * nats)), words.percent(math.exp(-nats))) for token, nats in pairs]
            return {"title": model.title, "style": page.styles[model.name], "tokens": tokens}
    return None
