"""`Captioner`: a recurrent captioner of pictures in scikit-learn's manner."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from gatewise.errors import DataError
from gatewise.kinds.captioning.dataset import captioning_dataset, hold_out
from gatewise.kinds.captioning.figures import MEASURES, contributions_of, usual_metric
from gatewise.kinds.captioning.images import in_channels, read_image, read_picture, square
from gatewise.kinds.captioning.pictures import SEEN_AT, Pictures, Pixels, appearance_of, tidy
from gatewise.training.estimator import RunEstimator
from gatewise.training.events import Listener

if TYPE_CHECKING:
    from gatewise.kinds.captioning.trained import AttentionMap, TrainedCaptioner

__all__ = ["Captioner"]

_PLACE = "pictures in memory"
_OMIT = ("captions", "image_column", "caption_column", "validation")
_SIZE = 64


class Captioner(RunEstimator, task="captioning", first=("cell",), omit=_OMIT):
    """Write captions of pictures; works in ``clone`` and with ``get_params``.

    {settings}

    Attributes:
        result_: the `gatewise.training.RunResult` of the fit: curves, kernel, time.

    Example:
        >>> light = np.zeros((40, 8, 8), dtype=np.uint8)
        >>> for place in range(40):
        ...     light[place, :, 4 * (place % 2) : 4 * (place % 2) + 4] = 100 + place
        >>> captioner = Captioner(
        ...     "gru", hidden_size=16, embedding_size=16, channels=4, image_size=8, vocabulary_size=270, epochs=20,
        ...     batch_size=8, learning_rate=0.01, dropout=0.0, word_noise=0.0, shift=0, threads=1,
        ... )
        >>> captioner.fit(light, ["light on the left", "light on the right"] * 20).predict(light[:2])
        ['light on the left', 'light on the right']
    """

    _trained: TrainedCaptioner

    def fit(
        self,
        images: Iterable[Any],
        captions: Iterable[str | Sequence[str]],
        validation_data: tuple[Iterable[Any], Iterable[str | Sequence[str]]] | None = None,
        *,
        on_event: Listener | None = None,
    ) -> Captioner:
        """Fit on pictures with their captions.

        Args:
            images: N paths, Pillow images, or arrays of uint8: (S, S) grey or (S, S, 3) in colours, of any size.
            captions: of each picture, one or several.
            validation_data: pictures and captions for early stopping; None: a tenth, chosen by content.
            on_event: called with each training event.

        Raises:
            DataError: pictures that cannot be used, captions of another number, or too few.
            OptionError: an argument of the constructor is out of range.
        """
        size = int(self.image_size or _SIZE)
        spec = self._spec(_PLACE, image_size=size)
        train = _read(images, captions, size, "training")
        if validation_data is None:
            validation, train = hold_out(train, 0.1, 1_000)
        else:
            validation = _read(*validation_data, size, "validation")
        test = train.take([])
        parts = {"train": train, "validation": validation, "test": test}
        note = "a part of the pictures decided which weights were kept; there is no test part"
        dataset = captioning_dataset(_PLACE, "pictures given to Captioner.fit", note, parts, spec.data)
        self._train(spec, dataset, on_event)
        return self

    def predict(self, images: Iterable[Any], *, beam: int | None = None) -> list[str]:
        """The caption of each picture."""
        check_is_fitted(self)
        look = self._trained.look
        rows = [_pixels(each, look.size, place) for place, each in enumerate(images)]
        return self._trained.caption(in_channels(np.stack(rows), look.colours), beam=beam) if rows else []

    def attention_map(self, image: Any) -> AttentionMap | None:
        """Where the network looked while it wrote the caption of a picture; None: it has no attention."""
        check_is_fitted(self)
        look = self._trained.look
        pixels = in_channels(_pixels(image, look.size, 0), look.colours)
        return self._trained.attention(pixels, self._trained.caption(pixels[None])[0])

    def score(self, images: Iterable[Any], captions: Iterable[str | Sequence[str]]) -> float:
        """BLEU (chrF of captions under five words), or the figure of ``metric``; from 0 to 1."""
        check_is_fitted(self)
        part = _read(images, captions, self._trained.look.size, "test")
        metric = str(self.metric or usual_metric(part))
        answers = self._trained.caption(in_channels(part.pixels, self._trained.look.colours))
        return MEASURES[metric].of(contributions_of(metric, answers, part))


def _read(images: Iterable[Any], captions: Iterable[str | Sequence[str]], size: int, part: str) -> Pictures:
    """Check pictures and captions."""
    rows, seen = [], []
    for place, each in enumerate(images):
        rows.append(_pixels(each, size, place))
        seen.append(appearance_of(rows[-1] if size == SEEN_AT else _pixels(each, SEEN_AT, place)))
    given = [(each,) if isinstance(each, str) else tuple(each) for each in captions]
    if len(rows) != len(given):
        raise DataError(
            f"{part} pictures and captions do not fit",
            expected="captions of each picture",
            got=f"{len(rows)}, {len(given)}",
        )
    if not rows:
        raise DataError(f"there is no {part} picture", fix="give pictures and their captions")
    texts = []
    for place, several in enumerate(given):
        if not several or not all(isinstance(each, str) and each.strip() for each in several):
            raise DataError(f"{part} picture {place} has no caption", expected="a string", got=repr(several)[:60])
        texts.append(tuple(dict.fromkeys(tidy(each) for each in several)))
    pixels = np.stack(rows)
    if (pixels == pixels[:, :1]).all():
        pixels = in_channels(pixels, 1)
    return Pictures(pixels, tuple(texts), tuple(f"picture {place}" for place in range(len(rows))), seen=tuple(seen))


def _pixels(image: Any, size: int, place: int) -> Pixels:
    """A picture of any form as (3, S, S)."""
    from PIL import Image

    if isinstance(image, str | Path):
        return read_image(Path(image), str(image), size)
    if isinstance(image, Image.Image):
        return read_picture(image, f"picture {place}", size)
    values = np.asarray(image)
    if values.ndim == 3 and values.shape[2] == 1:
        values = values[:, :, 0]
    fits = values.ndim == 2 or (values.ndim == 3 and values.shape[2] == 3)
    if values.dtype != np.uint8 or not fits or not values.size:
        raise DataError(
            f"picture {place} is no picture",
            expected="a path, a Pillow image, or uint8 of (height, width) or (height, width, 3)",
            got=f"{values.dtype} {values.shape}",
        )
    return square(Image.fromarray(values).convert("RGB"), size)
