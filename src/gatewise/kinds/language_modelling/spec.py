"""What a language-modelling run is: corpus and network as frozen, serialisable records. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from gatewise.errors import OptionError
from gatewise.training import common_settings as common
from gatewise.training.settings import Spec, setting

__all__ = ["TOKENS", "CorpusSpec", "LanguageModelSpec"]

TOKENS = ("word", "character", "bpe")


@dataclass(frozen=True)
class CorpusSpec(Spec):
    """Which text is modelled, and what its tokens are; byte pairs are those of Sennrich et al. (2016).

    Example:
        >>> CorpusSpec("novel.txt", tokens="character").vocabulary_size
        10000
    """

    data: str = setting(
        "ptb", "Registry name (ptb, reviews) or the path of a text file, or of a folder of them.", is_path=True
    )
    tokens: str = setting("word", "What a token is: word, character or bpe.", choices=TOKENS)
    vocabulary_size: int = common.vocabulary_size(10_000)
    encoding: str | None = setting(
        None,
        "Encoding of the file: cp1252, shift_jis, gb18030 ...; detected if not given.",
        reads=True,
        added=True,
    )
    download: bool = common.download()


@dataclass(frozen=True)
class LanguageModelSpec(Spec):
    """The network: embedding, recurrent layers, a distribution over the next token.

    Dropout masks are locked over the steps of a block (Gal and Ghahramani, 2016); tied weights: Press and Wolf (2017)
    and Inan et al. (2017); dropped recurrent weights: Merity et al. (2018); activation regularisation: Merity et al.
    (2017); adaptive softmax, for large vocabularies: Grave et al. (2017).

    Example:
        >>> LanguageModelSpec(cell="lstm").steps
        35
    """

    cell: str = common.cell()
    hidden_size: int = common.hidden_size()
    embedding_size: int = common.embedding_size()
    num_layers: int = common.num_layers()
    last_size: int | None = setting(None, "Units of the last recurrent layer, if it differs.", minimum=1)
    steps: int = setting(35, "Tokens through which the gradient flows back.", minimum=1)
    tied: bool = setting(True, "Let the output layer use the embedding's weights.")
    dropout: float = common.dropout(0.2)
    layer_dropout: float = common.dropout(0.2, "Probability of zeroing a feature between layers while training.")
    output_dropout: float = common.dropout(0.2, "Probability of zeroing a feature of the last layer while training.")
    embedding_dropout: float = common.dropout(0.0, "Probability of zeroing a token everywhere while training.")
    weight_dropout: float = common.dropout(0.0, "Probability of zeroing a recurrent weight while training.")
    activation_regularisation: float = setting(0.0, "Weight of the outputs' mean square in the loss.", minimum=0.0)
    temporal_regularisation: float = setting(
        0.0, "Weight of the mean square of the outputs' changes in the loss.", minimum=0.0
    )
    adaptive_softmax: bool = setting(False, "Give rare tokens a smaller output layer.")

    def check_together(self) -> None:
        """Refuse an adaptive softmax that shares the embedding's weights."""
        if self.adaptive_softmax and self.tied:
            raise OptionError(
                "an adaptive softmax has no weights to share with the embedding",
                expected="--no-tied with --adaptive-softmax",
                fix="give --no-tied too, or omit --adaptive-softmax",
            )
