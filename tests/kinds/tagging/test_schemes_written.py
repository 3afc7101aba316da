"""Tags of the model in the scheme of the files, one by one, against the conversion of whole sentences."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from small_sentences import sentences, write

from gatewise.kinds.tagging.dataset import load_tagging
from gatewise.kinds.tagging.schemes import SCHEMES, spans, to_tags
from gatewise.kinds.tagging.spec import TaggingDataSpec
from gatewise.kinds.tagging.tag_set import INSIDE, TagSet

OTHERS = [("ruft", "O"), ("Ulm", "B-LOC"), ("und", "O"), ("Graz", "B-LOC")]


@pytest.mark.parametrize("inside", INSIDE)
@pytest.mark.parametrize("scheme", [each for each in SCHEMES if each != "plain"])
def test_one_tag_is_written_as_the_whole_sentence_is(scheme: str, inside: str) -> None:
    tag_set = TagSet(scheme, ["A", "B"], inside)
    compared = 0
    for row in itertools.product(tag_set.tags, repeat=4):
        if to_tags(spans(row, inside), 4, inside) != list(row):
            continue  # not a sequence of that scheme
        whole = to_tags(spans(row, inside), 4, scheme)
        around = ["O", *row, "O"]
        each = [tag_set.written_as(tag, around[at], around[at + 2]) for at, tag in enumerate(row)]
        assert each == whole
        assert set(each) <= set(tag_set.written)
        compared += 1
    assert compared > 100
    assert TagSet("plain", ["NN", "VB"], inside).written == ("NN", "VB")


def test_repairs_of_all_parts_and_files_are_one_note(tmp_path: Path) -> None:
    rows = [[(word, tag.replace("B-PER", "I-PER")) for word, tag in row] for row in sentences()]
    path = write(tmp_path / "a.conll", rows)
    dataset = load_tagging(TaggingDataSpec(str(path)))
    (note,) = [note for note in dataset.notes if "broke" in note]
    assert note == f"{path}: 60 tags broke iob2 and were repaired (first in line 1: 'I-PER' became 'B-PER')"
    assert {dataset.tag_set.tags[row[0]][0] for part in (dataset.train, dataset.test) for row in part.tags} <= {
        "B",
        "S",
    }
    other = write(tmp_path / "b.conll", [[("Emma", "I-PER"), *OTHERS, (str(n), "O")] for n in range(7)])
    notes = load_tagging(TaggingDataSpec(str(path), test=str(other))).notes
    (note,) = [note for note in notes if "broke" in note]
    assert note.startswith("67 tags broke iob2 and were repaired: 60 of ") and f"7 of {other}" in note
    assert note.endswith(f"(first in line 1 of {path}: 'I-PER' became 'B-PER')")
