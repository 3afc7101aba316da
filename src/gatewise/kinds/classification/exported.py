"""A text classifier that was exported: labels texts without torch."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from gatewise.data import Vocabulary
from gatewise.kinds.classification.measuring import Measuring
from gatewise.kinds.classification.thresholds import THRESHOLD

if TYPE_CHECKING:
    from gatewise.training.kind import ExportedModel, Request

__all__ = ["READING", "ExportedClassifier"]

READING = ("text", "label", "encoding", "drop_labels_below")
"""Settings of the data by which a file is read as the training file was; an export carries them."""
_AT_ONCE = 32


class ExportedClassifier(Measuring):
    """An exported model as the commands `predict` and `evaluate` use a classifier.

    Args:
        model: the model.
    """

    def __init__(self, model: ExportedModel) -> None:
        found = model.metadata
        self.model = model
        self.vocabulary = Vocabulary.from_dict(found["vocabulary"])
        self.label_names: tuple[str, ...] = tuple(found["label_names"])
        self.multi_label: bool = found["multi_label"]
        self.max_tokens: int = found["max_tokens"]
        self.separator: str = found["separator"]
        limits = dict.fromkeys(self.label_names, THRESHOLD) | (found.get("thresholds") or {})
        self.thresholds = np.array([limits[name] for name in self.label_names])
        # an export of an earlier version lacks some of them
        self.spec = SimpleNamespace(data=SimpleNamespace(**{name: found.get(name) for name in READING}))
        self.seen = None

    def predict_proba(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """Probabilities of each class: (N, C), columns as ``label_names``."""
        encoded = self.vocabulary.encode(list(texts), self.max_tokens)
        order = np.argsort(encoded.lengths, kind="stable")
        found = np.empty((len(texts), len(self.label_names)))
        for start in range(0, len(order), _AT_ONCE):
            rows = order[start : start + _AT_ONCE]
            examples = [{"tokens": encoded.row(int(row)).astype(np.int64)} for row in rows]
            found[rows] = self.model.run(examples)["probabilities"]
        return found

    def predict_command(self, request: Request) -> None:
        """Label texts; see `gatewise.kinds.classification.labelling.label`."""
        from gatewise.kinds.classification.commands import check_predict
        from gatewise.kinds.classification.labelling import label

        check_predict(request)
        label(self, request)

    def evaluate_command(self, request: Request) -> None:
        """Measure on a labelled file; see `gatewise.kinds.classification.commands.evaluate`."""
        from gatewise.kinds.classification.commands import evaluate

        evaluate(self, request)
