"""What rounded products gain and cost: speed on layers of one to eight rows, and the test figures of trained networks.

python benchmarks/rounded.py [--precision int8] [--rounds 9] [--hidden 256,512] [--rows 1,2,4,8] [--steps 1,20,200]
    [--products amx] [RUN ...]
python benchmarks/rounded.py --precision bf16 --standard [--rounds 9]

With `--standard`: inference and training of the seven standard shapes of ``gatewise bench`` without `frozen`, float32's
time over the precision's, in the same manner. A call in training is the layer without gradients of x, and `backward`
of its output's sum. A shape whose output or gradients differ by more than rounding explains shows no ratio, and the
exit code is then 1.

`--products` takes other instructions for int8: pairs (of 16 bits), vnni or amx (bytes), where the CPU has them; results
have the same bits. Those of bf16 are chosen with ``GATEWISE_BF16``.

Else without runs: both precisions in turns inside ``nn.frozen``, one thread, processor time; the median of the rounds'
ratios, and how far outputs of a freshly drawn layer move. With runs: each run's test figures with both, and how far the
layers' outputs move on its own data.
"""

from __future__ import annotations

import argparse
import ctypes
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch

from gatewise import nn
from gatewise.kernels.fused.library import require
from gatewise.nn.benchmark.cases import SHAPES, Case

LIMIT = 0.03
"""How far results may lie apart, as a share of the largest value."""


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


def call(layer: torch.nn.Module, x: torch.Tensor, training: bool) -> torch.Tensor:
    if not training:
        with torch.inference_mode():
            return layer(x)[0]
    layer.zero_grad(set_to_none=True)
    output = layer(x)[0]
    output.sum().backward()
    return output


def gap_of(one: torch.Tensor, two: torch.Tensor) -> float:
    """The largest difference, as a share of the largest value."""
    one, two = one.detach(), two.detach()
    return float((one - two).abs().max() / two.abs().max())


def standard(cell: str, case: Case, precision: str, training: bool, rounds: int) -> float | None:
    """Float32's time over the precision's for one standard shape; None where the results differ."""
    torch.manual_seed(0)
    exact, rounded = (getattr(nn, cell)(case.input_size, case.hidden_size) for _ in range(2))
    rounded.load_state_dict(exact.state_dict())
    x = torch.randn(case.steps, case.batch, case.input_size)
    for _ in range(2):
        expected = call(exact, x, training)
        with nn.precision(precision):
            found = call(rounded, x, training)
    gaps = [gap_of(found, expected)]
    if training:
        gaps += [gap_of(a.grad, b.grad) for a, b in zip(rounded.parameters(), exact.parameters(), strict=True)]
    if not (rounded.kernel or "").endswith(precision) or not max(gaps) < LIMIT:
        print(f"{rounded.explain_kernel()}; off by {max(gaps):.1e}", file=sys.stderr)
        return None
    repeats = max(1, int(1e-2 / max(1e-6, seconds_of(lambda: call(exact, x, training), 1))))
    ratios = []
    for _ in range(rounds):
        before = seconds_of(lambda: call(exact, x, training), repeats)
        with nn.precision(precision):
            ratios.append(before / seconds_of(lambda: call(rounded, x, training), repeats))
    return statistics.median(ratios)


def all_standard(cells: list[str], precision: str, rounds: int) -> int:
    """Print both tables; how many shapes differ."""
    wrong = 0
    for cell in cells:
        for training in (False, True):
            name = f"{cell} {'training' if training else 'inference'}"
            known = []
            for case in (case for case in SHAPES if case.counted):
                ratio = standard(cell, case, precision, training, rounds)
                sizes = (case.batch, case.steps, case.input_size, case.hidden_size)
                print(name, *sizes, "results differ: no speed shown" if ratio is None else f"{ratio:.2f}", flush=True)
                wrong += ratio is None
                known += [] if ratio is None else [ratio]
            if known:
                print(f"{name} geometric mean {statistics.geometric_mean(known):.2f}", flush=True)
    return wrong


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


def take_products(name: str) -> None:
    """Let whole numbers be multiplied by these instructions from now on."""
    wish = ("pairs", "vnni", "amx").index(name)
    if require().function("gatewise_int8_products", ctypes.c_int32, ctypes.c_int32)(wish) != wish:
        sys.exit(f"this CPU has no products of whole numbers by {name}")


def numbers(text: str) -> list[int]:
    return [int(each) for each in text.split(",")]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("runs", type=Path, nargs="*")
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--standard", action="store_true")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--cells", default="RNN,GRU,LSTM")
    parser.add_argument("--hidden", type=numbers, default=[256, 512])
    parser.add_argument("--rows", type=numbers, default=[1, 2, 4, 8])
    parser.add_argument("--steps", type=numbers, default=[1, 20, 200])
    parser.add_argument("--products", choices=("pairs", "vnni", "amx"), help="of int8; default: the best")
    arguments = parser.parse_args()
    if arguments.products:
        take_products(arguments.products)
    torch.set_num_threads(1)
    if arguments.standard:
        return int(all_standard(arguments.cells.split(","), arguments.precision, arguments.rounds) > 0)
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
