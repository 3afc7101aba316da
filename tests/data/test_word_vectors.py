"""Word vectors: counts and factors against dense arithmetic, the same bits with any threads, files of vectors."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from gatewise.data import Ragged, cooccurrence
from gatewise.data.cooccurrence import cooccurrence_vectors
from gatewise.data.word_vectors import read_vectors
from gatewise.errors import DataError

WORDS = ["the", "cat", "fine"]


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
    assert np.sqrt(np.square(vectors[known]).mean()) == pytest.approx(0.2)


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


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("header", ["", "6 3\n"])
def test_vectors_are_read_for_the_known_words_only(tmp_path: Path, header: str, packed: bool) -> None:
    content = f"{header}The 1 2 3\n1996 4 5 6\n0000 7 8 9\n2003 0 0 0\ndog 1 1 1 \n. . 2 2 2\nthe 3 3 3\nTHE 9 9 9\n"
    path = tmp_path / "vectors.txt"
    path.write_bytes(gzip.compress(content.encode()) if packed else content.encode())
    known = ["the", "cat", "sat", "0000"]
    read = read_vectors(path, known, lambda word: re.sub(r"\d", "0", word.lower()))
    assert read.numbers.tolist() == [2, 5]
    assert read.vectors.tolist() == [[3, 3, 3], [7, 8, 9]] and read.vectors.dtype == np.float32
    assert "3 numbers for 2 of 4 words (50.0%)" in read.note


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("the 1 2\ncat 1\n", "line 2 has 1 numbers; expected: a word and 2 numbers"),
        ("1 3\nthe 1 2\n", "line 2 has 2 numbers"),
        ("the 1 2\ncat 1 x\n", "line 2 holds a value that is not a number"),
        ("the 1 2\ncat 1 nan\n", "line 2 holds a number that is not finite"),
        ("der 1 2\n", "no vector for any of the 3 words"),
        ("", "is empty"),
        ("the\t1\t2\n", "line 1 has 0 numbers"),
        ("the 1 2\nK\u00f6ln 1 2\n".encode("cp1252"), "not UTF-8 text: line 2"),
    ],
)
def test_unusable_vectors_are_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = tmp_path / "vectors.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=message):
        read_vectors(path, WORDS)
    with pytest.raises(DataError, match="does not exist"):
        read_vectors(tmp_path / "none", WORDS)
