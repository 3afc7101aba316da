"""One to eight rows, inference, one or two threads: these layers beside torch.nn's and onnxruntime's.

python benchmarks/few_rows.py [--rounds 9] [--cells RNN,GRU,LSTM] [--rows 1,2,4,8] [--steps 1,20,200]
    [--hidden 64,128,256,512] [--inputs 0] [--threads 1] [--others torch,onnxruntime]
    [--json FILE]

Each call is ``layer(x)`` in torch's inference mode, and the same in an ONNX model of one RNN, GRU or LSTM node. All
sides run in turns, several calls each after one that is not timed (so each starts with its own data in the caches), in
processor time of the process; the ratio of each round is taken, and the
median of the ratios is printed: the other's time over ours, above 1 where these layers are quicker. With several
threads it is time on the clock, since waiting threads spin, and the ratio of each side's fastest sample, since a thread
that does not get its core delays all: give it many rounds. Each side then starts after a pause: onnxruntime's threads
spin for some 25 ms after a call, and whoever comes next would share a core with them. An ONNX model's weights cannot
change, so ours run twice: as they are, and inside ``nn.frozen``, where they are packed once. ``--inputs 0``: I = H. A
shape whose results differ shows no ratio, and the exit code is then 1.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from gatewise import nn
from gatewise.files import write_json
from gatewise.nn.benchmark.others import onnx_call
from gatewise.nn.benchmark.timing import PAUSE

LIMIT = 1e-5
"""Largest difference of an output between two sides."""
SECONDS = 1e-3
"""One sample lasts about this long, where calls are not longer."""


def seconds_of(function: Callable[[], object], repeats: int) -> float:
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    begin = clock()
    for _ in range(repeats):
        function()
    return (clock() - begin) / repeats


def in_turns(sides: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds of each side in each round."""
    repeats = {}
    for name, function in sides.items():
        function()
        least = min(seconds_of(function, 1) for _ in range(3))
        repeats[name] = max(1, min(400, int(SECONDS / max(1e-6, least))))
    samples: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, function in sides.items():
            if torch.get_num_threads() > 1:
                time.sleep(PAUSE)
            function()
            samples[name].append(seconds_of(function, repeats[name]))
    return samples


def measure(
    name: str, rows: int, steps: int, inputs: int, hidden: int, rounds: int, others: list[str]
) -> dict[str, Any]:
    """One shape: microseconds of our call, and the medians of the others' ratios."""
    torch.manual_seed(0)
    other = getattr(torch.nn, name)(inputs, hidden).eval()
    ours = getattr(nn, name)(inputs, hidden).eval()
    ours.load_state_dict(other.state_dict())
    x = torch.randn(steps, rows, inputs)
    row: dict[str, Any] = {"cell": name, "B": rows, "T": steps, "I": inputs, "H": hidden}

    kept = getattr(nn, name)(inputs, hidden).eval()
    kept.load_state_dict(other.state_dict())
    with torch.inference_mode(), nn.frozen(kept):
        for layer in (ours, kept, kept):
            layer(x)  # prepares the later ones
        sides: dict[str, Callable[[], Any]] = {
            "ours": lambda: ours(x)[0],
            "frozen": lambda: kept(x)[0],
        }
        if "torch" in others:
            sides["torch"] = lambda: other(x)[0]
        onnx = onnx_call(other, x, torch.get_num_threads()) if "onnxruntime" in others else None
        if onnx is not None:
            sides["onnxruntime"] = onnx
        expected = sides["ours"]()
        row["gap"] = max(float((torch.as_tensor(run()) - expected).abs().max()) for run in sides.values())
        if not row["gap"] <= LIMIT:
            return row
        samples = in_turns(sides, rounds)
    alone = torch.get_num_threads() == 1
    for mode in ("ours", "frozen"):
        row[mode] = {"microseconds": 1e6 * (statistics.median if alone else min)(samples[mode])}
        for side in samples.keys() - {"ours", "frozen"}:
            ratios = [a / b for a, b in zip(samples[side], samples[mode], strict=True)]
            row[mode][side] = statistics.median(ratios) if alone else min(samples[side]) / min(samples[mode])
    return row


def line(row: dict[str, Any]) -> str:
    text = f"{row['cell']:<5} B={row['B']} T={row['T']:<3} I={row['I']:<3} H={row['H']:<3}"
    if "ours" not in row:
        return f"{text} results differ by {row['gap']:.1e}: no speed shown"
    for mode in ("ours", "frozen"):
        text += f" | {mode} {row[mode]['microseconds']:8.1f} us"
        text += "".join(f"  {side} {row[mode][side]:5.2f}" for side in OTHERS if side in row[mode])
    return text


OTHERS = ("torch", "onnxruntime")


def summary(rows: list[dict[str, Any]]) -> list[str]:
    """Geometric mean, least and the number below 1 per mode, side and cell."""
    lines = []
    for mode, side in ((mode, side) for mode in ("ours", "frozen") for side in OTHERS):
        for cell in [*dict.fromkeys(row["cell"] for row in rows), None]:
            chosen = [row[mode] for row in rows if mode in row and cell in (None, row["cell"])]
            ratios = [each[side] for each in chosen if side in each]
            if ratios:
                mean = math.exp(statistics.mean(map(math.log, ratios)))
                below = sum(ratio < 1 for ratio in ratios)
                lines.append(
                    f"{mode:<6} {side:<12} {cell or 'all':<5} mean {mean:.2f}, least {min(ratios):.2f}, "
                    f"{below} of {len(ratios)} below 1"
                )
    return lines


def numbers(text: str) -> list[int]:
    return [int(each) for each in text.split(",")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cells", default="RNN,GRU,LSTM")
    parser.add_argument("--rows", type=numbers, default=[1, 2, 4, 8])
    parser.add_argument("--steps", type=numbers, default=[1, 20, 200])
    parser.add_argument("--hidden", type=numbers, default=[64, 128, 256, 512])
    parser.add_argument("--inputs", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--others", default=",".join(OTHERS))
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    found = []
    for cell in arguments.cells.split(","):
        for hidden in arguments.hidden:
            for steps in arguments.steps:
                for rows in arguments.rows:
                    sizes = rows, steps, arguments.inputs or hidden, hidden
                    row = measure(cell, *sizes, arguments.rounds, arguments.others.split(","))
                    found.append(row)
                    print(line(row), flush=True)
    print("\n".join(summary(found)))
    if arguments.json:
        write_json(arguments.json, found)
    return int(any("ours" not in row for row in found))


if __name__ == "__main__":
    sys.exit(main())
