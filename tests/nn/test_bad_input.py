"""Every refusal names the argument, expected with axis letters, got, and the fix."""

from __future__ import annotations

import pytest
import torch

from gatewise.errors import ConversionError, DataError, KernelError, OptionError, ShapeError
from gatewise.kernels.dispatch import Request, choose, force
from gatewise.nn import (
    GRU,
    LSTM,
    RNN,
    Cell,
    MinGRU,
    MinLSTM,
    Recurrent,
    batch_states,
    cell,
    cell_class,
    from_keras,
    from_onnx,
    load_layer,
    load_state,
    load_weights,
    register_cell,
    save_layer,
    save_state,
    to_keras,
    to_onnx,
    unbatch_state,
)

X = torch.zeros(5, 3, 10)


def gru(**options):
    return GRU(10, 20, 2, **options)


RUNS = [
    (
        "rank 4",
        lambda: gru()(X[None]),
        ShapeError,
        "GRU: x has 4 axes",
        "(T, B, I) or unbatched (T, I)",
        "(1, 5, 3, 10)",
    ),
    ("rank 1", lambda: gru()(X[0, 0]), ShapeError, "x has 1 axes", "(T, B, I)", "unsqueeze"),
    ("batch first", lambda: gru(batch_first=True)(X[0, 0]), ShapeError, "x has 1 axes", "(B, T, I)"),
    (
        "features",
        lambda: gru()(torch.zeros(5, 3, 9)),
        ShapeError,
        "feature axis I",
        "I = 10",
        "(5, 3, 9)",
        "input_size=9",
    ),
    ("feature axis elsewhere", lambda: gru()(torch.zeros(5, 10, 3)), ShapeError, "feature axis I", "movedim"),
    ("not a tensor", lambda: gru()([[1.0]]), ShapeError, "x is not a tensor", "list", "torch.as_tensor"),
    ("integers", lambda: gru()(X.long()), ShapeError, "another dtype", "torch.float32", "torch.int64", ".to("),
    ("double", lambda: gru()(X.double()), ShapeError, "x has another dtype", "torch.float64", "layer.to("),
    ("device", lambda: gru()(X.to("meta")), ShapeError, "x is on another device", "cpu", "meta", ".to('cpu')"),
    ("lengths too long", lambda: gru()(X, lengths=[5, 6, 1]), ShapeError, "lengths[1]", "T = 5", "got: 6", "clamp"),
    ("length zero", lambda: gru()(X, lengths=[5, 0, 1]), ShapeError, "lengths[1] is not positive", "got: 0"),
    ("length negative", lambda: gru()(X, lengths=[-2, 1, 1]), ShapeError, "lengths[0] is not positive", "got: -2"),
    ("lengths float", lambda: gru()(X, lengths=torch.ones(3)), ShapeError, "must be integers", "torch.float32"),
    ("lengths list of floats", lambda: gru()(X, lengths=[1.5, 2, 3]), ShapeError, "must be integers"),
    ("lengths mask", lambda: gru()(X, lengths=torch.ones(3).bool()), ShapeError, "must be integers", "mask.sum"),
    ("lengths count", lambda: gru()(X, lengths=[5, 5]), ShapeError, "one entry per row", "(B,) with B = 3", "(2,)"),
    ("lengths rank", lambda: gru()(X, lengths=[[5, 5, 5]]), ShapeError, "one entry per row", "(1, 3)"),
    ("lengths text", lambda: gru()(X, lengths="555"), ShapeError, "lengths is not a list of integers", "str"),
    ("lengths unbatched", lambda: gru()(X[:, 0], lengths=[5]), ShapeError, "unbatched x has one length", "x[:length]"),
    (
        "lengths with packing",
        lambda: gru()(torch.nn.utils.rnn.pack_sequence([X[:, 0]]), lengths=[5]),
        ShapeError,
        "carries its own lengths",
        "omit lengths",
    ),
    ("hx layers", lambda: gru()(X, torch.zeros(1, 3, 20)), ShapeError, "hx", "(L*D, B, H) = (2, 3, 20)", "(1, 3, 20)"),
    ("hx batch", lambda: gru()(X, torch.zeros(2, 4, 20)), ShapeError, "(2, 3, 20)", "initial_state"),
    ("hx unbatched", lambda: gru()(X, torch.zeros(2, 20)), ShapeError, "(2, 20)", "needs a batch axis B"),
    ("hx batched", lambda: gru()(X[:, 0], torch.zeros(2, 1, 20)), ShapeError, "(L*D, H)", "x is unbatched"),
    ("hx tuple for GRU", lambda: gru()(X, (torch.zeros(2, 3, 20),) * 2), ShapeError, "GRU: hx", "got: tuple"),
    ("hx dtype", lambda: gru()(X, torch.zeros(2, 3, 20).double()), ShapeError, "hx has another dtype"),
    ("hx device", lambda: gru()(X, torch.zeros(2, 3, 20, device="meta")), ShapeError, "hx is on another device"),
    ("hx of LSTM", lambda: LSTM(10, 20)(X, X), ShapeError, "one tensor per state", "(hidden, cell)"),
    ("hx of LSTM, three", lambda: LSTM(10, 20)(X, (X, X, X)), ShapeError, "one tensor per state", "3 parts"),
    (
        "cell state",
        lambda: LSTM(10, 20)(X, (torch.zeros(1, 3, 20), torch.zeros(1, 3, 9))),
        ShapeError,
        "hx[1] (cell)",
        "(1, 3, 20)",
        "(1, 3, 9)",
    ),
    ("hx of widths", lambda: GRU(10, [20, 8])(X, X), ShapeError, "one tensor per layer", "2 tensors"),
    (
        "hx of widths, shape",
        lambda: GRU(10, [20, 8])(X, (torch.zeros(1, 3, 20),) * 2),
        ShapeError,
        "hx[1]",
        "(D, B, H) = (1, 3, 8)",
    ),
    ("step rank", lambda: gru().step(X), ShapeError, "x has 3 axes", "(B, I) or unbatched (I,)"),
    ("step both ways", lambda: gru(bidirectional=True).step(X[0]), OptionError, "end of the sequence", "bidirectional"),
    ("step masks", lambda: gru(recurrent_dropout=0.5).step(X[0]), OptionError, "per sequence", "eval()"),
    ("trace packed", lambda: gru().trace(torch.nn.utils.rnn.pack_sequence([X[:, 0]])), ShapeError, "padded tensor"),
    ("trace place", lambda: gru().trace(X)[2, "forward"], OptionError, "(1, 'forward')", "(2, 'forward')"),
    ("initial batch", lambda: gru().initial_state(0), OptionError, "batch", "got: 0"),
]

BUILDS = [
    ("input size", lambda: GRU(0, 1), OptionError, "GRU: input_size", "1 or more", "got: 0"),
    ("input size float", lambda: GRU(1.5, 1), OptionError, "input_size", "got: 1.5"),
    ("hidden size", lambda: LSTM(1, -1), OptionError, "LSTM: hidden_size", "got: -1"),
    ("hidden size bool", lambda: LSTM(1, True), OptionError, "hidden_size", "got: True"),
    ("hidden size text", lambda: LSTM(1, "4"), OptionError, "hidden_size", "one per layer"),
    ("hidden sizes", lambda: LSTM(1, [4, 0]), OptionError, "hidden_size[1]", "got: 0"),
    (
        "widths and layers",
        lambda: GRU(1, [4, 3], 3),
        OptionError,
        "2 widths but num_layers is 3",
        "omit num_layers",
    ),
    ("layers", lambda: GRU(1, 1, 0), OptionError, "num_layers", "got: 0"),
    ("bias", lambda: GRU(1, 1, 1, 0.5), OptionError, "bias must be True or False", "by keyword"),
    ("dropout one", lambda: GRU(1, 1, 2, dropout=1.0), OptionError, "dropout", "0 <= p < 1", "got: 1.0"),
    ("dropout negative", lambda: GRU(1, 1, 2, dropout=-0.1), OptionError, "dropout", "got: -0.1"),
    ("dropout NaN", lambda: GRU(1, 1, 2, dropout=float("nan")), OptionError, "dropout", "got: nan"),
    ("zoneout", lambda: GRU(1, 1, zoneout=2), OptionError, "zoneout", "0 <= p < 1"),
    ("zoneout count", lambda: GRU(1, 1, zoneout=(0.1, 0.1)), OptionError, "one per state", "1 for (hidden)"),
    ("zoneout of cell", lambda: LSTM(1, 1, zoneout=(0.1, 1.0)), OptionError, "zoneout of cell", "got: 1.0"),
    ("recurrent dropout", lambda: GRU(1, 1, recurrent_dropout=1), OptionError, "recurrent_dropout", "got: 1"),
    ("weight dropout", lambda: GRU(1, 1, weight_dropout=True), OptionError, "weight_dropout", "got: True"),
    ("projection", lambda: LSTM(1, 4, proj_size=4), OptionError, "proj_size P", "from 0 to 3", "got: 4"),
    ("negative projection", lambda: LSTM(1, 4, proj_size=-1), OptionError, "proj_size P", "got: -1"),
    ("nonlinearity", lambda: RNN(1, 4, nonlinearity="rleu"), OptionError, "'tanh' or 'relu'", "did you mean 'relu'?"),
    ("reset", lambda: GRU(1, 4, reset="befor"), OptionError, "reset", "did you mean 'before'?"),
    ("update", lambda: GRU(1, 4, update="add"), OptionError, "'keep' or 'replace'", "got: 'add'"),
    ("residual alone", lambda: GRU(1, 4, residual=True), OptionError, "residual", "two or more layers of one width"),
    ("residual widths", lambda: GRU(1, [4, 3], residual=True), OptionError, "residual", "hidden_size=(4, 3)"),
    ("checkpoint", lambda: GRU(1, 4, checkpoint_steps=0), OptionError, "checkpoint_steps", "got: 0"),
    ("norm of MinGRU", lambda: MinGRU(1, 4, layer_norm=True), OptionError, "layer_norm has no meaning", "W_hh h"),
    ("mask of MinLSTM", lambda: MinLSTM(1, 4, recurrent_dropout=0.1), OptionError, "recurrent_dropout", "W_hh h"),
    ("weights of MinGRU", lambda: MinGRU(1, 4, weight_dropout=0.1), OptionError, "weight_dropout", "W_hh h"),
    ("cell", lambda: Recurrent("gur", 1, 4), OptionError, "no cell is named 'gur'", "did you mean 'gru'?"),
    ("taken name", lambda: register_cell("gru")(cell_class("lstm")), OptionError, "'gru' is registered already"),
    ("no gates", lambda: register_cell("empty")(type("Empty", (Cell,), {})), OptionError, "needs gates and states"),
    ("no step", lambda: register_cell("x")(type("Empty", (Cell,), {"gates": ("g",)})), OptionError, "has no step"),
    ("no cell", lambda: register_cell("x")(type("Bare", (), {})), OptionError, "derived from gatewise.nn.Cell", "Bare"),
    ("name", lambda: register_cell("a,b")(cell_class("lstm")), OptionError, "cannot be named 'a,b'", "without a comma"),
    ("kernel", lambda: forced_choice("sse9"), KernelError, "names no kernel", "'sse9'", "use one of"),
    ("keras of MinGRU", lambda: to_keras(MinGRU(1, 2)), ConversionError, "Keras has no mingru"),
    ("keras peephole", lambda: to_keras(LSTM(1, 2, peephole=True)), ConversionError, "Keras's lstm has no peephole"),
    ("keras depth", lambda: to_keras(LSTM(1, 2), 1), OptionError, "no such layer", "from 0 to 0"),
    ("keras direction", lambda: to_keras(LSTM(1, 2), 0, True), OptionError, "no backward direction"),
    ("keras shape", lambda: from_keras(LSTM(1, 2), to_keras(GRU(1, 2))), ShapeError, "weight_ih", "(1, 8)", "(1, 6)"),
    (
        "keras reset",
        lambda: from_keras(GRU(1, 2, reset="before"), to_keras(GRU(1, 2))),
        ConversionError,
        "reset_after",
        'reset="after"',
    ),
    ("onnx norm", lambda: to_onnx(GRU(1, 2, layer_norm=True)), ConversionError, "ONNX's gru has no layer_norm"),
    (
        "onnx shape",
        lambda: from_onnx(GRU(1, 2), {"W": X.numpy(), "R": X.numpy()}),
        ShapeError,
        "W (D, G*H, I)",
        "(5, 3, 10)",
    ),
    ("no states", lambda: batch_states([]), ShapeError, "at least one state"),
    ("unlike states", lambda: batch_states([X, X[0]]), ShapeError, "states[1]", "(5, 3, 10)"),
    ("bare state", lambda: unbatch_state(X[0]), ShapeError, "no batch axis", "(L*D, B, H)"),
]


def forced_choice(name):
    with force(name):
        return choose(Request("gru", "cpu", torch.float32, 1, 1, 1, 1))


@pytest.mark.parametrize(
    "call, kind, parts", [pytest.param(row[1], row[2], row[3:], id=row[0]) for row in (*RUNS, *BUILDS)]
)
def test_refusal_says_what_was_wrong(call, kind, parts):
    with pytest.raises(kind) as caught:
        call()
    for part in parts:
        assert part in str(caught.value)


def test_unknown_keyword_is_pythons_own_error():
    with pytest.raises(TypeError, match=r"gatewise\.nn\.\w+ has no option 'zonout'; .*did you mean 'zoneout'"):
        GRU(1, 2, zonout=0.1)


def test_dropout_with_one_layer_warns_where_it_was_written():
    with pytest.warns(UserWarning, match="num_layers=1") as caught:
        GRU(1, 2, dropout=0.5)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    "saved, target, parts",
    [
        (lambda: LSTM(2, 3), lambda: GRU(2, 3), ("weights of an LSTM (4 gates)", "GRU (3 gates)", "(9, 2)", "(12, 2)")),
        (lambda: GRU(2, 4), lambda: GRU(2, 3), ("hidden_size H", "expected: 3", "got: 4")),
        (lambda: GRU(5, 3), lambda: GRU(2, 3), ("input_size I", "expected: 2", "got: 5")),
        (lambda: GRU(2, 3, 2), lambda: GRU(2, 3), ("num_layers L", "expected: 1", "got: 2")),
        (lambda: GRU(2, 3, bidirectional=True), lambda: GRU(2, 3), ("directions D", "expected: 1", "got: 2")),
        (lambda: GRU(2, 3, bias=False), lambda: GRU(2, 3), ("other options", "missing: bias_hh_l0, bias_ih_l0")),
        (lambda: GRU(2, 3, layer_norm=True), lambda: GRU(2, 3), ("other options", "layer_norm_hh_l0")),
    ],
    ids=["cell", "hidden", "input", "layers", "directions", "bias", "options"],
)
def test_weights_of_another_layer(saved, target, parts, tmp_path):
    source, layer = saved(), target()
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    path = save_layer(source, tmp_path / "weights.safetensors")
    with pytest.raises(ShapeError) as from_file:
        load_weights(layer, path)
    for part in parts:
        assert part in str(from_file.value)
    assert "weights.safetensors" in str(from_file.value)
    assert all(torch.equal(value, before[name]) for name, value in layer.state_dict().items())
    with pytest.raises(RuntimeError) as from_dict:
        torch.nn.Sequential(layer).load_state_dict({f"0.{name}": value for name, value in source.state_dict().items()})
    if "size mismatch" in str(from_dict.value):
        assert all(part in str(from_dict.value) for part in parts)
    else:
        assert "key(s) in state_dict" in str(from_dict.value)


def test_state_dict_is_strict_as_in_torch():
    layer = GRU(2, 3)
    weights = layer.state_dict()
    weights["weight_xx_l0"] = torch.zeros(1)
    with pytest.raises(RuntimeError, match="weight_xx_l0"):
        layer.load_state_dict(weights)
    del weights["weight_xx_l0"], weights["bias_hh_l0"]
    with pytest.raises(RuntimeError, match="bias_hh_l0"):
        layer.load_state_dict(weights)
    assert layer.load_state_dict(weights, strict=False).missing_keys == ["bias_hh_l0"]


def test_files_that_hold_something_else(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("not a tensor")
    state = save_state(torch.zeros(1, 2, 3), tmp_path / "state.safetensors")
    for load in (load_layer, load_state):
        with pytest.raises(DataError, match="cannot be read as"):
            load(text)
        with pytest.raises(DataError, match="No such file"):
            load(tmp_path / "absent")
    with pytest.raises(DataError, match="holds weights but no layer"):
        load_layer(state)
    with pytest.raises(DataError, match="is not a saved state"):
        load_state(save_layer(GRU(2, 3), tmp_path / "layer.safetensors"))
    with pytest.raises(ShapeError, match="not a recurrent layer's weights"):
        load_weights(GRU(2, 3), state)


def test_supported_options_have_to_be_named_by_an_own_cell():
    class Bare(Cell):
        gates = ("candidate",)

        def step(self, gates_x, state, weights, recurrent_mask=None):
            return {"candidate": gates_x, "hidden": torch.tanh(gates_x + self.recurrent(state[0], weights))}

    register_cell("bare_for_refusal")(Bare)
    try:
        for option in ({"layer_norm": True}, {"recurrent_dropout": 0.1}):
            with pytest.raises(OptionError, match=r"in Bare\.supports"):
                Recurrent("bare_for_refusal", 2, 3, **option)
        assert Recurrent("bare_for_refusal", 2, 3, weight_dropout=0.1, zoneout=0.1)(X[..., :2])[0].shape == (5, 3, 3)
    finally:
        cell._REGISTRY.pop("bare_for_refusal")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (lambda gates: {"candidate": gates}, r"does not return the state 'hidden'.*got: candidate"),
        (
            lambda gates: {"hidden": torch.cat([gates, gates], -1)},
            r"in another shape; expected: \(3, 4\).*got: \(3, 8\)",
        ),
        (lambda gates: gates, r"returns no dictionary.*got: Tensor"),
    ],
)
def test_a_step_that_breaks_the_rules_is_named(given, message):
    class Broken(Cell):
        gates = ("candidate",)

        def step(self, gates_x, state, weights, recurrent_mask=None):
            return given(gates_x)

    register_cell("broken_for_refusal")(Broken)
    try:
        for options in ({}, {"bidirectional": True}):
            with pytest.raises(ShapeError, match=message):
                Recurrent("broken_for_refusal", 10, 4, **options)(X)
        with pytest.raises(ShapeError, match=message):
            layer = Recurrent("broken_for_refusal", 10, 4)
            layer.step(X[0], layer.initial_state(3))
    finally:
        cell._REGISTRY.pop("broken_for_refusal")
