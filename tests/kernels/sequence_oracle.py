"""Runs a compiled sequence kernel and the float64 reference equations on the same numbers, and compares everything.

The kernel is called as the layers call it: one :class:`Direction` through :func:`gatewise.nn.fused.run_fused`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import pytest
import torch
from torch import Tensor

from gatewise.kernels import dispatch
from gatewise.kernels.fused.library import available_variants
from gatewise.kernels.gru.reference import step as gru_step
from gatewise.kernels.lstm.reference import step as lstm_step
from gatewise.kernels.products import input_product
from gatewise.kernels.rnn.reference import step as rnn_step
from gatewise.nn.cell import Cell, cell_class
from gatewise.nn.fused import run_fused
from gatewise.nn.time_loop import Direction

GATES = {"rnn": 1, "lstm": 4, "gru": 3}
CHOICE = dispatch.Choice("fused", "the test calls it")
needs_kernels = pytest.mark.skipif(not available_variants(), reason="the fused kernels are not compiled here")
variants = pytest.mark.parametrize("variant", available_variants() or ("none",))


@dataclass
class Case:
    """One problem: sizes, options, and random tensors made from a seed."""

    cell: str
    batch: int = 5
    steps: int = 6
    input_size: int = 7
    hidden_size: int = 9
    lengths: list[int] | None = None
    reverse: bool = False
    bias: bool = True
    initial: bool = True
    layer_norm: bool = False
    mask: bool = False
    zoneout: str = ""  # "mask" or "expectation"
    peephole: bool = False
    options: dict = field(default_factory=dict)
    seed: int = 0

    @property
    def gates(self) -> int:
        """G."""
        return 3 if self.options.get("coupled") else GATES[self.cell]

    def tensors(self) -> dict[str, Tensor]:
        """All differentiable tensors by name, float32."""
        generator = torch.Generator().manual_seed(self.seed)

        def draw(*shape: int, scale: float = 1.0) -> Tensor:
            return (torch.rand(shape, generator=generator) * 2 - 1) * scale

        B, T, H, rows = self.batch, self.steps, self.hidden_size, self.gates * self.hidden_size
        scale = 1.5 / math.sqrt(H)
        made = {"weight_hh": draw(rows, H, scale=scale)}
        made |= {"x": draw(T, B, self.input_size, scale=2.0), "weight_ih": draw(rows, self.input_size, scale=scale)}
        if self.bias:
            made |= {"bias_hh": draw(rows), "bias_ih": draw(rows)}
        if self.initial:
            made["h0"] = draw(B, H)
            if self.cell == "lstm":
                made["c0"] = draw(B, H)
        if self.layer_norm:
            made |= {"layer_norm_hh": draw(rows) + 1.5, "layer_norm_ih": draw(rows) + 1.5}
            if self.cell == "lstm":
                made |= {"layer_norm_c": draw(H) + 1.5, "layer_norm_c_bias": draw(H)}
        if self.peephole:
            made["weight_peephole"] = draw(self.gates - 1, H)
        return made

    def cell_object(self) -> Cell:
        """The cell as a layer would hold it."""
        options = dict(self.options, peephole=True) if self.peephole else self.options
        return cell_class(self.cell)(self.input_size, self.hidden_size, self.bias, self.layer_norm, **options)

    def fixed(self) -> dict[str, object]:
        """Masks and the like, which have no gradient."""
        generator = torch.Generator().manual_seed(self.seed + 1)
        made: dict[str, object] = {}
        shape = (self.steps, self.batch, self.hidden_size)
        if self.mask:
            made["recurrent_mask"] = (torch.rand(shape[1:], generator=generator) < 0.7).float() / 0.7
        names = ("zoneout_h", "zoneout_c") if self.cell == "lstm" else ("zoneout_h",)
        for name in names if self.zoneout else ():
            made[name] = torch.rand(shape, generator=generator) < 0.3 if self.zoneout == "mask" else 0.3
        return made


def _zone(new: Tensor, old: Tensor, zoneout: object, t: int) -> Tensor:
    if zoneout is None:
        return new
    if isinstance(zoneout, Tensor):
        return torch.where(zoneout[t], old, new)
    return zoneout * old + (1 - zoneout) * new


def oracle(case: Case, given: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """The cell's reference step, unrolled row-independently in the tensors' own precision."""
    fixed = case.fixed()
    weight_hh = given["weight_hh"]
    zero = weight_hh.new_zeros(case.batch, case.hidden_size)
    h, c = given.get("h0", zero), given.get("c0", zero)
    blocks = (2 * case.hidden_size, case.hidden_size) if case.cell == "gru" else None
    gain = given.get("layer_norm_ih")
    gates_x = input_product(given["x"], given["weight_ih"], given.get("bias_ih"), gain, blocks)
    lengths = torch.tensor(case.lengths or [case.steps] * case.batch)
    mask = fixed.get("recurrent_mask")
    common = {"layer_norm_hh": given.get("layer_norm_hh")}
    if isinstance(mask, Tensor):
        common["recurrent_mask"] = mask.to(weight_hh.dtype)
    outputs = [zero] * case.steps
    for t in reversed(range(case.steps)) if case.reverse else range(case.steps):
        if case.cell == "lstm":
            more = {name: given.get(name) for name in ("layer_norm_c", "layer_norm_c_bias")}
            new = lstm_step(
                gates_x[t], h, c, weight_hh, given.get("bias_hh"), weight_peephole=given.get("weight_peephole"),
                **common, **more, **case.options,
            )  # fmt: skip
        else:
            step = gru_step if case.cell == "gru" else rnn_step
            new = step(gates_x[t], h, weight_hh, given.get("bias_hh"), **common, **case.options)
        running = (t < lengths)[:, None]
        new_h = _zone(new["hidden"], h, fixed.get("zoneout_h"), t)
        outputs[t] = torch.where(running, new_h, zero)
        h = torch.where(running, new_h, h)
        if case.cell == "lstm":
            c = torch.where(running, _zone(new["cell"], c, fixed.get("zoneout_c"), t), c)
    output = torch.stack(outputs) if outputs else zero.new_zeros(0, case.batch, case.hidden_size)
    return (output, h, c) if case.cell == "lstm" else (output, h)


def kernel(case: Case, given: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """The compiled kernel; an initial state that is not given is None, which it takes as zeros."""
    cell, fixed = case.cell_object(), case.fixed()
    weights = {name: tensor for name, tensor in given.items() if name not in ("x", "h0", "c0")}
    direction = Direction(
        cell,
        given["x"],
        tuple(given.get(name) for name in ("h0", "c0")[: len(cell.states)]),
        weights,
        None if case.lengths is None else torch.tensor(case.lengths),
        case.reverse,
        fixed.get("recurrent_mask"),
        tuple(fixed.get(name) for name in ("zoneout_h", "zoneout_c")[: len(cell.states)]) if case.zoneout else (),
    )
    output, final = run_fused(CHOICE, direction)
    return output, *final


def _close(what: str, got: Tensor, expected: Tensor, tolerance: float) -> None:
    assert got.shape == expected.shape, what
    assert torch.isfinite(got).all(), f"{what} is not finite"
    scale = max(float(expected.abs().max()) if expected.numel() else 0.0, 1e-3)
    error = float((got.double() - expected).abs().max()) / scale if expected.numel() else 0.0
    assert error <= tolerance, f"{what}: off by {error:.2e} of its largest value"


def compare(case: Case, variant: str | None = None, tolerance: float = 2e-5) -> None:
    """Outputs, final states and every gradient against the float64 oracle; inference against training."""
    if variant is not None:
        with dispatch.force(variant):
            return compare(case, None, tolerance)
    leaves = {name: tensor.requires_grad_() for name, tensor in case.tensors().items()}
    exact = {name: tensor.detach().double().requires_grad_() for name, tensor in leaves.items()}
    expected, got = oracle(case, exact), kernel(case, leaves)
    generator = torch.Generator().manual_seed(case.seed + 2)
    directions = [torch.randn(part.shape, generator=generator) for part in got]
    for name, a, b in zip(("output", "h_n", "c_n"), got, expected, strict=False):
        _close(name, a.detach(), b.detach(), tolerance)
    with torch.no_grad():
        for name, a, b in zip(("output", "h_n", "c_n"), kernel(case, leaves), got, strict=False):
            assert torch.equal(a, b), f"{name} differs between inference and training"
    grads = torch.autograd.grad(got, list(leaves.values()), directions, allow_unused=True)
    reached = [(part, along.double()) for part, along in zip(expected, directions, strict=True) if part.requires_grad]
    exact_grads = [None] * len(exact)
    if reached:
        parts, along = zip(*reached, strict=True)
        exact_grads = torch.autograd.grad(parts, list(exact.values()), along, allow_unused=True)
    for name, a, b in zip(leaves, grads, exact_grads, strict=True):
        assert a is not None, f"no gradient of {name}"
        _close(f"gradient of {name}", a, torch.zeros_like(exact[name]) if b is None else b, tolerance)
    return None
