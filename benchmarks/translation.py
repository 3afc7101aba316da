"""Training a translator: target tokens per second of CPU time, against the same network in torch.nn.

    python benchmarks/translation.py --threads 1 --out translation.json

Both sides train the same network (bidirectional encoder, decoder, multiplicative attention, tied softmax with label
smoothing) with the same weights, the same fused Adam and the same random batches of ragged sentences. Loss and
gradients have to agree, without dropout, before anything is timed; then both train with dropout. Steps are timed in
turns in one process, by CPU time, so that other work on the machine counts for neither; the median over the rounds is
given. torch.nn's side packs the ragged source, as its documentation has it, and computes all scores at once.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from gatewise.kinds.translation.encoding import TranslationBatch
from gatewise.kinds.translation.network import TranslationNetwork
from gatewise.kinds.translation.spec import FEEDINGS

STEPS_A_ROUND = 2


class Plain(nn.Module):
    """The same network from torch.nn alone, with the weights of ours."""

    def __init__(self, model: TranslationNetwork, cell: str) -> None:
        super().__init__()
        made = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[cell]
        self.feeding, self.dropout, self.smoothing = model.feeding, model.dropout, model.label_smoothing
        encoder, decoder = model.encoder, model.decoder
        self.source = nn.Embedding(*model.source.weight.shape)
        self.target = nn.Embedding(*model.target.weight.shape)
        self.encoder = made(encoder.input_size, encoder.hidden_size, bidirectional=True)
        self.decoder = made(decoder.input_size, decoder.hidden_size)
        self.upper = None if model.upper is None else made(model.upper.input_size, model.upper.hidden_size)
        assert model.attention is not None
        self.attention = nn.Linear(model.attention.of_values.in_features, decoder.hidden_size, bias=False)
        self.bridge = nn.Linear(model.bridge.in_features, model.bridge.out_features)
        self.readout = nn.Linear(model.readout.in_features, model.readout.out_features)
        self.bias = nn.Parameter(torch.zeros_like(model.bias))
        named = {name.replace("attention.of_values", "attention"): value for name, value in model.state_dict().items()}
        self.load_state_dict(named)

    def loss(self, batch: TranslationBatch) -> Tensor:
        """Mean smoothed cross-entropy of the real target tokens."""
        packed = pack_padded_sequence(self._embedded(self.source, batch.source), batch.lengths, enforce_sorted=False)
        output, _ = pad_packed_sequence(self.encoder(packed)[0], total_length=len(batch.source))
        output = self._drop(output)
        rows, half = torch.arange(len(batch.lengths)), self.encoder.hidden_size
        summary = torch.cat([output[batch.lengths - 1, rows, :half], output[0, :, half:]], dim=1)
        first = torch.tanh(self.bridge(summary))
        values, keys = output.transpose(0, 1), self.attention(output.transpose(0, 1))
        real = torch.arange(len(batch.source)) < batch.lengths[:, None]
        states = 2 if isinstance(self.decoder, nn.LSTM) else 1
        parts = first.split(self.decoder.hidden_size, dim=1)
        lower, upper = (self._state(parts[start : start + states]) for start in (0, states))
        embedded = self._embedded(self.target, batch.inputs)
        if self.feeding == "input":
            outputs = self._step_by_step(embedded, lower, keys, values, real)
        else:
            hidden = self._drop(self.decoder(embedded, lower)[0])
            context = self._attended(hidden, keys, values, real)
            if self.upper is not None:
                hidden = self._drop(self.upper(torch.cat([hidden, context], dim=2), upper)[0])
            outputs = self._read_out(hidden, context, embedded)
        kept = torch.arange(len(batch.inputs))[:, None] < batch.target_lengths
        scores = functional.linear(outputs[kept], self.target.weight, self.bias)
        return functional.cross_entropy(
            scores, batch.targets[: len(batch.inputs)][kept], label_smoothing=self.smoothing
        )

    def _step_by_step(self, embedded: Tensor, state: object, keys: Tensor, values: Tensor, real: Tensor) -> Tensor:
        fed, outputs = embedded.new_zeros(embedded.shape[1:]), []
        for each in embedded:
            hidden, state = self.decoder(torch.cat([each, fed], dim=1)[None], state)
            hidden = self._drop(hidden)
            fed = self._read_out(hidden, self._attended(hidden, keys, values, real), each[None])[0]
            outputs.append(fed)
        return torch.stack(outputs)

    def _attended(self, hidden: Tensor, keys: Tensor, values: Tensor, real: Tensor) -> Tensor:
        scores = torch.bmm(hidden.transpose(0, 1), keys.transpose(1, 2)).masked_fill(~real[:, None], -math.inf)
        return torch.bmm(scores.softmax(dim=2), values).transpose(0, 1)

    def _read_out(self, hidden: Tensor, context: Tensor, embedded: Tensor) -> Tensor:
        return self._drop(torch.tanh(self.readout(torch.cat([hidden, context, embedded], dim=2))))

    def _state(self, parts: tuple[Tensor, ...]) -> object:
        if not parts:
            return None
        return parts[0][None].contiguous() if len(parts) == 1 else tuple(part[None].contiguous() for part in parts)

    def _embedded(self, table: nn.Embedding, tokens: Tensor) -> Tensor:
        return self._drop(table(tokens) * math.sqrt(table.embedding_dim))

    def _drop(self, values: Tensor) -> Tensor:
        return functional.dropout(values, self.dropout, self.training)


def loss_of(model: nn.Module, batch: TranslationBatch) -> Tensor:
    if isinstance(model, TranslationNetwork):
        return model.loss(batch)[0]
    assert isinstance(model, Plain)
    return model.loss(batch)


def parity(plain: Plain, model: TranslationNetwork, batch: TranslationBatch) -> float:
    """The greatest relative difference of loss and gradients, each against the greatest entry of its tensor."""
    for each in (plain, model):
        each.eval()
    first, second = loss_of(plain, batch), loss_of(model, batch)
    first.backward()
    second.backward()
    mine = {name.replace("attention.of_values", "attention"): value for name, value in model.named_parameters()}
    pairs = [(first.detach(), second.detach())]
    pairs += [(value.grad, mine[name].grad) for name, value in plain.named_parameters() if value.grad is not None]
    for each in (plain, model):
        each.zero_grad()
        each.train()
    return max(float((a - b).abs().max() / a.abs().max()) for a, b in pairs)


def trainer(model: nn.Module, batches: list[TranslationBatch]) -> Callable[[], None]:
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4, fused=True)

    def steps() -> None:
        for batch in batches:
            optimizer.zero_grad(set_to_none=True)
            loss_of(model, batch).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

    return steps


def made_up_batch(arguments: argparse.Namespace, seed: int) -> TranslationBatch:
    """Ragged sentences like those of Multi30k: targets of like lengths, sources about as long."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(10, 20, (arguments.batch,), generator=generator)
    wanted = torch.randint(15, 18, (arguments.batch,), generator=generator)
    source = torch.randint(3, arguments.vocabulary, (int(lengths.max()), arguments.batch), generator=generator)
    target = torch.randint(3, arguments.vocabulary, (int(wanted.max()) + 1, arguments.batch), generator=generator)
    source = source * (torch.arange(len(source))[:, None] < lengths)
    return TranslationBatch(source, lengths, target[:-1], target[1:], wanted)


def measure(arguments: argparse.Namespace, feeding: str) -> dict[str, object]:
    torch.manual_seed(0)
    size = arguments.vocabulary
    model = TranslationNetwork(
        size,
        size,
        cell=arguments.cell,
        hidden_size=arguments.hidden,
        embedding_size=arguments.embedding,
        feeding=feeding,
        dropout=0.2,
        label_smoothing=0.1,
    )
    plain = Plain(model, arguments.cell)
    batches = [made_up_batch(arguments, seed) for seed in range(STEPS_A_ROUND)]
    difference = parity(plain, model, batches[0])
    if difference > 1e-3:
        raise SystemExit(f"the two networks differ by {difference:.2g}: nothing is timed")
    sides = {"torch.nn": trainer(plain, batches), "gatewise": trainer(model, batches)}
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(arguments.rounds + 1):
        for name, steps in sides.items():
            began = time.process_time()
            steps()
            if number:
                seconds[name].append(time.process_time() - began)
    tokens = sum(int(batch.target_lengths.sum()) for batch in batches)
    ratios = [theirs / ours for theirs, ours in zip(seconds["torch.nn"], seconds["gatewise"], strict=True)]
    return {
        "feeding": feeding,
        "greatest difference": difference,
        "kernel": model.kernel["implementation"],
        **{f"{name} tokens/s": tokens / statistics.median(found) for name, found in seconds.items()},
        "ratio": statistics.median(ratios),
        "ratios": [min(ratios), max(ratios)],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cell", choices=("rnn", "lstm", "gru"), default="gru")
    parser.add_argument("--hidden", type=int, default=192)
    parser.add_argument("--embedding", type=int, default=192)
    parser.add_argument("--vocabulary", type=int, default=3_000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    found = []
    for feeding in FEEDINGS:
        found.append(measure(arguments, feeding))
        row = found[-1]
        low, high = row["ratios"]  # type: ignore[misc]
        print(
            f"feeding {feeding:<7} torch.nn {row['torch.nn tokens/s']:>8,.0f}   gatewise "
            f"{row['gatewise tokens/s']:>8,.0f} target tokens/s of CPU time   {row['ratio']:.2f} times "
            f"({low:.2f} to {high:.2f})   {row['kernel']}"
        )
    if arguments.out is not None:
        arguments.out.write_text(
            json.dumps({**{k: str(v) for k, v in vars(arguments).items()}, "found": found}, indent=1)
        )


if __name__ == "__main__":
    main()
