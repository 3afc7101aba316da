"""The environment of a run: versions, machine, data."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

from gatewise import __version__
from gatewise.training.checks import usable_cores as usable_cores
from gatewise.training.kind import Dataset
from gatewise.training.own_modules import cell_code
from gatewise.training.run_spec import RunSpec

__all__ = ["describe_environment", "usable_cores"]

_PACKAGES = ("torch", "numpy", "tokenizers", "safetensors")


def describe_environment(spec: RunSpec, dataset: Dataset, *, threads: int, kernel: dict[str, str]) -> dict[str, Any]:
    """Versions, machine, threads of each process, kernel, data and the person's own cell of a run, ready for JSON."""
    versions = {"gatewise": __version__, "python": platform.python_version()}
    versions |= {name: importlib.metadata.version(name) for name in _PACKAGES}
    return {
        "versions": versions,
        "machine": {"system": platform.system(), "processor": _processor(), "cores": usable_cores()},
        "threads": threads,
        "processes": spec.training.processes,
        "device": spec.training.device,
        "kernel": kernel,
        "kernel_forced": os.environ.get("GATEWISE_KERNEL"),
        "data": {
            "name": dataset.name,
            "source": dataset.source,
            "directory": str(Path.cwd()),
            "split_note": dataset.split_note,
            "fingerprint": dataset.fingerprint,
            "notes": list(dataset.notes),
            "sizes": dict(dataset.sizes),
        },
        "cell_code": cell_code(getattr(spec.model, "cell", None)),
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as stream:  # noqa: PTH123
            for line in stream:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
