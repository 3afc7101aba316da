"""Files with a JSON object a line: words with tags, or a text with its entities."""

from __future__ import annotations

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gatewise.errors import DataError, did_you_mean
from gatewise.kinds.tagging.sentences import Sentence, TaggedSentences
from gatewise.kinds.tagging.tokenisation import tokenise
from gatewise.words import plural

__all__ = ["holds_tags", "read_json_lines"]

_FORMS = '{"tokens": [...], "tags": [...]} or {"text": "...", "entities": [{"start": 0, "end": 2, "label": "ORG"}]}'


def holds_tags(path: Path) -> bool:
    """Whether the first line of a file is an object with lists called tokens and tags, or a text and its entities."""
    try:
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8-sig") as file:
            first = json.loads(next((line for line in file if line.strip()), "null"))
    except (OSError, ValueError, EOFError, zlib.error):
        return False
    if not isinstance(first, dict):
        return False
    pairs = (("tokens", "tags"), ("entities", "entities"))
    return any(all(isinstance(first.get(key), list) for key in pair) for pair in pairs)


@dataclass
class _Repairs:
    """What was omitted or changed, with the first line where it happened."""

    counts: Counter[str] = field(default_factory=Counter)
    first: dict[str, int] = field(default_factory=dict)

    def add(self, what: str, number: int) -> None:
        self.counts[what] += 1
        self.first.setdefault(what, number)

    def notes(self, place: str) -> list[str]:
        return [
            f"{place}: {count:,} x {what} (first in line {self.first[what]})" for what, count in self.counts.items()
        ]


def read_json_lines(
    lines: Sequence[str],
    place: str,
    *,
    words: str | None = None,
    tags: str | None = None,
    tags_needed: bool = True,
) -> TaggedSentences:
    """Read one sentence from each line.

    ``{"tokens": [...], "tags": [...]}`` is taken as it is. ``{"text": ..., "entities": [{"start", "end", "label"}]}``
    (characters from 0, end excluded) is cut by `tokenise`; an entity that begins or ends inside a word is widened to
    the whole word, of two that overlap the longer stays, and the tags become IOB2. Other keys are not read.

    Args:
        lines: the file's lines.
        place: the file, for messages.
        words: the key of the words in place of ``tokens``.
        tags: the key of the tags in place of ``tags``.
        tags_needed: False: lines without tags or entities are accepted and their tags left empty.

    Raises:
        DataError: not JSON, missing or wrong keys, lists of unequal length, an entity outside the text.

    Example:
        >>> line = '{"text": "EU rejects it", "entities": [{"start": 0, "end": 2, "label": "ORG"}]}'
        >>> read_json_lines([line], "a.jsonl").sentences[0]
        Sentence(words=('EU', 'rejects', 'it'), tags=('B-ORG', 'O', 'O'), line=1, lines=(1, 1, 1))
    """
    repairs = _Repairs()
    keys = (words or "tokens", tags or "tags")
    sentences = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        record = _record(line, f"{place}: line {number}")
        if keys[0] in record:
            pair = _from_tokens(record, keys, f"{place}: line {number}", tags_needed)
        elif "text" in record and words is None:
            pair = _from_text(record, f"{place}: line {number}", tags_needed, number, repairs)
        else:
            raise DataError(
                f"{place}: line {number} has neither {keys[0]!r} nor 'text'",
                expected=_FORMS,
                got=f"keys {', '.join(record) or '(none)'}",
                fix=did_you_mean(keys[0], record) if record else "write one of the two forms",
            )
        for key in record:
            if key not in (*keys, "text", "entities"):
                repairs.add(f"key {key!r} not read", number)
        if pair[0]:
            sentences.append(Sentence(*pair, number, (number,) * len(pair[0])))
        else:
            repairs.add("sentence without words skipped", number)
    if not sentences:
        raise DataError(f"{place} holds no sentence", expected=_FORMS)
    return TaggedSentences(tuple(sentences), place, tuple(repairs.notes(place)))


def _record(line: str, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (json.JSONDecodeError, RecursionError) as error:
        raise DataError(
            f"{where} is not JSON ({error})", expected=_FORMS, got=repr(line[:60]), fix="write one object a line"
        ) from error
    if not isinstance(record, dict):
        raise DataError(
            f"{where} is not a JSON object", expected=_FORMS, got=type(record).__name__, fix="write one object a line"
        )
    return record


def _from_tokens(
    record: Mapping[str, Any], keys: tuple[str, str], where: str, tags_needed: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    words = _strings(record[keys[0]], f"{where}: {keys[0]!r}")
    if keys[1] not in record:
        if not tags_needed:
            return words, ()
        raise DataError(
            f"{where} has no {keys[1]!r}",
            expected=f"one tag for each of {keys[0]!r}",
            got=f"keys {', '.join(record)}",
            fix=did_you_mean(keys[1], [key for key in record if key != keys[0]] or [keys[1]]),
        )
    tags = _strings(record[keys[1]], f"{where}: {keys[1]!r}")
    if len(words) != len(tags):
        raise DataError(
            f"{where} has {plural(len(words), 'word')} and {plural(len(tags), 'tag')}",
            expected="as many tags as words",
            fix="give each word one tag",
        )
    return words, tags


def _strings(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise DataError(f"{where} is not a list", expected="a list of strings", got=type(value).__name__)
    for position, each in enumerate(value, start=1):
        if not isinstance(each, str):
            raise DataError(
                f"{where}: entry {position} is not a string",
                expected="names, such as 'B-PER'" if isinstance(each, int) else "strings",
                got=repr(each)[:60],
                fix="write the tags' names in place of their numbers" if isinstance(each, int) else None,
            )
        if not each.strip():
            raise DataError(f"{where}: entry {position} is empty", expected="a string with at least one character")
    return tuple(value)


def _from_text(
    record: Mapping[str, Any], where: str, tags_needed: bool, number: int, repairs: _Repairs
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    text = record["text"]
    if not isinstance(text, str):
        raise DataError(f"{where}: 'text' is not a string", expected=_FORMS, got=type(text).__name__)
    tokens = tokenise(text)
    words = tuple(word for word, _, _ in tokens)
    if "entities" not in record:
        if not tags_needed:
            return words, ()
        raise DataError(
            f"{where} has a text and no 'entities'",
            expected=_FORMS,
            got=f"keys {', '.join(record)}",
            fix="give an empty list where the text has none",
        )
    entities = record["entities"]
    if not isinstance(entities, list):
        raise DataError(f"{where}: 'entities' is not a list", expected=_FORMS, got=type(entities).__name__)
    placed = [_entity(each, text, f"{where}: entity {position}") for position, each in enumerate(entities, start=1)]
    tags = ["O"] * len(tokens)
    for start, end, label in sorted(placed, key=lambda each: (each[0] - each[1], each[0])):
        inside = [at for at, (_, begin, stop) in enumerate(tokens) if begin < end and stop > start]
        if not inside:
            repairs.add("entity of only spaces left out", number)
            continue
        if any(tags[at] != "O" for at in inside):
            repairs.add("entity that overlaps a longer one left out", number)
            continue
        if (tokens[inside[0]][1], tokens[inside[-1]][2]) != (start, end):
            repairs.add("entity moved to the borders of whole words", number)
        for at in inside:
            tags[at] = f"I-{label}"
        tags[inside[0]] = f"B-{label}"
    return words, tuple(tags)


def _entity(value: Any, text: str, where: str) -> tuple[int, int, str]:
    keys = ("start", "end", "label")
    if not isinstance(value, dict) or any(key not in value for key in keys):
        got = f"keys {', '.join(value)}" if isinstance(value, dict) else repr(value)[:60]
        raise DataError(f"{where} is incomplete", expected='{"start": 0, "end": 2, "label": "ORG"}', got=got)
    start, end, label = (value[key] for key in keys)
    whole = all(isinstance(each, int) and not isinstance(each, bool) for each in (start, end))
    if not whole or not 0 <= start < end <= len(text):
        raise DataError(
            f"{where} does not lie in the text",
            expected=f"0 <= start < end <= {len(text)}, in characters",
            got=f"start {start!r}, end {end!r}",
            fix="count characters, not bytes, from 0; the end is excluded",
        )
    if not isinstance(label, str) or not label.strip():
        raise DataError(f"{where} has no label", expected="a name, such as 'ORG'", got=repr(label)[:60])
    return start, end, label
