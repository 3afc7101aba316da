"""What a recurrent layer is before it runs: its arguments, cells, parameters and initial states."""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from gatewise.errors import OptionError
from gatewise.nn.cell import Cell, State, cell_class
from gatewise.nn.dropout import hashed_dropout
from gatewise.nn.mismatch import weights_mismatch
from gatewise.nn.options import (
    check_flag,
    check_probability,
    check_size,
    check_supported,
    layer_widths,
    refuse_unknown,
    zoneout_rates,
)

__all__ = ["Foundation"]


class Foundation(nn.Module):
    """Arguments, cells and parameters of a stack of recurrent layers; see :class:`gatewise.nn.Recurrent`."""

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        layer_norm: bool = False,
        zoneout: float | Sequence[float] = 0.0,
        recurrent_dropout: float = 0.0,
        weight_dropout: float = 0.0,
        residual: bool = False,
        learned_initial_state: bool = False,
        checkpoint_steps: int | None = None,
        cell_options: Mapping[str, Any] | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        **unknown: Any,
    ) -> None:
        super().__init__()
        refuse_unknown(type(self), unknown)
        kind, name = cell_class(cell), type(self).__name__
        self.cell = cell
        self.input_size = check_size(name, "input_size", input_size)
        self.widths = layer_widths(name, hidden_size, num_layers)
        self.hidden_size = self.widths[0] if isinstance(hidden_size, int) else self.widths
        self.num_layers = len(self.widths)
        self.bias = check_flag(name, "bias", bias)
        self.batch_first = check_flag(name, "batch_first", batch_first)
        self.dropout = check_probability(name, "dropout", dropout)
        self.bidirectional = check_flag(name, "bidirectional", bidirectional)
        self.layer_norm = check_flag(name, "layer_norm", layer_norm)
        self.zoneout = zoneout_rates(name, zoneout, kind.states)
        self.recurrent_dropout = check_probability(name, "recurrent_dropout", recurrent_dropout)
        self.weight_dropout = check_probability(name, "weight_dropout", weight_dropout)
        self.residual = check_flag(name, "residual", residual)
        self.learned_initial_state = check_flag(name, "learned_initial_state", learned_initial_state)
        self.checkpoint_steps = (
            None if checkpoint_steps is None else check_size(name, "checkpoint_steps", checkpoint_steps)
        )
        self._cells = self._make_cells(kind, dict(cell_options or {}))
        self._check_combinations(kind)
        self._name_parameters()
        self._make_parameters(device, dtype)
        self.reset_parameters()

    @property
    def directions(self) -> int:
        """D, 1 or 2."""
        return 2 if self.bidirectional else 1

    def _make_cells(self, kind: type[Cell], options: dict[str, Any]) -> list[Cell]:
        """One cell per layer (both directions share it), each fed by the layer before."""
        cells: list[Cell] = []
        size = self.input_size
        for width in self.widths:
            extra = options | ({"layer_norm": True} if self.layer_norm else {})
            cells.append(kind(size, width, self.bias, **extra))
            size = cells[-1].state_sizes()[0] * self.directions
        return cells

    def _check_combinations(self, kind: type[Cell]) -> None:
        name = type(self).__name__
        requested = {
            "layer_norm": self.layer_norm,
            "recurrent_dropout": self.recurrent_dropout > 0,
            "weight_dropout": self.weight_dropout > 0,
        }
        check_supported(name, kind, requested, "weight_hh" in self._cells[0].parameter_shapes())
        outputs = {cell.state_sizes()[0] for cell in self._cells}
        if self.residual and (self.num_layers == 1 or len(outputs) > 1):
            raise OptionError(
                f"{name}: residual adds a layer's input to its output, from the second layer on",
                expected="two or more layers of one width",
                got=f"num_layers={self.num_layers}, hidden_size={self.hidden_size}",
                fix="omit residual, or give every layer the same width",
            )
        if self.dropout > 0 and self.num_layers == 1:
            warnings.warn(
                f"{name}: dropout={self.dropout} acts after each layer but the last: with num_layers=1 it does nothing",
                stacklevel=3 if type(self).__init__ is Foundation.__init__ else 4,
            )

    def _suffixes(self) -> list[tuple[int, str]]:
        """Layer number and parameter suffix of each layer and direction, in state order."""
        ends = ("", "_reverse") if self.bidirectional else ("",)
        return [(layer, f"_l{layer}{end}") for layer in range(self.num_layers) for end in ends]

    def _name_parameters(self) -> None:
        """Compute once what every call needs: the places of the stack, and each one's parameters by short name."""
        self._places = tuple(self._suffixes())
        self._full_names = {
            suffix: tuple(
                (name, name + suffix)
                for name in (*self._cells[layer].parameter_shapes(), *self._cells[layer].extra_shapes())
            )
            for layer, suffix in self._places
        }

    def _make_parameters(self, device: torch.device | str | None, dtype: torch.dtype | None) -> None:
        self.all_names: list[list[str]] = []
        self._starts: dict[str, str] = {}
        for layer, suffix in self._suffixes():
            cell = self._cells[layer]
            extra = cell.extra_shapes()
            if self.learned_initial_state:
                states = zip(cell.states, cell.state_sizes(), strict=True)
                extra = extra | {f"initial_{state}": ((size,), "zeros") for state, size in states}
            shapes = cell.parameter_shapes() | {key: shape for key, (shape, _) in extra.items()}
            for key, shape in shapes.items():
                self.register_parameter(key + suffix, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
                self._starts[key + suffix] = extra[key][1] if key in extra else "standard"
            self.all_names.append([key + suffix for key in cell.parameter_shapes()])

    def reset_parameters(self) -> None:
        """Draw all parameters again: those of torch.nn first and in its order, then the options' own."""
        bounds = {suffix: 1.0 / math.sqrt(self.widths[layer]) for layer, suffix in self._suffixes()}
        for wanted in (("standard",), ("uniform", "ones", "zeros")):
            for name, start in self._starts.items():
                if start in wanted:
                    bound = {"ones": None, "zeros": 0.0}.get(start, bounds[name[name.rindex("_l") :]])
                    parameter = getattr(self, name)
                    if bound:
                        nn.init.uniform_(parameter, -bound, bound)
                    else:
                        nn.init.constant_(parameter, 1.0 if bound is None else 0.0)

    @property
    def all_weights(self) -> list[list[nn.Parameter]]:
        """The parameters torch.nn has too, per layer and direction, as ``torch.nn.GRU.all_weights``."""
        return [[getattr(self, name) for name in names] for names in self.all_names]

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *arguments: Any) -> None:
        """Load; where shapes do not fit, name the weights' layer before torch's list of mismatches."""
        errors: list[str] = arguments[-1]
        before = len(errors)
        super()._load_from_state_dict(state_dict, prefix, *arguments)
        own = {name: tuple(value.shape) for name, value in self.named_parameters(recurse=False)}
        given = {
            name.removeprefix(prefix): tuple(value.shape)
            for name, value in state_dict.items()
            if name.startswith(prefix) and isinstance(value, Tensor)
        }
        problem = weights_mismatch(type(self).__name__, self._cells[0], own, given)
        if problem and len(errors) > before:
            errors.insert(before, problem)

    def extra_repr(self) -> str:
        """The arguments that differ from their defaults."""
        parts = [] if type(self).__name__.lower() == self.cell else [repr(self.cell)]
        parts += [str(self.input_size), str(self.hidden_size)]
        shown = ("num_layers", 1), ("bias", True), ("batch_first", False), ("dropout", 0.0), ("bidirectional", False)
        more = ("layer_norm", False), ("recurrent_dropout", 0.0), ("weight_dropout", 0.0), ("residual", False)
        last = ("learned_initial_state", False), ("checkpoint_steps", None)
        for option, default in (*shown, *more, *last):
            if getattr(self, option) != default:
                parts.append(f"{option}={getattr(self, option)!r}")
        if any(self.zoneout):
            parts.append(f"zoneout={self.zoneout!r}")
        signature = inspect.signature(cell_class(self.cell)).parameters
        for key, value in self._cells[0].options().items():
            if key not in signature or value != signature[key].default:
                parts.append(f"{key}={value!r}")
        return ", ".join(parts)

    def config(self) -> dict[str, Any]:
        """The constructor arguments as plain JSON values; ``Recurrent(**layer.config())`` has the same shape.

        Example:
            >>> from gatewise.nn import GRU, Recurrent
            >>> Recurrent(**GRU(2, 3, reset="before").config()).config()["cell_options"]
            {'reset': 'before', 'update': 'keep'}
        """
        widths = self.widths[0] if self._uniform else list(self.widths)
        names = ("bias", "batch_first", "dropout", "bidirectional", "layer_norm", "recurrent_dropout", "weight_dropout")
        more = ("residual", "learned_initial_state", "checkpoint_steps")
        return {
            "cell": self.cell,
            "input_size": self.input_size,
            "hidden_size": widths,
            "num_layers": self.num_layers,
            **{name: getattr(self, name) for name in (*names, *more)},
            "zoneout": list(self.zoneout),
            "cell_options": dict(self._cells[0].options()),
        }

    @property
    def _weight(self) -> Tensor:
        name = self.all_names[0][0]
        weight: Tensor | None = self._parameters.get(name)
        return getattr(self, name) if weight is None else weight  # type: ignore[no-any-return]  # a parametrised one

    @property
    def _uniform(self) -> bool:
        return len(set(self.widths)) == 1

    def _start(self, batch: int, dtype: torch.dtype) -> list[State]:
        """The initial states, one tuple of ``(B, size)`` per layer and direction."""
        states: list[State] = []
        for layer, suffix in self._places:
            cell = self._cells[layer]
            if self.learned_initial_state:
                learned = [getattr(self, f"initial_{name}{suffix}") for name in cell.states]
                states.append(tuple(each.to(dtype).expand(batch, -1) for each in learned))
            else:
                states.append(tuple(self._weight.new_zeros(batch, size, dtype=dtype) for size in cell.state_sizes()))
        return states

    def _weights_of(self, suffix: str) -> dict[str, Tensor]:
        """One direction's parameters by short name, weight dropout applied."""
        own = self._parameters
        weights: dict[str, Tensor] = {}
        for name, full in self._full_names[suffix]:
            weight = own.get(full)
            weights[name] = getattr(self, full) if weight is None else weight  # a parametrised one is an attribute
        if self.training and self.weight_dropout > 0:
            weights["weight_hh"] = hashed_dropout(weights["weight_hh"], self.weight_dropout)
        return weights
