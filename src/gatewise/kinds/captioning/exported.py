"""A captioner that was exported: writes captions without torch."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from gatewise.data.subwords import BEGIN, END, Subwords
from gatewise.errors import RunError
from gatewise.kinds.captioning.images import in_channels, read_image
from gatewise.kinds.captioning.look import AttentionMap, Look, as_steps, attention_map
from gatewise.kinds.captioning.pictures import Pixels
from gatewise.kinds.captioning.spec import CaptionDataSpec

if TYPE_CHECKING:
    from gatewise.export.to_onnx.writer import OnnxWriter
    from gatewise.training.kind import Request

__all__ = ["ExportedCaptioner", "exported_captioner"]

_AT_ONCE = 64


class ExportedCaptioner:
    """An exported network as the commands `caption`, `predict` and `evaluate` use a captioner.

    Args:
        model: both models.
    """

    def __init__(self, model: OnnxWriter) -> None:
        found = model.metadata
        self.model = model
        self.subwords = Subwords.from_dict(found["subwords"])
        self.look = Look.from_dict(found["look"], "the model's description")
        self.spec = SimpleNamespace(data=CaptionDataSpec("pictures", **found["data"]))
        self.grid: int = found["grid"]
        self.beam: int = found["beam"]
        self.length_power: float = found["length_power"]
        self.seen = None

    def read(self, source: Path | bytes, name: str) -> Pixels:
        """As of `gatewise.kinds.captioning.trained.TrainedCaptioner`."""
        return in_channels(read_image(source, name, self.look.size), self.look.colours)

    def caption(self, pixels: Pixels, *, beam: int | None = None, length_power: float | None = None) -> list[str]:
        """The caption of each picture (N, C, S, S)."""
        width = self.beam if beam is None else beam
        power = self.length_power if length_power is None else length_power
        found: list[str] = []
        at_once = max(1, _AT_ONCE // width)
        for start in range(0, len(pixels), at_once):
            rows = [{"picture": as_steps(each)} for each in pixels[start : start + at_once]]
            written = self.model.write(rows, np.zeros(len(rows), dtype=np.int64), beam=width, length_power=power)
            found += [self.subwords.decode(each.tokens.tolist()) for each in written]
        return found

    def attention(self, pixels: Pixels, caption: str) -> AttentionMap | None:
        """Where the network looks while it writes a caption of a picture (C, S, S); None: it has no attention."""
        written = np.concatenate([[BEGIN], self.subwords.encode([caption])[0], [END]])
        (found,) = self.model.taught([{"picture": as_steps(pixels)}], [written[:-1]])
        if "attention" not in found:
            return None
        weights = found["attention"][:, :, 0].astype(np.float64)
        return attention_map(self.subwords, written[1:].tolist(), weights, self.grid)

    def predict_command(self, request: Request) -> None:
        """Write captions of picture files; see `gatewise.kinds.captioning.commands.predict`."""
        from gatewise.kinds.captioning.commands import predict

        predict(self, request)

    def evaluate_command(self, request: Request) -> None:
        """Measure on a folder or table; see `gatewise.kinds.captioning.commands.evaluate`."""
        from gatewise.kinds.captioning.commands import evaluate

        evaluate(self, request)


def exported_captioner(place: Path) -> ExportedCaptioner | None:
    """The captioner of an exported file or folder; None: it is none, but perhaps a run.

    Raises:
        RunError: it is a model of another kind, or damaged.
    """
    from gatewise.export.to_onnx.places import ENCODER, model_at

    found = model_at(place)
    if found is None:
        return None
    if found.name == ENCODER:
        from gatewise.export.to_onnx.writer import OnnxWriter

        model = OnnxWriter(found)
        if model.kind == "captioning":
            return ExportedCaptioner(model)
    raise RunError(
        "`gatewise caption` needs a captioner",
        expected=f"the export of one: {ENCODER} with decoder.onnx beside it",
        got=str(found),
        fix="export one: gatewise export RUN --to onnx",
    )
