"""The commands `predict` and `evaluate` of a recogniser."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from gatewise.screen import say
from gatewise.training.request import leave_with_unanswered

if TYPE_CHECKING:
    from pathlib import Path

    from gatewise.kinds.speech.exported import ExportedRecogniser, Heard
    from gatewise.kinds.speech.recordings import Columns, Recording
    from gatewise.kinds.speech.trained import TrainedRecogniser
    from gatewise.training.kind import Request

__all__ = ["evaluate", "predict"]

_NOT_HEARD = "–  (cannot be heard)"


def predict(recogniser: TrainedRecogniser | ExportedRecogniser, request: Request) -> None:
    """Write what is said in sound files, in the files of a folder, or in those that a table names.

    Where a file that was named has no answer, the exit code is 2 after those of the others.

    Raises:
        DataError: nothing can be heard. Of several files one that cannot be used is named, marked and has no answer; of
            a folder or table such ones are left out and named.
    """
    from gatewise import files, words

    places, notes = _places(recogniser, request)
    recordings = [each for _, each in places if each is not None]
    for note in [*notes, *_without_speaker(recogniser, recordings)]:
        say(f"Note: {note}", err=True)
    heard = iter(recogniser.recognise(recordings))
    by_label = not recogniser.units.by_ctc
    rows = [_record(name, None if each is None else next(heard), by_label) for name, each in places]
    as_json = request.as_json or (request.out is not None and request.out.suffix.lower() in (".jsonl", ".ndjson"))
    if request.out is None and not as_json:
        width = max(len(row["path"]) for row in rows)
        for row in rows:
            chance = f"  {100 * row['probability']:.1f} %" if row.get("probability") is not None else ""
            text = f"{_NOT_HEARD if row['text'] is None else row['text']}{chance}"
            typer.echo(f"{row['path']:<{width}}  {text}" if len(rows) > 1 else text)
        leave_with_unanswered(len(rows) - len(recordings))
        return
    lines = [json.dumps(row, ensure_ascii=False) for row in rows] if as_json else _table(rows)
    if request.out is None:
        typer.echo("\n".join(lines))
    else:
        files.write_text(request.out, "\n".join(lines) + "\n")
        say(f"{words.plural(len(recordings), 'recording')} heard in {request.out}", err=True)
    leave_with_unanswered(len(rows) - len(recordings))


def _without_speaker(recogniser: TrainedRecogniser | ExportedRecogniser, recordings: Sequence[Recording]) -> list[str]:
    """A note where the network expects frames that are normalised per speaker, and speakers are not known."""
    from gatewise import words

    count = sum(each.speaker is None for each in recordings)
    if recogniser.normaliser.kind != "speaker" or not count:
        return []
    return [
        f"the network is normalised per speaker, and of {words.plural(count, 'recording')} the speaker is not known: "
        "each is normalised by itself, which is less accurate; a table with a column of speakers is heard as trained"
    ]


def _record(name: str, heard: Heard | None, by_label: bool) -> dict[str, Any]:
    """An answer; None in place of what a file that cannot be used does not have."""
    found: dict[str, Any] = {"path": name, "text": None, "seconds": None}
    if by_label:
        found["probability"] = None
    if heard is not None:
        found |= {"text": heard.text, "seconds": round(heard.seconds, 3)}
        if by_label:
            found["probability"] = heard.probabilities[heard.text]
    return found


def _table(rows: Sequence[dict[str, Any]]) -> list[str]:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().splitlines()


def _places(
    recogniser: TrainedRecogniser | ExportedRecogniser, request: Request
) -> tuple[list[tuple[str, Recording | None]], list[str]]:
    """Names and recordings of all that was asked for, in order, and notes.

    Of several files that were named one by one those that cannot be used have None; of a folder or table they are left
    out and named.

    Raises:
        DataError: nothing can be heard.
    """
    from gatewise import words
    from gatewise.data.skips import no_answer
    from gatewise.errors import DataError
    from gatewise.kinds.speech.requests import sound_files

    found: list[tuple[str, Recording | None]] = []
    notes: list[str] = []
    errors: list[DataError] = []
    asked = sound_files(request)
    for place in asked:
        try:
            read, said = _recordings_of(recogniser, request, place)
        except DataError as error:
            if len(asked) == 1:
                raise
            errors.append(error)
            found.append((str(place), None))
            notes.append(no_answer(error))
            continue
        found += [(each.name, each) for each in read]
        notes += said
    if len(errors) == len(asked):
        first = errors[0]
        raise DataError(
            f"none of {words.plural(len(asked), 'file')} can be used; the first: {first.message}",
            expected=first.expected,
            got=first.got,
            fix=first.fix,
        ) from first
    return found, notes


def _recordings_of(
    recogniser: TrainedRecogniser | ExportedRecogniser, request: Request, place: Path
) -> tuple[list[Recording], list[str]]:
    """The recording of a sound file, or those of a folder or table."""
    from gatewise.data.rows import is_table
    from gatewise.errors import DataError
    from gatewise.kinds.speech.exported import check_heard
    from gatewise.kinds.speech.places import SUFFIXES, names_sound
    from gatewise.kinds.speech.recordings import Listed, Recording, list_recordings, read_recordings, store
    from gatewise.kinds.speech.sound import read_sound

    path, rate = place.expanduser(), recogniser.bank.rate
    if not (path.is_dir() or is_table(path)):
        sound = read_sound(path, str(place), rate)
        recording = Recording(str(place), "", None, store(sound.samples))
        check_heard([recording], recogniser.units, recogniser.bank)
        return [recording], [f"{place}: {note}" for note in sound.notes]
    if names_sound(path):
        listed, notes = list_recordings(path, _columns(recogniser, request), with_texts=False)
    else:
        sounds = sorted(each for each in path.iterdir() if each.suffix.lower() in SUFFIXES)
        listed, notes = [Listed(each.name, each, "-", None) for each in sounds], []
    if not listed:
        raise DataError(f"{place} holds no sound file", expected=", ".join(SUFFIXES), fix="name another folder")
    read, _, said = read_recordings(listed, rate)
    return read, [*notes, *said]


def _columns(recogniser: TrainedRecogniser | ExportedRecogniser, request: Request) -> Columns:
    """The columns that were named; of a table that has them, those that the network was trained on."""
    from gatewise.kinds.speech.recordings import Columns

    data: Any = recogniser.spec.data
    roles = ("sound", "text", "speaker")
    given = {role: request.settings.get(role) or getattr(data, role) for role in roles}
    return Columns(**given, or_usual=tuple(role for role in roles if not request.settings.get(role)))


def evaluate(recogniser: TrainedRecogniser, request: Request) -> None:
    """Print the figures on a folder or table of recordings with transcripts.

    Raises:
        DataError: the recordings cannot be used.
    """
    from gatewise import words
    from gatewise.kinds.speech.moments import TOGETHER
    from gatewise.kinds.speech.recordings import list_recordings, read_recordings
    from gatewise.kinds.speech.scoring import evaluation

    assert request.file is not None
    listed, notes = list_recordings(request.file.expanduser(), _columns(recogniser, request))
    part, _, noted = read_recordings(listed, recogniser.bank.rate)
    answers = recogniser.predict(part)
    found = evaluation(recogniser.units.answers, part, answers).metrics
    overlap = None if recogniser.seen is None else recogniser.seen.overlap([[each.digest] for each in part])
    together = recogniser.normaliser.kind == "speaker" and any(each.speaker is not None for each in part)
    notes = [*notes, *noted, *_without_speaker(recogniser, part), *([TOGETHER] if together else [])]
    if request.as_json:
        seen = (
            None
            if overlap is None
            else {"in_training": int(overlap.training.sum()), "in_validation": int(overlap.validation.sum())}
        )
        typer.echo(json.dumps({**found, "recordings": len(part), "notes": notes, "seen": seen}, ensure_ascii=False))
        return
    for note in notes:
        say(f"Note: {note}", err=True)
    if overlap is not None and overlap.found:
        count = int(overlap.training.sum())
        say(
            f"Warning: {words.plural(count, 'recording')} of {len(part):,} were trained on, "
            f"{int(overlap.validation.sum()):,} chose the weights: the figures are too good",
            err=True,
        )
    _print(recogniser.units.answers, found, len(part))


def _print(answers: str, found: dict[str, Any], recordings: int) -> None:
    from gatewise import words
    from gatewise.kinds.speech.figures import measure_of

    measure = measure_of(answers)
    line = f"{measure.title} {words.percent(found[measure.name])}   {words.plural(recordings, 'recording')}"
    if answers != "label":
        line += f"   {words.plural(found['words'], 'word')}"
        if answers == "characters":
            line += f"   word error rate {words.percent(found['word_error_rate'])}"
        line += f"   {found['substituted']} substituted, {found['deleted']} deleted, {found['inserted']} inserted"
    typer.echo(line)
    if len(found["speakers"]) > 1:
        for name, each in found["speakers"].items():
            typer.echo(
                f"  {name:<16}{words.percent(each['figure']):>8}   {words.plural(each['recordings'], 'recording')}"
            )
