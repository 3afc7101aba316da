"""Layers on a GPU: cuDNN, the Triton kernels and the plain loop, in turns.

python benchmarks/gpu.py [--rounds 15] [--shape B,T,I,H ...] [--tf32] [--json FILE] [--check]

For each shape and layer one training call (forward, and backward of the output's sum of squares) and one without
gradients, as a user waits for them: time on the clock between two synchronisations, all sides in turns, medians. Sides:

- ``chosen``: what the layer chooses here (``layer.explain_kernel()`` says why);
- ``cuDNN``: torch.nn's layer of the same kind and width, where there is one; it lacks the options;
- ``triton``: the Triton kernels, forced (where they are not the choice);
- ``loop``: the plain loop; for MinGRU and MinLSTM without zoneout torch's scan.

Before anything is timed, output and every gradient of each side are compared with the loop's, on the same masks. Where
one is off by more than the limit, nothing of that row is reported and the exit code is 1. TF32 is off on all sides
unless ``--tf32`` turns it on for all.

Without a CUDA device only ``--check`` runs: parity of small shapes in Triton's interpreter (TRITON_INTERPRET=1 is set),
and no time is taken, since the interpreter's says nothing.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch

SHAPES = [(32, 200, 128, 128), (64, 60, 8, 128), (20, 35, 650, 650), (1, 200, 128, 128), (256, 100, 512, 512)]
LONG = [(8, 5000, 64, 64)]
SMALL = [(2, 3, 5, 6)]
ROWS = {"layer_norm": True, "zoneout": 0.1, "recurrent_dropout": 0.2}
LAYERS: list[tuple[str, dict[str, Any]]] = [
    ("RNN", {}),
    ("GRU", {}),
    ("LSTM", {}),
    ("RNN", {"layer_norm": True}),
    ("GRU", {"layer_norm": True}),
    ("LSTM", {"layer_norm": True}),
    ("GRU", {"reset": "before"}),
    ("LSTM", {"peephole": True}),
    ("RNN", ROWS),
    ("GRU", ROWS),
    ("LSTM", ROWS),
    ("MinGRU", {}),
    ("MinLSTM", {}),
    ("MinGRU", {"zoneout": 0.1}),
]
LIMITS = {False: 2e-4, True: 2e-2}
"""Largest difference from the loop as a share of the largest value, without and with TF32."""


def sides_of(layer: Any, kind: str, device: str) -> Iterator[tuple[str, Any, str | None]]:
    """Name, layer and forced kernel of each side; the loop is last."""
    if device == "cuda":
        yield "chosen", layer, None
    yield "triton", layer, "triton"
    if device == "cuda" and hasattr(torch.nn, kind):
        yield "cuDNN", getattr(torch.nn, kind)(layer.input_size, layer.hidden_size).to(device), None
    yield "loop", layer, "reference"


def forced(name: str | None) -> AbstractContextManager[None]:
    from gatewise.kernels.dispatch import force

    return nullcontext() if name is None else force(name)


def results(layer: Any, x: torch.Tensor) -> list[torch.Tensor]:
    """Output and all gradients, from the same masks every time."""
    torch.manual_seed(0)
    output = layer(x)[0]
    return [output.detach(), *torch.autograd.grad(output.square().sum(), [x, *layer.parameters()])]


def worst_difference(layer: Any, kind: str, x: torch.Tensor) -> dict[str, float]:
    """By side, its largest difference from the loop; cuDNN's layer has other weights and options and takes no part."""
    kernels = {name: kernel for name, _, kernel in sides_of(layer, kind, x.device.type) if name != "cuDNN"}
    with forced(kernels.pop("loop")):
        wanted = results(layer, x)
    worst = {}
    for name, kernel in kernels.items():
        with forced(kernel):
            got = results(layer, x)
        shares = [float((a - b).abs().max() / b.abs().max().clamp(min=1e-3)) for a, b in zip(got, wanted, strict=True)]
        worst[name] = max(shares)
    return worst


def milliseconds_of(call: Callable[[], object], repeats: int, wait: Callable[[], object]) -> float:
    wait()
    begin = time.perf_counter()
    for _ in range(repeats):
        call()
    wait()
    return 1e3 * (time.perf_counter() - begin) / repeats


def timed(layer: Any, kind: str, x: torch.Tensor, rounds: int, training: bool) -> dict[str, float]:
    """Median milliseconds of each side."""

    def call(side: Any) -> None:
        with torch.set_grad_enabled(training):
            output = side(x)[0]
            if training:
                torch.autograd.grad(output.square().sum(), [x, *side.parameters()])

    device = x.device.type
    wait = torch.cuda.synchronize if device == "cuda" else (lambda: None)
    sides = list(sides_of(layer, kind, device))
    samples: dict[str, list[float]] = {name: [] for name, *_ in sides}
    for turn in range(rounds + 2):  # the first two warm up: compilation, cuDNN's plans, the allocator
        for name, side, kernel in sides:
            with forced(kernel):
                took = milliseconds_of(lambda side=side: call(side), 3 if device == "cuda" else 1, wait)
            if turn > 1:
                samples[name].append(took)
    return {name: statistics.median(each) for name, each in samples.items()}


def versions(device: str, tf32: bool) -> dict[str, Any]:
    import triton

    found = {"torch": torch.__version__, "triton": triton.__version__, "tf32": tf32}
    if device == "cuda":
        found |= {
            "gpu": torch.cuda.get_device_name(),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }
    return found


def measure(arguments: argparse.Namespace, device: str) -> list[dict[str, Any]]:
    from gatewise import nn

    shapes = arguments.shape or (SMALL if device == "cpu" else SHAPES + LONG)
    rows = []
    for shape in shapes:
        batch, steps, size, width = shape
        for kind, options in LAYERS:
            torch.manual_seed(1)
            layer = getattr(nn, kind)(size, width, **options).to(device)
            x = torch.randn(steps, batch, size).to(device).requires_grad_()
            row: dict[str, Any] = {"shape": shape, "layer": kind, "options": options}
            row["difference"] = worst_difference(layer, kind, x)
            row["parity"] = all(each <= LIMITS[arguments.tf32] for each in row["difference"].values())
            if row["parity"] and not arguments.check:
                layer(x)
                row["kernel"] = layer.explain_kernel()
                row["training"] = timed(layer, kind, x, arguments.rounds, True)
                row["inference"] = timed(layer, kind, x, arguments.rounds, False)
            rows.append(row)
            print(line_of(row), flush=True)
    return rows


def line_of(row: dict[str, Any]) -> str:
    options = ", ".join(f"{name}={value}" for name, value in row["options"].items())
    head = f"{row['shape']!s:<22}{row['layer']:<8}{options:<62}"
    worst = max(row["difference"].values())
    if not row["parity"]:
        return f"{head}PARITY DOES NOT HOLD: off by {worst:.1e}; no times"
    parts = [f"parity {worst:.0e}"]
    for mode in ("training", "inference"):
        if mode in row:
            parts.append(f"{mode} ms: " + ", ".join(f"{side} {value:.2f}" for side, value in row[mode].items()))
    return head + "; ".join(parts)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--shape", type=lambda text: tuple(int(each) for each in text.split(",")), nargs="*")
    parser.add_argument("--tf32", action="store_true")
    parser.add_argument("--check", action="store_true", help="parity only")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cpu":
        if not arguments.check:
            print("there is no CUDA device here: only --check runs, and nothing is timed", file=sys.stderr)
            return 2
        os.environ["TRITON_INTERPRET"] = "1"
    torch.backends.cuda.matmul.allow_tf32 = arguments.tf32
    torch.backends.cudnn.allow_tf32 = arguments.tf32
    about = versions(device, arguments.tf32)
    print(", ".join(f"{name} {value}" for name, value in about.items()))
    rows = measure(arguments, device)
    if arguments.json:
        from gatewise.files import write_json

        write_json(arguments.json, {"about": about, "rows": rows})
    return 0 if all(row["parity"] for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
