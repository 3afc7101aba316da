"""The garbage collector rests while the command line imports modules, and only then."""

from __future__ import annotations

import gc
import subprocess
import sys

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
