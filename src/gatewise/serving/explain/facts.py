"""A few words on each unit, and the gradient's way back, for the page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from gatewise.inspection.flow import Flow, GradientFlow, LayerFlow
from gatewise.inspection.gates import GateMap
from gatewise.inspection.units import Role, unit_memory, unit_roles
from gatewise.training.kind import RecurrentInputs

__all__ = ["flow_record", "unit_facts"]

_LONG = 1000.0
_ROLES = {"counting": "counts", "switching": "switches", "sentinel": "waits, then fires"}


def unit_facts(stack: RecurrentInputs, maps: Sequence[GateMap], unit: str) -> list[str]:
    """What is said of each unit of one layer and direction: how long it keeps, and what it does over this input.

    Args:
        stack: the layers with what they read.
        maps: of that layer and direction.
        unit: what a step is.

    Returns:
        A text per unit, empty where there is nothing to say.
    """
    states = [gate for gate in maps if gate.role == "state"]
    state = max(states, key=lambda gate: gate.values.shape[1])
    words: list[list[str]] = [[] for _ in range(state.values.shape[1])]
    memory = unit_memory(stack, maps, gradients=False)[0].half_lives
    if memory is not None and len(memory) == len(words):
        for number, steps in enumerate(memory):
            words[number].append(_keeps(float(steps) * max(1, state.stride), unit if state.stride else "step"))
    for role in unit_roles(state.values, state.first, state.stride):
        words[role.unit].append(_does(role))
    return ["; ".join(each) for each in words]


def _keeps(steps: float, unit: str) -> str:
    """How long half of a unit's value stays.

    Example:
        >>> _keeps(2.34, "token"), _keeps(math.inf, "step")
        ('its gates keep half for 2.3 tokens', 'its gates keep everything')
    """
    if not math.isfinite(steps) or steps > _LONG:
        return "its gates keep everything"
    return f"its gates keep half for {steps:.1f} {unit}s"


def _does(role: Role) -> str:
    return _ROLES[role.role] + (f" at step {role.steps[0] + 1}" if len(role.steps) == 1 else "")


def flow_record(flow: GradientFlow) -> dict[str, Any]:
    """Gradient flow ready for JSON: of the first layer that reads forwards, trained and freshly drawn.

    Args:
        flow: as measured.
    """
    lines = []
    for name, part in (("before training", flow.before), ("trained", flow.after)):
        found = _first(part)
        if found is not None:
            lines.append({"name": name, "values": [float(f"{value:.4g}") for value in found.norms]})
    first = _first(flow.after)
    unit = "step" if first is None else first.unit
    return {"target": flow.target, "unit": unit, "lines": lines, "parameters": flow.after.parameter_norm}


def _first(part: Flow) -> LayerFlow | None:
    return next((layer for layer in part.layers if layer.direction == "forward"), None)
