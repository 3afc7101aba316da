"""Looks at this machine and says which kernel each cell would run on, and why not a faster one."""

from __future__ import annotations

import os
import platform
import subprocess
import warnings
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from gatewise.errors import KernelError
from gatewise.kernels.building import compiler_command
from gatewise.kernels.dispatch import Request, choose
from gatewise.kernels.fused import library
from gatewise.kernels.fused.binding import explain_binding
from gatewise.kernels.fused.selection import offer as _registered  # noqa: F401 - registers the compiled kernels
from gatewise.kernels.gpu import selection as gpu  # registers the Triton kernels
from gatewise.kernels.registry import CELLS, KERNELS

__all__ = ["CellReport", "Diagnosis", "diagnose"]


@dataclass(frozen=True)
class CellReport:
    """Which kernel one cell would run on.

    Attributes:
        cell: its kernel name.
        options: those that the request carries.
        dtype: ``float32``, ``float64``, or ``bf16`` or, for inference, ``int8`` inside ``nn.precision(..)``.
        implementation: as in :class:`gatewise.kernels.dispatch.Choice`; ``none`` where a forced kernel refuses.
        reason: why this one, and why not a faster one.
        device: ``cpu`` or ``cuda``.
    """

    cell: str
    options: tuple[str, ...]
    dtype: str
    implementation: str
    reason: str
    device: str = "cpu"


@dataclass(frozen=True)
class Diagnosis:
    """What :func:`diagnose` found, all of it plain values.

    Attributes:
        cpu: the CPU's name.
        machine: its family.
        cpus: how many this process may use.
        features: instruction sets that matter here; empty when there is no library.
        threads: torch's setting, which the kernels follow.
        python, torch: versions.
        torch_capability: the instruction set torch itself uses.
        cuda: the CUDA devices' names.
        triton: Triton's version, or how to get it.
        openmp: OpenMP runtimes in this process; two would fight.
        compiler: the C++ compiler and its version, or None.
        forced: what ``GATEWISE_KERNEL`` says, or None.
        folder: where compiled kernels are looked for.
        variants: per variant whether it can be used, in one sentence.
        binding: whether calls go through the compiled binding, or why not.
        chosen: the variant that will be used, or None.
        cells: which kernel each cell would run on.
        advice: what the person can do to get faster kernels; empty when nothing.
    """

    cpu: str
    machine: str
    cpus: int
    features: tuple[str, ...]
    threads: int
    python: str
    torch: str
    torch_capability: str
    cuda: tuple[str, ...]
    triton: str
    openmp: tuple[str, ...]
    compiler: str | None
    forced: str | None
    folder: str
    variants: dict[str, str]
    binding: str
    chosen: str | None
    cells: tuple[CellReport, ...]
    advice: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """All of it as JSON values."""
        return asdict(self)


def cpu_name() -> str:
    """The CPU's name as the system reports it.

    Example:
        >>> len(cpu_name()) > 0
        True
    """
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return platform.processor() or platform.machine()
    for line in text.splitlines():
        if line.startswith(("model name", "Model")):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _compiler() -> str | None:
    command = compiler_command()
    if command is None:
        return None
    try:
        done = subprocess.run([*command, "--version"], capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return command[0]
    return (done.stdout.splitlines() or [command[0]])[0]


def _cell_report(cell: str, options: frozenset[str], dtype: torch.dtype, device: str = "cpu") -> CellReport:
    request = Request(cell, device, dtype, 128, 128, 32, 200, options, needs_grad=True)
    name = str(dtype).removeprefix("torch.")
    try:
        choice = choose(request)
    except KernelError as error:
        return CellReport(cell, tuple(sorted(options)), name, "none", str(error), device)
    return CellReport(cell, tuple(sorted(options)), name, choice.implementation, choice.reason, device)


def _cuda_reports() -> list[CellReport]:
    """What cells would run on where there is a CUDA device: plain, and with each option beyond cuDNN's by itself."""
    reports = []
    for info in CELLS.values():
        more = sorted((info.gpu_options or frozenset()) - (info.torch_options or frozenset()))
        for name in info.names:
            for options in (frozenset[str](), *(frozenset({each}) for each in more)):
                reports.append(_cell_report(name, options, torch.float32, "cuda"))
    return reports


def _rounded_report(cell: str, precision: str) -> CellReport:
    """What calls inside ``nn.precision(..)`` would run on."""
    request = Request(cell, "cpu", torch.float32, 128, 128, 32, 200, precision=precision)
    try:
        choice = choose(request)
    except KernelError as error:
        return CellReport(cell, (), precision, "none", str(error))
    return CellReport(cell, (), precision, choice.implementation, choice.reason)


def _triton() -> str:
    if not gpu.INSTALLED:
        return f"not installed: {gpu.HOW_TO_GET}"
    try:
        return version("triton")
    except PackageNotFoundError:  # torch for other devices brings it under other names
        return "installed"


def _advice(loaded: bool, compiler: str | None, openmp: list[str], threads: int, cpus: int) -> list[str]:
    advice = []
    if not loaded and compiler is None:
        advice.append(library.HOW_TO_GET)
    elif not loaded:
        advice.append("build the compiled kernels: python -m gatewise.kernels.building")
    if len(openmp) > 1:
        advice.append(f"two OpenMP runtimes share this process and will fight for its cores: {', '.join(openmp)}")
    if threads > cpus:
        advice.append(f"torch uses {threads} threads on {cpus} CPUs: torch.set_num_threads({cpus})")
    return advice


def diagnose() -> Diagnosis:
    """Ask the machine, the libraries and the dispatch.

    Returns:
        Everything that decides which kernel runs.

    Example:
        >>> report = diagnose()
        >>> {cell.cell for cell in report.cells} >= {"rnn_tanh", "lstm", "gru", "mingru", "minlstm"}
        True
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _diagnose()


def _diagnose() -> Diagnosis:
    found, reason = library.load()
    compiler, openmp = _compiler(), library.openmp_runtimes()
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = torch.get_num_threads()
    cells = [
        _cell_report(name, options, torch.float32)
        for info in CELLS.values()
        for name in info.names
        for options in (frozenset(), *info.reported)
    ]
    cells.append(_cell_report(next(iter(KERNELS)), frozenset(), torch.float64))  # one stands for all
    rounded = [info.names[0] for info in CELLS.values() if info.rounds]
    cells += [_rounded_report(cell, precision) for precision in ("bf16", "int8") for cell in rounded]
    gpus = tuple(torch.cuda.get_device_name(n) for n in range(torch.cuda.device_count()))
    return Diagnosis(
        cpu=cpu_name(),
        machine=platform.machine(),
        cpus=cpus,
        features=tuple(sorted(library.cpu_features())),
        threads=threads,
        python=platform.python_version(),
        torch=torch.__version__,
        torch_capability=torch.backends.cpu.get_cpu_capability(),
        cuda=gpus,
        triton=_triton(),
        openmp=tuple(openmp),
        compiler=compiler,
        forced=os.environ.get("GATEWISE_KERNEL") or None,
        folder=library.FOLDER,
        variants=library.explain() or {"none": reason},
        binding=explain_binding(),
        chosen=None if found is None else found.variant,
        cells=(*cells, *(_cuda_reports() if gpus else ())),
        advice=tuple(_advice(found is not None, compiler, openmp, threads, cpus)),
    )
