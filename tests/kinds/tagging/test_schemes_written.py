"""Tags of the model in the scheme of the files, one by one, against the conversion of whole sentences."""

from __future__ import annotations

import itertools

import pytest

from gatewise.kinds.tagging.schemes import SCHEMES, spans, to_tags
from gatewise.kinds.tagging.tag_set import INSIDE, TagSet


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
