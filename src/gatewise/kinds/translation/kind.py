"""Translation as a kind of problem. Imports no torch."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from gatewise.errors import OptionError
from gatewise.kinds.translation.languages import LANGUAGES
from gatewise.kinds.translation.spec import TranslationDataSpec, TranslatorSpec
from gatewise.training.amount import Amount
from gatewise.training.checks import refuse_for_known
from gatewise.training.kind import Baseline, ExportedModel, Judgement, Kind, Request, Trained
from gatewise.training.request import check_out
from gatewise.training.settings import Spec

if TYPE_CHECKING:
    from gatewise.data.records import DatasetInfo
    from gatewise.kinds.translation.dataset import TranslationDataset
    from gatewise.kinds.translation.exported import ExportedTranslator
    from gatewise.kinds.translation.problem import TranslationProblem
    from gatewise.record import ModelEntry
    from gatewise.statistics import Measure
    from gatewise.training.run_folder import RunFolder
    from gatewise.training.run_spec import RunSpec

__all__ = ["TranslationKind"]

_SHOWN = 100


class TranslationKind(Kind):
    """Sentences of one language in, those of another out."""

    name: ClassVar[str] = "translation"
    unit: ClassVar[str] = "sentence pairs"
    data_spec: ClassVar[type[Spec]] = TranslationDataSpec
    model_spec: ClassVar[type[Spec]] = TranslatorSpec
    default_training: ClassVar[Mapping[str, Any]] = {
        "batch_size": 64,
        "learning_rate": 2e-3,
        "clip_norm": 1.0,
        "averaging": 0.999,
    }
    amount: ClassVar[Amount] = Amount(steps=3_000, least=6, patience=6)
    known: ClassVar[tuple[str, ...]] = ("multi30k",)
    files: ClassVar[tuple[str, ...]] = ("source.json", "target.json", "seen.json")
    commands: ClassVar[Mapping[str, str]] = {"translate": "gatewise.kinds.translation.commands:translate"}
    estimators: ClassVar[Mapping[str, str]] = {"Translator": "gatewise.kinds.translation.estimator"}
    report: ClassVar[str | None] = "gatewise.kinds.translation.report"

    def datasets(self, cache: Path | None = None) -> Sequence[DatasetInfo]:
        """Captions of photographs in two languages."""
        from gatewise.kinds.translation.dataset import translation_infos

        return translation_infos(cache)

    def claims(self, path: Path) -> int:
        """Files that end with a language's code (``train.en``), and tables whose columns or keys are pairs."""
        name = path.name.lower().removesuffix(".gz")
        if name.rpartition(".")[2] in LANGUAGES:
            return 2
        if name.endswith((".jsonl", ".ndjson", ".tsv", ".tab", ".csv")):
            from gatewise.kinds.translation.reading import holds_pairs

            if path.is_file() and holds_pairs(path):
                return 2
        from gatewise.kinds.translation.by_content import holds_sentence_columns

        return 3 if path.is_file() and holds_sentence_columns(path) else 0

    def check(self, spec: RunSpec) -> None:
        """Refuse pre-training, and options of files with a known data set or without the files they go with."""
        super().check(spec)
        data = spec.data
        if data.data in self.known:
            names = ("translations", "source_column", "target_column", "test", "validation")
            refuse_for_known(data.data, {name: getattr(data, name) for name in names})
        for name in ("test", "validation"):
            if getattr(data, f"{name}_translations") is not None and getattr(data, name) is None:
                raise OptionError(f"--{name}-translations needs --{name}", fix=f"give --{name} FILE too")

    def load(self, data: Any) -> TranslationDataset:
        """Load, check and split the pairs; see `gatewise.kinds.translation.dataset.load_translation`."""
        from gatewise.kinds.translation.dataset import load_translation

        return load_translation(data)

    def problem(self, spec: RunSpec, dataset: Any) -> TranslationProblem:
        """The network on its encoded sentence pairs."""
        from gatewise.kinds.translation.trained import problem_of

        return problem_of(spec, dataset)

    def check_request(self, command: str, spec: RunSpec, request: Request) -> None:
        """Also refuse an output that cannot be written or is the input."""
        super().check_request(command, spec, request)
        if command == "predict":
            check_out(request)

    def open(self, run: RunFolder) -> Trained:
        """The translator of a finished run."""
        from gatewise.kinds.translation.trained import open_run

        return open_run(run)

    def exported(self, model: ExportedModel) -> ExportedTranslator:
        """A translator that was exported."""
        from gatewise.kinds.translation.exported import ExportedTranslator

        return ExportedTranslator(model)  # type: ignore[arg-type]

    def baselines(self, data: Any) -> Sequence[Baseline]:
        """Word by word from an alignment model, and the sentence itself."""
        from gatewise.kinds.translation.baselines import CopyBaseline, WordByWordBaseline

        return [WordByWordBaseline(), CopyBaseline()]

    def measure(self, dataset: Any) -> Measure:
        """BLEU, or what ``--metric`` names."""
        from gatewise.kinds.translation.measures import MEASURES

        return MEASURES[dataset.metric]

    def judgement(self, dataset: Any) -> Judgement:
        """Trivial: the sentence as it is."""
        from gatewise.kinds.translation.measures import MEASURES, contributions_of

        part = dataset.test
        figure = MEASURES[dataset.metric].of(contributions_of(dataset.metric, part.sources, part.targets))
        return Judgement(trivial=("leaving the sentences as they are", figure))

    def describe(self, dataset: Any) -> dict[str, Any]:
        """Sizes of the vocabularies, and words of each part on both sides."""
        parts = ("train", "validation", "test")
        return {
            "source_vocabulary_size": len(dataset.source_subwords),
            "target_vocabulary_size": len(dataset.target_subwords),
            "shared_vocabulary": dataset.shared,
            "words": {
                part: [sum(len(text.split()) for text in side) for side in (chosen.sources, chosen.targets)]
                for part in parts
                for chosen in (getattr(dataset, part),)
            },
            "metric": dataset.metric,
        }

    def record(self, models: Sequence[ModelEntry], dataset: Any) -> dict[str, Any]:
        """The first test sentences with their references, for the report."""
        part = dataset.test
        rows = zip(part.sources[:_SHOWN], part.targets[:_SHOWN], strict=True)
        return {"sentences": [{"source": source, "reference": target} for source, target in rows]}

    def use(self, folder: Path) -> str:
        """Translate a sentence."""
        return f'gatewise translate {shlex.quote(str(folder))} "A dog runs."'
