"""A translator that was exported: translates without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gatewise.data.subwords import BEGIN, END, Subwords
from gatewise.errors import DataError, RunError
from gatewise.kinds.translation.measures import AT_ONCE

if TYPE_CHECKING:
    from gatewise.export.to_onnx.writer import OnnxWriter
    from gatewise.training.kind import Request

__all__ = ["AttentionMap", "ExportedTranslator", "exported_translator"]


@dataclass(frozen=True)
class AttentionMap:
    """How a translation was attended.

    Attributes:
        source: S pieces of the sentence, its end last.
        target: T pieces of the translation, its end last.
        weights: (T, S), each row summing to 1.
    """

    source: tuple[str, ...]
    target: tuple[str, ...]
    weights: npt.NDArray[np.float64]


class ExportedTranslator:
    """An exported network as the commands `translate`, `predict` and `evaluate` use a translator.

    Args:
        model: both models.
    """

    def __init__(self, model: OnnxWriter) -> None:
        found = model.metadata
        self.model = model
        self.source_subwords = Subwords.from_dict(found["source_subwords"])
        shared = found["target_subwords"] is None
        self.target_subwords = self.source_subwords if shared else Subwords.from_dict(found["target_subwords"])
        self.spec = SimpleNamespace(data=SimpleNamespace(**found["data"]))
        self.beam: int = found["beam"]
        self.length_power: float = found["length_power"]
        self.seen = None

    def translate(
        self, texts: Sequence[str], *, beam: int | None = None, length_power: float | None = None
    ) -> list[str]:
        """The translation of each text, as of `gatewise.kinds.translation.trained.TrainedTranslator.translate`.

        Raises:
            DataError: a string instead of a list of strings.
        """
        if isinstance(texts, str):
            raise DataError("translate needs a list of texts", got="a string", fix="give [text]")
        width = self.beam if beam is None else beam
        power = self.length_power if length_power is None else length_power
        rows = [" ".join(text.split()) for text in texts]
        encoded = self.source_subwords.encode(rows)
        found = [""] * len(rows)
        for places in self._batches(encoded, width):
            given = [{"source": np.append(encoded[place], END)} for place in places]
            lengths = [len(each["source"]) for each in given]
            written = self.model.write(given, lengths, beam=width, length_power=power)
            for place, each in zip(places, written, strict=True):
                found[place] = self.target_subwords.decode(each.tokens)
        return found

    def _batches(self, encoded: Sequence[Any], beam: int) -> list[list[int]]:
        """Places of texts that have a word, of like lengths."""
        order = sorted((len(row), place) for place, row in enumerate(encoded) if len(row))
        batches: list[list[int]] = []
        for length, place in order:
            if batches and (len(batches[-1]) + 1) * (length + 1) * beam <= AT_ONCE:
                batches[-1].append(place)
            else:
                batches.append([place])
        return batches

    def attention(self, text: str, translation: str | None = None) -> AttentionMap | None:
        """How the translation of a text was attended; None: the network has no attention."""
        target = self.translate([text])[0] if translation is None else translation
        source = np.append(self.source_subwords.encode([" ".join(text.split())])[0], END)
        written = np.concatenate([[BEGIN], self.target_subwords.encode([target])[0], [END]])
        (found,) = self.model.taught([{"source": source}], [written[:-1]])
        if "attention" not in found:
            return None
        return AttentionMap(
            tuple(self.source_subwords.pieces(source.tolist())),
            tuple(self.target_subwords.pieces(written[1:].tolist())),
            found["attention"][:, :, 0].astype(np.float64),
        )

    def predict_command(self, request: Request) -> None:
        """Translate texts; see `gatewise.kinds.translation.commands.predict`."""
        from gatewise.kinds.translation.commands import predict

        predict(self, request)

    def evaluate_command(self, request: Request) -> None:
        """Measure on a file of pairs; see `gatewise.kinds.translation.commands.evaluate`."""
        from gatewise.kinds.translation.commands import evaluate

        evaluate(self, request)


def exported_translator(place: Path) -> ExportedTranslator | None:
    """The translator of an exported file or folder; None: it is none, but perhaps a run.

    Raises:
        RunError: it is a model of another kind, or damaged.
    """
    from gatewise.export.to_onnx.places import ENCODER, model_at

    found = model_at(place)
    if found is None:
        return None
    if found.name != ENCODER:
        raise RunError(
            "`gatewise translate` needs a translator",
            expected=f"the export of one: {ENCODER} with decoder.onnx beside it",
            got=str(found),
            fix="export one: gatewise export RUN --to onnx",
        )
    from gatewise.export.to_onnx.writer import OnnxWriter

    model = OnnxWriter(found)
    if model.kind != "translation":
        raise RunError("`gatewise translate` needs a translator", got=f"an export of {model.kind}")
    return ExportedTranslator(model)
