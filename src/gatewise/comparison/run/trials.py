"""A trial: one training or baseline of a comparison, identified by a hash of all that its result depends on."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from gatewise.training.own_modules import code_of
from gatewise.training.registry import foreign_module, known_names
from gatewise.training.run_spec import RunSpec
from gatewise.training.settings import settings_of

__all__ = ["Trial", "code_version", "fit_for_a_file", "own_cell_modules", "trial_key"]

_PACKAGES = ("kernels", "nn", "data", "statistics", "training", "kinds")
_COMPUTING = ("torch", "numpy", "scipy", "scikit-learn", "tokenizers")
_SOURCES = (".py", ".cpp", ".h")
_BUILT = (".so", ".dll", ".dylib")
_NOT_TRAINED_WITH = ("report.py",)


def fit_for_a_file(name: str) -> str:
    """A name with the characters only that every file system takes.

    Example:
        >>> fit_for_a_file("gru*2-seed0")
        'gru-2-layers-seed0'
    """
    return re.sub(r"[^\w.-]", "-", re.sub(r"\*(\d+)", r"-\1-layers", name))


@dataclass(frozen=True)
class Trial:
    """One training, or one baseline, of a comparison.

    Attributes:
        name: as in the tables: ``gru-seed0``.
        cell: the variant, or the baseline's name.
        seed: start of its random numbers; None for a baseline.
        phase: ``tuning`` (settings are being chosen, of a cell or a baseline; the test part is not touched), ``final``
            or ``baseline``.
        spec: the run.
        key: hash of all that the result depends on, see `trial_key`.
        settings: those chosen for it.
        point: value of the axis, or None.
    """

    name: str
    cell: str
    seed: int | None
    phase: str
    spec: RunSpec
    key: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    point: Any = None

    @property
    def folder(self) -> str:
        """Name of its run folder and of its measurement: cell, point and seed, fit for a file, and the key's beginning.

        Example:
            >>> from gatewise.kinds.classification import DataSpec
            >>> Trial("gru*2-seed0", "gru*2", 0, "final", RunSpec(DataSpec()), "0123456789abcdef").folder
            'gru-2-layers-seed0-01234567'
        """
        return fit_for_a_file(self.name) + ("" if self.phase == "tuning" else f"-{self.key[:8]}")

    @property
    def run_folder(self) -> str | None:
        """The run folder inside the comparison's, as in its record; None for a baseline."""
        return None if self.seed is None else f"runs/{self.folder}"


def trial_key(
    spec: RunSpec,
    fingerprint: str,
    code: str,
    baseline: str | None = None,
    settings: Mapping[str, Any] | None = None,
) -> str:
    """The hash that identifies a finished trial.

    Args:
        spec: the run.
        fingerprint: of its data.
        code: see `code_version`.
        baseline: the baseline's name; it depends on the data and its own settings alone.
        settings: those of the baseline that differ from its defaults.

    Example:
        >>> from gatewise.kinds.classification.spec import DataSpec
        >>> first, again = RunSpec(data=DataSpec(download=True)), RunSpec(data=DataSpec(download=False))
        >>> trial_key(first, "f" * 64, "1") == trial_key(again, "f" * 64, "1")
        True
    """
    record = spec.to_identity()
    record["data"].pop("download", None)
    for name, entry in settings_of(type(spec.data)).items():
        given = record["data"].get(name)
        place = entry.file(given)
        if place is None or given in known_names():
            continue
        if name == "data" or not place.is_file():
            record["data"][name] = (
                "a file"  # its content is in the fingerprint, wherever it lies and however it is spelt
            )
        else:
            with place.open("rb") as stream:
                record["data"][name] = hashlib.file_digest(stream, "sha256").hexdigest()
    for name, entry in settings_of(type(spec.model)).items():
        place = entry.file(record["model"].get(name))  # added settings may be left out
        if place is not None and place.is_file():
            # the content counts, wherever the file is
            with place.open("rb") as stream:
                record["model"][name] = hashlib.file_digest(stream, "sha256").hexdigest()
    if baseline is not None:
        record = {"task": record["task"], "data": record["data"], "baseline": baseline}
        if settings:
            record["settings"] = dict(settings)
    content = {"spec": record, "fingerprint": fingerprint, "code": code}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def code_version(cells: Iterable[str] = (), task: str | None = None, modules: Iterable[str] = ()) -> str:
    """A hash of the code that a training's result depends on.

    It covers the sources of Gatewise from kernels to training, which kernels are built, the versions of the packages
    that compute, a forced kernel, and the person's own code: the modules of the cells that take part, of their base
    classes, of the kind of problem and those given, with all that they import (`gatewise.training.own_modules`).

    Args:
        cells: names of registered cells.
        task: the kind of problem; the sources of one from another package are included.
        modules: of the person's own, by name or path.

    Example:
        >>> len(code_version()), code_version() == code_version(["gru"])
        (16, True)
    """
    parts = [_own_sources(), os.environ.get("GATEWISE_KERNEL", "")]
    parts += [f"{name} {importlib.metadata.version(name)}" for name in _COMPUTING]
    found = [_foreign_class(cell) for cell in sorted(set(cells))]
    names = list(modules)
    if task is not None:
        parts.append(_foreign_kind(task))
        names.append(foreign_module(task) or "")
    parts.append(code_of([name for name in names if name], [kind for kind in found if kind is not None]))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def own_cell_modules(cells: Iterable[str]) -> dict[str, str]:
    """The modules that define those of the named cells that are not Gatewise's own.

    Example:
        >>> own_cell_modules(["gru", "lstm"])
        {}
    """
    found = {cell: _foreign_class(cell) for cell in cells}
    return {cell: kind.__module__ for cell, kind in found.items() if kind is not None}


def _foreign_class(cell: str) -> type[Any] | None:
    """The class of a registered cell that is not part of Gatewise."""
    if "gatewise.nn" not in sys.modules:
        return None
    from gatewise.nn.cell import cell_class, cells

    if cell not in cells():
        return None
    kind = cell_class(cell)
    return None if kind.__module__.split(".")[0] == "gatewise" else kind


def _foreign_kind(task: str) -> str:
    """A hash of the sources of a kind that is not part of Gatewise."""
    module = foreign_module(task)
    if module is None:
        return ""
    # the whole package: a kind may import from any part of it
    top = sys.modules.get(module.partition(".")[0])
    place = getattr(top, "__file__", None) or getattr(sys.modules.get(module), "__file__", None)
    if place is None:
        return ""
    home = Path(place).resolve()
    alone = home.name != "__init__.py" and "." not in module
    return _sources_of(home.parent, [home] if alone else sorted(home.parent.rglob("*")))


@cache
def _own_sources() -> str:
    home = Path(__file__).resolve().parents[2]
    return _sources_of(home, [path for package in _PACKAGES for path in sorted((home / package).rglob("*"))])


def _sources_of(home: Path, paths: Iterable[Path]) -> str:
    """A hash of sources and of which kernels are built."""
    found = hashlib.sha256()
    for path in paths:
        if path.name in _NOT_TRAINED_WITH:  # a kind's part of the report: no result depends on it
            continue
        if path.suffix in _SOURCES:
            found.update(path.relative_to(home).as_posix().encode() + b"\0" + path.read_bytes())
        elif path.suffix in _BUILT:
            # builds differ in their bytes between machines, not in what they compute
            found.update(path.name.encode())
    return found.hexdigest()
