"""Sequence tagging as a kind of problem. Imports no torch."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from gatewise.kinds.tagging.spec import TaggerSpec, TaggingDataSpec
from gatewise.training.amount import Amount
from gatewise.training.checks import refuse_for_known
from gatewise.training.kind import Baseline, ExportedModel, Judgement, Kind, Predicting, Request, Trained
from gatewise.training.request import check_out
from gatewise.training.settings import Spec

if TYPE_CHECKING:
    from gatewise.data.records import DatasetInfo
    from gatewise.kinds.tagging.dataset import TaggingDataset
    from gatewise.kinds.tagging.problem import TaggingProblem
    from gatewise.record import ModelEntry
    from gatewise.statistics import Measure
    from gatewise.training.run_folder import RunFolder
    from gatewise.training.run_spec import RunSpec

__all__ = ["TaggingKind"]

_ENDINGS = (".conll", ".conll03", ".conll2003", ".conllu", ".iob", ".iob2", ".bio", ".bioes", ".tagged", ".pos")
_SHOWN = 200


class TaggingKind(Kind):
    """Words in, a tag for each out."""

    name: ClassVar[str] = "tagging"
    unit: ClassVar[str] = "sentences"
    data_spec: ClassVar[type[Spec]] = TaggingDataSpec
    model_spec: ClassVar[type[Spec]] = TaggerSpec
    default_training: ClassVar[Mapping[str, Any]] = {
        "batch_size": 16,
        "learning_rate": 2e-3,
        "clip_norm": 5.0,
        "averaging": 0.999,
    }
    amount: ClassVar[Amount] = Amount(steps=1_500, least=15, patience=15)
    known: ClassVar[tuple[str, ...]] = ("conll2003",)
    files: ClassVar[tuple[str, ...]] = ("tags.json", "vocabulary.json", "seen.json")
    estimators: ClassVar[Mapping[str, str]] = {"SequenceTagger": "gatewise.kinds.tagging.estimator"}
    report: ClassVar[str | None] = "gatewise.kinds.tagging.report"

    def datasets(self, cache: Path | None = None) -> Sequence[DatasetInfo]:
        """Named entities in English news."""
        from gatewise.kinds.tagging.dataset import tagging_infos

        return tagging_infos(cache)

    def claims(self, path: Path) -> int:
        """Files of tagged words by their common suffixes, gzip or not; text, JSON lines and tables that hold such."""
        name = path.name.lower().removesuffix(".gz")
        if name.endswith((".jsonl", ".ndjson")):
            from gatewise.kinds.tagging.json_lines import holds_tags

            return 2 if path.is_file() and holds_tags(path) else 0
        if name.endswith((".txt", ".text")):
            from gatewise.kinds.tagging.columns import holds_columns
            from gatewise.kinds.tagging.joined import holds_joined

            return 3 if path.is_file() and (holds_columns(path) or holds_joined(path)) else 0
        if name.endswith((".csv", ".tsv", ".tab")):
            from gatewise.kinds.tagging.sentence_tables import holds_sentence_table

            return 3 if path.is_file() and holds_sentence_table(path) else 0
        return 2 if name.endswith(_ENDINGS) else 0

    def check(self, spec: RunSpec) -> None:
        """Refuse pre-training, and options of files with a known data set."""
        super().check(spec)
        if spec.data.data in self.known:
            names = ("words", "tags", "scheme", "test", "validation")
            refuse_for_known(spec.data.data, {name: getattr(spec.data, name) for name in names})

    def load(self, data: Any) -> TaggingDataset:
        """Load, check, split and number the sentences; see `gatewise.kinds.tagging.dataset.load_tagging`."""
        from gatewise.kinds.tagging.dataset import load_tagging

        return load_tagging(data)

    def problem(self, spec: RunSpec, dataset: Any) -> TaggingProblem:
        """The network on its encoded sentences."""
        from gatewise.kinds.tagging.trained import problem_of

        return problem_of(spec, dataset)

    def check_request(self, command: str, spec: RunSpec, request: Request) -> None:
        """Also refuse an output that cannot be written or is the input."""
        super().check_request(command, spec, request)
        if command == "predict":
            check_out(request)

    def open(self, run: RunFolder) -> Trained:
        """The tagger of a finished run."""
        from gatewise.kinds.tagging.trained import open_run

        return open_run(run)

    def exported(self, model: ExportedModel) -> Predicting:
        """The tagger of an exported model."""
        from gatewise.kinds.tagging.exported import ExportedTagger

        return ExportedTagger(model)

    def baselines(self, data: Any) -> Sequence[Baseline]:
        """A CRF on hand-made features, and the most frequent tag of each word."""
        from gatewise.kinds.tagging.baselines import FeatureBaseline, MostFrequentBaseline

        return [FeatureBaseline(), MostFrequentBaseline()]

    def measure(self, dataset: Any) -> Measure:
        """Span F1 where the tags mark spans, else the share of words with the right tag."""
        from gatewise.kinds.tagging.evaluating import measure_of

        return measure_of(dataset.tag_set)

    def judgement(self, dataset: Any) -> Judgement:
        """Trivial: no spans, or always the most frequent tag."""
        from gatewise.kinds.tagging.figures import most_frequent

        if dataset.tag_set.marks_spans:
            return Judgement(trivial=("marking no span", 0.0))
        number, share = most_frequent(dataset.train.tags, dataset.test.tags)
        return Judgement(trivial=(f"always predicting '{dataset.tag_set.tags[number]}'", share))

    def describe(self, dataset: Any) -> dict[str, Any]:
        """Scheme, types or tags, words of each part, and the share of unknown ones."""
        parts = ("train", "validation", "test")
        return {
            "scheme": dataset.tag_set.scheme,
            "types": list(dataset.tag_set.names),
            "words": {part: getattr(dataset, part).word_count for part in parts},
            "vocabulary_size": dataset.vocabulary.word_count,
            "unknown_share": dataset.unknown_share(),
        }

    def record(self, models: Sequence[ModelEntry], dataset: Any) -> dict[str, Any]:
        """The first test sentences with their tags, for the report."""
        part = dataset.test
        rows = zip(part.sentences[:_SHOWN], part.tags[:_SHOWN], strict=True)
        return {
            "sentences": [
                {"words": list(sentence.words), "tags": dataset.tag_set.decode(tags)} for sentence, tags in rows
            ]
        }

    def use(self, folder: Path) -> str:
        """Tag a text."""
        return f'gatewise predict {shlex.quote(str(folder))} "Maria Curie worked in Paris."'
