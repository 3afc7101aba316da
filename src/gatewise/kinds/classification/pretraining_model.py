"""A classifier's embedding and recurrent layers as a language model of its training texts.

The forward direction predicts each word from the words before it, the backward direction from the words after it
(Peters et al., 2018). The classifier then starts from these weights (Dai and Le, 2015).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.func import functional_call

from gatewise.data import Ragged, shuffled_batches
from gatewise.errors import DataError, OptionError
from gatewise.nn import Recurrent
from gatewise.nn.softmax.loss import chunked_cross_entropy
from gatewise.statistics.measure import Mean, Measure
from gatewise.training.problem import Problem, StepLoss

__all__ = ["PERPLEXITY", "PretrainingModel", "PretrainingProblem", "cut_texts"]

PERPLEXITY = Mean(
    "perplexity",
    "perplexity",
    higher_is_better=False,
    transform="exp",
    dependence="serial",
    contribution="negative log-likelihood of a word, in nats",
)
_CUTOFFS = (1_000, 4_000, 12_000)
_SCALE = 0.1
_CLUSTER_BIAS = -2.0
_SMALLEST_WINDOW = 8
_ROWS = 256
_CHUNK = 1 << 20
"""Scores held at once, about."""


class PretrainingModel(nn.Module):
    r"""Predicts every word from its neighbours; embedding and recurrent layers are named as in the classifier.

    ::

        x_t  = m * E[token_t]                           E: (V, embedding_size); m: one dropout mask per sequence
        h->, h<- = recurrent(x)                         the backward direction only where the classifier has one
        q_t  = P h->_t + c                              P: (embedding_size, H); another P for h<-
        p(token_{t+1} = w | tokens up to t) = adaptive softmax of (E q_t + b);  with h<-: of token_{t-1}

    The output layer uses the embedding's own weights (Press and Wolf, 2017) in clusters by frequency (Grave et al.,
    2017): frequent words and one entry per cluster of rarer words make up the first softmax, and a
    cluster's words are scored only where one of them is the target. So a step costs about as much as a vocabulary of
    two thousand words.

    Args:
        vocabulary_size: V, words by falling frequency; entry 0 is padding and never a target.
        cell: a registered recurrent cell.
        hidden_size: H.
        embedding_size: numbers per word.
        num_layers: L.
        bidirectional: predict words from what follows, too; with one layer only.
        dropout: p on the embedded words and on the layers' outputs, one mask per sequence.

    Raises:
        OptionError: several bidirectional layers: from the second on a layer has seen the word that it should predict.

    Example:
        >>> _ = torch.manual_seed(0)
        >>> model = PretrainingModel(50, cell="gru", hidden_size=8, embedding_size=4)
        >>> loss, count = model(torch.tensor([[4, 5], [7, 6], [9, 0]]), torch.tensor([3, 2]))
        >>> count, bool(loss > 0)
        (3, True)
    """

    cutoffs: Tensor

    def __init__(
        self,
        vocabulary_size: int,
        *,
        cell: str = "gru",
        hidden_size: int = 128,
        embedding_size: int = 128,
        num_layers: int = 1,
        bidirectional: bool = False,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        if bidirectional and num_layers > 1:
            raise OptionError(
                "several bidirectional layers cannot be pre-trained: from the second layer on, each direction has "
                "already seen the word that it should predict",
                expected="one bidirectional layer, or layers of one direction",
                got=f"{num_layers} bidirectional layers",
                fix="--num-layers 1, or omit --bidirectional or --pretrain",
            )
        self.embedding = nn.Embedding(vocabulary_size, embedding_size, padding_idx=0)
        self.recurrent = Recurrent(
            cell,
            embedding_size,
            hidden_size,
            num_layers=num_layers,
            bidirectional=bidirectional,
            dropout=dropout if num_layers > 1 else 0.0,
        )
        self.hidden_size = hidden_size
        self.dropout = nn.Dropout(dropout)
        self.projections = nn.ModuleList(nn.Linear(hidden_size, embedding_size) for _ in range(1 + bidirectional))
        cutoffs = [cut for cut in _CUTOFFS if cut < vocabulary_size]
        self.sizes = np.diff([0, *cutoffs, vocabulary_size]).tolist()
        self.clusters = nn.Parameter(torch.randn(len(cutoffs), embedding_size) * _SCALE)
        self.cluster_bias = nn.Parameter(torch.full((len(cutoffs),), _CLUSTER_BIAS))
        self.word_bias = nn.Parameter(torch.zeros(vocabulary_size))
        self.register_buffer("cutoffs", torch.tensor(cutoffs, dtype=torch.int64), persistent=False)
        with torch.no_grad():
            self.embedding.weight.normal_(std=_SCALE)
            self.embedding.weight[0].zero_()

    def forward(self, tokens: Tensor, lengths: Tensor) -> tuple[Tensor, int]:
        """Mean negative log-likelihood of the neighbours.

        Args:
            tokens: (T, B) int64, time first, anything past a sequence's end.
            lengths: (B,) int64, on the CPU, each 1 to T, one of them at least 2.

        Returns:
            (mean in nats, number of words predicted); with two directions each word with neighbours counts twice.
        """
        embedded = self.embedding(tokens)
        output, _ = self.recurrent(embedded * self._mask(embedded), lengths=lengths)
        output = output * self._mask(output)
        both = torch.arange(1, len(tokens), device=tokens.device)[:, None] < lengths.to(tokens.device)
        states, targets = [self.projections[0](output[:-1, :, : self.hidden_size][both])], [tokens[1:][both]]
        if len(self.projections) > 1:
            states.append(self.projections[1](output[1:, :, self.hidden_size :][both]))
            targets.append(tokens[:-1][both])
        joined = torch.cat(targets)
        return self._negative_log_likelihood(torch.cat(states), joined), len(joined)

    def _negative_log_likelihood(self, states: Tensor, targets: Tensor) -> Tensor:
        """Mean over N targets (N,) given projected states (N, embedding_size), in nats."""
        words, biases = self.embedding.weight.split(self.sizes), self.word_bias.split(self.sizes)
        cluster = torch.bucketize(targets, self.cutoffs, right=True)  # 0: a frequent word
        first = torch.where(cluster == 0, targets, self.sizes[0] + cluster - 1)
        heads = torch.cat([words[0], self.clusters]), torch.cat([biases[0], self.cluster_bias])
        total = _summed(states, *heads, first)
        start = 0
        for number in range(1, len(self.sizes)):
            start += self.sizes[number - 1]
            rows = (cluster == number).nonzero()[:, 0]
            if len(rows):
                total = total + _summed(states[rows], words[number], biases[number], targets[rows] - start)
        return total / len(targets)

    def _mask(self, values: Tensor) -> Tensor:
        """One dropout mask for all steps of a sequence: (B, features)."""
        mask: Tensor = self.dropout(values.new_ones(values.shape[1:]))
        return mask


def _summed(states: Tensor, weight: Tensor, bias: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of N targets, summed, in products of few shapes: oneDNN keeps code and memory for each one."""
    whole = len(targets) // _ROWS * _ROWS
    size = max(_ROWS, _CHUNK // len(weight) // _ROWS * _ROWS)
    rest = nn.functional.linear(states[whole:], weight, bias)
    total = nn.functional.cross_entropy(rest, targets[whole:], reduction="sum")
    if whole:
        mean = chunked_cross_entropy(states[:whole], weight, bias, targets[:whole], chunk_rows=size)
        total = total + mean * whole
    return total


def cut_texts(texts: Ragged, steps: int, seed: int, epoch: int) -> Ragged:
    """Cut texts into windows of about ``steps`` words, at different places in every epoch.

    A text of n words gives ceil(n / steps) windows; the borders between them shift together by at most half a window,
    so none is longer than one and a half times ``steps``. Texts of a single word have no neighbours and are left out.

    Args:
        texts: whole texts.
        steps: words per window, at least 8.
        seed: of the borders.
        epoch: of the borders; 0 gives windows of equal length.

    Example:
        >>> texts = Ragged.join([np.arange(30, dtype=np.int32), np.arange(1, dtype=np.int32)])
        >>> cut_texts(texts, 10, seed=0, epoch=0).lengths.tolist()
        [10, 10, 10]
        >>> windows = cut_texts(texts, 10, seed=0, epoch=1)
        >>> len(windows), int(windows.lengths.sum()), bool(windows.lengths.max() <= 15)
        (3, 30, True)
    """
    lengths = texts.lengths
    chosen = np.flatnonzero(lengths > 1)
    counts = -(-lengths[chosen] // steps)
    shift = np.random.default_rng([seed, epoch, 1]).random(len(chosen)) - 0.5 if epoch else np.zeros(len(chosen))
    starts: list[npt.NDArray[np.int64]] = []
    for row, count, move in zip(chosen, counts, shift, strict=True):
        places = np.arange(count) + move
        places[0] = 0
        starts.append(texts.offsets[row] + (places * (lengths[row] / count)).astype(np.int64))
    ends = [np.append(each[1:], texts.offsets[row + 1]) for row, each in zip(chosen, starts, strict=True)]
    if not starts:
        return Ragged.join([])
    if len(chosen) == len(lengths):
        return Ragged(texts.values, np.append(np.concatenate(starts), texts.offsets[-1]))
    pairs = zip(np.concatenate(starts), np.concatenate(ends), strict=True)
    return Ragged.join([texts.values[start:end] for start, end in pairs])


class PretrainingProblem(Problem):
    """A language model of texts, whose layers initialise a classifier.

    Args:
        model: the network, on its device.
        train: whole encoded training texts.
        validation: whole encoded texts that decide which weights are kept; their classes are not used.
        batch_size: windows per step.
        steps: words per window, at least 8; see `cut_texts`.
        seed: of the windows and of their order.
        device: of the model.

    Raises:
        OptionError: windows of fewer than 8 words.
        DataError: no text has two words.
    """

    unit: ClassVar[str] = "words"
    metric: ClassVar[Measure] = PERPLEXITY
    model: PretrainingModel

    def __init__(
        self,
        model: PretrainingModel,
        train: Ragged,
        validation: Ragged,
        *,
        batch_size: int,
        steps: int,
        seed: int,
        device: str = "cpu",
    ) -> None:
        if steps < _SMALLEST_WINDOW:
            raise OptionError("the windows are too short", expected=f"{_SMALLEST_WINDOW} words or more", got=steps)
        self.model, self.batch_size, self.steps, self.seed, self.device = model, batch_size, steps, seed, device
        self.texts, self.windows = train, cut_texts(train, steps, seed, 0)
        self.validation = cut_texts(validation, steps, seed, 0)
        for part, windows in (("training", self.windows), ("validation", self.validation)):
            if not len(windows):
                raise DataError(f"no text of the {part} part has two words", expected="text to pre-train on")
        self.steps_per_epoch = -(-len(self.windows) // batch_size)
        self.examples_per_epoch = (int(self.windows.lengths.sum()) - len(self.windows)) * len(model.projections)
        self._order: list[npt.NDArray[np.int64]] = []

    def begin_epoch(self, epoch: int, step: int = 0) -> None:
        """Cut the texts into new windows and shuffle them."""
        self.windows = cut_texts(self.texts, self.steps, self.seed, epoch)
        self._order = shuffled_batches(self.windows, self.batch_size, self.seed, epoch)

    def loss(self, step: int) -> StepLoss:
        """Mean negative log-likelihood of the words of a batch, in nats."""
        loss, count = self._mean_loss(self.windows, self.part.rows(self._order[step]), None)
        return StepLoss(loss, loss, count)

    def validate(self, weights: Mapping[str, Tensor]) -> dict[str, float]:
        """Loss per word, in nats, and perplexity on the validation part."""
        self.model.eval()
        total = words = 0.0
        order = np.argsort(-self.validation.lengths, kind="stable")
        with torch.inference_mode():
            for start in range(0, len(order), self.batch_size):
                loss, count = self._mean_loss(self.validation, order[start : start + self.batch_size], weights)
                total, words = total + float(loss) * count, words + count
        mean = total / words
        return {"loss": mean, PERPLEXITY.name: float(PERPLEXITY.figure(mean))}

    def _mean_loss(
        self, windows: Ragged, rows: npt.NDArray[np.int64], weights: Mapping[str, Tensor] | None
    ) -> tuple[Tensor, int]:
        batch = windows.batch(rows)
        arguments = (torch.from_numpy(batch.values).to(self.device), torch.from_numpy(batch.lengths))
        outcome: Any = (
            self.model(*arguments) if weights is None else functional_call(self.model, dict(weights), arguments)
        )
        return outcome[0], int(outcome[1])

    @property
    def kernel(self) -> dict[str, str]:
        """What computed the recurrent layers."""
        reasons = dict.fromkeys(choice.reason for _, choice in self.model.recurrent.choices)
        return {"implementation": self.model.recurrent.kernel or "not run yet", "reason": "; ".join(reasons)}

    def probe(self) -> None:
        """Run the first windows."""
        self._mean_loss(self.windows, np.arange(min(self.batch_size, len(self.windows))), None)

    def files(self) -> dict[str, dict[str, Any]]:
        """None: the classifier's run has words and classes."""
        return {}
