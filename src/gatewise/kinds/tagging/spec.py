"""What a tagging run is: sentences and network as frozen, serialisable records. Imports no torch."""

from __future__ import annotations

import re
from dataclasses import dataclass

from gatewise.errors import OptionError
from gatewise.training import common_settings as common
from gatewise.training.settings import Spec, setting

__all__ = ["CHARACTERS", "SCHEMES", "TaggerSpec", "TaggingDataSpec", "column"]

SCHEMES = ("iob1", "iob2", "iobes", "bilou", "plain")
CHARACTERS = ("recurrent", "convolution", "none")


def column(word: str | None) -> str | int | None:
    """A column as the user names it: a number where it is one, else a name.

    Example:
        >>> column("-1"), column("--1"), column("ner"), column(None)
        (-1, '--1', 'ner', None)
    """
    return int(word) if word is not None and re.fullmatch(r"-?\d+", word) else word


@dataclass(frozen=True)
class TaggingDataSpec(Spec):
    """Which sentences a run is trained on, and the columns of words and tags.

    Files are CoNLL columns, tab-separated tables, CoNLL-U or JSON lines; see `gatewise.kinds.tagging.reading`.

    Example:
        >>> TaggingDataSpec("news.conll", tags="-1").validation is None
        True
    """

    data: str = setting("conll2003", "Registry name (conll2003) or the path of a file of sentences.", is_path=True)
    words: str | None = setting(
        None, "Column of the words: number (from 1, negative from the end), name or JSON key.", reads=True
    )
    tags: str | None = setting(
        None, "Column of the tags: number (from 1, negative from the end), name or JSON key.", reads=True
    )
    scheme: str | None = setting(
        None, "Scheme of the tags: iob1, iob2, iobes, bilou or plain; derived from them if not given.", choices=SCHEMES
    )
    test: str | None = setting(None, "Second file, used only for testing; else a part is held out.", is_path=True)
    validation: str | None = setting(
        None, "File that decides which weights are kept; else a part is held out.", is_path=True
    )
    examples: int | None = setting(
        None, "Training examples, at most, chosen by content; validation and test stay whole.", minimum=10
    )
    embeddings: str | None = common.embeddings("random")


@dataclass(frozen=True)
class TaggerSpec(Spec):
    """The network: words and their characters, recurrent layers, a CRF (Lample et al., 2016).

    Example:
        >>> TaggerSpec(cell="gru").bidirectional
        True
    """

    cell: str = common.cell()
    hidden_size: int = common.hidden_size()
    num_layers: int = common.num_layers()
    bidirectional: bool = common.bidirectional(True)
    embedding_size: int = common.embedding_size(100)
    characters: str = setting(
        "recurrent", "How a word's characters are read: recurrent (with the same cell), convolution or none.",
        choices=CHARACTERS,
    )  # fmt: skip
    character_size: int = setting(25, "Numbers per character.", minimum=1)
    character_hidden_size: int = setting(25, "Units that read characters, per direction.", minimum=1)
    max_characters: int = setting(30, "Of longer words the first and last halves of this many are read.", minimum=2)
    shape_size: int = setting(8, "Numbers for a word's shape (capitals, digits); 0 for none.", minimum=0)
    crf: bool = setting(True, "Score whole sequences of tags (CRF) instead of each tag by itself.")
    dropout: float = common.dropout(0.5)
    locked_dropout: bool = setting(False, "Draw one dropout mask per sentence instead of one per word.")
    unknown_rate: float = setting(
        0.5, "Probability of reading a word seen once as unknown while training.", minimum=0.0
    )

    def check_together(self) -> None:
        """Refuse a probability above 1."""
        if self.unknown_rate > 1:
            raise OptionError(
                "unknown_rate is out of range", expected="0 to 1", got=self.unknown_rate, fix="give --unknown-rate 0.5"
            )
