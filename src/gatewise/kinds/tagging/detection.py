"""Which scheme a file's tags follow, and where they violate it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from gatewise.errors import DataError
from gatewise.kinds.tagging.schemes import LETTERS, spans, spans_as_conlleval, split_tag, to_tags
from gatewise.kinds.tagging.sentences import TaggedSentences
from gatewise.words import plural

__all__ = ["Repairs", "detect_scheme", "own_scheme", "repair_notes", "repaired", "repairs_of"]

_MARKED = re.compile(r"[BIESLU]-.+", re.DOTALL)
_BARE = frozenset("BIOESLU")
_FOREIGN = (
    (re.compile(r"[BIESLU][_/:|].+"), "B-PER in place of B_PER"),
    (re.compile(r".+[-_/][BIESLU]"), "B-PER in place of PER-B"),
    (re.compile(r"[bieslu]-.+"), "B-PER in place of b-per"),
    (re.compile(r"[MWNC]-.+"), "I- in place of M-, S- in place of W- (letters known: B, I, O, E, S, L, U)"),
)
_SHOWN = 20


def detect_scheme(read: TaggedSentences) -> tuple[str, list[str]]:
    """Find the scheme of a file from all its tags.

    Tags with E- or S- are iobes, with L- or U- bilou. With B-, I- and O alone it is iob1 or iob2, whichever the file
    breaks less often (iob2 where equal). Without any such tag they are plain.

    Returns:
        The scheme, and notes for the user.

    Raises:
        DataError: some tags mark spans and others do not; letters of two schemes; another notation (B_PER, PER-B).

    Example:
        >>> from gatewise.kinds.tagging.sentences import Sentence
        >>> detect_scheme(TaggedSentences((Sentence(("a", "b"), ("I-PER", "O"), 1),), "a.txt"))
        ('iob1', ['tags of a.txt follow iob1'])
    """
    distinct = dict.fromkeys(tag for sentence in read.sentences for tag in sentence.tags)
    bare = set(distinct) <= _BARE and "O" in distinct and len(distinct) > 1
    marked = {tag for tag in distinct if _MARKED.fullmatch(tag) or (bare and tag != "O")}
    others = [tag for tag in distinct if tag not in marked and tag != "O"]
    if not marked:
        return "plain", _plain_notes(read, others)
    if others:
        place = _first(read, others[0])
        raise DataError(
            f"{place}: tag {others[0]!r} fits none of the schemes, while {len(marked)} tags such as "
            f"{min(marked)!r} mark spans",
            expected="O, or B-, I-, E-, S-, L-, U- and a type",
            got=", ".join(sorted(others)[:_SHOWN]),
            fix=f"if the line is a header, give --tags {others[0]}"
            if others[0] == read.sentences[0].tags[0]
            else "correct the line, or choose another tag column",
        )
    letters = {split_tag(tag)[0] for tag in marked}
    if letters & set("ES") and letters & set("LU"):
        odd = next(tag for tag in distinct if split_tag(tag)[0] in "LU" and tag in marked)
        raise DataError(
            f"{_first(read, odd)}: tag {odd!r} is of BILOU, others of the file of IOBES",
            expected="E- and S- (IOBES), or L- and U- (BILOU), not both",
            fix="correct the line",
        )
    if letters & set("ES"):
        scheme = "iobes"
    elif letters & set("LU"):
        scheme = "bilou"
    else:
        broken = {name: sum(1 for _ in _broken(read, name)) for name in ("iob2", "iob1")}
        scheme = min(broken, key=lambda name: broken[name])
    return scheme, [f"tags of {read.place} follow {scheme}"]


def own_scheme(read: TaggedSentences, scheme: str) -> str:
    """The scheme that a file's tags follow: the expected one, unless they surely follow another one.

    That is: they have letters of another scheme, or break the expected one in every second span or more and the other
    one hardly ever.

    Args:
        read: the sentences.
        scheme: iob1, iob2, iobes or bilou: that of the training file.

    Example:
        >>> from gatewise.kinds.tagging.sentences import Sentence
        >>> file = TaggedSentences((Sentence(("in", "New", "York"), ("O", "B-LOC", "I-LOC"), 1),), "a.txt")
        >>> own_scheme(file, "iobes"), own_scheme(file, "iob2")
        ('iob2', 'iob2')
    """
    letters = {split_tag(tag)[0] for sentence in read.sentences for tag in sentence.tags}
    foreign = not letters <= set(LETTERS[scheme])
    broken = 0 if foreign else sum(1 for _ in _broken(read, scheme))
    if not foreign and 2 * broken < max(1, sum(len(spans_as_conlleval(each.tags)) for each in read.sentences)):
        return scheme
    try:
        found, _ = detect_scheme(read)
    except DataError:  # some tags are none: which, the scheme of the training file says
        return scheme
    if found == "plain" or (not foreign and 10 * sum(1 for _ in _broken(read, found)) > broken):
        return scheme
    return found


@dataclass(frozen=True)
class Repairs:
    """Tags of a file that broke its scheme and were repaired.

    Attributes:
        place: the file.
        scheme: that they broke.
        count: how many.
        line: of the first.
        old: the first as it was written.
        new: as it is read.
    """

    place: str
    scheme: str
    count: int
    line: int
    old: str
    new: str


def repairs_of(read: TaggedSentences, scheme: str) -> tuple[list[list[str]], Repairs | None]:
    """The file's tags with those that break the scheme repaired, read as conlleval does.

    Args:
        read: the sentences.
        scheme: iob1, iob2, iobes, bilou; plain is left as it is.

    Returns:
        The tags of each sentence, and what was repaired; None: nothing.
    """
    tags = [list(sentence.tags) for sentence in read.sentences]
    if scheme == "plain":
        return tags, None
    found: Repairs | None = None
    for number, at, new in _broken(read, scheme):
        line, old = read.sentences[number].line_of(at), tags[number][at]
        found = (
            Repairs(read.place, scheme, 1, line, old, new) if found is None else replace(found, count=found.count + 1)
        )
        tags[number][at] = new
    return tags, found


def repair_notes(found: Sequence[Repairs]) -> list[str]:
    """A note for each scheme that counts the repairs of all files and names the first line; none where none.

    Example:
        >>> repair_notes([Repairs(name, "iob2", 2, 5, "I-A", "B-A") for name in ("a.txt", "b.txt")])
        ["4 tags broke iob2 and were repaired: 2 of a.txt, 2 of b.txt (first in line 5 of a.txt: 'I-A' became 'B-A')"]
    """
    notes = []
    for scheme in dict.fromkeys(each.scheme for each in found):
        files = [each for each in found if each.scheme == scheme]
        first, count = files[0], sum(each.count for each in files)
        what = f"{plural(count, 'tag')} broke {scheme} and {'was' if count == 1 else 'were'} repaired"
        became = f"{first.old!r} became {first.new!r}"
        if len(files) == 1:
            notes.append(f"{first.place}: {what} (first in line {first.line}: {became})")
        else:
            each = ", ".join(f"{file.count:,} of {file.place}" for file in files)
            notes.append(f"{what}: {each} (first in line {first.line} of {first.place}: {became})")
    return notes


def repaired(read: TaggedSentences, scheme: str) -> tuple[list[list[str]], list[str]]:
    """The file's tags with those that break the scheme repaired, and the note on them; see `repairs_of`.

    Example:
        >>> from gatewise.kinds.tagging.sentences import Sentence
        >>> repaired(TaggedSentences((Sentence(("a", "b"), ("O", "I-PER"), 4),), "a.txt"), "iob2")
        ([['O', 'B-PER']], ["a.txt: 1 tag broke iob2 and was repaired (first in line 5: 'I-PER' became 'B-PER')"])
    """
    tags, found = repairs_of(read, scheme)
    return tags, repair_notes([] if found is None else [found])


def _broken(read: TaggedSentences, scheme: str) -> Iterator[tuple[int, int, str]]:
    """Sentence, position and right tag of every tag that breaks the scheme."""
    for number, sentence in enumerate(read.sentences):
        lenient = spans_as_conlleval(sentence.tags)
        if scheme not in ("iob1", "iob2") and spans(sentence.tags, scheme) == lenient:
            # strict reading finds every run, so nothing is broken
            continue
        right = to_tags(lenient, len(sentence.tags), scheme)
        for at, (old, new) in enumerate(zip(sentence.tags, right, strict=True)):
            if old != new:
                yield number, at, new


def _plain_notes(read: TaggedSentences, tags: Sequence[str]) -> list[str]:
    for pattern, notation in _FOREIGN:
        odd = next((tag for tag in tags if pattern.fullmatch(tag)), None)
        if odd is not None and all(pattern.fullmatch(tag) for tag in tags):
            raise DataError(
                f"{_first(read, odd)}: tag {odd!r} looks like a span's in another notation",
                expected="O, or B-, I-, E-, S-, L-, U- and a type",
                fix=f"write {notation}",
            )
    notes = [f"tags of {read.place} mark no spans ({plural(len(tags), 'tag')}): each word's tag is plain"]
    if any(tag == "O" for sentence in read.sentences for tag in sentence.tags):
        notes.append(f"{read.place} has O among its tags: for figures on spans, write B- and I- before the types")
    return notes


def _first(read: TaggedSentences, tag: str) -> str:
    for sentence in read.sentences:
        if tag in sentence.tags:
            return f"{read.place}: line {sentence.line_of(sentence.tags.index(tag))}"
    raise AssertionError("a tag without a sentence")
