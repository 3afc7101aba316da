"""Which requests the compiled MinGRU and MinLSTM layers compute."""

from __future__ import annotations

import torch

from gatewise.kernels.dispatch import Request

__all__ = ["supports"]

GATES = {"mingru": 2, "minlstm": 3}
"""Gates per hidden unit."""


def supports(request: Request) -> tuple[bool, str]:
    """Whether the compiled scans compute this request, and the reason.

    Example:
        >>> supports(Request("mingru", "cpu", torch.float64, 4, 4, 1, 1))
        (False, 'the compiled mingru scan is for float32 on the CPU')
    """
    if request.cell not in GATES:
        return False, f"{request.cell} is no scan cell"
    if request.device != "cpu" or request.dtype != torch.float32:
        return False, f"the compiled {request.cell} scan is for float32 on the CPU"
    missing = sorted(request.options - {"lengths", "reverse"})
    if missing:
        return False, f"the compiled {request.cell} scan has no {', '.join(missing)}"
    return True, f"one compiled pass over the sequence computes {request.cell}"
