"""Tables with a row for each word and a column that says where sentences begin, as Kaggle's corpus of names has it."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from dataclasses import replace
from pathlib import Path

from gatewise.data import rows as tables
from gatewise.data.separated import read_separated
from gatewise.data.text_files import decode, read_content
from gatewise.data.western import is_windows_1252
from gatewise.kinds.tagging.columns import Column, Rows, sentences_of
from gatewise.kinds.tagging.sentences import TaggedSentences
from gatewise.words import plural

__all__ = ["holds_sentence_table", "read_sentence_table"]

_SUFFIXES = (".csv", ".tsv", ".tab")
_SENTENCE = ("sentence #", "sentence#", "sentence_id", "sentence id", "sentence_idx", "sent_id")
_WORD = ("word", "words", "token", "tokens", "form")
_HEAD = 10_000
_OUTSIDE_ASCII = bytes(range(128, 256))
_FEW = 0.01
"""A file with a smaller share of bytes outside ASCII is English with some names of other languages."""


def holds_sentence_table(path: Path) -> bool:
    """Whether a CSV or TSV has columns of sentences, words and more: ``Sentence #,Word,POS,Tag``.

    It has not where the column of words holds whole sentences.
    """
    if tables.table_suffix(path) not in _SUFFIXES:
        return False
    try:
        opened = gzip.open if path.suffix.lower() == ".gz" else open
        with opened(path, "rb") as file:
            head = file.read(_HEAD).removeprefix(b"\xef\xbb\xbf").lstrip()
    except (OSError, EOFError, zlib.error):
        return False
    first = head.splitlines()[0].decode("latin-1") if head else ""
    names = [name.strip(' "').casefold() for name in re.split(r"[,;\t|]", first)]
    spoken = next((names.index(name) for name in _WORD if name in names), None)
    if len(names) <= 2 or not any(name in names for name in _SENTENCE) or spoken is None:
        return False
    signs = {sign: first.count(sign) for sign in ",;\t|"}
    lines = head.decode("latin-1").splitlines()[1:-1]
    found = [
        row[spoken].split()
        for row in csv.reader(lines, delimiter=max(signs, key=signs.__getitem__))
        if len(row) == len(names)
    ]
    return not found or 2 * sum(len(words) > 1 for words in found) <= len(found)


def read_sentence_table(
    path: Path, *, words: Column | None = None, tags: Column | None = None, tags_needed: bool = True
) -> TaggedSentences:
    """Read such a table; where the column of sentences is blank, the sentence goes on.

    Args:
        path: the table.
        words: column of the words by number (from 1; negative from the end) or name; None: by its usual name.
        tags: column of the tags; None: the last that is not constant.
        tags_needed: False: only words are needed.

    Raises:
        DataError: see `gatewise.kinds.tagging.columns.read_columns`.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "ner.csv"
        >>> rows = ["Sentence #,Word,POS,Tag", "Sentence: 1,EU,NNP,B-org", ",fell,VBD,O", "Sentence: 2,No,DT,O"]
        >>> _ = path.write_text("\\n".join(rows))
        >>> [(each.words, each.tags, each.line) for each in read_sentence_table(path).sentences]
        [(('EU', 'fell'), ('B-org', 'O'), 2), (('No',), ('O',), 4)]
    """
    text, notes = _decoded(path)
    table = read_separated(path, text, "," if tables.table_suffix(path) == ".csv" else "\t")
    folded = [name.casefold() for name in table.columns]
    begins = next(folded.index(name) for name in _SENTENCE if name in folded)
    spoken = next(folded.index(name) for name in _WORD if name in folded)
    rows = Rows(names=table.columns)
    current, nameless = "", list[int]()
    for number, values in zip(table.numbers, table.values, strict=True):
        fields = list(map(str.strip, values))
        if fields[begins] not in ("", current) or not rows.sentences:
            rows.sentences.append([])
            current = fields[begins]
        if fields[spoken]:
            rows.sentences[-1].append((number, fields))
        elif any(fields[place] for place in range(len(fields)) if place != begins):
            nameless.append(number)
    rows.sentences = [sentence for sentence in rows.sentences if sentence]
    place = str(path)
    count = plural(len(rows.sentences), "sentence")
    rows.notes += [
        *notes,
        *table.notes,
        f"a sentence of {place} begins where {table.columns[begins]!r} says so: {count}",
    ]
    if nameless:
        has = "row has" if len(nameless) == 1 else "rows have"
        rows.notes.append(
            f"{len(nameless):,} {has} no word and {'is' if len(nameless) == 1 else 'are'} left out (the "
            f"first in line {nameless[0]})"
        )
    found = sentences_of(rows, place, words=words, tags=tags, tags_needed=tags_needed)
    return replace(found, columns=None)  # files in other formats have other columns


def _decoded(path: Path) -> tuple[str, list[str]]:
    """The text: UTF-8, else Western where it is surely that, or has few letters outside ASCII."""
    content = read_content(path, "sentences: a row for each word")
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError:
        few = len(content) - len(content.translate(None, _OUTSIDE_ASCII)) <= _FEW * len(content)
        if b"\0" not in content and (few or is_windows_1252(content)):
            return _western(content, path)
    return decode(content, str(path)), []


def _western(content: bytes, path: Path) -> tuple[str, list[str]]:
    try:
        text, name = content.decode("cp1252"), "Windows-1252"
    except UnicodeDecodeError:
        text, name = content.decode("latin-1"), "Latin-1"
    return text, [f"{path} is not UTF-8 and was read as {name}; if words look wrong, save it as UTF-8"]
