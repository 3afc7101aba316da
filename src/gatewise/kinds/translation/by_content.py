"""Tables of sentence pairs that are known by their content alone: two columns of sentences that hardly repeat."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Sequence
from pathlib import Path

from gatewise.data.rows import table_suffix
from gatewise.data.separated import detect_separator
from gatewise.data.tables import neither_named
from gatewise.kinds.translation.headers import read_header

__all__ = ["holds_sentence_columns"]

_SEPARATED = (".csv", ".tsv", ".tab")
_TEXTS = (".txt", ".text")
_LOOKED_AT = 65_536
_FEWEST = 10
_SHARE = 0.95
_WORDS = 2.0
_LICENCE = "CC-BY"
_NAME = re.compile(r"[^\W\d]\w*(?:[ _-]\w+){0,2}")


def holds_sentence_columns(path: Path) -> bool:
    """Whether a table, or a text whose lines all have a tab, surely has two columns of sentences and nothing else.

    Both hold letters and two words or more on average, and hardly ever repeat, as labels and names do; no header
    names anything else (questions, titles, labels). A third column of licences, as Tatoeba's pairs have it, does not
    count.
    """
    rows = _first_rows(path)
    if len(rows) < _FEWEST or {len(row) for row in rows} not in ({2}, {3}):
        return False
    first, body = rows[0], rows[1:]
    if len(first) == 3 and not all(row[2].startswith(_LICENCE) for row in body):
        return False
    header = read_header(first)
    if header is not None and not header.rule.claims_sentences:
        return False
    if header is None and (not neither_named(first) or _names(first, body)):
        return False
    return all(_sentences([row[place] for row in body]) for place in (0, 1))


def _names(first: Sequence[str], body: Sequence[Sequence[str]]) -> bool:
    """Whether the first row looks like names of columns, and most of the others do not."""
    alike = sum(all(_NAME.fullmatch(cell.strip()) for cell in row[:2]) for row in body)
    return all(_NAME.fullmatch(cell.strip()) for cell in first) and 2 * alike < len(body)


def _sentences(cells: Sequence[str]) -> bool:
    filled = [cell.strip() for cell in cells if cell.strip()]
    if len(filled) < _SHARE * len(cells):
        return False
    lettered = sum(any(sign.isalpha() for sign in cell) for cell in filled)
    words = sum(len(cell.split()) for cell in filled) / len(filled)
    enough = _SHARE * len(filled)
    return lettered >= enough and len(set(filled)) >= enough and words >= _WORDS


def _first_rows(path: Path) -> list[list[str]]:
    """The first rows of a separated file, its header among them; none where it cannot be read as such."""
    suffix = table_suffix(path)
    text = path.name.lower().removesuffix(".gz").endswith(_TEXTS)
    if not text and suffix not in _SEPARATED:
        return []
    try:
        opened = gzip.open if path.suffix.lower() == ".gz" else open
        with opened(path, "rb") as file:
            head = file.read(_LOOKED_AT)
        content = head.decode("utf-8-sig", "ignore" if len(head) == _LOOKED_AT else "strict")
    except (OSError, ValueError, EOFError, zlib.error):
        return []
    if len(head) == _LOOKED_AT:  # the last line may be cut
        content = content[: content.rfind("\n") + 1]
    if text or "\t" in content.split("\n", 1)[0]:
        return [line.split("\t") for line in content.splitlines() if line.strip()]
    try:
        reader = csv.reader(io.StringIO(content, newline=""), delimiter=detect_separator(content, ","))
        return [row for row in reader if row]
    except csv.Error:
        return []
