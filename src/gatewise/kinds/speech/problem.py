"""Speech recognition as a problem to train: changed recordings, cross-entropy or CTC, accuracy or error rates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from gatewise import words
from gatewise.data.seen import SEEN_FILE, Seen
from gatewise.kinds.speech.augmentation import Augmentation
from gatewise.kinds.speech.ctc import ctc_loss, least_steps
from gatewise.kinds.speech.dataset import SpeechDataset
from gatewise.kinds.speech.encoding import EncodedRecordings, SpeechBatch, encode, padded, string_frames
from gatewise.kinds.speech.features import FilterBank, Frames, Normaliser
from gatewise.kinds.speech.figures import contributions_of, measure_of
from gatewise.kinds.speech.moments import TOGETHER
from gatewise.kinds.speech.network import Recogniser
from gatewise.kinds.speech.search import best_path
from gatewise.kinds.speech.strings import groups
from gatewise.statistics import Measure
from gatewise.training.problem import Problem, StepLoss

__all__ = ["SpeechProblem", "answers_of", "normaliser_of", "outputs_of"]

_BATCH = 64
_SHOWN = 3
Numbers = npt.NDArray[np.int64]


class SpeechProblem(Problem):
    """A recogniser and its training recordings.

    Args:
        model: the network, on its device.
        dataset: recordings and units.
        train: the frames of the training recordings.
        bank: makes frames.
        augmentation: how recordings are changed in each step.
        batch_size: recordings, or strings, of a step.
        seed: of the order of the batches.
        device: of the model.
    """

    unit: ClassVar[str] = "recordings"
    model: Recogniser

    def __init__(
        self,
        model: Recogniser,
        dataset: SpeechDataset,
        train: EncodedRecordings,
        *,
        bank: FilterBank,
        augmentation: Augmentation,
        batch_size: int,
        seed: int,
        device: str = "cpu",
    ) -> None:
        self.model, self.dataset, self.bank, self.augmentation = model, dataset, bank, augmentation
        self.units, self.train = dataset.units, train
        self.batch_size, self.seed, self.device = batch_size, seed, device
        self.validation = encode(dataset.validation, bank, train.normaliser, self.units)
        self.rows, self.notes = self._usable()
        count = len(self._strings(0)) if dataset.strings else len(self.rows)
        self.examples_per_epoch = count
        self.steps_per_epoch = -(-count // batch_size)
        self._order: list[Sequence[Any]] = []

    @property
    def metric(self) -> Measure:  # type: ignore[override]
        """Accuracy, word or character error rate."""
        return measure_of(self.units.answers)

    def begin_epoch(self, epoch: int, step: int = 0) -> None:
        """Shuffle; join new strings."""
        if self.dataset.strings:
            strings = self._strings(epoch)
            order = np.random.default_rng([self.seed, epoch, 1]).permutation(len(strings))
            rows: list[Any] = [strings[place] for place in order[: self.examples_per_epoch]]
            # each epoch has as many steps as the first, also where fewer strings came of its lengths
            while len(rows) < self.examples_per_epoch:
                rows.append(rows[len(rows) % len(strings)])
        else:
            rows = np.random.default_rng([self.seed, epoch]).permutation(self.rows).tolist()
        self._order = [rows[at : at + self.batch_size] for at in range(0, len(rows), self.batch_size)]

    def loss(self, step: int) -> StepLoss:
        """Cross-entropy of the labels, or CTC's loss in nats per unit."""
        rows = self.part.rows(self._order[step])
        batch = self._changed(rows).to(self.device)
        scores = self.model(batch.frames, batch.lengths)
        if not self.units.by_ctc:
            loss = functional.cross_entropy(scores, _labels(batch, self.device))
            return StepLoss(loss, loss, len(rows))
        found = ctc_loss(scores, self.model.windows.steps(batch.lengths), batch.targets)
        return StepLoss(found.loss, found.loss, len(rows), {"too_short": float(found.too_short)}, found.units)

    def validate(self, weights: Mapping[str, Tensor]) -> dict[str, float]:
        """Loss and figure on the validation part."""
        loss, count = 0.0, 0
        answers = [""] * len(self.validation)
        for rows, batch, scores in outputs_of(self.model, self.validation, weights, self.device):
            value, units = self._value(batch, scores)
            loss, count = loss + value, count + units
            for row, answer in zip(rows, answers_of(self.model, self.units, batch, scores), strict=True):
                answers[row] = answer
        truth = [each.text for each in self.dataset.validation]
        figure = self.metric.of(contributions_of(self.units.answers, truth, answers))
        return {"loss": loss / max(count, 1), self.metric.name: figure}

    def validation_error(self, figure: float) -> float:
        """That of a share of so many recordings, half an answer at least."""
        if self.units.by_ctc:
            return 0.0
        count = len(self.validation)
        return float(np.sqrt(figure * (1 - figure) / count) + 0.5 / count)

    def probe(self) -> None:
        """Run the first recordings."""
        batch = self.train.batch(self.rows[: self.batch_size]).to(self.device)
        self.model(batch.frames, batch.lengths)

    def files(self) -> dict[str, dict[str, Any]]:
        """Units, what makes the frames, and hashes of the recordings."""
        dataset = self.dataset
        clips = dataset.clips or dataset.validation
        seen = Seen.of([[each.digest] for each in dataset.train], [[each.digest] for each in clips])
        return {
            "units.json": self.units.to_dict(),
            "frames.json": {
                "format_version": 1,
                "rate": self.bank.rate,
                "bins": self.bank.bins,
                "normaliser": self.train.normaliser.to_dict(),
            },
            SEEN_FILE: seen.to_dict(),
        }

    def _usable(self) -> tuple[list[int], tuple[str, ...]]:
        """The training recordings that have an alignment, and notes on the others and on the normalisation."""
        known = any(each.speaker is not None for each in self.dataset.test)
        together = (TOGETHER,) if self.train.normaliser.kind == "speaker" and known else ()
        if not self.units.by_ctc:
            return list(range(len(self.train))), together
        steps = self.model.windows.steps(torch.from_numpy(self.train.lengths)).tolist()
        short = [row for row, units in enumerate(self.train.targets) if least_steps(units) > steps[row]]
        if not short or self.dataset.strings:
            return list(range(len(self.train))), together
        names = ", ".join(self.dataset.train[row].name for row in short[:_SHOWN])
        note = (
            f"{words.plural(len(short), 'training recording')} of fewer steps than units are left out of the loss "
            f"({names}{', ...' if len(short) > _SHOWN else ''}): a smaller --stride has more steps"
        )
        return [row for row in range(len(self.train)) if row not in set(short)], (note, *together)

    def _strings(self, epoch: int) -> list[list[int]]:
        assert self.dataset.strings is not None
        generator = np.random.default_rng([self.seed, epoch])
        return groups([each.speaker for each in self.dataset.train], self.dataset.strings, generator)

    def _changed(self, rows: Sequence[Any]) -> SpeechBatch:
        """A training batch; what is random comes from torch's random state, which the loop sets in each step."""
        generator = np.random.default_rng(int(torch.randint(2**62, ())))
        train, found, targets = self.train, [], []
        for row in rows:
            if isinstance(row, list):
                found.append(self._string(row, generator))
                targets.append([unit for each in row for unit in train.targets[each]])
            else:
                found.append(train.changed(row, self.augmentation, generator))
                targets.append(train.targets[row])
        return padded(found, targets)

    def _string(self, rows: list[int], generator: np.random.Generator) -> Frames:
        raw = string_frames(rows, self.dataset.train, self.train, self.augmentation, generator)
        return self.train.changed_frames(raw, rows[0], self.augmentation, generator)

    def _value(self, batch: SpeechBatch, scores: Tensor) -> tuple[float, int]:
        """The summed loss of a batch, and over how much it is summed; unknown units have none."""
        known = [row for row, units in enumerate(batch.targets) if -1 not in units and 0 not in units]
        if self.units.by_ctc:
            steps = self.model.windows.steps(batch.lengths)[known]
            found = ctc_loss(scores[:, known], steps, [batch.targets[row] for row in known])
            return float(found.loss) * found.units, found.units
        labels = _labels(batch, self.device)
        real = labels >= 0
        return float(functional.cross_entropy(scores[real], labels[real], reduction="sum")), int(real.sum())


def answers_of(model: Recogniser, units: Any, batch: SpeechBatch, scores: Tensor) -> list[str]:
    """The most probable label of each row, or the units of its best path, as text."""
    if not units.by_ctc:
        return [units.names[number] for number in scores.argmax(dim=1).tolist()]
    steps = model.windows.steps(batch.lengths).tolist()
    values = scores.cpu().numpy()
    return [
        units.decode([unit - 1 for unit in best_path(values[:count, column])]) for column, count in enumerate(steps)
    ]


def outputs_of(
    model: Recogniser,
    recordings: EncodedRecordings,
    weights: Mapping[str, Tensor] | None = None,
    device: str = "cpu",
) -> Iterator[tuple[list[int], SpeechBatch, Tensor]]:
    """Rows, batch and scores of all recordings, by falling length, in evaluation mode.

    Args:
        model: the network.
        recordings: their frames.
        weights: other weights to use instead of the model's own.
        device: of the model.
    """
    model.eval()
    order = np.argsort(-recordings.lengths, kind="stable").tolist()
    for start in range(0, len(order), _BATCH):
        rows = order[start : start + _BATCH]
        batch = recordings.batch(rows).to(device)
        with torch.inference_mode():
            given = (batch.frames, batch.lengths)
            scores: Tensor = model(*given) if weights is None else functional_call(model, dict(weights), given)
        yield rows, batch, scores


def _labels(batch: SpeechBatch, device: str) -> Tensor:
    return torch.tensor([units[0] for units in batch.targets], device=device)


def normaliser_of(kind: str, frames: Sequence[Frames], cepstra: int = 0) -> Normaliser:
    """Fitted on the training frames."""
    return Normaliser.fit(kind, np.concatenate(list(frames)), cepstra)
