"""Registers the cells of these tests for as long as they run: other tests go through all registered cells."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from export_cases import OWN

from gatewise.nn import register_cell
from gatewise.nn.cell import _REGISTRY


@pytest.fixture(autouse=True, scope="package")
def own_cells() -> Iterator[None]:
    for name, cell in OWN.items():
        register_cell(name)(cell)
    yield
    for name in [name for name in _REGISTRY if name.startswith("test-export-")]:
        del _REGISTRY[name]
