"""Schemes of tags: detected, converted without loss, repaired aloud, and the moves they allow."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewise.errors import DataError, OptionError, RunError
from gatewise.kinds.tagging.detection import detect_scheme, repaired
from gatewise.kinds.tagging.schemes import (
    Span,
    allowed_moves,
    scheme_tags,
    spans,
    spans_as_conlleval,
    to_tags,
)
from gatewise.kinds.tagging.sentences import Sentence, TaggedSentences
from gatewise.kinds.tagging.tag_set import TagSet

SPAN_SCHEMES = ("iob1", "iob2", "iobes", "bilou")


def texts(*rows: str) -> TaggedSentences:
    """Sentences from tags alone; sentence n begins in line 100 * n."""
    sentences = [Sentence(("w",) * len(row.split()), tuple(row.split()), 100 * at) for at, row in enumerate(rows, 1)]
    return TaggedSentences(tuple(sentences), "a.txt")


@st.composite
def random_spans(draw: st.DrawFn) -> tuple[list[Span], int]:
    cuts = draw(st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["", "PER", "geo-loc", None])), max_size=8))
    found, at = [], 0
    for length, kind in cuts:
        if kind is not None:
            found.append(Span(at, at + length, kind))
        at += length
    return found, at


@given(random_spans(), st.sampled_from(SPAN_SCHEMES))
def test_spans_survive_every_scheme(case: tuple[list[Span], int], scheme: str) -> None:
    found, length = case
    tags = to_tags(found, length, scheme)
    assert spans(tags, scheme) == found
    assert spans_as_conlleval(tags) == found


@pytest.mark.parametrize("scheme", SPAN_SCHEMES)
def test_the_allowed_moves_are_those_of_well_formed_sequences(scheme: str) -> None:
    tags = scheme_tags(["X", "Y"], scheme)
    moves, starts, ends = allowed_moves(tags, scheme)
    seen = np.zeros_like(moves)
    for row in itertools.product(range(len(tags)), repeat=4):
        names = [tags[number] for number in row]
        allowed = starts[row[0]] and ends[row[-1]] and all(moves[a, b] for a, b in itertools.pairwise(row))
        well_formed = to_tags(spans_as_conlleval(names), 4, scheme) == names
        assert allowed == well_formed, names
        if allowed:
            for a, b in itertools.pairwise(row):
                seen[a, b] = True
    assert (seen == moves).all() and not moves.all()


def test_plain_tags_may_follow_in_any_order() -> None:
    assert all(part.all() for part in allowed_moves(["NN", "VB"], "plain"))


@pytest.mark.parametrize(
    ("row", "scheme"),
    [
        ("O I-PER I-PER O", "iob1"),
        ("I-PER B-PER I-LOC", "iob1"),
        ("B-PER I-PER O B-LOC", "iob2"),
        ("B-PER O", "iob2"),
        ("B-PER E-PER S-LOC O", "iobes"),
        ("B-PER L-PER U-LOC O", "bilou"),
        ("B I O", "iob2"),
        ("NN VB DT", "plain"),
        ("O O O", "plain"),
        ("B-1 B-1 I-1 B-1 B-1 B-1 I-1 O I-1", "iob2"),
    ],
)
def test_the_scheme_is_found_from_the_whole_file(row: str, scheme: str) -> None:
    assert detect_scheme(texts(row))[0] == scheme


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("O B-PER PER", "line 102: tag 'PER' fits none"),
        ("O S-PER U-PER", "line 102: tag 'U-PER' is of BILOU"),
        ("O B_PER I_PER", "line 101: tag 'B_PER' looks like .* write B-PER in place of B_PER"),
        ("PER-B PER-I O", "write B-PER in place of PER-B"),
        ("O b-per i-per", "write B-PER in place of b-per"),
        ("B-PER M-PER E-PER", "line 101: tag 'M-PER' fits none"),
    ],
)
def test_other_notations_are_refused_with_their_line(row: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        detect_scheme(texts(row))


def test_types_without_letters_are_plain_and_said() -> None:
    scheme, notes = detect_scheme(texts("PER PER O LOC"))
    assert scheme == "plain" and any("O among its tags" in note for note in notes)


@pytest.mark.parametrize(
    ("row", "scheme", "right"),
    [
        ("O I-PER I-PER", "iob2", "O B-PER I-PER"),
        ("B-PER I-LOC", "iob2", "B-PER B-LOC"),
        ("O B-PER", "iob1", "O I-PER"),
        ("B-PER O I-LOC", "iobes", "S-PER O S-LOC"),
        ("B-PER I-PER B-PER", "bilou", "B-PER L-PER U-PER"),
        ("E-PER I-PER", "iobes", "S-PER S-PER"),
    ],
)
def test_broken_tags_are_set_right_and_counted(row: str, scheme: str, right: str) -> None:
    tags, notes = repaired(texts("O", row), scheme)
    assert tags == [["O"], right.split()]
    changed = [at for at, (a, b) in enumerate(zip(row.split(), right.split(), strict=True)) if a != b]
    assert f"{len(changed)} tag" in notes[0] and f"first in line {200 + changed[0]}:" in notes[0]


@given(st.lists(st.sampled_from(scheme_tags(["X", "Y"], "iobes")), max_size=8), st.sampled_from(["iob2", "iobes"]))
def test_a_repair_leaves_nothing_to_repair(row: list[str], scheme: str) -> None:
    row = [tag.replace("E-", "I-").replace("S-", "B-") for tag in row] if scheme == "iob2" else row
    once, _ = repaired(texts(" ".join(row)), scheme)
    assert repaired(texts(" ".join(once[0])), scheme) == (once, [])


@pytest.mark.parametrize(("trained", "given_in"), list(itertools.permutations(SPAN_SCHEMES, 2)))
def test_a_file_in_another_scheme_is_converted_and_its_own_breaks_are_repaired(trained: str, given_in: str) -> None:
    found = [[Span(0, 2, "PER"), Span(3, 4, "LOC")], [Span(1, 2, "LOC"), Span(2, 5, "LOC")]] * 6
    rows = [" ".join(to_tags(each, 5, given_in)) for each in found]
    tag_set = TagSet(trained, ["LOC", "PER"])
    own, _ = tag_set.encode(texts(*(" ".join(to_tags(each, 5, trained)) for each in found)))
    numbers, notes = tag_set.encode(texts(*rows))
    assert notes == [f"tags of a.txt follow {given_in} and are read as {trained}, as in training"]
    assert [row.tolist() for row in numbers] == [row.tolist() for row in own]
    broken = {"iob1": "B-PER O O O O", "iob2": "I-PER O O O O"}.get(given_in, "I-PER I-PER O O O")
    numbers, notes = tag_set.encode(texts(*rows, broken))
    assert notes[0].startswith(f"tags of a.txt follow {given_in}")
    assert f"broke {given_in} and w" in notes[1] and "line 1300" in notes[1]
    with pytest.raises(DataError, match=r"line 1302 has tag 'B-ORG', which is not in the training part"):
        tag_set.encode(texts(*rows, "O O B-ORG O O"))


def test_a_few_breaks_are_no_other_scheme() -> None:
    row = "B-PER I-PER O B-LOC O"
    _, notes = TagSet("iob2", ["LOC", "PER"]).encode(texts(*[row] * 5, "I-LOC O I-LOC O O"))
    assert notes == ["a.txt: 2 tags broke iob2 and were repaired (first in line 600: 'I-LOC' became 'B-LOC')"]


@pytest.mark.parametrize("inside", ["iob2", "iobes"])
@pytest.mark.parametrize("outside", SPAN_SCHEMES)
@given(case=random_spans())
def test_a_tag_set_goes_in_and_out_without_loss(outside: str, inside: str, case: tuple[list[Span], int]) -> None:
    row = to_tags(case[0], case[1], outside)
    tags = TagSet(outside, ["", "PER", "geo-loc"], inside)
    rows, notes = tags.encode(texts(" ".join(row)))
    assert tags.decode(rows[0]) == row and notes == []
    moves, starts, ends = tags.moves()
    assert all(moves[a, b] for a, b in itertools.pairwise(rows[0]))
    assert len(row) == 0 or (starts[rows[0][0]] and ends[rows[0][-1]])


def test_unknown_tags_of_another_file_are_refused_with_their_line() -> None:
    tags, _ = TagSet.fit(texts("I-PER O I-LOC"))
    assert [row.tolist() for row in tags.encode(texts("I-PER B-PER"))[0]] == [[8, 8]]
    with pytest.raises(DataError, match=r"line 101 has tag 'I-ORG'.*B-LOC, B-PER, I-LOC, I-PER, O"):
        tags.encode(texts("O I-ORG"))
    plain, _ = TagSet.fit(texts("NN VB"))
    with pytest.raises(DataError, match="line 200 has tag 'DT'"):
        plain.encode(texts("NN", "DT"))


def test_a_tag_set_is_saved_and_read() -> None:
    for tags in (TagSet("iob1", ["A", "B"], "iob2"), TagSet("plain", ["NN"])):
        again = TagSet.from_dict(tags.to_dict())
        assert (again.scheme, again.tags, again.inside) == (tags.scheme, tags.tags, tags.inside)
    with pytest.raises(RunError, match="newer"):
        TagSet.from_dict({"format_version": 2})
    with pytest.raises(RunError, match="damaged"):
        TagSet.from_dict({"format_version": 1, "scheme": "iob9", "names": [], "inside": "iob2"})


def test_the_person_may_say_the_scheme() -> None:
    read = texts("S-x NN", "VB NN")
    with pytest.raises(DataError, match="fits none"):
        TagSet.fit(read)
    tags, _ = TagSet.fit(read, scheme="plain")
    assert tags.tags == ("NN", "S-x", "VB") and not tags.marks_spans
    with pytest.raises(OptionError, match="did you mean 'plain'"):
        TagSet.fit(read, scheme="plane")


def test_unknown_schemes_and_overlaps_are_refused() -> None:
    with pytest.raises(OptionError, match="did you mean 'iob2'"):
        spans(["O"], "iob3")
    with pytest.raises(OptionError, match="overlaps"):
        to_tags([Span(0, 2, "X"), Span(1, 3, "X")], 3, "iob2")
