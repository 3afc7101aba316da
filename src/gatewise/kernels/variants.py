"""The instruction sets that the kernels are compiled for, and which of them this machine wants.

Needs the standard library only: the package's ``setup.py`` reads it while it installs.
"""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

__all__ = ["VARIANTS", "Variant", "variants_here", "variants_wanted"]


@dataclass(frozen=True)
class Variant:
    """One instruction set that the sources are compiled for.

    Attributes:
        name: as in ``GATEWISE_KERNEL``.
        machine: the CPU family, as :func:`platform.machine` says it.
        width: float32 lanes of one register.
        flags: what switches the instruction set on.

    Example:
        >>> Variant("avx2", "x86_64", 8, ("-mavx2", "-mfma")).file_name
        'libgatewise-avx2.so'
    """

    name: str
    machine: str
    width: int
    flags: tuple[str, ...]

    @property
    def file_name(self) -> str:
        """The shared object's name."""
        return f"libgatewise-{self.name}.so"


VARIANTS = (
    Variant(
        "avx512",
        "x86_64",
        16,
        ("-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mavx2", "-mfma", "-mprefer-vector-width=512"),
    ),
    Variant("avx2", "x86_64", 8, ("-mavx2", "-mfma")),
    Variant("baseline", "x86_64", 4, ()),
    Variant("neon", "aarch64", 4, ()),
)
"""Every variant, fastest first within its CPU family."""


def variants_here() -> tuple[Variant, ...]:
    """The variants for this machine's CPU family; which of them the CPU can run shows at load time.

    Example:
        >>> all(isinstance(variant.width, int) for variant in variants_here())
        True
    """
    machine = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    return tuple(variant for variant in VARIANTS if variant.machine == machine)


def variants_wanted(cpu: Path = Path("/proc/cpuinfo")) -> tuple[tuple[Variant, ...], ...]:
    """What is compiled: every variant, or with ``GATEWISE_VARIANTS=fastest`` the fastest one that this CPU runs.

    Args:
        cpu: the system's description of the CPU; where it cannot be read, every variant is wanted.

    Returns:
        What is compiled together; after it, what is compiled instead where the compiler can make nothing of that.

    Raises:
        ValueError: ``GATEWISE_VARIANTS`` is neither ``all`` nor ``fastest``.

    Example:
        >>> all(set(together) <= set(variants_here()) for together in variants_wanted())
        True
    """
    wanted = os.environ.get("GATEWISE_VARIANTS", "all")
    if wanted not in ("all", "fastest"):
        raise ValueError(f"GATEWISE_VARIANTS: expected all or fastest, got {wanted!r}")
    if wanted == "all" or not cpu.exists():
        return (variants_here(),)
    lines = cpu.read_text(encoding="utf-8", errors="replace").splitlines()
    features = {word for line in lines if line.startswith("flags") for word in line.split()}
    needs = {each: {flag[2:] for flag in each.flags if "=" not in flag} for each in variants_here()}
    return tuple((each,) for each, instructions in needs.items() if instructions <= features) or ((),)
