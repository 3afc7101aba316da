"""Measuring in a fresh process that does nothing else: how it is asked, and how it answers. Imports no torch.

The process is ``python -m MODULE WORDS``, of a module that ends with `answer`; what else it prints is no matter.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from gatewise.errors import RunError

__all__ = ["answer", "measured_alone"]

_RESULT = "gatewise-result:"


def measured_alone(module: str, *words: str, seconds: float, late: str, failed: str) -> Any:
    """The answer of a module that measures in a process of its own.

    Args:
        module: its full name.
        words: arguments of the process.
        seconds: stop after this time.
        late: what took too long, for the message.
        failed: the message where the process failed; its exit code and last line are added.

    Returns:
        What the module gave to `answer`.

    Raises:
        RunError: the process took too long, failed, or gave no answer.
    """
    command = [sys.executable, "-m", module, *words]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise RunError(f"measuring {late} took more than {seconds:g} s") from error
    results = [line for line in done.stdout.splitlines() if line.startswith(_RESULT)]
    if done.returncode != 0 or not results:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RunError(failed, got=f"exit code {done.returncode}: {last}")
    return json.loads(results[-1].removeprefix(_RESULT))


def answer(found: Any) -> None:
    """Give the process that asked what was measured: anything that JSON can hold, all numbers finite."""
    print(_RESULT + json.dumps(found, allow_nan=False))
