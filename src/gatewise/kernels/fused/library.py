"""Finds the compiled kernels, picks the variant for this CPU, and loads it into torch's own thread pool.

The shared objects are linked without an OpenMP runtime (:mod:`gatewise.kernels.building`). Two runtimes in one process
would keep two sets of spinning workers that fight for the same cores. So before loading, the runtime that torch brought
is found among the mapped files and its names are made global: the kernels' parallel regions run on torch's workers.
"""

from __future__ import annotations

import ctypes
import os
import threading
import warnings
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch

from gatewise.errors import KernelError, did_you_mean
from gatewise.kernels import dispatch
from gatewise.kernels.building import OUTPUT, source_key, sources
from gatewise.kernels.variants import Variant, variants_here

__all__ = [
    "Library",
    "available_variants",
    "chosen_library",
    "cpu_features",
    "explain",
    "load",
    "openmp_runtimes",
    "require",
    "warn_once_if_missing",
]

HOW_TO_GET = "install a C++ compiler (g++ or clang++), then run: python -m gatewise.kernels.building"
"""What a person does to get the compiled kernels."""

_FEATURE_BITS = {"baseline": 1, "neon": 1, "avx2": 2, "avx512": 4, "avx512_bf16": 8}
_OPENMP_NAMES = ("libgomp", "libomp.", "libiomp5")
FOLDER = os.environ.get("GATEWISE_KERNEL_FOLDER") or str(OUTPUT)
"""Where the shared objects are looked for: ``GATEWISE_KERNEL_FOLDER`` at import, or the package's own folder."""
_lock = threading.Lock()
_warned = False


@dataclass(frozen=True)
class Library:
    """One loaded variant.

    Attributes:
        variant: ``avx512``, ``avx2``, ``baseline`` or ``neon``.
        width: float32 lanes of one register.
        path: the shared object.
        handle: its C functions.
    """

    variant: str
    width: int
    path: Path
    handle: ctypes.CDLL = field(repr=False)

    @property
    def implementation(self) -> str:
        """The name that :class:`gatewise.kernels.dispatch.Choice` carries, as ``fused-avx2``."""
        return f"fused-{self.variant}"

    def function(self, name: str, result: Any, *arguments: Any) -> Any:
        """A C function with its types set; the same object every time.

        Args:
            name: its C name.
            result: the ctypes type it returns, or None.
            arguments: the ctypes types it takes.

        Raises:
            KernelError: the shared object has no such function: it was built from other sources.
        """
        try:
            found = getattr(self.handle, name)
        except AttributeError:
            raise KernelError(
                f"{self.path.name} has no function {name}: it was built from other sources", fix=HOW_TO_GET
            ) from None
        found.restype, found.argtypes = result, list(arguments)
        return found

    def is_current(self) -> bool:
        """Whether it was built from the sources that lie beside it (true where none are there)."""
        key = self.function("gatewise_source_key", ctypes.c_char_p)().decode()
        return not sources() or bool(key == source_key())


def openmp_runtimes() -> list[str]:
    """The OpenMP runtimes mapped into this process, by file; one is right.

    Example:
        >>> isinstance(openmp_runtimes(), list)
        True
    """
    try:
        text = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    files = {line.split(maxsplit=5)[5] for line in text.splitlines() if line.count("/")}
    return sorted(path for path in files if Path(path).name.startswith(_OPENMP_NAMES))


def _share_openmp() -> str | None:
    """Make the names of torch's OpenMP runtime visible to libraries loaded later; a reason when there is none."""
    runtimes = openmp_runtimes()
    torch_folder = str(Path(torch.__file__).parent)
    runtimes.sort(key=lambda path: not path.startswith(torch_folder))
    for candidate in [*runtimes, "libgomp.so.1"]:
        try:
            ctypes.CDLL(candidate, mode=ctypes.RTLD_GLOBAL)
        except OSError:
            continue
        return None
    return "no OpenMP runtime (libgomp) found for the kernels' threads"


@cache
def _open(variant: Variant) -> tuple[Library | None, str]:
    """One shared object, loaded whether or not the CPU can run it."""
    path = Path(FOLDER) / variant.file_name
    if not path.exists():
        return None, "not built"
    problem = _share_openmp()
    if problem is not None:
        return None, problem
    try:
        handle = ctypes.CDLL(str(path), mode=os.RTLD_NOW | os.RTLD_LOCAL)
    except OSError as error:
        return None, f"cannot be loaded: {error}"
    library = Library(variant.name, variant.width, path, handle)
    if str(OUTPUT) == FOLDER and not library.is_current():
        return None, "built from other sources than those beside them"
    return library, f"{path.name} is loaded"


@cache
def _features() -> int:
    for variant in reversed(variants_here()):
        library, _ = _open(variant)
        if library is not None:
            return int(library.function("gatewise_cpu_features", ctypes.c_int32)())
    return 0


def cpu_features() -> frozenset[str]:
    """Which variants this CPU can run, and ``avx512_bf16`` where it has bf16 products; empty without a library.

    Example:
        >>> cpu_features() <= {"baseline", "neon", "avx2", "avx512", "avx512_bf16"}
        True
    """
    bits = _features()
    names = {variant.name for variant in variants_here()} | {"avx512_bf16"}
    return frozenset(name for name in names if bits & _FEATURE_BITS[name])


@cache
def _find(name: str) -> tuple[Library | None, str]:
    variant = next((variant for variant in variants_here() if variant.name == name), None)
    if variant is None:
        return None, f"{name} is for another CPU family"
    features = _features()
    if features and not features & _FEATURE_BITS[name]:
        return None, f"this CPU has no {name} instructions"
    library, reason = _open(variant)
    return library, reason if library is None else f"this CPU runs {name}"


@cache
def _best() -> tuple[Library | None, str]:
    refused: dict[str, list[str]] = {}
    found = None
    for variant in variants_here():
        found, reason = _find(variant.name)
        if found is not None:
            break
        refused.setdefault(reason, []).append(variant.name)
    why = "; ".join(f"{', '.join(names)}: {reason}" for reason, names in refused.items())
    if found is not None:
        text = f"{found.variant} is the fastest built variant that this CPU runs"
        return found, f"{text} ({why})" if why else text
    return None, f"no compiled kernels ({why or 'none are written for this CPU family'})"


def load(variant: str | None = None) -> tuple[Library | None, str]:
    """The compiled kernels for this CPU, or None, and the reason.

    Args:
        variant: ``avx512``, ``avx2``, ``baseline`` or ``neon``; None: the one that
            :func:`gatewise.kernels.dispatch.force` or ``GATEWISE_KERNEL`` names, else the fastest.

    Returns:
        The library or None, and one sentence that says why.

    Raises:
        KernelError: the name is unknown.

    Example:
        >>> library, reason = load()
        >>> library is None or library.variant in ("avx512", "avx2", "baseline", "neon")
        True
    """
    if variant is None:
        forced = dispatch.forced_kernel()
        variant = forced if forced in _FEATURE_BITS else None
    elif variant not in ("avx512", "avx2", "baseline", "neon"):
        known = ("avx512", "avx2", "baseline", "neon")
        raise KernelError(f"no kernel variant {variant!r}", fix=did_you_mean(variant, known))
    return _best() if variant is None else _find(variant)


def require(variant: str | None = None) -> Library:
    """As :func:`load`, for callers that cannot go on without it.

    Raises:
        KernelError: there is none, with the reason and how to get it.

    Example:
        >>> try:
        ...     name = require().variant
        ... except KernelError as error:
        ...     name = error.fix
        >>> isinstance(name, str)
        True
    """
    library, reason = load(variant)
    if library is None:
        raise KernelError(reason, fix=HOW_TO_GET)
    return library


def warn_once_if_missing() -> None:
    """Say once per process, as a Python warning, that layers run on torch's kernels because none are compiled.

    Example:
        >>> warn_once_if_missing()  # doctest: +SKIP
    """
    global _warned
    with _lock:
        if _warned:
            return
        library, reason = _best()
        if library is None:
            _warned = True
            warnings.warn(f"gatewise runs on PyTorch's kernels: {reason}. To get them: {HOW_TO_GET}", stacklevel=3)


def available_variants() -> tuple[str, ...]:
    """The variants that are built and that this CPU runs, fastest first.

    Example:
        >>> set(available_variants()) <= {"avx512", "avx2", "baseline", "neon"}
        True
    """
    return tuple(variant.name for variant in variants_here() if _find(variant.name)[0] is not None)


def explain() -> dict[str, str]:
    """For each variant of this CPU family, in one sentence, whether it can be used or why not.

    Example:
        >>> all(isinstance(reason, str) for reason in explain().values())
        True
    """
    return {variant.name: _find(variant.name)[1] for variant in variants_here()}


def chosen_library() -> tuple[str | None, str]:
    """The chosen library's implementation name, or None, and why.

    Example:
        >>> isinstance(chosen_library()[1], str)
        True
    """
    found, reason = load()
    if found is None:
        warn_once_if_missing()
        return None, reason
    return found.implementation, reason
