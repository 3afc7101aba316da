"""Calls every compiled entry point over odd sizes and options; run inside a sanitizer by test_sanitize.py.

python sanitizer_driver.py VARIANT
"""

import ctypes
import itertools
import sys

import torch

from gatewise import nn
from gatewise.errors import KernelError
from gatewise.kernels.dispatch import force
from gatewise.kernels.fused import binding
from gatewise.kernels.fused.bf16 import available_products, use_products
from gatewise.kernels.fused.library import require

# T, B, I, H; the last but one has weights beyond a cache, the last more rows than a tile of bfloat16
SIZES = [
    *[(1, 1, 1, 1), (3, 2, 5, 7), (2, 7, 17, 33), (5, 13, 3, 16), (4, 3, 40, 70), (0, 2, 3, 5), (2, 5, 600, 400)],
    (2, 35, 9, 21),
]
OPTIONS = {
    nn.RNN: [{}, {"nonlinearity": "relu"}, {"layer_norm": True, "zoneout": 0.3, "recurrent_dropout": 0.3}],
    nn.LSTM: [{}, {"bias": False}, {"peephole": True}, {"coupled": True}, {"layer_norm": True, "zoneout": 0.3}],
    nn.GRU: [{}, {"reset": "before"}, {"update": "replace"}, {"layer_norm": True, "recurrent_dropout": 0.3}],
    nn.MinGRU: [{}],
    nn.MinLSTM: [{}],
}


def choose_int8(number):
    require().function("gatewise_int8_products", ctypes.c_int32, ctypes.c_int32)(number)


def run_layer(layer, steps, batch, lengths):
    """Inference, training and, where the layer has compiled steps, a stream."""
    x = torch.randn(steps, batch, layer.input_size, requires_grad=True)
    output, _ = layer(x, lengths=lengths)
    if steps > 0:
        (output * output).sum().backward()
    for products in available_products(require())[1:]:
        with use_products(products), nn.precision("bf16"):
            output, _ = layer(x, lengths=lengths)
            if steps > 0:
                (output * output).sum().backward()
    layer.eval()
    with torch.no_grad():
        layer(x, lengths=lengths)
        with nn.precision("bf16"):
            layer(x, lengths=lengths)
        for number in (0, 1, -1):  # pairs, bytes (where the CPU has them), the best
            choose_int8(number)
            with nn.precision("int8"):
                layer(x, lengths=lengths)
        with nn.frozen(layer):
            for precision in ("float32", "int8"):
                with nn.precision(precision):
                    for _ in range(3):
                        layer(x, lengths=lengths)
    if not layer.bidirectional and steps > 0:
        session = layer.session(batch)
        for x_t in x.detach():
            session(x_t)
        session.reset(session.state())
    return layer.kernel or ""


def run_bound():
    """Calls that go through the compiled binding, which a forced kernel does not."""
    bound = 0
    for kind, sizes in itertools.product(OPTIONS, SIZES):
        steps, batch, input_size, hidden_size = sizes
        for options in ({}, {"num_layers": 2, "batch_first": True}):
            layer = kind(input_size, hidden_size, **options).eval()
            x = torch.randn((batch, steps, input_size) if options else (steps, batch, input_size))
            with torch.no_grad():
                _, state = layer(x)
                for hx in (None, state):
                    for given in (x, *x[:1], x.double(), None):
                        plan = layer._prepared.plan if layer._prepared is not None else None
                        bound += plan is not None and binding.infer_or_none(plan, layer, given, hx) is not None
                with nn.frozen(layer):
                    for hx in (None, state, state):
                        layer(x, hx)
    return bound


def main(variant):
    """Run everything; print how many layers ran compiled."""
    torch.manual_seed(0)
    compiled = 0
    with force(variant):
        for kind, sizes in itertools.product(OPTIONS, SIZES):
            steps, batch, input_size, hidden_size = sizes
            for options, threads in itertools.product(OPTIONS[kind], (1, 3)):
                torch.set_num_threads(threads)
                ragged = torch.randint(1, steps + 1, (batch,)) if steps else None
                for lengths in (None, ragged):
                    layer = kind(input_size, hidden_size, bidirectional=threads == 3, **options)
                    try:
                        compiled += variant in run_layer(layer, steps, batch, lengths)
                    except KernelError as error:
                        print(f"not compiled: {error}")
    print(f"compiled: {compiled}, bound: {run_bound()}")


if __name__ == "__main__":
    main(sys.argv[1])
