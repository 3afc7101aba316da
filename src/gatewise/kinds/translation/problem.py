"""Translation as a problem to train: batches of about equally many tokens, label smoothing, BLEU of greedy search."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gatewise.data import Ragged
from gatewise.data.seen import SEEN_FILE, Seen
from gatewise.data.subwords import Subwords
from gatewise.kinds.translation.encoding import EncodedPairs, PairSampler, source_batches, token_batches
from gatewise.kinds.translation.measures import AT_ONCE, LIMIT, MEASURES, contributions_of
from gatewise.kinds.translation.network import TranslationNetwork
from gatewise.nn.decoding import Written
from gatewise.statistics import Measure
from gatewise.training.calling import called
from gatewise.training.problem import Problem, StepLoss

__all__ = ["TranslationProblem", "translate_encoded"]

Numbers = npt.NDArray[np.int64]


class TranslationProblem(Problem):
    """A translation network and its training pairs.

    Args:
        model: the network, on its device.
        train: encoded training pairs.
        validation: encoded pairs that decide which weights are kept.
        references: the validation part's translations.
        source_subwords: of the source language.
        target_subwords: of the target language.
        metric: name of the figure, as in `MEASURES`.
        batch_size: pairs of average length per step.
        seed: of the order of the batches.
        device: of the model.
        seen: makes the record of what was trained on, see `gatewise.data.seen`; None: the run keeps none.
        sampler: cuts the training pairs into other subwords in every epoch; None: they stay as they are.
    """

    unit: ClassVar[str] = "sentence pairs"
    model: TranslationNetwork

    def __init__(
        self,
        model: TranslationNetwork,
        train: EncodedPairs,
        validation: EncodedPairs,
        references: Sequence[str],
        source_subwords: Subwords,
        target_subwords: Subwords,
        *,
        metric: str,
        batch_size: int,
        seed: int,
        device: str = "cpu",
        seen: Callable[[], Seen] | None = None,
        sampler: PairSampler | None = None,
    ) -> None:
        self.model, self.train, self.validation, self.references = model, train, validation, references
        self.source_subwords, self.target_subwords, self._metric = source_subwords, target_subwords, metric
        self.batch_size, self.seed, self.device = batch_size, seed, device
        self._seen, self._sampler = seen, sampler
        self.examples_per_epoch = len(train)
        self.steps_per_epoch = len(token_batches(train, batch_size, seed, 1))
        self._order: list[Numbers] = []
        self._drawn = train

    @property
    def metric(self) -> Measure:  # type: ignore[override]
        """BLEU, or what ``--metric`` names."""
        return MEASURES[self._metric]

    def begin_epoch(self, epoch: int, step: int = 0) -> None:
        """Shuffle, see `gatewise.kinds.translation.encoding.token_batches`, and cut into subwords where that is drawn.

        The batches are those of the pairs as they are: every epoch has as many.
        """
        self._order = token_batches(self.train, self.batch_size, self.seed, epoch)
        if self._sampler is not None:
            self._drawn = self._sampler.draw(self.seed, epoch)

    def loss(self, step: int) -> StepLoss:
        """Negative log-likelihood of a target token, in nats; smoothed where it is differentiated."""
        rows = self.part.rows(self._order[step])
        batch = self._drawn.batch(rows)
        loss, value = self.model.loss(batch.to(self.device))
        return StepLoss(loss, value, len(rows), weight=int(batch.target_lengths.sum()))

    def validate(self, weights: Mapping[str, Tensor]) -> dict[str, float]:
        """Loss per token, and the figure of translations by greedy search, on the validation part."""
        total, tokens = 0.0, 0
        for rows in source_batches(self.validation.target, AT_ONCE):
            losses = called(self.model, weights, "losses", self.validation.batch(rows).to(self.device))
            total, tokens = total + float(losses.double().sum()), tokens + len(losses)
        written = translate_encoded(self.model, self.validation.source, weights=weights, device=self.device)
        translations = [self.target_subwords.decode(row) for row in written]
        figure = self.metric.of(contributions_of(self._metric, translations, self.references))
        return {"loss": total / tokens, self.metric.name: figure}

    def probe(self) -> None:
        """Run the first batch."""
        self.model.loss(self.train.batch(np.arange(min(self.batch_size, len(self.train)))).to(self.device))

    def files(self) -> dict[str, dict[str, Any]]:
        """Subwords of both languages (the target's only where they differ), and hashes of the sentences."""
        found = {"source.json": self.source_subwords.to_dict()}
        if self.target_subwords is not self.source_subwords:
            found["target.json"] = self.target_subwords.to_dict()
        return found if self._seen is None else {**found, SEEN_FILE: self._seen().to_dict()}


def translate_encoded(
    model: TranslationNetwork,
    source: Ragged,
    *,
    beam: int = 1,
    length_power: float = 1.0,
    weights: Mapping[str, Tensor] | None = None,
    device: str = "cpu",
) -> list[Numbers]:
    """The numbers of each sentence's best translation, without begin and end.

    Args:
        model: the network; it is in evaluation mode afterwards.
        source: encoded sentences, each with its end.
        beam: hypotheses kept of each.
        length_power: of the normalisation.
        weights: other weights to use instead of the model's own.
        device: of the model.
    """
    found: list[Numbers] = [np.empty(0, dtype=np.int64)] * len(source)
    for rows in source_batches(source, max(1, AT_ONCE // beam)):
        batch = source.batch(rows)
        values, lengths = torch.from_numpy(batch.values).to(device), torch.from_numpy(batch.lengths).to(device)
        limits = LIMIT[0] * lengths + LIMIT[1]
        options = {"beam": beam, "length_power": length_power}
        written: Written = called(model, weights, "translate", values, lengths, limits, **options)
        ends, tokens = written.lengths.tolist(), written.tokens.cpu().numpy()
        for place, row in enumerate(rows.tolist()):
            found[row] = tokens[place, : ends[place]]
    return found
