"""What the report of a comparison of recognisers shows besides: speaker by speaker, mistakes, recordings as heard."""

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
from gatewise.kinds.speech.figures import align
from gatewise.kinds.speech.moments import TOGETHER
from gatewise.kinds.speech.spec import ANSWERS
from gatewise.record import Comparison, ModelEntry, damaged_part, part_from, part_of, placed_runs

__all__ = ["check", "figures", "notes", "sections"]

_MISTAKES = 12
_RECORDINGS, _FIRST = 24, 6
_SPEAKERS = 12


@dataclass(frozen=True)
class _Data:
    answers: str = "label"
    strings: int | None = None
    speakers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Speaker:
    figure: float
    recordings: int


@dataclass(frozen=True)
class _Mistake:
    """What was answered for what, and how often; None: nothing there."""

    truth: str | None
    answer: str | None
    count: int


@dataclass(frozen=True)
class _Test:
    speakers: Mapping[str, _Speaker] = field(default_factory=dict)
    mistakes: tuple[_Mistake, ...] = ()


@dataclass(frozen=True)
class _Predictions:
    """Texts of the first test recordings."""

    answers: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Recording:
    name: str
    text: str
    speaker: str | None = None


@dataclass(frozen=True)
class _Details:
    recordings: tuple[_Recording, ...] = ()


def figures(comparison: Comparison | None) -> Mapping[str, FigureWords]:
    """The words for the figures of recognisers."""
    return {
        "accuracy": FigureWords("accuracy", percent=True),
        "word_error_rate": FigureWords(
            "word error rate",
            percent=True,
            meaning="substituted, deleted and inserted words by the words that were said",
        ),
        "character_error_rate": FigureWords("character error rate", percent=True),
        "sentences_right": FigureWords("recordings without a mistake", percent=True),
    }


def check(comparison: Comparison, place: object) -> None:
    """Refuse a record whose part of this kind is damaged.

    Raises:
        RunError: naming the part.
    """
    data = part_from(comparison.data.details, _Data, place=place, at="data.details")
    if data.answers not in ANSWERS:
        raise damaged_part(place, "data.details.answers", ", ".join(ANSWERS))
    details = part_from(comparison.details, _Details, place=place, at="details")
    for at, run in placed_runs(comparison):
        part_from(run.test, _Test, place=place, at=f"{at}.test")
        kept = part_from(run.predictions, _Predictions, place=place, at=f"{at}.predictions")
        if details.recordings and len(kept.answers) != len(details.recordings):
            raise damaged_part(place, f"{at}.predictions.answers", "an answer to each recorded recording")


def notes(page: Page) -> Sequence[str]:
    """Whose voices the figures hold for, and whether the test part's recordings of one helped each other."""
    model: Mapping[str, Any] = page.comparison.plan["model"]
    together = model.get("normalisation") == "speaker" and "normalisation" not in page.comparison.models[0].settings
    return [_heard(page), *([f"{TOGETHER[0].upper()}{TOGETHER[1:]}."] if together and _tested(page) else [])]


def _tested(page: Page) -> set[str]:
    data = part_from(page.comparison.data.details, _Data, place="the record", at="data.details")
    return set(data.speakers.get("test", ()))


def _heard(page: Page) -> str:
    data = part_from(page.comparison.data.details, _Data, place="the record", at="data.details")
    tested, trained = (set(data.speakers.get(part, ())) for part in ("test", "train"))
    if not tested:
        return "The speakers are not known: some may be in the training and the test part."
    if tested & trained:
        return "Speakers of the test part are in the training part, too: voices that were never heard are harder."
    many = words.plural(len(tested), "speaker")
    return f"The test part is {many} who {'is' if many.startswith('1 ') else 'are'} not in the training part."


def sections(page: Page) -> Sequence[Markup]:
    """The figure of each speaker, what is mistaken for what, and recordings as they were heard."""
    data = part_from(page.comparison.data.details, _Data, place="the record", at="data.details")
    tests = {model.name: [part_of(run, "test", _Test) for run in model.runs] for model in page.models}
    mistakes = [(model, _mistakes(tests[model.name])) for model in page.models]
    recordings = _recordings(page)
    values = {
        "page": page,
        "speakers": _speakers(data, tests),
        "mistakes": [(model, rows) for model, rows in mistakes if rows],
        "flawless": words.join([model.title for model, rows in mistakes if not rows] or [""]),
        "first": recordings[:_FIRST],
        "others": recordings[_FIRST:],
    }
    return [render(Path(__file__).parent, "section.html", **values)]


def _speakers(data: _Data, tests: Mapping[str, Sequence[_Test]]) -> dict[str, Any] | None:
    """The figure of each test speaker, the mean over seeds; None for a single one."""
    names = data.speakers.get("test", ())[:_SPEAKERS]
    if len(names) < 2:
        return None
    rows = []
    for model, found in tests.items():
        cells = []
        for name in names:
            scores = [test.speakers[name].figure for test in found if name in test.speakers]
            cells.append(words.percent(sum(scores) / len(scores)) if scores else "–")
        rows.append((model, cells))
    first = next((test for found in tests.values() for test in found), _Test())
    counts = [f"{first.speakers[name].recordings:,}" if name in first.speakers else "–" for name in names]
    rows.append(("recordings", counts))
    title = {"label": "accuracy", "words": "word error rate", "characters": "character error rate"}[data.answers]
    return {"heads": [(name, False) for name in names], "rows": rows, "title": title}


def _mistakes(tests: Sequence[_Test]) -> list[tuple[str, str, int]]:
    """The most frequent mistakes over all seeds: truth, answer, times."""
    counted = (((each.truth, each.answer), each.count) for test in tests for each in test.mistakes)
    found = most_frequent(counted, _MISTAKES)
    return [(truth or "nothing", answer or "nothing", count) for (truth, answer), count in found]


def _recordings(page: Page) -> list[Mapping[str, Any]]:
    """Recordings with what every model heard; what most models get wrong comes first."""
    details = part_from(page.comparison.details, _Details, place="the record", at="details")
    kept = [(model, part_of(model.runs[0], "predictions", _Predictions).answers) for model in page.models]
    shown = [
        {
            "name": recording.name,
            "speaker": recording.speaker,
            "text": recording.text,
            "answers": [_answer(page, model, recording, rows[number]) for model, rows in kept if number < len(rows)],
        }
        for number, recording in enumerate(details.recordings)
    ]
    return most_misleading(shown, _RECORDINGS)


def _answer(page: Page, model: ModelEntry, recording: _Recording, text: str) -> dict[str, Any]:
    """The answer in words: each with whether it is right; a missing word is shown where it was said."""
    pieces = [
        (two if two is not None else f"({one})", one == two) for one, two in align(recording.text.split(), text.split())
    ]
    return {
        "title": model.title,
        "style": page.styles[model.name],
        "right": text == recording.text,
        "pieces": pieces,
    }
