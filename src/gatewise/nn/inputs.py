"""Checks of a layer's inputs x, lengths and hx, and hx's two layouts.

Outside, a state is laid out as in torch.nn: one tensor ``(L*D, B, size)`` per state, ``hidden`` alone or the tuple
``(hidden, cell)``. Where the layers differ in width there is, in place of each tensor, a tuple with one tensor
``(D, B, size)`` per layer. Inside, it is a list with one tuple of ``(B, size)`` per layer and direction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from gatewise.errors import ShapeError
from gatewise.nn.cell import State

__all__ = ["autocast_dtype", "check_input", "check_lengths", "join_state", "split_state"]


def _shape(value: object) -> str:
    return str(tuple(value.shape)) if isinstance(value, Tensor) else type(value).__name__


def _autocast(device: torch.device) -> bool:
    return torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type)


def autocast_dtype(kind: str) -> torch.dtype | None:
    """The precision that autocast asks for on this kind of device, or None.

    Example:
        >>> with torch.autocast("cpu", torch.bfloat16):
        ...     autocast_dtype("cpu")
        torch.bfloat16
    """
    on = torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind)
    return torch.get_autocast_dtype(kind) if on else None


def _check_kind(place: str, value: Tensor, weight: Tensor) -> None:
    """Same device and dtype as the weights (under autocast any floating dtype)."""
    if value.device != weight.device:
        raise ShapeError(
            f"{place} is on another device than the weights",
            expected=weight.device,
            got=value.device,
            fix=f"move it with .to('{weight.device}')",
        )
    same = value.dtype == weight.dtype or (_autocast(weight.device) and value.is_floating_point())
    if not same:
        raise ShapeError(
            f"{place} has another dtype than the weights",
            expected=weight.dtype,
            got=value.dtype,
            fix=f"convert it with .to({weight.dtype}), or the layer with layer.to({value.dtype})"
            if value.is_floating_point()
            else f"convert it with .to({weight.dtype})",
        )


def check_input(layer: str, x: object, weight: Tensor, input_size: int, batch_first: bool, step: bool = False) -> bool:
    """Check x and return whether it has a batch axis.

    Args:
        layer: the layer's class, for the message.
        x: ``(T, B, I)``, with ``batch_first`` ``(B, T, I)``; unbatched ``(T, I)``; for a step ``(B, I)`` or ``(I,)``.
        weight: any of the layer's weights.
        input_size: I.
        batch_first: which of the two layouts.
        step: x is one step.

    Returns:
        True where there is a batch axis B.

    Raises:
        ShapeError: not a tensor, another rank, feature size, dtype or device.
    """
    if step:
        axes, bare = "(B, I)", "(I,)"
    else:
        axes, bare = "(B, T, I)" if batch_first else "(T, B, I)", "(T, I)"
    expected = f"{axes} or unbatched {bare}, with I = {input_size}"
    if not isinstance(x, Tensor):
        fix = "torch.as_tensor(x, dtype=torch.float32)"
        raise ShapeError(f"{layer}: x is not a tensor", expected=expected, got=type(x).__name__, fix=fix)
    rank = 2 if step else 3
    if x.dim() not in (rank, rank - 1):
        raise ShapeError(
            f"{layer}: x has {x.dim()} axes",
            expected=expected,
            got=_shape(x),
            fix="add the feature axis with x.unsqueeze(-1)" if x.dim() < rank else "merge or drop the extra axes",
        )
    if x.shape[-1] != input_size:
        swapped = not step and input_size in x.shape
        raise ShapeError(
            f"{layer}: x's last axis is not the feature axis I",
            expected=expected,
            got=_shape(x),
            fix="put the feature axis last with x.movedim(.., -1)"
            if swapped
            else f"build the layer with input_size={x.shape[-1]}",
        )
    _check_kind(f"{layer}: x", x, weight)
    return x.dim() == rank


def check_lengths(layer: str, lengths: object, batch: int, steps: int, device: torch.device) -> Tensor:
    """Check lengths and bring them to ``(B,)`` int64 on the device.

    Args:
        layer: the layer's class, for the message.
        lengths: a tensor or list of B integers from 1 to T, in any order.
        batch: B.
        steps: T.
        device: where x is.

    Raises:
        ShapeError: not integers, not one per row, below 1 or above T.

    Example:
        >>> check_lengths("GRU", [3, 9], batch=2, steps=5, device=torch.device("cpu"))
        Traceback (most recent call last):
        gatewise.errors.ShapeError: GRU: lengths[1] is longer than the sequence axis T; expected: 1 to T = 5; got: 9;
        fix: clamp it with lengths.clamp(max=5), or pad x to T = 9
    """
    try:
        values = lengths if isinstance(lengths, Tensor) else torch.as_tensor(lengths)
    except (TypeError, ValueError, RuntimeError):
        fix = "give a tensor or list of integers"
        raise ShapeError(f"{layer}: lengths is not a list of integers", got=type(lengths).__name__, fix=fix) from None
    if values.is_floating_point() or values.is_complex() or values.dtype == torch.bool:
        raise ShapeError(
            f"{layer}: lengths must be integers",
            expected="(B,) of int64",
            got=values.dtype,
            fix="lengths = mask.sum(dim=time axis)" if values.dtype == torch.bool else "lengths.long()",
        )
    if tuple(values.shape) != (batch,):
        raise ShapeError(
            f"{layer}: lengths needs one entry per row",
            expected=f"(B,) with B = {batch}",
            got=_shape(values),
            fix="is batch_first set as x is laid out?" if values.dim() == 1 else "give one integer per row",
        )
    values = values.to(torch.int64)
    if not torch.compiler.is_compiling() and not torch._C._are_functorch_transforms_active():
        _check_range(layer, values.tolist(), steps)
    return values.to(device)


def _check_range(layer: str, values: list[int], steps: int) -> None:
    if not values or (min(values) >= 1 and max(values) <= steps):
        return
    for row, value in enumerate(values):
        if value < 1:
            raise ShapeError(
                f"{layer}: lengths[{row}] is not positive",
                expected=f"1 to T = {steps}",
                got=value,
                fix="remove empty rows from the batch",
            )
        if value > steps:
            raise ShapeError(
                f"{layer}: lengths[{row}] is longer than the sequence axis T",
                expected=f"1 to T = {steps}",
                got=value,
                fix=f"clamp it with lengths.clamp(max={steps}), or pad x to T = {value}",
            )


def split_state(
    layer: str,
    hx: Any,
    names: Sequence[str],
    sizes: Sequence[Sequence[int]],
    directions: int,
    batch: int | None,
    weight: Tensor,
) -> list[State]:
    """Check hx and bring it from the outer to the inner layout.

    Args:
        layer: the layer's class, for the message.
        hx: the outer state.
        names: the cell's state names.
        sizes: per layer the width of each state.
        directions: D.
        batch: B, or None for unbatched.
        weight: any of the layer's weights.

    Returns:
        One tuple of ``(B, size)`` per layer and direction.

    Raises:
        ShapeError: not one tensor per state, or another shape, dtype or device.
    """
    parts = (hx,) if len(names) == 1 else hx
    if len(names) > 1 and (not isinstance(hx, tuple | list) or len(hx) != len(names)):
        raise ShapeError(
            f"{layer}: hx must be one tensor per state",
            expected=f"the tuple ({', '.join(names)})",
            got=f"{len(hx)} parts" if isinstance(hx, tuple | list) else _shape(hx),
        )
    uniform = len(set(map(tuple, sizes))) == 1
    columns: list[list[Tensor]] = []
    for number, (name, part) in enumerate(zip(names, parts, strict=True)):
        place = f"{layer}: hx" if len(names) == 1 else f"{layer}: hx[{number}] ({name})"
        if uniform:
            columns.append(_unstack(place, part, "L*D", len(sizes) * directions, batch, sizes[0][number], weight))
            continue
        if not isinstance(part, tuple | list) or len(part) != len(sizes):
            raise ShapeError(
                f"{place} must be a tuple with one tensor per layer, because the layers differ in width",
                expected=f"{len(sizes)} tensors (D, B, H of the layer)",
                got=f"{len(part)} parts" if isinstance(part, tuple | list) else _shape(part),
            )
        column: list[Tensor] = []
        for depth, each in enumerate(part):
            column += _unstack(f"{place}[{depth}]", each, "D", directions, batch, sizes[depth][number], weight)
        columns.append(column)
    return list(zip(*columns, strict=True))


def _unstack(
    place: str, value: object, axis: str, count: int, batch: int | None, size: int, weight: Tensor
) -> list[Tensor]:
    expected = (count, size) if batch is None else (count, batch, size)
    letters = f"({axis}, H)" if batch is None else f"({axis}, B, H)"
    if not isinstance(value, Tensor) or tuple(value.shape) != expected:
        unbatched = isinstance(value, Tensor) and value.dim() != len(expected)
        raise ShapeError(
            f"{place} has the wrong shape",
            expected=f"{letters} = {expected}",
            got=_shape(value),
            fix=(
                "x is unbatched, so hx has no batch axis"
                if batch is None
                else "x is batched, so hx needs a batch axis B"
            )
            if unbatched
            else "layer.initial_state(batch) gives a fitting state",
        )
    _check_kind(place, value, weight)
    return list((value if batch is not None else value[:, None]).unbind(0))


def join_state(states: Sequence[State], directions: int, uniform: bool, batched: bool) -> Any:
    """Bring final states from the inner to the outer layout; the inverse of :func:`split_state`.

    Args:
        states: one tuple of ``(B, size)`` per layer and direction.
        directions: D.
        uniform: all layers have one width.
        batched: keep the batch axis.

    Returns:
        The outer state.

    Example:
        >>> join_state([(torch.zeros(3, 4),), (torch.ones(3, 4),)], 2, True, True).shape
        torch.Size([2, 3, 4])
    """

    def stack(tensors: Sequence[Tensor]) -> Tensor:
        if len(tensors) == 1:
            return tensors[0][None] if batched else tensors[0]
        return torch.stack(list(tensors)) if batched else torch.cat(list(tensors))

    parts: list[Any] = []
    for column in zip(*states, strict=True):
        if uniform:
            parts.append(stack(column))
        else:
            groups = [column[start : start + directions] for start in range(0, len(column), directions)]
            parts.append(tuple(stack(group) for group in groups))
    return parts[0] if len(parts) == 1 else tuple(parts)
