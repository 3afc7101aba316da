"""An exported program, compiled here, against the trained network and the interpreter on real examples. No torch."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gatewise.errors import ConversionError
from gatewise.export.gaps import Check, relative_gap
from gatewise.export.graph import Example, Interpreter
from gatewise.export.graph.expressions import Array
from gatewise.export.to_c.compiler import (
    FAST,
    NATIVE,
    SANITISED,
    STRICT,
    code_bytes,
    compile_program,
    find_compiler,
    sanitises,
    takes,
)
from gatewise.export.to_c.harness import emit_harness, run_harness, steps_of
from gatewise.export.to_c.source import Source

__all__ = ["Compiled", "check_source"]

_AT_ONCE = 10
_SANITISED = 5


@dataclass(frozen=True)
class Compiled:
    """What a compiler of this machine made of a program.

    Attributes:
        check: how far its outputs are from the trained network.
        compiler: its command.
        flags: of the program that was compared.
        sanitised: whether it also ran with checks of memory and undefined behaviour.
        code_bytes: code and constants, optimised for size, on this machine; None: unknown.
    """

    check: Check
    compiler: str
    flags: tuple[str, ...]
    sanitised: bool
    code_bytes: int | None


def check_source(source: Source, examples: Sequence[Example], files: Mapping[str, str]) -> Compiled | None:
    """Compile and compare; None where there is no compiler.

    Args:
        source: the program.
        examples: real ones with the trained network's outputs.
        files: texts by name, as they would be written; the program of its own among them has to compile.

    Raises:
        ConversionError: it does not compile, does not run, or there is no example that is short enough.
    """
    compiler = find_compiler()
    if compiler is None:
        return None
    short = [each for each in examples if source.most is None or steps_of(source, each.inputs) <= source.most]
    if not short:
        raise ConversionError(
            "there is no test example to check the export with",
            expected="a test part" if source.most is None else f"an example of at most {source.most} steps",
            fix="use data with a test part" if source.most is None else "give a greater --max-steps",
        )
    fast = (*FAST, NATIVE) if takes(compiler, *FAST, NATIVE) else FAST if takes(compiler, *FAST) else ("-O2",)
    with tempfile.TemporaryDirectory(prefix="gatewise-c-") as name:
        folder = Path(name)
        for file, text in {**files, "check.c": emit_harness(source)}.items():
            (folder / file).write_text(text, encoding="utf-8")
        model = f"{source.name}.c"
        compile_program(compiler, folder, [model, "check.c"], "check", (*STRICT, *fast))
        if "main.c" in files:
            compile_program(compiler, folder, [model, "main.c"], "program", (*STRICT, *fast))
        check = _compare(source, folder / "check", short)
        sanitised = sanitises(compiler)
        if sanitised:
            compile_program(compiler, folder, [model, "check.c"], "sanitised", (*STRICT, *SANITISED))
            run_harness(folder / "sanitised", source, [each.inputs for each in short[:_SANITISED]])
        size = code_bytes(compiler, folder, source.name)
    return Compiled(check, " ".join(compiler), (*STRICT, *fast), sanitised, size)


def _compare(source: Source, program: Path, examples: Sequence[Example]) -> Check:
    size, whole, last = run_harness(program, source, [each.inputs for each in examples])
    if abs(size - source.memory) > 8:
        raise ConversionError("an instance has another size than was computed", expected=source.memory, got=size)
    oracle, precise = Interpreter(source.graph), []
    for start in range(0, len(examples), _AT_ONCE):
        found = oracle.run([each.inputs for each in examples[start : start + _AT_ONCE]])
        rows = len(next(iter(found.values())))
        precise += [{name: found[name][row] for name in found} for row in range(rows)]
    trained = [each.outputs for each in examples]
    gaps = {
        "C, trained network": _gap(whole, trained),
        "C, NumPy in float64": _gap(whole, precise),
        "NumPy in float64, trained network": _gap(precise, trained),
    }
    if source.step_outputs:
        ends = [
            {
                name: row[name] if row[name].ndim == 1 or name in source.sequences else row[name][-1]
                for name in source.step_outputs
            }
            for row in whole
        ]
        gaps["step by step, whole"] = _gap(last, ends)
    lengths = [steps_of(source, each.inputs) for each in examples]
    known = lengths if source.ragged else []
    return Check(len(examples), min(known, default=None), max(known, default=None), gaps)


def _gap(found: Sequence[Mapping[str, Array]], expected: Sequence[Mapping[str, Array]]) -> float:
    return max(relative_gap([row[name] for row in found], [row[name] for row in expected]) for name in found[0])
