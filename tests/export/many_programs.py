"""Many programs in one: their C in one file, whose compilation then costs little for each of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from gatewise.export.graph.expressions import Array
from gatewise.export.to_c.compiler import STRICT, compile_program, find_compiler
from gatewise.export.to_c.harness import emit_harness, run_harness
from gatewise.export.to_c.source import Source

_STATIC = re.compile(r"^static (?:inline )?(?:const )?[\w ]+?[ *](\w+)[\[(]", re.MULTILINE)


def _renamed(code: str, prefix: str) -> str:
    """Every function and array of the file's own with a prefix."""
    names = set(_STATIC.findall(code)) | {"main"}
    return re.sub(rf"\b({'|'.join(map(re.escape, sorted(names)))})\b", rf"{prefix}\1", code)


class ManyPrograms:
    """Programs with the names ``m0``, ``m1``, ...

    Args:
        sources: the programs, of these names.
        folder: where they are compiled.
        flags: of the compiler, besides all warnings as errors.
        compiler: its command.
    """

    def __init__(
        self, sources: Sequence[Source], folder: Path, flags: Sequence[str], compiler: Sequence[str] | None = None
    ) -> None:
        self.sources = sources
        parts = []
        for number, source in enumerate(sources):
            assert source.name == f"m{number}"
            (folder / f"{source.name}.h").write_text(source.header)
            parts += [_renamed(text, f"p{number}_") for text in (source.code, emit_harness(source))]
        calls = [f"    case {number}:\n        return p{number}_main();" for number in range(len(sources))]
        parts.append(
            "int main(int count, char **words)\n{\n    if (count != 2) {\n        return 9;\n    }\n"
            "    switch (atoi(words[1])) {\n" + "\n".join(calls) + "\n    default:\n        return 9;\n    }\n}\n"
        )
        (folder / "many.c").write_text(
            "\n".join(parts).replace("int p", "static int p").replace("static static", "static")
        )
        found = compiler or find_compiler()
        assert found is not None
        compile_program(found, folder, ["many.c"], "many", (*STRICT, *flags))
        self.folder = folder

    def run(self, number: int, inputs: Sequence[object]) -> tuple[list[dict[str, Array]], list[dict[str, Array]]]:
        """Outputs of ``run``, and of the last ``step``, see `run_harness`."""
        program = self.folder / f"many{number}"
        if not program.exists():
            program.write_text(f'#!/bin/sh\nexec "{self.folder}/many" {number}\n')
            program.chmod(0o755)
        _, whole, last = run_harness(program, self.sources[number], inputs)  # type: ignore[arg-type]
        return whole, last
