r"""Running text to token numbers: words, characters, or byte pairs fitted on the training part.

- ``word``: runs of letters, digits and underscores with one inner apostrophe, and every other sign by itself, as
  written; text that is divided into words already (the Penn Treebank) is split at white space alone. Each line ends
  with ``<eos>``, empty lines are left out, words outside the vocabulary are ``<unk>``.
- ``character``: every character, the line feed included; those not in the training part are ``<unk>``.
- ``bpe``: the most frequent pairs of bytes are merged first (Sennrich et al., 2016), on the
  bytes of UTF-8, so that there is no unknown token.

Tokens are numbered by falling frequency in the training part.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import DataError, OptionError, RunError, did_you_mean
from gatewise.files import refuse_newer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

__all__ = ["END", "UNKNOWN_WORD", "TokenVocabulary", "Tokens"]

Tokens = npt.NDArray[np.int32]

END, UNKNOWN_WORD = "<eos>", "<unk>"
_WORD = re.compile(r"\w+(?:['’]\w+)?|[^\w\s]")
_NO_SPACE_BEFORE = frozenset(".,;:!?)]}%…’”")
_NO_SPACE_AFTER = frozenset("([{“‘$£€")
_KINDS = ("word", "spaced-word", "character", "bpe")
_FORMAT_VERSION = 1
_BATCH_LINES = 5_000


class TokenVocabulary:
    """The tokens of a language model, by number, and how text becomes tokens and tokens become text.

    Args:
        kind: ``word``, ``spaced-word`` (split at white space alone), ``character`` or ``bpe``.
        tokens: the tokens by number.
        tokenizer: the merges as the tokenizers library writes them, for ``bpe`` alone.

    Example:
        >>> vocabulary = TokenVocabulary.fit(["the cat sat", "the cat ran"], "word", size=10, minimum_count=1)
        >>> vocabulary.decode(vocabulary.encode_prompt("the cat slept"))
        'the cat <unk>'
    """

    def __init__(self, kind: str, tokens: Sequence[str], tokenizer: str | None = None) -> None:
        self.kind = kind
        self.tokens = tuple(tokens)
        self._pieces = tokenizer

    @classmethod
    def fit(cls, lines: Iterable[str], kind: str, size: int, minimum_count: int = 2) -> TokenVocabulary:
        """Fit the tokens on the training part.

        Args:
            lines: the training lines, and no others.
            kind: see above.
            size: tokens at most, the special ones included.
            minimum_count: rarer words become the unknown one, so that its vector is trained.

        Raises:
            DataError: the training part has fewer than two different tokens.
        """
        if kind not in _KINDS:
            raise OptionError(
                f"there are no {kind!r} tokens", expected=", ".join(_KINDS), fix=did_you_mean(kind, _KINDS)
            )
        lines = list(lines)
        if kind == "bpe":
            return cls._fit_pieces(lines, size)
        counts = Counter(token for line in lines for token in _split(line, kind))
        special = (END, UNKNOWN_WORD) if kind != "character" else (UNKNOWN_WORD,)
        if len(set(counts) - set(special)) < 2:
            raise DataError(
                "the training text has fewer than two different tokens",
                expected="a text to train on",
                got=", ".join(map(repr, counts)) or "nothing",
                fix="name a longer text, or choose other --tokens",
            )
        known = [token for token in counts if token not in special]
        least = 1 if kind == "character" else minimum_count
        frequent = sorted((t for t in known if counts[t] >= least), key=lambda t: (-counts[t], t))
        if len(frequent) < 2:
            frequent = sorted(known, key=lambda t: (-counts[t], t))
        frequent = frequent[: size - len(special)]
        total = sum(counts.values())
        covered = sum(counts[token] for token in frequent) + counts[END]
        weights = {token: counts[token] for token in frequent} | {UNKNOWN_WORD: total - covered}
        if kind != "character":
            weights[END] = counts[END]
        return cls(kind, sorted(weights, key=lambda t: (-weights[t], t)))

    @classmethod
    def _fit_pieces(cls, lines: Sequence[str], size: int) -> TokenVocabulary:
        from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        if size <= len(alphabet):
            raise OptionError(
                "the vocabulary is too small for byte pairs",
                expected=f"more than the {len(alphabet)} bytes",
                got=size,
                fix="give a larger --vocabulary-size, or --tokens character",
            )
        trainer = trainers.BpeTrainer(
            vocab_size=size, initial_alphabet=alphabet, show_progress=False, special_tokens=[]
        )
        tokenizer.train_from_iterator((line + "\n" for line in lines), trainer, length=len(lines))
        counts: Counter[int] = Counter()
        for encoding in tokenizer.encode_batch_fast([line + "\n" for line in lines]):
            counts.update(encoding.ids)
        if len(counts) < 2:
            raise DataError("the training text has fewer than two different tokens", fix="name a longer text")
        named = {number: token for token, number in tokenizer.get_vocab().items()}
        order = sorted(named, key=lambda number: (-counts[number], number))
        return cls("bpe", [named[number] for number in order], tokenizer.to_str())

    def __len__(self) -> int:
        """V, the number of tokens."""
        return len(self.tokens)

    @cached_property
    def numbers(self) -> dict[str, int]:
        """Each token's number."""
        return {token: number for number, token in enumerate(self.tokens)}

    @property
    def unknown(self) -> int | None:
        """The unknown token's number; None where every text can be written."""
        return self.numbers.get(UNKNOWN_WORD)

    @property
    def end(self) -> int | None:
        """The number of the token that ends a line; None where the training part had only one line of characters."""
        return self.numbers.get({"character": "\n", "bpe": "Ċ"}.get(self.kind, END))

    @property
    def start(self) -> int:
        """The token before the first one of a text: that of a line's end, else the most frequent one."""
        return 0 if self.end is None else self.end

    def encode(self, lines: Iterable[str]) -> Tokens:
        """Token numbers of whole lines, each with its end.

        Args:
            lines: without their line feeds.

        Returns:
            (N,) int32.
        """
        if self.kind == "bpe":
            return self._encode_pieces([line + "\n" for line in lines])
        numbers, unknown = self.numbers, self.unknown
        found = [numbers.get(token, unknown) for line in lines for token in _split(line, self.kind)]
        return np.array(found, dtype=np.int32)

    def encode_prompt(self, text: str) -> Tokens:
        """Token numbers of the beginning of a text: nothing ends after it."""
        if self.kind == "bpe":
            return self._encode_pieces([text])
        tokens = list(text) if self.kind == "character" else self.split(text)
        return np.array([self.numbers.get(token, self.unknown) for token in tokens], dtype=np.int32)

    def split(self, text: str) -> list[str]:
        """The tokens of a text as written, known or not; line feeds end lines."""
        if self.kind == "character":
            return list(text)
        if self.kind == "bpe":
            return [self.tokens[number] for number in self._encode_pieces([text])]
        return [token for line in text.splitlines() for token in _split(line, self.kind)[:-1]]

    def unknown_tokens(self, text: str) -> list[str]:
        """The tokens of a text that are not in the vocabulary, each once."""
        if self.kind == "bpe":
            return []
        return [token for token in dict.fromkeys(self.split(text)) if token not in self.numbers]

    def decode(self, numbers: Iterable[int]) -> str:
        """Tokens as text.

        Example:
            >>> TokenVocabulary("word", ["<eos>", "<unk>", "yes", ",", "no"]).decode([2, 3, 4, 0])
            'yes, no\\n'
        """
        pieces: list[str] = []
        before: int | None = None
        if self.kind == "bpe":
            text: str = self._tokenizer.decode([self._number_of[number] for number in numbers])
            return text
        for number in numbers:
            pieces.append(self.text_after(before, int(number)))
            before = int(number)
        return "".join(pieces)

    def text_after(self, before: int | None, number: int) -> str:
        """What a token adds to a text that ends with the token ``before``; not for ``bpe``."""
        token = self.tokens[number]
        if self.kind == "character":
            return token
        if token == END:
            return "\n"
        earlier = None if before is None else self.tokens[before]
        close = earlier is None or earlier == END
        if self.kind == "word":
            close = close or token in _NO_SPACE_BEFORE or earlier in _NO_SPACE_AFTER
        return token if close else " " + token

    def shown(self, number: int) -> str:
        """A token as a reader sees it; incomplete characters as the tokenizer writes them."""
        if self.kind != "bpe":
            return self.tokens[number]
        text = self.decode([number])
        return self.tokens[number] if "\N{REPLACEMENT CHARACTER}" in text else text

    def to_dict(self) -> dict[str, Any]:
        """A dictionary, ready for JSON."""
        pieces = {} if self._pieces is None else {"tokenizer": json.loads(self._pieces)}
        return {"format_version": _FORMAT_VERSION, "tokenisation": self.kind, "tokens": list(self.tokens), **pieces}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], place: str = "the vocabulary") -> TokenVocabulary:
        """Read what `to_dict` gave.

        Raises:
            RunError: it is damaged or from a newer version.

        Example:
            >>> TokenVocabulary.from_dict(TokenVocabulary("character", ["a", "b"]).to_dict()).tokens
            ('a', 'b')
        """
        version = record.get("format_version")
        refuse_newer(record, _FORMAT_VERSION, place)
        kind, tokens, pieces = record.get("tokenisation"), record.get("tokens"), record.get("tokenizer")
        usable = isinstance(tokens, list) and len(tokens) > 1 and all(isinstance(token, str) for token in tokens)
        if (
            version != _FORMAT_VERSION
            or kind not in _KINDS
            or not usable
            or (kind == "bpe") != isinstance(pieces, dict)
        ):
            raise RunError(f"{place} is damaged", expected="tokenisation and a list of tokens", got=repr(kind))
        assert isinstance(tokens, list)
        return cls(kind, tokens, None if pieces is None else json.dumps(pieces))

    def _encode_pieces(self, texts: Sequence[str]) -> Tokens:
        found: list[Tokens] = []
        order = self._order
        for first in range(0, len(texts), _BATCH_LINES):
            for encoding in self._tokenizer.encode_batch_fast(list(texts[first : first + _BATCH_LINES])):
                found.append(order[np.array(encoding.ids, dtype=np.int64)])
        return np.concatenate(found) if found else np.zeros(0, dtype=np.int32)

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        return Tokenizer.from_str(self._pieces or "")

    @cached_property
    def _number_of(self) -> list[int]:
        """By our number, that of the tokenizer."""
        theirs: dict[str, int] = self._tokenizer.get_vocab()
        return [theirs[token] for token in self.tokens]

    @cached_property
    def _order(self) -> Tokens:
        """By the tokenizer's number, ours."""
        order = np.zeros(len(self.tokens), dtype=np.int32)
        order[np.array(self._number_of)] = np.arange(len(self.tokens), dtype=np.int32)
        return order


def _split(line: str, kind: str) -> list[str]:
    """The tokens of a line with its end."""
    if kind == "character":
        return [*line, "\n"]
    words = line.split() if kind == "spaced-word" else _WORD.findall(line)
    return [*words, END]
