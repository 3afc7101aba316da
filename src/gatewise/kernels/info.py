"""What the rest of the package has to know about a cell with compiled kernels.

Each such cell states it once, as ``INFO`` in ``kernels/<cell>/info.py``; :mod:`gatewise.kernels.registry` finds them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["LAYOUT_OPTIONS", "ROW_OPTIONS", "KernelInfo"]

LAYOUT_OPTIONS = frozenset({"lengths", "reverse"})
"""Request options about where values lie in time; every sequence function has them."""
ROW_OPTIONS = frozenset({"layer_norm", "recurrent_dropout", "zoneout"})
"""Request options that every compiled cell with recurrent weights has (``native/whole.h``)."""


@dataclass(frozen=True)
class KernelInfo:
    """One cell with compiled kernels.

    Attributes:
        cell: the folder's name; the C functions are ``gatewise_<cell>_forward``, ``_backward`` and ``_session``.
        gates: G, gates per hidden unit in the weights.
        names: what a :class:`gatewise.kernels.dispatch.Request` may call the cell; default: ``cell``.
        options: request options that the compiled sequence has beside :data:`LAYOUT_OPTIONS`.
        step_options: those with which a compiled step of a stream exists too.
        flags: bits of ``GatewiseSequence.flags`` in ``native/sequence.h``, by the name or the option that sets them.
        gates_with: G where an option changes it.
        states: 1 (hidden) or 2 (hidden and cell).
        recurrent: has ``weight_hh``; else the gates see the input only, and there is no ``bias_hh``.
        saved: values per unit and step that training keeps for the backward pass; default: G.
        output_suffices: without options the backward pass needs nothing but the output.
        gpu_options: request options that the Triton kernels in ``kernels/<cell>/gpu.py`` have beside
            :data:`LAYOUT_OPTIONS`; None where there are none.
        torch_options: request options that torch's own sequence function has beside :data:`LAYOUT_OPTIONS`; None where
            torch has no such function.
        rounds: has rounded products (``nn.precision``).
        reported: sets of options for which ``gatewise doctor`` shows the kernel, beside none.

    Example:
        >>> info = KernelInfo("toy", gates=2, flags={"open": 1}, gates_with={"open": 1})
        >>> info.names, info.flags_of("toy", {"open"}), info.gates_of(info.flags_of("toy", {"open"}))
        (('toy',), 1, 1)
    """

    cell: str
    gates: int
    names: tuple[str, ...] = ()
    options: frozenset[str] = frozenset()
    step_options: frozenset[str] = frozenset()
    flags: Mapping[str, int] = field(default_factory=dict)
    gates_with: Mapping[str, int] = field(default_factory=dict)
    states: int = 1
    recurrent: bool = True
    saved: int | None = None
    output_suffices: bool = False
    gpu_options: frozenset[str] | None = None
    torch_options: frozenset[str] | None = None
    rounds: bool = False
    reported: tuple[frozenset[str], ...] = ()

    def __post_init__(self) -> None:
        if not self.names:
            object.__setattr__(self, "names", (self.cell,))

    def flags_of(self, name: str, options: frozenset[str] | set[str]) -> int:
        """The bits that one of :attr:`names` and a request's options set."""
        flags = 0
        for key, bit in self.flags.items():
            if key == name or key in options:
                flags |= bit
        return flags

    def gates_of(self, flags: int) -> int:
        """G where these bits are set."""
        if flags:
            for option, gates in self.gates_with.items():
                if flags & self.flags[option]:
                    return gates
        return self.gates
