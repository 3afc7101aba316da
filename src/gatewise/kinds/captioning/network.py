"""The captioning network: convolutions over a picture, attention over its places, a recurrent decoder."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from gatewise.data.subwords import BEGIN, END, PADDING
from gatewise.kinds.captioning.encoding import CaptionBatch
from gatewise.nn import Recurrent
from gatewise.nn.decoding import Written
from gatewise.nn.writer import Read, Writer

__all__ = ["AROUND", "FAINT", "LONGER", "SURE", "CaptionNetwork", "Convolutions", "PictureReader", "contours_of"]

_GRID = 8
_SUMMARY = 4
_GROUP = 8
_POSITION = 0.5
_RARE = -4.0
SURE = 5.0
"""Log-odds of a detector beyond which it counts as no surer."""
AROUND, FAINT = 9, 0.3
LONGER = 1.0001
"""By so much a colour's contour has to be longer to be taken: equal ones would be told apart by their rounding."""


class Convolutions(nn.Module):
    """Convolutions of 3 x 3 with group normalisation (Wu and He, 2018) and max pooling, down to at most 8 x 8 places.

    Axis letters: B pictures, C what is known of each pixel, S pixels of a side, G places of a side, V = 4 `channels`.

    Args:
        inputs: C.
        size: S.
        channels: features of the first convolution; they double with each pooling, up to four times as many.

    Example:
        >>> values, summary = Convolutions(3, 32, 4).features(torch.zeros(2, 3, 32, 32))
        >>> values.shape, summary.shape
        (torch.Size([2, 16, 8, 8]), torch.Size([2, 16]))
    """

    def __init__(self, inputs: int, size: int, channels: int) -> None:
        super().__init__()
        halvings = max(0, math.ceil(math.log2(size / _GRID)))
        widths = [min(channels * 2**place, 4 * channels) for place in range(halvings)] + [4 * channels] * 2
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, padding=1, bias=False)
            for before, after in zip([inputs, *widths[:-1]], widths, strict=True)
        )
        self.norms = nn.ModuleList(nn.GroupNorm(math.gcd(width, _GROUP), width) for width in widths)
        self.halvings, self.grid = halvings, max(1, size >> halvings)
        self.summary = nn.Linear(min(self.grid, _SUMMARY) ** 2 * widths[-1], widths[-1])

    def features(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Of every place (B, V, G, G), and of the whole, (B, V)."""
        for place, (convolution, norm) in enumerate(zip(self.convolutions, self.norms, strict=True)):
            values = functional.relu(norm(convolution(values)))
            if place < self.halvings:
                values = functional.max_pool2d(values, 2)
        pooled = functional.adaptive_max_pool2d(values, min(self.grid, _SUMMARY))
        return values, functional.relu(self.summary(pooled.flatten(1)))


class PictureReader(Convolutions):
    """Convolutions over a picture, and others, apart from them, over its contours, which have no colour.

    Both give features of the same places, which stand side by side: what is learned of a shape from objects of some
    colours is learned of all. Each place's features get a learned vector of the place added, so that "left of" can be
    told from "right of"; it begins as one direction of feature space for down and one for right.

    Axis letters: B pictures, C colours, S pixels of a side, G places of a side, V = 4 (`channels` + `contours`).

    Args:
        colours: C.
        size: S.
        channels: features of the first convolution over the picture.
        contours: features of the first convolution over its contours, see `contours_of`; 0: they are not read.

    Example:
        >>> places, summary, most = PictureReader(3, 32, 4, 2)(torch.zeros(2, 3, 32, 32))
        >>> places.shape, summary.shape, most.shape
        (torch.Size([2, 64, 24]), torch.Size([2, 24]), torch.Size([2, 24]))
    """

    def __init__(self, colours: int, size: int, channels: int, contours: int = 0) -> None:
        super().__init__(colours, size, channels)
        self.contours = Convolutions(2, size, contours) if contours else None
        self.width = 4 * (channels + contours)
        ends = torch.linspace(-1.0, 1.0, self.grid) if self.grid > 1 else torch.zeros(1)
        down, right = (each.flatten()[:, None] for each in torch.meshgrid(ends, ends, indexing="ij"))
        ways = torch.randn(2, self.width) * _POSITION
        self.position = nn.Parameter(down * ways[0] + right * ways[1])

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Features of every place (B, G * G, V), of the whole (B, V), and the most of each anywhere (B, V)."""
        values, summary = self.features(pictures)
        if self.contours is not None:
            shapes, outlined = self.contours.features(contours_of(pictures))
            values, summary = torch.cat([values, shapes], dim=1), torch.cat([summary, outlined], dim=1)
        return values.flatten(2).transpose(1, 2) + self.position, summary, values.amax(dim=(2, 3))


def contours_of(pictures: Tensor) -> Tensor:
    """Where and in which direction a picture becomes lighter, whatever its colours.

    ::

        g_c = half the differences of a place's right and left, and lower and upper neighbours, of colour c
        g   = that g_c which is longest (Dalal and Triggs, 2005)
        out = g / sqrt(mean of |g|^2 in the 9 x 9 places around + 0.3^2)     divisive normalisation (Heeger, 1992)

    So an edge looks nearly the same between any two colours.

    Args:
        pictures: (B, C, S, S), standardised.

    Returns:
        Sideways and down: (B, 2, S, S).

    Example:
        >>> step = torch.zeros(1, 3, 12, 12)
        >>> step[:, 1, :, 6:] = 2.0  # green from here on
        >>> found = contours_of(step)
        >>> found.shape, found[0, 0, 5].nonzero().flatten().tolist(), bool((found[0, 1] == 0).all())
        (torch.Size([1, 2, 12, 12]), [5, 6], True)
    """
    wide = functional.pad(pictures, (1, 1, 1, 1), mode="replicate")
    across = (wide[:, :, 1:-1, 2:] - wide[:, :, 1:-1, :-2]) / 2
    down = (wide[:, :, 2:, 1:-1] - wide[:, :, :-2, 1:-1]) / 2
    length = across.square() + down.square()
    colours = zip(length.split(1, dim=1), across.split(1, dim=1), down.split(1, dim=1), strict=True)
    longest, right, lower = next(colours)
    for each, sideways, downwards in colours:
        longer = each > longest * LONGER
        longest, right, lower = (
            torch.where(longer, new, old) for new, old in ((each, longest), (sideways, right), (downwards, lower))
        )
    around = _near(longest.shape[2], longest) @ longest @ _near(longest.shape[3], longest).T
    found: Tensor = torch.cat([right, lower], dim=1) / (around + FAINT**2).sqrt()
    return found


def _near(size: int, like: Tensor) -> Tensor:
    """What the mean of the `AROUND` nearest of a side's places weighs each by: (S, S), beyond the edge none.

    Twice a product takes a seventh of the time of an average pooling with windows of 9 x 9.
    """
    places = torch.arange(size, device=like.device)
    near = ((places[:, None] - places).abs() <= AROUND // 2).to(like.dtype)
    shares: Tensor = near / near.sum(dim=1, keepdim=True)
    return shares


class CaptionNetwork(Writer):
    """A picture in, a distribution over each next token of its caption out; see `gatewise.nn.writer.Writer`.

    Args:
        tokens: V, of the captions.
        colours: C, 1 or 3.
        size: S, pixels of a side.
        mean: of the training pictures' pixels, between 0 and 1.
        spread: their standard deviation.
        cell: a registered recurrent cell.
        hidden_size: H.
        num_layers: L.
        embedding_size: E.
        channels: see `PictureReader`.
        contours: likewise.
        attention: multiplicative, additive or none.
        detection: weight of the loss of word detectors, see `loss`.
        shift: pixels by which pictures are moved at most while training.
        evidence: weight of what the detectors say of a caption's words while one is searched for, see `with_evidence`.
        options: of `gatewise.nn.writer.Writer`.

    Example:
        >>> options = {"feeding": "layer", "tied": True, "dropout": 0.0, "label_smoothing": 0.0}
        >>> network = CaptionNetwork(30, 3, 16, hidden_size=8, embedding_size=6, channels=2, **options).eval()
        >>> network.caption(torch.zeros(2, 3, 16, 16, dtype=torch.uint8), 5, beam=2).tokens.shape[0]
        2
    """

    def __init__(
        self,
        tokens: int,
        colours: int,
        size: int,
        *,
        mean: float = 0.5,
        spread: float = 0.25,
        cell: str = "gru",
        hidden_size: int = 128,
        num_layers: int = 1,
        embedding_size: int = 128,
        channels: int = 24,
        contours: int = 0,
        attention: str = "multiplicative",
        detection: float = 0.0,
        shift: int = 0,
        evidence: float = 0.0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.mean, self.spread, self.shift, self.detection = mean, spread, shift, detection
        self.evidence = evidence
        self.target = nn.Embedding(tokens, embedding_size)
        self.reader = PictureReader(colours, size, channels, contours)
        self.make_decoder(
            self.reader.width,
            cell=cell,
            hidden_size=hidden_size,
            num_layers=num_layers,
            embedding_size=embedding_size,
            attention=attention,
        )
        self.draw_embeddings()
        self.detectors = nn.Linear(self.reader.width, tokens) if detection else None
        if self.detectors is not None:
            nn.init.constant_(self.detectors.bias, _RARE)

    def read(self, pixels: Tensor) -> Read:
        """Look at pictures (B, C, S, S) of uint8."""
        return self.read_with_most(pixels)[0]

    def read_with_most(self, pixels: Tensor) -> tuple[Read, Tensor]:
        """What was read, and the most of each feature anywhere in a picture."""
        seen = _moved(pixels, self.shift) if self.training and self.shift else pixels
        values = (seen.to(self.bias.dtype) / 255 - self.mean) / self.spread
        places, summary, most = self.reader(values)
        return self.as_read(self._drop(places), None, self._drop(summary)), most

    def with_evidence(self, read: Read, most: Tensor) -> Read:
        """What was read, with what each token adds to a caption's score where it is first written.

        The score of a caption, whose different tokens are the set Y, is::

            sum_t log p(y_t) + w sum over Y of o_v           w = `evidence`; o_v = detector v's log-odds, within +-5

        But for a number that all captions of a picture share, the second sum is the log-probability of Y where tokens
        are independent: sum over Y of log d_v + sum over the others of log(1 - d_v), d_v = sigmoid(o_v). So a caption
        gains by each word that is detected and has not been said, and loses by each that is not detected. Fang et al.
        (2015) let the words that are still to be said choose the next one likewise. Begin, end and padding add nothing.

        Args:
            read: of pictures.
            most: of each feature anywhere in them, (B, V).
        """
        if self.detectors is None or not self.evidence:
            return read
        odds = self.detectors(most).clamp(-SURE, SURE) * self.evidence
        odds[:, [PADDING, BEGIN, END]] = 0.0
        return read._replace(evidence=odds)

    def loss(self, batch: CaptionBatch, detected: float = 1.0) -> tuple[Tensor, Tensor]:
        """The smoothed loss to differentiate and the mean negative log-likelihood of a token, in nats.

        To what is differentiated, detectors of single words are added, after Fang et al. (2015): from the most of each
        feature anywhere in the picture, whether a token is in one of its captions. So features of what words mean are
        learned from every picture, before the decoder has learned which words follow each other.

        Args:
            batch: pictures and captions.
            detected: further factor of the detectors' loss.
        """
        read, most = self.read_with_most(batch.pixels)
        loss, value = self.written_loss(self._for_captions(read, batch), batch.inputs, batch.targets, batch.lengths)
        if self.detectors is None:
            return loss, value
        goal = torch.zeros(len(most), self.target.num_embeddings, device=most.device)
        goal[batch.pictures.expand_as(batch.targets), batch.targets] = 1.0
        goal[:, PADDING] = 0.0  # past a caption's end, which depends on the others in its batch
        found = functional.binary_cross_entropy_with_logits(self.detectors(most), goal, reduction="sum")
        return loss + detected * self.detection * found / goal.sum(), value

    def losses(self, batch: CaptionBatch) -> Tensor:
        """Each token's negative log-likelihood in nats, without gradient: (tokens,)."""
        with torch.no_grad():
            return self.written_losses(*self._known(batch))

    def weights(self, batch: CaptionBatch) -> Tensor | None:
        """How much each token's step attended to each place: (R, T, G * G); None: no attention."""
        with torch.no_grad():
            return self.written_weights(self._read_for(batch), batch.inputs, batch.lengths)

    def decoder_inputs(self, batch: CaptionBatch) -> list[tuple[str, Recurrent, Tensor, Any]]:
        """The decoder's layers, see `gatewise.nn.writer.Writer.decoder_stacks`."""
        return self.decoder_stacks(self._read_for(batch), batch.inputs, batch.lengths)

    @torch.no_grad()
    def caption(self, pixels: Tensor, limit: int, *, beam: int = 1, length_power: float = 1.0) -> Written:
        """Search for the best caption of each picture (B, C, S, S); see `gatewise.nn.decoding.beam_search`."""
        limits = torch.full((len(pixels),), limit, device=pixels.device)
        read = self.with_evidence(*self.read_with_most(pixels))
        return self.write(read, limits, begin=BEGIN, end=END, beam=beam, length_power=length_power, thorough=True)

    def _read_for(self, batch: CaptionBatch) -> Read:
        """What was read of each caption's picture; pictures are read once."""
        return self._for_captions(self.read(batch.pixels), batch)

    def _for_captions(self, read: Read, batch: CaptionBatch) -> Read:
        return read if len(batch.pictures) == len(batch.pixels) else read.select(batch.pictures)

    def _known(self, batch: CaptionBatch) -> tuple[Read, Tensor, Tensor, Tensor]:
        """What was read of a batch, once for each caption, and the captions."""
        return self._read_for(batch), batch.inputs, batch.targets, batch.lengths


def _moved(pixels: Tensor, most: int) -> Tensor:
    """Pictures (B, C, S, S), each moved by its own chance; what comes in repeats the edge."""
    size = pixels.shape[-1]
    by = torch.randint(-most, most + 1, (2, len(pixels), 1), device=pixels.device)
    rows, columns = (torch.arange(size, device=pixels.device) + by).clamp(0, size - 1)
    picture = torch.arange(len(pixels), device=pixels.device)[:, None, None]
    moved: Tensor = pixels.permute(0, 2, 3, 1)[picture, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)
