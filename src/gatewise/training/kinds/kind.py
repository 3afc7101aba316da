"""What a binding offers: the surface that loop, comparison and command line see of every problem."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, Protocol

from gatewise.tasks.problem import Evaluation, Metric, Problem

if TYPE_CHECKING:
    from torch import Tensor

    from gatewise.nn import Recurrent
    from gatewise.training.run_folder import RunFolder
    from gatewise.training.run_spec import RunSpec

__all__ = ["Baseline", "Dataset", "Kind", "RecurrentInputs", "Trained"]


class Dataset(Protocol):
    """What every loaded data set tells of itself, whatever its records are.

    Attributes:
        name: registry name or file name.
        source: a sentence saying which place the records came from.
        split_note: a sentence saying what the test part is.
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
    def sizes(self) -> dict[str, int]:
        """Examples of ``train``, ``validation`` and ``test``, in the task's unit."""
        ...


class RecurrentInputs(NamedTuple):
    """Real sequences as the recurrent layers see them.

    Attributes:
        recurrent: the layers, in evaluation mode.
        inputs: (T, B, I).
        lengths: (B,), or None where all sequences are T long.
    """

    recurrent: Recurrent
    inputs: Tensor
    lengths: Tensor | None


class Trained(ABC):
    """A finished run, ready to be asked; each kind adds its own ways to ask.

    Attributes:
        spec: the run it came from.
    """

    spec: RunSpec

    @abstractmethod
    def test(self, dataset: Dataset, part: str = "test") -> Evaluation:
        """Measure on a part of the data it was trained for: ``test`` or ``validation``."""

    @abstractmethod
    def predictor(self, dataset: Dataset) -> Callable[[int], object]:
        """A function that predicts the first n test examples from raw data, for measuring latency."""

    @abstractmethod
    def recurrent_inputs(self, dataset: Dataset, count: int, steps: int) -> RecurrentInputs:
        """At most ``count`` test sequences of at most ``steps`` steps, embedded, for looking into the layers."""

    def details(self, dataset: Dataset) -> Mapping[str, Any]:
        """What a report shows of this kind beyond figures, ready for JSON: samples of generated text, a forecast."""
        return {}


class Baseline(ABC):
    """An honest neighbour of the recurrent models.

    Attributes:
        name: as in files: ``tfidf-logistic-regression``.
        title: as a reader knows it.
        reason: what it is, in a few words.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    reason: ClassVar[str]

    @abstractmethod
    def fit(self, dataset: Dataset) -> None:
        """Learn from the training part."""

    @property
    @abstractmethod
    def parameters(self) -> int:
        """Numbers learnt."""

    @abstractmethod
    def test(self, dataset: Dataset, part: str = "test") -> Evaluation:
        """Measure on a part; the examples are those of `Trained.test`, in the same order."""

    @abstractmethod
    def predictor(self, dataset: Dataset) -> Callable[[int], object]:
        """A function that predicts the first n test examples from raw data, for measuring latency."""


class Kind(ABC):
    """One kind of problem, bound to its specs.

    Attributes:
        task: its name, a key of `gatewise.training.run_spec.TASKS`.
        unit: what an example is, in the plural.
        metric: the figure by which models are compared.
    """

    task: ClassVar[str]
    unit: ClassVar[str]
    metric: ClassVar[Metric]

    def metric_of(self, dataset: Any) -> Metric:
        """The figure on particular data: `metric`, unless the kind has several."""
        return self.metric

    @abstractmethod
    def load(self, data: Any) -> Dataset:
        """Load the data that a data spec names."""

    @abstractmethod
    def problem(self, spec: RunSpec, dataset: Any) -> Problem:
        """The network of a spec, freshly drawn from torch's random state, on its data and its device."""

    @abstractmethod
    def open(self, run: RunFolder) -> Trained:
        """The network of a finished run with its best weights."""

    @abstractmethod
    def baselines(self, data: Any) -> Sequence[Baseline]:
        """The baselines that stand beside every comparison of this kind, the most important first.

        Args:
            data: the data spec.
        """

    @abstractmethod
    def describe(self, dataset: Any) -> dict[str, Any]:
        """What the comparison's record says of the data beyond `Dataset`: class names, columns, token counts."""
