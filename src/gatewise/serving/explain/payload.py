"""A reading as bytes for the page: a header in JSON, then arrays, little-endian, each at a multiple of four.

The server sends values as they are; the exported file keeps 16 or 8 bits of each.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.inspection.gates import GateMap, Place
from gatewise.inspection.reading import Reading
from gatewise.inspection.reasons import Reasons
from gatewise.serving.explain.meanings import EquationLine, gate_meaning

__all__ = ["first_place", "place_id", "places_of", "reading_bytes", "reasons_record"]

_ALIGNMENT = 4
_DIRECTIONS = {"forward": "reads forwards", "backward": "reads backwards"}
_MOST_TAIL = 2000
_MOST_GAP = 160
_MOST_COLUMNS = 12


class _Arrays:
    """Collects arrays behind each other, and describes where each one lies."""

    def __init__(self, bits: int) -> None:
        self.bits, self.parts, self.at = bits, list[bytes](), 0

    def add(self, values: npt.NDArray[Any], kind: str) -> dict[str, Any]:
        """Keep an array as it is."""
        content = np.ascontiguousarray(values, dtype=np.dtype(kind).newbyteorder("<")).tobytes()
        described = {"type": kind, "shape": list(values.shape), "at": self.at}
        content += b"\0" * (-len(content) % _ALIGNMENT)
        self.parts.append(content)
        self.at += len(content)
        return described

    def levels(self, values: npt.NDArray[Any]) -> dict[str, Any]:
        """Keep values to as many bits as asked for: 32 as they are, else as levels between their extremes."""
        if self.bits == 32:
            return self.add(values, "float32")
        low, high = (float(values.min()), float(values.max())) if values.size else (0.0, 0.0)
        most = (1 << self.bits) - 1
        span = high - low or 1.0
        levels = np.rint((values.astype(np.float64) - low) / span * most)
        return {**self.add(levels, f"uint{self.bits}"), "low": low, "high": low + span}


def place_id(place: Place) -> str:
    """A place as the page names it.

    Example:
        >>> place_id(("recurrent", 0, "backward"))
        'recurrent/0/backward'
    """
    return "/".join(map(str, place))


def places_of(reading: Reading) -> list[Place]:
    """The stacks, layers and directions of a reading, in the order of its maps."""
    return list(dict.fromkeys(gate.place for gate in reading.gates))


def reading_bytes(
    reading: Reading,
    place: str | None,
    *,
    options: dict[str, Any],
    equation: Sequence[EquationLine],
    bits: int = 32,
    attention: npt.NDArray[np.float64] | None = None,
    changeable: int = 0,
) -> bytes:
    """A reading as the page decodes it.

    Args:
        reading: the reading.
        place: whose maps to send, see `place_id`; None or an unknown one: the last layer that reads forwards.
        options: of the cell.
        equation: its form.
        bits: of each value of a map: 32, 16 or 8.
        attention: of what was written over what was read, (W, T).
        changeable: how many of the first columns of a series a person may change.

    Returns:
        Four bytes of header length, the header, the arrays.
    """
    places = places_of(reading)
    chosen = next((each for each in places if place_id(each) == place), None) or first_place(places)
    arrays = _Arrays(bits)
    gates = [gate for gate in reading.gates if gate.place == chosen]
    common = _state(gates).order if gates else np.zeros(0, dtype=np.int64)
    stacks = len({each[0] for each in places}) > 1
    header: dict[str, Any] = {
        "cell": reading.cell,
        "unit": reading.unit,
        "answers": reading.answers,
        "meaning": reading.meaning,
        "names": list(reading.names),
        "target": reading.target,
        "turned": list(reading.turned),
        "truth": reading.input.truth,
        "at": None if reading.input.written else reading.input.place,
        "notes": list(reading.input.notes),
        **_text(reading),
        "place": place_id(chosen) if chosen else None,
        "places": [{"id": place_id(each), "words": _place_words(each, stacks)} for each in places],
        "gates": [_gate(gate, reading.cell, options, common, len(reading.input.steps), arrays) for gate in gates],
        "shows": _first_shown(gates),
        "liveliest": _liveliest(gates),
        "order": arrays.add(common, "int32"),
        "after": arrays.add(reading.after, "float32"),
        "equation": [{"symbols": line.symbols, "numbers": line.numbers} for line in equation],
    }
    if reading.input.values is not None:
        columns = reading.input.columns or tuple(str(n + 1) for n in range(reading.input.values.shape[1]))
        header["series"] = {
            "columns": list(columns),
            "values": arrays.add(reading.input.values, "float32"),
            "changeable": changeable,
        }
    if reading.input.picture is not None:
        shown = reading.input.picture
        png = f"data:image/png;base64,{base64.b64encode(shown.png).decode()}"
        header["picture"] = {"rows": shown.rows, "columns": shown.columns, "png": png}
    if reading.input.written:
        header["written"] = _written(reading, attention, arrays)
    text = json.dumps(header, ensure_ascii=False, allow_nan=False).encode("utf-8", "replace")
    text += b" " * (-len(text) % _ALIGNMENT)
    return struct.pack("<I", len(text)) + text + b"".join(arrays.parts)


def reasons_record(found: Reasons) -> dict[str, Any]:
    """Reasons ready for JSON."""
    removal = found.removal
    return {
        "method": found.method,
        "target": found.target,
        "score": found.score,
        "values": [round(float(value), 5) for value in found.per_step],
        "columns": _columns(found),
        "score_at_input": found.score_at_input,
        "score_at_baseline": found.score_at_baseline,
        "baseline": found.baseline,
        "completeness_error": found.completeness_error,
        "complete": found.complete,
        "steps_used": found.steps_used,
        "removal": None
        if removal is None
        else {
            "removed": removal.removed.tolist(),
            "by_reasons": _rounded(removal.by_reasons),
            "random": _rounded(removal.random),
            "against": _rounded(removal.against),
            "faster": removal.faster,
        },
    }


def _columns(found: Reasons) -> list[dict[str, Any]]:
    """The reasons of each column where there are several; of many, those with the largest."""
    if found.values.ndim == 1 or len(found.columns) < 2:
        return []
    sizes = np.abs(found.values).sum(axis=0)
    shown = np.sort(np.argsort(-sizes, kind="stable")[:_MOST_COLUMNS])
    return [
        {"name": found.columns[column], "values": [round(float(each), 5) for each in found.values[:, column]]}
        for column in shown
    ]


def _rounded(values: npt.NDArray[np.float64]) -> list[float]:
    return [round(float(value), 4) for value in values]


def _text(reading: Reading) -> dict[str, Any]:
    """The steps with what stands before each in the text, so that the page needs no offsets."""
    text, end = reading.input.text, 0
    steps: list[dict[str, Any]] = []
    for step in reading.input.steps:
        before = "" if not steps else " "
        shown = step.label
        if text is not None and step.start is not None and step.end is not None:
            before, shown = _shortened(text[end : step.start]), text[step.start : step.end] or step.label
            end = max(end, step.end)
        steps.append({"label": step.label, "before": before, "text": shown, "known": bool(step.known)})
    tail = "" if text is None else text[end : end + _MOST_TAIL]
    return {"steps": steps, "tail": tail}


def _written(reading: Reading, attention: npt.NDArray[np.float64] | None, arrays: _Arrays) -> dict[str, Any]:
    """What the network writes, with the word looked at and what each word looked at."""
    given, steps, end = reading.input, list[dict[str, str]](), 0
    for step in given.written:
        apart = step.start is not None and step.start > end
        steps.append({"text": step.label, "before": " " if apart or step.start is None else ""})
        end = step.end or end
    found: dict[str, Any] = {"steps": steps, "place": given.place}
    if attention is not None:
        found["attention"] = arrays.add(attention, "float32")
    return found


def _shortened(gap: str) -> str:
    """What stands between two steps; of a long part that is not read, its ends."""
    return gap if len(gap) <= _MOST_GAP else f"{gap[: _MOST_GAP // 2]} … {gap[-_MOST_GAP // 2 :]}"


def _gate(
    gate: GateMap, cell: str, options: dict[str, Any], common: npt.NDArray[np.int64], steps: int, arrays: _Arrays
) -> dict[str, Any]:
    record = {
        "name": gate.name,
        "role": gate.role,
        "low": gate.low,
        "high": gate.high,
        "meaning": gate_meaning(cell, gate.name, gate.role, options),
        "units": gate.values.shape[1],
        "values": arrays.levels(_on_steps(gate, steps)),
        "begin": gate.first if gate.stride > 0 else 0,
        "aligned": gate.stride > 0,
    }
    if gate.before is not None:
        record["before"] = arrays.add(gate.before, "float32")
    if len(gate.order) != len(common):
        record["order"] = gate.order.tolist()
    return record


def _on_steps(gate: GateMap, steps: int) -> npt.NDArray[np.float32]:
    """A row for each step of the input: those of a segment have the same, those before the first one zeros.

    Rows that are no steps of the input stay as they are.
    """
    if gate.stride == 0 or (gate.stride == 1 and gate.first == 0):
        return gate.values
    found = np.zeros((steps, gate.values.shape[1]), dtype=np.float32)
    spread = np.repeat(gate.values, gate.stride, axis=0)[: steps - gate.first]
    found[gate.first : gate.first + len(spread)] = spread
    return found


def _state(gates: Sequence[GateMap]) -> GateMap:
    """The state that is as wide as the gates: the cell of an LSTM, else the hidden state."""
    states = [gate for gate in gates if gate.role == "state"] or list(gates)
    return max(states, key=lambda gate: gate.values.shape[1])


def _first_shown(gates: Sequence[GateMap]) -> str | None:
    """The map shown at first: the gate that keeps the memory, else a state."""
    names = [gate.name for gate in gates]
    return next((name for name in ("forget", "update", "hidden") if name in names), names[0] if names else None)


def _liveliest(gates: Sequence[GateMap]) -> int:
    """The unit whose state moved the most over the input."""
    if not gates:
        return 0
    values = _state(gates).values
    return int(np.ptp(values, axis=0).argmax()) if len(values) else 0


def first_place(places: Sequence[Place]) -> Place | None:
    """The place shown at first: the last layer of the first stack that reads forwards."""
    first = [each for each in places if each[0] == places[0][0]]
    return next((each for each in reversed(first) if each[2] == "forward"), None)


def _place_words(place: Place, stacks: bool) -> str:
    stack, layer, direction = place
    return f"{stack + ', ' if stacks else ''}layer {layer + 1}, {_DIRECTIONS.get(direction, direction)}"
