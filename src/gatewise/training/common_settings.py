"""Settings that several kinds of problems share, each defined once. Imports no torch."""

from __future__ import annotations

from typing import Any

from gatewise.training.checks import known_cells
from gatewise.training.settings import setting

__all__ = [
    "EMBEDDINGS",
    "bidirectional",
    "cell",
    "download",
    "dropout",
    "embedding_size",
    "embeddings",
    "hidden_size",
    "num_layers",
    "vocabulary_size",
]


EMBEDDINGS = ("cooccurrence", "random")
"""What embeddings start from, besides files of vectors."""


def cell() -> Any:
    """The recurrent cell of a network."""
    return setting("gru", "Recurrent cell: rnn, lstm, gru or a registered one.", choices=known_cells)


def hidden_size(default: int = 128) -> Any:
    """H, the width of a network."""
    return setting(default, "Units per recurrent layer and direction.", minimum=1, aliases=("hidden",))


def num_layers(default: int = 1) -> Any:
    """L, the depth of a network."""
    return setting(default, "Recurrent layers on top of each other.", minimum=1)


def bidirectional(default: bool = False) -> Any:
    """Whether a second direction reads each sequence backwards."""
    return setting(default, "Read each sequence in both directions (doubles the cost).")


def dropout(default: float, help: str = "Probability of zeroing an input or feature while training.") -> Any:
    """A probability of dropout."""
    return setting(default, help, minimum=0.0, below=1.0)


def embedding_size(default: int = 128) -> Any:
    """The embedding size of words or tokens."""
    return setting(default, "Numbers per word or token.", minimum=1)


def embeddings(default: str) -> Any:
    """What an embedding starts from."""
    return setting(
        default,
        "What word vectors start from: random, a text file (GloVe, word2vec), or, of a classifier, cooccurrence "
        "(how often words stand near each other in the training part).",
        is_path=True,
        words=EMBEDDINGS,
        earlier="random",
    )


def vocabulary_size(default: int) -> Any:
    """How many words are kept."""
    return setting(default, "Words or tokens kept, the most frequent of the training part.", minimum=3)


def download() -> Any:
    """Whether a known data set may be downloaded."""
    return setting(False, "Download the official files if they are not in the cache.")
