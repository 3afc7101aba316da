"""The commands `predict` and `evaluate` of a recogniser."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from gatewise.kinds.speech.exported import ExportedRecogniser, Heard
    from gatewise.kinds.speech.recordings import Columns, Recording
    from gatewise.kinds.speech.trained import TrainedRecogniser
    from gatewise.training.kind import Request

__all__ = ["evaluate", "predict"]


def predict(recogniser: TrainedRecogniser | ExportedRecogniser, request: Request) -> None:
    """Write what is said in sound files, in the files of a folder, or in those that a table names.

    Raises:
        DataError: a file cannot be used; of a folder or table, unusable ones are left out and named.
    """
    from gatewise import files, words

    recordings, notes = _recordings(recogniser, request)
    for note in [*notes, *_without_speaker(recogniser, recordings)]:
        typer.echo(f"Note: {note}", err=True)
    heard = recogniser.recognise(recordings)
    rows = [_record(each, found) for each, found in zip(recordings, heard, strict=True)]
    as_json = request.as_json or (request.out is not None and request.out.suffix.lower() in (".jsonl", ".ndjson"))
    if request.out is None and not as_json:
        width = max(len(row["path"]) for row in rows)
        for row in rows:
            chance = f"  {100 * row['probability']:.1f} %" if "probability" in row else ""
            typer.echo(f"{row['path']:<{width}}  {row['text']}{chance}" if len(rows) > 1 else f"{row['text']}{chance}")
        return
    lines = [json.dumps(row, ensure_ascii=False) for row in rows] if as_json else _table(rows)
    if request.out is None:
        typer.echo("\n".join(lines))
    else:
        files.write_text(request.out, "\n".join(lines) + "\n")
        typer.echo(f"{words.plural(len(rows), 'recording')} heard in {request.out}", err=True)


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


def _record(recording: Recording, heard: Heard) -> dict[str, Any]:
    found: dict[str, Any] = {"path": recording.name, "text": heard.text, "seconds": round(heard.seconds, 3)}
    if heard.probabilities:
        found["probability"] = heard.probabilities[heard.text]
    return found


def _table(rows: Sequence[dict[str, Any]]) -> list[str]:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().splitlines()


def _recordings(
    recogniser: TrainedRecogniser | ExportedRecogniser, request: Request
) -> tuple[list[Recording], list[str]]:
    from gatewise.data.rows import is_table
    from gatewise.kinds.speech.places import SUFFIXES, names_sound
    from gatewise.kinds.speech.recordings import Listed, list_recordings, read_recordings, store
    from gatewise.kinds.speech.recordings import Recording as Made
    from gatewise.kinds.speech.requests import sound_files
    from gatewise.kinds.speech.sound import read_sound

    found: list[Recording] = []
    notes: list[str] = []
    rate = recogniser.bank.rate
    for place in sound_files(request):
        path = place.expanduser()
        if path.is_dir() or is_table(path):
            if names_sound(path):
                listed, noted = list_recordings(path, _columns(recogniser, request), with_texts=False)
            else:
                noted = []
                listed = [
                    Listed(each.name, each, "-", None)
                    for each in sorted(path.iterdir())
                    if each.suffix.lower() in SUFFIXES
                ]
            if not listed:
                from gatewise.errors import DataError

                raise DataError(f"{place} holds no sound file", expected=", ".join(SUFFIXES), fix="name another folder")
            read, _, said = read_recordings(listed, rate)
            found += read
            notes += [*noted, *said]
            continue
        sound = read_sound(path, str(place), rate)
        notes += [f"{place}: {note}" for note in sound.notes]
        found.append(Made(str(place), "", None, store(sound.samples)))
    return found, notes


def _columns(recogniser: TrainedRecogniser | ExportedRecogniser, request: Request) -> Columns:
    """The columns that were named; of a table that has them, those that the network was trained on."""
    from gatewise.kinds.speech.recordings import Columns

    data: Any = recogniser.spec.data
    return Columns(*(request.settings.get(name) or getattr(data, name) for name in ("sound", "text", "speaker")))


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
        typer.echo(f"Note: {note}", err=True)
    if overlap is not None and overlap.found:
        count = int(overlap.training.sum())
        typer.echo(
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
