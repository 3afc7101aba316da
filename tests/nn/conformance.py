"""The conformance table: every registered cell with every option it supports, and how two runs are compared.

A newly registered cell joins the table by being registered. ``GATEWISE_KERNEL`` forces an implementation for all of it;
where a forced kernel refuses an option or a precision, the test is skipped with the kernel's own reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor

from gatewise.errors import KernelError
from gatewise.kernels.dispatch import Request, force, forced_kernel
from gatewise.kernels.fused.selection import supports
from gatewise.kernels.gpu.selection import supports as triton_supports
from gatewise.nn import Cell, Recurrent, cell_class, cells, register_cell


@register_cell("leaky")
class Leaky(Cell):
    """h_t = 0.9 h_{t-1} + 0.1 tanh(W_ih x_t + b_ih + W_hh h_{t-1} + b_hh), as someone else would write it."""

    gates = ("candidate",)
    supports = frozenset({"recurrent_dropout", "layer_norm"})

    def step(self, gates_x, state, weights, recurrent_mask=None):
        (hidden,) = state
        candidate = torch.tanh(gates_x + self.recurrent(hidden, weights, recurrent_mask))
        return {"candidate": candidate, "hidden": 0.9 * hidden + 0.1 * candidate}


CELL_OPTIONS: dict[str, list[dict[str, Any]]] = {
    "rnn": [{"nonlinearity": "relu"}],
    "lstm": [
        {"proj_size": 2},
        {"peephole": True},
        {"coupled": True},
        {"peephole": True, "coupled": True, "proj_size": 2},
    ],
    "gru": [
        {"reset": "before"},
        {"update": "replace"},
        {"reset": "before", "update": "replace"},
    ],
}
LAYER_OPTIONS: list[dict[str, Any]] = [
    {"layer_norm": True},
    {"zoneout": 0.3},
    {"recurrent_dropout": 0.3},
    {"weight_dropout": 0.3},
    {"num_layers": 2, "residual": True},
    {"num_layers": 2, "dropout": 0.3},
    {"learned_initial_state": True},
    {"checkpoint_steps": 2},
    {"bias": False},
    {"hidden_size": [4, 3]},
]


@dataclass(frozen=True)
class Case:
    """One line of the table: a cell with options."""

    cell: str
    options: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        shown = [f"{key}={value}" for key, value in self.options.items() if key != "cell_options"]
        shown += [f"{key}={value}" for key, value in self.options.get("cell_options", {}).items()]
        return "-".join([self.cell, *shown])

    def build(self, input_size: int = 3, hidden_size: int = 4, seed: int = 0, **more: Any) -> Recurrent:
        """A layer with random weights; options' own parameters are random too, not at their start values."""
        arguments = {"input_size": input_size, "hidden_size": hidden_size} | self.options | more
        torch.manual_seed(seed)
        layer = Recurrent(self.cell, **arguments)
        for name, parameter in layer.named_parameters():
            if layer._starts[name] in ("ones", "zeros"):
                torch.nn.init.uniform_(parameter, -0.5, 0.5)
                if layer._starts[name] == "ones":
                    parameter.data += 1.0
        return layer


def _supported(cell: str, option: dict[str, Any]) -> bool:
    kind = cell_class(cell)
    recurrent = "weight_hh" in kind(2, 3).parameter_shapes()
    for name in ("layer_norm", "recurrent_dropout", "weight_dropout"):
        if name in option and (not recurrent or (name != "weight_dropout" and name not in kind.supports)):
            return False
    return True


def cases() -> list[Case]:
    """The whole table."""
    table = []
    for cell in cells():
        variants: list[dict[str, Any]] = [{}] + [{"cell_options": each} for each in CELL_OPTIONS.get(cell, [])]
        table += [Case(cell, each) for each in variants]
        options = [each for each in LAYER_OPTIONS if _supported(cell, each)]
        table += [Case(cell, each) for each in options]
        everything: dict[str, Any] = {"num_layers": 2, "residual": True, "learned_initial_state": True, "zoneout": 0.2}
        for each in options:
            if each.keys() & {"layer_norm", "recurrent_dropout", "weight_dropout"}:
                everything |= each
        table += [Case(cell, everything | each) for each in variants]
    return table


OF_THE_LAYER = ("residual", "dropout", "learned_initial_state", "hidden_size", "weight_dropout")


def everyday(case: Case) -> bool:
    """Whether a case runs every day: what the layer does around any cell alike does so with the GRU and the MinGRU.

    All other cells have it among "everything", and by itself in the slow tests.
    """
    around = len(case.options.keys() - {"num_layers"}) == 1 and any(name in case.options for name in OF_THE_LAYER)
    return not around or case.cell in ("gru", "mingru")


def parametrize_cases(table: list[Case] | None = None) -> pytest.MarkDecorator:
    """``@parametrize_cases()`` gives a test the argument ``case``; some of them are slow, see `everyday`."""
    found = [
        pytest.param(case, id=str(case), marks=() if everyday(case) else pytest.mark.slow) for case in table or cases()
    ]
    return pytest.mark.parametrize("case", found)


def precisions() -> list[torch.dtype]:
    """float64 is the oracle's precision; compiled kernels are float32 only."""
    compiled = forced_kernel() not in (None, "reference", "torch")
    return [torch.float32] if compiled else [torch.float64]


def tensors(state: Any) -> Iterator[Tensor]:
    """Every tensor of a state."""
    if isinstance(state, Tensor):
        yield state
    else:
        for part in state:
            yield from tensors(part)


def tolerance(dtype: torch.dtype) -> float:
    """Relative to the scale of the tensor compared."""
    return 1e-10 if dtype == torch.float64 else 1e-5


def assert_close(got: Tensor, expected: Tensor, what: str, limit: float | None = None, floor: float = 1e-3) -> None:
    """Largest difference, relative to the largest entry (at least ``floor``, so that zeros may be compared)."""
    assert got.shape == expected.shape, f"{what}: shape {tuple(got.shape)} for {tuple(expected.shape)}"
    if got.numel() == 0:
        return
    assert bool(torch.isfinite(got).all()) == bool(torch.isfinite(expected).all()), f"{what}: NaN or infinity"
    got, expected = got.detach(), expected.detach()
    scale = max(float(expected.abs().max()), floor)
    difference = float((got.to(expected.dtype) - expected).abs().max()) / scale
    limit = tolerance(got.dtype) if limit is None else limit
    assert difference <= limit, f"{what}: relative difference {difference:.2e} above {limit:.0e}"


def gradients(
    layer: torch.nn.Module, x: Tensor, hx: Any = None, seed: int | None = None, **options: Any
) -> dict[str, Tensor]:
    """Output, final states, and the gradients of a random weighting of them by x, hx and every parameter."""
    x = x.detach().clone().requires_grad_()
    if hx is not None:
        hx = _leaves(hx)
    layer.zero_grad()
    if seed is not None:
        torch.manual_seed(seed)
    output, final = layer(x, hx, **options)
    results = {"output": output, **{f"state {i}": each for i, each in enumerate(tensors(final))}}
    generator = torch.Generator().manual_seed(7)
    loss = sum(
        (each * torch.randn(each.shape, generator=generator, dtype=torch.float64).to(each)).sum()
        for each in results.values()
    )
    loss.backward()
    results = {name: value.detach() for name, value in results.items()}
    results["x.grad"] = torch.zeros_like(x) if x.grad is None else x.grad
    if hx is not None:
        results |= {f"hx.grad {i}": each.grad for i, each in enumerate(tensors(hx))}
    for name, parameter in layer.named_parameters():
        results[f"{name}.grad"] = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad.clone()
    return results


def _leaves(hx: Any) -> Any:
    if isinstance(hx, Tensor):
        return hx.detach().clone().requires_grad_()
    return tuple(_leaves(each) for each in hx)


def assert_same(got: dict[str, Tensor], expected: dict[str, Tensor], limit: float | None = None) -> None:
    """Compare two results of :func:`gradients` name by name."""
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        assert_close(got[name], value, name, limit)


Results = dict[str, Tensor]


def assert_as_exact_as(
    got: Results, plain: Results, truth: Results, nearby: Callable[[], Iterator[float]] | None = None
) -> None:
    """Compare a float32 result with the float64 truth, name by name.

    Normalising few units, a saturated unit's ``1 - h * h`` and sums that cancel leave few digits in float32, whoever
    computes them. So the limit is 1e-5, or four times the :func:`worst_error` of ``plain``, the same computed in
    float32 by torch. That is one draw of rounding errors, and may be a lucky one: where the result is over this limit,
    torch's error is drawn again, as ``nearby`` gives it for weights close by, if there is one.
    """
    assert got.keys() == plain.keys() == truth.keys()
    limit = max(1e-5, 4 * worst_error(plain, truth))
    if nearby is not None and worst_error(got, truth) > limit:
        limit = max(limit, 4 * sorted(nearby())[-2])  # the largest of them may be an accident of its own
    floors = _floors(truth)
    for name, value in truth.items():
        assert_close(got[name], value, name, limit, floors[name])


def worst_error(got: Results, truth: Results) -> float:
    """The largest difference of any tensor relative to its largest entry; a gradient's is held to the scale of a
    twentieth of the layer's largest, where that is more."""
    floors = _floors(truth)
    return max(
        float((got[name] - value).abs().max()) / max(float(value.abs().max()), floors[name])
        for name, value in truth.items()
        if value.numel()
    )


def _floors(truth: Results) -> dict[str, float]:
    largest = max((float(value.abs().max()) for name, value in truth.items() if _gradient(name, value)), default=0.0)
    return {name: max(1e-3, largest / 20) if _gradient(name, value) else 1e-3 for name, value in truth.items()}


def _gradient(name: str, value: Tensor) -> bool:
    return ".grad" in name and value.numel() > 0


def random_state(layer: Recurrent, batch: int | None) -> Any:
    """A random hx."""

    def random(part: Any) -> Any:
        if isinstance(part, Tensor):
            return torch.randn_like(part)
        return tuple(random(each) for each in part)

    return random(layer.initial_state(batch))


def in_reference(call: Callable[[], Any]) -> Any:
    """Call with the reference forced."""
    with force("reference"):
        return call()


def not_meant_for(refusal: KernelError) -> str | None:
    """Why a forced kernel does not compute a request on any machine; None: it should have, or was asked for nothing."""
    request = refusal.request
    if not isinstance(request, Request):
        return None
    supported, reason = (triton_supports if forced_kernel() == "triton" else supports)(request)
    return None if supported else reason
