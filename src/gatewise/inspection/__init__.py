"""Inspection of finished runs: how far back a state's gradient reaches."""

from __future__ import annotations

from gatewise.inspection.memory import memory_curve, memory_of, reach

__all__ = ["memory_curve", "memory_of", "reach"]
