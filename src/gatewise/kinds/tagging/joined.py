r"""Words that are joined with their tags, a sentence a line: ``EU/NNP rejects/VBZ``, as Brown and Penn Treebank are."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from gatewise.kinds.tagging.bracketed import unbracketed, untagged
from gatewise.kinds.tagging.sentences import Sentence, TaggedSentences
from gatewise.words import plural

__all__ = ["holds_joined", "read_joined"]

_JOINED = re.compile(r"(.+)(?<!\\)/(.+)", re.DOTALL)
_TAG = re.compile(r"[^\s/\d][^\s/]{0,11}")
_LOOKED_AT = 200
_ENOUGH = 20
_SHARE = 0.9


def holds_joined(path: Path) -> bool:
    """Whether a text, gzip or not, surely has words with their tags: every one ends in a slash and a tag.

    Tags are short, few and begin with no digit; most are no words of the text, whose words begin with letters and
    hardly ever hold a slash. So lists of paths, addresses, dates, units or alternatives are none. Phrases in brackets
    may be among them, see `gatewise.kinds.tagging.bracketed`.
    """
    try:
        opened = gzip.open if path.suffix.lower() == ".gz" else open
        with opened(path, "rt", encoding="utf-8-sig") as file:
            lines = [line.split() for line in islice(file, _LOOKED_AT)]
    except (OSError, ValueError, EOFError, zlib.error):
        return False
    bare = unbracketed(lines)
    pieces = [piece for line in bare or lines for piece in line]
    cut = [_JOINED.fullmatch(piece) for piece in pieces]
    if len(pieces) < _ENOUGH or not (bare or _in_lines(lines)) or not all(cut):
        return False
    words, tags = zip(*(match.groups() for match in cut if match is not None), strict=True)
    kinds = set(tags)
    if not all(map(_TAG.fullmatch, kinds)) or 2 * len(kinds) > len(tags) or 2 * len(kinds - {*words}) < len(kinds):
        return False
    cut_again = sum("/" in word.replace("\\/", "").strip("/") for word in words)
    lettered = [sum(piece[0].isalpha() for piece in pieces) for pieces in (words, tags)]
    return min(lettered) >= len(tags) / 2 and 10 * cut_again <= len(tags)


def read_joined(lines: Sequence[str], place: str, *, unused: bool = False) -> TaggedSentences | None:
    r"""Read sentences of words with their tags, a sentence a line; None: the lines are of another form.

    The last slash of a piece separates word and tag, but none after a backslash; ``\/`` in a word is a slash.

    Args:
        lines: of the file.
        place: the file, for messages.
        unused: whether columns were asked for, which such a file has not.

    Raises:
        DataError: most words have tags, and one has none.

    Example:
        >>> read = read_joined([r"It/PRP fell/VBD 1\/2/CD //SYM ./.", "Up/RB"], "a.pos")
        >>> read.sentences[0].words, read.sentences[0].tags
        (('It', 'fell', '1/2', '/', '.'), ('PRP', 'VBD', 'CD', 'SYM', '.'))
    """
    cut = [line.split() for line in lines]
    total = sum(map(len, cut))
    matched = sum(_JOINED.fullmatch(piece) is not None for pieces in cut for piece in pieces)
    if not total or not _in_lines(cut) or matched < _SHARE * total:
        return None
    sentences = []
    for number, pieces in enumerate(cut, start=1):
        if not pieces:
            continue
        words, tags = [], []
        for piece in pieces:
            match = _JOINED.fullmatch(piece)
            if match is None:
                raise untagged(place, number, piece)
            words.append(match[1].replace("\\/", "/"))
            tags.append(match[2].replace("\\/", "/"))
        sentences.append(Sentence(tuple(words), tuple(tags), number, (number,) * len(words)))
    notes = [
        f"{place} has words that are joined with their tags by slashes, a sentence a line: "
        f"{plural(len(sentences), 'sentence')}"
    ]
    if unused:
        notes.append(f"{place} has no columns: --words and --tags are not used")
    return TaggedSentences(tuple(sentences), place, tuple(notes))


def _in_lines(lines: Sequence[Sequence[str]]) -> bool:
    """Whether a line is a sentence and no single word: at least half of them have several words."""
    filled = [line for line in lines if line]
    return 2 * sum(len(line) > 1 for line in filled) >= len(filled)
