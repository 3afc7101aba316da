"""Language-model training: words per second and memory, against the same model in torch.nn with F.cross_entropy.

    python benchmarks/language_modelling.py --threads 2 --out language_modelling.json

Both sides train the same network (embedding, one recurrent layer, tied softmax over 10,000 words) with the same fused
Adam on the same random tokens. Losses and gradients have to agree before anything is timed. Steps are timed in turns in
one process; the median over the rounds counts. Memory is the growth of a fresh process's peak over its size before the
first step (read from /proc, on Linux).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from gatewise.kinds.language_modelling.model import LanguageModel
from gatewise.nn.softmax.products import product_library

WORDS = 10_000
STEPS_A_ROUND = 4
MEMORY_STEPS = 6


class Plain(nn.Module):
    """The same network from torch.nn alone."""

    def __init__(self, cell: str, hidden: int, embedding: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(WORDS, embedding)
        self.recurrent = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[cell](embedding, hidden)
        self.projection = nn.Linear(hidden, embedding, bias=False) if hidden != embedding else None
        self.bias = nn.Parameter(torch.zeros(WORDS))

    def loss(self, tokens: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy of all scores at once."""
        output, _ = self.recurrent(self.embedding(tokens))
        if self.projection is not None:
            output = self.projection(output)
        scores = functional.linear(output.flatten(0, 1), self.embedding.weight, self.bias)
        return functional.cross_entropy(scores, targets.flatten())


def ours(plain: Plain, cell: str, hidden: int, embedding: int) -> LanguageModel:
    model = LanguageModel(WORDS, cell=cell, hidden_size=hidden, embedding_size=embedding)
    named = {
        "embedding.weight": plain.embedding.weight,
        "bias": plain.bias,
        **{f"layers.0.{name}": value for name, value in plain.recurrent.named_parameters()},
    }
    if plain.projection is not None:
        named["projection"] = plain.projection.weight
    model.load_state_dict({name: value.detach().clone() for name, value in named.items()})
    return model


def loss_of(model: nn.Module, tokens: Tensor, targets: Tensor) -> Tensor:
    if isinstance(model, LanguageModel):
        return model.loss(model.read(tokens).output, targets)
    assert isinstance(model, Plain)
    return model.loss(tokens, targets)


def parity(plain: Plain, model: LanguageModel, tokens: Tensor, targets: Tensor) -> float:
    """The greatest relative difference of loss and gradients, each against the greatest entry of its tensor."""
    first, second = loss_of(plain, tokens, targets), loss_of(model, tokens, targets)
    first.backward()
    second.backward()
    pairs = [(first.detach(), second.detach()), (plain.embedding.weight.grad, model.embedding.weight.grad)]
    pairs.append((plain.bias.grad, model.bias.grad))
    mine = dict(model.layers[0].named_parameters())
    pairs += [(value.grad, mine[name].grad) for name, value in plain.recurrent.named_parameters()]
    worst = max(float((a - b).abs().max() / a.abs().max()) for a, b in pairs)
    for each in (plain, model):
        each.zero_grad()
    return worst


def trainer(model: nn.Module, tokens: Tensor, targets: Tensor) -> Callable[[], None]:
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss_of(model, tokens, targets).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()

    return step


def build(arguments: argparse.Namespace) -> tuple[Plain, LanguageModel, Tensor, Tensor]:
    torch.manual_seed(0)
    torch.set_num_threads(arguments.threads)
    plain = Plain(arguments.cell, arguments.hidden, arguments.embedding)
    nn.init.uniform_(plain.embedding.weight, -0.1, 0.1)
    model = ours(plain, arguments.cell, arguments.hidden, arguments.embedding)
    tokens, targets = torch.randint(WORDS, (2, arguments.steps, arguments.batch))
    return plain, model, tokens, targets


def peak_growth(which: str, arguments: argparse.Namespace) -> float:
    """Megabytes by which training steps raise a fresh process's peak."""
    words = [sys.executable, __file__, "--memory", which]
    for name in ("cell", "hidden", "embedding", "steps", "batch", "threads"):
        words += [f"--{name}", str(getattr(arguments, name))]
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def measure_memory(which: str, arguments: argparse.Namespace) -> None:
    plain, model, tokens, targets = build(arguments)
    step = trainer(plain if which == "torch" else model, tokens, targets)
    Path("/proc/self/clear_refs").write_text("5")  # Linux: the peak begins anew at the present size
    before = resident("VmHWM")
    for _ in range(MEMORY_STEPS):
        step()
    print((resident("VmHWM") - before) / 1024)


def resident(field: str) -> int:
    """A field of this process's status, in kilobytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", choices=("rnn", "lstm", "gru"), default="lstm")
    for name, usual in (("hidden", 128), ("embedding", 128), ("steps", 35), ("batch", 20), ("threads", 1)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--memory", choices=("torch", "gatewise"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory:
        measure_memory(arguments.memory, arguments)
        return 0
    plain, model, tokens, targets = build(arguments)
    difference = parity(plain, model, tokens, targets)
    print(f"parity: greatest relative difference {difference:.1e}")
    if difference > 1e-3:
        print("the two sides do not compute the same; nothing is timed")
        return 1
    sides = {"torch.nn": trainer(plain, tokens, targets), "gatewise": trainer(model, tokens, targets)}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for round_number in range(arguments.rounds + 1):
        for name, step in sides.items():
            began = time.perf_counter()
            for _ in range(STEPS_A_ROUND):
                step()
            if round_number:  # the first round warms up
                seconds[name].append((time.perf_counter() - began) / STEPS_A_ROUND)
    words = arguments.steps * arguments.batch
    speed = {name: words / statistics.median(times) for name, times in seconds.items()}
    ratios = sorted(a / b for a, b in zip(seconds["torch.nn"], seconds["gatewise"], strict=True))
    memory = {"torch.nn": peak_growth("torch", arguments), "gatewise": peak_growth("gatewise", arguments)}
    record = {
        "cell": arguments.cell,
        "hidden_size": arguments.hidden,
        "embedding_size": arguments.embedding,
        "steps": arguments.steps,
        "batch_size": arguments.batch,
        "threads": arguments.threads,
        "kernel": model.kernel["implementation"],
        "products": product_library(),
        "words_per_second": speed,
        "times_faster": statistics.median(ratios),
        "times_faster_quartiles": [ratios[len(ratios) // 4], ratios[3 * len(ratios) // 4]],
        "peak_megabytes": memory,
    }
    for name in sides:
        print(f"{name:<9} {speed[name]:>9,.0f} words/s   peak +{memory[name]:,.0f} MB")
    print(f"times faster: {record['times_faster']:.2f}  (kernel {record['kernel']}, products {record['products']})")
    if arguments.out:
        arguments.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
