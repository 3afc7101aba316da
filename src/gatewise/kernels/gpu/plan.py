"""What a cell's ``gpu.py`` says of its kernels, and which tiles they work on.

Buffers that a kernel may name, T steps, B rows, H units, G gates, S saved values per unit:

========================  ==============  =================================================================
``gates_x``               (T, B, G*H)     the input's share of every gate
``product``               (T, B, G*H)     the state's share before normalisation and bias; one step in inference
``hidden``, ``cell``      (T + 1, B, H)   states; slot 0 is the initial one, in a backward direction slot T
``seen``, ``seen_later``  (B, H)          what the step's first and second product read, masks applied
``saved``                 (T, B, S*H)     activated gates; ``None`` in inference where no kernel reads them
``carry``, ``carry_c``    (B, H)          gradients of the states on their way back
``back``, ``back_later``  (B, H)          gradients that came back through the first and second product
``grad_gates``            (T, B, G*H)     gradient of ``gates_x``
``grad_product``          (T, B, G*H)     gradient of ``product``
========================  ==============  =================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from torch import Tensor

__all__ = ["Inputs", "Kept", "Plan", "Tiles", "tiles"]

TILE = 256
"""Numbers of one state that a program works on, where layer normalisation does not ask for whole rows."""


class Inputs(NamedTuple):
    """The tensors of one direction; the first nine have gradients."""

    gates_x: Tensor
    h0: Tensor
    c0: Tensor | None
    weight_hh: Tensor
    bias_hh: Tensor | None
    layer_norm_hh: Tensor | None
    layer_norm_c: Tensor | None
    layer_norm_c_bias: Tensor | None
    weight_peephole: Tensor | None
    recurrent_mask: Tensor | None
    keep_h: Tensor | None
    keep_c: Tensor | None
    lengths: Tensor | None


class Kept(NamedTuple):
    """What a forward walk leaves for the way back."""

    hidden: Tensor
    cell: Tensor | None
    saved: Tensor | None
    product: Tensor


def _nothing(*_: Any) -> dict[str, Tensor]:
    return {}


@dataclass(frozen=True, eq=False)
class Plan:
    """One cell with one set of its own options.

    Attributes:
        gates: G.
        saved: S.
        stages: the gates (first, end) of each product of a step; one kernel follows each.
        forward, backward: those kernels, in forward order.
        blocks: widths in gates over which layer normalisation takes one mean and variance each.
        states: 1 or 2.
        constants: what the kernels are compiled for, by name.
        apart: a product's gradient differs from its gates' also without layer normalisation.
        passes: a step's second kernel reads what the first one saved.
        before_bias: the gradient of ``product`` after its normalisation from that of ``gates_x``, by
            ``(grad_gates, saved)``.
        later_seen: what the second product read, ``(T, B, H)``, by ``(saved, old hidden states)``; masks not applied.
        own: gradients of the cell's own parameters by name, by ``(inputs, kept, cell states before the steps,
            grad_gates, grad_shown)``.
    """

    gates: int
    saved: int
    stages: tuple[tuple[int, int], ...]
    forward: tuple[Any, ...]
    backward: tuple[Any, ...]
    blocks: tuple[int, ...]
    states: int = 1
    constants: Mapping[str, Any] = field(default_factory=dict)
    apart: bool = False
    passes: bool = False
    before_bias: Callable[[Tensor, Tensor], Tensor] | None = None
    later_seen: Callable[[Tensor, Tensor], Tensor] | None = None
    own: Callable[..., dict[str, Tensor]] = _nothing


class Tiles(NamedTuple):
    """How a launch is cut: programs along the batch and along the units, rows and units of each, and its warps."""

    grid: tuple[int, int]
    rows: int
    units: int
    width: int
    warps: int


def _power_of_two(number: int) -> int:
    return 1 << max(number - 1, 0).bit_length()


def tiles(batch: int, size: int, widest: int | None) -> Tiles:
    """Tiles of powers of two, as Triton wants them.

    Args:
        batch: B.
        size: H.
        widest: numbers in the widest block of layer normalisation, or None without it.

    Example:
        >>> tiles(32, 100, None)
        Tiles(grid=(16, 1), rows=2, units=128, width=1, warps=2)
        >>> tiles(3, 100, 400)
        Tiles(grid=(2, 1), rows=2, units=128, width=512, warps=8)
    """
    units = _power_of_two(size) if widest is not None else min(_power_of_two(size), TILE)
    rows = min(max(TILE // units, 1), _power_of_two(batch))
    width = 1 if widest is None else _power_of_two(widest)
    warps = min(max(_power_of_two(rows * max(units, width) // 128), 1), 8)
    return Tiles((-(-batch // rows), -(-size // units)), rows, units, width, warps)
