"""Files with a word and its tag a line: the CoNLL formats, tab-separated tables, CoNLL-U."""

from __future__ import annotations

import gzip
import re
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from gatewise.errors import DataError, did_you_mean
from gatewise.kinds.tagging.sentences import ColumnsRead, Sentence, TaggedSentences
from gatewise.words import plural

__all__ = ["Rows", "holds_columns", "read_columns", "sentences_of"]

_WORD_NAMES = ("form", "word", "words", "token", "tokens", "text")
_OTHER_NAMES = (
    "id", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc", "pos", "pos_tag", "chunk", "chunk_tag",
    "tag", "tags", "ner", "ner_tag", "ner_tags", "label", "labels", "entity", "sentence", "sentence_id",
)  # fmt: skip
_UNIVERSAL = ("ID", "FORM", "LEMMA", "UPOS", "XPOS", "FEATS", "HEAD", "DEPREL", "DEPS", "MISC")
_GLOBAL = re.compile(r"#\s*global\.columns\s*=\s*(.+)")
_DOCUMENT = "-DOCSTART-"
_SPACES = re.compile(r"[ \t]+")
_SPAN_TAG = re.compile(r"O|[BIESLU]-\S+")
_LOOKED_AT = 200
_LONG_SENTENCE = 500
_MANY_TAGS = 500
_ENOUGH = 20
_QUOTED = 60
_SIGNS = {",": "commas", ";": "semicolons", "|": "vertical bars", "_": "underscores", "/": "slashes"}
_METADATA = re.compile(r"#\s*[\w.:-]+\s+=\s")

Column = int | str


def holds_columns(path: Path) -> bool:
    """Whether a text, gzip or not, surely has a word and its span tag a line: a column of but O and B-, I- ... tags.

    Blank lines separate the sentences; of running text and of lists of words this is never true.
    """
    try:
        opened = gzip.open if path.suffix.lower() == ".gz" else open
        with opened(path, "rt", encoding="utf-8-sig") as file:
            lines = [line.split() for line in islice(file, _LOOKED_AT)]
    except (OSError, ValueError, EOFError, zlib.error):
        return False
    rows = [line for line in lines if line and line[0] != _DOCUMENT]
    if len(rows) < _ENOUGH or len(rows) == len(lines) or len({len(row) for row in rows}) != 1:
        return False
    columns = [[row[place] for row in rows] for place in range(1, len(rows[0]))]
    return any("O" in column and all(map(_SPAN_TAG.fullmatch, column)) for column in columns)


@dataclass
class Rows:
    """A file's content lines, cut into sentences.

    Attributes:
        sentences: per sentence its rows (line number, fields).
        names: the columns' names, where the file gives them.
        comments, documents, skipped: counts of lines without a word.
    """

    sentences: list[list[tuple[int, list[str]]]] = field(default_factory=list)
    names: tuple[str, ...] = ()
    comments: int = 0
    documents: int = 0
    skipped: int = 0
    notes: list[str] = field(default_factory=list)


def read_columns(
    lines: Sequence[str],
    place: str,
    *,
    words: Column | None = None,
    tags: Column | None = None,
    tags_needed: bool = True,
) -> TaggedSentences:
    """Read sentences from columns; an empty line ends a sentence.

    Columns are separated by tabs where every line has one, else by spaces or tabs. A column is chosen by its number
    (from 1; negative from the end) or by its name where the file has a header line or ``# global.columns``. Where
    none is chosen: words are the column named like one, else the first that is not a running number; tags are the
    last column that is not constant. Both are noted.

    Args:
        lines: the file's lines.
        place: the file, for messages.
        words: the words' column.
        tags: the tags' column.
        tags_needed: False: only words are read, and one column is enough.

    Raises:
        DataError: no sentence, lines of unequal length, a missing column, an empty word or tag.

    Example:
        >>> read = read_columns(["EU NNP B-ORG", "rejects VBZ O", "", "Bonn NNP B-LOC"], "a.txt")
        >>> read.sentences[1]
        Sentence(words=('Bonn',), tags=('B-LOC',), line=4, lines=())
        >>> read.notes
        ('tags are read from column 3 of 3, the last that is not constant',)
    """
    return sentences_of(_split(lines, place, (words, tags)), place, words=words, tags=tags, tags_needed=tags_needed)


def sentences_of(
    rows: Rows, place: str, *, words: Column | None = None, tags: Column | None = None, tags_needed: bool = True
) -> TaggedSentences:
    """The sentences of rows in columns; the arguments and errors are those of `read_columns`."""
    if not rows.sentences:
        raise DataError(f"{place} holds no sentence", expected="a word and its tag a line, an empty line between")
    count = _check_counts(rows, place, (words, tags), tags_needed)
    word_column = _word_column(rows, place, words, count)
    tag_column = _tag_column(rows, place, tags, count, word_column) if tags_needed else None
    sentences = tuple(_sentence(sentence, place, word_column, tag_column) for sentence in rows.sentences)
    notes = [*rows.notes, *_count_notes(rows, sentences, place), *_header_notes(rows, sentences, place)]
    numbers = ColumnsRead(
        (word_column if word_column >= 0 else count + word_column) + 1,
        None if tag_column is None else (tag_column if tag_column >= 0 else count + tag_column) + 1,
        count,
        rows.names,
    )
    return TaggedSentences(sentences, place, tuple(notes), numbers)


def _header_notes(rows: Rows, sentences: Sequence[Sentence], place: str) -> list[str]:
    """A note on a first line whose tag, unlike all others, no other line has: it may be a header."""
    first = sentences[0]
    counts = Counter(tag for sentence in sentences for tag in sentence.tags)
    once = [tag for tag, count in counts.items() if count == 1]
    if rows.names or not first.tags or sum(counts.values()) < _ENOUGH or once != [first.tags[0]]:
        return []
    return [
        f"line {first.line_of(0)} of {place} is read as the word {first.words[0]!r} with the tag {first.tags[0]!r}, "
        f"which no other line has: if it is a header, give --tags {first.tags[0]}"
    ]


def _split(lines: Sequence[str], place: str, chosen: tuple[Column | None, Column | None]) -> Rows:
    rows = Rows()
    universal = place.removesuffix(".gz").endswith((".conllu", ".conllup"))
    if universal:
        rows.names = _UNIVERSAL
    tabbed = _tabbed(lines, rows, place)
    most_frequent = _most_frequent_count(lines, tabbed)
    current: list[tuple[int, list[str]]] = []
    first = True
    for number, line in enumerate(lines, start=1):
        if not line.strip(" \t"):
            if current:
                rows.sentences.append(current)
                current = []
            continue
        if line.startswith("#") and (match := _GLOBAL.match(line)):
            rows.names, universal = tuple(match[1].split()), True
            continue
        fields = line.split("\t") if tabbed else _SPACES.split(line.strip(" \t"))
        named = _METADATA.match(line) is not None
        if line.startswith("#") and not current and (universal or named or len(fields) != most_frequent):
            rows.comments += 1
            continue
        if fields[0] == _DOCUMENT:
            rows.documents += 1
            if current:
                rows.sentences.append(current)
                current = []
            continue
        if first and not rows.names and _header(fields, chosen):
            rows.names, first = tuple(fields), False
            rows.notes.append(f"line {number} is read as a header: {', '.join(fields)}")
            continue
        first = False
        if universal and re.fullmatch(r"\d+[-.]\d+", fields[0]):
            rows.skipped += 1  # a range of surface forms (1-2) or an empty node (8.1), next to its words
            continue
        current.append((number, fields))
    if current:
        rows.sentences.append(current)
    return rows


def _tabbed(lines: Sequence[str], rows: Rows, place: str) -> bool:
    """Whether tabs alone separate: every line of content that is no comment has one."""
    content = [line for line in lines if line.strip(" \t") and not line.startswith(("#", _DOCUMENT))]
    with_tab = sum("\t" in line for line in content)
    if with_tab and with_tab < len(content) and any(" " in line.strip() for line in content if "\t" not in line):
        rows.notes.append(
            f"{place} separates columns by tabs in {plural(with_tab, 'line')} and by spaces in others: "
            "both are accepted"
        )
        return False
    return with_tab > 0


def _most_frequent_count(lines: Sequence[str], tabbed: bool) -> int:
    """The most frequent number of columns: a line that begins with '#' and has another one is a comment."""
    content = (line for line in lines if line.strip(" \t") and not line.startswith("#"))
    counts = Counter(len(line.split("\t") if tabbed else _SPACES.split(line.strip(" \t"))) for line in content)
    return counts.most_common(1)[0][0] if counts else 0


def _header(fields: list[str], chosen: tuple[Column | None, Column | None]) -> bool:
    """Whether the first line names the columns: it holds a requested name, or only common ones."""
    if any(isinstance(name, str) and name in fields for name in chosen):
        return True
    folded = [name.casefold() for name in fields]
    common = (*_WORD_NAMES, *_OTHER_NAMES)
    return len(folded) > 1 and all(name in common for name in folded) and any(name in _WORD_NAMES for name in folded)


def _check_counts(rows: Rows, place: str, chosen: tuple[Column | None, Column | None], tags_needed: bool) -> int:
    """The number of columns; every line has as many, or at least those that were chosen by number."""
    counts = Counter(len(fields) for sentence in rows.sentences for _, fields in sentence)
    count = counts.most_common(1)[0][0]
    if count == 1 and tags_needed:
        raise _one_column(rows, place)
    if len(counts) == 1:
        return count
    reach = [column if column > 0 else -column for column in chosen if isinstance(column, int)]
    if len(reach) == 1 + tags_needed and all(length >= max(reach) for length in counts):
        other = sum(number for length, number in counts.items() if length != count)
        rows.notes.append(f"{plural(other, 'line')} of {place} have another number of columns than {count}: still read")
        return count
    for sentence in rows.sentences:
        for number, fields in sentence:
            if len(fields) != count:
                raise DataError(
                    f"{place}: line {number} has {plural(len(fields), 'column')}",
                    expected=f"{count}, as {plural(counts[count], 'line')} of the file have",
                    got=repr("\t".join(fields)[:80]),
                    fix="complete the line, or separate the columns by tabs where words hold spaces",
                )
    raise AssertionError("unequal counts without an unequal line")


def _one_column(rows: Rows, place: str) -> DataError:
    """The error of a file without a second column; it names the sign that seems to separate columns."""
    lines = [(number, " ".join(fields)) for sentence in rows.sentences for number, fields in sentence]
    number, first = lines[0]
    sign = next((sign for sign in _SIGNS if 10 * sum(sign in line for _, line in lines) >= 9 * len(lines)), None)
    return DataError(
        f"{place}: line {number} has one column, so there are no tags"
        if sign is None
        else f"{place}: its columns seem to be separated by {sign!r}",
        expected="a word and its tag in a line, separated by a space or a tab, and an empty line after each sentence",
        got=repr(first if len(first) <= _QUOTED else first[:_QUOTED] + " ..."),
        fix="add a column with the tags" if sign is None else f"replace the {_SIGNS[sign]} between columns by tabs",
    )


def _resolve(rows: Rows, place: str, column: Column, count: int, what: str) -> int:
    """Index of a chosen column, from 0; negative from the end."""
    if isinstance(column, str):
        if not rows.names:
            raise DataError(
                f"{place} has no header, so there is no column named {column!r}",
                expected=f"the number of the {what} column, 1 to {count} or -1 to -{count}",
                fix="give the number, or put a header line with the columns' names at the top",
            )
        if column not in rows.names:
            raise DataError(
                f"{place} has no column {column!r}",
                expected=f"one of: {', '.join(rows.names)}",
                fix=did_you_mean(column, rows.names),
            )
        return rows.names.index(column)
    if column == 0 or abs(column) > count:
        raise DataError(
            f"{place} has no column {column} for the {what}",
            expected=f"1 to {count}, or -1 to -{count} from the end",
            fix="count the columns of a line from 1",
        )
    return column - 1 if column > 0 else column


def _word_column(rows: Rows, place: str, words: Column | None, count: int) -> int:
    if words is not None:
        return _resolve(rows, place, words, count, "word")
    for index, name in enumerate(rows.names):
        if name.casefold() in _WORD_NAMES:
            return index
    numbered = all(
        [fields[0] for _, fields in sentence] in (_running(sentence, 0), _running(sentence, 1))
        for sentence in rows.sentences
    )
    if count > 1 and numbered and sum(map(len, rows.sentences)) > len(rows.sentences):
        rows.notes.append(f"words are read from column 2 of {count}: column 1 numbers them")
        return 1
    return 0


def _running(sentence: list[tuple[int, list[str]]], start: int) -> list[str]:
    return [str(number) for number in range(start, start + len(sentence))]


def _tag_column(rows: Rows, place: str, tags: Column | None, count: int, word_column: int) -> int:
    if tags is not None:
        chosen = _resolve(rows, place, tags, count, "tag")
        if chosen % count == word_column % count:
            raise DataError(f"{place}: words and tags are the same column", got=tags, fix="choose another tag column")
    else:
        chosen = _last_that_varies(rows, place, count, word_column)
    distinct, others = (
        len({fields[column] for sentence in rows.sentences for _, fields in sentence})
        for column in (chosen, word_column)
    )
    if distinct > _MANY_TAGS:
        tag, word = chosen % count + 1, word_column % count + 1
        note = f"column {tag} of {place} holds {distinct:,} different tags: is it the tags?"
        if others < distinct:
            note += f" Column {word} holds {others:,}: --words {tag} --tags {word} exchanges them"
        rows.notes.append(note)
    return chosen


def _last_that_varies(rows: Rows, place: str, count: int, word_column: int) -> int:
    if rows.names == _UNIVERSAL and count == len(_UNIVERSAL):
        rows.notes.append("tags are read from UPOS, column 4 of CoNLL-U")
        return 3
    after = [index for index in range(count) if index > word_column]
    if not after:
        raise DataError(
            f"{place} has no column after the words", expected="a column with the tags", fix="choose the tag column"
        )
    first = rows.sentences[0][0][1]
    for index in reversed(after):
        if any(fields[index] != first[index] for sentence in rows.sentences for _, fields in sentence):
            named = f" ({rows.names[index]})" if len(rows.names) == count else ""
            rows.notes.append(f"tags are read from column {index + 1} of {count}{named}, the last that is not constant")
            return index
    chosen = after[0] if len(after) == 1 else after[-1]
    rows.notes.append(f"tags are read from column {chosen + 1} of {count}, where every word has {first[chosen]!r}")
    return chosen


def _sentence(rows: list[tuple[int, list[str]]], place: str, word_column: int, tag_column: int | None) -> Sentence:
    words = tuple(fields[word_column].strip(" ") for _, fields in rows)
    tags = () if tag_column is None else tuple(fields[tag_column].strip(" ") for _, fields in rows)
    for what, column in (("word", words), ("tag", tags)):
        if "" in column:
            raise DataError(
                f"{place}: line {rows[column.index('')][0]} has an empty {what}",
                expected=f"a {what} in every line of a sentence",
                fix="fill it in, or remove the line",
            )
    first, last = rows[0][0], rows[-1][0]
    apart = last - first + 1 != len(rows)
    return Sentence(words, tags, first, tuple(number for number, _ in rows) if apart else ())


def _count_notes(rows: Rows, sentences: Sequence[Sentence], place: str) -> list[str]:
    notes = []
    if rows.documents:
        notes.append(f"{plural(rows.documents, '-DOCSTART- line')} of {place} skipped")
    if rows.comments:
        notes.append(f"{plural(rows.comments, 'comment line')} of {place} skipped")
    if rows.skipped:
        notes.append(f"{plural(rows.skipped, 'line')} of {place} skipped: surface ranges and empty nodes of CoNLL-U")
    if len(sentences) == 1 and len(sentences[0]) > _LONG_SENTENCE:
        notes.append(
            f"{place} has no empty line: its {len(sentences[0]):,} words are one sentence; "
            "put an empty line between sentences"
        )
    return notes
