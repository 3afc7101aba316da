"""From a model spec to a network, and from a network and texts to probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.func import functional_call

from gatewise.data import EncodedTexts, ordered_batches
from gatewise.tasks.classification import SequenceClassifier
from gatewise.training.spec import ModelSpec

__all__ = ["build_model", "predict_probabilities"]

_BATCH = 64


def build_model(spec: ModelSpec, vocabulary_size: int, classes: int) -> SequenceClassifier:
    """The network that a spec describes, with weights drawn from torch's present random state.

    Args:
        spec: the network.
        vocabulary_size: entries of the fitted vocabulary, the two special ones included.
        classes: C.
    """
    return SequenceClassifier(
        vocabulary_size,
        classes,
        cell=spec.cell,
        hidden_size=spec.hidden_size,
        embedding_size=spec.embedding_size,
        num_layers=spec.num_layers,
        bidirectional=spec.bidirectional,
        pooling=spec.pooling,
        dropout=spec.dropout,
        word_dropout=spec.word_dropout,
    )


def predict_probabilities(
    model: SequenceClassifier, texts: EncodedTexts, weights: dict[str, Tensor] | None = None, device: str = "cpu"
) -> npt.NDArray[np.float64]:
    """Probabilities of each class for each text: (N, C).

    Args:
        model: the network; it is in evaluation mode afterwards.
        texts: encoded texts.
        weights: other weights to use instead of the model's own.
        device: where the model lies.
    """
    classes = model.head.out_features
    result = np.empty((len(texts), classes), dtype=np.float64)
    model.eval()
    with torch.inference_mode():
        for batch in ordered_batches(texts, _BATCH):
            arguments: tuple[Any, ...] = (torch.from_numpy(batch.tokens).to(device), torch.from_numpy(batch.lengths))
            scores = model(*arguments) if weights is None else functional_call(model, weights, arguments)
            result[batch.rows] = scores.double().softmax(dim=1).cpu().numpy()
    return result
