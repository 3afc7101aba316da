"""The two known sets: what is true of a scene, what no part shares, and that drawing them again gives the same."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from gatewise.kinds.captioning.baselines import FrequentBaseline, NearestBaseline, typical
from gatewise.kinds.captioning.dataset import CaptioningDataset, load_captions
from gatewise.kinds.captioning.glyphs import family, glyph_split
from gatewise.kinds.captioning.scenes import HELD_OUT, MARGIN, Shape, _part, is_true, parse, true_captions
from gatewise.kinds.captioning.spec import CaptionDataSpec


@pytest.fixture(scope="module")
def scenes() -> CaptioningDataset:
    return load_captions(CaptionDataSpec("scenes", examples=300, image_size=24))


@pytest.fixture(scope="module")
def glyphs() -> CaptioningDataset:
    return load_captions(CaptionDataSpec("glyph-names", image_size=24))


def test_captions_are_parsed_and_checked() -> None:
    red, star, other = (
        Shape("red", "ring", 0.2, 0.5, 0.1),
        Shape("white", "star", 0.7, 0.5 + MARGIN / 2, 0.1),
        Shape("red", "cross", 0.2, 0.9, 0.1),
    )
    scene = (red, star, other)
    true = {
        "a red ring is left of a white star",
        "a white star is right of a red ring",
        "a red ring is above a red cross",
        "a red cross is below a red ring",
        "a red cross is left of a white star",
        "a white star is right of a red cross",
        "a white star is above a red cross",
        "a red cross is below a white star",
    }
    assert set(true_captions(scene)) == true and all(is_true(each, scene) for each in true)
    for said in (
        "a red ring is above a white star",  # not by the margin
        "a red ring is left of a red ring",  # one object is not beside itself
        "a red star is right of a red ring",
        "a blue ring is left of a white star",
        "red ring is left of a white star",
        "a red ring is left of a white star and above a red cross",
        "",
    ):
        assert not is_true(said, scene), said
    assert parse("a red ring is near a white star") is None


def test_every_true_caption_of_a_test_scene_names_a_pair_that_no_training_scene_has(scenes: CaptioningDataset) -> None:
    pairs = {part: {each.words for scene in getattr(scenes, part).facts for each in scene} for part in scenes.sizes}
    assert not pairs["train"] & (HELD_OUT["test"] | HELD_OUT["validation"])
    assert not pairs["validation"] & HELD_OUT["test"] and not pairs["test"] & HELD_OUT["validation"]
    for part in ("validation", "test"):
        pictures = getattr(scenes, part)
        for scene, captions in zip(pictures.facts, pictures.captions, strict=True):
            for said in map(parse, true_captions(scene)):
                assert said is not None and {said.first, said.second} & HELD_OUT[part]
            assert set(captions) <= set(true_captions(scene))
    words = [{word for pair in HELD_OUT[part] for word in pair} for part in HELD_OUT]
    assert words[0] <= {word for pair in pairs["train"] for word in pair} >= words[1]


@pytest.mark.slow
def test_no_training_caption_is_true_of_a_test_scene(scenes: CaptioningDataset) -> None:
    for baseline in (NearestBaseline(), FrequentBaseline()):
        baseline.fit(scenes)
        found = baseline.test(scenes)
        assert found.metrics["truth"] == 0 and found.contributions.shape == (1_000,)
        assert 0 < found.metrics["chrf"] < 1
    nearest = NearestBaseline()
    nearest.fit(scenes)
    known = nearest._caption(scenes.train.pixels)
    assert np.mean([is_true(text, scene) for text, scene in zip(known, scenes.train.facts, strict=True)]) == 1


def test_the_same_number_draws_the_same_scenes() -> None:
    first, again, other = (_part("train", 15, 16, np.random.default_rng([number, 0])) for number in (0, 0, 1))
    assert np.array_equal(first.pixels, again.pixels) and first.captions == again.captions
    assert first.captions != other.captions
    assert first.pixels.shape == (15, 3, 16, 16) and first.pixels.std() > 20


@pytest.mark.slow
def test_families_of_names_are_in_one_part_and_no_picture_comes_twice(glyphs: CaptioningDataset) -> None:
    families, digests = [], []
    for part in (glyphs.train, glyphs.validation, glyphs.test):
        families.append({family(name) for (name,) in part.captions})
        digests += part.digests
    assert len(set.union(*families)) == sum(map(len, families))
    assert len(set(digests)) == len(digests) > 5_000
    assert glyphs.shape == (1, 24) and glyphs.metric == "exact"
    assert any("names that training" in note or "training names have" in note for note in glyphs.notes)
    assert any(note.startswith("drawn by FreeType") for note in glyphs.notes)


@pytest.mark.slow
def test_glyphs_are_where_their_names_say(glyphs: CaptioningDataset) -> None:
    """Drawn upright and whole: the lower half block is white below and black above."""
    pixels = {name: part.pixels[row, 0] for part in (glyphs.train, glyphs.validation, glyphs.test)
              for row, (name,) in enumerate(part.captions)}  # fmt: skip
    upper, lower = pixels["COMBINING DOT ABOVE"], pixels["COMBINING DOT BELOW"]
    heights = [np.average(np.arange(24), weights=each.sum(axis=1)) for each in (upper, lower)]
    assert heights[0] < 10 < 16 < heights[1]
    small, capital = pixels["LATIN SMALL LETTER W"], pixels["LATIN CAPITAL LETTER W"]
    assert (small > 0).sum() < (capital > 0).sum()
    assert min(each.max() for each in pixels.values()) > 0


def test_splits_of_names_depend_on_the_family_alone() -> None:
    names = [f"LATIN {case} LETTER {letter}" for letter in "ABCDEFGHIJKLMNOPQRST" for case in ("SMALL", "CAPITAL")]
    one = glyph_split(names)
    two = glyph_split(names[::-1])
    assert {names[row] for row in one["test"]} == {names[::-1][row] for row in two["test"]}
    assert len(one["test"]) == 4


def test_the_typical_caption_is_the_one_most_others_resemble() -> None:
    assert typical(["only this"]) == "only this"
    assert typical(["a b", "x y z", "x y w", "x y z v"]) == "x y z"


def test_pixels_are_drawn_by_the_known_library(scenes: CaptioningDataset) -> None:
    """Scenes are integer arithmetic of Pillow's: their bits are the same everywhere; glyphs depend on FreeType."""
    part = _part("train", 10, 16, np.random.default_rng([0, 0]))
    assert hashlib.sha256(part.pixels.tobytes()).hexdigest()[:16] == "1fec105cfc2099d3"
