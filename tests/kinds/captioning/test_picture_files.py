"""Picture files of every mode, damaged ones, tables of captions in every layout, and parts without leaks."""

from __future__ import annotations

import dataclasses
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gatewise.errors import DataError
from gatewise.kinds.captioning.dataset import hold_out, load_captions
from gatewise.kinds.captioning.estimator import _pixels
from gatewise.kinds.captioning.folders import find_table, read_folder
from gatewise.kinds.captioning.images import as_png, in_channels, read_image
from gatewise.kinds.captioning.pictures import Pictures
from gatewise.kinds.captioning.spec import CaptionDataSpec
from gatewise.kinds.captioning.tables import read_captions, read_names
from gatewise.training import task_of
from small_pictures import write_pictures


def saved(picture: Image.Image, path: Path, **options: object) -> Path:
    picture.save(path, **options)
    return path


def test_pictures_of_every_mode_become_the_same_colours(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 64).round().astype(np.uint8).reshape(8, 8)
    grey = Image.fromarray(ramp)
    wide = Image.fromarray(ramp.astype(np.uint16) * 257)
    palette = grey.convert("RGB").convert("P", palette=Image.Palette.ADAPTIVE, colors=256)
    files = {
        "grey": saved(grey, tmp_path / "grey.png"),
        "grey with alpha": saved(grey.convert("LA"), tmp_path / "la.png"),
        "16 bits": saved(wide, tmp_path / "16.png"),
        "16 bits, tiff": saved(wide, tmp_path / "16.tif"),
        "floats": saved(Image.fromarray((ramp / 255).astype(np.float32)), tmp_path / "f.tif"),
        "palette": saved(palette, tmp_path / "p.png"),
        "cmyk": saved(grey.convert("RGB").convert("CMYK"), tmp_path / "cmyk.tif"),
        "gif": saved(grey, tmp_path / "a.gif"),
    }
    for name, path in files.items():
        found = read_image(path, name, 8)
        assert found.shape == (3, 8, 8) and found.dtype == np.uint8, name
        assert np.abs(found[0].astype(int) - ramp).max() <= 1, name
    assert np.array_equal(read_image(files["grey"].read_bytes(), "bytes", 8)[1], ramp)


def test_transparent_is_white_bits_are_black_or_white_and_cameras_are_turned(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (8, 8), (10, 20, 30, 0))
    assert (read_image(saved(clear, tmp_path / "clear.png"), "clear", 8) == 255).all()
    palette = Image.new("P", (8, 8), 0)
    palette.putpalette([0, 0, 0, 200, 0, 0])
    assert (read_image(saved(palette, tmp_path / "p.png", transparency=0), "palette", 8) == 255).all()
    bits = Image.fromarray(np.eye(8, dtype=bool))
    assert set(np.unique(read_image(saved(bits, tmp_path / "bits.png"), "bits", 8))) == {0, 255}
    turned = Image.new("RGB", (8, 8))
    turned.putpixel((0, 0), (255, 255, 255))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    found = read_image(saved(turned, tmp_path / "turned.png", exif=exif), "turned", 8)
    assert found[0, 0, 7] == 255 and found[0, 0, 0] == 0


def test_a_picture_is_not_distorted_and_its_ground_is_its_mean(tmp_path: Path) -> None:
    wide = np.zeros((10, 40, 3), dtype=np.uint8)
    wide[:, :20] = (200, 0, 0)
    found = read_image(saved(Image.fromarray(wide), tmp_path / "wide.png"), "wide", 20)
    assert (found[0, 8:12, :9] == 200).all() and (found[0, :7] == 100).all() and (found[1:] == 0).all()
    small = read_image(saved(Image.fromarray(wide[:2, :2]), tmp_path / "small.png"), "small", 20)
    assert (small[0] == 200).all()
    assert in_channels(small, 1).shape == (1, 20, 20) and in_channels(in_channels(small, 1), 3).shape == (3, 20, 20)
    again = np.asarray(Image.open(io.BytesIO(as_png(found)))).transpose(2, 0, 1)
    assert np.array_equal(again, found)


def test_what_is_no_picture_is_refused_with_its_name(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    whole = saved(Image.fromarray(pixels), tmp_path / "a.png").read_bytes()
    jpeg = saved(Image.fromarray(pixels), tmp_path / "a.jpg").read_bytes()
    (tmp_path / "folder").mkdir()
    strange = np.full((4, 4), np.nan, dtype=np.float32)
    cases: list[tuple[Path | bytes, str]] = [
        (whole[: len(whole) // 2], "damaged or cut off"),
        (jpeg[: len(jpeg) // 2], "damaged or cut off"),
        (b"no picture at all", "is no picture"),
        (b"", "is no picture"),
        (tmp_path / "none.png", "does not exist"),
        (tmp_path / "folder", "is a folder"),
        (saved(Image.fromarray(strange), tmp_path / "nan.tif"), "no numbers"),
        (saved(Image.fromarray(np.full((4, 4), 9e9, np.float32)), tmp_path / "big.tif"), "unknown scale"),
    ]
    for source, message in cases:
        with pytest.raises(DataError, match=rf"shown\.png .*{message}"):
            read_image(source, "shown.png", 16)


def test_a_picture_with_too_many_pixels_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(Image.new("L", (60, 60)), tmp_path / "large.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2_000)
    with pytest.raises(DataError, match="large has too many pixels"):
        read_image(path, "large", 8)


LAYOUTS = {
    "captions.csv": "image,caption\na.jpg,A dog runs .\nb.jpg,Two men .\na.jpg,A brown dog .\n",
    "captions.tsv": "file_name\ttext\na.jpg\tA dog runs .\nb.jpg\tTwo men .\na.jpg\tA brown dog .\n",
    "captions.txt": "image,caption\na.jpg,A dog runs .\nb.jpg,Two men .\na.jpg,A brown dog .\n",
    "Flickr8k.token.txt": "a.jpg#0\tA dog runs .\nb.jpg#0\tTwo men .\na.jpg#1\tA brown dog .\n",
    "results.csv": "image_name| comment_number| comment\n"
    "a.jpg| 0| A dog runs .\nb.jpg|0|Two men .\na.jpg| 1| A brown dog .\n",
    "metadata.jsonl": '{"file_name": "a.jpg", "captions": ["A dog runs .", "A brown dog ."]}\n'
    '{"file_name": "b.jpg", "captions": "Two men ."}\n',
    "coco.json": json.dumps(
        {
            "images": [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}],
            "annotations": [
                {"image_id": 1, "caption": "A dog  runs ."},
                {"image_id": 2, "caption": "Two men ."},
                {"image_id": 1, "caption": "A brown dog ."},
            ],
        }
    ),
    "names.json": json.dumps({"a.jpg": ["A dog runs .", "A brown dog ."], "b.jpg": "Two men ."}),
}


@pytest.mark.parametrize("name", list(LAYOUTS))
def test_tables_of_captions_in_every_layout(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(LAYOUTS[name], encoding="utf-8")
    found = read_captions(tmp_path / name).captions
    assert found == {"a.jpg": ["A dog runs .", "A brown dog ."], "b.jpg": ["Two men ."]}


def test_columns_are_named_and_bad_tables_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("which,what,x\na.jpg,one,1\nb.jpg,,2\n,two,3\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"no column of pictures.*--image-column"):
        read_captions(path)
    with pytest.raises(DataError, match="did you mean 'what'"):
        read_captions(path, "which", "whta")
    with pytest.raises(DataError, match="line 4 names no picture"):
        read_captions(path, "1", "2")
    with pytest.raises(DataError, match="would both be the column 'what'"):
        read_captions(path, "what", "2")
    path.write_text("image,caption\na.jpg,one\nb.jpg,\n", encoding="utf-8")
    assert read_captions(path).notes[-1] == "1 empty caption of t.csv skipped (line 3)"
    (tmp_path / "lines.txt").write_text("a.jpg#0\tone\nb.jpg two\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"line 2 has no tab"):
        read_captions(tmp_path / "lines.txt")
    (tmp_path / "prose.txt").write_text("once upon a time\n", encoding="utf-8")
    with pytest.raises(DataError, match="no table of captions"):
        read_captions(tmp_path / "prose.txt")
    (tmp_path / "coco.json").write_text('{"images": [{"id": 1}], "annotations": []}', encoding="utf-8")
    with pytest.raises(DataError, match="number 1 of the images has no file_name; expected: as COCO has it"):
        read_captions(tmp_path / "coco.json")
    (tmp_path / "names.txt").write_text("a.jpg\n\nb.jpg\n", encoding="utf-8")
    assert read_names(tmp_path / "names.txt") == ["a.jpg", "b.jpg"] and read_names(path) is None


PICTURE = '{"id": 1, "file_name": "a.jpg"}'
WRONG_JSON = [
    ('["a"]', 'row 1: not a JSON object; expected: a list of objects: [{"image": "...", "caption": "..."}], or'),
    ("5", 'is not a table; expected: a list of objects: [{"image": "...", "caption": "..."}], or an object'),
    ('{"a": ', 'expected: a list of objects: [{"image": "...", "caption": "..."}]'),
    ("{}", 'or an object of columns: {"image": [...], "caption": [...]}'),
    ("[]", "has no column of pictures; expected: a column called image, or lines"),
    (f'{{"images": [{PICTURE}], "annotations": [{{"image": 1}}]}}', "annotation 1 has no image_id; expected: as COCO"),
    (f'{{"images": [{PICTURE}], "annotations": [{{"image_id": 7, "caption": ""}}]}}', "of no picture that is there"),
    (f'{{"images": [{PICTURE}], "annotations": [3]}}', "annotation 1 is no object; expected: as COCO"),
    (f'{{"images": [{PICTURE}], "annotations": {{"a": 1}}}}', "the annotations are no list; expected: as COCO"),
    ('{"images": [{"id": [], "file_name": "a"}], "annotations": []}', "number 1 of the images has an id that is no"),
    ('{"images": ["a.jpg"], "annotations": []}', "number 1 of the images is no object; expected: as COCO has it"),
]


@pytest.mark.parametrize(("content", "message"), WRONG_JSON, ids=[content for content, _ in WRONG_JSON])
def test_json_in_another_layout_says_that_of_captions(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(content, encoding="utf-8")
    with pytest.raises(DataError) as caught:
        read_captions(tmp_path / "x.json")
    assert message in str(caught.value) and "label" not in str(caught.value)


def test_json_lines_in_another_layout_say_that_of_captions(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text("5\n", encoding="utf-8")
    with pytest.raises(DataError, match=r'one object a line: \{"image": "...", "caption": "..."\}'):
        read_captions(tmp_path / "x.jsonl")


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


def test_a_sent_picture_has_fewer_pixels_than_a_file_may(tmp_path: Path) -> None:
    Image.new("1", (4_100, 4_100)).save(tmp_path / "large.png")
    content = (tmp_path / "large.png").read_bytes()
    assert len(content) < 100_000 and read_image(tmp_path / "large.png", "a", 8).shape == (3, 8, 8)
    with pytest.raises(DataError, match="too many pixels") as raised:
        read_image(content, "input 0", 8)
    assert raised.value.expected == "at most 16 million"


def test_an_opened_picture_is_read_as_its_file(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    values = chance.integers(0, 255, (40, 30, 4)).astype(np.uint8)
    Image.fromarray(values).save(tmp_path / "clear.png")
    Image.fromarray(chance.integers(0, 65_535, (40, 30)).astype(np.uint16)).save(tmp_path / "deep.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(values[:, :, :3]).save(tmp_path / "turned.png", exif=turned)
    for name in ("clear.png", "deep.png", "turned.png"):
        with Image.open(tmp_path / name) as opened:
            assert np.array_equal(_pixels(opened, 16, 0), read_image(tmp_path / name, name, 16)), name
