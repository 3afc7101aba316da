"""An exported program, compiled here, against the trained network and the interpreter on real examples. No torch."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from gatewise.errors import ConversionError
from gatewise.export.gaps import Check, compared, relative_gap
from gatewise.export.graph import Example, Interpreter
from gatewise.export.graph.expressions import Array
from gatewise.export.integers import IntegerInterpreter, Quantised
from gatewise.export.precision import output_gap
from gatewise.export.to_c.compiler import (
    EXACT,
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
from gatewise.files import encoded_text

__all__ = ["Compiled", "Outcome", "check_source"]

_AT_ONCE = 10
_SANITISED = 5
_FIGURES_AT_ONCE = 250
ROUNDED = 1e-3
"""Greatest gap where functions of a library come before a rounding to 16 bits, which their last bit may turn."""


@dataclass(frozen=True)
class Compiled:
    """What a compiler of this machine made of a program.

    Attributes:
        check: how far its outputs are from the trained network.
        compiler: its command.
        flags: of the program that was compared.
        sanitised: whether it also ran with checks of memory and undefined behaviour.
        code_bytes: code and constants, optimised for size, on this machine; None: unknown.
        outcome: of a program in integers; None: it is in float32.
    """

    check: Check
    compiler: str
    flags: tuple[str, ...]
    sanitised: bool
    code_bytes: int | None
    outcome: Outcome | None = None


@dataclass(frozen=True)
class Outcome:
    """What a program in integers computes.

    Attributes:
        gap: greatest difference from the trained network on the examples of the check.
        figures: outputs for the examples of the figure.
    """

    gap: float
    figures: Sequence[Mapping[str, Array]]


def check_source(
    source: Source, examples: Sequence[Example], files: Mapping[str, str], figures: Sequence[Example] = ()
) -> Compiled | None:
    """Compile and compare; None where there is no compiler.

    Args:
        source: the program.
        examples: real ones with the trained network's outputs.
        files: texts by name, as they would be written; the program of its own among them has to compile.
        figures: further examples, whose outputs are wanted of a program in integers.

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
    wanted = FAST if source.quantised is None else EXACT
    fast = (*wanted, NATIVE) if takes(compiler, *wanted, NATIVE) else wanted if takes(compiler, *wanted) else ("-O2",)
    with tempfile.TemporaryDirectory(prefix="gatewise-c-") as name:
        folder = Path(name)
        for file, text in {**files, "check.c": emit_harness(source)}.items():
            (folder / file).write_bytes(encoded_text(text))
        model = f"{source.name}.c"
        compile_program(compiler, folder, [model, "check.c"], "check", (*STRICT, *fast))
        if "main.c" in files:
            compile_program(compiler, folder, [model, "main.c"], "program", (*STRICT, *fast))
        if source.quantised is None:
            check, outcome = _compare(source, folder / "check", short), None
        else:
            check, outcome = compare_integers(source, source.quantised, folder / "check", short, figures)
        sanitised = sanitises(compiler)
        if sanitised:
            compile_program(compiler, folder, [model, "check.c"], "sanitised", (*STRICT, *SANITISED))
            run_harness(folder / "sanitised", source, [each.inputs for each in short[:_SANITISED]])
        size = code_bytes(compiler, folder, source.name)
    return Compiled(check, " ".join(compiler), (*STRICT, *fast), sanitised, size, outcome)


def compare_integers(
    source: Source, quantised: Quantised, program: Path, examples: Sequence[Example], figures: Sequence[Example]
) -> tuple[Check, Outcome]:
    """Bit for bit with NumPy where every operation has the same last bit; else within `ROUNDED`."""
    size, whole, last = run_harness(program, source, [each.inputs for each in examples])
    if abs(size - source.memory) > 8:
        raise ConversionError("an instance has another size than was computed", expected=source.memory, got=size)
    oracle = IntegerInterpreter(quantised)
    expected = _evaluated(oracle, examples)
    gap, differing = compared(source.graph, expected, whole, expected)
    gaps = {"C, integers in NumPy": gap}
    if source.step_outputs:
        gaps["step by step, whole"] = _gap(last, _ends(source, whole))
    found: list[Mapping[str, Array]] = []
    if source.most is not None and any(steps_of(source, each.inputs) > source.most for each in figures):
        found += _evaluated(oracle, figures)
    else:
        for start in range(0, len(figures), _FIGURES_AT_ONCE):
            part = figures[start : start + _FIGURES_AT_ONCE]
            found += run_harness(program, source, [each.inputs for each in part])[1]
    known = [steps_of(source, each.inputs) for each in examples] if source.ragged else []
    limit = 0.0 if oracle.exact else ROUNDED
    check = Check(len(examples), min(known, default=None), max(known, default=None), gaps, differing, limit)
    return check, Outcome(output_gap(whole, examples), found)


def _evaluated(oracle: Interpreter, examples: Sequence[Example]) -> list[dict[str, Array]]:
    rows: list[dict[str, Array]] = []
    for start in range(0, len(examples), _AT_ONCE):
        found = oracle.run([each.inputs for each in examples[start : start + _AT_ONCE]])
        rows += [{name: found[name][row] for name in found} for row in range(len(next(iter(found.values()))))]
    return rows


def _ends(source: Source, whole: Sequence[Mapping[str, Array]]) -> list[dict[str, Array]]:
    """What the last step gives."""
    return [
        {
            name: row[name] if row[name].ndim == 1 or name in source.sequences else row[name][-1]
            for name in source.step_outputs
        }
        for row in whole
    ]


def _compare(source: Source, program: Path, examples: Sequence[Example]) -> Check:
    size, whole, last = run_harness(program, source, [each.inputs for each in examples])
    if abs(size - source.memory) > 8:
        raise ConversionError("an instance has another size than was computed", expected=source.memory, got=size)
    precise = _evaluated(Interpreter(source.graph), examples)
    trained = [each.outputs for each in examples]
    pairs: dict[str, tuple[Sequence[Mapping[str, Array]], Sequence[Mapping[str, Array]]]] = {
        "C, trained network": (whole, trained),
        "C, NumPy in float64": (whole, precise),
        "NumPy in float64, trained network": (precise, trained),
    }
    gaps: dict[str, float] = {}
    differing = 0
    for name, (found, expected) in pairs.items():
        gaps[name], ties = compared(source.graph, precise, found, expected)
        differing = max(differing, ties)
    if source.step_outputs:
        gaps["step by step, whole"] = _gap(last, _ends(source, whole))
    lengths = [steps_of(source, each.inputs) for each in examples]
    known = lengths if source.ragged else []
    return Check(len(examples), min(known, default=None), max(known, default=None), gaps, differing)


def _gap(found: Sequence[Mapping[str, Array]], expected: Sequence[Mapping[str, Array]]) -> float:
    return max(relative_gap([row[name] for row in found], [row[name] for row in expected]) for name in found[0])
