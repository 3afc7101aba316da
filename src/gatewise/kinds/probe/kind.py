"""Probes as a kind of problem. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from gatewise.kinds.probe.spec import PROBES, ProbeModelSpec, ProbeSpec
from gatewise.training.amount import Amount
from gatewise.training.kind import Baseline, Judgement, Kind, Trained
from gatewise.training.settings import Spec

if TYPE_CHECKING:
    from gatewise.data.records import DatasetInfo
    from gatewise.kinds.probe.generation import ProbeDataset
    from gatewise.kinds.probe.problem import ProbeProblem
    from gatewise.statistics.measure import Measure
    from gatewise.training.run_folder import RunFolder
    from gatewise.training.run_spec import RunSpec

__all__ = ["ProbeKind"]


class ProbeKind(Kind):
    """Generated sequences in, their targets out."""

    name: ClassVar[str] = "probe"
    unit: ClassVar[str] = "sequences"
    data_spec: ClassVar[type[Spec]] = ProbeSpec
    model_spec: ClassVar[type[Spec]] = ProbeModelSpec
    default_training: ClassVar[Mapping[str, Any]] = {"batch_size": 50}
    amount: ClassVar[Amount] = Amount(steps=4_000, least=20, most=60, patience=20)
    known: ClassVar[tuple[str, ...]] = PROBES
    resplit: ClassVar[str | None] = "data_seed"

    def datasets(self, cache: Path | None = None) -> Sequence[DatasetInfo]:
        """The made-up sequences; they are drawn when they are needed."""
        from gatewise.data.records import DatasetInfo
        from gatewise.kinds.probe.generation import DESCRIPTIONS

        found = DESCRIPTIONS.items()
        return [DatasetInfo(name, self.name, words, True, "drawn from a seed", "") for name, words in found]

    def load(self, data: Any) -> ProbeDataset:
        """Draw the sequences; see `gatewise.kinds.probe.generation.make_probe`."""
        from gatewise.kinds.probe.generation import make_probe

        return make_probe(data.data, length=data.length, examples=data.examples, seed=data.data_seed)

    def problem(self, spec: RunSpec, dataset: Any) -> ProbeProblem:
        """The network on its sequences."""
        from gatewise.kinds.probe.trained import problem_of

        return problem_of(spec, dataset)

    def open(self, run: RunFolder) -> Trained:
        """The network of a finished run."""
        from gatewise.kinds.probe.trained import open_run

        return open_run(run)

    def baselines(self, data: Any) -> Sequence[Baseline]:
        """The same prediction for every sequence."""
        from gatewise.kinds.probe.baselines import ConstantBaseline

        return [ConstantBaseline()]

    def measure(self, dataset: Any) -> Measure:
        """The probe's own figure: of ``adding`` the mean squared error, of the others the accuracy."""
        from gatewise.kinds.probe.problem import PROBE_METRICS

        return PROBE_METRICS[dataset.probe]

    def judgement(self, dataset: Any) -> Judgement:
        """Trivial: the same answer to every sequence. Longer sequences are harder."""
        trivial = ("the same answer to every sequence", self._constant(dataset))
        return Judgement(trivial=trivial, harder_with=frozenset({"length"}))

    def describe(self, dataset: Any) -> dict[str, Any]:
        """Length, seed, and the figure of the constant prediction on the test part."""
        return {
            "probe": dataset.probe,
            "length": dataset.length,
            "seed": dataset.seed,
            "chance": {self.measure(dataset).name: self._constant(dataset)},
        }

    def _constant(self, dataset: Any) -> float:
        """Figure of the constant answer on the test part."""
        from gatewise.kinds.probe.baselines import ConstantBaseline

        constant = ConstantBaseline()
        constant.fit(dataset)
        return float(constant.test(dataset).metrics[self.measure(dataset).name])
