"""Inspection of finished runs: how far back a state's gradient reaches."""

from __future__ import annotations

from gatewise.inspection.memory import half_life, memory_curve, memory_of, reach

__all__ = ["half_life", "memory_curve", "memory_of", "reach"]
