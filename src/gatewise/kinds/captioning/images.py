"""Picture files to squares of pixels, by Pillow. Imports no torch."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewise.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

    from gatewise.kinds.captioning.pictures import Pixels

__all__ = ["as_png", "in_channels", "read_image", "read_picture", "square"]

_SENT_PIXELS = 16_000_000
"""Of a picture that came as bytes, in a request: some kilobytes can hold more than a server's memory."""
_FORMATS = "PNG, JPEG, GIF, BMP, TIFF, WebP or another format that Pillow reads"


def read_image(source: Path | bytes, name: str, size: int) -> Pixels:
    """A picture as (3, S, S): upright, in red, green and blue, its longer side as long as the square's.

    What is transparent is white; 16 bits become 8; of several pictures in a file the first is read.

    Args:
        source: the file, or its content.
        name: for messages.
        size: S.

    Raises:
        DataError: the file is missing, no picture, damaged, cut off or too large; the message has its name.
    """
    from PIL import Image, UnidentifiedImageError

    if isinstance(source, Path):
        if source.is_dir():
            raise DataError(f"{name} is a folder", expected="a picture file", fix="name a picture in it")
        if not source.is_file():
            raise DataError(f"{name} does not exist", fix="check the path")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as opened:
                if isinstance(source, bytes) and opened.width * opened.height > _SENT_PIXELS:
                    raise DataError(f"{name} has too many pixels", expected="at most 16 million", fix="make it smaller")
                opened.draft("RGB", (2 * size, 2 * size))  # a JPEG is decoded no larger than needed
                opened.load()
                return read_picture(opened, name, size)
    except UnidentifiedImageError as error:
        raise DataError(f"{name} is no picture", expected=_FORMATS, fix="convert it, or leave it out") from error
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DataError(f"{name} has too many pixels", expected="at most 89 million", fix="make it smaller") from error
    except DataError:
        raise
    except Exception as error:  # a damaged file makes Pillow raise anything
        raise DataError(
            f"{name} is damaged or cut off", got=str(error)[:100] or type(error).__name__, fix="save it again"
        ) from error


def read_picture(picture: Picture, name: str, size: int) -> Pixels:
    """As `read_image`, a picture that Pillow has opened.

    Raises:
        DataError: its pixels cannot be understood.
    """
    from PIL import ImageOps

    return square(_in_colours(ImageOps.exif_transpose(picture), name), size)


def _in_colours(picture: Picture, name: str) -> Picture:
    """A picture of any mode in red, green and blue."""
    from PIL import Image

    if picture.mode.startswith("I") or picture.mode == "F":
        values = np.asarray(picture).astype(np.float64)
        if not np.isfinite(values).all():
            raise DataError(f"{name} has pixels that are no numbers", fix="save it with 8 bits")
        most = float(values.max(initial=0.0))
        if values.min(initial=0.0) < 0 or most > 65_535:
            raise DataError(
                f"{name} has pixels of an unknown scale", expected="0 to 65535", got=f"up to {most:g}",
                fix="save it with 8 bits",
            )  # fmt: skip
        whole = 65_535 if picture.mode.startswith("I;16") or most > 255 else 1.0 if most <= 1 else 255
        picture = Image.fromarray(np.round(values * (255 / whole)).astype(np.uint8))
    if "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        over = picture.convert("RGBA")
        ground = Image.new("RGBA", over.size, (255, 255, 255, 255))
        picture = Image.alpha_composite(ground, over)
    return picture.convert("RGB")


def square(picture: Picture, size: int) -> Pixels:
    """A colour picture as (3, S, S): not distorted; the shorter side is filled with its mean colour."""
    from PIL import Image

    wide, high = picture.size
    share = size / max(wide, high)
    fitted = (max(1, round(wide * share)), max(1, round(high * share)))
    small = picture if fitted == picture.size else picture.resize(fitted, Image.Resampling.BOX)
    if fitted != (size, size):
        mean = np.asarray(small, dtype=np.float64).reshape(-1, 3).mean(axis=0).round().astype(int).tolist()
        ground = Image.new("RGB", (size, size), (mean[0], mean[1], mean[2]))
        ground.paste(small, ((size - fitted[0]) // 2, (size - fitted[1]) // 2))
        small = ground
    return np.ascontiguousarray(np.asarray(small).transpose(2, 0, 1))


def in_channels(pixels: Pixels, channels: int) -> Pixels:
    """Pictures (.., C, S, S) with 1 channel (the light of Rec. 601) or 3 of them.

    Example:
        >>> in_channels(np.full((3, 1, 1), 9, dtype=np.uint8), 1).tolist()
        [[[9]]]
    """
    has = pixels.shape[-3]
    if has == channels:
        return pixels
    if has == 1:
        return np.repeat(pixels, 3, axis=-3)
    red, green, blue = (pixels[..., place, :, :].astype(np.float64) for place in range(3))
    light: Any = np.round(0.299 * red + 0.587 * green + 0.114 * blue)
    grey: Pixels = light[..., None, :, :].astype(np.uint8)
    return grey


def as_png(pixels: Pixels) -> bytes:
    """A picture (C, S, S) as a PNG file."""
    from PIL import Image

    rows = np.ascontiguousarray(pixels.transpose(1, 2, 0))
    content = io.BytesIO()
    Image.fromarray(rows[:, :, 0] if rows.shape[2] == 1 else rows).save(content, "PNG", optimize=True)
    return content.getvalue()
