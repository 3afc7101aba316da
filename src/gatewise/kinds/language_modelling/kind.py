"""Language modelling as a kind of problem. Imports no torch."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from gatewise.kinds.language_modelling.spec import CorpusSpec, LanguageModelSpec
from gatewise.training.amount import Amount
from gatewise.training.kind import Baseline, ExportedModel, Judgement, Kind, Predicting, Request, Trained
from gatewise.training.settings import Spec

if TYPE_CHECKING:
    from gatewise.data.records import DatasetInfo
    from gatewise.kinds.language_modelling.corpora import Corpus
    from gatewise.kinds.language_modelling.problem import LanguageModellingProblem
    from gatewise.statistics.measure import Measure
    from gatewise.training.run_folder import RunFolder
    from gatewise.training.run_spec import RunSpec

__all__ = ["LanguageModellingKind"]

_LOOKED_AT = 3


class LanguageModellingKind(Kind):
    """Tokens in, the next token out."""

    name: ClassVar[str] = "language-modelling"
    unit: ClassVar[str] = "tokens"
    data_spec: ClassVar[type[Spec]] = CorpusSpec
    model_spec: ClassVar[type[Spec]] = LanguageModelSpec
    default_training: ClassVar[Mapping[str, Any]] = {
        "batch_size": 20,
        "learning_rate": 2e-3,
        "schedule": "cosine",
        "clip_norm": 0.25,
    }
    amount: ClassVar[Amount] = Amount(steps=1_500, least=12, most=300, patience=3)
    known: ClassVar[tuple[str, ...]] = ("ptb", "reviews")
    files: ClassVar[tuple[str, ...]] = ("vocabulary.json",)
    commands: ClassVar[Mapping[str, str]] = {"generate": "gatewise.kinds.language_modelling.commands:generate"}
    estimators: ClassVar[Mapping[str, str]] = {"LanguageModel": "gatewise.kinds.language_modelling.estimator"}
    report: ClassVar[str | None] = "gatewise.kinds.language_modelling.report"

    def datasets(self, cache: Path | None = None) -> Sequence[DatasetInfo]:
        """Running text."""
        from gatewise.kinds.language_modelling.corpora import corpus_infos

        return corpus_infos(cache)

    def claims(self, path: Path) -> int:
        """Plain text; less surely a page, a log or a program, or a folder of nothing but texts."""
        from gatewise.data.text_folders import SUFFIXES, holds_flat_texts, text_files
        from gatewise.kinds.language_modelling.folders import OTHER_TEXTS
        from gatewise.training.registry import is_derived

        if holds_flat_texts(path):
            first = text_files(path, deep=False)[:_LOOKED_AT]
            return 2 * all(is_derived(self.name, str(each)) for each in first)
        suffix = path.suffix.lower()
        return 2 if suffix in SUFFIXES else int(suffix in OTHER_TEXTS)

    def load(self, data: Any) -> Corpus:
        """Load, split and number the text; see `gatewise.kinds.language_modelling.corpora.load_corpus`."""
        from gatewise.kinds.language_modelling.corpora import load_corpus

        return load_corpus(
            data.data,
            tokens=data.tokens,
            vocabulary_size=data.vocabulary_size,
            encoding=data.encoding,
            download=data.download,
        )

    def check_request(self, command: str, spec: RunSpec, request: Request) -> None:
        """Also let `evaluate` measure on a folder of texts."""
        file = None if request.file is None else request.file.expanduser()
        if command == "evaluate" and file is not None and file.is_dir():
            from gatewise.kinds.language_modelling.folders import texts_in

            texts_in(file)
            return
        super().check_request(command, spec, request)

    def problem(self, spec: RunSpec, dataset: Any) -> LanguageModellingProblem:
        """The network on the numbered text."""
        from gatewise.kinds.language_modelling.trained import problem_of

        return problem_of(spec, dataset)

    def open(self, run: RunFolder) -> Trained:
        """The language model of a finished run."""
        from gatewise.kinds.language_modelling.trained import open_run

        return open_run(run)

    def exported(self, model: ExportedModel) -> Predicting:
        """The language model of an exported model."""
        from gatewise.kinds.language_modelling.exported import ExportedLanguageModel

        return ExportedLanguageModel(model)

    def baselines(self, data: Any) -> Sequence[Baseline]:
        """Kneser-Ney 5-gram and unigram."""
        from gatewise.kinds.language_modelling.baselines import KneserNeyBaseline, UnigramBaseline

        return [KneserNeyBaseline(), UnigramBaseline()]

    def measure(self, dataset: Any) -> Measure:
        """Perplexity; over documents where it is known where they begin."""
        from dataclasses import replace

        from gatewise.kinds.language_modelling.problem import PERPLEXITY

        return replace(PERPLEXITY, borders=dataset.test_borders)

    def judgement(self, dataset: Any) -> Judgement:
        """Trivial: each token by its frequency alone."""
        from gatewise.kinds.language_modelling.baselines import UnigramBaseline

        unigram = UnigramBaseline()
        unigram.fit(dataset)
        return Judgement(trivial=("the frequency of each token alone", unigram.test(dataset).metrics["perplexity"]))

    def describe(self, dataset: Any) -> dict[str, Any]:
        """Token counts, the vocabulary's size, and the share of unknown words."""
        return {
            "vocabulary_size": len(dataset.vocabulary),
            "tokens": dataset.sizes,
            "tokenisation": dataset.vocabulary.kind,
            "unknown_share": dataset.unknown_share(),
        }

    def use(self, folder: Path) -> str:
        """Continue a text."""
        return f'gatewise generate {shlex.quote(str(folder))} --prompt "once upon a time"'
