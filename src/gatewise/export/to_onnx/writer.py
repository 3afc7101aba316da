"""Runs exported networks that read one sequence and write another: two models. Imports neither torch nor onnx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from gatewise.errors import RunError
from gatewise.export.graph.expressions import Array
from gatewise.export.graph.interpreter import Integers
from gatewise.export.graph.writing import TOKEN, Memory, Writer
from gatewise.export.to_onnx.places import DECODER, ENCODER
from gatewise.export.to_onnx.runtime import OnnxModel

__all__ = ["OnnxWriter", "open_model"]


class OnnxWriter(Writer):
    """A network that reads and writes, see `gatewise.export.graph.writing`.

    Args:
        encoder: the model that reads, or its bytes.
        decoder: the model of a step of writing; None: the file beside ``encoder``.
        threads: of onnxruntime.

    Attributes:
        kind: of problem.
        metadata: subwords, settings of the search.

    Raises:
        RunError: the files are no such models, or of two exports.
    """

    def __init__(
        self, encoder: bytes | str | Path, decoder: bytes | str | Path | None = None, threads: int = 1
    ) -> None:
        if decoder is None:
            assert not isinstance(encoder, bytes)
            decoder = Path(encoder).with_name(DECODER)
        self._reading = OnnxModel(encoder, threads, form="encoder")
        self._writing = OnnxModel(decoder, threads, form="decoder")
        self.kind, self.metadata = self._reading.kind, self._reading.metadata
        described = self._writing.described
        given = {each["name"]: each["width"] for each in described["inputs"]}
        self._outputs = [each["name"] for each in described["outputs"]]
        self._sequences = any(each["steps"] == "T" for each in described["inputs"])
        super().__init__(given, self._outputs, self.metadata)
        read = {each["name"]: each["width"] for each in self._reading.described["outputs"]}
        fits = {name: read.get(name) for name in self.known} == {name: given[name] for name in self.known}
        if not fits or self._reading.described.get("digest") != described.get("digest"):
            raise RunError(
                f"{ENCODER} and {DECODER} are not of one network",
                expected="the two files of one export",
                fix="export the run again",
            )

    def reading(self, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Sequence[Array]]:
        """The outputs of the reading model for several examples."""
        return self._reading.run(rows)

    def writing(self, tokens: Integers, memory: Memory) -> Mapping[str, Array]:
        """The outputs of the writing model for N rows."""
        feeds: dict[str, Array] = {TOKEN: tokens, **memory.known, **memory.states}
        if self._sequences:
            assert memory.lengths is not None
            feeds["lengths"] = memory.lengths
        found = self._writing.session.run(self._outputs, feeds)
        return {name: np.asarray(value) for name, value in zip(self._outputs, found, strict=True)}


def open_model(place: Path) -> OnnxModel | OnnxWriter:
    """The model of whole sequences, or of reading and writing, in a file that `model_at` gave."""
    return OnnxWriter(place) if place.name == ENCODER else OnnxModel(place)
