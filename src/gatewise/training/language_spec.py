"""What a language-modelling run is: corpus and network as frozen, serialisable records. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from gatewise.errors import OptionError
from gatewise.training.checks import check_boolean, check_choice, check_real, check_whole, known_cells
from gatewise.training.spec import check_data_name

__all__ = ["TOKENS", "CorpusSpec", "LanguageModelSpec"]

TOKENS = ("word", "character", "bpe")


@dataclass(frozen=True)
class CorpusSpec:
    """Which text is modelled, and what its tokens are.

    Args:
        data: a registry name (``ptb``, ``reviews``) or the path of a text file.
        tokens: ``word``, ``character`` or ``bpe`` (Sennrich et al., 2016).
        vocabulary_size: tokens kept, the most frequent of the training part; the others become one unknown token.
        download: whether the registry may fetch the data from the network.

    Example:
        >>> CorpusSpec("novel.txt", tokens="character").vocabulary_size
        10000
    """

    data: str = "ptb"
    tokens: str = "word"
    vocabulary_size: int = 10_000
    download: bool = False

    def __post_init__(self) -> None:
        check_data_name(self.data)
        check_choice("tokens", self.tokens, TOKENS)
        check_whole("vocabulary_size", self.vocabulary_size, minimum=3)
        check_boolean("download", self.download)


@dataclass(frozen=True)
class LanguageModelSpec:
    """The network: embedding, recurrent layers, a distribution over the next token.

    Args:
        cell: ``rnn``, ``lstm``, ``gru`` or a registered cell.
        hidden_size: H, units per layer.
        embedding_size: numbers per token.
        num_layers: L, recurrent layers.
        last_size: units of the last layer; None: ``hidden_size``.
        steps: T, tokens through which the gradient flows back (truncated backpropagation through time).
        tied: whether the output layer uses the embedding's weights (Press and Wolf, 2017; Inan et al., 2017).
        dropout: p on the embedded inputs, one mask per sequence and step block (locked: Gal and Ghahramani, 2016).
        layer_dropout: p between recurrent layers, locked.
        output_dropout: p on the last layer's output, locked.
        embedding_dropout: p with which a whole token's embedding is blanked everywhere in a step block.
        weight_dropout: p on the recurrent weights (Merity et al., 2018).
        activation_regularisation: weight of the mean square of the dropped-out output (Merity et al., 2017).
        temporal_regularisation: weight of the mean square of its change from step to step.
        adaptive_softmax: whether rare tokens share a smaller output layer (Grave et al., 2017); for large vocabularies.

    Example:
        >>> LanguageModelSpec(cell="lstm").steps
        35
    """

    cell: str = "gru"
    hidden_size: int = 128
    embedding_size: int = 128
    num_layers: int = 1
    last_size: int | None = None
    steps: int = 35
    tied: bool = True
    dropout: float = 0.2
    layer_dropout: float = 0.2
    output_dropout: float = 0.2
    embedding_dropout: float = 0.0
    weight_dropout: float = 0.0
    activation_regularisation: float = 0.0
    temporal_regularisation: float = 0.0
    adaptive_softmax: bool = False

    def __post_init__(self) -> None:
        check_choice("cell", self.cell, known_cells())
        for name in ("hidden_size", "embedding_size", "num_layers", "steps"):
            check_whole(name, getattr(self, name), minimum=1)
        if self.last_size is not None:
            check_whole("last_size", self.last_size, minimum=1)
        for name in ("tied", "adaptive_softmax"):
            check_boolean(name, getattr(self, name))
        for name in ("dropout", "layer_dropout", "output_dropout", "embedding_dropout", "weight_dropout"):
            check_real(name, getattr(self, name), minimum=0.0, below=1.0)
        for name in ("activation_regularisation", "temporal_regularisation"):
            check_real(name, getattr(self, name), minimum=0.0)
        if self.adaptive_softmax and self.tied:
            raise OptionError(
                "an adaptive softmax has no weights to share with the embedding",
                expected="--no-tied with --adaptive-softmax",
                fix="give --no-tied too, or leave --adaptive-softmax away",
            )
