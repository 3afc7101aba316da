"""What one short call of a layer costs beside torch.nn's and onnxruntime's: one to four steps, one to 64 rows.

python benchmarks/calls.py [--rounds 40] [--hidden 128] [--json FILE]

One thread, processor time of the process, all sides in turns; medians. A shape whose results differ shows no ratio,
and the exit code is then 1. onnxruntime takes part where it is installed; it has no training.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from gatewise import nn
from gatewise.files import write_json

CELLS = {"RNN": torch.nn.RNN, "GRU": torch.nn.GRU, "LSTM": torch.nn.LSTM}
SHAPES = [(batch, steps) for batch in (1, 16, 64) for steps in (1, 2, 4)]
INPUTS = 64
LIMIT = 1e-5


def seconds_of(function: Callable[[], object], repeats: int) -> float:
    begin = time.process_time()
    for _ in range(repeats):
        function()
    return (time.process_time() - begin) / repeats


def in_turns(sides: dict[str, Callable[[], object]], rounds: int, repeats: int) -> dict[str, float]:
    """Median microseconds of each side."""
    samples: dict[str, list[float]] = {name: [] for name in sides}
    for function in sides.values():
        seconds_of(function, 20)
    for _ in range(rounds):
        for name, function in sides.items():
            samples[name].append(seconds_of(function, repeats))
    return {name: 1e6 * statistics.median(each) for name, each in samples.items()}


def onnx_session(layer: torch.nn.Module, folder: Path) -> Any:
    try:
        import onnxruntime

        import gatewise.export
    except ImportError:
        return None
    place = folder / type(layer).__name__
    if not (place / "model.onnx").exists():
        gatewise.export.onnx(layer, place)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(str(place / "model.onnx"), options, providers=["CPUExecutionProvider"])


def measure(name: str, batch: int, steps: int, hidden: int, rounds: int, folder: Path) -> dict[str, Any]:
    torch.manual_seed(0)
    other = CELLS[name](INPUTS, hidden).eval()
    ours = getattr(nn, name)(INPUTS, hidden).eval()
    ours.load_state_dict(other.state_dict())
    x = torch.randn(steps, batch, INPUTS)
    with torch.inference_mode():
        state = other(x)[1]
        for _ in range(3):  # the third call is a prepared one
            gap = float((ours(x, state)[0] - other(x, state)[0]).abs().max())
    row: dict[str, Any] = {"cell": name, "batch": batch, "steps": steps, "gap": gap}
    if gap > LIMIT:
        return row
    sides = {"ours": lambda: ours(x, state), "torch": lambda: other(x, state)}
    session = onnx_session(ours, folder)
    if session is not None:
        given = {each.name for each in session.get_inputs()}
        feed = {"x": x.transpose(0, 1).contiguous().numpy() if "x" in given else None}
        row["onnx_inputs"] = sorted(given)
        if given <= {"x", "lengths"}:
            if "lengths" in given:
                feed["lengths"] = torch.full((batch,), steps).numpy()
            sides["onnxruntime"] = lambda: session.run(None, feed)
    with torch.inference_mode():
        row["inference"] = in_turns(sides, rounds, max(20, 400 // (batch * steps)))

    def train(layer: torch.nn.Module) -> None:
        layer(x)[0].sum().backward()

    both = {"ours": lambda: train(ours), "torch": lambda: train(other)}
    row["training"] = in_turns(both, rounds, max(10, 100 // (batch * steps)))
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    print(f"I = {INPUTS}, H = {arguments.hidden}; microseconds of processor time, and the other's over ours")
    with tempfile.TemporaryDirectory() as folder:
        for batch, steps in SHAPES:
            for name in CELLS:
                row = measure(name, batch, steps, arguments.hidden, arguments.rounds, Path(folder))
                rows.append(row)
                print(line(row), flush=True)
    if arguments.json:
        write_json(arguments.json, rows)
    return int(any("inference" not in row for row in rows))


def line(row: dict[str, Any]) -> str:
    start = f"B={row['batch']:<3} T={row['steps']} {row['cell']:<5}"
    if "inference" not in row:
        return f"{start} results differ from torch's by {row['gap']:.1e}: no speed shown"
    parts = [start]
    for mode in ("inference", "training"):
        times = row[mode]
        parts.append(f"{mode} {times['ours']:6.1f}")
        for side in ("torch", "onnxruntime"):
            if side in times:
                parts.append(f"{side} {times[side] / times['ours']:.2f}")
    return "  ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
