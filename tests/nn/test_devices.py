"""Layers and their gradients stay on the device of their weights; ``meta`` stands for any that is not the CPU.

Nothing on it can be read back, and tensors of two devices do not mix there either.
"""

import pytest
import torch

from gatewise import nn
from gatewise.kernels.dispatch import force

STACK = {"num_layers": 2, "bidirectional": True, "dropout": 0.1, "residual": True, "learned_initial_state": True}
ROWS = {"layer_norm": True, "zoneout": 0.3, "recurrent_dropout": 0.3, "weight_dropout": 0.2}
LAYERS = [
    ("RNN", {"layer_norm": True}),
    ("LSTM", STACK | ROWS | {"peephole": True, "coupled": True}),
    ("LSTM", {"proj_size": 3}),
    ("GRU", ROWS | {"reset": "before"}),
    ("GRU", {"update": "replace", "checkpoint_steps": 1}),
    ("MinGRU", STACK),
    ("MinLSTM", {"zoneout": 0.3}),
]


@pytest.mark.parametrize(
    ("kind", "options", "forced", "lengths"),
    [
        *((kind, options, "reference", [1, 2]) for kind, options in LAYERS),
        ("RNN", {"bidirectional": True}, "torch", [1, 2]),
        ("GRU", {"update": "replace"}, "torch", [1, 2]),
        ("LSTM", {"proj_size": 3}, "torch", None),  # ragged rows are packed, for which torch reads their lengths
    ],
)
def test_everything_stays_on_the_device_of_the_weights(kind, options, forced, lengths):
    layer = getattr(nn, kind)(6, 6, **options, device="meta")
    x = torch.empty(2, 2, 6, device="meta", requires_grad=True)
    with force(forced):
        output, state = layer(x, lengths=lengths)
    assert layer.kernel == forced
    parts = [output, *(state if isinstance(state, tuple) else (state,))]
    gradients = torch.autograd.grad([part.sum() for part in parts], [x, *layer.parameters()])
    assert {each.device.type for each in (*parts, *gradients)} == {"meta"}


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU", "MinGRU", "MinLSTM"])
def test_a_stream_on_a_gpu_takes_and_gives_arrays(kind):
    layer = getattr(nn, kind)(3, 4).eval()
    x = torch.randn(5, 1, 3)
    expected = layer(x)[0]
    session = layer.cuda().session()
    found = [torch.from_numpy(session(step.numpy())) for step in x]
    assert torch.allclose(torch.stack(found), expected.detach(), atol=1e-5)
