"""Exported C on a Cortex-M4 and M7, emulated by QEMU: sizes, instructions per step, and whether it computes the same.

python benchmarks/microcontroller.py [--cell gru lstm rnn] [--input 8] [--hidden 32 64] [--json FILE]

Needs the Debian packages gcc-arm-none-eabi, libnewlib-arm-none-eabi and qemu-system-arm. QEMU counts instructions, not
cycles: with ``-icount shift=0`` one instruction is one nanosecond of the emulated clock, and the program reads SysTick.
The outputs after the last step have to be the layer's within 1e-5, or nothing is reported.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from gatewise.export import c
from gatewise.export.to_onnx.check import relative_gap
from gatewise.nn import Recurrent

STEPS = 20
LIMIT = 1e-5
TARGETS = {
    "Cortex-M4": ("mps2-an386", ["-mcpu=cortex-m4", "-mfpu=fpv4-sp-d16"]),
    "Cortex-M7": ("mps2-an500", ["-mcpu=cortex-m7", "-mfpu=fpv5-sp-d16"]),
}
FLAGS = ["-std=c99", "-O2", "-ffp-contract=fast", "-fno-math-errno", "-mthumb", "-mfloat-abi=hard"]
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
static float output[MODEL_OUTPUT_WIDTH];

int main(void)
{
    volatile uint32_t *const clock = (volatile uint32_t *)0xE000E010u;
    clock[1] = 0xFFFFFFu;
    clock[2] = 0u;
    model_init(&m);
    clock[0] = 5u;
    const uint32_t begin = clock[2];
    for (int t = 0; t < STEPS; t++) {
        model_step(&m, given[t], output);
    }
    print((begin - clock[2]) & 0xFFFFFFu);
    print((uint32_t)sizeof m);
    for (int i = 0; i < MODEL_OUTPUT_WIDTH; i++) {
        union {
            float number;
            uint32_t bits;
        } value = {output[i]};
        print(value.bits);
    }
    host(0x18, (const void *)0x20026);
    return 0;
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cell", nargs="+", default=["gru", "lstm", "rnn"])
    parser.add_argument("--input", type=int, default=8)
    parser.add_argument("--hidden", type=int, nargs="+", default=[32, 64])
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    for tool in ("arm-none-eabi-gcc", "arm-none-eabi-size", "qemu-system-arm"):
        if shutil.which(tool) is None:
            sys.exit(f"{tool} is missing: apt-get install gcc-arm-none-eabi libnewlib-arm-none-eabi qemu-system-arm")
    rows = [
        measure(cell, options.input, hidden, target)
        for cell in options.cell
        for hidden in options.hidden
        for target in TARGETS
    ]
    print("| cell | units | processor | flash (code) | RAM | multiply-adds | instructions per step | gap |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows:
        flash = f"{row['flash'] / 1000:.1f} kB ({row['code'] / 1000:.1f})"
        print(
            f"| {row['cell']} | {row['hidden']} | {row['target']} | {flash} | {row['ram'] / 1000:.2f} kB "
            f"| {row['products']:,} | {row['instructions']:,.0f} | {row['gap']:.0e} |"
        )
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


def measure(cell: str, inputs: int, hidden: int, target: str) -> dict[str, object]:
    """Build, run and compare one layer on one processor."""
    torch.manual_seed(0)
    layer = Recurrent(cell, inputs, hidden).eval()
    x = np.random.default_rng(0).normal(size=(STEPS, inputs)).astype(np.float32)
    with torch.no_grad():
        expected = layer(torch.from_numpy(x)[:, None])[0][-1, 0].numpy()
    machine, processor = TARGETS[target]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = c(layer, folder)
        numbers = ", ".join("{" + ", ".join(f"{value!r}f" for value in row.tolist()) + "}" for row in x)
        given = f"#define STEPS {STEPS}\nstatic const float given[{STEPS}][{inputs}] = {{{numbers}}};\n"
        for file, text in {"start.c": START, "given.h": given, "link.ld": LINKER}.items():
            (folder / file).write_text(text)
        run(folder, "arm-none-eabi-gcc", *processor, *FLAGS, *WARNINGS, "-c", "model.c", "-o", "model.o")
        flags = ["-nostartfiles", "-T", "link.ld", "start.c", "model.o", "-o", "program.elf", "-lm"]
        run(folder, "arm-none-eabi-gcc", *processor, *FLAGS, *flags)
        flash = int(run(folder, "arm-none-eabi-size", "model.o").splitlines()[1].split()[0])
        emulated = ["-M", machine, "-nographic", "-semihosting-config", "enable=on,target=native", "-icount", "shift=0"]
        printed = run(folder, "qemu-system-arm", *emulated, "-kernel", "program.elf").split()
    ticks, ram, *bits = (int(word, 16) for word in printed)
    found = np.array(bits, dtype=np.uint32).view(np.float32)
    gap = relative_gap([found], [expected])
    if not gap <= LIMIT:
        sys.exit(f"{cell}, {hidden} units on {target}: differs from the layer by {gap:.1e}; nothing is reported")
    weights = made.figures["weight_bytes"] or 0
    return {
        "cell": cell,
        "hidden": hidden,
        "target": target,
        "flash": flash,
        "code": flash - weights,
        "ram": ram,
        "products": made.figures["multiply_adds_per_step"],
        "instructions": ticks * NANOSECONDS[target] / STEPS,
        "gap": gap,
    }


NANOSECONDS = {"Cortex-M4": 40, "Cortex-M7": 40}
"""Of a tick of SysTick: the boards' clock is 25 MHz."""


def run(folder: Path, *command: str) -> str:
    """Run a tool; its standard output and errors."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode:
        sys.exit(f"{command[0]}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout + (done.stderr if "qemu" in command[0] else "")


if __name__ == "__main__":
    main()
