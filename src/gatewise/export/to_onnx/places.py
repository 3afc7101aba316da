"""The files of an ONNX export, found by their names. Loads nothing, since every prediction asks here first."""

from __future__ import annotations

from pathlib import Path

__all__ = ["DECODER", "ENCODER", "MODEL", "STEP", "model_at"]

MODEL, STEP = "model.onnx", "step.onnx"
"""Of whole sequences and of single steps."""
ENCODER, DECODER = "encoder.onnx", "decoder.onnx"
"""Of networks that read one sequence and write another."""


def model_at(place: Path) -> Path | None:
    """The exported model that a person means by a path: the file itself, or that of a folder; None: none.

    Of a network of two models it is the one that reads, whichever is named.
    """
    if place.is_dir():
        if (place / "result.json").exists():
            return None
        return next((place / name for name in (MODEL, ENCODER) if (place / name).is_file()), None)
    if place.suffix.lower() != ".onnx":
        return None
    both = (place.with_name(ENCODER), place.with_name(DECODER))
    if place in both or (place.name == MODEL and not place.exists()):
        return both[0] if both[0].is_file() else place
    return place
