"""A tagger that was exported: tags texts without torch."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from gatewise.kinds.tagging.answers import Answering
from gatewise.kinds.tagging.tag_set import TagSet
from gatewise.kinds.tagging.vocabulary import WordVocabulary, shape_of

if TYPE_CHECKING:
    from gatewise.training.kind import ExportedModel, Request

__all__ = ["ExportedTagger", "sentence_inputs"]

_AT_ONCE = 32


def sentence_inputs(
    words: Sequence[str], vocabulary: WordVocabulary, max_characters: int, names: Sequence[str]
) -> dict[str, Any]:
    """A sentence as the graph reads it.

    Args:
        words: of the sentence.
        vocabulary: of the training part.
        max_characters: of longer words the first and last halves of these are read.
        names: of the graph's inputs, of which ``characters`` and ``shapes`` may be missing.

    Example:
        >>> sentence_inputs(["to", "Bonn"], WordVocabulary(["to"], ["o"], 2), 30, ["words", "shapes"])
        {'words': array([2, 1]), 'shapes': array([1, 2])}
    """
    found: dict[str, Any] = {
        "words": np.array([vocabulary.number(word) for word in words], dtype=np.int64),
        "characters": [np.array(vocabulary.spell(word, max_characters), dtype=np.int64) for word in words],
        "shapes": np.array([shape_of(word) for word in words], dtype=np.int64),
    }
    return {name: value for name, value in found.items() if name in names}


class ExportedTagger(Answering):
    """An exported model as the commands `predict` and `evaluate` use a tagger.

    Args:
        model: the model.
    """

    def __init__(self, model: ExportedModel) -> None:
        found = model.metadata
        self.model = model
        self.vocabulary = WordVocabulary.from_dict(found["vocabulary"])
        self.tag_set = TagSet.from_dict(found["tag_set"])
        self.max_characters: int = found["max_characters"]
        self.names: list[str] = found["inputs"]
        self.spec = SimpleNamespace(
            data=SimpleNamespace(words=found["columns"]["words"], tags=found["columns"]["tags"])
        )
        self.columns = None
        self.seen = None

    def tag(self, sentences: Sequence[Sequence[str]]) -> list[list[str]]:
        """The tags of sentences that are cut into words, in the scheme of the training file."""
        rows = [sentence_inputs(words, self.vocabulary, self.max_characters, self.names) for words in sentences]
        found: list[list[str]] = []
        for start in range(0, len(rows), _AT_ONCE):
            found += [self.tag_set.decode(tags) for tags in self.model.run(rows[start : start + _AT_ONCE])["tags"]]
        return found

    def predict_command(self, request: Request) -> None:
        """Tag texts; see `gatewise.kinds.tagging.commands.predict`."""
        from gatewise.kinds.tagging.commands import predict

        predict(self, request)

    def evaluate_command(self, request: Request) -> None:
        """Measure on a tagged file; see `gatewise.kinds.tagging.commands.evaluate`."""
        from gatewise.kinds.tagging.commands import evaluate

        evaluate(self, request)
