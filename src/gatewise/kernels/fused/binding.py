"""Calls without gradients in C: what :mod:`gatewise.kernels.fused.inference` does in Python, in a third of the time.

The binding is compiled beside the kernels (``binding.cpp``; ``docs/decisions/compiled-binding.md`` says why so) and may
be missing: then calls go through Python, with the same results. It handles what is called most: stacks of one
direction, without lengths, outside of every mode of torch. Everything else it leaves to Python, errors included.
"""

from __future__ import annotations

import ctypes
import sysconfig
from collections.abc import Callable, Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass
from functools import cache
from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from gatewise.kernels.building import BINDING, OUTPUT, binding_key, has_stable_interface
from gatewise.kernels.fused.call import FORKED, Sequence
from gatewise.kernels.fused.library import FOLDER
from gatewise.kernels.fused.stack import Stack

__all__ = ["Guards", "Plan", "explain_binding", "infer_or_none", "make_plan"]

Plan = Any
"""What the binding knows of a stack's calls: an opaque object."""
_NAME = "gatewise_binding"


@dataclass(frozen=True)
class Guards:
    """What has to be as it was for a plan to be used; else a call goes through Python.

    Attributes:
        layer: names in the layer's ``__dict__``, with the objects that must stand there.
        same: ``(mapping, key, object)`` likewise.
        first: ``(list, object)``: its first element.
        empty: lists and dicts that must be empty.
        absent: ``(container, element)``.
    """

    layer: Mapping[str, object]
    same: Items[tuple[dict[str, Any], str, object]] = ()
    first: Items[tuple[list[Any], object]] = ()
    empty: Items[list[Any] | dict[Any, Any]] = ()
    absent: Items[tuple[Any, object]] = ()


_MODES = (
    "_is_any_autocast_enabled",
    "_are_functorch_transforms_active",
    "_len_torch_function_stack",
    "_len_torch_dispatch_stack",
    "_get_tracing_state",
)
_OFF = (torch.is_grad_enabled, *(getattr(torch._C, name, None) for name in _MODES))
"""Modes of torch, each of which must say no: functions in C, quick to ask; None where this torch has no such one."""


@cache
def _load() -> tuple[ModuleType | None, str]:
    """The compiled module, or None, and why."""
    path = Path(FOLDER) / BINDING
    if not path.exists():
        return None, "not built"
    if not has_stable_interface():
        return None, f"not for this Python ({sysconfig.get_platform()}, no stable interface)"
    if None in _OFF:
        return None, f"torch {torch.__version__} does not say which of its modes are on"
    lends = getattr(Tensor, "__dlpack_c_exchange_api__", None)
    if lends is None:
        return None, f"torch {torch.__version__} does not lend tensors to C"
    spec = spec_from_file_location(_NAME, path, loader=ExtensionFileLoader(_NAME, str(path)))
    if spec is None or spec.loader is None:
        return None, "cannot be loaded"
    try:
        module = module_from_spec(spec)
        spec.loader.exec_module(module)
    except ImportError as error:
        return None, f"cannot be loaded: {error}"
    if str(OUTPUT) == FOLDER and binding_key() not in ("", module.source_key):
        return None, "built from other sources than those beside it"
    try:
        version = module.exchange_version(lends)
    except ValueError:  # no capsule, or one of another name
        version = 0
    if version != 1:
        return None, f"torch {torch.__version__} lends tensors in another way"
    return module, f"{path.name} is loaded"


def explain_binding() -> str:
    """Whether calls go through the compiled binding, and why not.

    Example:
        >>> bool(explain_binding())
        True
    """
    return _load()[1]


def make_plan(
    stack: Stack,
    known: Items[Sequence],
    guards: Guards,
    weights: Items[tuple[str, torch.Size]],
    packed: Items[Tensor] | None = None,
) -> Plan | None:
    """A plan for the calls of a layer; None where calls have to go through Python.

    Args:
        stack: what is to run.
        known: of each place, what is known before the call.
        guards: what has to stay as it is.
        weights: the parameters' names and shapes, in the stack's order.
        packed: the weights that ``known`` has packed; they must stay the same, in content as well.
    """
    module, _ = _load()
    if module is None or stack.directions != 1:
        return None
    places, fields = [], []
    for number, (place, arguments) in enumerate(zip(stack.places, known, strict=True)):
        places.append((ctypes.cast(place.forward, ctypes.c_void_p).value, bytes(arguments)))  # type: ignore[arg-type]
        fields += [(number, getattr(Sequence, name).offset) for name in place.weights]
    seen = (
        [(None, 0, 0)] * len(fields) if packed is None else [(each, each._version, each.data_ptr()) for each in packed]
    )
    same = [(None, name, value) for name, value in guards.layer.items()] + list(guards.same)
    return module.plan(
        Tensor.__dlpack_c_exchange_api__,  # type: ignore[attr-defined]
        (Tensor, Parameter),
        (_flat(same), _flat(guards.first), (*guards.empty, FORKED), _flat(guards.absent), _OFF),
        (known[0].input_size, stack.hidden, stack.states, stack.batch_first),
        torch.get_num_threads,
        tuple(places),
        tuple(
            (name, tuple(shape), *field, *each)
            for (name, shape), field, each in zip(weights, fields, seen, strict=True)
        ),
    )


def _flat(parts: Items[tuple[Any, ...]]) -> tuple[Any, ...]:
    return tuple(each for part in parts for each in part)


def _without(plan: Plan, layer: object, x: object, hx: object) -> None:
    """What stands for the binding where there is none."""


infer_or_none: Callable[[Plan, object, object, object], tuple[Tensor, Any] | None] = getattr(
    _load()[0], "infer", _without
)
"""Output and final state of ``layer(x, hx)`` as a plan computes them; None where the call has to go through Python."""
