"""A trained network, opened: what the commands, reports and exports ask of every kind's. Imports no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, cast

from gatewise.errors import ConversionError, RunError

if TYPE_CHECKING:
    from torch import Tensor

    from gatewise.export.graph import Example, Graph
    from gatewise.nn import Recurrent
    from gatewise.statistics.measure import Measure
    from gatewise.training.problem import Evaluation
    from gatewise.training.reader import Reader
    from gatewise.training.request import Request
    from gatewise.training.run_spec import RunSpec
    from gatewise.training.streaming import Streaming

__all__ = ["RecurrentInputs", "Trained"]


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


class Trained(ABC):
    """A finished run, opened; each kind adds its own methods.

    Attributes:
        spec: the run it came from.
        input_schema: JSON schema of one input of `answer`.
        body_types: beginnings of media types, such as ``audio/``; the whole body of a request of such a type is one
            input, which `answer` gets as bytes.
        graph_module: the kind's module that is loaded for an export: it has ``graph_of(trained)``,
            ``examples_of(trained, dataset, count, part)`` and, where outputs can be judged,
            ``scores_of(trained, dataset, outputs)``; see `graph`, `graph_examples`, `graph_scores`. None: it has none.
    """

    spec: RunSpec
    input_schema: ClassVar[Mapping[str, Any]] = {}
    body_types: ClassVar[tuple[str, ...]] = ()
    graph_module: ClassVar[str | None] = None

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

    def kept_weights(self) -> Mapping[str, Tensor]:
        """The network's weights as a run folder keeps them, from which a kind may have derived those it answers by."""
        found: Mapping[str, Tensor] = cast(Any, self).model.state_dict()
        return found

    def graph(self) -> Graph:
        """What it computes, for `gatewise export`.

        Raises:
            ConversionError: the kind does not say.
        """
        if self.graph_module is None:
            raise ConversionError(
                f"{self.spec.task} cannot be exported",
                expected="a task whose networks can be taken along (docs/export.md lists them)",
                fix="from Python, gatewise.export.onnx(layer, folder) exports its recurrent layers",
            )
        found: Graph = import_module(self.graph_module).graph_of(self)
        return found

    def graph_examples(self, dataset: Any, count: int, part: str = "test") -> Sequence[Example]:
        """Examples as the graph reads them, with what the network makes of them, to check an export.

        Args:
            dataset: its data.
            count: at most so many, evenly spread.
            part: ``test``, or ``train`` to calibrate an export.
        """
        if self.graph_module is None:
            return []
        found: Sequence[Example] = import_module(self.graph_module).examples_of(self, dataset, count, part)
        return found

    def graph_scores(self, dataset: Any, outputs: Sequence[Mapping[str, Any]]) -> tuple[Any, Measure] | None:
        """What outputs of the graph contribute to the figure, so that an export that rounds can be judged.

        Args:
            dataset: its data.
            outputs: of the test examples that `graph_examples` gives for ``count=len(outputs)``, in order.

        Returns:
            Contributions (N,) or (N, K) and what they contribute to; None: the kind does not say.
        """
        scores_of = None if self.graph_module is None else vars(import_module(self.graph_module)).get("scores_of")
        return None if scores_of is None else scores_of(self, dataset, outputs)

    def reader(self, dataset: Any = None) -> Reader:
        """How its answers come about, for `gatewise explain`.

        Args:
            dataset: its data, for examples to choose from and for what is typical of them; None: without.

        Raises:
            RunError: the kind does not say.
        """
        raise RunError(
            f"runs of the task {self.spec.task} cannot be explained",
            expected="a task whose networks can be explained (docs/explaining.md lists them)",
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
    """The error of a kind without this command; the fix is what its runs are used with."""
    from gatewise.training.registry import kind_of

    return RunError(
        f"`gatewise {name}` does not go with {trained.spec.task}",
        got=f"a run of the task {trained.spec.task} in {request.run}",
        fix=kind_of(trained.spec.task).use(request.run),
    )
