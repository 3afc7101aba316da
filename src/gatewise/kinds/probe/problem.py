"""The probes as problems to train, and the figures of a finished network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from gatewise.kinds.probe.generation import ProbeDataset, ProbePart
from gatewise.kinds.probe.network import ProbeNetwork, batch_inputs
from gatewise.statistics.measure import Mean, Measure
from gatewise.training.problem import Evaluation, Problem, StepLoss

__all__ = ["PROBE_METRICS", "ProbeProblem", "answer", "probe_evaluation"]

_BATCH = 256
_EXAMPLES_SHOWN = 20


def _accuracy(contribution: str) -> Measure:
    return Mean("accuracy", "accuracy", higher_is_better=True, percent=True, contribution=contribution)


PROBE_METRICS: dict[str, Measure] = {
    "adding": Mean(
        "mean_squared_error",
        "mean squared error",
        higher_is_better=False,
        contribution="squared error of the sequence's sum",
    ),
    "temporal-order": _accuracy("1 if the predicted order is right, else 0"),
    "copy": _accuracy("share of the sequence's ten symbols that were repeated correctly"),
    "parity": _accuracy("1 if the predicted parity is right, else 0"),
}
"""The figure of each probe."""


class ProbeProblem(Problem):
    """A network and its training sequences.

    Args:
        model: the network, on its device.
        dataset: the sequences.
        batch_size: sequences per step.
        seed: of the order of the batches.
        device: of the model.
    """

    unit: ClassVar[str] = "sequences"
    model: ProbeNetwork

    def __init__(
        self, model: ProbeNetwork, dataset: ProbeDataset, *, batch_size: int, seed: int, device: str = "cpu"
    ) -> None:
        self.model, self.dataset = model, dataset
        self.batch_size, self.seed, self.device = batch_size, seed, device
        self.examples_per_epoch = len(dataset.train)
        self.steps_per_epoch = -(-len(dataset.train) // batch_size)
        self._order: npt.NDArray[np.int64] = np.arange(len(dataset.train))

    @property
    def metric(self) -> Measure:  # type: ignore[override]
        """The probe's figure."""
        return PROBE_METRICS[self.dataset.probe]

    def begin_epoch(self, epoch: int, step: int = 0) -> None:
        """Shuffle; the order depends on seed and epoch alone."""
        self._order = np.random.default_rng([self.seed, epoch]).permutation(len(self.dataset.train))

    def loss(self, step: int) -> StepLoss:
        """Mean squared error (adding), or mean cross-entropy in nats over all targets of the batch."""
        rows = self.part.rows(self._order[step * self.batch_size : (step + 1) * self.batch_size])
        given = self.model(batch_inputs(self.dataset.train, rows, self.dataset.features).to(self.device))
        wanted = torch.from_numpy(self.dataset.train.answers[rows]).to(self.device)
        if self.dataset.classes == 0:
            loss = functional.mse_loss(given[..., 0].T, wanted)
        else:
            loss = functional.cross_entropy(given.flatten(0, 1), wanted.T.flatten())
        return StepLoss(loss, loss, len(rows))

    def validate(self, weights: Mapping[str, Tensor]) -> dict[str, float]:
        """Loss and the probe's figure on the validation part."""
        answers = answer(self.model, self.dataset, self.dataset.validation, weights, self.device)
        return probe_evaluation(answers, self.dataset, self.dataset.validation).metrics

    def probe(self) -> None:
        """Run the first batch."""
        rows = np.arange(min(self.batch_size, len(self.dataset.train)))
        self.model(batch_inputs(self.dataset.train, rows, self.dataset.features).to(self.device))

    def files(self) -> dict[str, dict[str, Any]]:
        """None: the spec is enough."""
        return {}


def answer(
    model: ProbeNetwork,
    dataset: ProbeDataset,
    part: ProbePart,
    weights: Mapping[str, Tensor] | None = None,
    device: str = "cpu",
) -> npt.NDArray[np.float64]:
    """Predictions of a network: (N, K, C) probabilities, or (N, 1, 1) numbers.

    Args:
        model: the network; it is in evaluation mode afterwards.
        dataset: what the sequences are.
        part: the sequences.
        weights: other weights to use instead of the model's own.
        device: of the model.
    """
    model.eval()
    found = []
    with torch.inference_mode():
        for start in range(0, len(part), _BATCH):
            rows = np.arange(start, min(start + _BATCH, len(part)))
            x = batch_inputs(part, rows, dataset.features).to(device)
            scores = model(x) if weights is None else functional_call(model, dict(weights), (x,))
            scores = scores.double()
            found.append((scores if dataset.classes == 0 else scores.softmax(dim=-1)).transpose(0, 1).cpu().numpy())
    return np.concatenate(found)


def probe_evaluation(answers: npt.NDArray[np.float64], dataset: ProbeDataset, part: ProbePart) -> Evaluation:
    """Figures and contributions of predictions.

    The accuracy of parity counts the last step alone; the loss counts all steps.

    Args:
        answers: predictions, as `answer` returns them.
        dataset: what the sequences are.
        part: the sequences.

    Returns:
        Metrics ``loss`` and the probe's figure; predictions ``answers`` and ``truth`` of the first twenty sequences.

    Example:
        >>> from gatewise.kinds.probe.generation import make_probe
        >>> data = make_probe("parity", length=10, examples=50)
        >>> probe_evaluation(np.full((10, 10, 2), 0.5), data, data.test).metrics["loss"].__round__(3)
        0.693
    """
    metric = PROBE_METRICS[dataset.probe]
    if dataset.classes == 0:
        shown: npt.NDArray[Any] = answers[:, :, 0]
        contributions = ((shown - part.answers) ** 2).mean(axis=1)
        loss = float(contributions.mean())
    else:
        rows, places = np.ogrid[: len(part), : part.answers.shape[1]]
        truth = answers[rows, places, part.answers.astype(np.int64)]
        loss = float(-np.log(np.maximum(truth, 1e-300)).mean())
        shown = answers.argmax(axis=-1)
        right = (shown == part.answers).astype(np.float64)
        contributions = right[:, -1] if dataset.probe == "parity" else right.mean(axis=1)
    given, wanted = shown[:_EXAMPLES_SHOWN], part.answers[:_EXAMPLES_SHOWN]
    if dataset.probe == "parity":
        given, wanted = given[:, -1:], wanted[:, -1:]
    return Evaluation(
        {"loss": loss, metric.name: float(contributions.mean())},
        contributions,
        {
            "answers": _rounded(given),
            "truth": _rounded(wanted),
        },
    )


def _rounded(values: npt.NDArray[Any]) -> list[list[float]]:
    """Numbers to four decimals, classes as they are."""
    found: list[list[float]] = values.tolist()
    return [[round(value, 4) for value in row] for row in found]
