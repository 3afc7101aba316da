"""Runs exported models in onnxruntime: ragged batches in, answers out. Imports neither torch nor onnx."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import ConversionError, DataError, RunError
from gatewise.export.graph.interpreter import pad
from gatewise.export.to_onnx.places import DECODER, ENCODER, MODEL, STEP
from gatewise.files import UPDATE

__all__ = ["FORMAT", "KEY", "OnnxModel", "OnnxStream", "require"]

FORMAT = 1
KEY = "gatewise"
"""Under which the description is kept in the model's metadata."""


Array = npt.NDArray[Any]
_FORMS: Mapping[Any, str] = {
    "whole": "a model of whole sequences",
    "step": "a model of single steps",
    "encoder": "a model that reads",
    "decoder": "a model that writes",
}


def require(*modules: str) -> None:
    """Refuse where a module of the extra ``onnx`` is not installed.

    Raises:
        ConversionError: naming it and the command that installs it.
    """
    import importlib.util

    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise ConversionError(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} not installed",
            fix="pip install 'gatewise[onnx]'",
        )


class _Session:
    """An exported model in onnxruntime.

    Args:
        model: the file, or its bytes.
        form: ``whole``, ``step``, ``encoder`` or ``decoder``, which of these it has to be.
        threads: of onnxruntime.

    Raises:
        ConversionError: onnxruntime is not installed.
        RunError: the file is no model of Gatewise, damaged or newer.
        DataError: there is no such file.
    """

    def __init__(self, model: bytes | str | Path, form: str, threads: int = 1) -> None:
        require("onnxruntime")
        import onnxruntime

        place = "the model" if isinstance(model, bytes) else str(model)
        content = model if isinstance(model, bytes) else _read(Path(model))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        try:
            self.session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
            record = json.loads(self.session.get_modelmeta().custom_metadata_map.get(KEY, "null"))
        except Exception as error:  # onnxruntime's errors have no common class of their own
            raise RunError(
                f"{place} is not a sound ONNX model", got=(str(error).strip().splitlines() or ["nothing"])[0]
            ) from error
        if not isinstance(record, dict) or not isinstance(record.get("graph"), dict):
            raise RunError(
                f"{place} was not exported by Gatewise", expected=f"its description under {KEY!r} in the metadata"
            )
        if record.get("format") != FORMAT:
            raise RunError(f"{place} is of a newer version", expected=FORMAT, got=record.get("format"), fix=UPDATE)
        self.kind: str = record["kind"]
        self.metadata: dict[str, Any] = record["metadata"]
        self.described: dict[str, Any] = record["graph"]
        if self.described.get("form") != form:
            raise RunError(
                f"{place} is {_FORMS.get(self.described.get('form'), 'of an unknown form')}",
                expected=_FORMS[form],
                fix=f"{MODEL} is for gatewise predict and OnnxModel, {STEP} for OnnxStream, {ENCODER} with {DECODER} "
                "for gatewise translate and OnnxWriter",
            )


def _read(path: Path) -> bytes:
    try:
        return path.expanduser().read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read", got=error.strerror or str(error), fix="check the path") from error


class OnnxModel(_Session):
    """A model of whole sequences.

    Attributes:
        kind: of problem.
        metadata: words, class names, scaling ...
        described: inputs and outputs.
    """

    def __init__(self, model: bytes | str | Path, threads: int = 1, *, form: str = "whole") -> None:
        super().__init__(model, form, threads)

    def run(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, list[Array]]:
        """The outputs of several examples, as one ragged batch; as `gatewise.export.graph.Interpreter.run`.

        Raises:
            DataError: no example, one without a step or an input, or a token that the model does not know.
        """
        if not examples:
            raise DataError("there is no example to run", expected="at least one")
        for place, example in enumerate(examples):
            for given in self.described["inputs"]:
                _check(f"example {place}", given, example)
        feeds: dict[str, Array] = {}
        lengths: Array | None = None
        for given in self.described["inputs"]:
            rows = [example[given["name"]] for example in examples]
            name = given["name"]
            if given["inner"]:
                feeds[name], feeds[f"{name}_lengths"] = _inner(rows)
                continue
            dtype = np.int64 if given["tokens"] else np.float64 if given["wide"] else np.float32
            if given["steps"] == "T":
                array, lengths = pad(rows)
            else:
                array = np.stack([np.asarray(row) for row in rows])
            feeds[name] = array.astype(dtype)
        if lengths is not None:
            feeds["lengths"] = lengths
        outputs = self.described["outputs"]
        arrays = self.session.run([each["name"] for each in outputs], feeds)
        found = {}
        for each, array in zip(outputs, arrays, strict=True):
            found[each["name"]] = list(array)
            if each["steps"] == "T" and lengths is not None:
                found[each["name"]] = [row[:length] for row, length in zip(array, lengths, strict=True)]
        return found


def _check(place: str, given: Mapping[str, Any], example: Mapping[str, Any]) -> None:
    """Refuse an input that is missing, empty, or beyond the vocabulary."""
    name = given["name"]
    if name not in example:
        raise DataError(f"{place} lacks the input {name}", expected=given["meaning"] or name, got=", ".join(example))
    value = example[name]
    if given["steps"] is not None and len(value) == 0:
        raise DataError(f"{place}: {name} has no step", expected="at least one")
    if not given["tokens"]:
        return
    for tokens in value if given["inner"] else [value]:
        numbers = np.asarray(tokens)
        if numbers.size and (numbers.min() < 0 or numbers.max() >= given["limit"]):
            raise DataError(
                f"{place}: {name} has a number that is no token",
                expected=f"0 to {given['limit'] - 1}",
                got=int(numbers.min() if numbers.min() < 0 else numbers.max()),
            )


def _inner(rows: Sequence[Sequence[Array]]) -> tuple[Array, Array]:
    """Inner sequences as (B, T, M), with their lengths (B, T)."""
    lengths, _ = pad([np.array([len(word) for word in row]) for row in rows])
    whole = np.zeros((*lengths.shape, max(int(lengths.max(initial=0)), 1)), dtype=np.int64)
    for place, row in enumerate(rows):
        for step, word in enumerate(row):
            whole[place, step, : len(word)] = word
    return whole, lengths


class OnnxStream(_Session):
    """A model of one step, with the states of B streams side by side.

    Args:
        model: the file, or its bytes.
        batch: B.
        threads: of onnxruntime.

    Attributes:
        state: by name (B, width); may be kept, and set again.
    """

    def __init__(self, model: bytes | str | Path, batch: int = 1, threads: int = 1) -> None:
        super().__init__(model, "step", threads)
        self.batch = batch
        self.state: dict[str, Array] = {}
        self._outputs = [each["name"] for each in self.described["outputs"]]
        self.reset()

    def reset(self) -> None:
        """Go back to the initial states."""
        self.state = {
            each["name"]: np.broadcast_to(
                np.asarray(each["start"], dtype=np.float32), (self.batch, each["width"])
            ).copy()
            for each in self.described["states"]
        }

    def __call__(self, **inputs: Any) -> dict[str, Array]:
        """One step: inputs (B, N), tokens (B,), a word's characters B arrays; returns the outputs (B, N)."""
        feeds: dict[str, Array] = {}
        for each in self.described["inputs"]:
            name, value = each["name"], inputs[each["name"]]
            if each["inner"]:
                feeds[name], feeds[f"{name}_lengths"] = pad(value)
            else:
                dtype = np.int64 if each["tokens"] else np.float64 if each["wide"] else np.float32
                feeds[name] = np.asarray(value, dtype=dtype)
        states = self.described["states"]
        names = [*self._outputs, *(each["next"] for each in states)]
        found = self.session.run(names, {**feeds, **self.state})
        self.state = {each["name"]: array for each, array in zip(states, found[len(self._outputs) :], strict=True)}
        return dict(zip(self._outputs, found, strict=False))
