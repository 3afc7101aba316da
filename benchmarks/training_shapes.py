"""Training of the seven standard shapes of ``gatewise bench`` beside torch.nn, in processor time, one thread.

python benchmarks/training_shapes.py [--rounds 5] [--cells RNN,GRU,LSTM]

A call is the layer without gradients of x, and ``backward`` of its output's sum. Both sides in turns; the median of the
rounds' ratios: torch's time over ours. ``gatewise bench`` measures time on the clock, which other programs disturb
more. A shape whose gradients differ shows no ratio, and the exit code is then 1.
"""

from __future__ import annotations

import argparse
import math
import statistics
import sys
import time

import torch

from gatewise import nn
from gatewise.nn.benchmark import cases

SHAPES = tuple((c.batch, c.steps, c.input_size, c.hidden_size) for c in cases.SHAPES if c.counted)
"""B, T, I, H."""
LIMIT = 1e-4


def train(layer: torch.nn.Module, x: torch.Tensor) -> None:
    layer.zero_grad(set_to_none=True)
    layer(x)[0].sum().backward()


def seconds_of(layer: torch.nn.Module, x: torch.Tensor) -> float:
    begin = time.process_time()
    train(layer, x)
    return time.process_time() - begin


def measure(name: str, shape: tuple[int, int, int, int], rounds: int) -> float | None:
    """Torch's time over ours; None where gradients differ."""
    batch, steps, inputs, hidden = shape
    torch.manual_seed(0)
    theirs, ours = getattr(torch.nn, name)(inputs, hidden), getattr(nn, name)(inputs, hidden)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(steps, batch, inputs)
    for layer in (ours, theirs, ours):
        train(layer, x)
    for one, two in zip(ours.parameters(), theirs.parameters(), strict=True):
        if one.grad is None or two.grad is None or (one.grad - two.grad).abs().max() > LIMIT * two.grad.abs().max():
            return None
    ratios = []
    for _ in range(rounds):
        mine = seconds_of(ours, x)
        ratios.append(seconds_of(theirs, x) / mine)
    return statistics.median(ratios)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cells", default="RNN,GRU,LSTM")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    wrong = 0
    for name in arguments.cells.split(","):
        found = [measure(name, shape, arguments.rounds) for shape in SHAPES]
        for shape, ratio in zip(SHAPES, found, strict=True):
            print(name, *shape, "gradients differ: no speed shown" if ratio is None else f"{ratio:.2f}", flush=True)
        wrong += sum(ratio is None for ratio in found)
        known = [ratio for ratio in found if ratio is not None]
        print(f"{name} geometric mean {math.exp(statistics.mean(map(math.log, known))):.2f}", flush=True)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
