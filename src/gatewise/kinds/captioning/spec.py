"""What a captioning run is: pictures with captions and a network as frozen, serialisable records. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from gatewise.errors import OptionError
from gatewise.training import common_settings as common
from gatewise.training.settings import Spec, setting

__all__ = ["ATTENTIONS", "FEEDINGS", "KNOWN", "METRICS", "CaptionDataSpec", "CaptionerSpec"]

ATTENTIONS = ("multiplicative", "additive", "none")
FEEDINGS = ("output", "layer", "again", "input")
METRICS = ("truth", "exact", "bleu", "chrf")
KNOWN = ("scenes", "glyph-names")


@dataclass(frozen=True)
class CaptionDataSpec(Spec):
    """Which pictures and captions a run is trained on; see `gatewise.kinds.captioning.folders` for the files.

    Example:
        >>> CaptionDataSpec("photographs", captions="captions.csv").split
        0
    """

    data: str = setting(
        "scenes", "scenes, glyph-names, a folder of pictures, or their table of captions.", is_path=True
    )
    captions: str | None = setting(
        None, "Table of captions (image, caption; several rows a picture); not given, the one in the folder.",
        is_path=True,
    )  # fmt: skip
    image_column: str | None = setting(None, "Column of the pictures' file names: name, or number from 1.", reads=True)
    caption_column: str | None = setting(None, "Column of the captions: name, or number from 1.", reads=True)
    test: str | None = setting(
        None, "Table of captions, or file with a picture's name a line, used only for testing.", is_path=True
    )
    validation: str | None = setting(
        None, "Table or list of names that decides which weights are kept; else a part is held out.", is_path=True
    )
    split: int = setting(0, "Number of the split; of scenes, of the drawing: another one gives other parts.", minimum=0)
    image_size: int | None = setting(
        None, "Pixels of a side of the square that the network reads; not given: 32 of known sets, 64 of your own.",
        minimum=8,
    )  # fmt: skip
    vocabulary_size: int = setting(2_000, "Subwords kept of the captions, the bytes among them.", minimum=260)
    separate_digits: bool = setting(True, "Let every digit be a subword of its own.", earlier=False)
    max_tokens: int = setting(60, "Captions of more subwords are not trained on.", minimum=2)
    examples: int | None = setting(
        None, "Training pictures, at most, chosen by content; of scenes, how many are drawn (6,000).", minimum=10
    )
    metric: str | None = setting(
        None, "Figure by which is chosen and compared: truth (scenes only), exact, bleu or chrf.", choices=METRICS
    )


@dataclass(frozen=True)
class CaptionerSpec(Spec):
    """The network: convolutions over the picture, attention over its places, a recurrent decoder.

    After Vinyals et al. (2015; without attention) and Xu et al. (2015; with it); attention of Bahdanau, Cho and Bengio
    (2015; additive) or Luong, Pham and Manning (2015; multiplicative).

    Example:
        >>> CaptionerSpec(cell="lstm").attention
        'multiplicative'
    """

    cell: str = common.cell()
    hidden_size: int = common.hidden_size(96)
    num_layers: int = common.num_layers()
    embedding_size: int = common.embedding_size(64)
    channels: int = setting(
        8, "Features of the first convolution over the picture; the last ones have four times as many.", minimum=1
    )
    contours: int = setting(
        12, "The same of other convolutions, over the picture's contours, which have no colour; 0 for none.",
        minimum=0, earlier=0,
    )  # fmt: skip
    attention: str = setting(
        "multiplicative", "How the decoder looks at the picture: multiplicative, additive or none.", choices=ATTENTIONS
    )
    feeding: str = setting(
        "again",
        "What reads the attended places: output (the output layer alone), layer (a further recurrent layer too), again "
        "(that layer, which then looks a second time; with all of these the whole caption runs in one call) or "
        "input (the decoder's next step too, one by one).",
        choices=FEEDINGS,
    )
    coverage: bool = setting(
        True, "Let the second look know what has been looked at, so that a query can ask for something else.",
        earlier=False,
    )  # fmt: skip
    direct: bool = setting(
        False,
        "Let the output layer read the word before it too: pairs of words are learned sooner, and new ones harder.",
        earlier=True,
    )
    tied: bool = setting(True, "Let the output layer use the embedding's weights.")
    dropout: float = common.dropout(0.1)
    word_noise: float = setting(
        0.1, "Probability of reading another caption's word while training, so that the picture is looked at.",
        minimum=0.0, below=1.0,
    )  # fmt: skip
    detection: float = setting(
        8.0, "Weight of the loss of word detectors, by which features are learned from single words first.", minimum=0.0
    )
    evidence: float = setting(
        0.0, "Weight of what the word detectors say of all words of a caption while one is searched for.", minimum=0.0
    )
    shift: int = setting(
        1, "Pixels by which pictures are moved at most while training, up or down and sideways.", minimum=0
    )
    label_smoothing: float = setting(
        0.0, "Share of the next token's probability that is spread over all tokens.", minimum=0.0, below=1.0
    )
    beam: int = setting(3, "Captions kept side by side while searching for one; 1 is greedy.", minimum=1)
    length_power: float = setting(
        1.0, "Scores of captions are divided by their length to this power; 0 favours short ones.", minimum=0.0
    )

    def check_together(self) -> None:
        """Refuse feeding what was attended back where there is no attention, and evidence of no detectors."""
        if self.evidence and not self.detection:
            raise OptionError(
                "evidence is what word detectors say, and there are none",
                expected="a detection above 0, or evidence 0",
                got=f"--evidence {self.evidence:g} with --detection 0",
                fix="omit --evidence, or --detection 0",
            )
        if self.attention == "none" and self.feeding == "input":
            raise OptionError(
                f"feeding {self.feeding} needs an attention",
                expected="feeding output, layer or again (without an attention as layer), or an attention",
                fix="omit --feeding, or give --attention multiplicative",
            )
