"""A stream through a layer, one step at a time, with the state kept inside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np
import torch
from torch import Tensor

from gatewise.errors import OptionError
from gatewise.kernels.dispatch import forced_kernel
from gatewise.kernels.fused.library import load
from gatewise.kernels.fused.session import FusedSession, SessionLayer, supports_session
from gatewise.nn.inputs import join_state, split_state

if TYPE_CHECKING:
    from gatewise.nn.recurrent import Recurrent

__all__ = ["Session"]


class Session:
    """Runs a stream through a layer step by step; made by ``layer.session(batch)``.

    Runs on the compiled steps where they exist for the layer (a few microseconds a step, nothing allocated inside),
    else on ``layer.step``; :attr:`implementation` and :attr:`reason` say which. For inference: no gradients or dropout.
    The compiled steps copy the weights once, so make a new session after training.

    Args:
        layer: one direction only, in evaluation or without dropouts.
        batch: B, independent streams side by side.

    Attributes:
        implementation: ``fused-avx512`` and the like, or ``step``.
        reason: why.

    Raises:
        OptionError: the layer is bidirectional, or in training with a dropout or zoneout.

    Example:
        >>> from gatewise.nn import GRU
        >>> layer = GRU(3, 4, num_layers=2).eval()
        >>> session, x = layer.session(), torch.randn(5, 1, 3)
        >>> streamed = torch.stack([session(x_t) for x_t in x])
        >>> bool(torch.allclose(streamed, layer(x)[0], atol=1e-6)), session.state().shape
        (True, torch.Size([2, 1, 4]))
    """

    def __init__(self, layer: Recurrent, batch: int = 1) -> None:
        name = type(layer).__name__
        if layer.bidirectional:
            raise OptionError(
                f"{name}.session: the backward direction starts at the end, which a stream does not have",
                fix="build the layer with bidirectional=False",
            )
        random = (layer.dropout, *layer.zoneout, layer.recurrent_dropout, layer.weight_dropout)
        if layer.training and any(random):
            raise OptionError(f"{name}.session: a stream has no dropout", fix="call layer.eval() first")
        self.batch = batch
        self._layer = layer
        self._fused: FusedSession | None = None
        self._state: Any = None
        layers, self.reason = _session_layers(layer)
        self.implementation = "step"
        if layers is not None:
            self._fused = FusedSession(layers, batch)
            self.implementation = self._fused.implementation
        self.reset()

    @overload
    def __call__(self, x: Tensor) -> Tensor: ...
    @overload
    def __call__(self, x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]: ...
    def __call__(self, x: Tensor | np.ndarray[Any, Any]) -> Tensor | np.ndarray[Any, Any]:
        """One time step.

        Args:
            x: ``(B, I)``, a tensor or an array; for B = 1 also ``(I,)``.

        Returns:
            The last layer's output ``(B, H)`` (or ``(H,)``), of the same kind as x.

        Raises:
            ShapeError: another shape or precision.
        """
        if self._fused is not None:
            return self._fused(x)
        if isinstance(x, np.ndarray):
            inputs = torch.from_numpy(x).to(self._layer._weight.device)
            result: np.ndarray[Any, Any] = self(inputs).cpu().numpy()
            return result
        flat = self.batch == 1 and x.dim() == 1
        with torch.no_grad():
            output, self._state = self._layer.step(x[None] if flat else x, self._state)
        return output[0] if flat else output

    def state(self) -> Any:
        """A copy of the state, as ``layer.forward`` takes it for hx: ``(L, B, H)``, for an LSTM a tuple."""
        if self._fused is None:
            return _copied(self._state)
        return join_state(self._fused.state(), 1, self._layer._uniform, True)

    def reset(self, state: Any = None) -> None:
        """Go back to the layer's initial state, or to a given one.

        Args:
            state: as :meth:`state` or ``layer.forward`` gives it; None: the initial state.

        Raises:
            ShapeError: it does not fit the layer.
        """
        layer = self._layer
        with torch.no_grad():
            start = layer.initial_state(self.batch) if state is None else state
            cells = layer._cells
            sizes = [cell.state_sizes() for cell in cells]
            parts = split_state(type(layer).__name__, start, cells[0].states, sizes, 1, self.batch, layer._weight)
            if self._fused is not None:
                self._fused.reset(parts)
            else:
                self._state = _copied(join_state(parts, 1, layer._uniform, True))


def _copied(state: Any) -> Any:
    if isinstance(state, Tensor):
        return state.detach().clone()
    return tuple(_copied(part) for part in state)


def _session_layers(layer: Recurrent) -> tuple[list[SessionLayer] | None, str]:
    """The arguments of the compiled steps for a layer, or None, and the reason."""
    forced = forced_kernel()
    if forced in ("reference", "torch", "triton"):
        return None, f"{forced} was requested"
    library, reason = load()
    if library is None:
        return None, reason
    extra = {"layer_norm": layer.layer_norm, "zoneout": any(layer.zoneout), "residual": layer.residual}
    present = [name for name, on in extra.items() if on]
    if present:
        return None, f"no compiled step with {', '.join(present)}"
    layers = []
    for number, cell in enumerate(layer._cells):
        weights = layer._weights_of(f"_l{number}")
        products = {name: weights.get(name) for name in ("weight_hh", "bias_ih", "bias_hh")}
        layers.append(SessionLayer(cell.kernel_name, weights["weight_ih"], **products, options=cell.kernel_options()))
    supported, why = supports_session(layers)
    return (layers, f"{why}; {reason}") if supported else (None, why)
