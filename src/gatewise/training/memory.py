"""Whether a network fits into the machine's memory, found out before the memory is used."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.modules.module import register_module_parameter_registration_hook

from gatewise.errors import OptionError, TrainingError

if TYPE_CHECKING:
    from gatewise.training.problem import Problem
    from gatewise.training.run_spec import RunSpec

__all__ = ["build", "memory_errors", "usable_memory"]

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
_REFUSED = re.compile(
    r"can't allocate memory|not enough memory|out of memory|storage size calculation overflowed", re.I
)
_TOO_LARGE = re.compile(r"allocate (\d+) bytes")


def usable_memory() -> int | None:
    """Bytes of memory that this process may use at most: the machine's, or the container's limit; None: unknown.

    Example:
        >>> (usable_memory() or 2**30) > 2**20
        True
    """
    found = []
    try:
        found.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):
        return None
    for place in _LIMITS:
        try:
            limit = Path(place).read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError):
            continue
        if limit.isdigit():
            found.append(int(limit))
    return min(found)


def build(spec: RunSpec, problem: Callable[[], Problem], processes: int = 1) -> Problem:
    """Make a run's network and data, and refuse a network that cannot be trained in this memory.

    Training holds the weights, their gradient and, with Adam, two moments of it. The sum is checked whenever a layer
    gets a parameter, before it is filled with numbers.

    Args:
        spec: the run.
        problem: makes its problem.
        processes: how many processes of this machine hold the network.

    Raises:
        OptionError: it needs more than the machine has.
    """
    room = usable_memory() if spec.training.device.startswith("cpu") else None
    # several processes also hold what they pass on, which is one copy more where they have no moments to divide
    copies = processes * (4 if spec.training.optimizer == "adam" else 2) + (processes > 1)
    needed = 0

    def count(_module: object, _name: str, parameter: Any) -> None:
        nonlocal needed
        needed += 0 if parameter is None else parameter.numel() * parameter.element_size() * copies
        if room is not None and needed > room:
            raise _too_large(spec, needed, room)

    hook = register_module_parameter_registration_hook(count)
    try:
        return problem()
    except (RuntimeError, MemoryError) as error:
        if not _is_memory(error):
            raise
        asked = _TOO_LARGE.search(str(error))
        raise _too_large(spec, None if asked is None else needed + int(asked[1]) * copies, room) from error
    finally:
        hook.remove()


@contextmanager
def memory_errors(place: Callable[[], str]) -> Iterator[None]:
    """Turn an allocator's error during training into one that says what to do.

    Args:
        place: where training is, for the message.

    Raises:
        TrainingError: the memory does not suffice.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not _is_memory(error):
            raise
        raise TrainingError(
            f"the memory does not suffice in {place()}",
            got=str(error).splitlines()[0] if str(error) else type(error).__name__,
            fix="choose a smaller --batch-size or --hidden-size, or shorter sequences",
        ) from error


def _is_memory(error: Exception) -> bool:
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or _REFUSED.search(str(error)) is not None


def _too_large(spec: RunSpec, needed: int | None, room: int | None) -> OptionError:
    sizes = [
        f"{name} {value:,}"
        for name, value in vars(spec.model).items()
        if name.endswith("_size") or name == "num_layers"
        if isinstance(value, int)
    ]
    return OptionError(
        "the network is too large for this machine's memory",
        expected=None if room is None else f"at most {_bytes(room)}",
        got=(f"at least {_bytes(needed)} to train it" if needed else "more than can be allocated")
        + (f", with {', '.join(sizes)}" if sizes else ""),
        fix="choose a smaller --hidden-size, --embedding-size or --vocabulary-size"
        if "embedding_size" in vars(spec.model)
        else "choose a smaller --hidden-size",
    )


def _bytes(number: int) -> str:
    for unit, size in (("TB", 1e12), ("GB", 1e9)):
        if number >= size:
            return f"{number / size:,.1f} {unit}"
    return f"{number / 1e6:,.0f} MB"
