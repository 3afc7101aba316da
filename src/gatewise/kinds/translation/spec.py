"""What a translation run is: sentence pairs and network as frozen, serialisable records. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from gatewise.errors import OptionError
from gatewise.training import common_settings as common
from gatewise.training.settings import Spec, setting

__all__ = ["ATTENTIONS", "FEEDINGS", "METRICS", "TranslationDataSpec", "TranslatorSpec"]

ATTENTIONS = ("multiplicative", "additive", "none")
FEEDINGS = ("output", "layer", "input")
METRICS = ("bleu", "lowercased-bleu", "chrf")


@dataclass(frozen=True)
class TranslationDataSpec(Spec):
    """Which sentence pairs a run is trained on; see `gatewise.kinds.translation.reading` for the files.

    Example:
        >>> TranslationDataSpec("train.en", translations="train.de").reverse
        False
    """

    data: str = setting(
        "multi30k", "Registry name (multi30k), a table of sentence pairs, or a file with a sentence a line.",
        is_path=True,
    )  # fmt: skip
    translations: str | None = setting(
        None, "File whose line n translates line n of DATA; omit for a table.", is_path=True
    )
    source_column: str | None = setting(None, "Column of the sentences: name, or number from 1.", reads=True)
    target_column: str | None = setting(None, "Column of their translations: name, or number from 1.", reads=True)
    reverse: bool = setting(False, "Translate the other way round: from the translations.")
    test: str | None = setting(None, "Second file, used only for testing; else a part is held out.", is_path=True)
    test_translations: str | None = setting(
        None, "Translations of the test file; if not given, its sibling named like the training translations.",
        is_path=True,
    )  # fmt: skip
    validation: str | None = setting(
        None, "File that decides which weights are kept; else a part is held out.", is_path=True
    )
    validation_translations: str | None = setting(
        None, "Translations of the validation file; if not given, its sibling as with the test file.", is_path=True
    )
    vocabulary_size: int = setting(
        3_000, "Subwords kept of each language, the bytes among them; of both together with --shared-vocabulary.",
        minimum=260,
    )  # fmt: skip
    shared_vocabulary: bool = setting(False, "Let both languages have one vocabulary and one embedding.")
    lowercase: bool = setting(
        False, "Read and write lower case alone; needs --metric lowercased-bleu, as the others count capitals."
    )
    max_tokens: int = setting(100, "Pairs with a longer sentence, in subwords, are not trained on.", minimum=2)
    examples: int | None = setting(
        None, "Training pairs, at most, chosen by content; validation and test stay whole.", minimum=10
    )
    metric: str = setting(
        "bleu", "Figure by which is chosen and compared: bleu (cased), lowercased-bleu or chrf.", choices=METRICS
    )
    download: bool = common.download()

    def check_together(self) -> None:
        """Refuse to choose weights by a figure that counts the capitals which are never written."""
        if self.lowercase and self.metric != "lowercased-bleu":
            raise OptionError(
                f"{self.metric} counts capitals as mistakes, and with --lowercase none is ever written",
                expected="metric lowercased-bleu",
                got=self.metric,
                fix="add --metric lowercased-bleu, or omit --lowercase",
            )


@dataclass(frozen=True)
class TranslatorSpec(Spec):
    """The network: an encoder, attention over what it read, a decoder.

    Attention after Bahdanau, Cho and Bengio (2015; additive) and Luong, Pham and Manning (2015; multiplicative); label
    smoothing: Szegedy et al. (2016); tied embeddings: Press and Wolf (2017).

    Example:
        >>> TranslatorSpec(cell="lstm").attention
        'multiplicative'
    """

    cell: str = common.cell()
    hidden_size: int = common.hidden_size(192)
    num_layers: int = common.num_layers()
    bidirectional: bool = setting(True, "Let the encoder read each sentence in both directions.")
    embedding_size: int = common.embedding_size(192)
    attention: str = setting(
        "multiplicative", "How the decoder looks at the source: multiplicative, additive or none.", choices=ATTENTIONS
    )
    feeding: str = setting(
        "layer",
        "What reads the attended source: output (the output layer alone), layer (a further recurrent layer too; as "
        "with output the whole target runs in one call) or input (the decoder's next step too, one by one).",
        choices=FEEDINGS,
    )
    tied: bool = setting(True, "Let the output layer use the target embedding's weights.")
    dropout: float = common.dropout(0.2)
    embedding_dropout: float | None = setting(
        None, "Probability of zeroing a number of an embedding while training; that of --dropout if not given.",
        minimum=0.0, below=1.0,
    )  # fmt: skip
    readout_dropout: float | None = setting(
        None, "Probability of zeroing a number that the output layer reads; that of --dropout if not given.",
        minimum=0.0, below=1.0,
    )  # fmt: skip
    subword_dropout: float = common.dropout(
        0.0, "Probability of leaving out a merge of subwords while training, so that words are cut anew in every epoch."
    )
    word_noise: float = common.dropout(
        0.0, "Probability that the decoder reads another translation's word while training, so that it looks at the "
        "sentence.",
    )  # fmt: skip
    label_smoothing: float = setting(
        0.1, "Share of the target's probability that is spread over all tokens.", minimum=0.0, below=1.0
    )
    beam: int = setting(5, "Sentences kept side by side while searching for a translation; 1 is greedy.", minimum=1)
    length_power: float = setting(
        1.0, "Scores of translations are divided by their length to this power; 0 favours short ones.", minimum=0.0
    )

    def check_together(self) -> None:
        """Refuse feeding the attended source back where there is none."""
        if self.attention == "none" and self.feeding == "input":
            raise OptionError(
                f"feeding {self.feeding} needs an attention",
                expected="feeding output or layer, or an attention",
                fix="omit --feeding, or give --attention multiplicative",
            )
