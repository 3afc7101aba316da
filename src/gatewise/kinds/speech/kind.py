"""Speech recognition as a kind of problem. Imports no torch."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from gatewise.kinds.speech.spec import RecogniserSpec, SpeechDataSpec
from gatewise.training.amount import Amount
from gatewise.training.checks import refuse_for_known
from gatewise.training.kind import Baseline, ExportedModel, Judgement, Kind, Predicting, Request, Trained
from gatewise.training.settings import Spec

if TYPE_CHECKING:
    from gatewise.data.records import DatasetInfo
    from gatewise.kinds.speech.dataset import SpeechDataset
    from gatewise.kinds.speech.problem import SpeechProblem
    from gatewise.record import ModelEntry
    from gatewise.statistics import Measure
    from gatewise.training.run_folder import RunFolder
    from gatewise.training.run_spec import RunSpec

__all__ = ["SpeechKind"]

_SHOWN = 200
_SPEAKERS = "speakers of test recordings"


class SpeechKind(Kind):
    """Sound in, text out."""

    name: ClassVar[str] = "speech"
    unit: ClassVar[str] = "recordings"
    data_spec: ClassVar[type[Spec]] = SpeechDataSpec
    model_spec: ClassVar[type[Spec]] = RecogniserSpec
    default_training: ClassVar[Mapping[str, Any]] = {
        "batch_size": 32,
        "learning_rate": 3e-3,
        "warm_up": 0.05,
        "averaging": 0.99,
    }
    amount: ClassVar[Amount] = Amount(steps=1_500, least=15, patience=30)
    known: ClassVar[tuple[str, ...]] = ("spoken-digits",)
    files: ClassVar[tuple[str, ...]] = ("units.json", "frames.json", "seen.json")
    prediction_settings: ClassVar[tuple[str, ...]] = ("sound", "speaker")
    commands: ClassVar[Mapping[str, str]] = {"listen": "gatewise.kinds.speech.listen_command:listen"}
    estimators: ClassVar[Mapping[str, str]] = {"SpeechRecognizer": "gatewise.kinds.speech.estimator"}
    report: ClassVar[str | None] = "gatewise.kinds.speech.report"

    def datasets(self, cache: Path | None = None) -> Sequence[DatasetInfo]:
        """Spoken digits."""
        from gatewise.kinds.speech.dataset import speech_infos

        return speech_infos(cache)

    def claims(self, path: Path) -> int:
        """Folders and tables that name sound files; folders of sound files without a table, to say what is missing."""
        from gatewise.kinds.speech.places import holds_sound, names_sound

        return 2 if names_sound(path) or holds_sound(path) else 0

    def check(self, spec: RunSpec) -> None:
        """Refuse pre-training, and columns of a table with the known data set."""
        super().check(spec)
        if spec.data.data in self.known and spec.data.add is None:
            names = ("sound", "text", "speaker")
            refuse_for_known(spec.data.data, {name: getattr(spec.data, name) for name in names}, "table")

    def load(self, data: Any) -> SpeechDataset:
        """Load, check and split the recordings; see `gatewise.kinds.speech.dataset.load_speech`."""
        from gatewise.kinds.speech.dataset import load_speech

        return load_speech(data)

    def problem(self, spec: RunSpec, dataset: Any) -> SpeechProblem:
        """The network on its frames."""
        from gatewise.kinds.speech.trained import problem_of

        return problem_of(spec, dataset)

    def check_request(self, command: str, spec: RunSpec, request: Request) -> None:
        """Refuse what is missing; `gatewise evaluate` has a folder, too."""
        from gatewise.kinds.speech.requests import check

        check(command, request)

    def check_exported_request(self, command: str, request: Request) -> None:
        """As `check_request`."""
        from gatewise.kinds.speech.requests import check

        check(command, request)

    def open(self, run: RunFolder) -> Trained:
        """The recogniser of a finished run."""
        from gatewise.kinds.speech.trained import open_run

        return open_run(run)

    def exported(self, model: ExportedModel) -> Predicting:
        """The recogniser of an exported model."""
        from gatewise.kinds.speech.exported import ExportedRecogniser

        return ExportedRecogniser(model)

    def baselines(self, data: Any) -> Sequence[Baseline]:
        """A linear model of segments, and the nearest template by dynamic time warping."""
        from gatewise.kinds.speech.baselines import SegmentBaseline, TemplateBaseline

        return [SegmentBaseline(), TemplateBaseline()]

    def measure(self, dataset: Any) -> Measure:
        """Accuracy of labels, word or character error rate; over speakers where several unseen ones are tested."""
        from gatewise.kinds.speech.figures import measure_of

        return measure_of(dataset.units.answers, dataset.groups)

    def judgement(self, dataset: Any) -> Judgement:
        """Trivial: always the most frequent label; for an error rate, no word at all."""
        from collections import Counter

        if dataset.units.by_ctc:
            return Judgement(("answering nothing", 1.0), harder_with=frozenset(("strings",)), groups=_SPEAKERS)
        ((name, _),) = Counter(each.text for each in dataset.train).most_common(1)
        share = sum(each.text == name for each in dataset.test) / len(dataset.test)
        return Judgement(trivial=(f"always answering '{name}'", share), groups=_SPEAKERS)

    def describe(self, dataset: Any) -> dict[str, Any]:
        """Units, seconds and speakers of each part."""
        parts = ("train", "validation", "test")
        return {
            "answers": dataset.units.answers,
            "units": list(dataset.units.names),
            "rate": dataset.rate,
            "strings": dataset.strings,
            "added": dataset.added,
            "seconds": {part: dataset.seconds(part) for part in parts},
            "speakers": {
                part: sorted({each.speaker for each in getattr(dataset, part) if each.speaker is not None})
                for part in parts
            },
        }

    def record(self, models: Sequence[ModelEntry], dataset: Any) -> dict[str, Any]:
        """The first test recordings, for the report."""
        return {
            "recordings": [
                {"name": each.name, "text": each.text, "speaker": each.speaker} for each in dataset.test[:_SHOWN]
            ]
        }

    def use(self, folder: Path) -> str:
        """Recognise a file."""
        return f"gatewise predict {shlex.quote(str(folder))} recording.wav"
