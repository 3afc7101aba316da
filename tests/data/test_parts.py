"""Parts of examples of any kind: by content, whatever the order of the file, and nothing in two of them."""

from __future__ import annotations

import hashlib
import random

import pytest

from gatewise.data.parts import (
    content_number,
    kept_by_content,
    least_of_groups,
    least_share,
    note_on_given_parts,
    split,
)

NAMES = [f"example {number}" for number in range(60)]


def without(examples, others, part):
    return [each for each in examples if all(each not in other for other in others)]


def hold_out(examples, part):
    held = least_share(map(content_number, examples), 0.2)
    return (
        [each for each in examples if content_number(each) in held],
        [each for each in examples if content_number(each) not in held],
    )


@pytest.mark.parametrize("given", [[], ["test"], ["validation"], ["test", "validation"]])
def test_no_example_is_in_two_parts_whatever_is_given(given):
    files = {"test": NAMES[:12], "validation": NAMES[8:20]}
    parts = split(NAMES, {part: files[part] for part in given}, without=without, hold_out=hold_out)
    names = [name for part in parts.values() for name in part]
    assert len(names) == len(set(names)) and set(names) == set(NAMES)
    assert all(parts[part] for part in ("train", "validation", "test"))
    if "test" in given:
        assert parts["test"] == files["test"], "a test part that is given stays as it is"


def test_parts_and_what_is_kept_do_not_depend_on_the_order_of_the_file():
    shuffled = random.Random(5).sample(NAMES, len(NAMES))
    first, second = (split(names, {}, without=without, hold_out=hold_out) for names in (NAMES, shuffled))
    assert {part: set(first[part]) for part in first} == {part: set(second[part]) for part in second}
    kept, again = (kept_by_content(names, 9, content_number) for names in (NAMES, shuffled))
    assert set(kept) == set(again) and len(kept) == 9
    assert list(kept) == [name for name in NAMES if name in kept], "in the file's order"


def test_equal_keys_are_kept_in_the_files_order():
    assert kept_by_content(["c", "a", "b"], 2, len) == ("c", "a")
    assert kept_by_content(["c", "a"], 7, len) == kept_by_content(["c", "a"], None, len) == ("c", "a")


def test_the_number_of_a_text_is_the_head_of_its_hash():
    digest = hashlib.sha256(b"ein\0Haus").digest()
    assert content_number("ein", "Haus") == int.from_bytes(digest[:8], "little")
    assert content_number("\ud800") != content_number("?"), "a lone surrogate has a number of its own"


def test_the_least_of_a_group_stands_for_it():
    assert least_of_groups([9, 2, 7, 4], [1, 0, 1, 3]) == {1: 7, 0: 2, 3: 4}
    assert least_share([3, 3, 1], 0.0) == {1}, "at least one"


def test_the_note_counts_near_duplicates_in_other_case():
    words = "a small dog runs over the wide green field in the morning"
    note = note_on_given_parts([words.upper() + "!", "another sentence of it"], [words])
    assert note.startswith("1 of its 2 test sentences has near duplicates")
