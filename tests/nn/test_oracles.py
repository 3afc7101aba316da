"""Independent oracles for the conventions that torch lacks: onnxruntime, and the papers' equations in NumPy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from conformance import assert_close

from gatewise.kernels.dispatch import force
from gatewise.kernels.mingru.reference import scan as mingru_scan
from gatewise.kernels.mingru.reference import step as mingru_step
from gatewise.kernels.minlstm.reference import scan as minlstm_scan
from gatewise.kernels.minlstm.reference import step as minlstm_step
from gatewise.nn import GRU, LSTM, RNN, MinGRU, MinLSTM, from_keras, to_keras, to_onnx


def onnx_run(layer, x, lengths):
    """The layer as one ONNX operator, run by onnxruntime."""
    onnx = pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    weights = to_onnx(layer)
    names = list(weights.tensors)
    helper, floats, ints = onnx.helper, onnx.TensorProto.FLOAT, onnx.TensorProto.INT32
    inputs = ["x", "W", "R", "B", "lengths"]
    if "P" in names:
        inputs += ["", "", "P"]
    outputs = ["y", "y_h", "y_c"] if weights.operator == "LSTM" else ["y", "y_h"]
    node = helper.make_node(weights.operator, inputs, outputs, **weights.attributes)
    graph = helper.make_graph(
        [node],
        "layer",
        [
            helper.make_tensor_value_info("x", floats, list(x.shape)),
            helper.make_tensor_value_info("lengths", ints, [x.shape[1]]),
        ],
        [helper.make_tensor_value_info(name, floats, None) for name in outputs],
        [onnx.numpy_helper.from_array(weights.tensors[name], name) for name in names],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    options = runtime.SessionOptions()
    options.intra_op_num_threads = 1
    session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    y, *final = session.run(None, {"x": x.numpy(), "lengths": lengths.numpy().astype(np.int32)})
    steps, directions, batch, size = y.shape
    return torch.from_numpy(y.transpose(0, 2, 1, 3).reshape(steps, batch, directions * size)), final


LAYERS = [
    *[
        pytest.param(GRU, {"reset": reset, "update": update}, id=f"gru-{reset}-{update}")
        for reset, update in itertools.product(("after", "before"), ("keep", "replace"))
    ],
    pytest.param(RNN, {"nonlinearity": "tanh"}, id="rnn-tanh"),
    pytest.param(RNN, {"nonlinearity": "relu"}, id="rnn-relu"),
    pytest.param(LSTM, {}, id="lstm"),
    pytest.param(LSTM, {"peephole": True}, id="lstm-peephole"),
    pytest.param(LSTM, {"coupled": True}, id="lstm-coupled"),
    pytest.param(LSTM, {"coupled": True, "peephole": True}, id="lstm-coupled-peephole"),
]


@pytest.mark.parametrize("kind, options", LAYERS)
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one-way", "both-ways"])
@pytest.mark.parametrize("bias", [False, True], ids=["no-bias", "bias"])
def test_onnxruntime_agrees(kind, options, bidirectional, bias):
    torch.manual_seed(0)
    layer = kind(5, 6, bidirectional=bidirectional, bias=bias, **options)
    x, lengths = torch.randn(9, 3, 5), torch.tensor([9, 4, 1])
    expected, final = onnx_run(layer, x, lengths)
    with torch.no_grad():
        for implementation in (None, "reference"):
            if implementation is None:
                output, state = layer(x, lengths=lengths)
            else:
                with force(implementation):
                    output, state = layer(x, lengths=lengths)
            assert_close(output, expected, "output", 1e-5)
            states = state if isinstance(state, tuple) else (state,)
            for got, other in zip(states, final, strict=True):
                assert_close(got, torch.from_numpy(other), "state", 1e-5)


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


def keras_gru(x, kernel, recurrent, bias, reset_after):
    """Keras 3's GRU cell, as its source says it: z, r, h; reset_after has two biases."""
    size = recurrent.shape[0]
    h = np.zeros((x.shape[1], size))
    input_bias, recurrent_bias = bias if reset_after else (bias, None)
    for step in x:
        mx = step @ kernel + input_bias
        mh = h @ recurrent + recurrent_bias if reset_after else h @ recurrent[:, : 2 * size]
        z = sigmoid(mx[:, :size] + mh[:, :size])
        r = sigmoid(mx[:, size : 2 * size] + mh[:, size : 2 * size])
        last = r * mh[:, 2 * size :] if reset_after else (r * h) @ recurrent[:, 2 * size :]
        h = z * h + (1 - z) * np.tanh(mx[:, 2 * size :] + last)
    return h


def keras_lstm(x, kernel, recurrent, bias):
    """Keras 3's LSTM cell: i, f, c, o."""
    size = recurrent.shape[0]
    h = c = np.zeros((x.shape[1], size))
    for step in x:
        i, f, g, o = np.split(step @ kernel + h @ recurrent + bias, 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    return h


@pytest.mark.parametrize("reset", ["after", "before"])
@pytest.mark.parametrize("update", ["keep", "replace"])
def test_keras_gru_equations_agree_and_round_trip(reset, update):
    torch.manual_seed(0)
    layer = GRU(3, 4, reset=reset, update=update, dtype=torch.float64)
    x = torch.randn(6, 2, 3, dtype=torch.float64)
    arrays = to_keras(layer)
    expected = keras_gru(x.numpy(), *arrays, reset_after=reset == "after")
    assert_close(layer(x)[1][0].detach(), torch.from_numpy(expected), "hidden")
    twin = GRU(3, 4, reset=reset, update=update, dtype=torch.float64)
    from_keras(twin, arrays)
    assert_close(twin(x)[0], layer(x)[0], "round trip")


def test_keras_lstm_and_rnn_equations_agree():
    torch.manual_seed(0)
    layer = LSTM(3, 4, 2, bidirectional=True, dtype=torch.float64)
    x = torch.randn(6, 2, 3, dtype=torch.float64)
    expected = keras_lstm(x.numpy()[::-1], *to_keras(layer, 0, backward=True))
    assert_close(layer(x)[1][0][1].detach(), torch.from_numpy(expected), "hidden of the backward direction")
    plain = RNN(3, 4, dtype=torch.float64)
    kernel, recurrent, bias = to_keras(plain)
    h = np.zeros((2, 4))
    for step in x.numpy():
        h = np.tanh(step @ kernel + h @ recurrent + bias)
    assert_close(plain(x)[1][0].detach(), torch.from_numpy(h), "hidden")


def paper_g(a):
    return np.where(a >= 0, a + 0.5, sigmoid(a))


@pytest.mark.parametrize("kind", [MinGRU, MinLSTM])
def test_minimal_cells_follow_the_papers_equations(kind):
    torch.manual_seed(0)
    layer = kind(3, 4, dtype=torch.float64)
    x, h = torch.randn(30, 2, 3, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    output, _ = layer(x, h[None])
    h = h.numpy()
    for t, step in enumerate(x.numpy()):
        parts = np.split(
            step @ layer.weight_ih_l0.detach().numpy().T + layer.bias_ih_l0.detach().numpy(),
            (kind is MinLSTM and 3) or 2,
            1,
        )
        if kind is MinGRU:
            z = sigmoid(parts[0])
            h = (1 - z) * h + z * paper_g(parts[1])
        else:
            f, i = sigmoid(parts[0]), sigmoid(parts[1])
            h = f / (f + i) * h + i / (f + i) * paper_g(parts[2])
        assert_close(output[t].detach(), torch.from_numpy(h), f"step {t}")


@pytest.mark.parametrize("scan, step, gates", [(mingru_scan, mingru_step, 2), (minlstm_scan, minlstm_step, 3)])
@pytest.mark.parametrize("scale", [0.1, 1.0, 30.0])
@pytest.mark.parametrize("steps", [1, 2, 3, 1000])
def test_scan_equals_steps_to_the_last_digits(scan, step, gates, scale, steps):
    """In float32 too, for long sequences and saturated gates, with an initial state of any sign."""
    torch.manual_seed(0)
    gates_x = torch.randn(steps, 2, gates * 5, dtype=torch.float64) * scale
    hidden = torch.randn(2, 5, dtype=torch.float64)
    expected, state = [], hidden
    for each in gates_x:
        state = step(each, state)["hidden"]
        expected.append(state)
    assert_close(scan(gates_x, hidden), torch.stack(expected), "float64", 1e-12)
    error = (scan(gates_x.float(), hidden.float()).double() - torch.stack(expected)).abs()
    assert float((error / (torch.stack(expected).abs() + 0.1)).max()) < 1e-4


def test_scan_gradients_are_finite_when_gates_saturate():
    gates_x = torch.tensor([-500.0, 0.0, 500.0]).repeat(4, 1, 2).requires_grad_()
    mingru_scan(gates_x, torch.zeros(1, 3)).sum().backward()
    assert bool(torch.isfinite(gates_x.grad).all())


def paper_norm(a, gain):
    return (a - a.mean(-1, keepdims=True)) / np.sqrt(a.var(-1, keepdims=True) + 1e-5) * gain


def randomised(layer):
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    return layer


def named(layer):
    return {name.removesuffix("_l0"): value.detach().numpy() for name, value in layer.named_parameters()}


def test_layer_norm_rnn_follows_its_equation():
    torch.manual_seed(0)
    layer = randomised(RNN(3, 4, layer_norm=True, dtype=torch.float64))
    w, x, h = named(layer), torch.randn(6, 2, 3, dtype=torch.float64), np.zeros((2, 4))
    for step in x.numpy():
        a = paper_norm(step @ w["weight_ih"].T, w["layer_norm_ih"]) + w["bias_ih"]
        h = np.tanh(a + paper_norm(h @ w["weight_hh"].T, w["layer_norm_hh"]) + w["bias_hh"])
    assert_close(layer(x)[1][0].detach(), torch.from_numpy(h), "hidden")


def test_layer_norm_lstm_follows_its_equation():
    torch.manual_seed(0)
    layer = randomised(LSTM(3, 4, layer_norm=True, dtype=torch.float64))
    w, x = named(layer), torch.randn(6, 2, 3, dtype=torch.float64)
    h = c = np.zeros((2, 4))
    for step in x.numpy():
        a = paper_norm(step @ w["weight_ih"].T, w["layer_norm_ih"]) + w["bias_ih"]
        i, f, g, o = np.split(a + paper_norm(h @ w["weight_hh"].T, w["layer_norm_hh"]) + w["bias_hh"], 4, axis=1)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(paper_norm(c, w["layer_norm_c"]) + w["layer_norm_c_bias"])
    hidden, cell = layer(x)[1]
    assert_close(hidden[0].detach(), torch.from_numpy(h), "hidden")
    assert_close(cell[0].detach(), torch.from_numpy(c), "cell, carried un-normalised")


@pytest.mark.parametrize("reset", ["after", "before"])
def test_layer_norm_gru_follows_its_equation(reset):
    torch.manual_seed(0)
    layer = randomised(GRU(3, 4, layer_norm=True, reset=reset, dtype=torch.float64))
    w, x, h = named(layer), torch.randn(6, 2, 3, dtype=torch.float64), np.zeros((2, 4))
    two, last = slice(0, 8), slice(8, 12)

    def product(v, part, kind):
        return paper_norm(v @ w[f"weight_{kind}"][part].T, w[f"layer_norm_{kind}"][part]) + w[f"bias_{kind}"][part]

    for step in x.numpy():
        r, z = np.split(sigmoid(product(step, two, "ih") + product(h, two, "hh")), 2, axis=1)
        kept = r * product(h, last, "hh") if reset == "after" else product(r * h, last, "hh")
        h = z * h + (1 - z) * np.tanh(product(step, last, "ih") + kept)
    assert_close(layer(x)[1][0].detach(), torch.from_numpy(h), "hidden")


def test_zoneout_lstm_shows_the_new_cell_and_carries_the_zoned_one():
    """h~ = o * tanh(c~) with the un-zoned c~; in evaluation both states are mixed with their old values."""
    torch.manual_seed(0)
    layer = LSTM(3, 4, zoneout=(0.25, 0.5), dtype=torch.float64).eval()
    w, x = named(layer), torch.randn(6, 2, 3, dtype=torch.float64)
    h = c = np.zeros((2, 4))
    for step in x.numpy():
        a = step @ w["weight_ih"].T + w["bias_ih"] + h @ w["weight_hh"].T + w["bias_hh"]
        i, f, g, o = np.split(a, 4, axis=1)
        new = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = 0.25 * h + 0.75 * sigmoid(o) * np.tanh(new)
        c = 0.5 * c + 0.5 * new
    hidden, cell = layer(x)[1]
    assert_close(hidden[0].detach(), torch.from_numpy(h), "hidden")
    assert_close(cell[0].detach(), torch.from_numpy(c), "cell")
