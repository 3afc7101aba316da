"""Measurements that are not the matter of a test: in this process, and with little time for each network."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

COST = "gatewise.comparison.cost"


def measure_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the modules that measure in processes of their own do so in this one, with as many rounds as ever."""

    def here(module: str, *words: str, **said: Any) -> Any:
        found: list[Any] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(f"{module}.answer", found.append)
            importlib.import_module(module).main(words)
        return found[-1]

    for name in ("cost", "memories", "together"):
        monkeypatch.setattr(f"{COST}.{name}.measured_alone", here)
    for name in ("_TRAINING", "_STREAMING", "_SINGLE", "_BATCH"):
        monkeypatch.setattr(f"{COST}.together.{name}", 0.05)
