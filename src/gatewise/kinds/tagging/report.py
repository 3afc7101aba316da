"""What the report of a comparison of taggers shows besides: F1 by type, mistakes, sentences with their spans."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup

from gatewise import words
from gatewise.drawing.examples import most_frequent, most_misleading
from gatewise.drawing.page import FigureWords, Page
from gatewise.drawing.templates import render
from gatewise.kinds.tagging.schemes import SCHEMES, spans
from gatewise.record import Comparison, ModelEntry, damaged_part, part_from, part_of, placed_runs

__all__ = ["check", "figures", "sections"]

_MISTAKES = 12
_SENTENCES, _FIRST = 24, 6
_BORDERS = {"other": "other borders", "missed": "missed", "invented": "nothing there"}
Marked = list[tuple[str, str | None, bool]]


@dataclass(frozen=True)
class _Data:
    scheme: str = "plain"
    types: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Type:
    """Figures of one type of span."""

    f1: float
    precision: float
    recall: float
    true: int
    predicted: int


@dataclass(frozen=True)
class _Mistake:
    """What was answered for what, and how often; None: nothing there. ``borders``: same, other, missed, invented."""

    truth: str | None
    answer: str | None
    borders: str
    count: int


@dataclass(frozen=True)
class _Test:
    types: Mapping[str, _Type] = field(default_factory=dict)
    mistakes: tuple[_Mistake, ...] = ()


@dataclass(frozen=True)
class _Predictions:
    """Tags of the first test sentences."""

    answers: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class _Sentence:
    words: tuple[str, ...]
    tags: tuple[str, ...]


@dataclass(frozen=True)
class _Details:
    sentences: tuple[_Sentence, ...] = ()


def figures(comparison: Comparison | None) -> Mapping[str, FigureWords]:
    """The words for the figures of taggers."""
    return {
        "span_f1": FigureWords(
            "span F1", percent=True, meaning="F1 of spans; a span counts where borders and type are right"
        ),
        "accuracy": FigureWords("tag accuracy", percent=True),
        "precision": FigureWords("precision", percent=True),
        "recall": FigureWords("recall", percent=True),
    }


def check(comparison: Comparison, place: object) -> None:
    """Refuse a record whose part of this kind is damaged.

    Raises:
        RunError: naming the part.
    """
    data = part_from(comparison.data.details, _Data, place=place, at="data.details")
    if data.scheme not in SCHEMES:
        raise damaged_part(place, "data.details.scheme", ", ".join(SCHEMES))
    details = part_from(comparison.details, _Details, place=place, at="details")
    for number, sentence in enumerate(details.sentences):
        if len(sentence.words) != len(sentence.tags):
            raise damaged_part(place, f"details.sentences[{number}]", "a tag for each word")
    lengths = [len(sentence.words) for sentence in details.sentences]
    for at, run in placed_runs(comparison):
        part_from(run.test, _Test, place=place, at=f"{at}.test")
        kept = part_from(run.predictions, _Predictions, place=place, at=f"{at}.predictions")
        if lengths and [len(row) for row in kept.answers] != lengths:
            raise damaged_part(place, f"{at}.predictions.answers", "the tags of each recorded sentence")


def sections(page: Page) -> Sequence[Markup]:
    """F1 by type, what gets mistaken for what, and sentences as they were marked."""
    data = part_from(page.comparison.data.details, _Data, place="the record", at="data.details")
    tests = {model.name: [part_of(run, "test", _Test) for run in model.runs] for model in page.models}
    sentences = _sentences(page, data.scheme)
    mistakes = [(model, _mistakes(tests[model.name])) for model in page.models]
    counted = any(test.mistakes for found in tests.values() for test in found)
    values = {
        "page": page,
        "types": _types(data, tests),
        "mistakes": [(model, rows) for model, rows in mistakes if rows],
        "flawless": words.join([model.title for model, rows in mistakes if not rows and counted] or [""]),
        "first": sentences[:_FIRST],
        "others": sentences[_FIRST:],
    }
    return [render(Path(__file__).parent, "section.html", **values)]


def _types(data: _Data, tests: Mapping[str, Sequence[_Test]]) -> dict[str, Any] | None:
    """F1 of each type, the mean over seeds; None where the tags mark no spans."""
    if data.scheme == "plain" or not data.types:
        return None
    rows = []
    for name, found in tests.items():
        cells = []
        for kind in data.types:
            scores = [test.types[kind].f1 for test in found if kind in test.types]
            cells.append(words.percent(sum(scores) / len(scores)) if scores else "–")
        rows.append((name, cells))
    first = next((test for found in tests.values() for test in found), None)
    counts = [first.types[kind].true if first is not None and kind in first.types else 0 for kind in data.types]
    rows.append(("spans in the test part", [f"{count:,}" for count in counts]))
    return {"heads": [(name, False) for name in data.types], "rows": rows}


def _mistakes(tests: Sequence[_Test]) -> list[tuple[str, str, str, int]]:
    """The most frequent mistakes over all seeds: truth, answer, how they part, times."""
    counted = (((each.truth, each.answer, each.borders), each.count) for test in tests for each in test.mistakes)
    return [
        (truth or "–", answer or "–", _BORDERS.get(borders, "same borders"), count)
        for (truth, answer, borders), count in most_frequent(counted, _MISTAKES)
    ]


def _sentences(page: Page, scheme: str) -> list[Mapping[str, Any]]:
    """Sentences with the true marks and those of every model; what most models get wrong comes first."""
    details = part_from(page.comparison.details, _Details, place="the record", at="details")
    kept = [(model, part_of(model.runs[0], "predictions", _Predictions).answers) for model in page.models]
    shown = [
        {
            "truth": _marked(sentence.words, sentence.tags, None, scheme),
            "answers": [
                _answer(page, model, sentence, rows[number], scheme) for model, rows in kept if number < len(rows)
            ],
        }
        for number, sentence in enumerate(details.sentences)
    ]
    return most_misleading(shown, _SENTENCES)


def _answer(page: Page, model: ModelEntry, sentence: _Sentence, tags: Sequence[str], scheme: str) -> dict[str, Any]:
    right = tuple(tags) == sentence.tags
    marked = _marked(sentence.words, tags, sentence.tags, scheme)
    return {"title": model.title, "style": page.styles[model.name], "right": right, "marked": marked}


def _marked(sentence: Sequence[str], tags: Sequence[str], truth: Sequence[str] | None, scheme: str) -> Marked:
    """The sentence in pieces: words, the type of the span that they are or None, and whether that is right."""
    if scheme == "plain":
        right = [True] * len(tags) if truth is None else [one == two for one, two in zip(tags, truth, strict=True)]
        return [(word, tag, fine) for word, tag, fine in zip(sentence, tags, right, strict=True)]
    found = spans(tags, scheme)
    known = None if truth is None else set(spans(truth, scheme))
    pieces: Marked = []
    end = 0
    for span in sorted(found):
        pieces += [(word, None, True) for word in sentence[end : span.start]]
        pieces.append((" ".join(sentence[span.start : span.end]), span.type, known is None or span in known))
        end = span.end
    return pieces + [(word, None, True) for word in sentence[end:]]
