"""The one place where a Triton kernel is launched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

__all__ = ["launcher", "on_device_of"]


def on_device_of(tensor: Tensor) -> AbstractContextManager[Any]:
    """Triton launches on the current device, which need not be the tensor's."""
    return torch.cuda.device(tensor.device) if tensor.is_cuda else nullcontext()


def launcher(
    kernel: Any, given: Mapping[str, Any], grid: tuple[int, int], warps: int, late: tuple[str, ...] = ()
) -> Callable[..., None]:
    """A kernel with what it needs of ``given`` bound, by the names of its arguments.

    Args:
        kernel: a ``triton.jit`` function.
        given: values for all kernels of a cell; a kernel takes those that it names.
        grid: programs along the batch and along the units.
        warps: of a program.
        late: arguments that each launch gives.

    Returns:
        A function that launches it. Multiply-adds are fused, as in torch's own kernels; said here, since Triton's
        default changes with its version.
    """
    arguments = {name: given[name] for name in kernel.arg_names if name not in late}
    launch = kernel[grid]
    return lambda **more: launch(**arguments, **more, num_warps=warps, enable_fp_fusion=True)
