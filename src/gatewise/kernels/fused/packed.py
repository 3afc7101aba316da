"""The packed weights of a stack, kept between calls: for weights that somebody promised not to change."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence as Items
from hashlib import blake2b
from typing import Any

import torch
from torch import Tensor

from gatewise.kernels.fused.binding import Guards, make_plan
from gatewise.kernels.fused.call import Sequence, address_of
from gatewise.kernels.fused.inference import run_places
from gatewise.kernels.fused.library import require
from gatewise.kernels.fused.stack import Stack

__all__ = ["PackedStack"]

_LEAST = 16
"""Room for as many more floats, so that the memory can start at a cache line wherever it lies."""


class PackedStack:
    """A stack with its weights packed once; its calls read no weight.

    It remembers which tensors it packed, at which version, address and shape, so that a change that torch sees (an
    optimizer's step, ``copy_``, ``load_state_dict``, another ``.data``, another layout) is seen: :meth:`current` is
    then false. Writes past torch's books (through ``.data``, through a NumPy array on the same memory) leave no trace
    there; :meth:`written` compares the contents.

    Args:
        stack: with gates that see the state.
        names: of the weights, each with its shape, in the stack's order.
        weights: ``(G*H, I)`` and so on; float32, dense, on the CPU. Not inference tensors:
            they have no version.
        guards: what has to stay as it is for calls through the compiled binding; None: there are none.

    Attributes:
        stack: as given.
        plan: how the binding runs a call; None: it cannot.
    """

    def __init__(
        self, stack: Stack, names: Items[tuple[str, torch.Size]], weights: Items[Tensor], guards: Guards | None
    ) -> None:
        self.stack = stack
        self._seen = [
            (name, each, each._version, each.data_ptr(), each.shape)
            for (name, _), each in zip(names, weights, strict=True)
        ]
        self._alive = [each.detach() for each in weights]  # or another tensor could get the address of one that went
        self._digests = [_digest(each) for each in self._alive]
        self._memory: list[Tensor] = []
        self._known: list[Sequence] = []
        library = require()
        for number, place in enumerate(stack.places):
            arguments = Sequence.from_buffer_copy(place.arguments)
            for name, each in zip(place.weights, weights[stack.starts[number] :], strict=False):
                setattr(arguments, name, each.data_ptr())
            size = library.function(f"gatewise_{place.cell}_packed", ctypes.c_int64, ctypes.c_void_p)
            memory = torch.empty(size(address_of(arguments)) + _LEAST, dtype=torch.float32, device="cpu")
            arguments.packed = (memory.data_ptr() + 63) // 64 * 64
            self._memory.append(memory)
            self._known.append(arguments)
        # One step of zeros packs them.
        x = torch.zeros(1, stack.places[0].arguments.input_size, dtype=torch.float32, device="cpu")
        run_places(stack, self._known, (None, x, None, None))
        for arguments in self._known:
            arguments.packed_ready = 1
        self.plan = None if guards is None else make_plan(stack, self._known, guards, names, weights)

    def __call__(self, lengths: Tensor | None, x: Tensor, h0: Tensor | None, c0: Tensor | None) -> tuple[Tensor, ...]:
        """Output and final states, the same bits as :func:`gatewise.kernels.fused.inference.infer` gives.

        Args:
            lengths: as there.
            x: as there.
            h0: as there.
            c0: as there.
        """
        return run_places(self.stack, self._known, (lengths, x, h0, c0))

    def current(self, stack: Stack, weights: dict[str, Any]) -> bool:
        """Whether these are the weights that were packed, as far as torch knows.

        Args:
            stack: what is to run.
            weights: by name.
        """
        if stack is not self.stack:
            return False
        for name, packed, version, address, shape in self._seen:  # quickly: before every call
            weight = weights.get(name)
            if (
                weight is not packed
                or weight._version != version
                or weight.data_ptr() != address
                or weight.shape != shape
                or not weight.is_contiguous()
            ):
                return False
        return True

    def written(self, weights: dict[str, Any]) -> list[str]:
        """The names of the weights that torch saw no change of, and whose memory yet holds something else.

        Reads these weights. What others held before they changed is not known.

        Args:
            weights: by name, as they are now.
        """
        names = []
        for seen, kept, digest in zip(self._seen, self._alive, self._digests, strict=True):
            name, packed, version, address, _ = seen
            weight = weights.get(name)
            same = weight is packed and packed._version == version and packed.data_ptr() == address
            if same and _digest(kept) != digest:
                names.append(name)
        return names


def _digest(weight: Tensor) -> bytes:
    return blake2b(weight.numpy().data, digest_size=16).digest()
