"""Language modelling as a problem to train: truncated backpropagation through time with carried state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.func import functional_call

from gatewise.errors import DataError
from gatewise.kinds.language_modelling.model import LanguageModel
from gatewise.statistics.measure import Mean, Measure
from gatewise.training.problem import Problem, StepLoss

__all__ = ["PERPLEXITY", "LanguageModellingProblem", "read_losses"]

PERPLEXITY = Mean(
    "perplexity",
    "perplexity",
    higher_is_better=False,
    transform="exp",
    dependence="serial",
    contribution="negative log-likelihood of a token, in nats",
)
_READ_AT_ONCE = 4096
_FEW_WEIGHTS = 2_000_000
_COLUMNS = 10

Tokens = npt.NDArray[np.int32]


class LanguageModellingProblem(Problem):
    """A language model and its training text.

    The training text is cut into B columns, read in parallel in blocks of T tokens; the state at the end of a block
    is carried into the next one, the gradient stops there (truncated backpropagation through time: Williams and Peng,
    1990; Mikolov et al., 2010). The start of the columns is drawn for each epoch, the text being circular, so that no
    token is always at the start of a block.

    Args:
        model: the network, on its device.
        train: token numbers of the training text.
        validation: those of the validation text.
        start: the token before the first one of a text.
        batch_size: B.
        steps: T.
        seed: of where the columns begin.
        activation_regularisation: weight of the mean square of the dropped-out output (Merity et al., 2017).
        temporal_regularisation: weight of the mean square of the output's change from step to step.
        files: see `Problem.files`.
        device: of the model.

    Raises:
        DataError: the text is too short for B columns.
    """

    unit: ClassVar[str] = "tokens"
    metric: ClassVar[Measure] = PERPLEXITY
    model: LanguageModel

    def __init__(
        self,
        model: LanguageModel,
        train: Tokens,
        validation: Tokens,
        start: int,
        *,
        batch_size: int,
        steps: int,
        seed: int,
        activation_regularisation: float = 0.0,
        temporal_regularisation: float = 0.0,
        files: Mapping[str, dict[str, Any]] | None = None,
        device: str = "cpu",
    ) -> None:
        self.model, self.train, self.validation, self.start = model, train, validation, start
        self.batch_size, self.steps, self.seed, self.device = batch_size, steps, seed, device
        self.activation, self.temporal = activation_regularisation, temporal_regularisation
        self._files = dict(files or {})
        rows = len(train) // batch_size
        if rows < 2:
            raise DataError(
                f"the training text is too short: {len(train):,} tokens for {batch_size} columns",
                expected=f"at least {2 * batch_size:,} tokens",
                fix="give more text, or a smaller --batch-size",
            )
        self.examples_per_epoch = (rows - 1) * batch_size
        self.steps_per_epoch = -(-(rows - 1) // steps)
        self._rows = rows
        self._columns = torch.empty(0, dtype=torch.int64)
        self._state: list[Any] | None = None

    def begin_epoch(self, epoch: int, step: int = 0) -> None:
        """Set the columns; the state is reset unless the epoch is resumed."""
        begin = int(np.random.default_rng([self.seed, epoch]).integers(len(self.train)))
        ring = np.roll(self.train, -begin)[: self._rows * self.batch_size]
        columns = self.part.rows(ring.reshape(self.batch_size, self._rows)).T.astype(np.int64)
        self._columns = torch.from_numpy(columns).to(self.device)
        if step == 0:
            self._state = None

    def loss(self, step: int) -> StepLoss:
        """Mean negative log-likelihood of a block's tokens, in nats, and its regularisation."""
        first = step * self.steps
        block = self._columns[first : first + self.steps + 1]
        read = self.model.read(block[:-1], self._state)
        self._state = [_detached(state) for state in read.state]
        value = self.model.loss(read.output, block[1:])
        whole = value
        if self.activation:
            whole = whole + self.activation * read.output.square().mean()
        if self.temporal and len(block) > 2:
            whole = whole + self.temporal * (read.raw[1:] - read.raw[:-1]).square().mean()
        return StepLoss(whole, value, block[1:].numel())

    def validate(self, weights: Mapping[str, Tensor]) -> dict[str, float]:
        """Loss in nats and perplexity on the validation text.

        The state is carried over the whole text; a large network reads it in ten parts in parallel, which is the same
        except for the first words of each part.
        """
        recurrent = sum(value.numel() for value in self.model.layers.parameters())
        few = recurrent <= _FEW_WEIGHTS or len(self.validation) < 100 * _COLUMNS
        losses = read_losses(
            self.model, self.validation, self.start, 1 if few else _COLUMNS, weights=weights, device=self.device
        )
        loss = float(losses.mean())
        return {"loss": loss, PERPLEXITY.name: float(PERPLEXITY.figure(loss))}

    def probe(self) -> None:
        """Read one block."""
        block = torch.zeros(min(self.steps, self._rows - 1), self.batch_size, dtype=torch.int64, device=self.device)
        self.model.read(block)

    def files(self) -> dict[str, dict[str, Any]]:
        """The vocabulary."""
        return self._files

    def carried(self) -> dict[str, Tensor]:
        """Each layer's states: ``0.0`` is the first state of the first layer."""
        if self._state is None:
            return {}
        return {
            f"{layer}.{number}": part
            for layer, state in enumerate(self._state)
            for number, part in enumerate(_parts(state))
        }

    def load_carried(self, tensors: Mapping[str, Tensor]) -> None:
        """Restore the states."""
        if not tensors:
            self._state = None
            return
        found: list[Any] = []
        for layer in range(len(self.model.layers)):
            parts = [tensors[name].to(self.device) for name in sorted(tensors) if name.startswith(f"{layer}.")]
            found.append(parts[0] if len(parts) == 1 else tuple(parts))
        self._state = found


def read_losses(
    model: LanguageModel,
    tokens: Tokens,
    start: int,
    columns: int = 1,
    *,
    weights: Mapping[str, Tensor] | None = None,
    device: str = "cpu",
) -> npt.NDArray[np.float64]:
    """Each token's negative log-likelihood given all tokens before it, in nats: (N,).

    The softmax is exact and the state is carried over the whole text.

    Args:
        model: the network; it is in evaluation mode afterwards.
        tokens: (N,) token numbers.
        start: the token before the first one.
        columns: parts of the text that are read in parallel, each but the first without its preceding words.
        weights: other weights to use instead of the model's own.
        device: of the model.
    """
    model.eval()
    rows = -(-len(tokens) // columns)
    padded = np.full(rows * columns, start, dtype=np.int64)
    padded[: len(tokens)] = tokens
    goals = torch.from_numpy(padded.reshape(columns, rows).T.copy()).to(device)
    inputs = torch.cat([goals.new_full((1, columns), start), goals[:-1]])
    if columns > 1:
        inputs[0, 1:] = goals[-1, :-1]
    found: list[npt.NDArray[np.float64]] = []
    size = max(1, _READ_AT_ONCE // columns)
    with torch.inference_mode():
        state: list[Any] | None = None
        for first in range(0, rows, size):
            block = slice(first, first + size)
            arguments = (inputs[block], goals[block], state)
            if weights is None:
                losses, state = _Scorer(model)(*arguments)
            else:
                named = {f"model.{name}": value for name, value in weights.items()}
                losses, state = functional_call(_Scorer(model), named, arguments)
            found.append(losses.double().cpu().numpy().reshape(-1, columns))
    return np.concatenate(found).T.reshape(-1)[: len(tokens)]


class _Scorer(torch.nn.Module):
    """Reading and scoring as one call, so that it can run with other weights."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, inputs: Tensor, goals: Tensor, state: list[Any] | None) -> tuple[Tensor, list[Any]]:
        read = self.model.read(inputs, state)
        return self.model.losses(read.output, goals), read.state


def _parts(state: Any) -> tuple[Tensor, ...]:
    return (state,) if isinstance(state, Tensor) else tuple(state)


def _detached(state: Any) -> Any:
    return state.detach() if isinstance(state, Tensor) else tuple(part.detach() for part in state)
