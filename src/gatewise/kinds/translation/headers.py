"""What the names of a table's columns say of sentences and their translations: one table of rules."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from gatewise.kinds.translation.languages import is_code, language_columns

__all__ = ["Header", "holds_translations", "read_header"]

_PAIRS = (("source", "target"), ("src", "tgt"), ("src", "trg"), ("source", "translation"))
_OBJECT_PAIRS = (("text", "translation"),)
_OTHER_PAIRS = (
    *(("source_text", "target_text"), ("src_text", "tgt_text"), ("source_sentence", "target_sentence")),
    *(("original", "translation"), ("original", "translated"), ("sentence", "translation")),
    *(("sentences", "translations"), ("satz", "übersetzung")),
    *(("phrase", "traduction"), ("frase", "traducción"), ("frase", "traduzione"), ("frase", "tradução")),
)
"""Names of columns whose order is known, of tables that are translation only where their content says so."""
_ANSWERS = (("question", "answer"), ("prompt", "response"), ("input", "output"))
"""Names whose order is known, too, but of tables that are hardly ever translation."""
_NUMBERED = re.compile(r"([^\W\d]*?)[ _-]?(\d+)")
_ROW_NUMBERS = {"", "id", "nr", "no", "number", "index", "row"}


class Header(NamedTuple):
    """Names of columns that a rule knows.

    Attributes:
        rule: that knows them.
        places: of the columns of sentences, in order: two are source and target; none: the names do not say which.
    """

    rule: Rule
    places: list[int]


class Rule(NamedTuple):
    """Names by which columns of sentence pairs are called.

    Attributes:
        places: from the names, folded and as they stand, to the columns of sentences; None: they are other names.
        claims: whether a table with such names is translation by itself.
        claims_objects: whether a line of JSON with such keys is.
        claims_sentences: whether a table of nothing but two columns of sentences is.
        alone: whether other columns than numbers of rows, or values without words, mean something else: languages may
            be marks at school, or features of a text.
    """

    places: Callable[[list[str], Sequence[str]], list[int] | None]
    claims: bool = False
    claims_objects: bool = False
    claims_sentences: bool = True
    alone: bool = False


def _pair_of(pairs: Sequence[tuple[str, str]]) -> Callable[[list[str], Sequence[str]], list[int] | None]:
    def places(folded: list[str], names: Sequence[str]) -> list[int] | None:
        return next(([folded.index(one) for one in pair] for pair in pairs if set(pair) <= set(folded)), None)

    return places


def _languages(folded: list[str], names: Sequence[str]) -> list[int] | None:
    return language_columns(names) or None


def _codes(folded: list[str], names: Sequence[str]) -> list[int] | None:
    codes = len(names) >= 2 and all(map(is_code, names)) and len(set(folded)) == len(folded)
    return list(range(len(names))) if codes else None


def _numbered(folded: list[str], names: Sequence[str]) -> list[int] | None:
    """``sentence1,sentence2`` and ``0,1``: names that are numbered in order."""
    found = [_NUMBERED.fullmatch(name) for name in folded]
    if len(found) != 2 or None in found or len({match[1] for match in found if match}) != 1:
        return None
    first, second = (int(match[2]) for match in found if match)
    return [0, 1] if second == first + 1 else None


def _one_side(folded: list[str], names: Sequence[str]) -> list[int] | None:
    known = {name for pair in (*_PAIRS, *_OBJECT_PAIRS) for name in pair}
    return [] if known & set(folded) else None


_RULES = (
    Rule(_pair_of(_PAIRS), claims=True, claims_objects=True),
    Rule(_pair_of(_OBJECT_PAIRS), claims_objects=True),
    Rule(_languages, claims=True, claims_objects=True, alone=True),
    Rule(_codes),  # `id` and `no` are codes, too
    Rule(_pair_of(_OTHER_PAIRS)),
    Rule(_pair_of(_ANSWERS), claims_sentences=False),
    Rule(_numbered),
    Rule(_one_side, claims_sentences=False),
)
"""The first that knows the names holds."""


def read_header(names: Sequence[str]) -> Header | None:
    """What the names of columns say; None: these are no names of columns of sentence pairs, but perhaps a pair.

    Example:
        >>> read_header(["id", "Target", "source"]).places, read_header(["en_US", "de_DE", "fr_FR"]).places
        ([2, 1], [0, 1, 2])
        >>> read_header(["a dog", "ein Hund"]) is None
        True
    """
    plain = [name.strip().strip('"') for name in names]
    folded = [name.casefold() for name in plain]
    for rule in _RULES:
        places = rule.places(folded, plain)
        if places is not None:
            return Header(rule, places)
    return None


def holds_translations(names: Sequence[str], values: Sequence[object], *, objects: bool = False) -> bool:
    """Whether columns of these names are translation by themselves.

    Args:
        names: of the columns, or keys of an object.
        values: of the first row.
        objects: whether they are of a line of JSON.

    Example:
        >>> holds_translations(["en", "de", "fr"], ["a dog", "ein Hund", "un chien"])
        True
        >>> holds_translations(["student", "english", "german"], ["Ann", "1", "2"])
        False
    """
    header = read_header(names)
    if header is None or not (header.rule.claims_objects if objects else header.rule.claims):
        return False
    if objects and not all(place < len(values) and isinstance(values[place], str) for place in header.places):
        return False
    if not header.rule.alone:
        return True
    others = {name.strip().strip('"').casefold() for place, name in enumerate(names) if place not in header.places}
    words = [any(sign.isalpha() for sign in str(values[place])) for place in header.places if place < len(values)]
    return others <= _ROW_NUMBERS and len(words) == len(header.places) and all(words)
