"""What rounded products gain and cost: speed on layers of one to eight rows, and the test figures of trained networks.

python benchmarks/rounded.py [--precision int8] [--rounds 9] [--hidden 256,512] [--rows 1,2,4,8] [--steps 1,20,200]
    [RUN ...]

Without runs: both precisions in turns inside ``nn.frozen``, one thread, processor time; the median of the rounds'
ratios, and how far outputs of a freshly drawn layer move. With runs: each run's test figures with both, and how far the
layers' outputs move on its own data.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from gatewise import nn


def seconds_of(function: Callable[[], object], repeats: int) -> float:
    begin = time.process_time()
    for _ in range(repeats):
        function()
    return (time.process_time() - begin) / repeats


def speed(cell: str, rows: int, steps: int, hidden: int, precision: str, rounds: int) -> str:
    torch.manual_seed(0)
    exact, rounded = (getattr(nn, cell)(hidden, hidden).eval() for _ in range(2))
    rounded.load_state_dict(exact.state_dict())
    x = torch.randn(steps, rows, hidden)
    with torch.inference_mode(), nn.frozen(exact, rounded):
        for _ in range(2):
            expected = exact(x)[0]
        with nn.precision(precision):
            for _ in range(3):
                found = rounded(x)[0]
        if not (rounded.kernel or "").endswith(precision):
            return f"{cell}: {rounded.explain_kernel()}"
        repeats = max(1, int(2e-3 / max(1e-6, seconds_of(lambda: exact(x), 2))))
        ratios = []
        for _ in range(rounds):
            before = seconds_of(lambda: exact(x), repeats)
            with nn.precision(precision):
                ratios.append(before / seconds_of(lambda: rounded(x), repeats))
    gap = (found - expected).abs()
    return (
        f"{cell:<5} B={rows} T={steps:<3} I=H={hidden:<4} {statistics.median(ratios):.2f}x"
        f"  largest {gap.max():.1e}  mean {gap.mean():.1e}"
    )


def figures(folder: Path, precision: str) -> list[str]:
    """One run's test figures with both precisions, and how far each stack's outputs move."""
    from gatewise.training.trained import load_data, load_run

    trained = load_run(folder)
    data = load_data(folder, trained.spec)
    exact = trained.test(data).metrics
    with nn.precision(precision):
        rounded = trained.test(data).metrics
    lines = [
        f"{folder.name}: {name} {value:.6f} -> {rounded[name]:.6f} ({rounded[name] / value - 1:+.3%})"
        for name, value in exact.items()
        if isinstance(value, float) and value
    ]
    for name, stack in trained.stacks(data, 64, 100).items():
        with torch.inference_mode():
            before = stack.recurrent(stack.inputs, stack.state, stack.lengths)[0]
            with nn.precision(precision):
                after = stack.recurrent(stack.inputs, stack.state, stack.lengths)[0]
        gap = after - before
        share = float(gap.square().mean().sqrt() / before.square().mean().sqrt())
        kernel = stack.recurrent.kernel
        lines.append(
            f"{folder.name}: {name} on {kernel}: largest difference {gap.abs().max():.1e}, {share:.1e} of its size"
        )
    return lines


def numbers(text: str) -> list[int]:
    return [int(each) for each in text.split(",")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", type=Path, nargs="*")
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cells", default="RNN,GRU,LSTM")
    parser.add_argument("--hidden", type=numbers, default=[256, 512])
    parser.add_argument("--rows", type=numbers, default=[1, 2, 4, 8])
    parser.add_argument("--steps", type=numbers, default=[1, 20, 200])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for run in arguments.runs:
        print(*figures(run, arguments.precision), sep="\n", flush=True)
    if not arguments.runs:
        for cell in arguments.cells.split(","):
            for hidden in arguments.hidden:
                for steps in arguments.steps:
                    for rows in arguments.rows:
                        print(speed(cell, rows, steps, hidden, arguments.precision, arguments.rounds), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
