"""A captioner as `gatewise explain` reads with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatewise.data.subwords import BEGIN, END
from gatewise.errors import DataError
from gatewise.kinds.captioning.images import as_png, in_channels
from gatewise.kinds.captioning.pictures import Pixels
from gatewise.nn.writer import Read
from gatewise.training.kind import RecurrentInputs
from gatewise.training.reader import Picture, ReadInput, Step
from gatewise.training.written_reader import WrittenReader

if TYPE_CHECKING:
    from gatewise.kinds.captioning.trained import TrainedCaptioner

__all__ = ["CaptionReader"]

_AT_ONCE = 64
"""Pictures that are looked at side by side: the convolutions keep all features of each."""
Numbers = npt.NDArray[np.int64]


class CaptionReader(WrittenReader):
    """Pictures in, captions out; one written token is explained, see `WrittenReader`.

    The steps are patches of the picture, one for each place that the attention looks at, so that reasons and attention
    lie on the same grid; what is embedded are their pixels, scaled as the convolutions read them. The baseline is the
    picture's own median colour: a drawing's ground, which speaks for nothing. "After" a patch means that the
    picture is uncovered up to there, row by row.

    Args:
        trained: the captioner.
        dataset: its data, for examples; None: there are none.
    """

    unit = "patch"
    file, file_types = "picture", "image/*"
    method = "occlusion"  # the others follow the network to ever fainter pictures, where it turns steeply
    crowding = 4
    baseline_name = "the picture's median colour"
    after = (
        "the chance of that word of the caption if the picture were covered past there with its median colour, given "
        "the words before it"
    )

    def __init__(self, trained: TrainedCaptioner, dataset: Any = None) -> None:
        super().__init__(trained.model, trained.subwords)
        self.trained, self.dataset, self.model = trained, dataset, trained.model
        self.grid = int(trained.model.reader.grid)
        self._width, self._places = _places(trained.look.colours, trained.look.size, self.grid)

    def _cut(self, pixels: npt.NDArray[Any]) -> Tensor:
        """A picture (C, S, S) as its patches: (T, 1, I), scaled."""
        look = self.trained.look
        values = (torch.from_numpy(np.ascontiguousarray(pixels)).float() / 255 - look.mean) / look.spread
        flat = torch.zeros(self.grid**2 * self._width)
        flat[self._places] = values.flatten()
        return flat.view(self.grid**2, 1, -1)

    def _joined(self, embedded: Tensor) -> Tensor:
        """Patches (T, B, I) as pictures (B, C, S, S)."""
        look = self.trained.look
        flat = embedded.transpose(0, 1).flatten(1)
        return flat[:, self._places].view(-1, look.colours, look.size, look.size)

    def _source(self, embedded: Tensor) -> Read:
        """What the convolutions make of pictures, of which only some are looked at at once."""
        parts = [self._looked(part) for part in self._joined(embedded).split(_AT_ONCE)]
        if len(parts) == 1:
            return parts[0]
        return Read(*(None if part[0] is None else torch.cat(part) for part in zip(*parts, strict=True)))  # type: ignore[arg-type]

    def _looked(self, pictures: Tensor) -> Read:
        """What the convolutions make of scaled pictures (B, C, S, S)."""
        places, summary, most = self.model.reader(pictures)
        return self.model.with_evidence(self.model.as_read(places, None, summary), most)

    def _beginnings(self, read: ReadInput, steps: Numbers) -> Read:
        return self._source(self._uncovered(read, steps))

    def _uncovered(self, read: ReadInput, steps: Numbers) -> Tensor:
        """The picture uncovered up to each of some patches: (T, B, I)."""
        seen = torch.arange(len(read.steps))[:, None] <= torch.from_numpy(steps)
        return torch.where(seen[:, :, None], self.embed(read), self.baseline(read))

    def examples(self, count: int) -> Sequence[ReadInput]:
        """The first test pictures, with their first caption."""
        if self.dataset is None:
            return []
        part = self.dataset.test
        truths = [captions[0] for captions in part.captions[:count]]
        return self._read(part.pixels[:count], [Path(name).name for name in part.names[:count]], truths)

    def parse(self, given: Any) -> ReadInput:
        """A picture file, its content, or pixels (C, S, S) of uint8 as `TrainedCaptioner.read` gives them.

        Raises:
            DataError: it is no picture, or cannot be used.
        """
        look = self.trained.look
        if isinstance(given, np.ndarray):
            wanted = (look.colours, look.size, look.size)
            if given.shape != wanted or given.dtype != np.uint8:
                raise DataError(
                    "the pixels do not fit the network", expected=f"uint8 {wanted}", got=f"{given.dtype} {given.shape}"
                )
            return self._read(given[None], ["a picture"], [None])[0]
        if not isinstance(given, (str, Path, bytes)):
            raise DataError("a captioner reads a picture", expected="a picture file", got=type(given).__name__)
        source = given if isinstance(given, bytes) else Path(given).expanduser()
        name = "the picture" if isinstance(given, bytes) else str(given)
        pixels = in_channels(self.trained.read(source, name), look.colours)
        return self._read(pixels[None], [name if isinstance(given, bytes) else Path(given).name], [None])[0]

    def _read(self, pixels: Pixels, names: Sequence[str], truths: Sequence[str | None]) -> list[ReadInput]:
        """Pictures with their captions, which are searched for together."""
        steps = tuple(
            Step(f"row {row} column {column}") for row in range(1, self.grid + 1) for column in range(1, self.grid + 1)
        )
        found = []
        for each, name, truth, written in zip(pixels, names, truths, self._searched(pixels), strict=True):
            size = f"{each.shape[1]} x {each.shape[2]}"
            plain = (each == each[:, :1, :1]).all()
            read = ReadInput(
                steps,
                each,
                truth=truth,
                title=name,
                picture=Picture(as_png(each), self.grid, self.grid),
                notes=(
                    f"Shown as the network sees it: {size} pixels.",
                    *(["It has one colour only: nothing in it can be a reason."] if plain else []),
                ),
            )
            found.append(self._with_written(read, written))
        return found

    def _searched(self, pixels: Pixels) -> list[list[int]]:
        """The caption of each picture (N, C, S, S) by the run's beam search."""
        with torch.inference_mode():
            values = torch.cat([self._cut(each) for each in pixels], dim=1)
            return self._found(values)

    def _found(self, embedded: Tensor) -> list[list[int]]:
        """The caption of each variant (T, N, I) by the run's beam search."""
        found: list[list[int]] = []
        for part in embedded.split(_AT_ONCE, dim=1):
            limits = torch.full((part.shape[1],), self.trained.look.longest)
            read = self._source(part)
            written = self.model.write(read, limits, begin=BEGIN, end=END, thorough=True, **self._search)
            rows = zip(written.tokens.tolist(), written.lengths.tolist(), strict=True)
            found += [tokens[:length] for tokens, length in rows]
        return found

    @property
    def _search(self) -> dict[str, Any]:
        model: Any = self.trained.spec.model
        return {"beam": model.beam, "length_power": model.length_power}

    def embed(self, read: ReadInput) -> Tensor:
        """The scaled numbers of every patch."""
        return self._cut(read.encoded)

    def baseline(self, read: ReadInput) -> Tensor:
        """The median of each colour everywhere."""
        pixels = np.asarray(read.encoded, dtype=np.float64)
        plain = np.broadcast_to(np.median(pixels, axis=(1, 2))[:, None, None], pixels.shape)
        return self._cut(plain.copy())

    def stacks(self, read: ReadInput) -> Mapping[str, RecurrentInputs]:
        """The decoder's layers over the caption: nothing recurrent reads the picture."""
        return self._decoder_stacks(read)

    def span(self, stack: str) -> tuple[int, int]:
        """The decoder walks over the caption."""
        return 0, 0

    def drafts(self, read: ReadInput) -> tuple[str, ...]:
        """The caption of the picture uncovered up to every patch, by the run's beam search."""
        with torch.inference_mode():
            found = self._found(self._uncovered(read, np.arange(len(read.steps))))
        return tuple(self.subwords.decode(tokens) for tokens in found)


def _places(colours: int, size: int, grid: int) -> tuple[int, Tensor]:
    """How many numbers a patch has, and of every number of a picture (C * S * S,) its place among those of all patches.

    Where the side cannot be divided by the patches, smaller ones are padded.

    Example:
        >>> _places(1, 4, 2)[1].view(4, 4).tolist()
        [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
        >>> _places(1, 3, 2)[0]
        4
    """
    side = np.arange(size) * grid // size
    numbers = np.tile(side[:, None] * grid + side, (colours, 1, 1)).ravel()
    order = np.argsort(numbers, kind="stable")
    counts = np.bincount(numbers)
    within = np.empty(len(numbers), dtype=np.int64)
    within[order] = np.arange(len(numbers)) - np.repeat(np.cumsum(counts) - counts, counts)
    width = int(counts.max())
    return width, torch.from_numpy(numbers * width + within)
