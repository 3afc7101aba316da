"""Many streams through one stack of layers, some steps of each in one call: the same bits as each by itself.

The compiled kernels compute each row and step by itself, whatever stands beside it; where all layers run on them, the
steps of all streams go through one call. Products of torch and of BLAS choose their order of summation by the shape, so
everything else goes stream by stream and step by step. :func:`each_row` is a product that is safe to batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.overrides import TorchFunctionMode

from gatewise.errors import ConversionError, ShapeError
from gatewise.nn.recurrent import Recurrent

__all__ = ["Streams", "each_row", "each_row_products", "runs_row_by_row"]

Array = npt.NDArray[np.float32]


class Streams:
    """Advances any number of streams through a layer; a stream's state is one vector that the caller keeps.

    Args:
        layer: of one direction; evaluation mode is meant.

    Attributes:
        layer: the layer.
        size: S, numbers of a state: every layer's parts in their order.

    Raises:
        ConversionError: the layer is bidirectional.

    Example:
        >>> layer = Recurrent("gru", 3, 4, num_layers=2).eval()
        >>> streams, x = Streams(layer), np.ones((5, 3), np.float32)
        >>> outputs, states = streams.advance(np.stack([streams.initial(), streams.initial()]), [x, x[:2]])
        >>> [output.shape for output in outputs], states.shape
        ([(5, 4), (2, 4)], (2, 8))
        >>> rest, _ = streams.advance(states[1:], [x[2:]])
        >>> bool((rest[0][-1] == outputs[0][-1]).all())
        True
    """

    def __init__(self, layer: Recurrent) -> None:
        if layer.bidirectional:
            raise ConversionError(
                "a bidirectional network does not run as a stream: its backward direction starts at the end",
                fix="train it with --no-bidirectional; requests with whole inputs work",
            )
        self.layer = layer
        with torch.inference_mode():
            start = layer._start(1, torch.float32)
        self._sizes = [[part.shape[1] for part in states] for states in start]
        self._initial = np.concatenate([part[0].numpy() for states in start for part in states]).astype(np.float32)
        self.size = len(self._initial)

    def initial(self) -> Array:
        """The state before the first step, (S,)."""
        return self._initial.copy()

    def advance(self, states: Array, inputs: Sequence[Array]) -> tuple[list[Array], Array]:
        """Read some steps of each stream.

        Args:
            states: (B, S).
            inputs: of each stream (T, I) float32, T of its own and at least 1.

        Returns:
            Of each stream the last layer's outputs (T, H), and the new states (B, S).

        Raises:
            ShapeError: other numbers of streams, no steps, or another width.
        """
        width = self.layer.input_size
        if states.shape != (len(inputs), self.size) or any(x.ndim != 2 or x.shape[1] != width for x in inputs):
            shapes = f"{states.shape}, {[x.shape for x in inputs[:3]]}"
            raise ShapeError(
                "states and inputs do not fit", expected=f"(B, {self.size}), B times (T, {width})", got=shapes
            )
        if not inputs or min(map(len, inputs)) < 1:
            raise ShapeError("every stream needs at least one step", fix="leave out streams without steps")
        with torch.inference_mode():
            lengths = torch.tensor([len(x) for x in inputs])
            x = torch.zeros(int(lengths.max()), len(inputs), width)
            for row, each in enumerate(inputs):
                x[: len(each), row] = torch.from_numpy(np.ascontiguousarray(each, dtype=np.float32))
            chosen = self.layer._choose_all(x, lengths, None)
            if all(choice.family == "fused" for choice in chosen):
                return self._together(x, torch.from_numpy(states), lengths)
            return self._apart(inputs, states)

    def _together(self, x: torch.Tensor, states: torch.Tensor, lengths: torch.Tensor) -> tuple[list[Array], Array]:
        output, after = self.layer._stack(x, self._split(states), lengths, None)
        found = output.transpose(0, 1).contiguous().numpy()
        return [found[row, :length] for row, length in enumerate(lengths.tolist())], self._join(after)

    def _apart(self, inputs: Sequence[Array], states: Array) -> tuple[list[Array], Array]:
        outputs, rows = [], []
        for row, each in enumerate(inputs):
            state = self._split(torch.from_numpy(states[row : row + 1]))
            steps = []
            for values in each:
                x = torch.from_numpy(np.array(values, dtype=np.float32))[None, None]
                output, state = self.layer._stack(x, state, None, None)
                steps.append(output[0, 0].numpy())
            outputs.append(np.stack(steps))
            rows.append(self._join(state))
        return outputs, np.concatenate(rows)

    def _split(self, states: torch.Tensor) -> list[tuple[torch.Tensor, ...]]:
        found, start = [], 0
        for sizes in self._sizes:
            parts = []
            for size in sizes:
                parts.append(states[:, start : start + size].contiguous())
                start += size
            found.append(tuple(parts))
        return found

    def _join(self, states: Sequence[tuple[torch.Tensor, ...]]) -> Array:
        joined: Array = torch.cat([part for parts in states for part in parts], dim=1).numpy()
        return joined


def each_row(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """A product for each row by itself, so that a row's bits do not depend on the others.

    ::

        y_n = W x_n + b

    Args:
        x: (N, I).
        weight: (O, I).
        bias: (O,) or None.

    Returns:
        (N, O).

    Example:
        >>> each_row(np.array([[1.0, 2.0]]), np.array([[1.0, 1.0], [0.0, 3.0]]), np.array([0.5, 0.0]))
        array([[3.5, 6. ]])
    """
    # of stacked factors NumPy calls BLAS once for each of them, always with the same shape
    found = np.matmul(np.ascontiguousarray(x)[:, None, :], weight.T)[:, 0]
    return np.asarray(found if bias is None else found + bias)


def runs_row_by_row(layer: Recurrent, steps: int = 2) -> bool:
    """Whether a layer computes each row by itself, on compiled kernels, so that a batch has the bits of single rows.

    Example:
        >>> from gatewise.kernels.dispatch import force
        >>> with force("reference"):
        ...     runs_row_by_row(Recurrent("gru", 2, 3).eval())
        False
    """
    with torch.inference_mode():
        x = torch.zeros(steps, 2, layer.input_size)
        return all(choice.family == "fused" for choice in layer._choose_all(x, None, None))


class each_row_products(TorchFunctionMode):
    """Inside the block, in this thread, `torch.nn.functional.linear` computes each row by itself, see `each_row`.

    Example:
        >>> linear, x = torch.nn.Linear(7, 5), torch.randn(9, 7)
        >>> with torch.no_grad(), each_row_products():
        ...     bool((linear(x)[3:4] == linear(x[3:4])).all())
        True
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """One call of torch."""
        if func is not torch.nn.functional.linear:
            return func(*args, **(kwargs or {}))
        x, weight, bias = (*args, None)[:3] if not kwargs else _linear_arguments(*args, **kwargs)
        flat = x.reshape(-1, x.shape[-1]).numpy()
        found = each_row(flat, weight.detach().numpy(), None if bias is None else bias.detach().numpy())
        return torch.from_numpy(found).reshape(*x.shape[:-1], len(weight))


def _linear_arguments(input: Any, weight: Any, bias: Any = None) -> tuple[Any, Any, Any]:
    return input, weight, bias
