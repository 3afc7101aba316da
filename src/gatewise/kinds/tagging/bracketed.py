r"""Words with their tags and brackets around noun phrases, as the Penn Treebank's ``.pos`` files have them.

::

    ======================================

    [ Pierre/NNP Vinken/NNP ]
    ,/,
    [ 61/CD years/NNS ]
    old/JJ ,/, will/MD join/VB
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from gatewise.errors import DataError
from gatewise.kinds.tagging.sentences import Sentence, TaggedSentences
from gatewise.words import plural

__all__ = ["read_bracketed", "unbracketed", "untagged"]

_RULE = re.compile(r"={3,}")
_HEADER = "*x*"
_BRACKETS = ("[", "]")
_ENDS, _CLOSES = ".", frozenset((".", "''", '"', ")", "-RRB-"))
_SHARE = 10
_TAGGED = 0.9
_QUOTED = 60
_PIECE = re.compile(r"(.+)(?<!\\)/(.+)", re.DOTALL)


def unbracketed(lines: Sequence[Sequence[str]]) -> list[list[str]] | None:
    """The pieces of lines without brackets and rules; None: hardly any line is a phrase in brackets.

    Example:
        >>> unbracketed([["==="], ["[", "the/DT", "jury/NN", "]"], ["said/VBD", "./."]])
        [[], ['the/DT', 'jury/NN'], ['said/VBD', './.']]
        >>> unbracketed([["a/DT", "b/NN"]]) is None
        True
    """
    phrases = sum(len(line) > 2 and (line[0], line[-1]) == _BRACKETS for line in lines)
    if not phrases or _SHARE * phrases < sum(map(bool, lines)):
        return None
    return [[] if _is_border(line) else [piece for piece in line if piece not in _BRACKETS] for line in lines]


def _is_border(line: Sequence[str]) -> bool:
    """Whether a line is blank, a rule, or one of the comments at the head of Brown's files."""
    return not line or line[0].startswith(_HEADER) or (len(line) == 1 and _RULE.fullmatch(line[0]) is not None)


def read_bracketed(lines: Sequence[str], place: str, *, unused: bool = False) -> TaggedSentences | None:
    r"""Read sentences of bracketed words with their tags; None: the lines are of another form.

    A sentence ends at a blank line, at a rule of ``=``, and after a word with the tag ``.`` and closing quotes, unless
    the next word begins with a small letter (``"Why ?" he asked``). The brackets are not read. Of several tags
    (``JJ|NN``) the first is; ``\/`` and ``\*`` in a word are a slash and an asterisk.

    Args:
        lines: of the file.
        place: the file, for messages.
        unused: whether columns were asked for, which such a file has not.

    Raises:
        DataError: nine of ten words have tags, and one has none.

    Example:
        >>> read = read_bracketed([r"[ The/DT 1\/2/CD ]", "rose/VBD ./. But/CC", "[ it/PRP ]", "fell/VBD ./."], "a.pos")
        >>> [sentence.words for sentence in read.sentences]
        [('The', '1/2', 'rose', '.'), ('But', 'it', 'fell', '.')]
    """
    pieces = unbracketed([line.split() for line in lines])
    matched = [[_PIECE.fullmatch(piece) for piece in line] for line in pieces or ()]
    cut = [match is not None for line in matched for match in line]
    if not cut or sum(cut) < _TAGGED * len(cut):
        return None
    found: list[list[tuple[str, str, int]]] = [[]]
    ended, several = False, 0
    for number, line in enumerate(matched, start=1):
        if not line:
            ended = True
            found.append([])
        for match in line:
            if match is None:
                raise untagged(place, number, lines[number - 1])
            word, written = match[1].replace("\\/", "/").replace("\\*", "*"), match[2].replace("\\/", "/")
            tag = written.partition("|")[0] or written
            several += tag != written
            if ended and tag not in _CLOSES and not word[0].islower():
                found.append([])
                ended = False
            found[-1].append((word, tag, number))
            ended = tag == _ENDS or (ended and tag in _CLOSES)
    sentences = tuple(_sentence(rows) for rows in found if rows)
    notes = [
        f"{place} has words that are joined with their tags by slashes, and phrases in brackets, which are not read: "
        f"{plural(len(sentences), 'sentence')}"
    ]
    if several:
        notes.append(f"{plural(several, 'word')} of {place} with several tags (such as JJ|NN): the first is read")
    if unused:
        notes.append(f"{place} has no columns: --words and --tags are not used")
    return TaggedSentences(sentences, place, tuple(notes))


def untagged(place: str, number: int, got: str) -> DataError:
    """The error of a word without a tag among words that are joined with theirs."""
    return DataError(
        f"{place}: line {number} has a word without a tag",
        expected="word/TAG, as elsewhere in the file",
        got=repr(got[:_QUOTED]),
        fix="add its tag after a slash",
    )


def _sentence(rows: Sequence[tuple[str, str, int]]) -> Sentence:
    words, tags, lines = zip(*rows, strict=True)
    return Sentence(words, tags, lines[0], lines)
