"""Programs in C that tests write, compile without warnings and run."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from gatewise.export.to_c.compiler import STRICT, compile_program, find_compiler
from gatewise.export.to_c.source import Source

needs_compiler = pytest.mark.skipif(find_compiler() is None, reason="no C compiler")


def files_of(source: Source) -> dict[str, str]:
    """The texts of a program's files by name."""
    return {f"{source.name}.c": source.code, f"{source.name}.h": source.header}


def printed(folder: Path, files: Mapping[str, str], flags: Sequence[str] = STRICT, given: bytes = b"") -> str:
    """What a program out of files, and of those that lie in the folder already, prints for its standard input."""
    for name, text in files.items():
        (folder / name).write_text(text)
    compiler = find_compiler()
    assert compiler is not None
    compile_program(compiler, folder, sorted(place.name for place in folder.glob("*.c")), "main", flags)
    return subprocess.run([folder / "main"], input=given, capture_output=True, check=True).stdout.decode()
