"""The garbage collector rests while the command line imports modules, and only then."""

from __future__ import annotations

import gc
import importlib
import subprocess
import sys
from types import ModuleType

import pytest

from gatewise.cli.collection import collection_paused


def test_it_goes_on_after_an_error() -> None:
    assert gc.isenabled()
    with pytest.raises(ImportError), collection_paused():
        assert not gc.isenabled()
        raise ImportError
    assert gc.isenabled()


def test_a_collector_that_is_off_stays_off() -> None:
    gc.disable()
    frozen = gc.get_freeze_count()
    try:
        with collection_paused():
            assert not gc.isenabled()
        assert not gc.isenabled() and gc.get_freeze_count() <= frozen
    finally:
        gc.enable()


def test_the_command_line_collects_after_its_imports() -> None:
    code = (
        "import gc, sys, gatewise; gc.collect(); before = gc.get_freeze_count(); runs = []\n"
        "gc.callbacks.append(lambda phase, info: runs.append(phase))\n"
        "import gatewise.cli\n"
        "assert not runs and gc.isenabled() and gc.get_freeze_count() > before + 1000 and 'torch' not in sys.modules\n"
        "for _ in range(3): [[] for _ in range(10000)]\n"
        "assert runs"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("beside", [None, "triton", "jaxlib"])
def test_the_end_searches_for_garbage_where_leaks_are_reported(
    beside: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Frozen at the end, Triton's objects are never freed, and nanobind prints each of them as leaked."""
    app = importlib.import_module("gatewise.cli.app")
    frozen: list[bool] = []
    monkeypatch.setattr(app.gc, "freeze", lambda: frozen.append(True))
    for name in ("triton", "jaxlib"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    if beside is not None:
        monkeypatch.setitem(sys.modules, beside, ModuleType(beside))
    app._end_quickly()
    assert bool(frozen) == (beside is None)
