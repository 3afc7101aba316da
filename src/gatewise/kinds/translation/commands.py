"""``gatewise translate``, and the commands `predict` and `evaluate` of a translator."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from gatewise import words
from gatewise.screen import say

if TYPE_CHECKING:
    from gatewise.kinds.translation.exported import ExportedTranslator
    from gatewise.kinds.translation.trained import TrainedTranslator
    from gatewise.training.figure_rows import FigureRow
    from gatewise.training.request import Request

__all__ = ["evaluate", "predict", "translate"]

_BATCH = 256


def translate(
    run: Annotated[
        Path,
        typer.Argument(
            metavar="RUN",
            help="Run folder of a translator, or a comparison of some: its best run; DIR/gru: its best GRU; "
            "or an export.",
        ),
    ],
    texts: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TEXT]...", help="Sentences; without any, or with `-`, lines of standard input."),
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", metavar="FILE", help="Read a sentence a line.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="Write translations here, line by line.")
    ] = None,
    beam: Annotated[
        int | None, typer.Option("--beam", metavar="N", help="Hypotheses kept side by side; 1 is greedy and fastest.")
    ] = None,
    attention: Annotated[
        bool, typer.Option("--attention", help="Show which words of the sentence each piece looked at most.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Translate sentences with a trained network.

    Examples:

        gatewise translate my-run "A dog runs."

        gatewise translate my-run --file captions.en --out captions.de

        gatewise translate my-run "A dog runs." --beam 1 --attention

        gatewise translate my-export/encoder.onnx "A dog runs."
    """
    from gatewise.errors import OptionError
    from gatewise.kinds.translation.exported import exported_translator
    from gatewise.training.request import Request, check_beam, check_file, check_out, inputs_of
    from gatewise.training.trained import load_run_of

    if texts and file is not None:
        raise OptionError("sentences and --file exclude each other", fix="give the sentences either way, not both")
    check_beam(beam)
    check_file(file)
    request = Request(run, inputs_of(texts), file, out, as_json)
    check_out(request)
    model = exported_translator(run)
    if model is not None:
        predict(model, request, beam=beam, attention=attention)
        return
    trained = load_run_of(
        "translation",
        run,
        needed="`gatewise translate` needs a translator",
        fix="train one: gatewise train pairs.tsv --task translation",
    )
    predict(cast("TrainedTranslator", trained), request, beam=beam, attention=attention)


def predict(
    translator: TrainedTranslator | ExportedTranslator,
    request: Request,
    *,
    beam: int | None = None,
    attention: bool = False,
) -> None:
    """Translate texts from the command line, a file with one a line, or standard input; empty lines stay empty.

    Raises:
        DataError: there is no text.
        OptionError: ``--out`` is the input.
        StorageError: ``--out`` cannot be written.
    """
    from gatewise import files
    from gatewise.errors import DataError
    from gatewise.training.request import batches, check_out, given_texts, say_that_typed_texts_are_read

    check_out(request)
    say_that_typed_texts_are_read(request, "sentences")
    count, empty, written = 0, 0, []
    for batch in batches(given_texts(request, "a sentence a line"), 1 if request.typed else _BATCH):
        for text, translation in zip(batch, translator.translate(batch, beam=beam), strict=True):
            count += 1
            empty += not text.strip()
            line = translation
            if request.writes_json:
                line = json.dumps({"source": text, "translation": translation}, ensure_ascii=False)
            if request.out is not None:
                written.append(line)
            else:
                typer.echo(line)
                if attention and not request.as_json and text.strip():
                    _show_attention(translator, text, translation)
    if count == 0:
        raise DataError(
            "there is no text to translate", fix="give sentences after the run folder, --file, or standard input"
        )
    if empty:
        were = "was empty, and so is its translation" if empty == 1 else "were empty, and so are their translations"
        say(f"Note: {empty:,} of {words.plural(count, 'line')} {were}", err=True)
    if request.out is not None:
        files.write_text(request.out, "\n".join(written) + "\n")
        typer.echo(f"{words.plural(count, 'translation')} in {request.out}", err=True)


def evaluate(translator: TrainedTranslator | ExportedTranslator, request: Request) -> None:
    """Print BLEU, lowercased BLEU and chrF with intervals over the sentences, on a file of pairs.

    Raises:
        DataError: the file cannot be used.
    """
    from gatewise.errors import DataError
    from gatewise.kinds.translation.reading import read_pairs, sibling
    from gatewise.training.figure_rows import figure_lines, figures_record

    assert request.file is not None
    data: Any = translator.spec.data
    names = ("source_column", "target_column")
    source, target = (request.settings.get(name) or getattr(data, name) for name in names)
    translations: Path | None = None
    if data.translations is not None:
        translations = sibling(request.file, Path(data.data), Path(data.translations))
        if translations is None:
            raise DataError(
                f"the translations of {request.file} are not known",
                expected=f"a file that is named like it as {Path(data.translations).name} like {Path(data.data).name}",
                fix="give a table of sentence pairs: source, tab, translation",
            )
    pairs = read_pairs(request.file, translations, source=source, target=target)
    for note in pairs.notes:
        say(f"Note: {note}", err=True)
    if data.reverse:
        pairs = pairs.reversed()
    answers = translator.translate(pairs.sources)
    metric = getattr(data, "metric", "bleu")  # exports of before have none
    rows = _figures(answers, pairs.targets, metric)
    overlap = None if translator.seen is None else translator.seen.overlap(pairs.sources)
    others = None
    if overlap is not None and overlap.found and len(overlap.others):
        chosen = overlap.others.tolist()
        others = _figures([answers[row] for row in chosen], [pairs.targets[row] for row in chosen], metric)
    if request.as_json:
        record: dict[str, Any] = {"sentences": len(pairs), **figures_record(rows), "notes": list(pairs.notes)}
        if overlap is not None:
            record |= {"in_training": int(overlap.training.sum()), "in_validation": int(overlap.validation.sum())}
        record["others"] = None if others is None else figures_record(others)
        typer.echo(json.dumps(record, ensure_ascii=False))
        return
    if overlap is None:
        typer.echo("Note: this run does not hold which sentences it was trained on: some may be in the file", err=True)
    elif overlap.found:
        said = overlap.sentence("sentence", lambda: f"{others[0].title} {100 * others[0].value:.1f}" if others else "")
        typer.echo(f"Warning: {said}", err=True)
    for line in figure_lines(rows):
        typer.echo(line)
    typer.echo(words.plural(len(pairs), "sentence pair"))


def _figures(translations: list[str], references: Any, metric: str) -> list[FigureRow]:
    """Each figure of the translations, first the one that the network was chosen by."""
    from gatewise.kinds.translation.measures import MEASURES, contributions_of
    from gatewise.training.figure_rows import figure_row

    names = sorted(MEASURES, key=lambda name: name != metric)
    return [figure_row(MEASURES[name], contributions_of(name, translations, references)) for name in names]


def _show_attention(translator: TrainedTranslator | ExportedTranslator, text: str, translation: str) -> None:
    """Each piece of the translation with the piece of the sentence that it looked at most."""
    found = translator.attention(text, translation)
    if found is None:
        typer.echo("Note: this network has no attention", err=True)
        return
    width = max(len(piece) for piece in found.target)
    for piece, row in zip(found.target, found.weights, strict=True):
        best = int(row.argmax())
        typer.echo(f"    {piece:<{width}}  {found.source[best]:<{16}} {100 * row[best]:3.0f} %")
