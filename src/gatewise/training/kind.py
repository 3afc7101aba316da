"""What a kind of problem offers: protocols and base classes only; no kind is known here. Imports no torch.

A kind is one folder: an instance of `Kind` called ``KIND`` in its ``__init__.py``, which imports no torch, and
in it specs, data, network, problem, trained runs, baselines, report and commands. The registry finds it.
"""

from __future__ import annotations

import shlex
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from gatewise.errors import OptionError, RunError
from gatewise.training.amount import Amount
from gatewise.training.baseline import Baseline
from gatewise.training.request import Request, check_file
from gatewise.training.settings import settings_of
from gatewise.training.trained_network import RecurrentInputs, Trained

if TYPE_CHECKING:
    from gatewise.data.records import DatasetInfo
    from gatewise.record import ModelEntry
    from gatewise.statistics.measure import Measure
    from gatewise.training.phase import Phase
    from gatewise.training.problem import Problem
    from gatewise.training.run_folder import RunFolder
    from gatewise.training.run_spec import RunSpec
    from gatewise.training.settings import Spec

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
        groups: what the groups of the test examples are, where the measure has such: words in the plural.
    """

    trivial: tuple[str, float] | None = None
    skill: bool = False
    skill_against: str | None = None
    harder_with: frozenset[str] = frozenset()
    groups: str = "groups of test examples"


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
        """How surely a file is meant for this kind: 0 not at all, 1 it may be, 2 by its ending, 3 by its content."""
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

    def settled(self, spec: RunSpec, dataset: Any) -> RunSpec:
        """A run's spec with what its data decides where nothing is given: specs that are then equal are of one run.

        Two runs on data with the same fingerprint read the same, however they were told to read it.
        """
        reading = {name: entry.default for name, entry in settings_of(self.data_spec).items() if entry.reads}
        return replace(spec, data=replace(spec.data, **reading)) if reading else spec

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

    def check_exported_request(self, command: str, request: Request) -> None:
        """As `check_request`, of an exported model, which has no run."""
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
            fix="run it in onnxruntime: docs/export.md shows how",
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
