"""Exported C on a Cortex-M4 and M7, emulated by QEMU: sizes, instructions per step, and whether it computes the same.

python benchmarks/microcontroller.py [--cell gru lstm rnn] [--input 8] [--hidden 32 64] [--precision int8] [--json FILE]
python benchmarks/microcontroller.py --run RUN [--precision int8]     a trained run: one whole sequence of its test part

Needs the Debian packages gcc-arm-none-eabi, libnewlib-arm-none-eabi and qemu-system-arm. QEMU counts instructions, not
cycles: with ``-icount shift=0`` one instruction is one nanosecond of the emulated clock, and the program reads SysTick.
The outputs after the last step have to be the layer's within 1e-5, with int8 those of the integers in NumPy bit for
bit, or nothing is reported.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from gatewise.export import c
from gatewise.export.gaps import relative_gap
from gatewise.export.graph.layers import layer_graph
from gatewise.export.integers import IntegerInterpreter, quantise_graph
from gatewise.export.layers import layer_examples
from gatewise.export.precision import MOST_LOSS
from gatewise.export.runs import export_run_to_c, opened
from gatewise.export.to_c.places import kind_of
from gatewise.nn import Recurrent

STEPS = 20
LIMIT = 1e-5
TARGETS = {
    "Cortex-M4": ("mps2-an386", ["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16"]),
    "Cortex-M7": ("mps2-an500", ["-mcpu=cortex-m7", "-mfpu=fpv5-sp-d16"]),
}
FLAGS = ["-std=c99", "-O2", "-fno-math-errno", "-mthumb", "-mfloat-abi=hard"]
WARNINGS = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-Wconversion"]

LINKER = """
MEMORY { FLASH (rx) : ORIGIN = 0, LENGTH = 4M  RAM (rw) : ORIGIN = 0x20000000, LENGTH = 4M }
ENTRY(start)
SECTIONS
{
  .text : { KEEP(*(.vectors)) *(.text*) *(.rodata*) *(.ARM.exidx*) } > FLASH
  .data : { *(.data*) } > RAM AT > FLASH
  .bss : { *(.bss*) *(COMMON) } > RAM
  stack_top = ORIGIN(RAM) + LENGTH(RAM);
}
"""
START = """#include "model.h"

#include "given.h"

extern unsigned stack_top;
int main(void);
void start(void);

void start(void)
{
    *(volatile uint32_t *)0xE000ED88u |= 0xFu << 20; /* the floating point unit */
    __asm__ volatile("dsb\\n isb");
    (void)main();
    for (;;) {
    }
}

__attribute__((section(".vectors"), used)) static const void *const vectors[] = {&stack_top, (const void *)start};

static int host(int operation, const void *what)
{
    register int r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = what;
    __asm__ volatile("bkpt 0xAB" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

static void print(uint32_t number)
{
    static char text[11];
    for (int i = 0; i < 8; i++) {
        text[i] = "0123456789abcdef"[(number >> (28 - 4 * i)) & 0xFu];
    }
    text[8] = '\\n';
    text[9] = 0;
    host(4, text);
}

static model_instance m;
OUTPUTS

int main(void)
{
    volatile uint32_t *const clock = (volatile uint32_t *)0xE000E010u;
    uint32_t turns = 0;
    clock[1] = 0xFFFFFFu;
    clock[2] = 0u;
    model_init(&m);
    clock[0] = 5u;
    (void)clock[0];
    const uint32_t begin = clock[2];
CALL
    turns = clock[0] >> 16 & 1u; /* the clock has 24 bits: more is not measured */
    print((begin - clock[2]) & 0xFFFFFFu);
    print(turns);
    print((uint32_t)sizeof m);
PRINT
    host(0x18, (const void *)0x20026);
    return 0;
}
"""
SHOW = """    for (size_t i = 0; i < sizeof NAME / 4u; i++) {
        uint32_t bits;
        const unsigned char *const from = (const unsigned char *)NAME + 4u * i;
        unsigned char *const to = (unsigned char *)&bits;
        for (size_t k = 0; k < 4u; k++) {
            to[k] = from[k];
        }
        print(bits);
    }
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cell", nargs="+", default=["gru", "lstm", "rnn"])
    parser.add_argument("--input", type=int, default=8)
    parser.add_argument("--hidden", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--precision", choices=("float32", "int8"), default="float32")
    parser.add_argument("--run", type=Path)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    for tool in ("arm-none-eabi-gcc", "arm-none-eabi-size", "qemu-system-arm"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is missing: apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm")
    if options.run is not None:
        rows = [measure_run(options.run, options.precision, target) for target in TARGETS]
    else:
        rows = [
            measure_layer(cell, options.input, hidden, options.precision, target)
            for cell in options.cell
            for hidden in options.hidden
            for target in TARGETS
        ]
    print("| what | processor | flash (code) | with libraries | RAM | multiply-adds | instructions | per step | gap |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        flash = f"{row['flash'] / 1000:.1f} kB ({row['code'] / 1000:.1f})"
        print(
            f"| {row['what']} | {row['target']} | {flash} | {row['linked'] / 1000:.1f} kB | {row['ram'] / 1000:.2f} kB "
            f"| {row['products']:,} | {row['instructions']:,.0f} | {row['instructions'] / row['steps']:,.0f} "
            f"| {row['gap']:.0e} |"
        )
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


def measure_layer(cell: str, inputs: int, hidden: int, precision: str, target: str) -> dict[str, Any]:
    """One layer, step by step."""
    torch.manual_seed(0)
    layer = Recurrent(cell, inputs, hidden).eval()
    x = np.random.default_rng(0).normal(size=(STEPS, inputs)).astype(np.float32)
    with torch.no_grad():
        expected = layer(torch.from_numpy(x)[:, None])[0][-1, 0].numpy()
    calibration = [each.inputs["x"] for each in layer_examples(layer, seed=1)]
    if precision == "int8":
        quantised = quantise_graph(layer_graph(layer), [{"x": row} for row in calibration])
        expected = IntegerInterpreter(quantised).run([{"x": x}])["output"][0][-1]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = c(layer, folder, precision=precision, calibration=calibration if precision == "int8" else None)
        call = "    for (int t = 0; t < STEPS; t++) {\n        model_step(&m, given[t], output);\n    }"
        given = f"#define STEPS {STEPS}\n{constant('given', x)}"
        ticks, ram, found, sizes = emulate(folder, target, given, {"output": ("float", hidden)}, call, precision)
    what = f"{cell}, {hidden} units, {precision}"
    return result(what, target, ticks, ram, found["output"], expected, sizes, made.figures, STEPS, precision)


def measure_run(run: Path, precision: str, target: str) -> dict[str, Any]:
    """A trained run: ``model_run`` on the first test example that is used for the check."""
    graph, examples, material = opened(run, precision, MOST_LOSS)
    example = examples[0]
    expected = next(iter(example.outputs.values()))
    if material is not None:
        found = IntegerInterpreter(quantise_graph(graph, material.training)).run([example.inputs])
        expected = next(iter(found.values()))[0]
    (name,) = graph.outputs
    node = graph.values[graph.outputs[name]]
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        made = export_run_to_c(run, folder, precision=precision)
        kind = kind_of(node)
        arguments, given = ["&m"], ""
        for each in graph.inputs:
            values = np.asarray(example.inputs[each.name])
            if each.steps == "T":
                arguments.append(str(len(values)))
            shown = {"uint32_t": np.uint32, "double": np.float64, "float": np.float32}[kind_of(each)]
            given += constant(each.name, values.astype(shown).reshape(-1))
            arguments.append(each.name)
        call = f"    (void)model_run({', '.join([*arguments, 'output'])});"
        ticks, ram, shown_found, sizes = emulate(
            folder, target, given, {"output": (kind, expected.size)}, call, precision
        )
    steps = len(next(iter(example.inputs.values())))
    what = f"{Path(run).name}, {precision}, {steps} steps"
    flat = expected.reshape(-1)
    return result(what, target, ticks, ram, shown_found["output"], flat, sizes, made.figures, steps, precision)


def result(
    what: str,
    target: str,
    ticks: int,
    ram: int,
    found: np.ndarray,
    expected: np.ndarray,
    sizes: tuple[int, int],
    figures: Mapping[str, int | None],
    steps: int,
    precision: str,
) -> dict[str, Any]:
    """A row, or the end where the outputs are others."""
    gap = relative_gap([found], [expected])
    if not gap <= (LIMIT if precision == "float32" else 0.0):
        sys.exit(f"{what} on {target}: differs by {gap:.1e}; nothing is reported")
    return {
        "what": what,
        "target": target,
        "flash": sizes[0],
        "linked": sizes[1],
        "code": sizes[0] - (figures["weight_bytes"] or 0),
        "ram": ram,
        "products": figures["multiply_adds_per_step"] or figures["multiply_adds_per_run"],
        "instructions": ticks * NANOSECONDS,
        "steps": steps,
        "gap": gap,
    }


def constant(name: str, values: np.ndarray) -> str:
    """An array in C, of one or two axes."""
    kind = {np.dtype("f4"): "float", np.dtype("f8"): "double", np.dtype("u4"): "uint32_t"}[values.dtype]
    rows = values if values.ndim == 2 else values[None]
    text = ", ".join("{" + ", ".join(repr(value) + ("f" if kind == "float" else "") for value in row) + "}"
                     for row in rows.tolist())  # fmt: skip
    shape = "".join(f"[{size}]" for size in values.shape)
    return f"static const {kind} {name}{shape} = {'{' + text + '}' if values.ndim == 2 else text};\n"


def emulate(
    folder: Path, target: str, given: str, outputs: Mapping[str, tuple[str, int]], call: str, precision: str
) -> tuple[int, int, dict[str, np.ndarray], tuple[int, int]]:
    """Build and run; ticks of the clock, bytes of the instance, the outputs, flash without and with libraries."""
    machine, processor = TARGETS[target]
    declared = "\n".join(f"static {kind} {name}[{count}];" for name, (kind, count) in outputs.items())
    shown = "".join(SHOW.replace("NAME", name) for name in outputs)
    start = START.replace("OUTPUTS", declared).replace("CALL", call).replace("PRINT", shown.rstrip())
    for file, text in {"start.c": start, "given.h": given, "link.ld": LINKER}.items():
        (folder / file).write_text(text)
    flags = [*FLAGS, "-ffp-contract=fast" if precision == "float32" else "-ffp-contract=off"]
    run(folder, "arm-none-eabi-gcc", *processor, *flags, *WARNINGS, "-c", "model.c", "-o", "model.o")
    linked = ["-nostartfiles", "-T", "link.ld", "start.c", "model.o", "-o", "program.elf", "-lm"]
    run(folder, "arm-none-eabi-gcc", *processor, *flags, *linked)
    sizes = [
        sum(map(int, run(folder, "arm-none-eabi-size", file).splitlines()[1].split()[:2]))
        for file in ("model.o", "program.elf")
    ]
    emulated = ["-M", machine, "-nographic", "-semihosting-config", "enable=on,target=native", "-icount", "shift=0"]
    printed = run(folder, "qemu-system-arm", *emulated, "-kernel", "program.elf").split()
    ticks, turned, ram, *words = (int(word, 16) for word in printed)
    if turned:
        sys.exit(f"{target}: too long for the clock's 24 bits")
    found, place, bits = {}, 0, np.array(words, dtype=np.uint32)
    for name, (kind, count) in outputs.items():
        size = count * (2 if kind == "double" else 1)
        found[name] = bits[place : place + size].view({"float": np.float32, "double": np.float64}[kind])
        place += size
    return ticks, ram, found, (sizes[0], sizes[1])


NANOSECONDS = 40
"""Of a tick of SysTick: the boards' clock is 25 MHz."""


def run(folder: Path, *command: str) -> str:
    """Run a tool; its standard output and errors."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        sys.exit(f"{command[0]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout + (done.stderr if "qemu" in command[0] else "")


if __name__ == "__main__":
    main()
