"""With ``GATEWISE_KERNEL`` set to a compiled kernel, what that kernel does not compute is skipped with its reason."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from conformance import not_meant_for

from gatewise.errors import KernelError
from gatewise.kernels.dispatch import forced_kernel

COMPILED = forced_kernel() not in (None, "reference", "torch")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """What a forced kernel was never meant to compute is no failure of the layer; a kernel that is not there is one."""
    try:
        return (yield)
    except KernelError as refusal:
        if COMPILED and (reason := not_meant_for(refusal)):
            pytest.skip(f"GATEWISE_KERNEL={forced_kernel()}: {reason}")
        raise
