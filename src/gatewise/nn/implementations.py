"""The table of implementations: how a chosen kernel family runs one direction of one layer.

To add a family, add one entry to :data:`IMPLEMENTATIONS`: a function ``(Choice, Direction) -> (output, states)`` with
the semantics of :mod:`gatewise.nn.time_loop`, and a candidate in :mod:`gatewise.kernels.dispatch` that chooses it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import _VF, Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from gatewise.kernels.dispatch import Choice
from gatewise.nn.cell import Cell, State, Weights
from gatewise.nn.fused import run_fused
from gatewise.nn.gpu import run_triton
from gatewise.nn.time_loop import Direction, active_steps, last_rows, reverse_rows, run_reference, scans

__all__ = ["IMPLEMENTATIONS", "Implementation", "run_direction", "run_stack", "torch_stack"]

Implementation = Callable[[Choice, Direction], tuple[Tensor, State]]

_TORCH_ORDER = ("weight_ih", "weight_hh", "bias_ih", "bias_hh", "weight_hr")


def torch_weights(cell: Cell, weights: Weights) -> list[Tensor]:
    """Parameters in the order torch's sequence functions take them.

    A GRU with ``update="replace"`` becomes one that keeps by negating what enters its update gate:
    ``1 - sigmoid(a) = sigmoid(-a)``.
    """
    ordered = {name: weights[name] for name in _TORCH_ORDER if name in weights}
    if "update_replace" in cell.kernel_options():
        size = cell.hidden_size
        for name, value in ordered.items():
            reset, update, candidate = value.split(size)
            ordered[name] = torch.cat([reset, -update, candidate])
    return list(ordered.values())


def torch_stack(
    cell: Cell,
    x: Tensor,
    state: Sequence[Tensor],
    weights: Sequence[Weights],
    *,
    bidirectional: bool = False,
    dropout: float = 0.0,
    training: bool = False,
    lengths: Tensor | None = None,
) -> tuple[Tensor, list[Tensor]]:
    """A whole stack of layers in one call of torch's sequence function (oneDNN, cuDNN or generic).

    Args:
        cell: any layer's cell (all of one kind and width).
        x: ``(T, B, I)``.
        state: each ``(L*D, B, size)``.
        weights: L*D sets of parameters, layer by layer, forward before backward.
        bidirectional: D is 2.
        dropout: between layers, in training.
        training: draw dropout.
        lengths: ``(B,)``, all above 0: the rows are packed.

    Returns:
        Output ``(T, B, D*size)``, zero past each row's end, and final states ``(L*D, B, size)``.
    """
    flat = [tensor for each in weights for tensor in torch_weights(cell, each)]
    layers = len(weights) // (2 if bidirectional else 1)
    function = getattr(_VF, cell.kernel_name)
    tail = (flat, cell.bias, layers, dropout, training, bidirectional)
    if lengths is None:
        output, *final = function(x, list(state) if len(state) > 1 else state[0], *tail, False)
        return output, final
    packed = pack_padded_sequence(x, lengths.cpu(), enforce_sorted=False)
    assert packed.sorted_indices is not None and packed.unsorted_indices is not None
    ordered = [each.index_select(1, packed.sorted_indices) for each in state]
    data, *final = function(packed.data, packed.batch_sizes, ordered if len(ordered) > 1 else ordered[0], *tail)
    restored = PackedSequence(data, packed.batch_sizes, packed.sorted_indices, packed.unsorted_indices)
    output, _ = pad_packed_sequence(restored, total_length=x.shape[0])
    return output, [each.index_select(1, packed.unsorted_indices) for each in final]


def _run_reference(choice: Choice, direction: Direction) -> tuple[Tensor, State]:
    return run_reference(direction)


def _run_torch(choice: Choice, direction: Direction) -> tuple[Tensor, State]:
    """One direction through torch: rows reversed before and after, ragged rows masked or packed."""
    cell, lengths = direction.cell, direction.lengths
    x = reverse_rows(direction.x, lengths) if direction.reverse else direction.x
    if lengths is not None and len(cell.states) > 1:
        output, final = _run_packed(direction, x, lengths)
    else:
        state = [each[None].contiguous() for each in direction.state]
        output, joined = torch_stack(cell, x.contiguous(), state, [direction.weights])
        if lengths is None:
            final = tuple(each[0] for each in joined)
        else:
            final = (last_rows(output, lengths, direction.state[0]),)
            output = output.masked_fill(~active_steps(lengths, x.shape[0])[..., None], 0)
    return (reverse_rows(output, lengths) if direction.reverse else output), final


def _run_packed(direction: Direction, x: Tensor, lengths: Tensor) -> tuple[Tensor, State]:
    """Pack the rows; those without a step (chunks of a ragged batch have them) keep their state and give zeros."""
    rows = torch.nonzero(lengths)[:, 0]
    every = rows.numel() == lengths.numel()
    if rows.numel() == 0:
        return x.new_zeros(*x.shape[:2], direction.state[0].shape[-1]), direction.state
    chosen = x if every else x.index_select(1, rows)
    state = [(each if every else each.index_select(0, rows))[None] for each in direction.state]
    output, joined = torch_stack(
        direction.cell, chosen, state, [direction.weights], lengths=lengths if every else lengths[rows]
    )
    if every:
        return output, tuple(each[0] for each in joined)
    whole = output.new_zeros(x.shape[0], x.shape[1], output.shape[-1]).index_copy(1, rows, output)
    return whole, tuple(old.index_copy(0, rows, new[0]) for old, new in zip(direction.state, joined, strict=True))


IMPLEMENTATIONS: dict[str, Implementation] = {
    "reference": _run_reference,
    "torch": _run_torch,
    "fused": run_fused,
    "triton": run_triton,
}
"""Kernel family to the function that runs it."""


def compiling() -> bool:
    """Inside ``torch.compile`` proper; False while exporting, which keeps everything in one graph."""
    return torch.compiler.is_compiling() and not torch.compiler.is_exporting()


def run_stack(*arguments: Any, **options: Any) -> tuple[Tensor, list[Tensor]]:
    """:func:`torch_stack`, which ``torch.compile`` leaves as it is (one graph break, as for torch.nn's own layers)."""
    if compiling():
        from gatewise.nn.uncompiled import stack_outside_the_graph

        return stack_outside_the_graph(*arguments, **options)
    return torch_stack(*arguments, **options)


def run_direction(choice: Choice, direction: Direction) -> tuple[Tensor, State]:
    """Run one direction of one layer with the chosen implementation.

    Args:
        choice: from :func:`gatewise.kernels.dispatch.choose`.
        direction: what to run.

    Returns:
        Output ``(T, B, size)``, zero past each row's end, and the final states ``(B, size)``, held past each row's end.
        Under ``torch.compile`` time loops (Triton's too) and torch's sequence functions stay outside the graph:
        unrolled they would take minutes to compile. Scans and fused operators stay inside.
    """
    loops = choice.family in ("torch", "triton") or (choice.family == "reference" and not scans(direction))
    if loops and compiling():
        from gatewise.nn.uncompiled import direction_outside_the_graph

        return direction_outside_the_graph(choice, direction)
    return IMPLEMENTATIONS[choice.family](choice, direction)
