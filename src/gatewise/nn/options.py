"""Checks of a layer's constructor arguments; each error names the argument, expected, got and the fix."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from typing import TypedDict

from gatewise.errors import OptionError, UnknownOptionError, did_you_mean
from gatewise.nn.cell import Cell

__all__ = [
    "LayerOptions",
    "check_flag",
    "check_probability",
    "check_size",
    "check_supported",
    "layer_widths",
    "refuse_unknown",
    "zoneout_rates",
]


class LayerOptions(TypedDict, total=False):
    """Options that every layer takes beyond torch.nn's, by keyword."""

    layer_norm: bool
    zoneout: float | Sequence[float]
    recurrent_dropout: float
    weight_dropout: float
    residual: bool
    learned_initial_state: bool
    checkpoint_steps: int | None


def refuse_unknown(layer: type[object], names: Iterable[str]) -> None:
    """Refuse options that a layer does not have.

    Raises:
        UnknownOptionError: a TypeError too, as Python raises for an unknown keyword.

    Example:
        >>> from gatewise.nn import GRU
        >>> GRU(5, 3, zoneuot=0.1)
        Traceback (most recent call last):
        gatewise.errors.UnknownOptionError: gatewise.nn.GRU has no option 'zoneuot'; expected: input_size, ...
    """
    for name in names:
        taken = inspect.signature(layer.__init__).parameters.values()
        own = [each.name for each in taken if each.kind is not inspect.Parameter.VAR_KEYWORD][1:]
        known = [*own, *(option for option in LayerOptions.__annotations__ if option not in own)]
        module = layer.__module__
        where = "gatewise.nn" if module.startswith("gatewise.nn.") else module
        raise UnknownOptionError(
            f"{where}.{layer.__name__} has no option {name!r}",
            expected=", ".join(known),
            fix=guess if (guess := did_you_mean(name, known)).startswith("did") else "omit it",
        )


def check_size(layer: str, argument: str, value: object) -> int:
    """A positive integer.

    Raises:
        OptionError: anything else.

    Example:
        >>> check_size("GRU", "input_size", 0)
        Traceback (most recent call last):
        gatewise.errors.OptionError: GRU: input_size must be a positive integer; expected: 1 or more; got: 0
    """
    if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
        raise OptionError(f"{layer}: {argument} must be a positive integer", expected="1 or more", got=repr(value))
    return value


def check_flag(layer: str, argument: str, value: object) -> bool:
    """True or False.

    Raises:
        OptionError: anything else; often a positional argument in the wrong place.

    Example:
        >>> check_flag("GRU", "bias", 0.5)
        Traceback (most recent call last):
        gatewise.errors.OptionError: GRU: bias must be True or False; got: 0.5; fix: pass options by keyword
    """
    if not isinstance(value, bool):
        raise OptionError(f"{layer}: {argument} must be True or False", got=repr(value), fix="pass options by keyword")
    return value


def check_probability(layer: str, argument: str, value: object) -> float:
    """A probability p with 0 <= p < 1.

    Raises:
        OptionError: anything else.

    Example:
        >>> check_probability("GRU", "dropout", 1.5)
        Traceback (most recent call last):
        gatewise.errors.OptionError: GRU: dropout must be a probability; expected: a number p with 0 <= p < 1; got: 1.5
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value < 1.0:
        raise OptionError(
            f"{layer}: {argument} must be a probability", expected="a number p with 0 <= p < 1", got=repr(value)
        )
    return float(value)


def zoneout_rates(layer: str, value: object, states: tuple[str, ...]) -> tuple[float, ...]:
    """One zoneout probability per state, from one number for all or one for each.

    Raises:
        OptionError: not a probability, or not one per state.

    Example:
        >>> zoneout_rates("LSTM", 0.1, ("hidden", "cell"))
        (0.1, 0.1)
    """
    if not isinstance(value, list | tuple):
        return (check_probability(layer, "zoneout", value),) * len(states)
    if len(value) != len(states):
        raise OptionError(
            f"{layer}: zoneout needs one probability, or one per state",
            expected=f"{len(states)} for ({', '.join(states)})",
            got=repr(value),
        )
    return tuple(check_probability(layer, f"zoneout of {name}", each) for name, each in zip(states, value, strict=True))


def layer_widths(layer: str, hidden_size: int | Sequence[int], num_layers: int) -> tuple[int, ...]:
    """Each layer's H.

    Args:
        layer: the layer's class, for the message.
        hidden_size: one width for all layers, or one for each.
        num_layers: L; 1 (its default) where widths are given one by one.

    Raises:
        OptionError: not positive integers, or another number of widths than layers.

    Example:
        >>> layer_widths("GRU", 8, 2), layer_widths("GRU", [16, 8], 1)
        ((8, 8), (16, 8))
    """
    check_size(layer, "num_layers", num_layers)
    if isinstance(hidden_size, int):
        return (check_size(layer, "hidden_size", hidden_size),) * num_layers
    if not isinstance(hidden_size, list | tuple) or not hidden_size:
        raise OptionError(f"{layer}: hidden_size must be a positive integer, or one per layer", got=repr(hidden_size))
    widths = tuple(check_size(layer, f"hidden_size[{i}]", each) for i, each in enumerate(hidden_size))
    if num_layers not in (1, len(widths)):
        raise OptionError(
            f"{layer}: hidden_size gives {len(widths)} widths but num_layers is {num_layers}",
            fix=f"omit num_layers, or give {num_layers} widths",
        )
    return widths


def check_supported(layer: str, kind: type[Cell], requested: dict[str, bool], has_recurrent_weights: bool) -> None:
    """Refuse options that have no meaning for a cell.

    Args:
        layer: the layer's class, for the message.
        kind: the cell's class.
        requested: ``layer_norm``, ``recurrent_dropout``, ``weight_dropout`` and whether each is on.
        has_recurrent_weights: the cell has a ``weight_hh``.

    Raises:
        OptionError: with the reason.
    """
    for option in (name for name, on in requested.items() if on):
        if not has_recurrent_weights:
            raise OptionError(
                f"{layer}: {option} has no meaning here",
                got=f"cell {kind.name!r}, whose gates see the input only: there is no recurrent product W_hh h",
                fix=f"omit {option}; zoneout and dropout between layers do apply",
            )
        if option != "weight_dropout" and option not in kind.supports:
            raise OptionError(
                f"{layer}: cell {kind.name!r} does not declare support for {option}",
                expected=f"{option!r} in {kind.__name__}.supports",
                got=sorted(kind.supports),
                fix="apply it in step (Cell.recurrent does) and name it there",
            )
