"""What a classification run is: texts, network, and pre-training as frozen, serialisable records. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatewise.training import common_settings as common
from gatewise.training.settings import Spec, setting

__all__ = [
    "CLASS_WEIGHTS",
    "DEFAULTS_WITH_PRETRAINING",
    "METRICS",
    "POOLINGS",
    "RECURRENT_STARTS",
    "THRESHOLDS",
    "DataSpec",
    "ModelSpec",
    "PretrainingSpec",
]

CALIBRATIONS = ("temperature", "none")
CLASS_WEIGHTS = ("balanced", "none")
METRICS = (
    "accuracy",
    "macro-f1",
    "auroc",
    "log-loss",
    "mean-absolute-error",
    "quadratic-kappa",
    "micro-f1",
    "exact-match",
)
THRESHOLDS = ("validation", "0.5")
POOLINGS = ("last", "mean", "max", "mean+max", "last+mean+max")
RECURRENT_STARTS: Mapping[str, float] = {"rnn": 0.4}
"""Of cells that had better start from smaller weights where all steps are pooled: the factor."""
DEFAULTS_WITH_PRETRAINING: Mapping[str, Mapping[str, Any]] = {
    "model": {"bidirectional": True, "hidden_size": 256, "embeddings": "random"},
    "training": {"warm_up": 0.1, "learning_rate": 1e-3},
}
"""Settings of the classifier whose default differs with pre-training."""


@dataclass(frozen=True)
class DataSpec(Spec):
    """Which texts a run is trained on.

    Example:
        >>> DataSpec("reviews.csv", text="review", label="sentiment").label
        'sentiment'
    """

    data: str = setting(
        "imdb", "Registry name (imdb, rotten-tomatoes) or the path of a file, folder or archive.", is_path=True
    )
    text: str | None = setting(
        None, "Column of the texts, or several: title,body; the column called text if not given.", reads=True
    )
    label: str | None = setting(
        None,
        "Column of the labels, or several that mark a label each with 1: toxic,insult; the column called label if not "
        "given.",
        reads=True,
    )
    separator: str | None = setting(
        None,
        "What separates labels where a text may have several: | for a|b; omit it for one label a text.",
        reads=True,
    )
    drop_labels_below: int | None = setting(
        None, "Leave out labels that have fewer different texts than this, and the texts that have no other.", minimum=2
    )
    encoding: str | None = setting(
        None, "Encoding of the file: cp1252, shift_jis, gb18030 ...; detected if not given.", reads=True
    )
    test: str | None = setting(None, "Second file, used only for testing; else a part is held out.", is_path=True)
    group: str | None = setting(
        None,
        "Column of what texts have in common (film, author, patient): its rows stay in one part, and intervals are "
        "over its values.",
    )
    split: int = setting(
        0, "Number of the split: another one holds other texts out; where no test part is given.", minimum=0
    )
    examples: int | None = setting(
        None, "Training examples, at most, chosen by content; validation and test stay whole.", minimum=10
    )
    unlabelled: str | None = setting(None, "File with further texts, one a line, for --pretrain.", is_path=True)
    metric: str | None = setting(
        None,
        "Figure by which is chosen (epoch, settings) and compared: accuracy (usual), macro-f1, auroc, log-loss; "
        "where labels are numbers mean-absolute-error, quadratic-kappa; with --separator micro-f1 (usual), macro-f1, "
        "exact-match, auroc, log-loss.",
        choices=METRICS,
    )
    thresholds: str = setting(
        "validation",
        "With --separator, the probability from which on a label is answered: validation (chosen for each label on the "
        "validation part) or 0.5.",
        choices=THRESHOLDS,
    )
    download: bool = common.download()


@dataclass(frozen=True)
class ModelSpec(Spec):
    """The network: embedding, recurrent layers, pooling, linear head.

    Dropout zeroes inputs (one mask for all steps of a text), features between layers, and pooled features.

    Example:
        >>> ModelSpec(cell="lstm").hidden_size
        128
        >>> ModelSpec(cell="gur")
        Traceback (most recent call last):
        gatewise.errors.OptionError: there is no cell 'gur'; expected: rnn, ...; fix: did you mean 'gru'?...
    """

    cell: str = common.cell()
    hidden_size: int = common.hidden_size()
    embedding_size: int = common.embedding_size()
    embeddings: str = common.embeddings("cooccurrence")
    num_layers: int = common.num_layers()
    bidirectional: bool = common.bidirectional()
    pooling: str = setting(
        "last+mean+max",
        "How the steps become one vector: last, mean, max, mean+max, last+mean+max.",
        choices=POOLINGS,
    )
    recurrent_start: float | None = setting(
        None,
        "Factor of the recurrent layers' weights before training; derived if not given: 0.4 of an rnn whose steps are "
        "pooled, else 1.",
        minimum=0.0,
        earlier=1.0,
        added=True,
    )
    dropout: float = common.dropout(0.5)
    word_dropout: float = common.dropout(0.1, "Probability of zeroing a whole word while training.")
    vocabulary_size: int = common.vocabulary_size(20_000)
    max_tokens: int = setting(1_000, "Longer texts keep their first and last halves of this many tokens.", minimum=2)
    training_tokens: int = setting(
        400, "The same of texts that are trained on, if fewer.", minimum=2, earlier=1_000_000
    )
    adversarial: float = setting(
        0.0,
        "Train also on embedded words that are moved by so many of their standard deviations the worst way (1 to 5; 0: "
        "not); takes twice the time.",
        minimum=0.0,
    )
    class_weight: str | None = setting(
        "none",
        "Weights of the classes in the training loss: balanced (rare ones count more) or none.",
        choices=CLASS_WEIGHTS,
    )
    calibration: str = setting(
        "temperature",
        "temperature: after training, divide the scores by the number that makes the validation part's probabilities "
        "right (Guo et al., 2017); or none.",
        choices=CALIBRATIONS,
        earlier="none",
    )

    @property
    def recurrent_factor(self) -> float:
        """What the recurrent layers' weights are multiplied by before training, derived where it is not given.

        Example:
            >>> ModelSpec(cell="rnn").recurrent_factor, ModelSpec(cell="gru").recurrent_factor
            (0.4, 1.0)
            >>> ModelSpec(cell="rnn", pooling="last").recurrent_factor
            1.0
        """
        if self.recurrent_start is not None:
            return self.recurrent_start
        return 1.0 if self.pooling == "last" else RECURRENT_STARTS.get(self.cell, 1.0)


@dataclass(frozen=True)
class PretrainingSpec(Spec):
    """The language model that a classifier starts from (Dai and Le, 2015), and how it is fine-tuned.

    Embedding and recurrent layers are first trained to predict the words of the training texts (and of the unlabelled
    ones, see `DataSpec`) from their neighbours; then the classifier is trained as `TrainingSpec` says. Slanted
    triangular rates (Howard and Ruder, 2018) are ``warm_up`` with the ``linear`` schedule there, concatenated pooling
    is the model's ``last+mean+max``. The language model's rate climbs for a fiftieth of the steps and falls to zero.

    Example:
        >>> PretrainingSpec(pretraining_steps=4)
        Traceback (most recent call last):
        gatewise.errors.OptionError: pretraining_steps is out of range; expected: a whole number of at least 8; ...
    """

    pretraining_epochs: int = setting(4, "Passes of the language model over the texts.", minimum=1)
    pretraining_batch_size: int = setting(32, "Windows per step of the language model.", minimum=1)
    pretraining_steps: int = setting(128, "Words per window, about; the gradient flows back through them.", minimum=8)
    pretraining_learning_rate: float = setting(
        3e-3, "The language model's learning rate at its height.", minimum=0.0, open_minimum=True
    )
    pretraining_dropout: float = common.dropout(
        0.2, "Probability of zeroing an input or output feature of the language model."
    )
    discriminative_rate: float = setting(
        1.0, "In fine-tuning, how many times slower each layer learns than the one above it.", minimum=1.0
    )
    gradual_unfreezing: bool = setting(
        False, "In fine-tuning, let one more layer learn with each epoch, the last one first."
    )
