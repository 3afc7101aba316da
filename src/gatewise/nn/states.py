"""Working with states between steps: detach, move, batch, unbatch, save, load.

A state is what ``forward`` and ``step`` return and take: a tensor, or a tuple of tensors (or of tuples of tensors,
where layers differ in width). The batch axis is the second of every batched tensor; an unbatched one has none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from gatewise.errors import DataError, ShapeError
from gatewise.files import write_bytes

__all__ = ["batch_states", "detach_state", "load_state", "move_state", "save_state", "unbatch_state"]


def _map(state: Any, change: Callable[[Tensor], Tensor]) -> Any:
    if isinstance(state, Tensor):
        return change(state)
    if isinstance(state, tuple | list):
        return tuple(_map(part, change) for part in state)
    raise ShapeError("a state is a tensor or a tuple of tensors", got=type(state).__name__)


def _flatten(state: Any, name: str = "state") -> dict[str, Tensor]:
    if isinstance(state, Tensor):
        return {name: state}
    if not isinstance(state, tuple | list):
        raise ShapeError("a state is a tensor or a tuple of tensors", got=type(state).__name__)
    return {key: part for i, each in enumerate(state) for key, part in _flatten(each, f"{name}.{i}").items()}


def _unflatten(parts: dict[str, Tensor], name: str = "state") -> Any:
    if name in parts:
        return parts[name]
    count = 0
    while any(key == f"{name}.{count}" or key.startswith(f"{name}.{count}.") for key in parts):
        count += 1
    return tuple(_unflatten(parts, f"{name}.{i}") for i in range(count))


def detach_state(state: Any) -> Any:
    """Cut a state out of the autograd graph, as truncated backpropagation through time does between chunks.

    Example:
        >>> detach_state((torch.zeros(1, 2, 3, requires_grad=True),))[0].requires_grad
        False
    """
    return _map(state, torch.Tensor.detach)


def move_state(state: Any, device: torch.device | str | None = None, dtype: torch.dtype | None = None) -> Any:
    """Move a state to another device or precision.

    Example:
        >>> move_state(torch.zeros(1, 2, 3), dtype=torch.float64).dtype
        torch.float64
    """
    return _map(state, lambda part: part.to(device=device, dtype=dtype))


def batch_states(states: Sequence[Any]) -> Any:
    """Put unbatched states side by side into one batched state.

    Args:
        states: B states with tensors ``(L*D, H)``.

    Returns:
        One state with tensors ``(L*D, B, H)``.

    Raises:
        ShapeError: no states, or not all alike.

    Example:
        >>> batch_states([torch.zeros(2, 3), torch.ones(2, 3)]).shape
        torch.Size([2, 2, 3])
    """
    flat = [_flatten(state) for state in states]
    if not flat:
        raise ShapeError("batch_states needs at least one state", got="none")
    for number, each in enumerate(flat):
        shapes = {name: tuple(part.shape) for name, part in each.items()}
        first = {name: tuple(part.shape) for name, part in flat[0].items()}
        if shapes != first:
            raise ShapeError(f"states[{number}] is not like states[0]", expected=first, got=shapes)
    return _unflatten({name: torch.stack([each[name] for each in flat], dim=1) for name in flat[0]})


def unbatch_state(state: Any) -> list[Any]:
    """Take a batched state apart; the inverse of :func:`batch_states`.

    Args:
        state: tensors ``(L*D, B, H)``.

    Returns:
        B states with tensors ``(L*D, H)``.

    Raises:
        ShapeError: a tensor has no batch axis.

    Example:
        >>> [each.shape for each in unbatch_state(torch.zeros(2, 4, 3))][:1]
        [torch.Size([2, 3])]
    """
    parts = _flatten(state)
    for name, part in parts.items():
        if part.dim() != 3:
            raise ShapeError(f"{name} has no batch axis", expected="(L*D, B, H)", got=tuple(part.shape))
    rows = next(iter(parts.values())).shape[1]
    return [_unflatten({name: part[:, row] for name, part in parts.items()}) for row in range(rows)]


def save_state(state: Any, path: str | Path) -> Path:
    """Write a state as safetensors, whole or not at all.

    Returns:
        The path.

    Raises:
        StorageError: the file cannot be written.

    Example:
        >>> import tempfile
        >>> folder = tempfile.TemporaryDirectory()
        >>> path = save_state((torch.zeros(1, 2, 3), torch.ones(1, 2, 3)), Path(folder.name) / "state.safetensors")
        >>> [part.sum().item() for part in load_state(path)]
        [0.0, 6.0]
        >>> folder.cleanup()
    """
    parts = {name: part.detach().contiguous().cpu().clone() for name, part in _flatten(state).items()}
    return write_bytes(path, safetensors.torch.save(parts))


def load_state(path: str | Path, device: torch.device | str = "cpu") -> Any:
    """Read a state that :func:`save_state` wrote.

    Raises:
        DataError: no such file, or not a saved state.

    Example:
        >>> load_state("absent.safetensors")
        Traceback (most recent call last):
        gatewise.errors.DataError: absent.safetensors cannot be read as a saved state; ...
    """
    parts = read_tensors(path, "a saved state")
    if not all(name == "state" or name.startswith("state.") for name in parts) or not parts:
        raise DataError(
            f"{path} is not a saved state",
            expected="tensors named state, state.0, ...",
            got=", ".join(sorted(parts)[:4]),
        )
    return move_state(_unflatten(parts), device)


def read_tensors(path: str | Path, what: str) -> dict[str, Tensor]:
    """All tensors of a safetensors file.

    Raises:
        DataError: no such file, or not safetensors.
    """
    try:
        return safetensors.torch.load(Path(path).read_bytes())
    except OSError as error:
        raise DataError(f"{path} cannot be read as {what}", got=error.strerror or str(error)) from error
    except (safetensors.SafetensorError, ValueError) as error:
        raise DataError(f"{path} cannot be read as {what}", expected="a safetensors file", got=str(error)) from error
