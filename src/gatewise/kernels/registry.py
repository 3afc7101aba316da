"""Finds every cell with compiled kernels: the folders beside this file that have an ``info.py``.

To add one, add its folder: ``README.md`` (equations), ``reference.py`` (the step in plain PyTorch), ``fused.cpp`` (a
``Cell`` as described at the top of ``native/forward.h`` or ``native/scan.h``) and ``info.py``. Nothing else names it.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

from gatewise.errors import KernelError
from gatewise.kernels.info import KernelInfo

__all__ = ["CELLS", "KERNELS"]


def _discover() -> dict[str, KernelInfo]:
    found = {}
    for path in sorted(Path(__file__).parent.glob("*/info.py")):
        folder = path.parent.name
        info: KernelInfo = import_module(f"gatewise.kernels.{folder}.info").INFO
        if info.cell != folder:
            raise KernelError(f"{path} describes another cell", expected=folder, got=info.cell)
        found[folder] = info
    return found


CELLS: dict[str, KernelInfo] = _discover()
"""Every cell with compiled kernels, by its folder's name."""
KERNELS: dict[str, KernelInfo] = {name: info for info in CELLS.values() for name in info.names}
"""The same by the names that requests use."""
