"""``gatewise caption``, and the commands `predict` and `evaluate` of a captioner."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from gatewise.screen import say
from gatewise.training.request import leave_with_unanswered

if TYPE_CHECKING:
    from gatewise.kinds.captioning.exported import ExportedCaptioner
    from gatewise.kinds.captioning.pictures import Pixels
    from gatewise.kinds.captioning.trained import TrainedCaptioner
    from gatewise.training.figure_rows import FigureRow
    from gatewise.training.kind import Request

__all__ = ["caption", "evaluate", "predict"]

_SHADES = " ░▒▓█"
_NOT_READ = "–  (cannot be read)"


def caption(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="Run folder of a captioner, or a comparison of some: its best run; DIR/gru: its best GRU; "
            "or an export.",
        ),
    ],
    pictures: Annotated[list[str], typer.Argument(metavar="PICTURE...", help="Picture files, or folders of them.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write image and caption here: .csv, or .jsonl.")
    ] = None,
    beam: Annotated[
        int | None, typer.Option("--beam", metavar="N", help="Hypotheses kept side by side; 1 is greedy and fastest.")
    ] = None,
    attention: Annotated[
        bool, typer.Option("--attention", help="Show where in the picture each word looked, from top to bottom.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Write the captions of pictures with a trained network.

    Examples:

        gatewise caption my-run picture.png

        gatewise caption my-run photographs --out captions.csv

        gatewise caption my-run picture.png --beam 1 --attention

        gatewise caption my-export/encoder.onnx picture.png
    """
    from gatewise.kinds.captioning.exported import exported_captioner
    from gatewise.kinds.captioning.requests import check
    from gatewise.training.request import Request, check_beam
    from gatewise.training.trained import load_run_of

    check_beam(beam)
    request = Request(run, tuple(pictures), None, out, as_json)
    check("predict", request)
    model = exported_captioner(run)
    if model is not None:
        predict(model, request, beam=beam, attention=attention)
        return
    trained = load_run_of(
        "captioning",
        run,
        needed="`gatewise caption` needs a captioner",
        fix="train one: gatewise train FOLDER --captions captions.csv",
    )
    predict(cast("TrainedCaptioner", trained), request, beam=beam, attention=attention)


def predict(
    captioner: TrainedCaptioner | ExportedCaptioner,
    request: Request,
    *,
    beam: int | None = None,
    attention: bool = False,
) -> None:
    """Write the captions of picture files, or of all in a folder.

    Where a file that was named cannot be read, the exit code is 2 after the captions of the others.

    Raises:
        DataError: no picture can be used. Of several one that cannot is named, marked and has no caption; of a folder
            such ones are left out and named.
        StorageError: ``--out`` cannot be written.
    """
    import numpy as np

    from gatewise import files, words

    names, found, notes = _pictures(captioner, request)
    for note in notes:
        say(f"Note: {note}", err=True)
    captions = iter(captioner.caption(np.stack([each for each in found if each is not None]), beam=beam))
    rows = [
        {"image": name, "caption": None if each is None else next(captions)}
        for name, each in zip(names, found, strict=True)
    ]
    as_json = request.as_json or (request.out is not None and request.out.suffix.lower() in (".jsonl", ".ndjson"))
    count = sum(each is not None for each in found)
    if request.out is not None:
        lines = [json.dumps(row, ensure_ascii=False) for row in rows] if as_json else _table(rows)
        files.write_text(request.out, "\n".join(lines) + "\n")
        typer.echo(f"{words.plural(count, 'caption')} in {request.out}", err=True)
        leave_with_unanswered(len(rows) - count)
        return
    width = max(map(len, names))
    for row, each in zip(rows, found, strict=True):
        if as_json:
            typer.echo(json.dumps(row, ensure_ascii=False))
            continue
        caption = row["caption"] or ("" if each is not None else _NOT_READ)
        typer.echo(f"{row['image']:<{width}}  {caption}" if len(rows) > 1 else caption)
        if attention and each is not None:
            _show_attention(captioner, each, caption)
    leave_with_unanswered(len(rows) - count)


def _pictures(
    captioner: TrainedCaptioner | ExportedCaptioner, request: Request
) -> tuple[list[str], list[Pixels | None], list[str]]:
    """Names and pixels of all pictures that were asked for, and notes on those that cannot be used.

    Such a picture has None where it was named, and is left out where it is in a folder.
    """
    from gatewise.data.skips import Skips, no_answer
    from gatewise.errors import DataError
    from gatewise.kinds.captioning.places import SUFFIXES, picture_files
    from gatewise.kinds.captioning.requests import picture_places

    names: list[str] = []
    pixels: list[Pixels | None] = []
    notes: list[str] = []
    skips = Skips("picture")
    places = picture_places(request)
    for place in places:
        path = place.expanduser()
        if not path.is_dir():
            names.append(str(place))
            try:
                pixels.append(captioner.read(path, str(place)))
            except DataError as error:
                if len(places) == 1:
                    raise
                pixels.append(None)
                notes.append(no_answer(error))
            continue
        for each in picture_files(path):
            try:
                found = captioner.read(each, str(each))
            except DataError as error:
                skips.add(error.message.removeprefix(str(each)).strip().removeprefix("is "), str(each))
                continue
            names.append(str(each))
            pixels.append(found)
    notes += skips.notes
    if all(each is None for each in pixels):
        raise DataError(
            "there is no picture that can be read",
            expected=", ".join(SUFFIXES),
            got="; ".join(notes) or "no such file",
            fix="name picture files, or a folder of them",
        )
    return names, pixels, notes


def _table(rows: Sequence[Mapping[str, str | None]]) -> list[str]:
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, ["image", "caption"], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue().rstrip("\n").split("\n")


def _show_attention(captioner: TrainedCaptioner | ExportedCaptioner, pixels: Pixels, text: str) -> None:
    """Each word with the places that it looked at, as shades; the darkest is the map's largest weight."""
    found = captioner.attention(pixels, text)
    if found is None:
        typer.echo("Note: this network has no attention", err=True)
        return
    for word, weights in zip(found.words, found.weights, strict=True):
        shares = weights / weights.max()
        typer.echo(f"  {word}")
        for row in shares:
            typer.echo("    " + "".join(2 * _SHADES[min(4, int(5 * share))] for share in row))


def evaluate(captioner: TrainedCaptioner | ExportedCaptioner, request: Request) -> None:
    """Print exact matches, BLEU and chrF with intervals over the pictures, on a folder or table with captions.

    Raises:
        DataError: the pictures or captions cannot be used.
    """
    from dataclasses import replace

    from gatewise import words
    from gatewise.kinds.captioning.folders import find_table, read_folder
    from gatewise.kinds.captioning.images import in_channels
    from gatewise.kinds.captioning.pictures import Pictures
    from gatewise.training.figure_rows import figure_lines, figures_record

    assert request.file is not None
    data: Any = captioner.spec.data
    asked = {name: value for name, value in request.settings.items() if value is not None}
    table, folder = find_table(request.file.expanduser(), None)
    read, notes = read_folder(table, folder, replace(data, **asked), captioner.look.size)
    part = Pictures(in_channels(read.pixels, captioner.look.colours), read.captions, read.names)
    answers = captioner.caption(part.pixels)
    rows = _figures(answers, part)
    overlap = None if captioner.seen is None else captioner.seen.overlap([[each] for each in part.digests])
    if request.as_json:
        record: dict[str, Any] = {"pictures": len(part), **figures_record(rows)}
        if overlap is not None:
            record |= {"in_training": int(overlap.training.sum()), "in_validation": int(overlap.validation.sum())}
        typer.echo(json.dumps({**record, "notes": notes}, ensure_ascii=False))
        return
    for note in notes:
        say(f"Note: {note}", err=True)
    if overlap is not None and overlap.found:
        typer.echo(
            f"Warning: of {words.plural(len(part), 'picture')} {int(overlap.training.sum()):,} were trained on and "
            f"{int(overlap.validation.sum()):,} chose the weights (pixel for pixel): the figures are too good",
            err=True,
        )
    for line in figure_lines(rows):
        typer.echo(line)
    typer.echo(words.plural(len(part), "picture"))


def _figures(captions: list[str], part: Any) -> list[FigureRow]:
    """Exact matches, BLEU and chrF of the captions."""
    from gatewise.kinds.captioning.figures import MEASURES, contributions_of
    from gatewise.training.figure_rows import figure_row

    return [figure_row(MEASURES[name], contributions_of(name, captions, part)) for name in ("exact", "bleu", "chrf")]
