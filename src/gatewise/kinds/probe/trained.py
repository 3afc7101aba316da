"""A network trained on a probe."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch

from gatewise.errors import DataError, RunError
from gatewise.kinds.probe.generation import ProbeDataset, make_probe
from gatewise.kinds.probe.network import ProbeNetwork, batch_inputs
from gatewise.kinds.probe.problem import ProbeProblem, answer, probe_evaluation
from gatewise.kinds.probe.spec import ProbeModelSpec, ProbeSpec
from gatewise.training.kind import RecurrentInputs, Trained
from gatewise.training.problem import Evaluation
from gatewise.training.reader import Reader
from gatewise.training.run_folder import RunFolder
from gatewise.training.run_spec import RunSpec
from gatewise.training.streaming import numbers_of

if TYPE_CHECKING:
    from gatewise.training.streaming import Streaming

__all__ = ["TrainedProbe", "open_run", "problem_of"]


class TrainedProbe(Trained):
    """A network that was trained on a probe.

    Args:
        spec: the run it came from.
        model: the network, with its best weights.
    """

    graph_module: ClassVar[str | None] = "gatewise.kinds.probe.graph"

    def __init__(self, spec: RunSpec, model: ProbeNetwork) -> None:
        self.spec = spec
        self.model = model.eval()

    def test(self, dataset: Any, part: str = "test") -> Evaluation:
        """Measure on a part."""
        sequences = getattr(dataset, part)
        return probe_evaluation(answer(self.model, dataset, sequences), dataset, sequences)

    def predictor(self, dataset: Any) -> Callable[[int], object]:
        """From symbols to predictions."""

        def predict(count: int) -> torch.Tensor:
            with torch.inference_mode():
                found: torch.Tensor = self.model(batch_inputs(dataset.test, np.arange(count), dataset.features))
                return found

        return predict

    input_schema: ClassVar[Mapping[str, Any]] = {
        "type": "array",
        "items": {"type": "array", "items": {"type": "number"}},
        "description": "a sequence: rows of numbers",
    }

    def answer(self, inputs: Sequence[Any]) -> list[dict[str, Any]]:
        """The scores of each sequence."""
        from gatewise.training.row_streaming import columns_of

        columns = columns_of(self.model.recurrent.input_size)
        found = []
        for each in inputs:
            rows = numbers_of({"values": each}, columns)
            if len(rows) < self.model.answers:
                raise DataError(
                    "the sequence is too short", expected=f"at least {self.model.answers} rows", got=str(len(rows))
                )
            with torch.inference_mode():
                scores = self.model(torch.from_numpy(rows.astype(np.float32))[:, None])
            found.append({"scores": scores[:, 0].tolist()})
        return found

    def streaming(self) -> Streaming:
        """The scores after every step."""
        from gatewise.training.row_streaming import RowStreaming

        return RowStreaming(self.model.recurrent, self.model.head, "scores")

    def reader(self, dataset: Any = None) -> Reader:
        """How its answers come about, see `gatewise.kinds.probe.reader.ProbeReader`."""
        from gatewise.kinds.probe.reader import ProbeReader

        return ProbeReader(self, dataset)

    def stacks(self, dataset: Any, count: int, steps: int) -> Mapping[str, RecurrentInputs]:
        """The last ``steps`` steps of the first test sequences: those before the prediction."""
        rows = np.arange(min(count, len(dataset.test)))
        return {
            "recurrent": RecurrentInputs(
                self.model.recurrent, batch_inputs(dataset.test, rows, dataset.features)[-steps:], None
            )
        }


def problem_of(spec: RunSpec, dataset: ProbeDataset) -> ProbeProblem:
    """The network on its sequences."""
    network = _network(spec, dataset.features, dataset.train.answers.shape[1], dataset.classes)
    training = spec.training
    return ProbeProblem(
        network.to(training.device),
        dataset,
        batch_size=training.batch_size,
        seed=training.seed,
        device=training.device,
    )


def open_run(run: RunFolder) -> TrainedProbe:
    """The network of a finished run."""
    spec = run.spec()
    if not isinstance(spec.data, ProbeSpec):
        raise RunError("the run is not a probe", expected="probe", got=spec.task)
    shape = make_probe(spec.data.data, length=spec.data.length, examples=10, seed=spec.data.data_seed)
    with torch.random.fork_rng():
        model = _network(spec, shape.features, shape.train.answers.shape[1], shape.classes)
    run.load_weights_into(model)
    return TrainedProbe(spec, model)


def _network(spec: RunSpec, features: int, answers: int, classes: int) -> ProbeNetwork:
    """The network that a spec describes, with weights drawn from torch's present random state."""
    model = spec.model
    if not isinstance(model, ProbeModelSpec):
        raise RunError("the run is not a probe", expected="probe", got=spec.task)
    return ProbeNetwork(
        features,
        answers,
        classes,
        cell=model.cell,
        hidden_size=model.hidden_size,
        num_layers=model.num_layers,
        bidirectional=model.bidirectional,
        dropout=model.dropout,
    )
