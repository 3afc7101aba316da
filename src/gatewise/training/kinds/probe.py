"""Binds the probes to their specs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from gatewise.errors import RunError
from gatewise.tasks.probes import (
    PROBE_METRICS,
    ConstantAnswer,
    ProbeDataset,
    ProbeNetwork,
    ProbeProblem,
    answer,
    make_probe,
    probe_evaluation,
)
from gatewise.tasks.probes.network import batch_inputs
from gatewise.tasks.problem import Evaluation, Metric
from gatewise.training.kinds.kind import Baseline, Kind, RecurrentInputs, Trained
from gatewise.training.probe_spec import ProbeModelSpec, ProbeSpec
from gatewise.training.run_folder import RunFolder
from gatewise.training.run_spec import RunSpec

__all__ = ["ConstantBaseline", "ProbeKind", "TrainedProbe"]


class TrainedProbe(Trained):
    """A network that was trained on a probe.

    Args:
        spec: the run it came from.
        model: the network, with its best weights.
    """

    def __init__(self, spec: RunSpec, model: ProbeNetwork) -> None:
        self.spec = spec
        self.model = model.eval()

    def test(self, dataset: Any, part: str = "test") -> Evaluation:
        """Measure on a part."""
        sequences = getattr(dataset, part)
        return probe_evaluation(answer(self.model, dataset, sequences), dataset, sequences)

    def predictor(self, dataset: Any) -> Callable[[int], object]:
        """From symbols to answers."""

        def predict(count: int) -> torch.Tensor:
            with torch.inference_mode():
                found: torch.Tensor = self.model(batch_inputs(dataset.test, np.arange(count), dataset.features))
                return found

        return predict

    def recurrent_inputs(self, dataset: Any, count: int, steps: int) -> RecurrentInputs:
        """The last ``steps`` steps of the first test sequences: what precedes the answer."""
        rows = np.arange(min(count, len(dataset.test)))
        return RecurrentInputs(self.model.recurrent, batch_inputs(dataset.test, rows, dataset.features)[-steps:], None)


class ConstantBaseline(Baseline):
    """The same answer to every sequence."""

    name: ClassVar[str] = "constant"
    title: ClassVar[str] = "constant answer"
    reason: ClassVar[str] = "the same answer to every sequence: chance"

    def fit(self, dataset: Any) -> None:
        """Learn from the training part."""
        self._model = ConstantAnswer().fit(dataset)

    @property
    def parameters(self) -> int:
        """Numbers learnt."""
        return self._model.parameters

    def test(self, dataset: Any, part: str = "test") -> Evaluation:
        """Measure on a part."""
        sequences = getattr(dataset, part)
        return probe_evaluation(self._model.answers(sequences), dataset, sequences)

    def predictor(self, dataset: Any) -> Callable[[int], object]:
        """The answer, again and again."""
        answers = self._model.answers(dataset.test)
        return lambda count: np.array(answers[:count])


class ProbeKind(Kind):
    """Sequences made up from a seed in, their answer out."""

    task: ClassVar[str] = "probe"
    unit: ClassVar[str] = "sequences"
    metric: ClassVar[Metric] = PROBE_METRICS["temporal-order"]

    def metric_of(self, dataset: ProbeDataset) -> Metric:
        """The probe's own figure: of ``adding`` the mean squared error, of the others the accuracy."""
        return PROBE_METRICS[dataset.probe]

    def load(self, data: ProbeSpec) -> ProbeDataset:
        """Draw the sequences; see `gatewise.tasks.probes.make_probe`."""
        return make_probe(data.data, length=data.length, examples=data.examples, seed=data.data_seed)

    def problem(self, spec: RunSpec, dataset: ProbeDataset) -> ProbeProblem:
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

    def open(self, run: RunFolder) -> TrainedProbe:
        """The network of a finished run."""
        spec = run.spec()
        if not isinstance(spec.data, ProbeSpec):
            raise RunError("the run is not a probe", expected="probe", got=spec.task)
        shape = make_probe(spec.data.data, length=spec.data.length, examples=10, seed=spec.data.data_seed)
        with torch.random.fork_rng():
            model = _network(spec, shape.features, shape.train.answers.shape[1], shape.classes)
        run.load_weights_into(model)
        return TrainedProbe(spec, model)

    def baselines(self, data: ProbeSpec) -> Sequence[Baseline]:
        """The same answer to every sequence."""
        return [ConstantBaseline()]

    def describe(self, dataset: ProbeDataset) -> dict[str, Any]:
        """Length, seed, and what the constant answer gives on the test part."""
        constant = ConstantBaseline()
        constant.fit(dataset)
        metric = self.metric_of(dataset)
        return {
            "probe": dataset.probe,
            "length": dataset.length,
            "seed": dataset.seed,
            "chance": {metric.name: constant.test(dataset).metrics[metric.name]},
        }


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
