"""Its presence puts this folder on the path, so that tests of every area can share the helpers in it."""

import gc
import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from _pytest.doctest import DoctestModule

# The width of the terminal that tests are started from would break the lines that they look for.
os.environ.pop("COLUMNS", None)

# Where Python may leave no bytecode beside its modules, every process of the tests would compile torch and all others
# anew: it goes into a folder of its own instead.
if sys.dont_write_bytecode and sys.pycache_prefix is None:
    sys.dont_write_bytecode, sys.pycache_prefix = False, str(Path(__file__).parents[1] / ".pytest_cache" / "bytecode")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Modules and tests live to the end: the garbage collector need not walk their objects again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path: Path) -> Generator[None, list[Any], list[Any]]:
    """Examples stand in the docstrings of the package: no test's module is searched, nor imported, for them."""
    found = yield
    return [each for each in found if not isinstance(each, DoctestModule)]
