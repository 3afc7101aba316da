r"""Word vectors from how often words stand near each other, to start an embedding from.

::

    N_ij = sum of 1 / distance over all places of i and j in one text, at most 5 words apart, either one first
    P_ij = max(0, log(N_ij * sum_k c_k / (n_i * c_j)))       n_i = sum_j N_ij,  c_j = n_j^0.75
    P   ~= U diag(s) V'                                      its I largest singular values
    E    = U diag(s)^(1/2), scaled to a root mean square of 0.2

Positive pointwise mutual information with context smoothing, and its truncated singular value decomposition (Levy,
Goldberg and Dagan, 2015, "Improving Distributional Similarity with Lessons Learned from Word Embeddings"), computed by
a randomised method (Halko, Martinsson and Tropp, 2011). Axis letters: V words of the vocabulary, I numbers per word.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.data.batches import Ragged

__all__ = ["START_SCALE", "cooccurrence_vectors", "random_vectors", "scaled"]

START_SCALE = 0.2
"""Root mean square of the entries of word vectors at the start of training."""

_WINDOW = 5
_SMOOTHING = 0.75
_POWER = 0.5
_ITERATIONS = 4
_CHUNK = 4_000_000
_MOST_TOKENS = 20_000_000


def cooccurrence_vectors(texts: Ragged, vocabulary_size: int, width: int) -> npt.NDArray[np.float32]:
    """Vectors of the words of some texts; similar where words occur near the same other words.

    The result depends on the arguments alone, not on the number of threads. Of more than 20 million tokens, whole texts
    at even distances are counted. Words that never have a neighbour, and columns beyond the rank, are random.

    Args:
        texts: word numbers below V, of the training part and no other; 0 is padding and never occurs.
        vocabulary_size: V.
        width: I.

    Returns:
        (V, I), row 0 zero.

    Example:
        >>> rows = [[2, 4, 5], [3, 4, 5], [2, 4, 6], [3, 4, 6], [7, 8], [8, 7]]
        >>> vectors = cooccurrence_vectors(Ragged.join([np.array(row, dtype=np.int32) for row in rows]), 9, 3)
        >>> bool(vectors[2] @ vectors[3] > vectors[2] @ vectors[7]), vectors.shape
        (True, (9, 3))
    """
    from scipy import sparse
    from sklearn.utils.extmath import randomized_svd
    from threadpoolctl import threadpool_limits

    information = _information(_counts(_some(texts), vocabulary_size))
    rank = min(width, vocabulary_size)
    # one thread: otherwise the sums, and so the last bits, would depend on how many there are
    with threadpool_limits(1, user_api="blas"):
        left, values, _ = randomized_svd(sparse.csr_matrix(information), rank, n_iter=_ITERATIONS, random_state=0)
    vectors = random_vectors(vocabulary_size, width)
    kept = values > values.max(initial=0.0) * 1e-5
    vectors[:, :rank][:, kept] = left[:, kept] * values[kept] ** _POWER
    without = information.getnnz(axis=1) == 0
    vectors[without] = random_vectors(vocabulary_size, width)[without]
    counted = vectors[~without]
    vectors[~without] = scaled(counted)
    vectors[0] = 0
    return vectors


def random_vectors(rows: int, width: int) -> npt.NDArray[np.float32]:
    """Independent normal numbers with a standard deviation of 0.2: (rows, width), always the same."""
    drawn = np.random.default_rng(0).normal(scale=START_SCALE, size=(rows, width))
    return drawn.astype(np.float32)


def scaled(vectors: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Vectors times one number, so that the root mean square of their entries is that of a start; zeros stay."""
    square = float(np.square(vectors, dtype=np.float64).mean()) if len(vectors) else 0.0
    return vectors * np.float32(START_SCALE / np.sqrt(square)) if square > 0 else vectors


def _counts(texts: Ragged, size: int) -> Any:
    """N: (V, V), sparse."""
    from scipy import sparse

    counts = sparse.csr_matrix((size, size), dtype=np.float64)
    for tokens, text_of in _chunks(texts):
        for distance in range(1, _WINDOW + 1):
            together = text_of[:-distance] == text_of[distance:]
            first, second = tokens[:-distance][together], tokens[distance:][together]
            weights = np.full(len(first), 1 / distance)
            counts = counts + sparse.coo_matrix((weights, (first, second)), shape=(size, size)).tocsr()
    return (counts + counts.T).tocoo()


def _information(counts: Any) -> Any:
    """P: (V, V), sparse, from N."""
    from scipy import sparse

    total = np.asarray(counts.sum(axis=1)).ravel()
    context = total**_SMOOTHING
    ratio = counts.data * context.sum() / (total[counts.row] * context[counts.col])
    kept = ratio > 1
    values = np.log(ratio[kept]).astype(np.float32)
    return sparse.csr_matrix((values, (counts.row[kept], counts.col[kept])), shape=counts.shape)


def _some(texts: Ragged) -> Ragged:
    """All texts, or whole ones at even distances with about the most tokens that are counted."""
    every = -(-len(texts.values) // _MOST_TOKENS)
    return texts if every <= 1 else Ragged.join([texts.row(number) for number in range(0, len(texts), every)])


def _chunks(texts: Ragged) -> Iterator[tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]]:
    """Whole texts with about the given number of tokens: their tokens, and the number of each one's text."""
    start = 0
    while start < len(texts):
        end = int(np.searchsorted(texts.offsets, texts.offsets[start] + _CHUNK, side="right")) - 1
        end = min(max(end, start + 1), len(texts))
        tokens = texts.values[texts.offsets[start] : texts.offsets[end]]
        yield tokens.astype(np.int32), np.repeat(np.arange(start, end), texts.lengths[start:end])
        start = end
