"""How well a language model predicts another text: perplexity and bits per character, with intervals over documents."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewise.errors import DataError
from gatewise.statistics import Ratio, estimate_figure

if TYPE_CHECKING:
    from gatewise.kinds.language_modelling.tokens import TokenVocabulary
    from gatewise.kinds.language_modelling.trained import TrainedLanguageModel

__all__ = ["TextEvaluation", "documents_of", "evaluate_text", "evaluate_texts"]

_LEAST = 10
_SHOWN = 5
_NATS = Ratio("nats", "nats", higher_is_better=False)


@dataclass(frozen=True)
class TextEvaluation:
    """A language model's figures on a text; the ends of lines are tokens and characters like any other.

    Attributes:
        perplexity: exp of the mean negative log-likelihood of a token.
        perplexity_interval: the 95 % interval over documents; None where they are too few.
        bits_per_character: bits of all tokens, by the characters of the text.
        bits_per_character_interval: its 95 % interval.
        bits_per_token: bits of all tokens, by their number.
        loss: the same in nats.
        tokens: how many were predicted.
        characters: of the text, as the tokens write it.
        documents: how many there are.
        document: what a document is: ``paragraph`` (blank lines separate them), ``line``, or ``file`` of a folder.
        unknown_share: share of the tokens that the model reads as the unknown one.
        unknown: the most frequent of those, as written.
        notes: what matters for the figures, a sentence each.
    """

    perplexity: float
    perplexity_interval: tuple[float, float] | None
    bits_per_character: float
    bits_per_character_interval: tuple[float, float] | None
    bits_per_token: float
    loss: float
    tokens: int
    characters: int
    documents: int
    document: str
    unknown_share: float
    unknown: tuple[str, ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, ready for JSON."""
        return {"metric": "perplexity", **asdict(self)}


def documents_of(lines: Sequence[str], *, blank: bool) -> tuple[list[list[str]], str]:
    """Lines by document: paragraphs where blank lines separate any, else each line by itself.

    Args:
        lines: without their ends.
        blank: whether blank lines are part of the text; they then belong to the document before them.

    Returns:
        (the documents, ``paragraph`` or ``line``)

    Example:
        >>> documents_of(["a", "b", "", "c"], blank=False)
        ([['a', 'b'], ['c']], 'paragraph')
        >>> documents_of(["a", "b"], blank=False)
        ([['a'], ['b']], 'line')
    """
    empty = [not line.strip() for line in lines]
    last = max((place for place, none in enumerate(empty) if not none), default=-1)
    if not any(empty[:last]):
        kept = [[line] for line, none in zip(lines, empty, strict=True) if blank or not none]
        return kept, "line"
    found: list[list[str]] = [[]]
    ended = False
    for line, none in zip(lines, empty, strict=True):
        if not none and found[-1] and ended:
            found.append([])
        ended = none and any(each.strip() for each in found[-1])
        if blank or not none:
            found[-1].append(line)
    return [each for each in found if each], "paragraph"


def evaluate_text(trained: TrainedLanguageModel, text: str) -> TextEvaluation:
    """Measure on a text, its state carried from the first token to the last, as in the test.

    The intervals are those of a ratio of sums over documents (`gatewise.statistics.estimate_figure`).

    Args:
        trained: the network.
        text: running text.

    Raises:
        DataError: the text has no token.
    """
    return _measured(trained, *documents_of(text.splitlines(), blank=not _reads_words(trained)))


def evaluate_texts(trained: TrainedLanguageModel, texts: Sequence[str]) -> TextEvaluation:
    """Measure on texts that follow each other; they are the documents where they are enough for an interval.

    Args:
        trained: the network.
        texts: running text, as of the files of a folder.

    Raises:
        DataError: the texts have no token.
    """
    if len(texts) < _LEAST:
        return evaluate_text(trained, "\n".join(text.removesuffix("\n") for text in texts))
    words = _reads_words(trained)
    lines = [[line for line in text.splitlines() if line.strip() or not words] for text in texts]
    return _measured(trained, [each for each in lines if each], "file")


def _reads_words(trained: TrainedLanguageModel) -> bool:
    return trained.vocabulary.kind in ("word", "spaced-word")


def _measured(trained: TrainedLanguageModel, documents: Sequence[list[str]], document: str) -> TextEvaluation:
    vocabulary, words = trained.vocabulary, _reads_words(trained)
    encoded = [vocabulary.encode(lines) for lines in documents]
    if not sum(map(len, encoded)):
        raise DataError("the text has no token", expected="at least one word", fix="give a longer text")
    losses = trained.losses(np.concatenate(encoded))
    ends = np.cumsum([len(each) for each in encoded])
    nats = np.array([part.sum() for part in np.split(losses, ends[:-1])])
    tokens = np.array([len(each) for each in encoded])
    characters = np.array([sum(_length(line, words) for line in lines) for lines in documents])
    mean, spelled = float(losses.mean()), float(nats.sum() / characters.sum())
    by_token, by_character = (_interval(nats, counts) for counts in (tokens, characters))
    share, unknown = _unknown(vocabulary, np.concatenate(encoded), documents)
    notes = []
    if by_token is None:
        notes.append(f"no interval: {len(documents)} {document}s are fewer than {_LEAST} documents")
    if share and words:
        notes.append(
            f"{share:.1%} of the tokens are unknown words, counted as one token like any other: compare perplexity and "
            "bits per character only with models of the same vocabulary"
        )
    return TextEvaluation(
        perplexity=math.exp(mean),
        perplexity_interval=None if by_token is None else (math.exp(by_token[0]), math.exp(by_token[1])),
        bits_per_character=spelled / math.log(2),
        bits_per_character_interval=None
        if by_character is None
        else (by_character[0] / math.log(2), by_character[1] / math.log(2)),
        bits_per_token=mean / math.log(2),
        loss=mean,
        tokens=int(tokens.sum()),
        characters=int(characters.sum()),
        documents=len(documents),
        document=document,
        unknown_share=share,
        unknown=unknown,
        notes=tuple(notes),
    )


def _length(line: str, words: bool) -> int:
    """Characters of a line with its end; for words without surplus space."""
    return len(" ".join(line.split()) if words else line) + 1


def _interval(nats: Any, counts: Any) -> tuple[float, float] | None:
    """The 95 % interval of nats by tokens or characters, over documents; None where they are too few."""
    if len(nats) < _LEAST:
        return None
    table = np.stack([nats, counts], axis=1).astype(np.float64)
    found = estimate_figure(table, _NATS, np.random.default_rng(0)).interval
    return found.low, found.high


def _unknown(
    vocabulary: TokenVocabulary, tokens: Any, documents: Sequence[Sequence[str]]
) -> tuple[float, tuple[str, ...]]:
    """The share of unknown tokens, and the most frequent of them as written."""
    if vocabulary.unknown is None:
        return 0.0, ()
    share = float(np.mean(tokens == vocabulary.unknown))
    if not share:
        return 0.0, ()
    lines = (line for document in documents for line in document)
    known = vocabulary.numbers
    counts = Counter(token for line in lines for token in vocabulary.split(line) if token not in known)
    return share, tuple(token for token, _ in counts.most_common(_SHOWN))
