"""The commands `predict` and `evaluate` of a tagger."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from gatewise import words
from gatewise.errors import DataError, OptionError
from gatewise.kinds.tagging.dataset import TaggingPart
from gatewise.kinds.tagging.opening import read_lines
from gatewise.kinds.tagging.reading import read_tagged
from gatewise.kinds.tagging.spec import column
from gatewise.kinds.tagging.trained import evaluation
from gatewise.screen import console

if TYPE_CHECKING:
    from gatewise.kinds.tagging.trained import TaggedText, TrainedTagger
    from gatewise.training.kind import Request

__all__ = ["evaluate", "predict"]

_BATCH = 64
_COLOURS = ("green", "cyan", "magenta", "yellow", "blue", "red")


def predict(tagger: TrainedTagger, request: Request) -> None:
    """Tag texts: entities marked in the terminal, or as JSON with their character offsets.

    Texts come from the command line, a file with one a line, or standard input, line by line.

    Raises:
        DataError: there is no text, or one has no word.
        OptionError: ``--out``.
    """
    if request.out is not None:
        raise OptionError("--out is for forecasts", fix="redirect standard output instead: > FILE")
    typed = not request.inputs and request.file is None
    if typed and sys.stdin.isatty():
        typer.echo("Reading texts from standard input, one a line; end with Ctrl-D.", err=True)
    count = 0
    for batch in _batches(_texts(request), 1 if typed else _BATCH):
        for tagged in tagger.tag_texts(batch):
            if request.as_json:
                typer.echo(json.dumps(tagged.to_dict(), ensure_ascii=False))
            else:
                _show(tagged, tagger.tag_set.names, spans=tagger.tag_set.marks_spans)
        count += len(batch)
    if count == 0:
        raise DataError("there is no text to tag", fix="give texts after the run folder, --file, or standard input")


def evaluate(tagger: TrainedTagger, request: Request) -> None:
    """Print span F1, precision and recall overall and by type, and the accuracy of the tags, on a tagged file.

    Raises:
        DataError: the file cannot be used, or has an unknown tag.
    """
    assert request.file is not None
    given: dict[str, Any] = {
        name: request.settings.get(name) or getattr(tagger.spec.data, name) for name in ("words", "tags")
    }
    read = read_tagged(request.file, words=column(given["words"]), tags=column(given["tags"]), like=tagger.columns)
    numbers, notes = tagger.tag_set.encode(read)
    part = TaggingPart(read.sentences, tuple(np.asarray(row) for row in numbers))
    found = evaluation(None, part, tagger.tag(part.words), tagger.tag_set).metrics  # type: ignore[arg-type]
    if request.as_json:
        typer.echo(json.dumps({**found, "sentences": len(read), "notes": [*read.notes, *notes]}, ensure_ascii=False))
        return
    for note in (*read.notes, *notes):
        typer.echo(f"Note: {note}", err=True)
    _print(found, len(read))


def _texts(request: Request) -> Iterator[str]:
    if request.inputs:
        for text in request.inputs:
            if len(text) < 250 and (Path(text) / "result.json").exists():
                raise OptionError(f"{text} is a run folder, not a text", fix="name one run only")
            yield text
        return
    if request.file is not None and str(request.file) != "-":
        lines: Any = read_lines(request.file, "a text a line")
    else:
        lines = sys.stdin
    for line in lines:
        if line.strip():
            yield line.rstrip("\r\n")


def _batches(texts: Iterator[str], size: int) -> Iterator[list[str]]:
    batch: list[str] = []
    for text in texts:
        batch.append(text)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _show(tagged: TaggedText, names: tuple[str, ...], *, spans: bool) -> None:
    """The text with its entities marked: coloured and bracketed, or every word with its tag."""
    from rich.text import Text

    screen = console()
    line = Text()
    if not spans:
        for word, tag in zip(tagged.words, tagged.tags, strict=True):
            line.append(f"{word}")
            line.append(f"/{tag} ", style=_COLOURS[names.index(tag) % len(_COLOURS)])
        screen.print(line, soft_wrap=True)
        return
    end = 0
    for entity in tagged.entities:
        line.append(tagged.text[end : entity.start])
        style = _COLOURS[names.index(entity.label) % len(_COLOURS)]
        line.append(f"[{entity.text}", style=f"bold {style}")
        line.append(f" {entity.label}]", style=style)
        end = entity.end
    line.append(tagged.text[end:])
    screen.print(line, soft_wrap=True)


def _print(figures: dict[str, Any], sentences: int) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    screen = console()
    counted = f"{words.plural(sentences, 'sentence')}   {words.plural(figures['words'], 'word')}"
    first = f"accuracy {words.percent(figures['accuracy'])}   {counted}"
    if "span_f1" not in figures:
        screen.print(first, style="bold")
        return
    whole = {"f1": figures["span_f1"], "true": figures["spans"]} | {
        key: figures[key] for key in ("precision", "recall")
    }
    screen.print(f"span F1 {words.percent(figures['span_f1'])}   {first}", style="bold")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for head in ("type", "F1", "precision", "recall", "spans"):
        table.add_column(head, justify="left" if head == "type" else "right")
    for name, row in [*figures["types"].items(), ("all", whole)]:
        cells = [words.percent(row[key]) for key in ("f1", "precision", "recall")]
        table.add_row(Text(name), *cells, f"{row['true']:,}")
    screen.print(table)
