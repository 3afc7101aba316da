"""Folders of pictures with captions: which pictures are used, and parts without leaks."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gatewise.errors import DataError
from gatewise.kinds.captioning.dataset import hold_out, load_captions
from gatewise.kinds.captioning.folders import find_table, read_folder
from gatewise.kinds.captioning.pictures import Pictures
from gatewise.kinds.captioning.spec import CaptionDataSpec
from gatewise.training import task_of
from small_pictures import write_pictures


def test_unusable_pictures_are_left_out_and_named(tmp_path: Path) -> None:
    table = write_pictures(tmp_path / "own", each=3)
    folder = table.parent
    whole = (folder / "red-left-0.png").read_bytes()
    (folder / "red-left-1.png").write_bytes(whole[:200])
    (folder / "red-left-2.png").unlink()
    (folder / "deep").mkdir()
    (folder / "green-top-0.png").rename(folder / "deep" / "green-top-0.png")
    (folder / "green-top-1.png").write_bytes((folder / "blue-left-0.png").read_bytes())
    found, notes = read_folder(*find_table(folder, None), CaptionDataSpec(str(folder)), 16)
    assert len(found) == 24 and "green-top-0.png" in found.names
    assert "1 picture is left out: damaged or cut off (red-left-1.png)" in notes
    assert "1 picture is left out: does not exist (red-left-2.png)" in notes
    assert any("has the pixels of another one" in note for note in notes)
    assert len(found.captions[found.names.index("green-top-1.png")]) == 4
    for path in folder.rglob("*.png"):
        path.unlink()
    with pytest.raises(
        DataError, match=r"27 of 27 pictures cannot be used; the first: .*red-left-0.png does not exist"
    ):
        read_folder(table, folder, CaptionDataSpec(str(folder)), 16)


def test_parts_share_no_picture_and_no_near_copy(tmp_path: Path) -> None:
    table = write_pictures(tmp_path / "own")
    dataset = load_captions(CaptionDataSpec(str(table.parent), image_size=16, vocabulary_size=300))
    again = load_captions(CaptionDataSpec(str(table), image_size=16, vocabulary_size=300))
    other = load_captions(CaptionDataSpec(str(table), image_size=16, vocabulary_size=300, split=1))
    assert dataset.fingerprint == again.fingerprint != other.fingerprint
    parts = [set(part.digests) for part in (dataset.train, dataset.validation, dataset.test)]
    assert sum(map(len, parts)) == 72 == len(set.union(*parts)) and min(map(len, parts)) >= 7
    pixels = np.random.default_rng(0).integers(0, 255, (30, 1, 16, 16), dtype=np.uint8)
    near = np.concatenate([pixels, (pixels // 2)])  # the same pictures, darker
    pictures = Pictures(near, (("x",),) * 60, tuple(map(str, range(60))))
    held, rest = hold_out(pictures, 0.2, 100)
    # what a tenth of all look like is a pattern: no part takes all of it
    flat = np.zeros((40, 1, 16, 16), dtype=np.uint8) + np.arange(40, dtype=np.uint8)[:, None, None, None]
    plain, others = hold_out(Pictures(flat, (("x",),) * 40, tuple(map(str, range(40)))), 0.1, 100)
    assert len(plain) == 4 and len(others) == 36
    assert not {int(name) % 30 for name in held.names} & {int(name) % 30 for name in rest.names} and len(held) == 12


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_the_parts_do_not_depend_on_the_size_that_the_network_reads(tmp_path: Path, suffix: str) -> None:
    folder, chance, lines = tmp_path / "own", np.random.default_rng(3), ["image,caption"]
    folder.mkdir()
    for number in range(60):
        # coarse shapes and fine noise, which small sizes lose and a photograph's format changes
        coarse = chance.integers(0, 200, (5, 7, 3)).astype(np.uint8).repeat(20, axis=0).repeat(20, axis=1)
        fine = chance.integers(0, 56, coarse.shape).astype(np.uint8)
        Image.fromarray(coarse + fine).save(folder / f"{number}.{suffix}")
        lines.append(f"{number}.{suffix},a picture")
        if number % 6 == 0:  # the same at small sizes, other bytes and pixels
            fine[::40, ::40] += 4
            Image.fromarray(coarse + fine).save(folder / f"near-{number}.{suffix}")
            lines.append(f"near-{number}.{suffix},a picture")
    (folder / "captions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    wanted = None
    for size in (8, 64, 150):
        data = CaptionDataSpec(str(folder), image_size=size, vocabulary_size=300, metric="chrf")
        dataset = load_captions(data)
        limited = load_captions(dataclasses.replace(data, examples=20)).train.names
        parts = [dataset.train.names, dataset.validation.names, dataset.test.names, limited]
        assert wanted in (None, parts) and dataset.shape == (3, size)
        wanted = parts
        held = {name.removeprefix("near-") for name in parts[1] + parts[2]}
        assert not held & {name.removeprefix("near-") for name in parts[0]}
    assert wanted is not None and [len(each) for each in wanted][3] == 20 and min(map(len, wanted)) >= 5


def test_what_only_a_small_size_makes_equal_is_not_trained_on(tmp_path: Path) -> None:
    folder, chance, lines = tmp_path / "own", np.random.default_rng(0), ["image,caption"]
    folder.mkdir()
    for number in range(20):
        blocks = chance.integers(0, 255, (8, 8, 8, 8, 3)).astype(np.uint8)  # row, row within a block, column, ..
        for copy, pixels in enumerate((blocks, blocks[:, ::-1, :, ::-1])):  # blocks turned round have the same mean
            Image.fromarray(pixels.reshape(64, 64, 3)).save(folder / f"{number}-{copy}.png")
            lines.append(f"{number}-{copy}.png,shade {number}")
    (folder / "captions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    dataset = load_captions(CaptionDataSpec(str(folder), image_size=8, vocabulary_size=300, metric="exact"))
    digests = [set(part.digests) for part in (dataset.train, dataset.validation, dataset.test)]
    assert not digests[0] & (digests[1] | digests[2]) and sum(dataset.sizes.values()) < 40
    assert any("left out of the training part: at this --image-size the same" in note for note in dataset.notes)


def test_test_and_validation_files_are_left_out_of_the_training_part(tmp_path: Path) -> None:
    table = write_pictures(tmp_path / "own")
    (tmp_path / "own" / "test.txt").write_text("red-left-0.png\nblue-top-1.png\n", encoding="utf-8")
    (tmp_path / "more.csv").write_text(
        "image,caption\nred-left-0.png,x\ngreen-top-2.png,a green bar\n", encoding="utf-8"
    )
    spec = CaptionDataSpec(
        str(table.parent),
        captions="captions.csv",
        test="test.txt",
        validation=str(tmp_path / "more.csv"),
        image_size=16,
    )
    dataset = load_captions(spec)
    assert dataset.test.names == ("red-left-0.png", "blue-top-1.png") and len(dataset.train) == 69
    assert dataset.validation.names == ("green-top-2.png",)
    assert any("1 picture left out of the validation part" in note for note in dataset.notes)
    with pytest.raises(DataError, match=r"table of captions none\.csv does not exist"):
        load_captions(CaptionDataSpec(str(table.parent), captions="none.csv"))
    with pytest.raises(DataError, match=r"neither a known data set nor a folder called 'scens'.*did you mean 'scenes'"):
        load_captions(CaptionDataSpec("scens"))


def test_folders_and_tables_that_are_captioning_by_what_they_hold(tmp_path: Path) -> None:
    table = write_pictures(tmp_path / "own", each=1)
    assert {task_of(name) for name in ("scenes", "glyph-names", str(table), str(table.parent))} == {"captioning"}
    metadata = table.with_name("metadata.csv")  # a name that transcripts of sounds have, too
    metadata.write_bytes(table.read_bytes())
    table.unlink()
    assert {task_of(name) for name in (str(metadata), str(table.parent))} == {"captioning"}
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "a.png").write_bytes((table.parent / "red-left-0.png").read_bytes())
    with pytest.raises(DataError, match="has no table of captions"):
        find_table(tmp_path / "pictures", None)
    assert task_of(str(tmp_path / "pictures"), given=("captions",)) == "captioning"


def test_captions_too_short_for_bleu_are_chosen_by_chrf(tmp_path: Path) -> None:
    table = write_pictures(tmp_path)
    rows = table.read_text(encoding="utf-8").splitlines()
    header, names = rows[0], [row.split(",")[0] for row in rows[1:]]
    for words, metric in (("une boîte rouge", "chrf"), ("on voit une boîte rouge ici", "bleu")):
        table.write_text("\n".join([header, *(f"{name},{words} {place}" for place, name in enumerate(names))]), "utf-8")
        dataset = load_captions(CaptionDataSpec(str(table)))
        assert dataset.metric == metric
        assert any("chrF chooses" in note for note in dataset.notes) == (metric == "chrf")
    assert load_captions(CaptionDataSpec(str(table), metric="exact")).metric == "exact"


def _drawn(folder: Path, names: list[str], seed: int, grey: bool = False) -> None:
    chance = np.random.default_rng(seed)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        rough = chance.integers(0, 255, (9, 9, 1 if grey else 3)).astype(np.uint8)
        picture = Image.fromarray(rough[:, :, 0] if grey else rough)
        picture.resize((72, 72), Image.Resampling.BICUBIC).save(folder / name)


def _table(folder: Path, names: list[str]) -> Path:
    rows = [f"{name},here is the picture {name.replace('/', ' of ')} with a caption" for name in names]
    (folder / "captions.csv").write_text("\n".join(["image,caption", *rows]), encoding="utf-8")
    return folder / "captions.csv"


def test_a_list_names_pictures_of_one_folder_though_another_has_the_same_file_names(tmp_path: Path) -> None:
    names = [f"{folder}/{number}.png" for folder in ("cats", "dogs") for number in range(20)]
    _drawn(tmp_path, names, 0)
    table = _table(tmp_path, names)
    (tmp_path / "test.txt").write_text("\n".join(names[:5]), encoding="utf-8")
    dataset = load_captions(CaptionDataSpec(str(table), test="test.txt"))
    assert sorted(dataset.test.names) == sorted(names[:5])
    assert not set(names[:5]) & set(dataset.train.names + dataset.validation.names)
    assert sum(dataset.sizes.values()) == 40
    (tmp_path / "test.txt").write_text("7.png", encoding="utf-8")
    with pytest.raises(DataError, match=r"several pictures are called 7\.png"):
        load_captions(CaptionDataSpec(str(table), test="test.txt"))


def test_a_missing_picture_is_not_another_one_of_its_file_name(tmp_path: Path) -> None:
    names = [f"{folder}/{number}.png" for folder in ("cats", "dogs") for number in range(20)]
    _drawn(tmp_path, names, 0)
    table = _table(tmp_path, names)
    (tmp_path / "dogs" / "7.png").unlink()
    (tmp_path / "cats" / "3.png").rename(tmp_path / "3.png")
    (tmp_path / "dogs" / "3.png").unlink()
    pictures, notes = read_folder(table, tmp_path, CaptionDataSpec(), 32)
    assert len(pictures) == 37 and not {"dogs/7.png", "dogs/3.png", "cats/3.png"} & set(pictures.names)
    assert any("3 pictures are left out: does not exist" in note for note in notes)
    (tmp_path / "captions.csv").write_text("image,caption\nold/5.jpg,one here\nold/6.jpg,two here", encoding="utf-8")
    _drawn(tmp_path / "new", ["5.jpg", "6.jpg"], 1)
    assert read_folder(table, tmp_path, CaptionDataSpec(), 32)[0].names == ("old/5.jpg", "old/6.jpg")


@pytest.mark.parametrize("copied", ["the same", "saved again"])
def test_copies_of_named_test_pictures_are_not_trained_on(tmp_path: Path, copied: str) -> None:
    colours = [f"colour{number}.png" for number in range(30)]
    greys = [f"grey{number}.png" for number in range(10)]
    _drawn(tmp_path, colours, 0)
    _drawn(tmp_path, greys, 1, grey=True)
    again = [name.replace("grey", "held").replace("png", "png" if copied == "the same" else "jpg") for name in greys]
    for before, after in zip(greys, again, strict=True):
        Image.open(tmp_path / before).save(tmp_path / after, quality=98)
    table = _table(tmp_path, [*colours, *greys, *again])
    (tmp_path / "test.txt").write_text("\n".join(again), encoding="utf-8")
    dataset = load_captions(CaptionDataSpec(str(table), test="test.txt"))
    assert dataset.sizes["test"] == 10
    assert all(name.startswith("colour") for name in dataset.train.names + dataset.validation.names)
    said = "in another part" if copied == "the same" else "very like one in another part"
    assert any(f"10 pictures left out of the training part: {said}" in note for note in dataset.notes)
