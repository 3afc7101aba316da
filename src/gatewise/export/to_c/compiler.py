"""The C compiler of this machine, if there is one. Imports no torch."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from gatewise.errors import ConversionError

__all__ = [
    "EXACT",
    "FAST",
    "NATIVE",
    "SANITISED",
    "STRICT",
    "code_bytes",
    "compile_program",
    "find_compiler",
    "sanitises",
    "takes",
]

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion")
FAST = ("-O3", "-ffp-contract=fast", "-fno-math-errno", "-fno-trapping-math")
EXACT = ("-O3", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")
"""Flags by which a program in integers gives the same bits everywhere: a product and a sum are not fused."""
NATIVE = "-march=native"
SANITISED = ("-O1", "-g0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
_SECONDS = 300


def find_compiler() -> list[str] | None:
    """The command: ``$CC``, or the first of cc, gcc and clang that is there."""
    given = shlex.split(os.environ.get("CC", ""))
    for command in [given] if given else [["cc"], ["gcc"], ["clang"]]:
        if shutil.which(command[0]) is not None:
            return command
    return None


def compile_program(
    compiler: Sequence[str], folder: Path, sources: Sequence[str], out: str, flags: Sequence[str]
) -> None:
    """Compile files in a folder.

    Raises:
        ConversionError: the compiler refuses them, with its first lines.
    """
    libraries = [] if "-c" in flags else ["-lm"]
    command = [*compiler, *flags, *sources, "-o", out, *libraries]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ConversionError(
            f"{compiler[0]} does not run", got=str(error), fix="set CC to another compiler"
        ) from error
    if done.returncode:
        raise ConversionError(
            f"{compiler[0]} does not compile the exported program; nothing was written",
            got="; ".join(done.stderr.strip().splitlines()[:4]),
            fix="set CC to another compiler, or report it with the command that trained the network",
        )


@cache
def _runs(compiler: tuple[str, ...], flags: tuple[str, ...]) -> bool:
    """Whether a small program compiles and runs with flags."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "try.c").write_text("int main(void)\n{\n    return 0;\n}\n")
        try:
            compile_program(compiler, folder, ["try.c"], "try", flags)
            return subprocess.run([folder / "try"], capture_output=True, timeout=_SECONDS, check=False).returncode == 0
        except (ConversionError, OSError, subprocess.TimeoutExpired):
            return False


def takes(compiler: Sequence[str], *flags: str) -> bool:
    """Whether the compiler knows flags."""
    return _runs(tuple(compiler), (*STRICT, *flags))


def sanitises(compiler: Sequence[str]) -> bool:
    """Whether it can check memory and undefined behaviour while a program runs."""
    return takes(compiler, *SANITISED)


def code_bytes(compiler: Sequence[str], folder: Path, name: str) -> int | None:
    """Bytes of code and constants of ``<name>.c``, optimised for size; None: unknown."""
    if shutil.which("size") is None:
        return None
    compile_program(compiler, folder, [f"{name}.c"], "small.o", (*STRICT, "-Os", "-c"))
    done = subprocess.run(
        ["size", "small.o"], cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    try:
        text, data = done.stdout.splitlines()[1].split()[:2]
        return int(text) + int(data)
    except (IndexError, ValueError):
        return None
