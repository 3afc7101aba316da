r"""Texts to numbers: a documented tokenisation and a vocabulary fitted on the training part only.

A text goes through these steps, by the tokenizers library:

1. HTML tags (``<br />``, ``<i>``, ...) become a space.
2. Everything is lower-cased.
3. Words are runs of letters, digits and underscores, with one inner apostrophe kept (``don't`` is one token);
   every other character is a token of its own, repetitions of the same one together (``...``, ``!!``).
   In texts of which most letters are of a script without spaces between words (`gatewise.data.scripts`), each letter
   of such a script is a token of its own, together with the marks on it; other words stay words.
4. Words outside the vocabulary become ``[unknown]``.
5. A text longer than ``max_tokens`` keeps its first and its last half of them; one without any token is ``[unknown]``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gatewise.data.batches import Ragged
from gatewise.data.scripts import SPACELESS, spaceless_script
from gatewise.errors import RunError
from gatewise.files import refuse_newer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["PADDING", "UNKNOWN", "Vocabulary"]

PADDING, UNKNOWN = "[padding]", "[unknown]"
_TAG = r"<[a-zA-Z/!][^<>]{0,200}>"
_TOKEN = r"\w+(?:['’]\w+)?|([^\w\s])\1*"
_CHARACTER_TOKEN = rf"[{SPACELESS}]\p{{M}}*|[\w&&[^{SPACELESS}]]+(?:['’][\w&&[^{SPACELESS}]]+)?|([^\w\s])\1*"
_TOKENS = {"words": _TOKEN, "characters": _CHARACTER_TOKEN}
_CHUNK = 2_000
_FORMAT_VERSIONS = {"words": 1, "characters": 2}
_FORMAT_VERSION = max(_FORMAT_VERSIONS.values())


class Vocabulary:
    """The words a model knows, by number: 0 is padding, 1 is every unknown word, then by falling frequency.

    Args:
        words: the words, without the two special ones.
        tokenisation: ``words``, or ``characters`` where scripts without spaces are split into their letters.

    Example:
        >>> vocabulary = Vocabulary.fit(["A fine film, a FINE film!<br />", "Not fine."], size=8, minimum_count=1)
        >>> vocabulary.tokens("a fine<br />mess!!")
        ['a', 'fine', 'mess', '!!']
        >>> vocabulary.encode(["a fine mess"], max_tokens=256).row(0).tolist()
        [3, 2, 1]
    """

    def __init__(self, words: Sequence[str], tokenisation: str = "words") -> None:
        self.words = tuple(words)
        self.tokenisation = tokenisation

    @classmethod
    def fit(cls, texts: Sequence[str], size: int, minimum_count: int = 2) -> Vocabulary:
        """Count the words of the training part.

        Args:
            texts: the training texts, and no others.
            size: entries, the two special ones included.
            minimum_count: rarer words are left out.
        """
        from tokenizers.trainers import WordLevelTrainer

        tokenisation = "words" if spaceless_script(texts) is None else "characters"
        tokenizer = _tokenizer({UNKNOWN: 0}, tokenisation)
        trainer = WordLevelTrainer(
            vocab_size=size, min_frequency=minimum_count, special_tokens=[PADDING, UNKNOWN], show_progress=False
        )
        with _threaded():
            tokenizer.train_from_iterator((_plain(text) for text in texts), trainer, length=len(texts))
        numbers: dict[str, int] = tokenizer.get_vocab()
        return cls(sorted((word for word in numbers if numbers[word] > 1), key=numbers.__getitem__), tokenisation)

    def __len__(self) -> int:
        """Entries, the two special ones included."""
        return len(self.words) + 2

    def __eq__(self, other: object) -> bool:
        """Whether both have the same words under the same numbers."""
        return isinstance(other, Vocabulary) and self.__getstate__() == other.__getstate__()

    def __hash__(self) -> int:
        return hash(self.words)

    def tokens(self, text: str, max_tokens: int | None = None) -> list[str]:
        """The tokens of one text as a model reads them, unknown words in full.

        Args:
            text: the text.
            max_tokens: keep the first and last halves of this many; None: keep all.
        """
        pieces = self._tokenizer.pre_tokenizer.pre_tokenize_str(self._tokenizer.normalizer.normalize_str(_plain(text)))
        words = [word for word, _ in pieces] or [UNKNOWN]
        if max_tokens is None or len(words) <= max_tokens:
            return words
        return words[: max_tokens - max_tokens // 2] + words[len(words) - max_tokens // 2 :]

    def places(self, text: str, max_tokens: int) -> list[tuple[int, int, int]]:
        """Each token's number and where it stands in the text, of those that `encode` keeps.

        Args:
            text: the text.
            max_tokens: as in `encode`.

        Returns:
            (number, start, end) in characters; a text without any token is one unknown word of no width.

        Example:
            >>> Vocabulary(["fine", "film"]).places("A FINE<br />film", 256)
            [(1, 0, 1), (2, 2, 6), (3, 12, 16)]
        """
        with _threaded():
            found = self._tokenizer.encode(_plain(text))
        places = [(number, *place) for number, place in zip(found.ids, found.offsets, strict=True)] or [(1, 0, 0)]
        if len(places) <= max_tokens:
            return places
        return places[: max_tokens - max_tokens // 2] + places[len(places) - max_tokens // 2 :]

    def encode(self, texts: Sequence[str], max_tokens: int) -> Ragged:
        """Turn texts into numbers, each at least one and at most ``max_tokens`` long.

        The work is spread over RAYON_NUM_THREADS threads; the result does not depend on their number.
        """
        rows: list[npt.NDArray[np.int32]] = []
        for chunk in _chunks(texts):
            with _threaded():
                encodings = self._tokenizer.encode_batch_fast([_plain(text) for text in chunk])
            for encoding in encodings:
                ids = encoding.ids or [1]
                if len(ids) > max_tokens:
                    ids = ids[: max_tokens - max_tokens // 2] + ids[len(ids) - max_tokens // 2 :]
                rows.append(np.array(ids, dtype=np.int32))
        return Ragged.join(rows)

    def numbers(self, text: str) -> npt.NDArray[np.int32]:
        """The number of every token of a text, or of a part of one that ends between words; without one: none.

        Example:
            >>> Vocabulary(["a", "film"]).numbers("A great film").tolist()
            [2, 1, 3]
        """
        return np.array(self._tokenizer.encode(_plain(text)).ids, dtype=np.int32)

    def to_dict(self) -> dict[str, Any]:
        """A dictionary, ready for JSON."""
        version = _FORMAT_VERSIONS[self.tokenisation]
        return {"format_version": version, "tokenisation": self.tokenisation, "words": list(self.words)}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], place: str = "the vocabulary") -> Vocabulary:
        """Read what `to_dict` gave.

        Raises:
            RunError: it is damaged or from a newer version.

        Example:
            >>> Vocabulary.from_dict(Vocabulary(["film"]).to_dict()).words
            ('film',)
        """
        version = record.get("format_version") if isinstance(record, Mapping) else None
        refuse_newer(record, _FORMAT_VERSION, place)
        words: Any = record.get("words") if isinstance(record, Mapping) else None
        tokenisation: Any = record.get("tokenisation") if isinstance(record, Mapping) else None
        known = isinstance(tokenisation, str) and version == _FORMAT_VERSIONS.get(tokenisation)
        sound = known and version is not None and isinstance(words, list)
        if not sound or not all(isinstance(word, str) for word in words) or len(set(words)) != len(words):
            raise RunError(f"{place} is damaged", expected="format_version, tokenisation and a list of distinct words")
        return cls(words, tokenisation)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        return _tokenizer(
            {word: number for number, word in enumerate((PADDING, UNKNOWN, *self.words))}, self.tokenisation
        )

    def __getstate__(self) -> dict[str, Any]:
        """Omit the compiled tokenizer when pickled or copied."""
        return {"words": self.words, "tokenisation": self.tokenisation}


def _tokenizer(numbers: dict[str, int], tokenisation: str) -> Tokenizer:
    from tokenizers import Regex, Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.normalizers import Lowercase, Replace, Sequence
    from tokenizers.pre_tokenizers import Split

    tokenizer = Tokenizer(WordLevel(numbers, unk_token=UNKNOWN))
    tokenizer.normalizer = Sequence([Replace(Regex(_TAG), " "), Lowercase()])
    # "removed" together with "invert" drops the text between the matches
    tokenizer.pre_tokenizer = Split(Regex(_TOKENS[tokenisation]), behavior="removed", invert=True)
    return tokenizer


def _chunks(texts: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), _CHUNK):
        yield texts[start : start + _CHUNK]


def _plain(text: str) -> str:
    """Replace lone surrogates, which JSON can hold and UTF-8 cannot."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


@contextmanager
def _threaded() -> Iterator[None]:
    """Let tokenizers use threads during this call only, unless the user set it: otherwise it warns after a fork."""
    if "TOKENIZERS_PARALLELISM" in os.environ:
        yield
        return
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    try:
        yield
    finally:
        os.environ.pop("TOKENIZERS_PARALLELISM", None)
