"""Inspection of finished runs: what they answer step by step and why, what units do, how far gradients reach."""

from __future__ import annotations

from gatewise.inspection.explaining import Explanation, explain, explanation_of
from gatewise.inspection.flow import GradientFlow, gradient_flow
from gatewise.inspection.gates import GateMap, gate_maps
from gatewise.inspection.memory import memory_curve, memory_of, reach
from gatewise.inspection.neighbours import Alike, Neighbour, States, alike, store_states
from gatewise.inspection.parallel import Parallel
from gatewise.inspection.reading import Reading, read, unit_orders
from gatewise.inspection.reasons import Reasons, Removal, removal
from gatewise.inspection.units import Role, Saturation, UnitMemory, saturation, unit_memory, unit_roles
from gatewise.inspection.writing import Writing, writing

__all__ = [
    "Alike",
    "Explanation",
    "GateMap",
    "GradientFlow",
    "Neighbour",
    "Parallel",
    "Reading",
    "Reasons",
    "Removal",
    "Role",
    "Saturation",
    "States",
    "UnitMemory",
    "Writing",
    "alike",
    "explain",
    "explanation_of",
    "gate_maps",
    "gradient_flow",
    "memory_curve",
    "memory_of",
    "reach",
    "read",
    "removal",
    "saturation",
    "store_states",
    "unit_memory",
    "unit_orders",
    "unit_roles",
    "writing",
]
