"""The same GRU in another of its four readings, where that is exact."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from gatewise.errors import ConversionError, OptionError
from gatewise.nn.gru import GRU

__all__ = ["convert_gru"]


def convert_gru(layer: GRU, *, reset: str | None = None, update: str | None = None) -> GRU:
    """The same GRU in another reading, where that is exact.

    *Update*, keep to replace or back, is always exact: ``1 - sigmoid(a) = sigmoid(-a)``, so the update gate's input
    changes sign.

    *Reset*, after to before or back, is not: ``r * (U h + b)`` and ``U (r * h) + b`` differ, because U mixes the units
    before or after r has scaled them. They agree for every input and state only where

    - U = W_hn is diagonal (the units do not mix; H = 1 is the smallest case) and, from after to before, b = b_hn is
      zero. From before to after b_hn moves into b_in, where r does not reach it; or
    - r is constant (its weights are zero, r = sigmoid(b_ir + b_hr)): then ``diag(r) U diag(1/r)`` and ``r * b`` do from
      after to before, and ``diag(1/r) U diag(r)`` and ``b / r`` from before to after.

    Args:
        layer: a GRU; it stays as it is.
        reset: ``"after"`` or ``"before"``; None keeps it.
        update: ``"keep"`` or ``"replace"``; None keeps it.

    Returns:
        A new GRU that computes the same.

    Raises:
        ConversionError: the weights have no exact form in the other reading; the message names where and why.
        OptionError: not a GRU, or another value of reset or update.

    Example:
        >>> layer, x = GRU(4, 5), torch.randn(7, 3, 4)
        >>> bool(torch.allclose(convert_gru(layer, update="replace")(x)[0], layer(x)[0], atol=1e-6))
        True
        >>> convert_gru(layer, reset="before")
        Traceback (most recent call last):
        gatewise.errors.ConversionError: l0: reset='after' has no exact form as reset='before'; ...
    """
    if layer.cell != "gru":
        raise OptionError("convert_gru takes a GRU", got=type(layer).__name__)
    config: dict[str, Any] = layer.config()
    config.pop("cell")
    old = config.pop("cell_options")
    wanted: dict[str, Any] = {"reset": reset or old["reset"], "update": update or old["update"]}
    new = GRU(**config, **wanted, device=layer._weight.device, dtype=layer._weight.dtype)
    tensors = {name: value.detach().clone() for name, value in layer.state_dict().items()}
    for _, suffix in layer._suffixes():
        parts = {name.removesuffix(suffix): value for name, value in tensors.items() if name.endswith(suffix)}
        if wanted["update"] != old["update"]:
            _negate_update(parts)
        if wanted["reset"] != old["reset"]:
            _move_reset(parts, suffix[1:], old["reset"], wanted["reset"])
        tensors |= {name + suffix: value for name, value in parts.items()}
    new.load_state_dict(tensors)
    return new.train(layer.training)


def _negate_update(parts: dict[str, Tensor]) -> None:
    """Change the sign of all that enters the update gate: weights and biases, or gains and biases where normalised."""
    first = "layer_norm" if "layer_norm_ih" in parts else "weight"
    for name in (f"{first}_ih", f"{first}_hh", "bias_ih", "bias_hh"):
        if name in parts:
            reset, update, candidate = parts[name].chunk(3)
            parts[name] = torch.cat([reset, -update, candidate])


def _move_reset(parts: dict[str, Tensor], place: str, old: str, new: str) -> None:
    """Move the reset gate to the other side of the candidate's recurrent product, or raise the reason why not."""
    reset_h, update_h, product = parts["weight_hh"].chunk(3)
    bias = parts["bias_hh"].chunk(3)[2] if "bias_hh" in parts else None
    diagonal = bool((product == torch.diag(product.diagonal())).all())
    normalised = "layer_norm_hh" in parts
    constant = not normalised and not bool(reset_h.any()) and not bool(parts["weight_ih"].chunk(3)[0].any())
    if constant:
        total = torch.zeros_like(product[0])
        for name in ("bias_ih", "bias_hh"):
            if name in parts:
                total = total + parts[name].chunk(3)[0]
        gate = torch.sigmoid(total) if old == "after" else 1.0 / torch.sigmoid(total)
        product = gate[:, None] * product / gate
        bias = None if bias is None else gate * bias
    elif normalised or not diagonal or (old == "after" and bias is not None and bool(bias.any())):
        raise ConversionError(
            f"{place}: reset={old!r} has no exact form as reset={new!r}",
            expected="a diagonal W_hn (and b_hn = 0 from after to before), or a reset gate that is constant",
            got="layer normalisation of the recurrent product"
            if normalised
            else "a W_hn that mixes units"
            if not diagonal
            else "a bias b_hn that the reset gate scales",
            fix=f"keep reset={old!r}; both readings are layers of their own",
        )
    elif old == "before" and bias is not None:
        reset_b, update_b, candidate_b = parts["bias_ih"].chunk(3)
        parts["bias_ih"] = torch.cat([reset_b, update_b, candidate_b + bias])
        bias = torch.zeros_like(bias)
    parts["weight_hh"] = torch.cat([reset_h, update_h, product])
    if bias is not None:
        parts["bias_hh"] = torch.cat([*parts["bias_hh"].chunk(3)[:2], bias])
