"""Layers whose exports are checked: every cell with every option, depth, direction and ragged lengths."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch

from gatewise.nn import Cell, Recurrent

LENGTHS = (7, 1, 4)
WHOLE_FUZZ = bool(os.environ.get("GATEWISE_FUZZ"))
"""Whether all random layers and all shapes are exported, which takes a quarter of an hour, not a part of them."""
INPUT, HIDDEN = 5, 6


class Leaky(Cell):
    """A cell of a person's own: a leaky unit, h' = 0.9 h + 0.1 tanh(W x + U h)."""

    gates = ("candidate",)

    def step(self, gates_x, state, weights, recurrent_mask=None):
        (hidden,) = state
        candidate = torch.tanh(gates_x + self.recurrent(hidden, weights, recurrent_mask))
        return {"candidate": candidate, "hidden": 0.9 * hidden + 0.1 * candidate}


class Rich(Cell):
    """Many operations: matmul, clamp, where, softmax, mean, gelu, square, split, a sum of a weight."""

    gates = ("update", "candidate", "scale")
    states = ("hidden", "memory")

    def step(self, gates_x, state, weights, recurrent_mask=None):
        hidden, memory = state
        total = gates_x + hidden @ weights["weight_hh"].t() + weights["bias_hh"]
        update, candidate, scale = total.split(self.hidden_size, dim=1)
        update = torch.sigmoid(update).clamp(0.1, 0.9)
        candidate = torch.nn.functional.gelu(candidate) - candidate.mean(dim=-1, keepdim=True)
        share = torch.softmax(scale, dim=-1)
        new = torch.where(candidate > 0, candidate * share, 0.5 * candidate.abs().sqrt().neg())
        memory = torch.lerp(memory, new.square(), 0.25)
        hidden = update * hidden + (1 - update) * new / (1.0 + memory.sum(-1, keepdim=True))
        return {"update": update, "candidate": candidate, "scale": share, "hidden": hidden, "memory": memory}


OWN = {"test-export-leaky": Leaky, "test-export-rich": Rich}

CELLS: dict[str, tuple[str, dict[str, Any]]] = {
    "rnn": ("rnn", {}),
    "rnn relu": ("rnn", {"cell_options": {"nonlinearity": "relu"}}),
    "rnn without bias": ("rnn", {"bias": False}),
    "rnn layer norm": ("rnn", {"layer_norm": True}),
    "lstm": ("lstm", {}),
    "lstm peephole": ("lstm", {"cell_options": {"peephole": True}}),
    "lstm coupled": ("lstm", {"cell_options": {"coupled": True}}),
    "lstm coupled peephole": ("lstm", {"cell_options": {"coupled": True, "peephole": True}, "bias": False}),
    "lstm projection": ("lstm", {"cell_options": {"proj_size": 3}}),
    "lstm layer norm": ("lstm", {"layer_norm": True}),
    "lstm zoneout": ("lstm", {"zoneout": [0.1, 0.3], "learned_initial_state": True}),
    "gru": ("gru", {}),
    "gru replace": ("gru", {"cell_options": {"update": "replace"}}),
    "gru before": ("gru", {"cell_options": {"reset": "before"}}),
    "gru before replace": ("gru", {"cell_options": {"reset": "before", "update": "replace"}, "bias": False}),
    "gru before layer norm": ("gru", {"cell_options": {"reset": "before"}, "layer_norm": True}),
    "gru layer norm zoneout": ("gru", {"layer_norm": True, "zoneout": 0.2}),
    "gru learned start": ("gru", {"learned_initial_state": True}),
    "mingru": ("mingru", {}),
    "mingru zoneout": ("mingru", {"zoneout": 0.2}),
    "minlstm": ("minlstm", {}),
    "own": ("test-export-leaky", {}),
    "own, many operations": ("test-export-rich", {}),
}
SHAPES: dict[str, dict[str, Any]] = {
    "one layer": {},
    "one layer, both directions": {"bidirectional": True},
    "three layers": {"num_layers": 3},
    "two layers, both directions": {"num_layers": 2, "bidirectional": True},
    "three residual layers": {"num_layers": 3, "residual": True},
    "widths": {"hidden_size": [6, 4]},
}


def layer_of(cell: str, shape: str, seed: int = 0) -> Recurrent:
    """A layer in evaluation, its weights far enough from 0 that every gate moves."""
    name, options = CELLS[cell]
    arguments = {"hidden_size": HIDDEN, **SHAPES[shape], **options}
    torch.manual_seed(seed)
    layer = Recurrent(name, INPUT, arguments.pop("hidden_size"), **arguments).eval()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return layer


def sequences(layer: Recurrent, lengths: tuple[int, ...] = LENGTHS, seed: int = 1) -> list[np.ndarray]:
    """Random sequences of several lengths, (T, I) each."""
    generator = np.random.default_rng(seed)
    return [generator.normal(size=(length, layer.input_size)).astype(np.float32) for length in lengths]


def outputs(layer: Recurrent, rows: list[np.ndarray]) -> list[np.ndarray]:
    """What the layer makes of them, in float64 from the float32 weights: the truth."""
    lengths = [len(row) for row in rows]
    padded = torch.zeros(max(lengths), len(rows), layer.input_size)
    for place, row in enumerate(rows):
        padded[: len(row), place] = torch.from_numpy(row)
    precise = Recurrent(**layer.config()).double().eval()
    precise.load_state_dict(layer.state_dict())
    with torch.no_grad():
        found, _ = precise(padded.double().transpose(0, 1) if layer.batch_first else padded.double(), lengths=lengths)
    return [found[: len(row), place].numpy() for place, row in enumerate(rows)]


def random_layer(seed: int) -> tuple[Recurrent, list[np.ndarray]]:
    """A layer with random cell, options, depth, direction and sizes, and sequences for it."""
    chance = np.random.default_rng(seed)

    def flip(p: float = 0.3) -> bool:
        return bool(chance.random() < p)

    name = str(chance.choice(["rnn", "lstm", "gru", "mingru", "minlstm", *OWN]))
    layers = int(chance.integers(1, 4))
    width = int(chance.integers(1, 10))
    options: dict[str, Any] = {"bidirectional": flip(0.5), "learned_initial_state": flip(), "num_layers": layers}
    options["bias"] = name == "test-export-rich" or not flip()
    if flip():
        options["zoneout"] = float(chance.random() * 0.6)
    if name == "rnn":
        options["cell_options"] = {"nonlinearity": str(chance.choice(["tanh", "relu"]))}
    if name == "gru":
        reset, update = chance.choice(["after", "before"]), chance.choice(["keep", "replace"])
        options["cell_options"] = {"reset": str(reset), "update": str(update)}
    if name == "lstm":
        projection = int(chance.integers(1, width)) if width > 1 and flip() else 0
        options["cell_options"] = {"peephole": flip(), "coupled": flip(), "proj_size": projection}
    # where one or two units decide all that is normalised, digits are lost in torch as well
    narrow = width < 3 or 0 < options.get("cell_options", {}).get("proj_size", 0) < 3
    if name in ("rnn", "lstm", "gru") and not narrow and flip():
        options["layer_norm"] = True
    if layers > 1 and flip():
        options["residual"] = True
    hidden: Any = width
    if layers > 1 and not options.get("residual") and not options.get("cell_options", {}).get("proj_size") and flip():
        hidden = [int(each) for each in chance.integers(3, 10, size=layers)]
    torch.manual_seed(seed)
    layer = Recurrent(name, int(chance.integers(1, 8)), hidden, **options).eval()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    lengths = tuple(int(each) for each in chance.integers(1, 13, size=int(chance.integers(1, 5))))
    return layer, sequences(layer, lengths, seed)
