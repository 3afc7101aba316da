"""The compiled kernels, as differentiable PyTorch operations.

``rnn``, ``lstm`` and ``gru`` run one direction of one layer over a whole batch; ``mingru`` and ``minlstm`` scan. Which
instruction set they use is decided by :func:`load`; what they can compute by :func:`sequence_supports`.
"""

from gatewise.kernels.fused.checks import sequence_supports
from gatewise.kernels.fused.gru import gru
from gatewise.kernels.fused.library import available_variants, load
from gatewise.kernels.fused.lstm import lstm
from gatewise.kernels.fused.rnn import rnn
from gatewise.kernels.fused.scan import mingru, minlstm
from gatewise.kernels.fused.traced import traced_sequence

__all__ = [
    "available_variants",
    "gru",
    "load",
    "lstm",
    "mingru",
    "minlstm",
    "rnn",
    "sequence_supports",
    "traced_sequence",
]
