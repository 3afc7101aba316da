"""What a kind of problem offers: protocols and base classes only; no kind is known here. Imports no torch.

A kind is one folder: an instance of `Kind` called ``KIND`` in its ``__init__.py``, which imports no torch, and
in it specs, data, network, problem, trained runs, baselines, report and commands. The registry finds it.
"""

from __future__ import annotations

import copy
import shlex
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol, Self

from gatewise.errors import ConversionError, DataError, OptionError, RunError
from gatewise.training.amount import Amount

if TYPE_CHECKING:
    from torch import Tensor

    from gatewise.data.records import DatasetInfo
    from gatewise.export.graph import Example, Graph
    from gatewise.nn import Recurrent
    from gatewise.record import ModelEntry
    from gatewise.statistics.measure import Measure
    from gatewise.training.phase import Phase
    from gatewise.training.problem import Evaluation, Problem
    from gatewise.training.reader import Reader
    from gatewise.training.run_folder import RunFolder
    from gatewise.training.run_spec import RunSpec
    from gatewise.training.settings import Spec
    from gatewise.training.streaming import Streaming

__all__ = [
    "Baseline",
    "Dataset",
    "Evaluating",
    "ExportedModel",
    "Judgement",
    "Kind",
    "Predicting",
    "RecurrentInputs",
    "Request",
    "Trained",
    "check_file",
]


class Dataset(Protocol):
    """What every loaded data set has, whatever its records are.

    Attributes:
        name: registry name or file name.
        source: where the records came from, in a sentence.
        split_note: what the test part is, in a sentence.
        fingerprint: SHA-256 of all records and of how they are split.
        notes: what was dropped or repaired, a sentence each.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def source(self) -> str: ...  # noqa: D102
    @property
    def split_note(self) -> str: ...  # noqa: D102
    @property
    def fingerprint(self) -> str: ...  # noqa: D102
    @property
    def notes(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def sizes(self) -> Mapping[str, int]:
        """Examples of ``train``, ``validation`` and ``test``, in the kind's unit."""
        ...


class RecurrentInputs(NamedTuple):
    """Real sequences as one stack of recurrent layers reads them.

    Attributes:
        recurrent: the layers, in evaluation mode.
        inputs: (T, B, I).
        lengths: (B,), or None where all sequences are T long.
        state: in which the layers begin, as their ``forward`` takes it for B sequences; None: in their own.
    """

    recurrent: Recurrent
    inputs: Tensor
    lengths: Tensor | None
    state: Any = None


@dataclass(frozen=True)
class Judgement:
    """How the figures of a kind are judged.

    Attributes:
        trivial: the trivial prediction, as (words that complete "better than ...", its figure); None: unknown.
        skill: whether a figure counts as skill only beyond a baseline (forecasts): the fraction of its error that is
            saved is in the tables.
        skill_against: name of the baseline that skill is measured against; None, or where it is missing: the best one.
        harder_with: settings that make the problem harder as they grow, so that along them it makes sense to ask how
            far a cell still succeeds.
    """

    trivial: tuple[str, float] | None = None
    skill: bool = False
    skill_against: str | None = None
    harder_with: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Request:
    """The arguments of `gatewise predict` or `evaluate`.

    Attributes:
        run: its folder.
        inputs: the arguments after the folder.
        file: ``--file``.
        out: ``--out``.
        as_json: ``--json``.
        settings: those given of the data spec's settings with ``reads``, which describe the file.
    """

    run: Path
    inputs: tuple[str, ...] = ()
    file: Path | None = None
    out: Path | None = None
    as_json: bool = False
    settings: Mapping[str, Any] = field(default_factory=dict)


class Trained(ABC):
    """A finished run, opened; each kind adds its own methods.

    Attributes:
        spec: the run it came from.
        input_schema: JSON schema of one input of `answer`.
    """

    spec: RunSpec
    input_schema: ClassVar[Mapping[str, Any]] = {}

    @abstractmethod
    def test(self, dataset: Any, part: str = "test") -> Evaluation:
        """Measure on a part of the data it was trained for: ``test`` or ``validation``."""

    @abstractmethod
    def predictor(self, dataset: Any) -> Callable[[int], object]:
        """A function that predicts the first n test examples from raw data, for measuring latency."""

    @abstractmethod
    def stacks(self, dataset: Any, count: int, steps: int) -> Mapping[str, RecurrentInputs]:
        """The recurrent stacks by name, the most important first, each with what it reads.

        Args:
            dataset: its data.
            count: at most so many test sequences.
            steps: at most so many steps of each.
        """

    def graph(self) -> Graph:
        """What it computes, for `gatewise export`.

        Raises:
            ConversionError: the kind does not say.
        """
        raise ConversionError(
            f"{self.spec.task} cannot be exported",
            expected=f"a kind whose {type(self).__name__} has graph() and graph_examples()",
            fix="export its recurrent layers: gatewise.export.onnx(layer)",
        )

    def graph_examples(self, dataset: Any, count: int, part: str = "test") -> Sequence[Example]:
        """Examples as the graph reads them, with what the network makes of them, to check an export.

        Args:
            dataset: its data.
            count: at most so many, evenly spread.
            part: ``test``, or ``train`` to calibrate an export.
        """
        return []

    def graph_scores(self, dataset: Any, outputs: Sequence[Mapping[str, Any]]) -> tuple[Any, Measure] | None:
        """What outputs of the graph contribute to the figure, so that an export that rounds can be judged.

        Args:
            dataset: its data.
            outputs: of the test examples that `graph_examples` gives for ``count=len(outputs)``, in order.

        Returns:
            Contributions (N,) or (N, K) and what they contribute to; None: the kind does not say.
        """
        return None

    def reader(self, dataset: Any = None) -> Reader:
        """How its answers come about, for `gatewise explain`.

        Args:
            dataset: its data, for examples to choose from and for what is typical of them; None: without.

        Raises:
            RunError: the kind does not say.
        """
        raise RunError(
            f"runs of the task {self.spec.task} cannot be explained",
            expected="a kind that says how its networks read (Trained.reader)",
            fix="gatewise inspect draws the memory curve of any run",
        )

    def details(self, dataset: Any) -> Mapping[str, Any]:
        """What a report shows of this kind beyond figures, ready for JSON: samples of generated text, a forecast."""
        return {}

    def answer(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """Predictions for inputs as a person writes them in JSON, one object each: those of `gatewise predict --json`.

        Raises:
            RunError: the kind has no predictions.
            DataError: an input cannot be read.
        """
        raise RunError(f"{self.spec.task} has no predictions for inputs from outside")

    def streaming(self) -> Streaming:
        """The network step by step, for `gatewise serve`.

        Raises:
            ConversionError: it needs the whole sequence, or the kind does not say how to stream it.
        """
        raise ConversionError(f"{self.spec.task} does not run as a stream", fix="send requests with whole inputs")

    def predict_command(self, request: Request) -> None:
        """Execute `gatewise predict`: write predictions to standard output or a file.

        Raises:
            RunError: the kind has no such command.
        """
        raise _no_command("predict", self, request)

    def evaluate_command(self, request: Request) -> None:
        """Execute `gatewise evaluate`: measure on the file of the request.

        Raises:
            RunError: the kind has no such command.
        """
        raise _no_command("evaluate", self, request)


def _no_command(name: str, trained: Trained, request: Request) -> RunError:
    return RunError(
        f"`gatewise {name}` does not go with {trained.spec.task}",
        got=f"a run of the task {trained.spec.task} in {request.run}",
        fix=f"gatewise inspect {request.run} inspects any run",
    )


class ExportedModel(Protocol):
    """An exported model in its runtime, as a kind sees it.

    Attributes:
        metadata: what the kind's graph says beside its nodes: words, class names, scaling.
    """

    @property
    def metadata(self) -> Mapping[str, Any]: ...  # noqa: D102
    def run(self, examples: Sequence[Mapping[str, Any]]) -> Mapping[str, Sequence[Any]]:
        """The outputs of several examples by name, see `gatewise.export.graph.Interpreter.run`."""
        ...


class Predicting(Protocol):
    """What executes `gatewise predict`: a trained network, or an exported model."""

    def predict_command(self, request: Request) -> None:
        """Write predictions to standard output or a file."""
        ...


class Evaluating(Predicting, Protocol):
    """What executes `gatewise evaluate` as well."""

    def evaluate_command(self, request: Request) -> None:
        """Measure on the file of the request."""
        ...


class Baseline(ABC):
    """A baseline that is compared with the recurrent models.

    Attributes:
        name: as in files: ``tfidf-logistic-regression``.
        title: as a reader knows it.
        reason: what it is, in a few words.
        settings: those that differ from the defaults, see `configured`.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    reason: ClassVar[str]
    settings: Mapping[str, Any] = MappingProxyType({})

    def search_space(self, dataset: Any) -> Mapping[str, tuple[Any, ...]]:
        """The values among which each setting is chosen where the cells' settings are searched, its default first.

        Empty: there is nothing to choose. Values are numbers, words, booleans or None.
        """
        return {}

    def configured(self, settings: Mapping[str, Any]) -> Self:
        """A copy with these settings, not fitted; settings that are not named have their defaults."""
        found = copy.copy(self)
        found.settings = MappingProxyType(dict(settings))
        return found

    def setting_values(self, dataset: Any) -> dict[str, Any]:
        """The value of every setting of the search space, as `fit` uses it.

        Raises:
            OptionError: a setting that the space lacks.
        """
        space = self.search_space(dataset)
        if unknown := set(self.settings) - set(space):
            raise OptionError(
                f"{self.name} has no setting {', '.join(sorted(unknown))}", expected=", ".join(space) or "no setting"
            )
        return {name: self.settings.get(name, values[0]) for name, values in space.items()}

    @property
    def full_title(self) -> str:
        """The title of the fitted baseline, where a setting belongs in it."""
        return self.title

    @abstractmethod
    def fit(self, dataset: Any) -> None:
        """Fit on the training part, with the values of `setting_values`."""

    @property
    @abstractmethod
    def parameters(self) -> int:
        """Number of parameters."""

    @abstractmethod
    def test(self, dataset: Any, part: str = "test") -> Evaluation:
        """Measure on a part; the examples are those of `Trained.test`, in the same order."""

    @abstractmethod
    def predictor(self, dataset: Any) -> Callable[[int], object]:
        """A function that predicts the first n test examples from raw data, for measuring latency."""


def check_file(file: Path | None) -> None:
    """Refuse a file that does not exist, or is a folder; None passes, and ``-``, which is standard input.

    Raises:
        DataError: naming it.

    Example:
        >>> check_file(Path("nowhere.csv"))
        Traceback (most recent call last):
        gatewise.errors.DataError: nowhere.csv does not exist; fix: check the path
    """
    if file is None or str(file) == "-":
        return
    place = file.expanduser()
    if place.is_dir():
        raise DataError(f"{file} is a folder", expected="a file", fix="name the file in it")
    if not place.exists():
        raise DataError(f"{file} does not exist", fix="check the path")


class Kind(ABC):
    """One kind of problem. Making an instance imports no torch; the methods that need it import it.

    Attributes:
        name: of the kind, as ``--task`` has it.
        unit: what an example is, in the plural.
        data_spec: settings of the data; its first field is ``data``.
        model_spec: settings of the network; ``cell`` is among them.
        amount: how long to train by default.
        default_training: fields of `gatewise.training.spec.TrainingSpec` whose default differs.
        pretraining_spec: settings of an earlier phase of training, for a kind that has one.
        defaults_with_pretraining: fields of ``model`` and ``training`` whose default differs with it.
        known: names of data sets, which `datasets` describes, and aliases.
        files: names of further files in a run folder, besides the weights.
        resplit: the setting of the data whose values split, or draw, them anew; None: their parts are given.
        prediction_settings: names of the settings of the data with ``reads`` that `gatewise predict` has too.
        commands: the kind's own commands, as ``module:function`` by name; the function is one for typer.
        estimators: modules of the kind's estimators by their names, which `gatewise` offers as its own.
        report: module with the kind's part of the report, which imports no torch: any of ``sections``, ``notes``,
            ``figures`` and ``check`` (see `gatewise.reports.kind_report`); None: it has none.
    """

    name: ClassVar[str]
    unit: ClassVar[str]
    data_spec: ClassVar[type[Spec]]
    model_spec: ClassVar[type[Spec]]
    amount: ClassVar[Amount] = Amount()
    default_training: ClassVar[Mapping[str, Any]] = {}
    pretraining_spec: ClassVar[type[Spec] | None] = None
    defaults_with_pretraining: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    known: ClassVar[tuple[str, ...]] = ()
    files: ClassVar[tuple[str, ...]] = ()
    resplit: ClassVar[str | None] = None
    prediction_settings: ClassVar[tuple[str, ...]] = ()
    commands: ClassVar[Mapping[str, str]] = {}
    estimators: ClassVar[Mapping[str, str]] = {}
    report: ClassVar[str | None] = None

    def datasets(self, cache: Path | None = None) -> Sequence[DatasetInfo]:
        """The data sets known by name.

        Args:
            cache: the cache folder; None: the default one.
        """
        return []

    def claims(self, path: Path) -> int:
        """How surely a file is meant for this kind: 0 not at all, 1 it may be, 2 by its ending."""
        return 0

    def check(self, spec: RunSpec) -> None:
        """Refuse incompatible parts of a run.

        Raises:
            OptionError: naming them.
        """
        if spec.pretraining is not None:
            raise OptionError(f"there is no pre-training for {self.name}", fix="omit --pretrain")

    @abstractmethod
    def load(self, data: Any) -> Dataset:
        """Load the data that a data spec names."""

    @abstractmethod
    def problem(self, spec: RunSpec, dataset: Any) -> Problem:
        """The network of a spec, freshly drawn from torch's random state, on its data and its device."""

    def phases(self, spec: RunSpec, dataset: Any) -> Sequence[Phase]:
        """What is trained one after the other; the last phase is the run itself.

        Budget, estimate, cost and equal time see all of them.
        """
        from gatewise.training.phase import Phase

        return [Phase("training", spec, lambda: self.problem(spec, dataset))]

    def check_request(self, command: str, spec: RunSpec, request: Request) -> None:
        """Refuse a request that cannot be executed, before torch and the network are loaded. Imports no torch.

        Args:
            command: ``predict`` or ``evaluate``.
            spec: the run.
            request: its arguments.

        Raises:
            DataError: the file does not exist or is a folder.
        """
        check_file(request.file)

    @abstractmethod
    def open(self, run: RunFolder) -> Trained:
        """The network of a finished run with its best weights."""

    def exported(self, model: ExportedModel) -> Predicting:
        """An exported model of this kind, for `gatewise predict`. Imports no torch.

        Raises:
            RunError: the kind has no predictions without its network.
        """
        raise RunError(
            f"`gatewise predict` does not go with exported models of {self.name}",
            fix="run it with gatewise.export.to_onnx.runtime.OnnxModel or onnxruntime",
        )

    @abstractmethod
    def baselines(self, data: Any) -> Sequence[Baseline]:
        """The baselines of every comparison of this kind, the most important first.

        Args:
            data: the data spec.
        """

    @abstractmethod
    def measure(self, dataset: Any) -> Measure:
        """The figure by which models are compared on particular data."""

    def judgement(self, dataset: Any) -> Judgement:
        """How figures are judged: what is trivial, what counts as skill."""
        return Judgement()

    @abstractmethod
    def describe(self, dataset: Any) -> dict[str, Any]:
        """What the comparison's record holds of the data besides `Dataset`: class names, columns, token counts."""

    def record(self, models: Sequence[ModelEntry], dataset: Any) -> Mapping[str, Any]:
        """What the comparison's record holds as its ``details``, for the kind's part of the report.

        Args:
            models: the record's models.
            dataset: on what they were compared.
        """
        return {}

    def use(self, folder: Path) -> str:
        """The command to try on a run that has just been trained."""
        return f"gatewise inspect {shlex.quote(str(folder))}"
