"""Python that writes captions with an exported captioner, onnxruntime, numpy and Pillow. Imports no torch."""

from __future__ import annotations

from gatewise.export.to_onnx.programs import BYTE_PAIRS, SEARCH, TEXT_OF_PIECES, assembled

__all__ = ["program_of"]

_DOES = "Writes captions: python answer.py PICTURE ..."
_PICTURE = r'''
def picture_of(path):
    """The pixels of a square, row by row: upright, on white, not distorted, the rest in the picture's mean colour."""
    size, colours = about["look"]["size"], about["look"]["colours"]
    with Image.open(path) as opened:
        opened.draft("RGB", (2 * size, 2 * size))
        opened.load()
        picture = ImageOps.exif_transpose(opened)
    if "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA"):
        ground = Image.new("RGBA", picture.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(ground, picture.convert("RGBA"))
    picture = picture.convert("RGB")
    share = size / max(picture.size)
    fitted = tuple(max(1, round(side * share)) for side in picture.size)
    if fitted != picture.size:
        picture = picture.resize(fitted, Image.Resampling.BOX)
    if fitted != (size, size):
        mean = np.asarray(picture, dtype=np.float64).reshape(-1, 3).mean(axis=0).round().astype(int)
        ground = Image.new("RGB", (size, size), tuple(mean.tolist()))
        ground.paste(picture, ((size - fitted[0]) // 2, (size - fitted[1]) // 2))
        picture = ground
    pixels = np.asarray(picture).reshape(size * size, 3).astype(np.float64)
    if colours == 1:
        pixels = np.round(pixels @ [0.299, 0.587, 0.114])[:, None]
    return pixels.astype(np.float32)
'''
_ANSWERS = """
if len(sys.argv) < 2:
    sys.exit("name a picture, or several")
pieces = {number + 3: piece for piece, number in about["subwords"]["tokenizer"]["model"]["vocab"].items()}
for path in sys.argv[1:]:
    found = written({"picture": picture_of(path)[None]}, 0)
    caption = text_of(pieces[number] for number in found if number in pieces).strip()
    print(json.dumps({"image": path, "caption": caption}, ensure_ascii=False))
"""


def program_of() -> str:
    """The program, which prints what ``gatewise predict --json`` does."""
    signs = BYTE_PAIRS[: BYTE_PAIRS.index("SIGN = ")]
    pillow = "from PIL import Image, ImageOps"
    return assembled(_DOES, [], pillow, signs, TEXT_OF_PIECES, SEARCH, _PICTURE, _ANSWERS)
