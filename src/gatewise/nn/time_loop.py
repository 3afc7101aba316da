"""The only time loop: one direction of one layer, ragged rows, zoneout, traces, and chunks for checkpointing.

Semantics, the same for every implementation: time-major; row b of a ragged batch has ``lengths[b]`` real steps; the
backward direction starts at each row's own last step; outputs past a row's end are zero and its states are held.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from gatewise.errors import ShapeError
from gatewise.nn.cell import Cell, State, Weights

__all__ = ["Direction", "active_steps", "in_chunks", "reverse_rows", "run_reference", "scans", "unroll"]


@dataclass(frozen=True)
class Direction:
    """One direction of one layer over a whole batch: everything an implementation needs.

    Attributes:
        cell: the cell.
        x: ``(T, B, I)``; positions past a row's end are zero.
        state: the initial states, each ``(B, size)``.
        weights: the parameters by short name (weight dropout has been applied).
        lengths: ``(B,)`` int64 on x's device, 0 to T, or None.
        reverse: walk each row from its own end to its start.
        recurrent_mask: ``(B, H)``, scaled, or None.
        zoneout: per state a keep mask ``(T, B, size)`` of bool (training), a probability (evaluation), or None.
    """

    cell: Cell
    x: Tensor
    state: State
    weights: Weights
    lengths: Tensor | None = None
    reverse: bool = False
    recurrent_mask: Tensor | None = None
    zoneout: tuple[Tensor | float | None, ...] = ()


def active_steps(lengths: Tensor, steps: int) -> Tensor:
    """Which positions are real.

    Args:
        lengths: ``(B,)``.
        steps: T.

    Returns:
        ``(T, B)`` bool.

    Example:
        >>> active_steps(torch.tensor([1, 2]), 2)
        tensor([[ True,  True],
                [False,  True]])
    """
    return torch.arange(steps, device=lengths.device)[:, None] < lengths


def reverse_rows(x: Tensor, lengths: Tensor | None) -> Tensor:
    """Each row's real steps in reverse order; padding stays where it is. Its own inverse.

    Args:
        x: ``(T, B, N)``.
        lengths: ``(B,)`` or None for whole rows.

    Returns:
        ``(T, B, N)``.

    Example:
        >>> reverse_rows(torch.arange(3.0)[:, None, None], torch.tensor([2])).flatten()
        tensor([1., 0., 2.])
    """
    if lengths is None:
        return x.flip(0)
    positions = torch.arange(x.shape[0], device=x.device)[:, None]
    mirrored = torch.where(positions < lengths, lengths - 1 - positions, positions)
    return x.gather(0, mirrored[..., None].expand_as(x))


def _zone(new: Tensor, old: Tensor, zoneout: Tensor | float | None) -> Tensor:
    """Zoneout (Krueger et al. 2017, arXiv:1606.01305) of one state at one step."""
    if zoneout is None:
        return new
    if isinstance(zoneout, Tensor):
        return torch.where(zoneout, old, new)
    return zoneout * old + (1.0 - zoneout) * new


def unroll(direction: Direction, trace: dict[str, list[Tensor]] | None = None) -> tuple[Tensor, State]:
    """Run a cell's step over time.

    Args:
        direction: what to run.
        trace: a dictionary to fill with every value of every step, in time order.

    Returns:
        Output ``(T, B, size of the first state)`` and the final states.

    Example:
        >>> from gatewise.nn.cell import cell_class
        >>> cell = cell_class("rnn")(2, 3)
        >>> weights = {name: torch.ones(shape) for name, shape in cell.parameter_shapes().items()}
        >>> output, (hidden,) = unroll(Direction(cell, torch.ones(5, 1, 2), (torch.zeros(1, 3),), weights))
        >>> output.shape, bool((output[-1] == hidden).all())
        (torch.Size([5, 1, 3]), True)
    """
    cell, state, steps = direction.cell, direction.state, direction.x.shape[0]
    gates_x = cell.project(direction.x, direction.weights).unbind(0)
    active = None if direction.lengths is None else active_steps(direction.lengths, steps)[..., None].unbind(0)
    zoneout = direction.zoneout or (None,) * len(state)
    zoned = [each.unbind(0) if isinstance(each, Tensor) else each for each in zoneout]
    masked = () if direction.recurrent_mask is None else (direction.recurrent_mask,)
    outputs: list[Tensor] = [direction.x] * steps
    records: list[dict[str, Tensor]] = [{}] * steps
    first = steps - 1 if direction.reverse else 0
    for t in reversed(range(steps)) if direction.reverse else range(steps):
        values = cell.step(gates_x[t], state, direction.weights, *masked)
        if t == first:
            _check_step(cell, values, state)
        rates = [each[t] if isinstance(each, tuple) else each for each in zoned]
        new = tuple(_zone(values[name], old, p) for name, old, p in zip(cell.states, state, rates, strict=True))
        state = new if active is None else tuple(torch.where(active[t], n, o) for n, o in zip(new, state, strict=True))
        outputs[t] = new[0]
        if trace is not None:
            records[t] = values | dict(zip(cell.states, new, strict=True))
    if trace is not None:
        _record(trace, records, active, cell, direction)
    if steps == 0:
        return direction.x.new_zeros(0, state[0].shape[0], state[0].shape[1]), state
    output = torch.stack(outputs)
    if direction.lengths is not None:
        output = output.masked_fill(~active_steps(direction.lengths, steps)[..., None], 0)
    return output, state


def _check_step(cell: Cell, values: dict[str, Tensor], state: State) -> None:
    """Refuse what a cell's step gave where a state is missing or has another shape: of a cell that somebody wrote."""
    if not isinstance(values, dict):
        raise ShapeError(
            f"the step of the cell {cell.name!r} returns no dictionary",
            expected="every gate, candidate and new state by name: {'candidate': ..., 'hidden': ...}",
            got=type(values).__name__,
        )
    for name, old in zip(cell.states, state, strict=True):
        if name not in values:
            raise ShapeError(
                f"the step of the cell {cell.name!r} does not return the state {name!r}",
                expected=", ".join(cell.states) + " among what it returns",
                got=", ".join(map(str, values)) or "nothing",
                fix=f"return {{..., {name!r}: ...}} from step, or name other states",
            )
        if getattr(values[name], "shape", None) != old.shape:
            raise ShapeError(
                f"the step of the cell {cell.name!r} returns the state {name!r} in another shape",
                expected=f"{tuple(old.shape)}: batch and size of the state",
                got=tuple(getattr(values[name], "shape", ())) or type(values[name]).__name__,
                fix="gates_x and self.recurrent(...) have the width of all gates: cut out one part for each, by "
                ".chunk(len(self.gates), -1)",
            )


def _record(
    trace: dict[str, list[Tensor]],
    records: list[dict[str, Tensor]],
    active: tuple[Tensor, ...] | None,
    cell: Cell,
    direction: Direction,
) -> None:
    """Fill a trace: values in time order, zero past a row's end; for an empty sequence the names with no steps."""
    if not records:
        zero = torch.zeros_like(direction.x[:0]).sum(0)
        for name in cell.step(cell.project(zero, direction.weights), direction.state, direction.weights):
            trace[name] = []
    for t, record in enumerate(records):
        for name, value in record.items():
            trace.setdefault(name, []).append(value if active is None else value.masked_fill(~active[t], 0))


def scans(direction: Direction) -> bool:
    """Whether the reference evaluates all steps at once: the cell has a scan, and there is no zoneout."""
    plain = direction.x.shape[0] > 0 and all(each is None for each in direction.zoneout)
    return plain and type(direction.cell).scan is not Cell.scan


def run_reference(direction: Direction) -> tuple[Tensor, State]:
    """The reference implementation: the cell's parallel scan where it has one and may use it, else the loop.

    Args:
        direction: what to run.

    Returns:
        Output and final states, as :func:`unroll`.
    """
    if not scans(direction):
        return unroll(direction)
    steps, lengths = direction.x.shape[0], direction.lengths
    x = reverse_rows(direction.x, lengths) if direction.reverse else direction.x
    gates_x = direction.cell.project(x, direction.weights)
    output = direction.cell.scan(gates_x, direction.state, direction.weights)
    if output is None:
        return unroll(direction)
    final = last_rows(output, lengths, direction.state[0])
    if lengths is not None:
        output = output.masked_fill(~active_steps(lengths, steps)[..., None], 0)
    return (reverse_rows(output, lengths) if direction.reverse else output), (final,)


def last_rows(output: Tensor, lengths: Tensor | None, initial: Tensor) -> Tensor:
    """Each row's value at its last real step; the initial state where it has none.

    Args:
        output: ``(T, B, H)``, T > 0.
        lengths: ``(B,)`` or None.
        initial: ``(B, H)``.

    Returns:
        ``(B, H)``.

    Example:
        >>> last_rows(torch.arange(3.0)[:, None, None], torch.tensor([2]), torch.zeros(1, 1))
        tensor([[1.]])
    """
    if lengths is None:
        return output[-1]
    index = (lengths - 1).clamp(min=0)[None, :, None].expand(1, -1, output.shape[-1])
    return torch.where((lengths > 0)[:, None], output.gather(0, index)[0], initial)


def in_chunks(
    run: Callable[[Direction], tuple[Tensor, State]], direction: Direction, chunk: int
) -> tuple[Tensor, State]:
    """Run in chunks of time, keeping only the states between them for the backward pass (Chen et al. 2016).

    Memory falls from T steps to ``T / chunk`` states and one chunk of steps; each chunk's forward runs twice. Works for
    every implementation and gives the same numbers.

    Args:
        run: any implementation.
        direction: what to run.
        chunk: steps per chunk.

    Returns:
        Output and final states, as :func:`unroll`.
    """
    steps = direction.x.shape[0]
    starts = list(range(0, steps, chunk))
    inputs = direction.x.split(chunk)
    outputs: list[Tensor] = [direction.x] * len(starts)
    state = direction.state
    for number in reversed(range(len(starts))) if direction.reverse else range(len(starts)):
        start, x = starts[number], inputs[number]
        end = start + x.shape[0]
        part = replace(
            direction,
            x=x,
            lengths=None if direction.lengths is None else (direction.lengths - start).clamp(0, end - start),
            zoneout=tuple(each[start:end] if isinstance(each, Tensor) else each for each in direction.zoneout),
        )

        def call(x: Tensor, *state: Tensor, part: Direction = part) -> tuple[Tensor, State]:
            return run(replace(part, x=x, state=state))

        outputs[number], state = checkpoint(
            call, x, *state, use_reentrant=False, preserve_rng_state=False, determinism_check="none"
        )
    return torch.cat(outputs), state
