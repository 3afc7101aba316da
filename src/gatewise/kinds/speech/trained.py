"""A trained recogniser."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from gatewise.data.seen import Seen
from gatewise.errors import RunError
from gatewise.kinds.speech.augmentation import Augmentation
from gatewise.kinds.speech.dataset import SpeechDataset
from gatewise.kinds.speech.encoding import EncodedRecordings, encode
from gatewise.kinds.speech.endpoints import LEVELS
from gatewise.kinds.speech.exported import Heard, check_heard
from gatewise.kinds.speech.features import FilterBank, Normaliser
from gatewise.kinds.speech.moments import Company
from gatewise.kinds.speech.network import Recogniser
from gatewise.kinds.speech.problem import SpeechProblem, answers_of, normaliser_of, outputs_of
from gatewise.kinds.speech.recordings import Recording
from gatewise.kinds.speech.scoring import evaluation
from gatewise.kinds.speech.search import BeamSearch
from gatewise.kinds.speech.spec import RecogniserSpec
from gatewise.kinds.speech.strings import fixed_strings
from gatewise.kinds.speech.units import Units
from gatewise.training.kind import RecurrentInputs, Request, Trained
from gatewise.training.problem import Evaluation
from gatewise.training.reader import Reader
from gatewise.training.run_folder import RunFolder
from gatewise.training.run_spec import RunSpec

if TYPE_CHECKING:
    from gatewise.training.streaming import Streaming

__all__ = ["Heard", "TrainedRecogniser", "open_run", "problem_of"]

_SEED = 2_025


class TrainedRecogniser(Trained):
    """A network with its units and what makes its frames.

    Args:
        spec: the run it came from.
        units: what it answers.
        bank: makes frames.
        normaliser: of the frames.
        model: the network, with its best weights.
        seen: hashes of what it was trained on; None: not known.
    """

    graph_module: ClassVar[str | None] = "gatewise.kinds.speech.graph"
    input_schema: ClassVar[Mapping[str, Any]] = {
        "type": "object",
        "required": ["sound"],
        "properties": {
            "sound": {"type": "string", "contentEncoding": "base64", "description": "a WAV, FLAC or OGG file"}
        },
    }
    body_types: ClassVar[tuple[str, ...]] = ("audio/", "application/octet-stream")

    def __init__(
        self,
        spec: RunSpec,
        units: Units,
        bank: FilterBank,
        normaliser: Normaliser,
        model: Recogniser,
        seen: Seen | None = None,
    ) -> None:
        self.spec, self.units, self.bank, self.normaliser, self.seen = spec, units, bank, normaliser, seen
        self.model = model.eval()

    def encode(self, recordings: Sequence[Recording]) -> EncodedRecordings:
        """Recordings at the network's rate as frames, with their units."""
        return encode(recordings, self.bank, self.normaliser, self.units)

    def recognise(self, recordings: Sequence[Recording], beam: int | None = None) -> list[Heard]:
        """What is said in recordings at the network's rate.

        Args:
            recordings: their texts are not used; where speakers are known, the recordings of one are normalised
                together.
            beam: prefixes of a beam search; None: the best path.

        Raises:
            DataError: a recording is shorter than a frame.
            OptionError: a beam for labels.
        """
        check_heard(recordings, self.units, self.bank, beam)
        found: list[Heard | None] = [None] * len(recordings)
        for rows, batch, scores in outputs_of(self.model, self.encode(recordings)):
            answers = answers_of(self.model, self.units, batch, scores)
            if beam is not None:
                answers = self._by_beam(scores.numpy(), self.model.windows.steps(batch.lengths).tolist(), beam)
            chances = None if self.units.by_ctc else scores.softmax(dim=1).numpy()
            for column, (row, answer) in enumerate(zip(rows, answers, strict=True)):
                named = {} if chances is None else self._ranked(chances[column])
                found[row] = Heard(answer, len(recordings[row].stored) / self.bank.rate, named)
        return [each for each in found if each is not None]

    def predict(self, recordings: Sequence[Recording]) -> list[str]:
        """The text of each recording."""
        return [each.text for each in self.recognise(recordings)]

    def test(self, dataset: Any, part: str = "test") -> Evaluation:
        """Measure on a part."""
        chosen = getattr(dataset, part)
        return evaluation(dataset.units.answers, chosen, self.predict(chosen))

    def predictor(self, dataset: Any) -> Callable[[int], object]:
        """From samples to text."""
        return lambda count: self.predict(dataset.test[:count])

    def stacks(self, dataset: Any, count: int, steps: int) -> Mapping[str, RecurrentInputs]:
        """The layers over the windows of frames."""
        batch = self.encode(dataset.test[:count]).batch(range(min(count, len(dataset.test))))
        with torch.no_grad():
            inputs = self.model.inputs(batch.frames, batch.lengths)[:steps]
        lengths = self.model.windows.steps(batch.lengths).clamp(max=steps)
        return {"frames": RecurrentInputs(self.model.recurrent, inputs, lengths)}

    def answer(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """What is said in sound files: ``{"sound": base64}``, or their bytes; see `gatewise.kinds.speech.requests`."""
        from gatewise.kinds.speech.requests import answers

        return answers(self, inputs)

    def reader(self, dataset: Any = None) -> Reader:
        """How its answers come about, see `gatewise.kinds.speech.reader.SoundReader`."""
        from gatewise.kinds.speech.reader import SoundReader

        return SoundReader(self, dataset)

    def streaming(self) -> Streaming:
        """The text as sound arrives."""
        from gatewise.kinds.speech.streaming import SpeechStreaming

        return SpeechStreaming(self)

    def predict_command(self, request: Request) -> None:
        """Recognise sound files; see `gatewise.kinds.speech.commands.predict`."""
        from gatewise.kinds.speech import commands

        commands.predict(self, request)

    def evaluate_command(self, request: Request) -> None:
        """Measure on recordings; see `gatewise.kinds.speech.commands.evaluate`."""
        from gatewise.kinds.speech import commands

        commands.evaluate(self, request)

    def _by_beam(self, scores: Any, steps: Sequence[int], width: int) -> list[str]:
        found = []
        for column, count in enumerate(steps):
            search = BeamSearch(width)
            search.accept(scores[:count, column])
            found.append(self.units.decode([unit - 1 for unit in search.units]))
        return found

    def _ranked(self, chances: Any) -> dict[str, float]:
        return {self.units.names[number]: float(chances[number]) for number in np.argsort(-chances, kind="stable")}


def problem_of(spec: RunSpec, dataset: SpeechDataset) -> SpeechProblem:
    """The network on its frames."""
    model, training = _model_spec(spec), spec.training
    bank = FilterBank(dataset.rate, model.mel_bins)
    frames = [bank(each.samples) for each in dataset.train]
    speakers = dataset.train
    if dataset.strings is not None:
        speakers = tuple(fixed_strings(dataset.train, dataset.strings, dataset.rate, _SEED))
        frames = [bank(each.samples) for each in speakers]
    alone = model.normalisation == "speaker" and not any(each.speaker for each in dataset.train)
    normaliser = normaliser_of("recording" if alone else model.normalisation, frames, model.cepstral)
    train = encode(dataset.train, bank, normaliser, dataset.units)
    if normaliser.kind == "speaker":
        spoken = ((each.speaker, rows) for each, rows in zip(speakers, frames, strict=True))
        levels = LEVELS if model.endpoints and dataset.strings is None else ()
        train.company = Company.of(model.normalisation_group, spoken, levels)
    network = _network(model, dataset.units, normaliser.width)
    return SpeechProblem(
        network.to(training.device),
        dataset,
        train,
        bank=bank,
        augmentation=Augmentation(
            model.speed,
            model.warping,
            model.filtering,
            model.noise,
            model.frequency_masks,
            model.time_masks,
            model.endpoints,
        ),
        batch_size=training.batch_size,
        seed=training.seed,
        device=training.device,
    )


def open_run(run: RunFolder) -> TrainedRecogniser:
    """The recogniser of a finished run."""
    spec = run.spec()
    units = Units.from_dict(run.content("units.json"), str(run.path / "units.json"))
    record, place = run.content("frames.json"), str(run.path / "frames.json")
    try:
        bank = FilterBank(int(record["rate"]), int(record["bins"]))
        normaliser = Normaliser.from_dict(record["normaliser"], place, bank.bins)
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, RunError):
            raise
        raise RunError(f"{place} is damaged", expected="rate, bins and normaliser") from error
    with torch.random.fork_rng():
        model = _network(_model_spec(spec), units, normaliser.width)
    run.load_weights_into(model)
    return TrainedRecogniser(spec, units, bank, normaliser, model, run.seen())


def _model_spec(spec: RunSpec) -> RecogniserSpec:
    if not isinstance(spec.model, RecogniserSpec):
        raise RunError("the run is no recogniser", expected="speech", got=spec.task)
    return spec.model


def _network(spec: RecogniserSpec, units: Units, features: int) -> Recogniser:
    """The network that a spec describes, with weights drawn from torch's present random state."""
    return Recogniser(
        len(units) + (1 if units.by_ctc else 0),
        features,
        cell=spec.cell,
        hidden_size=spec.hidden_size,
        num_layers=spec.num_layers,
        bidirectional=spec.bidirectional,
        window=spec.window,
        stride=spec.stride,
        channels=spec.channels,
        pooling=None if units.by_ctc else spec.pooling,
        dropout=spec.dropout,
        blank_penalty=spec.blank_penalty,
    )
