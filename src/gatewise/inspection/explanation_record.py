"""An explanation as a record ready for JSON, part by part."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gatewise.inspection.flow import GradientFlow
from gatewise.inspection.gates import GateMap
from gatewise.inspection.parallel import Parallel
from gatewise.inspection.reading import Reading
from gatewise.inspection.reasons import Reasons
from gatewise.inspection.units import UnitMemory
from gatewise.training.reader import ReadInput

if TYPE_CHECKING:
    from gatewise.inspection.explaining import Explanation

__all__ = ["explanation_record", "parallel_record"]

_DIGITS = 6


def explanation_record(explanation: Explanation, *, gates: bool = False) -> dict[str, Any]:
    """All that was measured.

    Args:
        explanation: of one input.
        gates: with every gate at every step and unit.
    """
    reading = explanation.reading
    found: dict[str, Any] = {
        "run": explanation.run,
        "task": reading.kind,
        "cell": reading.cell,
        "kernel": reading.kernel,
        "input": _input_record(reading.input),
        "answers": _answers_record(reading, explanation.answer),
        "reasons": _reasons_record(explanation.reasons),
        "saturation": [dict(each.__dict__) for each in explanation.saturation],
        "memory": [_memory_record(each) for each in explanation.memory],
        "units": [
            {"layer": layer, "direction": direction, "unit": role.unit, "role": role.role, "steps": list(role.steps)}
            for (layer, direction), roles in explanation.roles.items()
            for role in roles
        ],
    }
    if explanation.writing is not None:
        found["written"] = {"place": reading.input.place, **explanation.writing.record()}
    if explanation.parallel is not None:
        found["parallel"] = parallel_record(explanation.parallel)
    if explanation.flow is not None:
        found["flow"] = _flow_record(explanation.flow, explanation.clip_norm)
    if explanation.neighbours is not None:
        found["neighbours"] = explanation.neighbours.record()
    if gates:
        found["gates"] = [_gate_record(each) for each in reading.gates]
    return found


def _input_record(given: ReadInput) -> dict[str, Any]:
    found = {
        "text": given.text,
        "title": given.title,
        "truth": given.truth,
        "notes": list(given.notes),
        "columns": list(given.columns),
        "steps": [
            {"label": step.label, "start": step.start, "end": step.end, "known": step.known} for step in given.steps
        ],
        "values": None if given.values is None else _plain(given.values),
        "place": None if given.written else given.place,
    }
    if given.picture is not None:
        png = base64.b64encode(given.picture.png).decode()
        found["picture"] = {"rows": given.picture.rows, "columns": given.picture.columns, "png": png}
    return found


def _answers_record(reading: Reading, followed: str) -> dict[str, Any]:
    return {
        "kind": reading.answers,
        "names": list(reading.names),
        "meaning": reading.meaning,
        "after": _plain(reading.after),
        "final": _plain(reading.final),
        "followed": followed,
        "turned": list(reading.turned),
    }


def _reasons_record(why: Reasons) -> dict[str, Any]:
    found: dict[str, Any] = {
        "method": why.method,
        "score": why.score,
        "columns": list(why.columns),
        "values": _plain(why.values),
        "score_at_input": why.score_at_input,
        "score_at_baseline": why.score_at_baseline,
        "baseline": why.baseline,
        "completeness_error": why.completeness_error,
        "complete": why.complete,
        "gradients": why.steps_used,
    }
    if why.removal is not None:
        curve = why.removal
        found["removal"] = {
            "removed": curve.removed.tolist(),
            "by_reasons": _plain(curve.by_reasons),
            "random": _plain(curve.random),
            "against": _plain(curve.against),
            "faster": curve.faster,
        }
    return found


def _memory_record(each: UnitMemory) -> dict[str, Any]:
    return {
        "layer": each.layer,
        "direction": each.direction,
        "half_lives": _plain(each.half_lives),
        "gradient_lags": _plain(each.gradient_lags),
        "agreement": each.agreement,
    }


def _gate_record(each: GateMap) -> dict[str, Any]:
    return {
        "stack": each.stack,
        "layer": each.layer,
        "direction": each.direction,
        "name": each.name,
        "role": each.role,
        "first": each.first,
        "stride": each.stride,
        "low": each.low,
        "high": each.high,
        "order": each.order.tolist(),
        "values": np.round(each.values.astype(np.float64), 4).tolist(),
    }


def _plain(values: npt.NDArray[Any] | None) -> Any:
    """Nested lists of six digits; what is not finite becomes null."""
    if values is None:
        return None
    array = np.asarray(values, dtype=np.float64)
    return _listed(array) if np.isfinite(array).all() else _with_nulls(array)


def _listed(array: npt.NDArray[np.float64]) -> Any:
    return [_listed(row) for row in array] if array.ndim > 1 else [float(f"{value:.{_DIGITS}g}") for value in array]


def _with_nulls(array: npt.NDArray[np.float64]) -> Any:
    if array.ndim > 1:
        return [_with_nulls(row) for row in array]
    return [float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None for value in array]


def _flow_record(found: GradientFlow, clip_norm: float) -> dict[str, Any]:
    return {
        "target": found.target,
        "clip_norm": clip_norm,
        **{
            name: {
                "loss": flow.loss,
                "parameter_norm": flow.parameter_norm,
                "clipped_by": flow.clipped(clip_norm),
                "layers": [
                    {"layer": each.layer, "direction": each.direction, "unit": each.unit, "norms": _plain(each.norms)}
                    for each in flow.layers
                ],
            }
            for name, flow in (("before", found.before), ("after", found.after))
        },
    }


def parallel_record(found: Parallel) -> dict[str, Any]:
    """Whether a network can be evaluated in parallel, layer by layer; numbers that are not finite become null."""

    def plain(value: float) -> float | None:
        return value if np.isfinite(value) else None

    return {
        "sentence": found.sentence,
        "steps": found.steps,
        "layers": [
            {
                "layer": each.layer,
                "direction": each.direction,
                "exponents": list(each.exponents),
                **{
                    name: None
                    if sweeps is None
                    else {
                        "sweeps": sweeps.count,
                        "residual": plain(sweeps.residual),
                        "error": plain(sweeps.error),
                        "outcome": sweeps.outcome,
                    }
                    for name, sweeps in (("full", each.full), ("diagonal", each.diagonal))
                },
            }
            for each in found.layers
        ],
    }
