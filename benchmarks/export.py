"""Exported C beside onnxruntime, one thread, in turns: one step at a time, and a step within a sequence of 200.

python benchmarks/export.py [--cell gru] [--input 40] [--hidden 128] [--rounds 300] [--json FILE]

Needs a C compiler, onnx and onnxruntime. Both have to give the layer's outputs within 1e-5 first, or nothing is timed.
The C is built with the flags of the exported Makefile and called from a loop in C; onnxruntime is called from Python,
once per step with arrays of NumPy, which was faster here than with bound inputs (``OrtValue``). A part of its time
for a single step is therefore Python's.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from gatewise.export import c, onnx
from gatewise.export.to_c.compiler import FAST, NATIVE, STRICT, compile_program, find_compiler, takes
from gatewise.export.to_onnx.check import relative_gap
from gatewise.nn import Recurrent

STEPS = 200
AT_ONCE = 20
"""Single steps per timing: short, so that other programs seldom interrupt one."""
LIMIT = 1e-5
TIMER = """#include "model.h"

static model_instance m;

void timed_reset(void)
{
    model_init(&m);
}

void timed_steps(size_t steps, const float *x, float *output)
{
    for (size_t t = 0; t < steps; t++) {
        model_step(&m, x + t * MODEL_X_WIDTH, output);
    }
}

int timed_run(size_t steps, const float *x, float *output)
{
    return model_run(&m, steps, x, output);
}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cell", nargs="+", default=["gru", "lstm", "rnn"])
    parser.add_argument("--input", type=int, default=40)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    compiler = find_compiler()
    if compiler is None:
        sys.exit("there is no C compiler")
    rows = [measure(cell, options.input, options.hidden, options.rounds, compiler) for cell in options.cell]
    head = ("one step, C", "onnxruntime", "ratio", "within 200, C", "onnxruntime", "ratio")
    print(
        f"{'cell':<6}" + "".join(f"{word:>{width}}" for word, width in zip(head, (14, 14, 7, 16, 14, 7), strict=True))
    )
    for row in rows:
        step, whole = row["step"], row["whole"]
        print(
            f"{row['cell']:<6}{step['c']:>11.2f} µs{step['onnxruntime']:>11.2f} µs{step['ratio']:>7.2f}"
            f"{whole['c']:>13.2f} µs{whole['onnxruntime']:>11.2f} µs{whole['ratio']:>7.2f}"
        )
    print("ratio: median over rounds of C's time over onnxruntime's in the same round; below 1: C is faster")
    if options.json is not None:
        options.json.write_text(json.dumps(rows, indent=2) + "\n")


def measure(cell: str, inputs: int, hidden: int, rounds: int, compiler: list[str]) -> dict[str, object]:
    """Times of one cell in microseconds per step."""
    torch.manual_seed(0)
    layer = Recurrent(cell, inputs, hidden).eval()
    x = np.random.default_rng(0).normal(size=(STEPS, inputs)).astype(np.float32)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        c(layer, folder / "c")
        onnx(layer, folder / "onnx")
        (folder / "c" / "timer.c").write_text(TIMER)
        native = [NATIVE] if takes(compiler, NATIVE) else []
        flags = [*STRICT, *FAST, *native, "-fPIC", "-shared"]
        compile_program(compiler, folder / "c", ["model.c", "timer.c"], "timer.so", flags)
        library = ctypes.CDLL(str(folder / "c" / "timer.so"))
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        sessions = [
            onnxruntime.InferenceSession(str(folder / "onnx" / file), options, providers=["CPUExecutionProvider"])
            for file in ("step.onnx", "model.onnx")
        ]
        return compare(cell, layer, x, library, sessions, rounds)


def compare(cell, layer, x, library, sessions, rounds):
    """Parity first; then rounds in which each is timed once, C and onnxruntime in turns."""
    hidden = layer.hidden_size
    pointer = ctypes.POINTER(ctypes.c_float)
    out, last = np.zeros((STEPS, hidden), np.float32), np.zeros(hidden, np.float32)
    given, all_out, one_out = (array.ctypes.data_as(pointer) for array in (x, out, last))
    count = ctypes.c_size_t(STEPS)
    step, whole = sessions
    with torch.no_grad():
        expected = layer(torch.from_numpy(x)[:, None])[0][:, 0].numpy()
    states = {each.name: np.zeros((1, hidden), np.float32) for each in step.get_inputs() if each.name != "x"}
    outputs = [each.name for each in step.get_outputs()]
    following = {key: outputs.index(f"{key}_next") for key in states}
    feeds = {"x": x[None], "lengths": np.array([STEPS], dtype=np.int64)}

    def onnx_steps():
        held, rows, found = dict(states), [row[None] for row in x[:AT_ONCE]], None
        start = time.perf_counter()
        for row in rows:
            found = step.run(outputs, {"x": row, **held})
            held = {key: found[place] for key, place in following.items()}
        return time.perf_counter() - start, found[outputs.index("output")][0]

    def c_steps():
        library.timed_reset()
        start = time.perf_counter()
        library.timed_steps(ctypes.c_size_t(AT_ONCE), given, one_out)
        return time.perf_counter() - start, last.copy()

    def onnx_whole():
        start = time.perf_counter()
        (found,) = whole.run(["output"], feeds)
        return time.perf_counter() - start, found[0]

    def c_whole():
        start = time.perf_counter()
        library.timed_run(count, given, all_out)
        return time.perf_counter() - start, out.copy()

    for name, function, wanted in (
        ("C, steps", c_steps, expected[AT_ONCE - 1]),
        ("onnxruntime, steps", onnx_steps, expected[AT_ONCE - 1]),
        ("C, whole", c_whole, expected),
        ("onnxruntime, whole", onnx_whole, expected),
    ):
        gap = relative_gap([function()[1]], [wanted])
        if not gap <= LIMIT:
            sys.exit(f"{cell}: {name} differs from the layer by {gap:.1e}; nothing is timed")
    row = {"cell": cell}
    for key, ours, theirs, steps in (("step", c_steps, onnx_steps, AT_ONCE), ("whole", c_whole, onnx_whole, STEPS)):
        pairs = [(ours()[0], theirs()[0]) for _ in range(rounds + 3)][3:]
        row[key] = {
            "c": 1e6 * statistics.median(pair[0] for pair in pairs) / steps,
            "onnxruntime": 1e6 * statistics.median(pair[1] for pair in pairs) / steps,
            "ratio": statistics.median(pair[0] / pair[1] for pair in pairs),
        }
    return row


if __name__ == "__main__":
    main()
