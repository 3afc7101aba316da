"""A CRF on hand-made features (Sha and Pereira, 2003): what tagging reaches without a network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from scipy import optimize
from torch import Tensor

from gatewise.errors import DataError
from gatewise.kinds.tagging.chains import chain
from gatewise.kinds.tagging.crf import viterbi
from gatewise.kinds.tagging.features import FeatureTable, Group

__all__ = ["FeatureField"]

Words = Sequence[Sequence[str]]
Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Moves = tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]
_SENTENCES = 512
_MEMORY = 6


@dataclass(frozen=True, eq=False)
class _Bucket:
    """Sentences of about equal length: (T, B) positions in the text, lengths (B,), and the mask of real steps."""

    places: Tensor
    lengths: Tensor
    real: Tensor


class FeatureField:
    """Features of words and neighbours, a weight for each with each tag, and a CRF over the tags.

    Maximises the log-likelihood of the training part minus ``penalty / 2`` times the squared weights, by L-BFGS (Liu
    and Nocedal, 1989) from zero. The problem is convex: the result depends on nothing random.

    Args:
        count: C tags.
        moves: which tag may follow which, begin and end, see `TagSet.moves`; None: any.
        penalty: strength of the squared penalty.
        minimum_count: features of fewer places are left out.
        max_iterations: of L-BFGS.
        tolerance: stop where an iteration lowers the objective by less than this share.

    Example:
        >>> words = [["in", "Bonn"], ["to", "Rome"], ["he", "waits"]]
        >>> model = FeatureField(2, penalty=0.1, minimum_count=1).fit(words, [[0, 1], [0, 1], [0, 0]])
        >>> model.predict([["from", "Lyon"], ["she", "sings"]])[0].tolist()
        [0, 1]
    """

    def __init__(
        self,
        count: int,
        moves: Moves | None = None,
        *,
        penalty: float = 1.0,
        minimum_count: int = 2,
        max_iterations: int = 100,
        tolerance: float = 1e-5,
    ) -> None:
        self.count = count
        self.penalty = penalty
        self.minimum_count = minimum_count
        self.max_iterations = max_iterations
        self.tolerance = tolerance
        self.iterations = 0
        self._table: FeatureTable | None = None
        self._weights = np.empty(0)
        allowed = moves or (np.ones((count, count), bool), np.ones(count, bool), np.ones(count, bool))
        self._limits = [np.where(each, 0.0, -np.inf) for each in allowed]

    def fit(self, words: Words, tags: Sequence[npt.ArrayLike]) -> FeatureField:
        """Fit on sentences and their tags' numbers.

        Called again with the same sentences, with another `penalty`, it starts from the present weights.

        Raises:
            DataError: there is no word.
        """
        if not any(len(row) for row in words):
            raise DataError("the training part has no word", expected="at least one sentence with a word")
        if self._table is None:
            self._table = FeatureTable(words, self.minimum_count)
            self._weights = np.zeros(sum(self._table.sizes) * self.count + self.count * (self.count + 2))
        groups, buckets = self._table.groups(words), _buckets([len(row) for row in words])
        gold = np.concatenate([np.asarray(row, dtype=np.int64) for row in tags])
        truth = self._truth(groups, buckets, gold)

        def objective(weights: Floats) -> tuple[float, Floats]:
            value, gradient = self._expected(weights, groups, buckets)
            value += 0.5 * self.penalty * float(weights @ weights) - float(weights @ truth)
            return value, gradient - truth + self.penalty * weights

        found = optimize.minimize(
            objective,
            self._weights,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": self.max_iterations, "maxcor": _MEMORY, "ftol": self.tolerance, "gtol": 0.0},
        )
        self._weights, self.iterations = found.x, int(found.nit)
        return self

    def choose(
        self,
        words: Words,
        tags: Sequence[npt.ArrayLike],
        penalties: Sequence[float],
        score: Callable[[FeatureField], float],
    ) -> dict[float, float]:
        """Fit with several penalties, from the strongest, and keep the weights with the highest score.

        Args:
            words: training sentences.
            tags: their tags' numbers.
            penalties: the candidates.
            score: of the fitted model on the validation part.

        Returns:
            The score of each penalty; `penalty` is the best one (of equal ones the strongest).
        """
        scores: dict[float, float] = {}
        best = (-np.inf, self.penalty, self._weights)
        for penalty in sorted(penalties, reverse=True):
            self.penalty = penalty
            scores[penalty] = score(self.fit(words, tags))
            if scores[penalty] > best[0]:
                best = (scores[penalty], penalty, self._weights)
        _, self.penalty, self._weights = best
        return scores

    @property
    def parameters(self) -> int:
        """Weights of features, moves, first and last tags."""
        return len(self._weights)

    def predict(self, words: Words) -> list[Numbers]:
        """The most probable tags' numbers of each sentence; every sentence has at least one word."""
        assert self._table is not None, "fit comes first"
        emissions, moves, first, last = self._unpack(self._weights, self._table.groups(words))
        predictions = np.zeros(len(emissions), dtype=np.int64)
        for bucket in _buckets([len(row) for row in words]):
            tags, _ = viterbi(torch.from_numpy(emissions)[bucket.places], moves, first, last, bucket.lengths)
            predictions[bucket.places[bucket.real].numpy()] = tags[bucket.real].numpy()
        return np.split(predictions, np.cumsum([len(row) for row in words])[:-1])

    def _unpack(self, weights: Floats, groups: Sequence[Group]) -> tuple[Floats, Tensor, Tensor, Tensor]:
        """Emissions (words, C) of a text, and transitions, start and end."""
        count, at = self.count, 0
        emissions = np.zeros((len(groups[0].places), count))
        for group in groups:
            size = group.table.shape[1]
            emissions += group.scores(weights[at : at + size * count].reshape(size, count))
            at += size * count
        moves, first, last = np.split(weights[at:], [count * count, count * (count + 1)])
        field = [moves.reshape(count, count), first, last]
        limited = [torch.from_numpy(each + limit) for each, limit in zip(field, self._limits, strict=True)]
        return emissions, limited[0], limited[1], limited[2]

    def _expected(self, weights: Floats, groups: Sequence[Group], buckets: Sequence[_Bucket]) -> tuple[float, Floats]:
        """The sum of log Z over all sentences, and its gradient: the expected features."""
        emissions, *field = self._unpack(weights, groups)
        values, scores = 0.0, torch.from_numpy(emissions)
        by_place = torch.zeros_like(scores)
        moves, first, last = (torch.zeros_like(each) for each in field)
        for bucket in buckets:
            run = chain(scores[bucket.places], field[0], field[1], field[2], bucket.lengths)
            values += float(run.log_partition.sum())
            counts = run.expectations(scores.new_ones(len(bucket.lengths)))
            by_place[bucket.places[bucket.real]] = counts[0][bucket.real]
            moves, first, last = moves + counts[1], first + counts[2], last + counts[3]
        return values, _flat(groups, by_place.numpy(), moves.numpy(), first.numpy(), last.numpy())

    def _truth(self, groups: Sequence[Group], buckets: Sequence[_Bucket], gold: Numbers) -> Floats:
        """The feature counts of the true tags."""
        count = self.count
        moves, first, last = np.zeros((count, count)), np.zeros(count), np.zeros(count)
        tags = torch.from_numpy(gold)
        for bucket in buckets:
            rows, lengths = tags[bucket.places].numpy(), bucket.lengths.numpy()
            real = bucket.real.numpy()
            np.add.at(moves, (rows[:-1][real[1:]], rows[1:][real[1:]]), 1)
            np.add.at(first, rows[0], 1)
            np.add.at(last, rows[lengths - 1, np.arange(len(lengths))], 1)
        return _flat(groups, np.eye(count)[gold], moves, first, last)


def _flat(groups: Sequence[Group], by_place: Floats, moves: Floats, first: Floats, last: Floats) -> Floats:
    parts = [group.gradient(by_place).reshape(-1) for group in groups]
    return np.concatenate([*parts, moves.reshape(-1), first, last])


def _buckets(lengths: Sequence[int]) -> list[_Bucket]:
    """All sentences by length; empty ones are left out."""
    sizes = np.asarray(lengths, dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(sizes)])[:-1]
    order = np.argsort(sizes, kind="stable")
    order = order[sizes[order] > 0]
    found = []
    for at in range(0, len(order), _SENTENCES):
        rows = order[at : at + _SENTENCES]
        steps = np.arange(int(sizes[rows].max()))[:, None]
        real = steps < sizes[rows]
        places = np.where(real, starts[rows] + steps, starts[rows])
        found.append(_Bucket(torch.from_numpy(places), torch.from_numpy(sizes[rows]), torch.from_numpy(real)))
    return found
