"""Subwords by byte-pair encoding (Sennrich, Haddow and Birch, 2016) over bytes: every text can be written."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import DataError, OptionError, RunError
from gatewise.files import refuse_newer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["BEGIN", "END", "PADDING", "Merges", "Subwords"]

PADDING, BEGIN, END = 0, 1, 2
"""Numbers of the tokens that no text holds."""
_SPECIAL = 3
_FORMAT_VERSION = 1
_BATCH = 4096

Tokens = npt.NDArray[np.int32]
Merges = Mapping[tuple[int, int], tuple[int, int]]
"""The rank and the number of what two pieces become."""


class Subwords:
    """A vocabulary of frequent pieces of words, fitted on texts; a text is its pieces without begin and end.

    Args:
        content: of the tokenizer, as `tokenizers` writes it.

    Example:
        >>> subwords = Subwords.fit(["ein Hund läuft", "ein Hund schläft"] * 10, 300)
        >>> numbers = subwords.encode(["ein Hund läuft"])[0]
        >>> subwords.decode(numbers), len(numbers) < 8
        ('ein Hund läuft', True)
    """

    def __init__(self, content: str) -> None:
        self._content = content

    @classmethod
    def fit(cls, texts: Sequence[str], size: int, *, digits: bool = False, lowercase: bool = False) -> Subwords:
        """Learn the pieces that occur most.

        Args:
            texts: of the training part.
            size: of the vocabulary, at most; bytes and the three special tokens are part of it.
            digits: let each digit from 0 to 9 be a piece of its own, so that numbers are written figure by figure.
            lowercase: read every text in lower case, so that none but lower case is written.

        Raises:
            OptionError: the size leaves no room beside the bytes.
            DataError: there is no text.
        """
        from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        least = len(alphabet) + _SPECIAL
        if size <= least:
            raise OptionError(
                "the vocabulary is too small for byte pairs",
                expected=f"more than {least}: the bytes and three special tokens",
                got=size,
                fix="give a larger --vocabulary-size",
            )
        if not any(text.strip() for text in texts):
            raise DataError("there is no text to find subwords in", expected="at least one word")
        tokenizer = Tokenizer(models.BPE())
        pieces = pre_tokenizers.ByteLevel(add_prefix_space=True)
        apart = pre_tokenizers.Split(Regex("[0-9]"), "isolated")
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pieces, apart]) if digits else pieces
        tokenizer.decoder = decoders.ByteLevel()
        if lowercase:
            tokenizer.normalizer = normalizers.Lowercase()
        trainer = trainers.BpeTrainer(
            vocab_size=size - _SPECIAL,
            min_frequency=2,
            initial_alphabet=alphabet,
            show_progress=False,
            special_tokens=[],
        )
        tokenizer.train_from_iterator(iter(texts), trainer, length=len(texts))
        return cls(tokenizer.to_str())

    def __len__(self) -> int:
        """V, the number of tokens."""
        return int(self._tokenizer.get_vocab_size()) + _SPECIAL

    def encode(self, texts: Sequence[str]) -> list[Tokens]:
        """The numbers of each text's pieces: (T,) int32 each, without begin and end."""
        found: list[Tokens] = []
        for start in range(0, len(texts), _BATCH):
            for encoding in self._tokenizer.encode_batch_fast(list(texts[start : start + _BATCH])):
                found.append(np.array(encoding.ids, dtype=np.int32) + _SPECIAL)
        return found

    def places(self, text: str) -> list[tuple[int, int, int]]:
        """The pieces of one text: the number of each, and where it begins and ends, the space before it included.

        Example:
            >>> [place[1:] for place in Subwords.fit(["ein Hund"] * 9, 270).places("ein Hund")]
            [(0, 3), (3, 8)]
        """
        found = self._tokenizer.encode(text)
        return [(number + _SPECIAL, *place) for number, place in zip(found.ids, found.offsets, strict=True)]

    def decode(self, numbers: Iterable[int]) -> str:
        """The text of some pieces; special tokens are left out."""
        kept = [int(number) - _SPECIAL for number in numbers if number >= _SPECIAL]
        text: str = self._tokenizer.decode(kept)
        return text.strip()

    def pieces(self, numbers: Iterable[int]) -> list[str]:
        """Each piece as a reader sees it; a space before it begins a word."""
        return [self._shown(int(number)) for number in numbers]

    def _shown(self, number: int) -> str:
        if number < _SPECIAL:
            return ("", "", "∎")[number]
        text: str = self._tokenizer.decode([number - _SPECIAL])
        return "·" if "\N{REPLACEMENT CHARACTER}" in text else text

    def words(self, text: str) -> list[str]:
        """The parts of a text that no piece reaches beyond, spelled in the signs that bytes are written with.

        Example:
            >>> len(Subwords.fit(["ein Hund"] * 9, 270).words("ein Hund."))
            3
        """
        normalizer = self._tokenizer.normalizer
        read = text if normalizer is None else normalizer.normalize_str(text)
        return [word for word, _ in self._tokenizer.pre_tokenizer.pre_tokenize_str(read)]

    def spelled(self, word: str) -> tuple[int, ...]:
        """The numbers of the bytes of one of `words`, before any are merged."""
        numbers = self._numbers
        return tuple(numbers[sign] for sign in word)

    def merges(self) -> Merges:
        """Rank and result of every merge of two pieces, by their numbers; the lowest rank is merged first."""
        numbers, found = self._numbers, {}
        for rank, merge in enumerate(json.loads(self._content)["model"]["merges"]):
            first, second = merge.split(" ") if isinstance(merge, str) else merge
            found[numbers[first], numbers[second]] = (rank, numbers[first + second])
        return found

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {piece: number + _SPECIAL for piece, number in self._tokenizer.get_vocab().items()}

    def to_dict(self) -> dict[str, Any]:
        """A dictionary, ready for JSON."""
        return {"format_version": _FORMAT_VERSION, "tokenizer": json.loads(self._content)}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], place: str = "the vocabulary") -> Subwords:
        """Read what `to_dict` gave.

        Raises:
            RunError: it is damaged or from a newer version.
        """
        refuse_newer(record, _FORMAT_VERSION, place)
        content = record.get("tokenizer")
        if not isinstance(content, dict):
            raise RunError(f"{place} is damaged", expected="tokenizer: an object", got=type(content).__name__)
        found = cls(json.dumps(content))
        try:
            len(found)
        except Exception as error:  # the library raises its base class
            raise RunError(f"{place} is damaged", expected="byte-pair encoding", got=str(error)[:80]) from error
        return found

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        return Tokenizer.from_str(self._content)
