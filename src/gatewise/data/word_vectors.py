"""Word vectors from a text file of GloVe or word2vec, for the words of a vocabulary."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gatewise.errors import DataError

__all__ = ["WordVectors", "read_vectors"]


@dataclass(frozen=True, eq=False)
class WordVectors:
    """Vectors for some words of a vocabulary.

    Attributes:
        numbers: (K,) int64, the words' numbers, rising.
        vectors: (K, size) float32.
        words: words of the vocabulary, without padding and the unknown one.
        place: the file.
    """

    numbers: npt.NDArray[np.int64]
    vectors: npt.NDArray[np.float32]
    words: int
    place: str

    @property
    def coverage(self) -> float:
        """Share of the vocabulary's words that have a vector."""
        return len(self.numbers) / self.words if self.words else 0.0

    @property
    def note(self) -> str:
        """The coverage in a sentence."""
        return (
            f"{self.place} has vectors of {self.vectors.shape[1]} numbers for {len(self.numbers):,} of {self.words:,} "
            f"words ({self.coverage:.1%})"
        )


def read_vectors(path: str | Path, words: Sequence[str], normalise: Callable[[str], str] = str.lower) -> WordVectors:
    r"""Read a line per word: the word, then its numbers, separated by spaces; word2vec's header line may come first.

    A line belongs to the word that its own normalises to. Of several for one word, the one written as the normalised
    word is used, else the first. Rows of other words are checked for their number of
    columns and left out. Plain or gzip.

    Args:
        path: the file.
        words: those of a vocabulary, normalised, in the order of their numbers, which begin at 2.
        normalise: what turns a word into one of the vocabulary's.

    Raises:
        DataError: a line with another number of columns or a value that is not a finite number; no line; none
            of the vocabulary's words.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "vectors.txt"
        >>> _ = path.write_text("2 3\nthe 1 2 3\nCat 4 5 6\n")
        >>> vectors = read_vectors(path, ["the", "cat", "hat"])
        >>> vectors.numbers.tolist(), vectors.vectors[1].tolist(), round(vectors.coverage, 2)
        ([2, 3], [4.0, 5.0, 6.0], 0.67)
    """
    wanted = {word: number for number, word in enumerate(words, start=2)}
    found: dict[int, npt.NDArray[np.float32]] = {}
    spelt: set[int] = set()
    size = 0
    for line, text in _lines(Path(path)):
        text = text.rstrip(" \r\n")
        if line == 1 and (size := _header(text)):
            continue
        if not text:
            continue
        size = size or text.count(" ")
        word, *numbers = text.rsplit(" ", size)
        if len(numbers) != size or size < 2:
            raise DataError(
                f"{path}: line {line} has {len(numbers)} numbers",
                expected=f"a word and {size} numbers" if size > 1 else "a word and its numbers, separated by spaces",
                got=repr(text[:60]),
                fix="correct or remove the line",
            )
        key = normalise(word)
        number = wanted.get(key)
        exact = word == key
        if number is None or (number in found and not (exact and number not in spelt)):
            continue
        found[number] = _vector(numbers, f"{path}: line {line}")
        if exact:
            spelt.add(number)
    if not found:
        raise DataError(
            f"{path} has no vector for any of the {len(wanted):,} words of the training part",
            expected="a text file of GloVe or word2vec in the texts' language",
            fix="name another file, or omit it",
        )
    order = sorted(found)
    return WordVectors(np.array(order, dtype=np.int64), np.stack([found[n] for n in order]), len(wanted), str(path))


def _header(text: str) -> int:
    """The size that word2vec's header line gives; 0 where the first line is none."""
    fields = text.split(" ")
    return int(fields[1]) if len(fields) == 2 and all(field.isdigit() for field in fields) else 0


def _vector(numbers: list[str], where: str) -> npt.NDArray[np.float32]:
    try:
        vector = np.array([float(each) for each in numbers], dtype=np.float32)
    except ValueError as error:
        raise DataError(f"{where} holds a value that is not a number ({error})", fix="correct the line") from error
    if not np.isfinite(vector).all():
        raise DataError(f"{where} holds a number that is not finite", fix="correct or remove the line")
    return vector


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Line by line: such files are larger than memory."""
    try:
        with path.open("rb") as plain:
            packed = plain.read(2) == b"\x1f\x8b"
            plain.seek(0)
            stream = gzip.GzipFile(fileobj=plain) if packed else plain
            # read as bytes and decoded one by one, so that the line of a wrong byte can be named
            number = 0
            for number, line in enumerate(io.BufferedReader(stream), start=1):  # type: ignore[arg-type]
                try:
                    yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise DataError(
                        f"{path} is not UTF-8 text: line {number}",
                        expected="the text format of GloVe or word2vec, not the binary one",
                        fix="convert it to text, or to UTF-8",
                    ) from error
            if number == 0:
                raise DataError(f"{path} is empty", expected="a word and its numbers a line")
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist", fix="check the path") from error
    except IsADirectoryError as error:
        raise DataError(f"{path} is a folder", expected="a file", fix="name a file in it") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read", got=str(error), fix="copy or download the file again") from error
