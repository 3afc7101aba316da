"""Files of word vectors: a word and its numbers on each line, as word2vec, GloVe and fastText write them as text."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np
import numpy.typing as npt

from gatewise.data.cooccurrence import START_SCALE, random_vectors
from gatewise.errors import DataError

__all__ = ["FileVectors", "read_vectors"]


class FileVectors(NamedTuple):
    """Vectors of a vocabulary from a file.

    Attributes:
        vectors: (V, I) float32; words that the file lacks have random ones.
        known: how many words the file has.
    """

    vectors: npt.NDArray[np.float32]
    known: int


def read_vectors(path: Path, numbers: Mapping[str, int], size: int, width: int) -> FileVectors:
    """Read the vectors of some words.

    A first line of two whole numbers is a header. A word that occurs several times, in capitals and not, has the vector
    of its first line. The vectors are scaled together to a standard deviation of 0.1.

    Args:
        path: a text file in UTF-8, also compressed with gzip.
        numbers: the row of each word.
        size: V, rows of the result; those without a word in ``numbers`` are random.
        width: I, numbers per word.

    Raises:
        DataError: the file is missing, is no such file, has another number of columns, or has none of the words.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "vectors.txt"
        >>> _ = path.write_text("3 2\\nfilm 0.3 -0.1\\nFine 0.1 0.1\\nother 9 9\\n")
        >>> read_vectors(path, {"film": 2, "fine": 3}, 4, 2).known
        2
    """
    vectors = random_vectors(size, width)
    found: dict[int, npt.NDArray[np.float32]] = {}
    for line, content in _lines(path, width):
        # some words of published files contain spaces
        word, *texts = content.rsplit(" ", width)
        number = numbers.get(word, numbers.get(word.lower()))
        if number is not None and number not in found:
            found[number] = _numbers(path, line, texts)
    if not found:
        raise DataError(
            f"{path} has none of the words of the training texts",
            expected="a word and its numbers on each line, separated by spaces",
            fix="name another file, or use --embeddings cooccurrence",
        )
    rows = np.array(sorted(found))
    values = np.stack([found[row] for row in rows])
    scale = float(np.sqrt(np.square(values, dtype=np.float64).mean()))
    vectors[rows] = values * (START_SCALE / scale if scale > 0 else 1.0)
    return FileVectors(vectors, len(rows))


def _lines(path: Path, width: int) -> Iterator[tuple[int, str]]:
    """Numbers of the lines and their content, without a header; the first line's numbers are counted."""
    columns = None
    try:
        with _opened(path) as stream:
            for line, content in enumerate(stream, start=1):
                pieces = content.split() if columns is None else []
                if not content.strip() or (line == 1 and len(pieces) == 2 and all(map(str.isdigit, pieces))):
                    continue
                if columns is None:
                    columns = len(pieces) - 1
                    _check_width(path, line, columns, width)
                yield line, content.rstrip()
    except FileNotFoundError as error:
        raise DataError(
            f"there is no file {path} of word vectors",
            expected="cooccurrence, random, or a file of word vectors",
            fix="correct --embeddings",
        ) from error
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read as word vectors",
            expected="a text file in UTF-8: a word and its numbers on each line",
            got=str(error),
            fix="save binary vectors as text first",
        ) from error


def _opened(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return io.TextIOWrapper(gzip.open(path), encoding="utf-8")
    return path.open(encoding="utf-8")


def _check_width(path: Path, line: int, columns: int, width: int) -> None:
    if columns != width:
        raise DataError(
            f"{path}, line {line}: the vector does not fit the network",
            expected=f"a word and {width} numbers",
            got=f"a word and {columns} numbers" if columns > 0 else "a word alone",
            fix=f"--embedding-size {columns}" if columns > 1 else "name a file of word vectors",
        )


def _numbers(path: Path, line: int, texts: list[str]) -> npt.NDArray[np.float32]:
    try:
        values = np.array(texts, dtype=np.float32)
    except ValueError:
        values = np.array([np.nan])
    if not np.isfinite(values).all():
        raise DataError(
            f"{path}, line {line}: not the numbers of a word",
            expected="finite numbers, separated by spaces",
            got=" ".join(texts)[:60],
            fix="correct or omit that line",
        )
    return values
