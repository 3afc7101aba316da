"""How a classifier's lower layers are trained as a language model first, and fine-tuned then. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gatewise.training.checks import check_boolean, check_real, check_whole

__all__ = ["USUAL_WITH_PRETRAINING", "PretrainingSpec"]

USUAL_WITH_PRETRAINING: Mapping[str, Mapping[str, Any]] = {
    "model": {"bidirectional": True, "hidden_size": 256, "max_tokens": 400},
    "training": {"warm_up": 0.1},
}
"""Settings of the classifier whose usual value differs where it is pre-trained."""


@dataclass(frozen=True)
class PretrainingSpec:
    """The language model that a classifier starts from (Dai and Le, 2015), and the care taken of what it learnt.

    Embedding and recurrent layers first learn to tell the words of the training texts (and of the unlabelled ones, see
    `DataSpec`) from their neighbours; then the classifier learns as `TrainingSpec` says. Slanted triangular rates
    (Howard and Ruder, 2018) are ``warm_up`` with the ``linear`` schedule there, concatenated pooling is the model's
    ``last+mean+max``.

    Args:
        pretraining_epochs: passes over the texts.
        pretraining_batch_size: windows per step.
        pretraining_steps: words per window, about; the gradient flows back through them.
        pretraining_learning_rate: Adam's, at its height; it climbs for a fiftieth of the steps and falls to zero.
        pretraining_dropout: p on embedded words and outputs.
        discriminative_rate: in fine-tuning each layer learns so many times slower than the layer above it; 1: as fast.
        gradual_unfreezing: in fine-tuning begin with the last layer, and let one more layer learn with each epoch.

    Example:
        >>> PretrainingSpec(pretraining_steps=4)
        Traceback (most recent call last):
        gatewise.errors.OptionError: pretraining_steps is out of range; expected: a whole number of at least 8; ...
    """

    pretraining_epochs: int = 4
    pretraining_batch_size: int = 32
    pretraining_steps: int = 128
    pretraining_learning_rate: float = 3e-3
    pretraining_dropout: float = 0.2
    discriminative_rate: float = 1.0
    gradual_unfreezing: bool = False

    def __post_init__(self) -> None:
        for name, minimum in (("pretraining_epochs", 1), ("pretraining_batch_size", 1), ("pretraining_steps", 8)):
            check_whole(name, getattr(self, name), minimum=minimum)
        check_real("pretraining_learning_rate", self.pretraining_learning_rate, minimum=0.0, open_minimum=True)
        check_real("pretraining_dropout", self.pretraining_dropout, minimum=0.0, below=1.0)
        check_real("discriminative_rate", self.discriminative_rate, minimum=1.0)
        check_boolean("gradual_unfreezing", self.gradual_unfreezing)
