"""What a classification run is, and how any run is trained: frozen, serialisable records. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from gatewise.errors import OptionError
from gatewise.training.checks import (
    check_boolean,
    check_choice,
    check_optional_string,
    check_real,
    check_whole,
    known_cells,
)

__all__ = ["OPTIMIZERS", "POOLINGS", "SCHEDULES", "DataSpec", "ModelSpec", "TrainingSpec", "check_data_name"]

POOLINGS = ("last", "mean", "max", "mean+max", "last+mean+max")
SCHEDULES = ("constant", "linear", "cosine")
OPTIMIZERS = ("adam", "sgd", "nt-asgd")


def check_data_name(value: object) -> None:
    """Refuse a data set without a name."""
    if not isinstance(value, str) or not value.strip():
        raise OptionError(
            "the data has no name",
            expected="a registry name or a path",
            got=repr(value),
            fix="name the data, for example: imdb",
        )


@dataclass(frozen=True)
class DataSpec:
    """Which records a run learns from.

    Args:
        data: a registry name (``imdb``, ``rotten-tomatoes``) or the path of a file, folder or archive.
        text: column that holds the texts, for a file of one's own; None: the column called ``text``.
        label: column that holds the labels; None: the column called ``label``.
        test: path of a second file used only for testing; None: a part is held out.
        examples: at most so many texts to learn from, chosen by content; None: all. Validation and test stay whole.
        unlabelled: path of a file with further texts, one a line, to pre-train on (see `PretrainingSpec`).
        download: whether the registry may fetch the official archive from the network.

    Example:
        >>> DataSpec("reviews.csv", text="review", label="sentiment").label
        'sentiment'
    """

    data: str = "imdb"
    text: str | None = None
    label: str | None = None
    test: str | None = None
    examples: int | None = None
    unlabelled: str | None = None
    download: bool = False

    def __post_init__(self) -> None:
        check_data_name(self.data)
        for name in ("text", "label", "test", "unlabelled"):
            check_optional_string(name, getattr(self, name))
        if self.examples is not None:
            check_whole("examples", self.examples, minimum=10)
        check_boolean("download", self.download)


@dataclass(frozen=True)
class ModelSpec:
    """The network: embedding, recurrent layers, pooling, linear head.

    Args:
        cell: ``rnn``, ``lstm``, ``gru`` or the name of a registered cell of one's own.
        hidden_size: H, units per layer and direction.
        embedding_size: numbers per word.
        num_layers: L, recurrent layers on top of each other.
        bidirectional: whether a second direction reads each text backwards (doubles the cost).
        pooling: how the steps become one vector: ``last``, ``mean``, ``max``, ``mean+max``, ``last+mean+max``.
        dropout: probability p with which inputs (one mask for all steps of a text), the layers between, and pooled
            features are zeroed while training.
        word_dropout: probability with which a whole word is left blank while training.
        vocabulary_size: words kept, the most frequent of the training part.
        max_tokens: longer texts keep their first and last halves of this many tokens.

    Example:
        >>> ModelSpec(cell="lstm").hidden_size
        128
        >>> ModelSpec(cell="gur")
        Traceback (most recent call last):
        gatewise.errors.OptionError: there is no cell 'gur'; expected: rnn, ...; fix: did you mean 'gru'?
    """

    cell: str = "gru"
    hidden_size: int = 128
    embedding_size: int = 128
    num_layers: int = 1
    bidirectional: bool = False
    pooling: str = "last+mean+max"
    dropout: float = 0.5
    word_dropout: float = 0.1
    vocabulary_size: int = 20_000
    max_tokens: int = 256

    def __post_init__(self) -> None:
        check_choice("cell", self.cell, known_cells())
        for name in ("hidden_size", "embedding_size", "num_layers"):
            check_whole(name, getattr(self, name), minimum=1)
        check_whole("vocabulary_size", self.vocabulary_size, minimum=3)
        check_whole("max_tokens", self.max_tokens, minimum=2)
        check_boolean("bidirectional", self.bidirectional)
        check_choice("pooling", self.pooling, POOLINGS)
        for name in ("dropout", "word_dropout"):
            check_real(name, getattr(self, name), minimum=0.0, below=1.0)


@dataclass(frozen=True)
class TrainingSpec:
    """How the network is trained.

    Args:
        epochs: passes over the training part, at most.
        batch_size: B, sequences per step.
        optimizer: ``adam`` (Kingma and Ba, 2015), ``sgd``, plain stochastic gradient descent, or ``nt-asgd``, which
            keeps the mean of SGD's weights from the epoch on whose validation loss is no better than the best one more
            than five epochs before (Merity et al., 2018).
        learning_rate: the optimizer's, at its height.
        warm_up: fraction of all steps in which the rate climbs to its height.
        weight_decay: each step also pulls the weights towards zero by this fraction of the rate (decoupled from the
            gradient: Loshchilov and Hutter, 2019).
        schedule: how the rate goes over the run: ``constant``, ``linear`` or ``cosine`` down to zero.
        clip_norm: the gradient of all parameters together is scaled down to this Euclidean norm.
        averaging: decay per step of the exponential average of the weights that is evaluated and kept; 0: none.
        patience: stop after this many epochs without a better figure on the validation part.
        seed: start of every random number of the run.
        threads: CPU threads; None: one per core that the process may use.
        device: ``cpu``, ``cuda``, ``cuda:0`` ...

    Example:
        >>> TrainingSpec(epochs=0)
        Traceback (most recent call last):
        gatewise.errors.OptionError: epochs is out of range; expected: a whole number of at least 1; got: 0; fix: give --epochs a valid value
    """  # noqa: E501

    epochs: int = 2
    batch_size: int = 32
    optimizer: str = "adam"
    learning_rate: float = 2e-3
    warm_up: float = 0.0
    weight_decay: float = 0.0
    schedule: str = "linear"
    clip_norm: float = 1.0
    averaging: float = 0.0
    patience: int = 2
    seed: int = 0
    threads: int | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "patience"):
            check_whole(name, getattr(self, name), minimum=1)
        check_whole("seed", self.seed, minimum=0)
        if self.threads is not None:
            check_whole("threads", self.threads, minimum=1)
        check_real("learning_rate", self.learning_rate, minimum=0.0, open_minimum=True)
        check_real("clip_norm", self.clip_norm, minimum=0.0, open_minimum=True)
        check_choice("optimizer", self.optimizer, OPTIMIZERS)
        check_real("warm_up", self.warm_up, minimum=0.0, below=1.0)
        check_real("weight_decay", self.weight_decay, minimum=0.0)
        check_real("averaging", self.averaging, minimum=0.0, below=1.0)
        if self.averaging and self.optimizer == "nt-asgd":
            raise OptionError(
                "nt-asgd averages the weights in its own way", got=f"averaging {self.averaging}", fix="--averaging 0"
            )
        check_choice("schedule", self.schedule, SCHEDULES)
        if not isinstance(self.device, str) or self.device.split(":")[0] not in ("cpu", "cuda", "mps"):
            raise OptionError(
                "the device is not known", expected="cpu, cuda, cuda:N or mps", got=repr(self.device), fix="use cpu"
            )
