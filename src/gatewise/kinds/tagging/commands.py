"""The commands `predict` and `evaluate` of a tagger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import typer

from gatewise import files, words
from gatewise.data.text_files import read_lines
from gatewise.errors import DataError, OptionError
from gatewise.kinds.tagging.answers import TaggedText
from gatewise.kinds.tagging.dataset import TaggingPart
from gatewise.kinds.tagging.joined import holds_joined
from gatewise.kinds.tagging.reading import read_tagged
from gatewise.kinds.tagging.sentence_tables import holds_sentence_table
from gatewise.kinds.tagging.spec import column
from gatewise.kinds.tagging.tokenisation import tokenise
from gatewise.screen import console, given_width, say
from gatewise.training.overlap import overlap_record, print_overlap
from gatewise.training.request import batches, blank_note, check_out, given_texts, say_that_typed_texts_are_read
from gatewise.training.run_place import is_run_folder

if TYPE_CHECKING:
    from gatewise.kinds.tagging.exported import ExportedTagger
    from gatewise.kinds.tagging.trained import TrainedTagger
    from gatewise.training.request import Request

__all__ = ["evaluate", "predict"]

_BATCH = 64
_LOOKED_AT = 400
_COLUMNS_SHARE = 0.9
_COLOURS = ("green", "cyan", "magenta", "yellow", "blue", "red")


def predict(tagger: TrainedTagger | ExportedTagger, request: Request) -> None:
    """Tag texts: entities marked in the terminal, or as JSON with their character offsets.

    Texts come from the command line, a file with one a line, or standard input, line by line.

    Raises:
        DataError: there is no text, or one has no word.
        OptionError: ``--out`` is the input.
        StorageError: ``--out`` cannot be written.
    """
    check_out(request)
    say_that_typed_texts_are_read(request)
    columns = _words_of_columns(tagger, request)
    if columns is not None:
        how = "words joined with their tags" if holds_joined(Path(str(request.file))) else "a word and its tag a line"
        say(
            f"Note: {request.file} has {how}: its words are tagged, its own tags are not used",
            err=True,
        )
    count, marked, blank, written = 0, 0, list[int](), list[str]()
    for tagged in _answers(tagger, request, columns, 1 if request.typed else _BATCH):
        count += 1
        if not tagged.words:
            blank.append(count)
        marked += len(tagged.entities)
        if request.out is not None:
            written.append(_line(tagged) if request.writes_json else _column_lines(tagged))
        elif request.as_json:
            typer.echo(_line(tagged))
        else:
            _show(tagged, tagger.tag_set.names, spans=tagger.tag_set.marks_spans)
    if count == len(blank):
        raise DataError("there is no text to tag", fix="give texts after the run folder, --file, or standard input")
    if blank:
        answer = "an empty answer there" if request.out is None or request.writes_json else "a further blank line there"
        say(f"Note: {blank_note(blank, count, answer)}", err=True)
    if tagger.tag_set.marks_spans and not marked and not request.as_json:
        read = count - len(blank)
        texts = "the text" if read == 1 else f"any of the {read:,} texts"
        say(f"Note: the network marked nothing in {texts}", err=True)
    if request.out is not None:
        files.write_text(request.out, ("\n" if request.writes_json else "\n\n").join(written) + "\n")
        say(f"{count:,} texts tagged in {request.out}", err=True)


def _line(tagged: TaggedText) -> str:
    return json.dumps(tagged.to_dict(), ensure_ascii=False)


def _column_lines(tagged: TaggedText) -> str:
    return "\n".join(f"{word} {tag}" for word, tag in zip(tagged.words, tagged.tags, strict=True))


def _answers(
    tagger: TrainedTagger | ExportedTagger, request: Request, columns: list[list[str]] | None, size: int
) -> Iterator[TaggedText]:
    """The texts of a request, or the sentences of a file of columns, tagged in order."""
    if columns is None:
        for batch in batches(_texts(request), size):
            worded = [bool(request.inputs or tokenise(text)) for text in batch]
            found = iter(tagger.tag_texts([text for text, has_words in zip(batch, worded, strict=True) if has_words]))
            for text, has_words in zip(batch, worded, strict=True):
                yield next(found) if has_words else TaggedText(text, (), (), (), ())
        return
    for start in range(0, len(columns), size):
        yield from tagger.tag_words(columns[start : start + size])


def _words_of_columns(tagger: TrainedTagger | ExportedTagger, request: Request) -> list[list[str]] | None:
    """The words of a file that has tags, too: lines may end with tags that the network knows; None: a text a line."""
    if request.inputs or request.file is None or str(request.file) == "-":
        return None
    if holds_sentence_table(request.file) or holds_joined(request.file):
        return [list(sentence.words) for sentence in read_tagged(request.file).sentences]
    lines = [line.split() for line in read_lines(request.file, "a text a line")[:_LOOKED_AT] if line.strip()]
    names = tagger.tag_set.names
    known = {"O", *names, *(f"{mark}-{name}" for mark in "BIESLU" for name in names)}
    ending = [line for line in lines if len(line) > 1 and line[-1] in known]
    if not lines or len(ending) < _COLUMNS_SHARE * len(lines):
        return None
    data = tagger.spec.data
    read = read_tagged(request.file, words=column(data.words), tags=column(data.tags), like=tagger.columns)
    return [list(sentence.words) for sentence in read.sentences]


def evaluate(tagger: TrainedTagger | ExportedTagger, request: Request) -> None:
    """Print span F1, precision and recall overall and by type, and the accuracy of the tags, on a tagged file.

    Raises:
        DataError: the file cannot be used, or has an unknown tag.
    """
    from gatewise.kinds.tagging.evaluating import evaluation

    assert request.file is not None
    given: dict[str, Any] = {
        name: request.settings.get(name) or getattr(tagger.spec.data, name) for name in ("words", "tags")
    }
    read = read_tagged(request.file, words=column(given["words"]), tags=column(given["tags"]), like=tagger.columns)
    numbers, notes = tagger.tag_set.encode(read)
    part = TaggingPart(read.sentences, tuple(np.asarray(row) for row in numbers))
    answers = tagger.tag(part.words)
    found = evaluation(None, part, answers, tagger.tag_set).metrics  # type: ignore[arg-type]
    overlap = None if tagger.seen is None else tagger.seen.overlap(part.words)
    others: dict[str, Any] | None = None
    if overlap is not None and overlap.found and len(overlap.others):
        chosen = overlap.others.tolist()
        rest = TaggingPart(*(tuple(rows[place] for place in chosen) for rows in (part.sentences, part.tags)))
        others = evaluation(None, rest, [answers[place] for place in chosen], tagger.tag_set).metrics  # type: ignore[arg-type]
    if request.as_json:
        record = {**found, "sentences": len(read), "notes": [*read.notes, *notes], **overlap_record(overlap, others)}
        typer.echo(json.dumps(record, ensure_ascii=False))
        return
    for note in (*read.notes, *notes):
        say(f"Note: {note}", err=True)
    print_overlap(overlap, "sentence", lambda: _figure(others or {}))
    _print(found, len(read))


def _figure(metrics: dict[str, Any]) -> str:
    name, title = ("span_f1", "span F1") if "span_f1" in metrics else ("accuracy", "accuracy")
    return f"{title} {words.percent(metrics[name])}"


def _texts(request: Request) -> Iterator[str]:
    """The texts of a request, blank lines too; run folders among the arguments are refused."""
    for text in given_texts(request):
        if request.inputs and is_run_folder(text):
            raise OptionError(f"{text} is a run folder, not a text", fix="name one run only")
        yield text


def _show(tagged: TaggedText, names: tuple[str, ...], *, spans: bool) -> None:
    """The text with its entities marked: coloured and bracketed, or every word with its tag."""
    from rich.text import Text

    screen = console()
    line = Text()
    if not spans:
        for word, tag in zip(tagged.words, tagged.tags, strict=True):
            line.append(f"{word}")
            line.append(f"/{tag} ", style=_COLOURS[names.index(tag) % len(_COLOURS)])
        screen.print(line, soft_wrap=given_width() is None)
        return
    end = 0
    for entity in tagged.entities:
        line.append(tagged.text[end : entity.start])
        style = _COLOURS[names.index(entity.label) % len(_COLOURS)]
        line.append(f"[{entity.text}", style=f"bold {style}")
        line.append(f" {entity.label}]", style=style)
        end = entity.end
    line.append(tagged.text[end:])
    screen.print(line, soft_wrap=given_width() is None)


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
