"""Windows per second in training a forecaster, against the same network written with torch.nn.

Both have the same weights; forecasts and gradients are compared first, and no time is printed where they differ.
The two are timed in turns, so that a busy machine slows both.

    python benchmarks/forecasting.py --threads 2
"""

from __future__ import annotations

import argparse
import statistics
import time

import torch
from torch import Tensor, nn

from gatewise.kinds.forecasting.network import Forecaster

CASES = {
    "stocks: 64 windows of 60 steps, 128 units, one step ahead": (
        64,
        {"targets": 1, "features": 0, "lookback": 60, "horizon": 1, "hidden_size": 128},
    ),
    "ETTh1: 64 windows of 720 steps, 7 series, segments of 48, 256 units, 96 steps ahead": (
        64,
        {
            "targets": 7,
            "features": 0,
            "lookback": 720,
            "horizon": 96,
            "hidden_size": 256,
            "decoding": "segments",
            "segment_length": 48,
            "channel_independent": True,
        },
    ),
}


class Plain(nn.Module):
    """The same network with torch.nn's layers, as its papers write it."""

    def __init__(self, model: Forecaster, cell: str) -> None:
        super().__init__()
        kinds = {"gru": nn.GRU, "lstm": nn.LSTM, "rnn": nn.RNN}
        self.model = model
        self.recurrent = kinds[cell](model.recurrent.input_size, model.recurrent.hidden_size)
        self.recurrent.load_state_dict(model.recurrent.state_dict())
        self.head = nn.Linear(model.head.in_features, model.head.out_features)
        self.head.load_state_dict(model.head.state_dict())
        self.segments = model.decoding == "segments"
        if self.segments:
            self.read_segment = nn.Linear(model.read_segment.in_features, model.read_segment.out_features)
            self.read_segment.load_state_dict(model.read_segment.state_dict())
            self.place = nn.Parameter(model.place.detach().clone())
            self.channel = nn.Parameter(model.channel.detach().clone())
        self.shape = (model.horizon, model.targets, model.segment)
        del self.model

    def forward(self, past: Tensor) -> Tensor:
        """Forecasts (H, B, K) of windows (T, B, K)."""
        horizon, targets, segment = self.shape
        steps, batch, _ = past.shape
        last = past[-1:]
        windows = (past - last).reshape(steps, batch * targets, 1)
        if not self.segments:
            output, _ = self.recurrent(windows)
            return (self.head(output[-1]).view(batch, targets, horizon) + last[0][..., None]).permute(2, 0, 1)
        cut = windows.view(steps // segment, segment, batch * targets).transpose(1, 2)
        _, state = self.recurrent(torch.relu(self.read_segment(cut)))
        places = self.place.shape[0]
        asked = torch.cat(
            [
                self.place[:, None].expand(places, batch * targets, -1),
                self.channel.repeat(batch, 1).expand(places, -1, -1),
            ],
            dim=2,
        )
        repeated = tuple(part.repeat(1, places, 1) for part in state) if isinstance(state, tuple) else None
        output, _ = self.recurrent(
            asked.reshape(1, -1, asked.shape[2]), repeated if repeated is not None else state.repeat(1, places, 1)
        )
        written = self.head(output[0]).view(places, batch * targets, segment).transpose(1, 2)
        return written.reshape(places * segment, batch, targets)[:horizon] + last


def step(model: nn.Module, optimizer: torch.optim.Optimizer, past: Tensor, future: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    found = model(past)
    loss = ((found[..., 0] if found.dim() == 4 else found) - future).abs().mean()
    loss.backward()
    optimizer.step()


def check(ours: Forecaster, plain: Plain, past: Tensor, future: Tensor) -> float:
    """The greatest difference of forecasts and gradients, relative to the greatest gradient."""
    gradients = []
    forecasts = []
    for model in (ours, plain):
        model.zero_grad()
        found = model(past)
        forecasts.append((found[..., 0] if found.dim() == 4 else found).detach())
        (((found[..., 0] if found.dim() == 4 else found) - future) ** 2).mean().backward()
        gradients.append({name: value.grad for name, value in model.named_parameters() if value.grad is not None})
    worst = float((forecasts[0] - forecasts[1]).abs().max())
    for name, value in gradients[1].items():
        scale = float(value.abs().max()) or 1.0
        worst = max(worst, float((gradients[0][name] - value).abs().max()) / scale)
    return worst


def measure(cell: str, batch: int, settings: dict[str, object], rounds: int) -> str:
    torch.manual_seed(0)
    ours = Forecaster(cell=cell, dropout=0.0, **settings)  # type: ignore[arg-type]
    plain = Plain(ours, cell)
    past = torch.randn(int(str(settings["lookback"])), batch, int(str(settings["targets"])))
    future = torch.randn(int(str(settings["horizon"])), batch, int(str(settings["targets"])))
    worst = check(ours, plain, past, future)
    if worst > 1e-3:
        return f"{cell:5} differs from torch.nn by {worst:.1e}: no time is given"
    models: tuple[nn.Module, ...] = (ours, plain)
    optimizers = [torch.optim.Adam(model.parameters(), fused=True) for model in models]
    times: list[list[float]] = [[], []]
    for turn in range(rounds + 2):
        for place, model in enumerate(models):
            start = time.perf_counter()
            step(model, optimizers[place], past, future)
            if turn >= 2:
                times[place].append(time.perf_counter() - start)
    mine, theirs = (batch / statistics.median(each) for each in times)
    ratio = statistics.median(second / first for first, second in zip(*times, strict=True))
    return (
        f"{cell:5} {mine:8,.0f} windows/s, torch.nn {theirs:8,.0f}: {ratio:.2f} times as many "
        f"(kernel {ours.kernel['implementation']}, difference {worst:.0e})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=21)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for title, (batch, settings) in CASES.items():
        print(f"{title}; {arguments.threads} thread{'s' if arguments.threads > 1 else ''}")
        for cell in ("rnn", "lstm", "gru"):
            print("  " + measure(cell, batch, settings, arguments.rounds), flush=True)


if __name__ == "__main__":
    main()
