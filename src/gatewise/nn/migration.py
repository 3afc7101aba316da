"""From torch.nn and back: one module, or every recurrent layer inside a model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gatewise.errors import ConversionError
from gatewise.nn.gru import GRU
from gatewise.nn.lstm import LSTM
from gatewise.nn.recurrent import Recurrent
from gatewise.nn.rnn import RNN

__all__ = ["ConversionReport", "convert", "from_torch", "to_torch"]

_TORCH_CLASSES: dict[type[nn.Module], type[Recurrent]] = {nn.RNN: RNN, nn.LSTM: LSTM, nn.GRU: GRU}


def _hooks(module: nn.Module) -> list[str]:
    """Kinds of hooks a module carries, which another module would not run."""
    names = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
    return [name.strip("_").replace("_", " ") for name in names if getattr(module, name, None)]


def _why_not(module: nn.Module) -> str | None:
    """Why a torch module has no exact counterpart, or None."""
    if hasattr(module, "parametrizations"):
        return "its weights are parametrized; remove the parametrizations first"
    if type(module) not in _TORCH_CLASSES:
        kind = f"{type(module).__module__}.{type(module).__qualname__}"
        if isinstance(module, nn.RNNBase):
            return f"{kind} is a subclass that may compute something else"
        if isinstance(module, nn.RNNCellBase):
            return f"{kind} is a single step; use a layer's step()"
        return f"{kind} is not torch.nn.RNN, LSTM or GRU"
    hooks = _hooks(module)
    if hooks:
        return f"it has {', '.join(hooks)} that would no longer run"
    if getattr(module, "dropout", 0.0) >= 1.0:
        return "dropout=1 leaves nothing between its layers"
    names: Any = module._flat_weights_names
    if any(not isinstance(getattr(module, name, None), nn.Parameter) for name in names):
        return "its weights are not plain parameters"
    return None


def from_torch(module: nn.Module, share: bool = False) -> Recurrent:
    """The Gatewise layer with the same arguments and weights as a ``torch.nn.RNN``, ``LSTM`` or ``GRU``.

    Args:
        module: the torch layer; it stays as it is.
        share: use the very same Parameter objects, so that an optimizer that holds them keeps working.

    Returns:
        The layer, on the same device, in the same dtype and mode.

    Raises:
        ConversionError: another kind of module, hooks or parametrizations, with the reason.

    Example:
        >>> theirs = nn.GRU(4, 5, 2, bidirectional=True)
        >>> x = torch.randn(7, 3, 4)
        >>> bool(torch.allclose(from_torch(theirs)(x)[0], theirs(x)[0], atol=1e-6))
        True
    """
    reason = _why_not(module)
    if reason is not None:
        raise ConversionError(f"{type(module).__name__} has no exact Gatewise layer", got=reason)
    source: Any = module
    arguments: dict[str, Any] = {
        name: getattr(source, name)
        for name in ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional")
    }
    if isinstance(source, nn.RNN):
        arguments["nonlinearity"] = source.nonlinearity
    if isinstance(source, nn.LSTM):
        arguments["proj_size"] = source.proj_size
    if arguments["num_layers"] == 1:
        arguments["dropout"] = 0.0
    layer = _TORCH_CLASSES[type(source)](**arguments, device="meta")
    for name, parameter in source.named_parameters():
        mine = parameter if share else nn.Parameter(parameter.detach().clone(), requires_grad=parameter.requires_grad)
        setattr(layer, name, mine)
    layer.train(source.training)
    layer.flatten_parameters()
    return layer


def _missing_in_torch(layer: Recurrent, inference: bool) -> Iterator[str]:
    """Every reason why torch.nn has no equivalent of a layer."""
    if layer.cell not in ("rnn", "lstm", "gru"):
        yield f"torch.nn has no {layer.cell}"
        return
    options = layer._cells[0].kernel_options() - {"proj_size", "update_replace"}
    if "reset_before" in options:
        yield "torch.nn's GRU resets after the recurrent product (see gatewise.nn.convert_gru)"
    for option in sorted(options - {"reset_before"}):
        yield f"torch.nn's LSTM has no {option}"
    if len(set(layer.widths)) > 1:
        yield "torch.nn's layers are all of one width"
    for option in ("layer_norm", "residual", "learned_initial_state"):
        if getattr(layer, option):
            yield f"torch.nn has no {option}"
    if any(layer.zoneout):
        yield "torch.nn has no zoneout, and in evaluation zoneout still mixes old and new states"
    for option in ("recurrent_dropout", "weight_dropout"):
        if getattr(layer, option) and not inference:
            yield f"torch.nn has no {option} (inference=True omits it)"


def to_torch(layer: Recurrent, inference: bool = False) -> nn.RNNBase:
    """The ``torch.nn`` layer that computes exactly the same.

    A GRU with ``update="replace"`` becomes one that keeps, by negating its update gate's weights and biases.

    Args:
        layer: an RNN, LSTM or GRU; it stays as it is.
        inference: omit what acts in training only (recurrent and weight dropout).

    Returns:
        A module with weights of its own, on the same device, in the same dtype and mode.

    Raises:
        ConversionError: torch.nn has no such layer; every reason is named.

    Example:
        >>> to_torch(GRU(4, 5, update="replace"))
        GRU(4, 5)
        >>> to_torch(GRU(4, 5, layer_norm=True))
        Traceback (most recent call last):
        gatewise.errors.ConversionError: GRU has no exact torch.nn layer; got: torch.nn has no layer_norm
    """
    reasons = list(_missing_in_torch(layer, inference))
    if reasons:
        raise ConversionError(f"{type(layer).__name__} has no exact torch.nn layer", got="; ".join(reasons))
    arguments: dict[str, Any] = {
        "input_size": layer.input_size,
        "hidden_size": layer.widths[0],
        "num_layers": layer.num_layers,
        **{name: getattr(layer, name) for name in ("bias", "batch_first", "dropout", "bidirectional")},
        "device": layer._weight.device,
        "dtype": layer._weight.dtype,
    }
    options = layer._cells[0].options()
    kinds: dict[str, type[nn.RNNBase]] = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
    arguments |= {name: options[name] for name in ("nonlinearity", "proj_size") if name in options}
    module = kinds[layer.cell](**arguments)
    with torch.no_grad():
        for name, parameter in module.named_parameters():
            source: Tensor = getattr(layer, name)
            if options.get("update") == "replace":
                reset, update, candidate = source.chunk(3)
                source = torch.cat([reset, -update, candidate])
            parameter.copy_(source)
            parameter.requires_grad_(getattr(layer, name).requires_grad)
    return module.train(layer.training)


@dataclass(frozen=True)
class ConversionReport:
    """What :func:`convert` did.

    Attributes:
        swapped: dotted names of the layers that were replaced.
        kept: (dotted name, reason) of the recurrent modules that were left alone.

    Example:
        >>> print(ConversionReport(("encoder.rnn",), (("decoder", "it has forward hooks"),)))
        swapped encoder.rnn
        kept decoder: it has forward hooks
    """

    swapped: tuple[str, ...]
    kept: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        """One line per layer."""
        lines = [f"swapped {name}" for name in self.swapped]
        lines += [f"kept {name}: {reason}" for name, reason in self.kept]
        return "\n".join(lines) or "no recurrent layers"


def convert(model: nn.Module) -> ConversionReport:
    """Swap every ``torch.nn.RNN``, ``LSTM`` and ``GRU`` inside a model for its Gatewise layer, in place.

    The Parameter objects and their names stay the same, so optimizers and ``state_dict`` keep working. A module that
    is used in several places is replaced by one layer in all of them.

    Args:
        model: any module that holds recurrent layers.

    Returns:
        What was swapped, and what not and why.

    Example:
        >>> model = nn.ModuleDict({"embed": nn.Embedding(10, 4), "gru": nn.GRU(4, 5), "step": nn.GRUCell(4, 5)})
        >>> print(convert(model))
        swapped gru
        kept step: torch.nn.modules.rnn.GRUCell is a single step; use a layer's step()
    """
    swapped: list[str] = []
    kept: list[tuple[str, str]] = []
    replaced: dict[int, Recurrent] = {}
    for name, module in list(model.named_modules(remove_duplicate=False)):
        if not isinstance(module, nn.RNNBase | nn.RNNCellBase):
            continue
        reason = _why_not(module)
        if not name:
            kept.append(
                ("(the model itself)", reason or "it is not inside a model; use gatewise.nn.from_torch(module)")
            )
            continue
        if reason is not None:
            kept.append((name, reason))
            continue
        if id(module) not in replaced:
            replaced[id(module)] = from_torch(module, share=True)
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, replaced[id(module)])
        swapped.append(name)
    return ConversionReport(tuple(swapped), tuple(kept))
