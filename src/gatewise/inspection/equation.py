"""The equation of a cell with the numbers of one step and one unit put in."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from gatewise.errors import OptionError
from gatewise.inspection.gates import GateMap, first_states
from gatewise.kernels.products import recurrent_product
from gatewise.nn import Recurrent
from gatewise.training.kind import RecurrentInputs

__all__ = ["equation"]


@dataclass(frozen=True)
class _Moment:
    """What is known about one unit at one step: values now and before, and each gate's share of input and state."""

    layers: Recurrent
    cell: Any
    now: Mapping[str, float]
    before: Mapping[str, float]
    given: Mapping[str, float]
    recalled: Mapping[str, float]
    weights: Mapping[str, Tensor]
    unit: int


def equation(
    stack: RecurrentInputs, maps: Sequence[GateMap], layer: int, direction: str, step: int, unit: int
) -> tuple[str, ...]:
    """The step of one unit, line by line, with its numbers.

    The built-in cells by their own equations (``kernels/<cell>/README.md``): what the input brings and what the state
    before brings stand apart. Of a cell of one's own: its gates and states by name.

    Args:
        stack: the layers with what they read.
        maps: those of this stack, see `gatewise.inspection.gates.gate_maps`.
        layer: number, from 0.
        direction: ``forward`` or ``backward``.
        step: row of the maps, from 0.
        unit: number, from 0.

    Raises:
        OptionError: no such place, step or unit.

    Example:
        >>> from gatewise.inspection.gates import gate_maps
        >>> from gatewise.nn import GRU
        >>> _ = torch.manual_seed(0)
        >>> given = RecurrentInputs(GRU(2, 3).eval(), torch.ones(4, 1, 2), None)
        >>> print("\\n".join(equation(given, gate_maps({"recurrent": given}), 0, "forward", 1, 2)))
        reset     r = sigmoid(0.27 from the input + 0.24 from the state) = 0.63
        update    z = sigmoid(0.08 from the input - 0.41 from the state) = 0.42
        candidate n = tanh(0.65 from the input + r * -0.48 from the state) = 0.34
        hidden    h = z * h before + (1 - z) * n = 0.42 * 0.23 + 0.58 * 0.34 = 0.30
    """
    own = {each.name: each for each in maps if (each.layer, each.direction) == (layer, direction)}
    if not own:
        places = ", ".join(dict.fromkeys(f"layer {each.layer} {each.direction}" for each in maps))
        raise OptionError(f"there is no layer {layer} {direction}", expected=places)
    rows = next(iter(own.values())).values.shape[0]
    width = max(each.values.shape[1] for each in own.values())
    for name, value, most in (("step", step, rows), ("unit", unit, width)):
        if not 0 <= value < most:
            raise OptionError(f"there is no {name} {value}", expected=f"0 to {most - 1}")
    found = _moment(stack, maps, own, layer, direction, step, unit)
    writer = _WRITERS.get(stack.recurrent.cell)
    plain = found.cell.layer_norm is False and all(len(found.weights[n].shape) for n in found.weights)
    lines = writer(found) if writer is not None and plain else _by_name(found, own)
    zoned = [f"{100 * p:.0f} % of the old {name} is kept (zoneout)"
             for name, p in zip(found.cell.states, stack.recurrent.zoneout, strict=True) if p]  # fmt: skip
    return (*lines, *zoned)


def _moment(
    stack: RecurrentInputs,
    maps: Sequence[GateMap],
    own: Mapping[str, GateMap],
    layer: int,
    direction: str,
    step: int,
    unit: int,
) -> _Moment:
    layers = stack.recurrent
    cell = layers._cells[layer]
    suffix = f"_l{layer}{'_reverse' if direction == 'backward' else ''}"
    with torch.no_grad():
        weights = {name: value.detach() for name, value in layers._weights_of(suffix).items()}
        earlier = step + (1 if direction == "backward" else -1)
        rows = next(iter(own.values())).values.shape[0]
        if 0 <= earlier < rows:
            states = [torch.from_numpy(own[name].values[earlier]) for name in cell.states]
        else:
            places = [end for _, end in layers._suffixes()]
            states = [part[0].detach().float() for part in first_states(stack, torch.float32)[places.index(suffix)]]
        x = _input(stack, maps, layer, step)
        given = cell.project(x, weights)
        recalled = _recalled(layers.cell, cell, states[0], weights, own, step)
    size = cell.hidden_size
    shares = {name: float(given[place * size + unit]) for place, name in enumerate(cell.gates) if unit < size}
    from_state = {
        name: float(recalled[place * size + unit])
        for place, name in enumerate(cell.gates)
        if recalled is not None and unit < size
    }
    now = {name: float(each.values[step, unit]) for name, each in own.items() if unit < each.values.shape[1]}
    before = {
        name: float(state[unit]) for name, state in zip(cell.states, states, strict=True) if unit < state.shape[0]
    }
    return _Moment(layers, cell, now, before, shares, from_state, weights, unit)


def _input(stack: RecurrentInputs, maps: Sequence[GateMap], layer: int, step: int) -> Tensor:
    """What a layer reads at a step: the sequence, or the outputs of the layer below."""
    if layer == 0:
        return stack.inputs[step, 0].float()
    name = stack.recurrent._cells[layer - 1].states[0]
    below = [each.values[step] for each in maps if each.layer == layer - 1 and each.name == name]
    output = torch.cat([torch.from_numpy(each) for each in below])
    return output + _input(stack, maps, layer - 1, step) if stack.recurrent.residual and layer > 1 else output


def _recalled(
    name: str, cell: Any, hidden: Tensor, weights: Mapping[str, Tensor], own: Mapping[str, GateMap], step: int
) -> Tensor | None:
    """The state's share of every gate; of a GRU that resets before, the candidate's with the reset gate on it."""
    if "weight_hh" not in weights:
        return None
    if name == "gru" and cell.reset == "before":
        size = cell.hidden_size
        bias = weights.get("bias_hh")
        gates = recurrent_product(hidden, weights["weight_hh"][: 2 * size], None if bias is None else bias[: 2 * size])
        seen = torch.from_numpy(own["reset"].values[step]) * hidden
        last = recurrent_product(seen, weights["weight_hh"][2 * size :], None if bias is None else bias[2 * size :])
        return torch.cat([gates, last])
    if name not in _WRITERS:
        return None
    found: Tensor = cell.recurrent(hidden, weights)
    return found


def _number(value: float) -> str:
    return f"{value:.2f}"


def _sum(moment: _Moment, gate: str, more: str = "") -> str:
    """``0.35 from the input + 0.39 from the state``."""
    parts = [f"{_number(moment.given[gate])} from the input"]
    if gate in moment.recalled:
        parts.append(f"{_number(moment.recalled[gate])} from the state")
    return " + ".join([*parts, *([more] if more else [])]).replace("+ -", "- ")


def _rnn(moment: _Moment) -> list[str]:
    name = {"tanh": "tanh", "relu": "max(0, ·)"}[moment.cell.nonlinearity]
    call = name.replace("·", _sum(moment, "candidate")) if "·" in name else f"{name}({_sum(moment, 'candidate')})"
    return [f"hidden    h = {call} = {_number(moment.now['hidden'])}"]


def _gru(moment: _Moment) -> list[str]:
    now, old = moment.now, moment.before["hidden"]
    lines = [f"{name:<9} {letter} = sigmoid({_sum(moment, name)}) = {_number(now[name])}"
             for name, letter in (("reset", "r"), ("update", "z"))]  # fmt: skip
    given, kept = _number(moment.given["candidate"]), _number(moment.recalled["candidate"])
    state = f"r * {kept} from the state" if moment.cell.reset == "after" else f"{kept} from r * the state"
    lines.append(f"candidate n = tanh({given} from the input + {state}) = {_number(now['candidate'])}")
    z, n = now["update"], now["candidate"]
    share, formula = (z, "z * h before + (1 - z) * n") if moment.cell.update == "keep" else (
        1 - z, "(1 - z) * h before + z * n")  # fmt: skip
    numbers = f"{_number(share)} * {_number(old)} + {_number(1 - share)} * {_number(n)}".replace("+ -", "- ")
    return [*lines, f"hidden    h = {formula} = {numbers} = {_number(now['hidden'])}"]


def _lstm(moment: _Moment) -> list[str]:
    now, old, cell = moment.now, moment.before, moment.cell
    if moment.unit >= cell.hidden_size or "cell" not in now:
        return [f"{name} = {_number(value)}" for name, value in now.items()]
    peephole = moment.weights.get("weight_peephole")
    seen = {} if peephole is None else dict(zip(("forget", "output") if cell.coupled else ("input", "forget", "output"),
                                                peephole[:, moment.unit].tolist(), strict=True))  # fmt: skip
    letters = {"input": "i", "forget": "f", "candidate": "g", "output": "o"}

    def line(name: str) -> str:
        source = now["cell"] if name == "output" else old["cell"]
        more = f"{_number(seen[name] * source)} from the cell" if name in seen else ""
        call = "tanh" if name == "candidate" else "sigmoid"
        return f"{name:<9} {letters[name]} = {call}({_sum(moment, name, more)}) = {_number(now[name])}"

    first = f"input     i = 1 - f = {_number(now['input'])}" if cell.coupled else line("input")
    numbers = (f"{_number(now['forget'])} * {_number(old['cell'])} + {_number(now['input'])} * "
               f"{_number(now['candidate'])}")  # fmt: skip
    lines = [line("forget"), first] if cell.coupled else [first, line("forget")]
    lines += [line("candidate"), line("output")]
    lines.append(f"cell      c = f * c before + i * g = {numbers} = {_number(now['cell'])}".replace("+ -", "- "))
    if cell.proj_size:
        return [*lines, f"hidden    h = projection of o * tanh(c), unit {moment.unit} = "
                        + (_number(now["hidden"]) if "hidden" in now else "none")]  # fmt: skip
    tail = f"{_number(now['output'])} * tanh({_number(now['cell'])})"
    return [*lines, f"hidden    h = o * tanh(c) = {tail} = {_number(now['hidden'])}"]


def _mingru(moment: _Moment) -> list[str]:
    now = moment.now
    numbers = (f"{_number(1 - now['update'])} * {_number(moment.before['hidden'])} + {_number(now['update'])} * "
               f"{_number(now['candidate'])}")  # fmt: skip
    return [
        f"update    z = sigmoid({_sum(moment, 'update')}) = {_number(now['update'])}",
        f"candidate n = g({_sum(moment, 'candidate')}) = {_number(now['candidate'])}   (g(x) = x + 0.5, or sigmoid(x) "
        "below 0)",
        f"hidden    h = (1 - z) * h before + z * n = {numbers} = {_number(now['hidden'])}",
    ]


def _minlstm(moment: _Moment) -> list[str]:
    now = moment.now
    numbers = (f"{_number(now['forget'])} * {_number(moment.before['hidden'])} + {_number(now['input'])} * "
               f"{_number(now['candidate'])}")  # fmt: skip
    pair = f"sigmoid({_number(moment.given['forget'])}), sigmoid({_number(moment.given['input'])})"
    return [
        f"forget, input: f, i = {pair}, divided by their sum = {_number(now['forget'])}, {_number(now['input'])}",
        f"candidate n = g({_sum(moment, 'candidate')}) = {_number(now['candidate'])}   (g(x) = x + 0.5, or sigmoid(x) "
        "below 0)",
        f"hidden    h = f * h before + i * n = {numbers} = {_number(now['hidden'])}",
    ]


_WRITERS: dict[str, Callable[[_Moment], list[str]]] = {
    "rnn": _rnn,
    "gru": _gru,
    "lstm": _lstm,
    "mingru": _mingru,
    "minlstm": _minlstm,
}


def _by_name(moment: _Moment, own: Mapping[str, GateMap]) -> list[str]:
    """The gates and states of any cell, with the state before."""
    widest = max(len(name) for name in own)
    lines = []
    for name in own:
        if name in moment.now:
            earlier = f"   (before: {_number(moment.before[name])})" if name in moment.before else ""
            lines.append(f"{name:<{widest}} = {_number(moment.now[name])}{earlier}")
    return lines
