"""How many Newton sweeps it takes to find all states of a sequence at once, and the largest Lyapunov exponent.

python benchmarks/parallel.py --seeds 3                         # fresh networks, weights times 1, 2 and 4
python benchmarks/parallel.py --runs runs/imdb-*                # trained ones, on their first test example
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from gatewise.inspection.parallel import Parallel, parallel
from gatewise.nn import Recurrent
from gatewise.training import load_run
from gatewise.training.kind import RecurrentInputs
from gatewise.training.trained import load_data


def fresh(cell: str, scale: float, seed: int, hidden: int, steps: int) -> Parallel:
    """A network as it is drawn, all weights scaled, on noise."""
    torch.manual_seed(seed)
    layers = Recurrent(cell, hidden, hidden).eval()
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.mul_(scale)
    return parallel(RecurrentInputs(layers, torch.randn(steps, 1, hidden), None))


def show(name: str, found: Sequence[Parallel]) -> None:
    """A line: sweeps with whole and diagonal Jacobians, and the exponent, from the least to the most seed."""
    words = []
    for kind in ("full", "diagonal"):
        counts = [max((getattr(each, kind).count or 10**9) for each in one.layers) for one in found]
        outcomes = {getattr(each, kind).outcome for one in found for each in one.layers} - {"settled"}
        sound = [count for count in counts if count < 10**9]
        span = f"{min(sound)} to {max(sound)}" if sound else ""
        words.append(f"{span} {'/'.join(sorted(outcomes))}".strip())
    exponents = [one.exponent for one in found]
    print(f"{name:<34}{words[0]:>22}{words[1]:>24}{min(exponents):>10.2f} to {max(exponents):.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--steps", type=int, default=256)
    parser.add_argument("--cells", nargs="+", default=["rnn", "lstm", "gru"])
    parser.add_argument("--scales", nargs="+", type=float, default=[1, 2, 4])
    parser.add_argument("--runs", nargs="+", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'':<34}{'whole Jacobians':>22}{'diagonal ones':>24}{'exponent':>16}")
    for run in options.runs or ():
        trained = load_run(run)
        reader = trained.reader(load_data(run, trained.spec))
        stack = next(iter(reader.stacks(reader.examples(1)[0]).values()))
        show(f"{run.name} ({stack.inputs.shape[0]} steps)", [parallel(stack)])
    for cell in () if options.runs else options.cells:
        for scale in options.scales:
            seeds = range(options.seeds)
            found = [fresh(cell, scale, seed, options.hidden, options.steps) for seed in seeds]
            show(f"{cell}, weights x {scale:g}", found)


if __name__ == "__main__":
    main()
