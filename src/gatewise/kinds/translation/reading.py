"""Read sentence pairs: two parallel files, or a table (TSV, CSV, JSON lines, Excel, Parquet) with a pair a row."""

from __future__ import annotations

import gzip
import json
import re
import shlex
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gatewise.data.rows import MISSING, Rows, is_table, read_rows
from gatewise.data.text_files import read_lines, read_text_file
from gatewise.errors import DataError, OptionError, did_you_mean
from gatewise.kinds.translation.headers import holds_translations, read_header
from gatewise.kinds.translation.pairs import SentencePairs
from gatewise.words import plural

__all__ = ["holds_pairs", "read_pairs", "sibling"]

_NUMBER = re.compile(r"\d+")
_LINES = "a sentence a line"
_OBJECT = '{"source": "A dog runs.", "target": "Ein Hund rennt."}, or {"translation": {"en": "...", "de": "..."}}'


def read_pairs(
    path: str | Path,
    translations: str | Path | None = None,
    *,
    source: str | None = None,
    target: str | None = None,
) -> SentencePairs:
    """Read sentence pairs; white space is made single spaces, pairs with an empty side are skipped and counted.

    Args:
        path: a table, or a file with a sentence a line where ``translations`` is given; plain or gzip.
        translations: its line n is the translation of line n.
        source: column of the sentences by name or number (from 1); None: ``source``, ``src``, or the first of two.
        target: column of the translations.

    Raises:
        DataError: a file cannot be used; the two have different numbers of lines; a column is not there; no pair.
        OptionError: columns for files that have none.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "a.en").write_text("a dog\\n\\na cat\\n")
        >>> _ = (folder / "a.de").write_text("ein Hund\\n\\neine Katze\\n")
        >>> read = read_pairs(folder / "a.en", folder / "a.de")
        >>> read.targets, read.notes[0].startswith("1 pair")
        (('ein Hund', 'eine Katze'), True)
    """
    path = Path(path)
    if translations is not None:
        if source or target:
            raise OptionError(
                "--source-column and --target-column name columns, but two files of lines were given", fix="omit them"
            )
        return _read_parallel(path, Path(translations))
    return _read_table(path, source, target)


def sibling(path: Path, source: Path, target: Path) -> Path | None:
    """The translations of a file, named as the training translations are beside their source; None: not there.

    Example:
        >>> sibling(Path("test.en"), Path("train.en"), Path("train.de")) is None
        True
    """
    for mark in (".", "-", "_"):
        ours, theirs = source.name.split(mark), target.name.split(mark)
        if len(ours) != len(theirs):
            continue
        changed = [place for place, pair in enumerate(zip(ours, theirs, strict=True)) if pair[0] != pair[1]]
        parts = path.name.split(mark)
        if len(changed) == 1:
            place = changed[0] - len(ours)
            if len(parts) >= -place and parts[place] == ours[place]:
                parts[place] = theirs[place]
                found = path.with_name(mark.join(parts))
                if found.is_file():
                    return found
    return None


def _read_parallel(source: Path, target: Path) -> SentencePairs:
    ours, theirs = (read_lines(path, _LINES) for path in (source, target))
    short = min(len(ours), len(theirs))
    for lines in (ours, theirs):  # blank lines after the last sentence of both
        while len(lines) > short and not lines[-1].strip():
            lines.pop()
    if len(ours) != len(theirs):
        raise DataError(
            f"{source} has {plural(len(ours), 'line')} and {target} has {plural(len(theirs), 'line')}",
            expected="as many: line n of one translates line n of the other",
            fix="find the line that one of them lacks, or name the file that goes with it",
        )
    place = f"{source} and {target.name}"
    return _checked(ours, theirs, range(1, len(ours) + 1), "line", place, [])


def _read_table(path: Path, source: str | None, target: str | None) -> SentencePairs:
    separated = _tab_separated(path)
    if separated is not None:
        rows = separated
    elif is_table(path):
        rows = read_rows(path, keys=("source", "target"))
    else:
        read_text_file(path, "sentence pairs")  # missing, a folder or empty
        raise DataError(
            f"{path} holds no pairs",
            expected="two columns that are separated by tabs, a table (.tsv, .csv, .jsonl ...), or two files of lines",
            fix="in training, name the file of the translations with --translations; else give a table of pairs",
        )
    nested = [place for place, name in enumerate(rows.columns) if name == "translation"]
    if not (source or target) and nested and all(isinstance(row[nested[0]], dict) for row in rows.values):
        rows = _unfolded(rows, nested[0])
    named = _has_names(rows, source, target)
    columns = list(rows.columns)
    values, numbers = rows.values, list(rows.numbers)
    notes = list(rows.notes)
    if not named:
        values, numbers = [list(columns), *values], [1, *numbers]
    first, second = _columns(path, columns, source, target, named)
    if not (source and target):
        shown = [repr(columns[place]) if named else f"column {place + 1}" for place in (first, second)]
        begins = "" if named or path.suffix == ".jsonl" else _of_first_line(columns, first, second)
        notes.append(f"{path.name}: sentences are read from {shown[0]}, translations from {shown[1]}{begins}")
    for place in (first, second):
        for row, number in zip(values, numbers, strict=True):
            if not (row[place] is None or row[place] is MISSING or isinstance(row[place], str | int | float)):
                raise DataError(
                    f"{path}, {rows.unit} {number}: {columns[place]!r} is not a string", got=type(row[place]).__name__
                )
    texts = [[_text(row[place]) for row in values] for place in (first, second)]
    return _checked(texts[0], texts[1], numbers, rows.unit, str(path), notes)


def _text(value: Any) -> str:
    return "" if value is None or value is MISSING or value != value else str(value)


def _tab_separated(path: Path) -> Rows | None:
    """A file of lines with tabs and no quoting, as sentence pairs usually are; None: it is no such file."""
    name = path.name.lower().removesuffix(".gz")
    if is_table(path) and not name.endswith((".tsv", ".tab")):
        return None
    if not path.is_file():
        return None
    lines = [(number, line) for number, line in enumerate(read_lines(path, _LINES), start=1) if line.strip()]
    cut = [line.split("\t") for _, line in lines]
    width = len(cut[0])
    if width < 2:
        return None
    for (number, _), row in zip(lines, cut, strict=True):
        if len(row) != width:
            raise DataError(
                f"{path}, line {number} has {plural(len(row), 'column')}",
                expected=f"{width}, separated by tabs, as in line {lines[0][0]}",
                fix="correct the line",
            )
    values: list[list[Any]] = [list(row) for row in cut[1:]]
    return Rows(path, tuple(cut[0]), values, [number for number, _ in lines[1:]])


def _unfolded(rows: Rows, place: int) -> Rows:
    """Rows whose ``translation`` is an object of two languages, as two columns."""
    names = list(dict.fromkeys(name for row in rows.values for name in row[place]))
    values = [[row[place].get(name, MISSING) for name in names] for row in rows.values]
    return Rows(rows.path, tuple(names), values, rows.numbers, rows.unit, rows.notes)


def _has_names(rows: Rows, source: str | None, target: str | None) -> bool:
    """Whether the first row of a table names its columns."""
    name = rows.path.name.lower().removesuffix(".gz")
    if name.endswith((".jsonl", ".ndjson", ".json", ".parquet")):
        return True
    if any(column is not None and not _NUMBER.fullmatch(column) for column in (source, target)):
        return True
    return read_header(rows.columns) is not None


def _of_first_line(columns: Sequence[str], first: int, second: int) -> str:
    """What a note says of a first line that is read as a pair, and what to do where it may be a header."""
    shown = f"; its first line is read as a pair: {columns[first]!r}"
    if any(len(columns[place].split()) > 2 for place in (first, second)):
        return shown
    named = " ".join(
        f"--{role}-column {shlex.quote(columns[place])}" for role, place in (("source", first), ("target", second))
    )
    return f"{shown} (if it is a header, give {named})"


def _columns(
    path: Path, columns: Sequence[str], source: str | None, target: str | None, named: bool
) -> tuple[int, int]:
    if len(columns) < 2:
        raise DataError(f"{path} has one column", expected="sentences and their translations", got=repr(columns[0]))
    header = read_header(columns) if named else None
    known = [] if header is None else header.places
    asked = {role: name for role, name in (("source", source), ("target", target)) if name is not None}
    chosen = {role: _column(path, columns, role, name, named) for role, name in asked.items()}
    if len(asked) < 2 and (len(known) > 2 or (len(columns) > 2 and not known and named and not asked)):
        raise _which(path, columns, known)
    pair = known if len(known) == 2 else [0, 1]
    if (len(known) == 2 or len(columns) == 2) and len(asked) == 1 and (taken := next(iter(chosen.values()))) in pair:
        pair = [place for place in pair if place != taken] * 2  # the other one
    places = [chosen.get(role, pair[number]) for number, role in enumerate(("source", "target"))]
    if places[0] == places[1]:
        raise DataError(
            f"sentences and translations would both be column {places[0] + 1} of {path}",
            expected=_OBJECT if path.suffix == ".jsonl" else "two columns",
            fix="name them with --source-column and --target-column",
        )
    return places[0], places[1]


def _column(path: Path, columns: Sequence[str], role: str, asked: str, named: bool) -> int:
    """The place of a column that was asked for by name or number."""
    if asked in columns and named:
        return list(columns).index(asked)
    if _NUMBER.fullmatch(asked) and 1 <= int(asked) <= len(columns):
        return int(asked) - 1
    raise DataError(
        f"column {asked!r} is not in {path.name}",
        got=", ".join(columns) if named else f"{len(columns)} columns",
        fix=did_you_mean(asked, columns) if named else f"give --{role}-column 1 to {len(columns)}",
    )


def _which(path: Path, columns: Sequence[str], known: Sequence[int]) -> DataError:
    """Of more than two columns none are source and target by their names."""
    fix = "name them with --source-column and --target-column"
    if known:
        first, second = (shlex.quote(columns[place].strip()) for place in known[:2])
        fix += f", for example --source-column {first} --target-column {second}"
    return DataError(
        f"{path} has sentences in {len(known)} languages" if known else f"{path} has {len(columns)} columns",
        expected="source and target, or two columns",
        got=", ".join(columns),
        fix=fix,
    )


def _checked(
    sources: Sequence[str], targets: Sequence[str], numbers: Sequence[int], unit: str, place: str, notes: list[str]
) -> SentencePairs:
    """Single spaces; pairs with an empty side are skipped."""
    ours, theirs = ([" ".join(text.split()) for text in texts] for texts in (sources, targets))
    kept = [row for row in range(len(ours)) if ours[row] and theirs[row]]
    empty = [row for row in range(len(ours)) if not (ours[row] and theirs[row])]
    if empty:
        notes.append(
            f"{plural(len(empty), 'pair')} of {place} skipped, one side being empty "
            f"({unit}{'s' if len(empty) > 1 else ''} {', '.join(str(numbers[row]) for row in empty[:5])}"
            f"{' ...' if len(empty) > 5 else ''})"
        )
    if not kept:
        raise DataError(f"{place}: no pair has a sentence on both sides", expected="sentences and their translations")
    same = sum(ours[row] == theirs[row] for row in kept)
    if same > len(kept) / 2:
        raise DataError(
            f"{place}: {same:,} of {len(kept):,} translations are the same as their sentences",
            expected="another language",
            fix="choose other files or columns",
        )
    if same:
        notes.append(f"{plural(same, 'pair')} of {place} {'has' if same == 1 else 'have'} the same text on both sides")
    return SentencePairs(tuple(ours[row] for row in kept), tuple(theirs[row] for row in kept), place, tuple(notes))


def holds_pairs(path: Path) -> bool:
    """Whether a file begins with an object of a sentence and its translation, or with the names of such columns."""
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8-sig") as file:
            lines = (line for line in file if line.strip())
            line, second = next(lines, "null"), next(lines, "")
        if not path.name.removesuffix(".gz").endswith((".jsonl", ".ndjson")):
            return holds_translations(*(re.split(r"[\t,;|]", each.strip()) for each in (line, second)))
        first = json.loads(line)
    except (OSError, ValueError, EOFError, zlib.error):
        return False
    if not isinstance(first, dict):
        return False
    nested = isinstance(first.get("translation"), dict)
    return nested or holds_translations(list(first), list(first.values()), objects=True)
