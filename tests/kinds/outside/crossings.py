"""A kind of problem from outside the package: one number for each sequence of an .npz file."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from gatewise.statistics import Mean
from gatewise.training import common_settings as common
from gatewise.training.arrays import ArrayBaseline, ArrayKind
from gatewise.training.settings import Spec, setting


@dataclass(frozen=True)
class Sequences(Spec):
    """Which sequences."""

    data: str = setting("walks.npz", "File with the arrays x (N, T, I) and y (N,).", is_path=True)


@dataclass(frozen=True)
class Network(Spec):
    """Recurrent layers, the last step into a linear layer."""

    cell: str = common.cell()
    hidden_size: int = common.hidden_size(32)


class Average(ArrayBaseline):
    """The mean target of the training part."""

    name, title, reason = "average", "Average", "the mean answer of the training part"

    def fit_arrays(self, inputs: Any, targets: Any) -> int:
        self.mean = targets.mean()
        return 1

    def answer(self, inputs: Any) -> Any:
        return np.full((len(inputs), 1), self.mean)


class RegressionKind(ArrayKind):
    """Sequences in, a number out."""

    name, unit, data_spec, model_spec = "regression", "sequences", Sequences, Network
    default_training = MappingProxyType({"epochs": 20, "learning_rate": 1e-2, "patience": 5})

    def claims(self, path: Any) -> int:
        return 2 if path.suffix == ".npz" else 0

    def read(self, data: Any) -> tuple[Any, Any]:
        arrays = np.load(data.data)
        return arrays["x"], arrays["y"].astype(np.float32) if "y" in arrays else None

    def losses(self, answers: Any, targets: Any) -> Any:
        return (answers[:, 0] - targets) ** 2

    def baselines(self, data: Any) -> list[ArrayBaseline]:
        return [Average(self)]

    def measure(self, dataset: Any) -> Mean:
        return Mean("mean_squared_error", "mean squared error", higher_is_better=False)


KIND = RegressionKind()
