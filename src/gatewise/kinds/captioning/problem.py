"""Captioning as a problem to train: pictures with all their captions in a step, the figure of greedy search."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatewise.data.seen import SEEN_FILE, Seen
from gatewise.data.subwords import Subwords
from gatewise.kinds.captioning.encoding import EncodedCaptions, picture_batches
from gatewise.kinds.captioning.figures import MEASURES, contributions_of
from gatewise.kinds.captioning.look import PICTURES_FILE
from gatewise.kinds.captioning.network import CaptionNetwork
from gatewise.kinds.captioning.pictures import Pictures, Pixels
from gatewise.nn.decoding import Written
from gatewise.statistics import Mean, Measure
from gatewise.training.calling import called
from gatewise.training.problem import Problem, StepLoss

__all__ = ["PICTURES_FILE", "SUBWORDS_FILE", "CaptioningProblem", "caption_pixels"]

SUBWORDS_FILE = "subwords.json"
_AT_ONCE = 512
Numbers = npt.NDArray[np.int64]


class CaptioningProblem(Problem):
    """A captioning network and its training pictures.

    Args:
        model: the network, on its device.
        train: encoded training pictures.
        validation: encoded pictures that decide which weights are kept.
        references: the same with captions as texts.
        subwords: of the captions.
        look: how pictures are read, for the run's file `PICTURES_FILE`.
        metric: name of the figure, as in `MEASURES`.
        limit: most tokens of a caption.
        batch_size: pictures per step.
        seed: of the order of the batches.
        device: of the model.
        seen: makes the record of what was trained on, see `gatewise.data.seen`; None: the run keeps none.
    """

    unit: ClassVar[str] = "pictures"
    model: CaptionNetwork

    def __init__(
        self,
        model: CaptionNetwork,
        train: EncodedCaptions,
        validation: EncodedCaptions,
        references: Pictures,
        subwords: Subwords,
        look: Mapping[str, Any],
        *,
        metric: str,
        limit: int,
        batch_size: int,
        seed: int,
        device: str = "cpu",
        seen: Callable[[], Seen] | None = None,
    ) -> None:
        self.model, self.train, self.validation, self.references = model, train, validation, references
        self.subwords, self.look, self._metric, self.limit = subwords, look, metric, limit
        self.batch_size, self.seed, self.device, self._seen = batch_size, seed, device, seen
        self.examples_per_epoch = len(train)
        self.steps_per_epoch = -(-len(train) // batch_size)
        self._order: list[Numbers] = []

    @property
    def metric(self) -> Measure:  # type: ignore[override]
        """The data's figure, or what ``--metric`` names."""
        return MEASURES[self._metric]

    def begin_epoch(self, epoch: int, step: int = 0) -> None:
        """Shuffle."""
        self._order = picture_batches(len(self.train), self.batch_size, self.seed, epoch)

    def loss(self, step: int) -> StepLoss:
        """Negative log-likelihood of a token, in nats; smoothed where it is differentiated."""
        whole = self._order[step]
        rows = self.part.rows(whole)
        batch = self.train.batch(rows)
        detected = 1.0 if len(rows) == len(whole) else self.train.density(whole) / self.train.density(rows)
        loss, value = self.model.loss(batch.to(self.device), detected)
        return StepLoss(loss, value, len(rows), weight=int(batch.lengths.sum()))

    def validate(self, weights: Mapping[str, Tensor]) -> dict[str, float]:
        """Loss per token, and the figure of captions by greedy search, on the validation part."""
        total, tokens = 0.0, 0
        for start in range(0, len(self.validation), _AT_ONCE):
            rows = np.arange(start, min(start + _AT_ONCE, len(self.validation)))
            losses = called(self.model, weights, "losses", self.validation.batch(rows).to(self.device))
            total, tokens = total + float(losses.double().sum()), tokens + len(losses)
        captions = caption_pixels(
            self.model, self.validation.pixels, self.subwords, self.limit, weights=weights, device=self.device
        )
        figure = self.metric.of(contributions_of(self._metric, captions, self.references))
        return {"loss": total / tokens, self.metric.name: figure}

    def validation_error(self, figure: float) -> float:
        """Standard error of a share of right captions; 0 for other figures."""
        if not isinstance(self.metric, Mean):
            return 0.0
        return math.sqrt(max(0.0, figure * (1 - figure)) / len(self.references))

    def probe(self) -> None:
        """Run the first batch."""
        self.model.loss(self.train.batch(np.arange(min(self.batch_size, len(self.train)))).to(self.device))

    def files(self) -> dict[str, dict[str, Any]]:
        """Subwords, how pictures are read, and hashes of those that were trained on."""
        found = {SUBWORDS_FILE: self.subwords.to_dict(), PICTURES_FILE: dict(self.look)}
        return found if self._seen is None else {**found, SEEN_FILE: self._seen().to_dict()}


def caption_pixels(
    model: CaptionNetwork,
    pixels: Pixels,
    subwords: Subwords,
    limit: int,
    *,
    beam: int = 1,
    length_power: float = 1.0,
    weights: Mapping[str, Tensor] | None = None,
    device: str = "cpu",
) -> list[str]:
    """The best caption of each picture.

    Args:
        model: the network; it is in evaluation mode afterwards.
        pixels: (N, C, S, S).
        subwords: of the captions.
        limit: most tokens of a caption, the end counted.
        beam: hypotheses kept of each.
        length_power: of the normalisation.
        weights: other weights to use instead of the model's own.
        device: of the model.
    """
    found: list[str] = []
    at_once = max(1, _AT_ONCE // beam)
    for start in range(0, len(pixels), at_once):
        part = torch.from_numpy(pixels[start : start + at_once]).to(device)
        written: Written = called(model, weights, "caption", part, limit, beam=beam, length_power=length_power)
        rows = zip(written.tokens.cpu().numpy(), written.lengths.tolist(), strict=True)
        found += [subwords.decode(tokens[:length].tolist()) for tokens, length in rows]
    return found
