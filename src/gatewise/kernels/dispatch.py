"""Chooses how one direction of one layer is computed, and says why.

The order of preference: what ``GATEWISE_KERNEL`` or :func:`force` requests; else the first implementation of
:data:`CANDIDATES` that supports the request; else the reference. Nothing is swapped silently: every
:class:`Choice` carries its reason, and layers keep the last ones (``layer.explain_kernel()``).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from gatewise.errors import KernelError, OptionError, did_you_mean
from gatewise.kernels.info import LAYOUT_OPTIONS
from gatewise.kernels.registry import CELLS, KERNELS
from gatewise.kernels.transforms import transformed

__all__ = [
    "CANDIDATES",
    "OPTIONS",
    "WAYS",
    "Choice",
    "Request",
    "choose",
    "force",
    "forced_kernel",
    "precision",
    "requested_precision",
    "torch_supports",
]

OPTIONS = LAYOUT_OPTIONS.union(*(info.options | (info.torch_options or frozenset()) for info in CELLS.values()))
"""Every option name that a request may carry."""

_NAMES = ("reference", "torch", "avx512", "avx2", "neon", "baseline", "triton")
"""What may be forced."""
_FORCED: list[str] = []
_FORCED_IN: dict[int, list[str]] = {}
"""By the thread's identifier: what is forced for one thread alone."""
_ENVIRONMENT = os.environ
_VARIABLES: Container[object] = getattr(_ENVIRONMENT, "_data", (b"GATEWISE_KERNEL", "GATEWISE_KERNEL"))
"""What the environment holds, as the system spells it: asking the mapping around it takes microseconds at every call.
Where it is not there, the variable counts as set and is asked for."""
_VARIABLE = os.fsencode("GATEWISE_KERNEL") if os.supports_bytes_environ else "GATEWISE_KERNEL"
ROUNDINGS = {"float32": 0, "bf16": 1, "int8": 2}
"""What may enter the products, as :func:`precision` and ``Rounding`` in ``native/sequence.h`` know it."""
_PRECISION: list[str] = []
PRECISION: dict[str, str] = {}
"""The precision that is requested at the moment, at ``"name"``, one of the keys of :data:`ROUNDINGS`; empty without."""
REQUESTS = (_FORCED, _FORCED_IN)
"""All empty while nothing is forced by this program."""
ENVIRONMENT = (_ENVIRONMENT, _VARIABLES, _VARIABLE)
"""``os.environ``, what it holds, and what stands there (at least) while the environment forces something."""


@dataclass(frozen=True)
class Request:
    """What is to be computed: one direction of one layer over a whole batch.

    Attributes:
        cell: one of :data:`gatewise.kernels.registry.KERNELS`, or an own cell's name.
        device: ``"cpu"``, ``"cuda"``, ...
        dtype: the precision the products run in (under autocast: autocast's).
        input_size: I.
        hidden_size: H.
        batch: B.
        steps: T.
        options: subset of :data:`OPTIONS`.
        needs_grad: a backward pass will follow.
        precision: ``"float32"``, or ``"bf16"`` or ``"int8"`` where layers may round what enters their products.

    Example:
        >>> Request("gru", "cpu", torch.float32, 10, 20, 3, 5).options
        frozenset()
    """

    cell: str
    device: str
    dtype: torch.dtype
    input_size: int
    hidden_size: int
    batch: int
    steps: int
    options: frozenset[str] = frozenset()
    needs_grad: bool = False
    precision: str = "float32"


@dataclass(frozen=True)
class Choice:
    """Which implementation runs, and the reason in one sentence.

    Attributes:
        implementation: ``reference``, ``torch``, ``triton``, or ``fused-`` and an instruction set
            (``fused-avx512-bf16`` or ``fused-avx512-amx-bf16`` with rounded products, see :func:`precision`).
        reason: why this one, and where it matters why not a faster one.

    Example:
        >>> Choice("fused-avx2", "the CPU has AVX2").family
        'fused'
    """

    implementation: str
    reason: str

    @property
    def family(self) -> str:
        """The implementation without its instruction set: ``reference``, ``torch``, ``triton`` or ``fused``."""
        return self.implementation.partition("-")[0]


def torch_supports(request: Request) -> tuple[bool, str]:
    """Whether PyTorch's own fused sequence functions compute exactly this request, and why (not).

    Example:
        >>> torch_supports(Request("gru", "cpu", torch.float32, 1, 1, 1, 1, frozenset({"reset_before"})))
        (False, "torch's gru has no reset_before")
    """
    info = KERNELS.get(request.cell)
    if info is None or info.torch_options is None:
        return False, f"torch has no {request.cell} sequence function"
    missing = sorted(request.options - info.torch_options - LAYOUT_OPTIONS)
    if missing:
        return False, f"torch's {request.cell} has no {', '.join(missing)}"
    if request.batch == 0 or request.steps == 0:
        return False, "torch refuses empty sequences"
    if transformed():
        return False, "transforms of torch.func and forward-mode derivatives need plain operations"
    if info.states > 1 and "lengths" in request.options and torch.compiler.is_compiling():
        return False, "packing a ragged batch cannot be traced"
    if info.states > 1 and request.device == "cpu" and torch.is_autocast_enabled("cpu") and not _low_precision(request):
        return False, f"torch's {request.cell} has no autocast to {str(request.dtype)[6:]} on this processor"
    backend = "cuDNN" if request.device == "cuda" else "torch"
    return True, f"{backend} has a {request.cell} sequence function with these options"


def _low_precision(request: Request) -> bool:
    """Whether oneDNN, which computes torch's LSTM, has products in the request's precision."""
    if request.dtype == torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return request.dtype != torch.float16 or bool(torch.ops.mkldnn._is_mkldnn_fp16_supported())


CANDIDATES: list[Callable[[Request], tuple[Choice | None, str]]] = []
"""Implementations before torch, best first: each maps a request to (its choice or None, the reason); the reason is
empty where it says nothing about the request, as where an implementation of another family is forced."""
WAYS: dict[str, Callable[[Request], list[str]]] = {}
"""By the name of a forced implementation: what a person does so that it can run a request that it refused."""


def forced_kernel() -> str | None:
    """The implementation requested by :func:`force` or the environment variable ``GATEWISE_KERNEL``, or None.

    Raises:
        KernelError: the name is unknown.

    Example:
        >>> with force("reference"):
        ...     forced_kernel()
        'reference'
    """
    own = _FORCED_IN.get(threading.get_ident()) if _FORCED_IN else None  # seldom any: compiled code meets no thread
    forced = own or _FORCED
    if not forced and _ENVIRONMENT is os.environ and _VARIABLE not in _VARIABLES:
        return None
    name = forced[-1] if forced else os.environ.get("GATEWISE_KERNEL") or None
    if name is None:
        return None
    if name not in _NAMES:
        raise KernelError("GATEWISE_KERNEL names no kernel", got=repr(name), fix=did_you_mean(name, _NAMES))
    return name


@contextmanager
def force(name: str, *, this_thread: bool = False) -> Iterator[None]:
    """Use one implementation inside the ``with`` block, as ``GATEWISE_KERNEL`` does; for all threads of the process.

    Args:
        name: ``reference``, ``torch``, ``avx512``, ``avx2``, ``neon``, ``baseline`` or ``triton``.
        this_thread: for the calling thread alone, where it goes before what is forced for all.

    Raises:
        KernelError: on the first choice, where the name is unknown or the kernel is not there.

    Example:
        >>> with force("reference"):
        ...     choose(Request("gru", "cpu", torch.float32, 1, 1, 1, 1)).implementation
        'reference'
    """
    thread = threading.get_ident()
    stack = _FORCED_IN.setdefault(thread, []) if this_thread else _FORCED
    stack.append(name)
    try:
        yield
    finally:
        stack.pop()
        if this_thread and not stack:
            del _FORCED_IN[thread]


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Let layers round what enters their products inside the ``with`` block; for all threads of the process.

    ``bf16`` multiplies bfloat16 numbers (8 bits of precision) and sums in float32, in inference and in training, where
    gradients are rounded too before a product; weights, states, biases, gates and sums stay float32. It takes a half to
    two thirds of the time or less, and outputs move by some thousandths. A gradient may be asked for outside the
    block: it is made as the outputs were.

    ``int8``, for inference alone, multiplies weights of 8 bits, one scale per row, with inputs and states of 16 bits,
    one scale per row and step, and sums exactly; for few rows of wide layers, best inside :func:`gatewise.nn.frozen`,
    since else each call rounds the weights anew.

    Both are preferences: a layer whose cell, options or CPU have no such products runs in float32 and says so in
    ``layer.explain_kernel()``.

    Args:
        name: ``bf16``, ``int8`` or ``float32``.

    Raises:
        OptionError: another name; and with ``int8`` in a layer's call that needs gradients, since it has none.

    Example:
        >>> with precision("bf16"):
        ...     requested_precision()
        'bf16'
        >>> requested_precision()
        'float32'
    """
    if name not in ROUNDINGS:
        raise OptionError(f"no precision {name!r}", expected=", ".join(ROUNDINGS), fix=did_you_mean(name, ROUNDINGS))
    _PRECISION.append(next(each for each in ROUNDINGS if each == name))  # the same object every time
    PRECISION["name"] = _PRECISION[-1]
    try:
        yield
    finally:
        _PRECISION.pop()
        if _PRECISION:
            PRECISION["name"] = _PRECISION[-1]
        else:
            PRECISION.clear()


def requested_precision() -> str:
    """What :func:`precision` requests at the moment; ``float32`` outside of it.

    Example:
        >>> requested_precision()
        'float32'
    """
    return _PRECISION[-1] if _PRECISION else "float32"


def rounding_of(implementation: str) -> int:
    """What enters the products of an implementation, one of :data:`ROUNDINGS`.

    Example:
        >>> rounding_of("fused-avx2-int8"), rounding_of("fused-avx2")
        (2, 0)
    """
    return ROUNDINGS.get(implementation.rpartition("-")[2], 0)


def _ways(forced: str, request: Request) -> str:
    """What a person does to get the kernels that were requested; empty, or with ``or`` at its end."""
    found = WAYS[forced](request) if forced in WAYS else []
    return "; ".join([*found, "or "]) if found else ""


def choose(request: Request) -> Choice:
    """The implementation for a request, and the reason.

    Args:
        request: what is to be computed.

    Returns:
        The choice. A forced ``torch`` that lacks an option of the request becomes the reference, and says so.

    Raises:
        KernelError: a forced kernel is unknown or not available for this request.
        OptionError: whole numbers are wanted together with gradients.

    Example:
        >>> with force("torch"):
        ...     choose(Request("mingru", "cpu", torch.float32, 4, 4, 2, 3)).reason
        'torch was requested, but torch has no mingru sequence function'
    """
    forced = forced_kernel()
    if request.precision == "int8" and request.needs_grad:
        raise OptionError(
            f"{request.cell} with rounded products ({request.precision}) has no gradients",
            fix=f'run it under torch.no_grad(), or outside of nn.precision("{request.precision}"); bf16 has gradients',
        )
    if forced == "reference":
        return Choice("reference", "the reference was requested")
    supported, torch_reason = torch_supports(request)
    if forced == "torch":
        if supported:
            return Choice("torch", f"torch was requested; {torch_reason}")
        return Choice("reference", f"torch was requested, but {torch_reason}")
    refusals = []
    for candidate in CANDIDATES:
        choice, reason = candidate(request)
        if choice is not None and (forced is None or forced in choice.implementation.split("-")):
            return choice
        refusals += [reason] if reason else []
    why_not = "; ".join(refusals)
    if forced is not None:
        refusal = KernelError(
            f"the {forced} kernel was requested but cannot run this {request.cell}",
            got=why_not or "no compiled kernel is installed",
            fix=_ways(forced, request) + "unset GATEWISE_KERNEL, or set it to reference or torch",
        )
        refusal.request = request
        raise refusal
    if supported:
        return Choice("torch", f"{torch_reason}; {why_not}" if why_not else torch_reason)
    return Choice("reference", f"{torch_reason}; {why_not}" if why_not else torch_reason)
