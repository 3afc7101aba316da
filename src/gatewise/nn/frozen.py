"""Layers whose weights do not change for a while, so that what is made of them is made once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch

from gatewise.errors import KernelError, OptionError
from gatewise.kernels.fused.packed import PackedStack

if TYPE_CHECKING:
    from gatewise.kernels.fused.binding import Guards
    from gatewise.kernels.fused.stack import Stack
    from gatewise.nn.recurrent import Recurrent

__all__ = ["Frozen", "frozen"]


def _nothing() -> None:
    """What a copied or pickled `Frozen` becomes: the promise was for the original."""


class Frozen:
    """What a frozen layer remembers."""

    def __init__(self) -> None:
        self.users = 0
        self._packed: PackedStack | None = None
        self._written: set[str] = set()

    def __reduce__(self) -> tuple[Callable[[], None], tuple[()]]:
        return _nothing, ()

    def current(self, stack: Stack, weights: dict[str, Any]) -> PackedStack | None:
        """The packed weights for a call; None where they have yet to be packed.

        Args:
            stack: what is to run.
            weights: the layer's, by name.
        """
        found = self._packed
        return found if found is not None and found.current(stack, weights) else None

    def found(self, stack: Stack) -> PackedStack | None:
        """The packed weights of a stack, for the compiled binding, which checks them; None where there are none.

        The caller keeps them while a call runs: another thread may pack anew, or end the promise, in the meantime.

        Args:
            stack: what is to run.
        """
        found = self._packed
        return found if found is not None and found.stack is stack else None

    def pack(
        self, stack: Stack, names: Sequence[tuple[str, Any]], weights: Sequence[Any], guards: Guards | None
    ) -> None:
        """Pack weights for later calls, where they can be followed.

        Args:
            stack: what is to run.
            names: of the weights, each with its shape.
            weights: as a kernel may read them.
            guards: what has to stay as it is for calls through the compiled binding; None: there are none.
        """
        if stack.scan or any(each.is_inference() for each in weights):
            return
        packed = PackedStack(stack, names, weights, guards)
        former, self._packed = self._packed, packed
        if former is not None:  # calls may have used it after a write
            self._written.update(former.written({name: each for (name, _), each in zip(names, weights, strict=True)}))

    def check(self, name: str, weights: dict[str, Any]) -> None:
        """Refuse weights that changed without torch's knowledge.

        Args:
            name: of the layer.
            weights: the layer's, by name.

        Raises:
            KernelError: they did; what was computed since may be of the weights before.
        """
        found, self._packed = self._packed, None
        if found is not None:
            self._written.update(found.written(weights))
        if self._written:
            raise KernelError(
                f"the weights of {name} changed inside nn.frozen, by a way that torch does not see",
                got=f"{', '.join(sorted(self._written))}: a write through .data, a NumPy array or another process",
                fix="change them outside of the block, or by torch's own operations: weight.copy_(..) under no_grad",
            )


@contextmanager
def frozen(*modules: torch.nn.Module) -> Iterator[None]:
    """Promise that the weights stay as they are inside the ``with`` block, so that inference packs them once.

    The compiled kernels read weights in an order of their own. Since weights may change between any two calls, an
    ordinary call packs them anew; for a few steps of a few rows that takes longer than the steps. Inside this block a
    layer packs at its first call without gradients (a layer that was never called: at its second, since the first
    prepares its calls) and reads no weight from the next one on. Results have the same bits as outside.

    Changes that torch sees (optimizers, ``load_state_dict``, operations in place, another tensor as ``.data``) are
    obeyed at once, and the weights are packed again. Writes that torch does not see (in place through ``.data``,
    through NumPy or another process on the same memory) break the promise: calls go on with the former weights. Each
    weight's contents are compared when the block ends without an error, and when the layer packs again; a difference
    raises an error at the end of the block. One thing passes unseen: such a write to a weight that torch then changes
    as well (``load_state_dict`` does that) or that somebody writes back, since what it held in between is gone.

    Args:
        modules: layers, or modules with layers inside; those of other kinds are let be.

    Raises:
        OptionError: there is no recurrent layer in them.
        KernelError: at the end, where weights changed without torch's knowledge.

    Example:
        >>> from gatewise import nn
        >>> layer, x = nn.GRU(3, 4).eval(), torch.randn(5, 1, 3)
        >>> with torch.inference_mode():
        ...     expected, _ = layer(x)
        ...     with nn.frozen(layer):
        ...         same = all(torch.equal(layer(x)[0], expected) for _ in range(3))
        >>> same
        True
    """
    from gatewise.nn.recurrent import Recurrent

    for each in modules:
        if not isinstance(each, torch.nn.Module):
            raise OptionError("nn.frozen takes modules", got=repr(each)[:60], fix="give a layer, or what holds one")
    named = [
        (f"{type(each).__name__} {name}".strip(), each) for module in modules for name, each in module.named_modules()
    ]
    layers = {id(each): (name, each) for name, each in named if isinstance(each, Recurrent)}
    if not layers:
        raise OptionError("nn.frozen: no recurrent layer", fix="give a layer, or a module that holds one")
    for _, each in layers.values():
        with _LOCK:
            each._frozen = each._frozen or Frozen()
            each._frozen.users += 1
    failed = True
    try:
        yield
        failed = False
    finally:
        ended = [(name, each, held) for name, each in layers.values() if (held := _leave(each)) is not None]
        if not failed:
            for name, each, held in ended:
                held.check(name, each._parameters)


def _leave(layer: Recurrent) -> Frozen | None:
    """What a layer remembered, where its last block ends."""
    with _LOCK:
        held = layer._frozen
        if held is None:
            return None
        held.users -= 1
        if held.users > 0:
            return None
        layer._frozen = None
        return held


_LOCK = threading.Lock()
