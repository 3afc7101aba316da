"""Read sentences with tags from a file of any common format."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from gatewise.data.text_files import read_lines
from gatewise.errors import DataError, OptionError
from gatewise.kinds.tagging.bracketed import read_bracketed
from gatewise.kinds.tagging.columns import Column, read_columns
from gatewise.kinds.tagging.joined import read_joined
from gatewise.kinds.tagging.json_lines import read_json_lines
from gatewise.kinds.tagging.sentence_tables import holds_sentence_table, read_sentence_table
from gatewise.kinds.tagging.sentences import ColumnsRead, Sentence, TaggedSentences
from gatewise.words import plural

__all__ = ["Sentence", "TaggedSentences", "read_tagged"]

_LONG_WORD = 100


def read_tagged(
    path: str | Path,
    *,
    words: Column | None = None,
    tags: Column | None = None,
    tags_needed: bool = True,
    like: ColumnsRead | None = None,
) -> TaggedSentences:
    """Read a file of tagged sentences: columns, tables, CoNLL-U, JSON lines, or words joined with tags; plain or gzip.

    The format follows from the ending (``.jsonl``, ``.ndjson``, ``.json``, ``.conllu``), the first character, the head
    of a table (``Sentence #,Word,POS,Tag``), or words that end in a slash and a tag (``EU/NNP``, in brackets or not:
    `gatewise.kinds.tagging.bracketed`); all else is columns,
    see :func:`gatewise.kinds.tagging.columns.read_columns`. Words are never changed or shortened.

    Args:
        path: the file.
        words: column of the words by number (from 1; negative from the end) or name; for JSON lines the key.
        tags: column or key of the tags. None: derived, and noted.
        tags_needed: False: only words are needed, as for prediction.
        like: columns of a file of the same data, for those that are not given; without meaning where there are none.

    Raises:
        DataError: the file or a line of it cannot be used.
        OptionError: a number was given for a file of JSON lines.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.txt"
        >>> _ = path.write_text("EU B-ORG 0\\nrejects O 0\\n\\nBonn B-LOC 0\\n")
        >>> read = read_tagged(path)
        >>> len(read), read.word_count, read.sentences[0].tags, read.columns.tags
        (2, 3, ('B-ORG', 'O'), 2)
    """
    path = Path(path)
    if holds_sentence_table(path):
        table = read_sentence_table(path, words=words, tags=tags, tags_needed=tags_needed)
        return replace(table, notes=(*table.notes, *_long_words(table)))
    lines = read_lines(path, "sentences: a word and its tag a line")
    place = str(path)
    start = next((line.lstrip() for line in lines if line.strip()), "")
    if place.removesuffix(".gz").endswith((".jsonl", ".ndjson", ".json")) or start.startswith('{"'):
        if start.startswith("["):
            raise DataError(
                f"{place} is one JSON list",
                expected="one JSON object a line",
                fix=f"convert it: jq -c '.[]' {path} > converted.jsonl",
            )
        for column in (words, tags):
            if isinstance(column, int):
                raise OptionError(f"{place} has keys and no columns", got=column, fix="give the key's name")
        keys = {"words": words, "tags": tags}
        read = read_json_lines(lines, place, tags_needed=tags_needed, **keys)  # type: ignore[arg-type]
    elif (joined := _joined(lines, place, unused=words is not None or tags is not None)) is not None:
        read = joined
    else:
        if like is not None:
            words, tags = like.words if words is None else words, like.tags if tags is None else tags
        read = read_columns(lines, place, words=words, tags=tags, tags_needed=tags_needed)
    return replace(read, notes=(*read.notes, *_long_words(read)))


def _joined(lines: list[str], place: str, *, unused: bool) -> TaggedSentences | None:
    """Words that are joined with their tags, in brackets or not; None: they are not."""
    found = read_bracketed(lines, place, unused=unused)
    return read_joined(lines, place, unused=unused) if found is None else found


def _long_words(read: TaggedSentences) -> list[str]:
    """A note on very long words: they are kept, the network reads their first and last characters."""
    lengths = [
        (len(word), sentence, at)
        for sentence in read.sentences
        for at, word in enumerate(sentence.words)
        if len(word) > _LONG_WORD
    ]
    if not lengths:
        return []
    length, sentence, at = max(lengths, key=lambda each: each[0])
    return [
        f"{plural(len(lengths), 'word')} of {read.place} {'is' if len(lengths) == 1 else 'are'} longer than "
        f"{_LONG_WORD} characters, the longest {length:,} (line {sentence.line_of(at)}): kept whole, "
        "of which a network reads the first and the last characters only"
    ]
