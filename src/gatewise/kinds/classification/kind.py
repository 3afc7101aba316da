"""Text classification as a kind of problem. Imports no torch."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from gatewise.errors import OptionError
from gatewise.kinds.classification.spec import DEFAULTS_WITH_PRETRAINING, DataSpec, ModelSpec, PretrainingSpec
from gatewise.training.kind import Baseline, ExportedModel, Judgement, Kind, Predicting, Request, Trained
from gatewise.training.settings import Spec

if TYPE_CHECKING:
    from gatewise.data.records import DatasetInfo, TextDataset
    from gatewise.kinds.classification.problem import ClassificationProblem
    from gatewise.record import ModelEntry
    from gatewise.statistics.measure import Measure
    from gatewise.training.phase import Phase
    from gatewise.training.run_folder import RunFolder
    from gatewise.training.run_spec import RunSpec

__all__ = ["ClassificationKind"]

_ARCHIVES = (".gz", ".tgz", ".tar")


class ClassificationKind(Kind):
    """Texts in, one of several classes out; or any number of labels."""

    name: ClassVar[str] = "classification"
    unit: ClassVar[str] = "texts"
    data_spec: ClassVar[type[Spec]] = DataSpec
    model_spec: ClassVar[type[Spec]] = ModelSpec
    default_training: ClassVar[Mapping[str, Any]] = {"learning_rate": 3e-3}
    pretraining_spec: ClassVar[type[Spec] | None] = PretrainingSpec
    defaults_with_pretraining: ClassVar[Mapping[str, Mapping[str, Any]]] = DEFAULTS_WITH_PRETRAINING
    known: ClassVar[tuple[str, ...]] = ("imdb", "rotten-tomatoes")
    files: ClassVar[tuple[str, ...]] = (
        "vocabulary.json",
        "classes.json",
        "seen.json",
        "thresholds.json",
        "calibration.json",
        "pretraining",
    )
    resplit: ClassVar[str | None] = "split"
    prediction_settings: ClassVar[tuple[str, ...]] = ("text", "encoding")
    estimators: ClassVar[Mapping[str, str]] = {"TextClassifier": "gatewise.kinds.classification.estimator"}
    report: ClassVar[str | None] = "gatewise.kinds.classification.report"

    def datasets(self, cache: Path | None = None) -> Sequence[DatasetInfo]:
        """Film reviews."""
        from gatewise.kinds.classification.loading import text_infos

        return text_infos(cache)

    def claims(self, path: Path) -> int:
        """Tables, lines with a label and a text, and the folder or archive of the official reviews."""
        from gatewise.data.labelled_lines import holds_labelled_lines
        from gatewise.data.rows import TABLE_SUFFIXES
        from gatewise.data.tab_tables import holds_tab_table

        if holds_labelled_lines(path) or holds_tab_table(path):
            return 3
        return 1 if path.suffix.lower() in (*TABLE_SUFFIXES, *_ARCHIVES) or path.is_dir() else 0

    def check(self, spec: RunSpec) -> None:
        """Refuse pre-training that this network or its processes exclude, and unlabelled texts without pre-training."""
        from gatewise.kinds.classification.label_sets import may_have_several
        from gatewise.kinds.classification.measures import measure_of

        data, model = spec.data, spec.model
        if data.metric is not None and (several := may_have_several(data)) is not None:
            measure_of(data.metric, 2, multi_label=several)
        if data.thresholds != "validation" and may_have_several(data) is False:
            raise _thresholds_of_one_label(data.thresholds)
        if spec.pretraining is None and data.unlabelled is not None:
            raise OptionError(
                "texts without labels are for pre-training only",
                got=f"--unlabelled {data.unlabelled}",
                fix="add --pretrain, or omit --unlabelled",
            )
        if spec.pretraining is not None and model.bidirectional and model.num_layers > 1:
            raise OptionError(
                "several bidirectional layers cannot be pre-trained: from the second layer on, each direction has "
                "already seen the word that it should predict",
                expected="one bidirectional layer, or layers of one direction",
                got=f"{model.num_layers} bidirectional layers",
                fix="--num-layers 1, or omit --bidirectional or --pretrain",
            )
        if spec.pretraining is not None and spec.training.processes > spec.pretraining.pretraining_batch_size:
            raise OptionError(
                "there are more processes than a batch of the pre-training has sequences",
                expected=f"at most {spec.pretraining.pretraining_batch_size} processes",
                got=spec.training.processes,
                fix="lower --processes, or raise --pretraining-batch-size",
            )

    def load(self, data: Any) -> TextDataset:
        """Load and split the texts, add those without labels; see `gatewise.kinds.classification.loading.load_text`."""
        from gatewise.data.splits import limit_training
        from gatewise.kinds.classification.label_advice import uneven_note
        from gatewise.kinds.classification.loading import load_text
        from gatewise.kinds.classification.preparation import with_vocabulary_notes
        from gatewise.kinds.classification.unlabelled import read_unlabelled, with_unlabelled

        dataset = load_text(
            data.data,
            text=data.text,
            label=data.label,
            encoding=data.encoding,
            test=data.test,
            separator=data.separator,
            drop_labels_below=data.drop_labels_below,
            group=data.group,
            split=data.split,
            download=data.download,
        )
        if data.thresholds != "validation" and not dataset.multi_label:
            raise _thresholds_of_one_label(data.thresholds)
        dataset = replace(dataset, metric=data.metric, chosen_thresholds=data.thresholds == "validation")
        if data.examples is not None:
            dataset = limit_training(dataset, data.examples)
        if data.unlabelled is not None:
            dataset = with_unlabelled(dataset, read_unlabelled(data.unlabelled), data.unlabelled)
        dataset = replace(dataset, notes=(*dataset.notes, *uneven_note(dataset)))
        usual = ModelSpec()
        return with_vocabulary_notes(dataset, usual.vocabulary_size, usual.max_tokens, usual.training_tokens)

    def settled(self, spec: RunSpec, dataset: Any) -> RunSpec:
        """With the factor of the recurrent layers' start that is derived where none is given."""
        return replace(spec, model=replace(spec.model, recurrent_start=spec.model.recurrent_factor))

    def problem(self, spec: RunSpec, dataset: Any) -> ClassificationProblem:
        """The network on its encoded texts."""
        from gatewise.kinds.classification.trained import problem_of

        return problem_of(spec, dataset)

    def phases(self, spec: RunSpec, dataset: Any) -> Sequence[Phase]:
        """The classifier, after a language model of the texts where it is pre-trained."""
        if spec.pretraining is None:
            return super().phases(spec, dataset)
        from gatewise.kinds.classification.pretraining import phases

        return phases(spec, dataset, lambda: self.problem(spec, dataset))

    def check_request(self, command: str, spec: RunSpec, request: Request) -> None:
        """Also refuse empty texts, and an output that cannot be written or is the input; folders may be evaluated."""
        file = None if request.file is None else request.file.expanduser()
        if command == "evaluate" and file is not None and file.is_dir():
            return
        super().check_request(command, spec, request)
        if command == "predict":
            from gatewise.kinds.classification.commands import check_predict

            check_predict(request)

    def open(self, run: RunFolder) -> Trained:
        """The classifier of a finished run."""
        from gatewise.kinds.classification.trained import open_run

        return open_run(run)

    def exported(self, model: ExportedModel) -> Predicting:
        """The classifier of an exported model."""
        from gatewise.kinds.classification.exported import ExportedClassifier

        return ExportedClassifier(model)

    def baselines(self, data: Any) -> Sequence[Baseline]:
        """TF-IDF with logistic regression, of several labels one for each."""
        from gatewise.kinds.classification.baselines import TfidfBaseline

        return [TfidfBaseline()]

    def measure(self, dataset: Any) -> Measure:
        """Accuracy, or what ``metric`` names; over the groups of the test texts where they have some."""
        from gatewise.kinds.classification.measures import measure_of

        names = dataset.label_names
        found = measure_of(dataset.metric, len(names), multi_label=dataset.multi_label, names=names)
        return found.over_groups(dataset.test.groups)

    def judgement(self, dataset: Any) -> Judgement:
        """Trivial: always predicting the most frequent class of the training part, or one score for all texts."""
        from gatewise.kinds.classification.measures import trivial_answer

        groups = "groups of test texts (near duplicates are in one group)"
        if dataset.group is not None:
            groups = f"groups of test texts by {dataset.group}"
        return Judgement(trivial=trivial_answer(self.measure(dataset), dataset), groups=groups)

    def describe(self, dataset: Any) -> dict[str, Any]:
        """Class names, the accuracy of the most frequent training class on the test part, and the trivial answer."""
        from gatewise.kinds.classification.figures import majority
        from gatewise.kinds.classification.measures import trivial_answer

        trivial = trivial_answer(self.measure(dataset), dataset)
        found: dict[str, Any] = {
            "label_names": list(dataset.label_names),
            "trivial": None if trivial is None else {"words": trivial[0], "value": trivial[1]},
        }
        if dataset.test.groups is not None:
            found["test_groups"] = len(set(dataset.test.groups.tolist()))
        if dataset.multi_label:
            return {**found, "multi_label": True, "chosen_thresholds": dataset.chosen_thresholds}
        label, share = majority(dataset)
        return {**found, "majority": {"label": label, "accuracy": share}}

    def record(self, models: Sequence[ModelEntry], dataset: Any) -> Mapping[str, Any]:
        """The true classes, the texts that models misclassify most confidently, and figures of ordered labels."""
        if dataset.multi_label:
            return {}
        from gatewise.kinds.classification.examples import wrong_examples
        from gatewise.kinds.classification.ordered import ordered_models

        ordered = ordered_models(models, dataset)
        return {**wrong_examples(models, dataset), **({"ordered": ordered} if ordered else {})}

    def use(self, folder: Path) -> str:
        """Classify a text."""
        return f'gatewise predict {shlex.quote(str(folder))} "a text"'


def _thresholds_of_one_label(given: str) -> OptionError:
    return OptionError(
        "thresholds are for texts with several labels: of one label the most probable is answered",
        got=f"--thresholds {given}",
        fix="omit --thresholds, or add --separator",
    )
