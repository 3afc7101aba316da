"""What is beside an exported `.c` and `.h`: `main.c`, `Makefile`, `README.md`. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gatewise.export.graph.nodes import Input, Node
from gatewise.export.to_c.compiler import EXACT, FAST, NATIVE, STRICT
from gatewise.export.to_c.literals import text
from gatewise.export.to_c.places import kind_of, lengths_of, unsupported
from gatewise.export.to_c.source import Source
from gatewise.export.to_c.vectors import Lines

__all__ = ["emit_main", "emit_makefile", "reading"]

_PARTS = Path(__file__).parent / "parts"
_WITH_THE_LINE = ("        fwrite(line, 1, length, stdout);", "        putchar('\\n');")


def emit_makefile(source: Source) -> str:
    """Builds the program; the flags by which the compiler uses vectors."""
    fast = FAST if source.quantised is None else EXACT
    contract = "fast" if source.quantised is None else "off"
    strict = " ".join(flag for flag in STRICT if flag != "-Werror")
    return (
        "# make: the program `program` for this machine; make ARCH= for any machine of this kind.\n"
        f"# For a small one: arm-none-eabi-gcc -std=c99 -Os -ffp-contract={contract} -mcpu=cortex-m4 -mthumb "
        f"-mfloat-abi=hard -mfpu=fpv4-sp-d16 -c {source.name}.c\n"
        "CC ?= cc\n"
        f"ARCH ?= {NATIVE}\n"
        f"CFLAGS ?= {strict} {' '.join(fast)} $(ARCH)\n\n"
        f"program: main.c {source.name}.c {source.name}.h\n"
        f"\t$(CC) $(CFLAGS) main.c {source.name}.c -o $@ -lm\n\n"
        ".PHONY: clean\nclean:\n\trm -f program\n"
    )


def reading(source: Source) -> str:
    """What `main.c` reads: ``texts``, ``sentences``, ``stream``, ``window`` or ``blocks``."""
    outputs = list(source.graph.outputs.values())
    labels = source.graph.metadata.get("label_names")
    if source.words is not None and labels and len(outputs) == 1 and source.ragged:
        return "texts"
    if source.sentences is not None:
        return "sentences"
    if len(source.graph.inputs) == 1:
        (given,) = source.graph.inputs
        if given.steps == "T" and source.has_step and not source.left_out:
            return "stream"
        if isinstance(given.steps, int):
            return "window"
    return "blocks"


def emit_main(source: Source) -> str:
    """The program that reads standard input."""
    way = reading(source)
    if way == "texts":
        return _texts(source)
    if way == "sentences":
        return _sentences(source)
    if any(given.inner for given in source.graph.inputs):
        raise unsupported("a program that reads sequences within steps")
    what = {
        "stream": "   The outputs after each step; a blank line begins another sequence.",
        "window": "   Outputs once the first window is complete, and after each line more.",
        "blocks": "   " + _described(source),
    }[way]
    lines = Lines(0)
    lines.open("int main(void)")
    lines.add(f"{source.name}_init(&model);")
    {"stream": _stream, "window": _window, "blocks": _blocks}[way](lines, source)
    lines.add("return 0;")
    lines.close()
    memory = []
    most = source.most or 65536
    for given in source.graph.inputs:
        memory.append(f"static {kind_of(given)} in_{source.pointers[given.name]}[{_count(given, most, way)}];")
    for name, value in source.graph.outputs.items():
        node = source.graph.values[value]
        memory.append(f"static {kind_of(node)} out_{source.pointers[name]}[{_count(node, most, way)}];")
    widest = max(each.width for each in [*source.graph.inputs, *_outputs(source)])
    memory.append(f"static double row[{widest}];")
    template = (_PARTS / "main_rows.h").read_text(encoding="utf-8")
    body = "\n".join(lines.found).replace("int main(void) {", "int main(void)\n{", 1)
    return (
        template.replace("WHAT", what)
        .replace("READ_LINE", _read_line())
        .replace("MEMORY", "\n".join(memory))
        .replace("BODY", body)
        .replace("NAME", source.name)
    )


def _read_line() -> str:
    return (_PARTS / "read_line.h").read_text(encoding="utf-8")


def _outputs(source: Source) -> list[Node | Input]:
    return [source.graph.values[value] for value in source.graph.outputs.values()]


def _count(value: Input | Node, most: int, way: str) -> int:
    if value.steps is None or (way == "stream" and value.steps == "T"):
        return value.width
    return value.width * (most if value.steps == "T" else int(value.steps))


def _described(source: Source) -> str:
    parts = []
    for given in source.graph.inputs:
        count = "lines until a blank one" if given.steps == "T" else f"{given.steps or 1} lines"
        parts.append(f"{given.name} ({count} of {given.width})")
    return "For each example: " + ", then ".join(parts) + "."


def _texts(source: Source) -> str:
    graph = source.graph
    labels = [str(each) for each in graph.metadata["label_names"]]
    width = max(len(each) for each in labels)
    if graph.metadata.get("multi_label"):
        lines = [
            "        size_t given = 0;",
            "        for (size_t i = 0; i < COUNT; i++) {",
            "            if ((double)answers[i] >= thresholds[i]) {",
            '                printf("%s%s %.1f %%", given++ > 0 ? ", " : "", labels[i], 100.0 * (double)answers[i]);',
            "            }",
            "        }",
            '        printf("%s  ", given > 0 ? "" : "(no label)");',
        ]
    else:
        lines = [
            "        size_t best = 0;",
            "        for (size_t i = 1; i < COUNT; i++) {",
            "            best = answers[i] > answers[best] ? i : best;",
            "        }",
            f'        printf("%-{width}s  %5.1f %%  ", labels[best], 100.0 * (double)answers[best]);',
        ]
    return (
        (_PARTS / "main_text.h")
        .read_text(encoding="utf-8")
        .replace("READ_LINE", _read_line())
        .replace("PRINT", "\n".join([*lines, *_WITH_THE_LINE]))
        .replace("THRESHOLDS\n", _thresholds(graph.metadata, labels))
        .replace("LABELS", ", ".join(text(each) for each in labels))
        .replace("COUNT", str(len(labels)))
        .replace("NAME_", f"{source.name}_")
        .replace("NAME.h", f"{source.name}.h")
        .replace("UPPER", source.name.upper())
    )


def _thresholds(metadata: Mapping[str, Any], labels: Sequence[str]) -> str:
    """From which probability on each label is printed, where a text may have several."""
    if not metadata.get("multi_label"):
        return ""
    found = metadata.get("thresholds") or {}
    values = ", ".join(repr(float(found.get(label, 0.5))) for label in labels)
    return f"static const double thresholds[COUNT] = {{{values}}};\n"


def _sentences(source: Source) -> str:
    """A sentence a line in, its words with their tags out."""
    assert source.sentences is not None
    name, most, graph = source.name, source.most, source.graph
    memory = [f"static char *word_texts[{most}];"]
    given, arguments = [], ["&model", "steps"]
    for each in graph.inputs:
        pointer = f"in_{source.pointers[each.name]}"
        size = f"{most} * {source.most_inner}" if each.inner else str(most)
        memory.append(f"static uint32_t {pointer}[{size}];")
        given.append(f"{pointer} + {'read' if each.inner else 't'}")
        arguments.append(pointer)
        if each.inner:
            lengths = f"in_{source.pointers[lengths_of(each.name)]}"
            memory.append(f"static uint32_t {lengths}[{most}];")
            arguments.append(lengths)
    for output, value in graph.outputs.items():
        node, pointer = graph.values[value], f"out_{source.pointers[output]}"
        memory.append(f"static {kind_of(node)} {pointer}[{_count(node, int(most or 1), 'blocks')}];")
        arguments.append(pointer)
    word = f"{name}_word({', '.join(['word_texts[t]', *given])});"
    start, lines = "", [f"(void){word}"]
    if any(each.inner for each in graph.inputs):
        start = "        size_t read = 0;\n"
        lines = [f"{lengths}[t] = (uint32_t){word}", f"read += {lengths}[t];"]
    return (
        (_PARTS / "main_sentences.h")
        .read_text(encoding="utf-8")
        .replace("READ_LINE", _read_line())
        .replace("MEMORY", "\n".join(memory))
        .replace("        START\n", start)
        .replace("WORD", "\n            ".join(lines))
        .replace("CALL", ", ".join(arguments))
        .replace("TAGS", f"out_{source.pointers[source.sentences.tags]}")
        .replace("NAME_", f"{name}_")
        .replace("NAME.h", f"{name}.h")
        .replace("UPPER", name.upper())
    )


def _keep(lines: Lines, given: Input, place: str) -> None:
    """The row just read into memory."""
    lines.loop("i", given.width)
    if given.tokens:
        lines.open(f"if (!(row[i] >= 0.0 && row[i] < {given.limit}.0 && (double)(uint32_t)row[i] >= row[i]))")
        lines.add(f'fail("a token is a whole number from 0 to {given.limit - 1}");')
        lines.close()
        lines.add(f"{place}[i] = (uint32_t)row[i];")
    else:
        lines.add(f"{place}[i] = row[i];" if given.wide else f"{place}[i] = (float)row[i];")
    lines.close()


def _show(lines: Lines, source: Source, *, rows: bool) -> None:
    """Print all outputs; with ``rows`` those of whole sequences, else of a step."""
    several = len(source.graph.outputs) > 1
    for name, value in source.graph.outputs.items():
        node, pointer = source.graph.values[value], f"out_{source.pointers[name]}"
        counted = node.steps is not None and (rows or name in source.sequences)
        label = text(f"{name}: " if several else "")
        if counted:
            lines.loop("t", "steps" if node.steps == "T" else node.steps)
        lines.loop("i", node.width)
        at = f"[t * {node.width} + i]" if counted else "[i]"
        lines.add(f"row[i] = {'' if node.wide else '(double)'}{pointer}{at};")
        lines.close()
        lines.add(f"print_row({label}, row, {node.width});")
        if counted:
            lines.close()
    lines.add("fflush(stdout);")


def _call(source: Source, function: str, *, steps: bool) -> str:
    given = [f"in_{source.pointers[each.name]}" for each in source.graph.inputs]
    outputs = [f"out_{source.pointers[each]}" for each in source.graph.outputs]
    arguments = ", ".join(["&model", *(["steps"] if steps else []), *given, *outputs])
    return f"{source.name}_{function}({arguments})"


def _checked(lines: Lines, call: str) -> None:
    lines.open(f"if ({call} != 0)")
    lines.add('fail("the network refuses the input");')
    lines.close()


def _stream(lines: Lines, source: Source) -> None:
    (given,) = source.graph.inputs
    lines.open(f"for (int found; (found = read_numbers(row, {given.width})) >= 0;)")
    lines.open("if (found == 0)")
    lines.add(f"{source.name}_reset(&model);", "continue;")
    lines.close()
    _keep(lines, given, f"in_{source.pointers[given.name]}")
    _checked(lines, _call(source, "step", steps=False))
    _show(lines, source, rows=False)
    lines.close()


def _window(lines: Lines, source: Source) -> None:
    (given,) = source.graph.inputs
    steps, width, place = int(given.steps or 1), given.width, f"in_{source.pointers[given.name]}"
    lines.add("size_t count = 0;")
    lines.open(f"for (int found; (found = read_numbers(row, {width})) >= 0;)")
    lines.open("if (found == 0)")
    lines.add("continue;")
    lines.close()
    lines.open(f"if (count == {steps})")
    lines.loop("i", (steps - 1) * width)
    lines.add(f"{place}[i] = {place}[i + {width}];")
    lines.close()
    lines.add("count--;")
    lines.close()
    _keep(lines, given, f"({place} + count * {width})")
    lines.add("count++;")
    lines.open(f"if (count < {steps})")
    lines.add("continue;")
    lines.close()
    _checked(lines, _call(source, "run", steps=False))
    _show(lines, source, rows=True)
    lines.add("putchar('\\n');")
    lines.close()


def _blocks(lines: Lines, source: Source) -> None:
    lines.open("for (;;)")
    if source.ragged:
        lines.add("size_t steps = 0;")
    for number, given in enumerate(source.graph.inputs):
        place = f"in_{source.pointers[given.name]}"
        if given.steps == "T":
            lines.add("int found;")
            lines.open(f"for (size_t t = 0; (found = read_numbers(row, {given.width})) > 0; t++)")
            lines.open(f"if (t >= {source.most or 65536})")
            lines.add('fail("the sequence is too long");')
            lines.close()
            _keep(lines, given, f"({place} + t * {given.width})")
            lines.add("steps = t + 1;")
            lines.close()
            lines.open("if (steps == 0)")
            lines.open("if (found < 0)")
            lines.add("return 0;")
            lines.close()
            lines.add("continue;")
            lines.close()
            continue
        lines.loop("t", given.steps or 1)
        lines.add(f"int found = read_numbers(row, {given.width});")
        lines.open("while (found == 0)")
        lines.add(f"found = read_numbers(row, {given.width});")
        lines.close()
        lines.open("if (found < 0)")
        if number == 0:
            lines.open("if (t == 0)")
            lines.add("return 0;")
            lines.close()
        lines.add('fail("lines are missing");')
        lines.close()
        _keep(lines, given, f"({place} + t * {given.width})")
        lines.close()
    _checked(lines, _call(source, "run", steps=source.ragged))
    _show(lines, source, rows=True)
    lines.add("putchar('\\n');")
    lines.close()
