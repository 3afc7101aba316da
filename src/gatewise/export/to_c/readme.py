"""The `README.md` beside an exported program. Imports no torch."""

from __future__ import annotations

from gatewise.export.graph.stream import way_round
from gatewise.export.precision import Rounding, changed
from gatewise.export.to_c.check import Compiled
from gatewise.export.to_c.program import reading
from gatewise.export.to_c.source import Source
from gatewise.words import count, size

__all__ = ["emit_readme", "figures"]

_READS = {
    "texts": "one text a line",
    "sentences": "one sentence a line, words and signs separated by spaces, and prints each word with its tag",
    "stream": "the numbers of a step a line, and prints the outputs after it; a blank line begins another sequence",
    "window": "the numbers of a step a line, and prints the outputs for the last lines once there are enough",
    "blocks": "the inputs of an example in order, see the head of `main.c`",
}


def figures(source: Source, compiled: Compiled | None) -> dict[str, int | None]:
    """Flash, memory and arithmetic, ready for JSON."""
    return {
        "weight_bytes": source.weight_bytes,
        "code_and_weight_bytes": None if compiled is None else compiled.code_bytes,
        "memory_bytes": source.memory,
        "multiply_adds_per_step": source.step_products,
        "multiply_adds_per_run": source.run_products,
        "steps_of_run": source.run_steps,
    }


def emit_readme(source: Source, compiled: Compiled | None, title: str, rounding: Rounding | None = None) -> str:
    """The file."""
    name = source.name
    run = "once" if source.run_steps is None else f"of {count(source.run_steps)} steps" if source.run_steps > 1 else ""
    rows = [("Weights and tables (constants, flash)", size(source.weight_bytes))]
    if compiled is not None and compiled.code_bytes is not None:
        rows.append((f"The same with the code ({compiled.compiler} -Os, this machine)", size(compiled.code_bytes)))
    rows.append((f"Memory of one `{name}_instance` (RAM)", size(source.memory)))
    if source.step_products is not None:
        rows.append(("Multiply-adds per step", count(source.step_products)))
    if run:
        rows.append((f"Multiply-adds of `{name}_run` {run}", count(source.run_products)))
    table = "\n".join(["| | |", "|---|---|", *(f"| {left} | {right} |" for left, right in rows)])
    parts = [
        f"# {title}",
        f"`{name}.c` and `{name}.h` are C99 with no library but `<math.h>`: no allocation, no recursion, no "
        f"variable-length arrays, no global variables. The functions are explained in `{name}.h`.",
        "```sh\nmake\n./program < lines.txt\n```",
        f"`program` reads {_READS[reading(source)]}.",
        f"```c\nstatic {name}_instance m;\n{name}_init(&m);\n```",
        table,
        _functions(source),
        _rounded(source, rounding),
        _checked(source, compiled),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _functions(source: Source) -> str:
    name, lines = source.name, []
    if source.has_step:
        lines.append(f"`{name}_step` reads a step and gives the outputs so far; instances do not disturb each other.")
        for output, reason in source.left_out.items():
            lines.append(f"It lacks `{output}`: {reason}.")
    else:
        reasons = "; ".join(dict.fromkeys(source.left_out.values()))
        lines.append(f"There is no `{name}_step`: {reasons}{way_round(source.graph)}.")
    if source.most is not None:
        lines.append(
            f"`{name}_run` takes whole sequences of at most {source.most} steps; `--max-steps` at the export changes "
            "that, and the memory with it."
        )
    if source.words is not None:
        lines.append(
            f"`{name}_tokenise` turns a text in UTF-8 into numbers as in training (tags, capitals, unknown words; at "
            f"most {source.words.most} tokens)."
        )
    elif source.sentences is not None:
        lines.append(
            f"`{name}_word` turns a word in UTF-8 into the numbers that the network reads (unknown words, characters, "
            f"class of its spelling), `{name}_tag` names a tag as the training file does."
        )
    elif any(given.tokens for given in source.graph.inputs):
        lines.append(
            "Tokens are given by their numbers: how this network's texts become tokens is not part of the C program."
        )
    return " ".join(lines)


def _rounded(source: Source, rounding: Rounding | None) -> str:
    if rounding is None:
        return ""
    lines = [
        "Weights are 8 bits with a scale per row; recurrent layers compute in integers of 16 bits (sums of 32), the "
        "same on every machine. What is around them is float32: compile without fused multiply-adds "
        "(`-ffp-contract=off`) to get the same bits there too."
    ]
    if rounding.mixed:
        reasons = ", ".join(dict.fromkeys(rounding.mixed.values()))
        lines.append(f"Because of {reasons} the recurrent layers compute between their products in float32.")
    if rounding.change is not None:
        lines.append(changed(rounding.change))
    return " ".join(lines)


def _checked(source: Source, compiled: Compiled | None) -> str:
    if compiled is None:
        return "**Unchecked**: no C compiler was there at the export, so nobody has compiled or run this program yet."
    check = compiled.check
    if source.quantised is not None:
        same = "equal bit for bit" if check.limit == 0 else f"equal to {check.greatest:.1e} of the greatest number"
        return (
            f"Checked at the export with `{compiled.compiler} {' '.join(compiled.flags)}`: on {count(check.examples)} "
            f"examples the outputs are {same} to the same integers in NumPy."
        )
    more = "; AddressSanitizer and UndefinedBehaviorSanitizer report nothing" if compiled.sanitised else ""
    return (
        f"Checked at the export with `{compiled.compiler} {' '.join(compiled.flags)}`: on {count(check.examples)} "
        f"examples the outputs differ from those of the trained network by at most "
        f"{check.gaps['C, trained network']:.1e} of the greatest number (limit 1e-05){more}."
    )
