"""Picture files of every mode, damaged ones, and tables of captions in every layout."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gatewise.errors import DataError
from gatewise.kinds.captioning.estimator import _pixels
from gatewise.kinds.captioning.images import as_png, in_channels, read_image
from gatewise.kinds.captioning.tables import read_captions, read_names


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
