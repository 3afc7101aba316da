"""A whole sequence through the compiled kernels: checked, and then run eagerly or as one operator of a graph."""

from __future__ import annotations

import torch
from torch import Tensor

from gatewise.errors import OptionError
from gatewise.kernels.fused.call import DIFFERENTIABLE, Inputs, Options, is_recorded
from gatewise.kernels.fused.checks import check_inputs
from gatewise.kernels.fused.eager import SequenceFunction, dense, forward
from gatewise.kernels.fused.traced import traced_sequence

__all__ = ["sequence", "zoneout_parts"]

_EAGER = (Tensor, torch.nn.Parameter)


def zoneout_parts(zoneout: Tensor | float | None) -> tuple[Tensor | None, float]:
    """A zoneout argument as (keep mask of bytes or None, expectation).

    Example:
        >>> zoneout_parts(0.25)
        (None, 0.25)
    """
    if zoneout is None:
        return None, 0.0
    if isinstance(zoneout, Tensor):
        return (zoneout.view(torch.uint8) if zoneout.dtype == torch.bool else zoneout), 0.0
    if not 0.0 <= zoneout <= 1.0:
        raise OptionError("a zoneout probability lies outside its range", expected="0 to 1", got=zoneout)
    return None, float(zoneout)


def sequence(options: Options, inputs: Inputs) -> tuple[Tensor, ...]:
    """Run a whole sequence, differentiably; the equations are in ``kernels/<cell>/README.md``.

    Args:
        options: the cell and everything that is no tensor.
        inputs: the tensors.

    Returns:
        ``output`` (T, B, H), zero past a row's end, ``h_n`` (B, H) and, where the cell has two states, ``c_n`` (B, H).

    Raises:
        ShapeError: a tensor has another shape, precision or device, or a length lies outside 0 to T.
        KernelError: there are no compiled kernels, or memory is short.

    Example:
        >>> from gatewise.kernels.fused.library import load
        >>> if load()[0] is not None:
        ...     inputs = Inputs(torch.ones(2, 1, 3), torch.ones(1, 1), None, torch.zeros(2, 3), None)
        ...     output, _ = sequence(Options("mingru"), inputs)
        ...     assert output.flatten().tolist() == [0.75, 0.625]
    """
    info = options.info
    check_inputs(inputs, info.gates_of(options.flags), info.recurrent)
    if (
        torch.compiler.is_compiling()
        or is_recorded()
        or type(inputs.x) not in _EAGER
        or type(inputs.weight_ih) not in _EAGER
    ):
        return traced_sequence(options, inputs)
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in inputs[:DIFFERENTIABLE]):
        # Dense before it, since a copy made inside would have no graph.
        result: tuple[Tensor, ...] = SequenceFunction.apply(options, *dense(inputs))
        return result
    output, h_n, c_n, _ = forward(options, dense(inputs), False)
    return (output, h_n) if c_n is None else (output, h_n, c_n)
