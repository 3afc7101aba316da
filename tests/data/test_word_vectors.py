"""Word vectors: counts and factors against dense arithmetic, the same bits with any threads, files of vectors."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from gatewise.data import Ragged, cooccurrence
from gatewise.data.cooccurrence import cooccurrence_vectors, random_vectors
from gatewise.data.word_vectors import read_vectors
from gatewise.errors import DataError

WORDS = {"film": 2, "fine": 3, "don't": 4}


def texts(count=60, words=30, seed=0, longest=25):
    generator = np.random.default_rng(seed)
    lengths = generator.integers(1, longest, count)
    return Ragged.join([generator.zipf(1.5, n).clip(max=words - 1).astype(np.int32) + 1 for n in lengths])


def dense_counts(rows, size):
    counts = np.zeros((size, size))
    for number in range(len(rows)):
        row = rows.row(number)
        for i, first in enumerate(row):
            for j, second in enumerate(row):
                if 0 < abs(i - j) <= 5:
                    counts[first, second] += 1 / abs(i - j)
    return counts


def test_counts_are_those_of_every_pair_of_places():
    rows = texts()
    found = cooccurrence._counts(rows, 31).toarray()
    np.testing.assert_allclose(found, dense_counts(rows, 31), rtol=1e-12)


def test_vectors_are_the_truncated_factors_of_the_positive_information():
    rows = texts(200)
    counts = dense_counts(rows, 31)
    total = counts.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = counts * (total**0.75).sum() / (total[:, None] * total[None, :] ** 0.75)
        information = np.where(counts > 0, np.maximum(0, np.log(ratio)), 0)
    left, values, _ = np.linalg.svd(information)
    wanted = (left[:, :6] * values[:6]) @ left[:, :6].T
    vectors = cooccurrence_vectors(rows, 31, 6).astype(float)
    known = total > 0
    found = (vectors @ vectors.T)[known][:, known]
    wanted = wanted[known][:, known]
    np.testing.assert_allclose(found / np.trace(found), wanted / np.trace(wanted), atol=2e-3)
    assert np.sqrt(np.square(vectors[known]).mean()) == pytest.approx(0.1)


def test_the_bits_depend_neither_on_threads_nor_on_pieces(monkeypatch):
    rows = texts(3_000, 900)
    with threadpool_limits(1):
        one = cooccurrence_vectors(rows, 901, 64)
    with threadpool_limits(2):
        two = cooccurrence_vectors(rows, 901, 64)
    assert one.tobytes() == two.tobytes()
    monkeypatch.setattr(cooccurrence, "_CHUNK", 500)
    np.testing.assert_allclose(cooccurrence._counts(rows, 901).toarray(), dense_counts(rows, 901), rtol=1e-12)


def test_at_most_so_many_tokens_are_counted(monkeypatch):
    rows = texts(100)
    monkeypatch.setattr(cooccurrence, "_MOST_TOKENS", len(rows.values) // 3)
    some = cooccurrence._some(rows)
    assert len(some) == 25 and some.row(1).tolist() == rows.row(4).tolist()


@pytest.mark.parametrize("rows", [[[2], [3], [4]], [[2, 3]], [[1, 1, 1]]])
def test_hardly_any_neighbours_still_give_a_start(rows):
    vectors = cooccurrence_vectors(Ragged.join([np.array(row, dtype=np.int32) for row in rows]), 5, 8)
    assert vectors.shape == (5, 8) and np.isfinite(vectors).all() and not vectors[0].any()
    assert np.abs(vectors[1:]).sum(axis=1).min() > 0


def test_a_file_of_vectors(tmp_path):
    content = "4 2\nFilm 1 0\nfilm 9 9\n. . . 5 5\nother 3 3\ndon't 0 1\n"
    (tmp_path / "a.txt").write_text(content, encoding="utf-8")
    with gzip.open(tmp_path / "b.txt.gz", "wb") as stream:
        stream.write(content.encode())
    found = read_vectors(tmp_path / "a.txt", WORDS, 5, 2)
    assert found.known == 2
    np.testing.assert_allclose(found.vectors[[2, 4]], np.array([[1, 0], [0, 1]]) * 0.1 * np.sqrt(2), rtol=1e-6)
    assert found.vectors[3].tolist() == random_vectors(5, 2)[3].tolist()
    assert read_vectors(tmp_path / "b.txt.gz", WORDS, 5, 2).vectors.tobytes() == found.vectors.tobytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"film 1 2 3\n",
            "line 1: the vector does not fit .* a word and 2 numbers; got: a word and 3 .*--embedding-size 3",
        ),
        (b"film 1 2\nfine 1 x\n", "line 2: not the numbers of a word"),
        (b"film 1 2\nfine 1 nan\n", "line 2: not the numbers of a word"),
        (b"autre 1 2\n", "has none of the words"),
        (b"", "has none of the words"),
        (b"film 1 2\n\xff\xfe\n", "cannot be read as word vectors"),
        (b"just text\n", "line 1: the vector does not fit"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(content, message, tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message):
        read_vectors(path, WORDS, 5, 2)


def test_a_missing_file_names_the_choices(tmp_path):
    with pytest.raises(DataError, match="expected: cooccurrence, random, or a file"):
        read_vectors(tmp_path / "coocurrence", WORDS, 5, 2)
