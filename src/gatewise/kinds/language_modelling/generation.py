"""Text drawn from a language model, token by token, and the table of likeliest next tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatewise.errors import OptionError
from gatewise.kinds.language_modelling.model import LanguageModel
from gatewise.kinds.language_modelling.sampling import Sampling
from gatewise.kinds.language_modelling.tokens import Tokens, TokenVocabulary

__all__ = ["Generator", "Sampling", "next_tokens", "sampling_distribution"]


class Generator:
    """Draws text from a language model.

    Args:
        model: the network.
        vocabulary: its tokens.
    """

    def __init__(self, model: LanguageModel, vocabulary: TokenVocabulary) -> None:
        self.model = model.eval()
        self.vocabulary = vocabulary

    def numbers(self, prompt: Tokens, count: int, sampling: Sampling) -> Iterator[int]:
        """Draw token numbers after a prompt, one at a time."""
        random = torch.Generator()
        if sampling.seed is None:
            random.seed()
        else:
            random.manual_seed(sampling.seed)
        blocked = None if sampling.unknown else self.vocabulary.unknown
        with torch.inference_mode():
            scores, state = self._read(prompt, None)
        for _ in range(count):
            chances = sampling_distribution(scores, sampling, blocked)
            number = int(torch.multinomial(chances, 1, generator=random))
            yield number
            with torch.inference_mode():
                scores, state = self._read(np.array([number]), state)

    def stream(self, prompt: str, count: int, sampling: Sampling) -> Iterator[str]:
        """Draw text after a prompt, piece by piece.

        Args:
            prompt: the beginning; it is not repeated.
            count: tokens to draw.
            sampling: how.
        """
        if count < 1:
            raise OptionError(
                "tokens is out of range", expected="a whole number of at least 1", got=count, fix="--tokens 50"
            )
        begun = self.vocabulary.encode_prompt(prompt)
        before = int(begun[-1]) if len(begun) else None
        drawn: list[int] = []
        emitted = ""
        for number in self.numbers(self._with_start(begun), count, sampling):
            if self.vocabulary.kind != "bpe":
                yield self.vocabulary.text_after(before, number)
                before = number
                continue
            drawn.append(number)
            text = self.vocabulary.decode(drawn)
            if not text.endswith("\N{REPLACEMENT CHARACTER}"):  # the bytes of a character may be several tokens
                yield text[len(emitted) :]
                emitted = text

    def _with_start(self, prompt: Tokens) -> Tokens:
        return np.concatenate([np.array([self.vocabulary.start], dtype=np.int32), prompt])

    def _read(self, tokens: Tokens, state: Any) -> tuple[Tensor, Any]:
        """ln p of the next token (V,) and the state after the tokens."""
        read = self.model.read(torch.from_numpy(tokens.astype(np.int64))[:, None], state)
        return self.model.log_probabilities(read.output[-1])[0], read.state


def sampling_distribution(scores: Tensor, sampling: Sampling, blocked: int | None = None) -> Tensor:
    """The distribution that a token is drawn from.

    Args:
        scores: (V,) ln p.
        sampling: temperature, top_k, top_p.
        blocked: a token that must not be drawn.

    Returns:
        (V,) probabilities in double precision.

    Example:
        >>> scores = torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64).log()
        >>> [round(chance, 6) for chance in sampling_distribution(scores, Sampling(top_k=2)).tolist()]
        [0.625, 0.375, 0.0]
    """
    logits = scores.double() / sampling.temperature
    if blocked is not None and len(logits) > 1:
        logits = logits.index_fill(0, torch.tensor([blocked]), -torch.inf)
    if sampling.top_k is not None and sampling.top_k < len(logits):
        kept = torch.full_like(logits, -torch.inf)
        places = logits.topk(sampling.top_k).indices
        kept[places] = logits[places]
        logits = kept
    chances = logits.softmax(dim=0)
    if sampling.top_p < 1:
        ordered, places = chances.sort(descending=True)
        beyond = ordered.cumsum(dim=0) - ordered >= sampling.top_p
        chances[places[beyond]] = 0
        chances /= chances.sum()
    return chances


def next_tokens(model: LanguageModel, vocabulary: TokenVocabulary, prompt: str, count: int) -> list[tuple[str, float]]:
    """The likeliest next tokens after a prompt, with their probabilities, the likeliest first."""
    generator = Generator(model, vocabulary)
    with torch.inference_mode():
        scores, _ = generator._read(generator._with_start(vocabulary.encode_prompt(prompt)), None)
    best = scores.exp().topk(min(count, len(vocabulary)))
    return [
        (vocabulary.shown(int(number)), float(chance)) for number, chance in zip(best.indices, best.values, strict=True)
    ]
