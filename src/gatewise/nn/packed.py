"""PackedSequence in and out, and cuDNN's weight layout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from gatewise.errors import ShapeError
from gatewise.kernels.registry import KERNELS

if TYPE_CHECKING:
    from gatewise.nn.recurrent import Recurrent

__all__ = ["flatten_for_cudnn", "forward_packed"]


def _reorder(state: Any, index: Tensor | None) -> Any:
    """Reorder the batch axis (1) of every tensor of a state."""
    if index is None or state is None:
        return state
    if isinstance(state, tuple | list):
        return tuple(_reorder(part, index) for part in state)
    return state.index_select(1, index)


def forward_packed(layer: Recurrent, x: PackedSequence, hx: Any, lengths: object) -> tuple[PackedSequence, Any]:
    """Run a PackedSequence; the output has its batch sizes and order, hx and the final state the original order.

    Raises:
        ShapeError: lengths are given as well as the packing, or the packed features do not fit.
    """
    if lengths is not None:
        raise ShapeError(f"{type(layer).__name__}: a PackedSequence carries its own lengths", fix="omit lengths")
    sorted_x = PackedSequence(x.data, x.batch_sizes)
    padded, rows = pad_packed_sequence(sorted_x, batch_first=layer.batch_first)
    output, final = layer.forward(padded, _reorder(hx, x.sorted_indices), rows)
    packed = pack_padded_sequence(output, rows, batch_first=layer.batch_first)
    result = PackedSequence(packed.data, x.batch_sizes, x.sorted_indices, x.unsorted_indices)
    return result, _reorder(final, x.unsorted_indices)


def flatten_for_cudnn(layer: Recurrent) -> None:
    """Put all weights into one piece of memory, as ``torch.nn.RNNBase.flatten_parameters`` does; only on CUDA."""
    weights: list[Tensor] = [weight for group in layer.all_weights for weight in group]
    first = weights[0]
    cell = layer._cells[0]
    info = KERNELS.get(cell.kernel_name)
    if (
        info is None
        or info.torch_options is None
        or cell.kernel_options() - {"proj_size"}
        or len(set(layer.widths)) > 1
    ):
        return
    if any(not each.is_cuda or each.dtype != first.dtype for each in weights):
        return
    if not torch.backends.cudnn.is_acceptable(first) or not torch._use_cudnn_rnn_flatten_weight():
        return
    if len({each.data_ptr() for each in weights}) != len(weights):
        return
    from torch.backends.cudnn import rnn

    with torch.cuda.device_of(first), torch.no_grad():
        torch._cudnn_rnn_flatten_weight(
            weights,
            len(layer.all_names[0]),
            layer.input_size,
            rnn.get_cudnn_mode(cell.kernel_name.upper()),
            cell.hidden_size,
            int(getattr(cell, "proj_size", 0)),
            layer.num_layers,
            layer.batch_first,
            layer.bidirectional,
        )
