"""What one short call of a layer costs beside torch.nn's and onnxruntime's: one to four steps, one to 256 rows.

python benchmarks/calls.py [--rounds 40] [--hidden 128] [--modes inference,training,ragged] [--json FILE]

``inference`` is ``layer(x, state)`` without gradients; ``training`` the same with gradients, and ``backward`` of its
sum; ``ragged`` is training of rows of different lengths, which torch packs. One thread, processor time of the process,
all sides in turns; medians. A shape whose results or gradients differ shows no ratio, and the exit code is then 1.
onnxruntime takes part in inference where it is installed.
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
STEPS = (1, 2, 4)
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


def run_packed(layer: torch.nn.Module, x: torch.Tensor, state: Any, lengths: torch.Tensor) -> torch.Tensor:
    packed = torch.nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
    output, _ = torch.nn.utils.rnn.pad_packed_sequence(layer(packed, state)[0], total_length=x.shape[0])
    return output


def gap_of(ours: torch.nn.Module, other: torch.nn.Module, run: Callable[[torch.nn.Module], torch.Tensor]) -> float:
    """The largest difference of the outputs and, where there are some, of the weights' gradients."""
    for layer in (ours, other):
        layer.zero_grad(set_to_none=True)
    first, second = run(ours), run(other)
    gap = float((first - second).abs().max())
    for mine, theirs in zip(ours.parameters(), other.parameters(), strict=True):
        if mine.grad is not None and theirs.grad is not None:
            gap = max(gap, float((mine.grad - theirs.grad).abs().max() / theirs.grad.abs().max()))
    return gap


def measure(
    name: str, batch: int, steps: int, hidden: int, rounds: int, folder: Path, modes: list[str]
) -> dict[str, Any]:
    torch.manual_seed(0)
    other = CELLS[name](INPUTS, hidden).eval()
    ours = getattr(nn, name)(INPUTS, hidden).eval()
    ours.load_state_dict(other.state_dict())
    x = torch.randn(steps, batch, INPUTS)
    lengths = torch.arange(batch) % steps + 1
    with torch.no_grad():
        state = other(x)[1]

    def train(layer: torch.nn.Module) -> torch.Tensor:
        output: torch.Tensor = layer(x, state)[0]
        output.sum().backward()
        return output.detach()

    def train_ragged(layer: torch.nn.Module) -> torch.Tensor:
        output: torch.Tensor = layer(x, state, lengths)[0] if layer is ours else run_packed(layer, x, state, lengths)
        output.sum().backward()
        return output.detach()

    def infer(layer: torch.nn.Module) -> torch.Tensor:
        with torch.inference_mode():
            return layer(x, state)[0]

    runs = {"inference": infer, "training": train, "ragged": train_ragged}
    row: dict[str, Any] = {"cell": name, "batch": batch, "steps": steps}
    for mode in modes:
        if mode == "ragged" and steps == 1:
            continue
        run = runs[mode]
        run(ours)  # the first call prepares the others
        row["gap"] = gap_of(ours, other, run)
        if not row["gap"] <= LIMIT:
            break
        sides: dict[str, Callable[[], object]] = {"ours": lambda: run(ours), "torch": lambda: run(other)}  # noqa: B023
        session = onnx_session(ours, folder) if mode == "inference" else None
        if session is not None:
            given = {each.name for each in session.get_inputs()}
            if given <= {"x", "lengths"}:
                feed = {"x": x.transpose(0, 1).contiguous().numpy()}
                if "lengths" in given:
                    feed["lengths"] = torch.full((batch,), steps).numpy()
                sides["onnxruntime"] = lambda: session.run(None, feed)  # noqa: B023
        row[mode] = in_turns(sides, rounds, max(10, 200 // (batch * steps)))
    return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--hidden", type=int, default=128)
    parser.add_argument("--modes", default="inference,training,ragged")
    parser.add_argument("--batches", default="1,16,64,256")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = []
    modes = arguments.modes.split(",")
    print(f"I = {INPUTS}, H = {arguments.hidden}; microseconds of processor time, and the other's over ours")
    with tempfile.TemporaryDirectory() as folder:
        for batch, steps in [(int(batch), steps) for batch in arguments.batches.split(",") for steps in STEPS]:
            for name in CELLS:
                row = measure(name, batch, steps, arguments.hidden, arguments.rounds, Path(folder), modes)
                rows.append(row)
                print(line(row), flush=True)
    if arguments.json:
        write_json(arguments.json, rows)
    return int(any(not row["gap"] <= LIMIT for row in rows))


def line(row: dict[str, Any]) -> str:
    start = f"B={row['batch']:<3} T={row['steps']} {row['cell']:<5}"
    if not row["gap"] <= LIMIT:
        return f"{start} results differ from torch's by {row['gap']:.1e}: no speed shown"
    parts = [start]
    for mode in ("inference", "training", "ragged"):
        times = row.get(mode)
        if times is None:
            continue
        parts.append(f"{mode} {times['ours']:6.1f}")
        for side in ("torch", "onnxruntime"):
            if side in times:
                parts.append(f"{side} {times[side] / times['ours']:.2f}")
    return "  ".join(parts)


if __name__ == "__main__":
    sys.exit(main())
