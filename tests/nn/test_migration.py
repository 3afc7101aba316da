"""From torch.nn and back, whole models, and between the GRU's readings."""

from __future__ import annotations

import pytest
import torch
from conformance import assert_close, assert_same, gradients
from torch import nn

from gatewise.errors import ConversionError, OptionError
from gatewise.kernels.dispatch import force
from gatewise.nn import GRU, LSTM, RNN, MinGRU, Recurrent, convert, convert_gru, from_torch, to_torch

TORCH_LAYERS = [
    lambda: nn.RNN(3, 4, 2, nonlinearity="relu", bidirectional=True, dtype=torch.float64),
    lambda: nn.LSTM(3, 4, 2, proj_size=2, batch_first=True, dtype=torch.float64),
    lambda: nn.LSTM(3, 4, bias=False, dtype=torch.float64),
    lambda: nn.GRU(3, 4, 3, dropout=0.5, bidirectional=True, dtype=torch.float64).eval(),
]


@pytest.mark.parametrize("build", TORCH_LAYERS, ids=["rnn", "lstm-proj", "lstm-no-bias", "gru"])
def test_there_and_back_again(build):
    theirs = build()
    mine = from_torch(theirs)
    assert mine.training == theirs.training
    x = torch.randn(5, 2, 3, dtype=torch.float64)
    expected = gradients(theirs, x)
    with force("torch"):
        assert_same(gradients(mine, x), expected)
    back = to_torch(mine)
    assert repr(back) == repr(theirs)
    assert_same(gradients(back, x), expected, 0.0)
    assert mine.weight_ih_l0 is not theirs.weight_ih_l0


@pytest.mark.parametrize(
    "build, reason",
    [
        (lambda: nn.GRUCell(3, 4), "single step"),
        (lambda: nn.Linear(3, 4), "not torch.nn.RNN, LSTM or GRU"),
        (lambda: type("Mine", (nn.GRU,), {})(3, 4), "subclass"),
        (lambda: nn.GRU(3, 4, 2, dropout=1.0), "dropout=1"),
        (lambda: nn.utils.parametrizations.weight_norm(nn.GRU(3, 4), "weight_hh_l0"), "parametrized"),
    ],
    ids=["cell", "linear", "subclass", "dropout", "parametrized"],
)
def test_what_has_no_exact_layer_says_why(build, reason):
    with pytest.raises(ConversionError, match=reason):
        from_torch(build())


def test_hooks_are_not_lost_silently():
    module = nn.GRU(3, 4)
    module.register_forward_hook(lambda *_: None)
    with pytest.raises(ConversionError, match="forward hooks"):
        from_torch(module)


@pytest.mark.parametrize(
    "layer, reasons",
    [
        (GRU(3, 4, reset="before"), ["resets after"]),
        (LSTM(3, 4, peephole=True, coupled=True), ["no coupled", "no peephole"]),
        (GRU(3, [4, 5]), ["one width"]),
        (
            GRU(3, 4, 2, layer_norm=True, residual=True, learned_initial_state=True),
            ["layer_norm", "residual", "learned"],
        ),
        (RNN(3, 4, zoneout=0.1), ["zoneout"]),
        (
            RNN(3, 4, weight_dropout=0.1, recurrent_dropout=0.1),
            ["recurrent_dropout", "weight_dropout", "inference=True"],
        ),
        (MinGRU(3, 4), ["no mingru"]),
    ],
)
def test_to_torch_names_every_reason(layer, reasons):
    with pytest.raises(ConversionError) as caught:
        to_torch(layer)
    for reason in reasons:
        assert reason in str(caught.value)


def test_inference_leaves_training_only_dropouts_out():
    layer = GRU(3, 4, recurrent_dropout=0.5, weight_dropout=0.5, update="replace").eval()
    x = torch.randn(5, 2, 3)
    assert_close(to_torch(layer, inference=True)(x)[0], layer(x)[0], "output", 1e-5)


class Tagger(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 6)
        self.encoder = nn.Sequential(nn.LSTM(6, 5, bidirectional=True, batch_first=True))
        self.shared = nn.ModuleList([nn.GRU(10, 4, batch_first=True)])
        self.shared.append(self.shared[0])
        self.odd = nn.GRUCell(4, 4)
        self.head = nn.Linear(4, 3)

    def forward(self, tokens):
        x, _ = self.encoder(self.embed(tokens))
        x, state = self.shared[0](x)
        return self.head(self.odd(x[:, -1], state[0]))


def test_a_whole_model_is_converted_in_place():
    model = Tagger()
    tokens = torch.randint(20, (3, 7))
    expected, before = model(tokens), {name: id(each) for name, each in model.named_parameters()}
    weights = model.state_dict()
    report = convert(model)
    assert report.swapped == ("encoder.0", "shared.0", "shared.1")
    assert [name for name, _ in report.kept] == ["odd"]
    assert "single step" in str(report)
    assert model.shared[0] is model.shared[1] and isinstance(model.shared[0], GRU)
    assert {name: id(each) for name, each in model.named_parameters()} == before
    assert list(model.state_dict()) == list(weights)
    model.load_state_dict(weights)
    assert_close(model(tokens), expected, "output", 1e-5)
    assert convert(model).swapped == ()


def test_a_bare_layer_cannot_be_swapped_in_place():
    report = convert(nn.GRU(3, 4))
    assert report.swapped == ()
    assert "from_torch" in report.kept[0][1]
    assert str(convert(nn.Linear(1, 1))) == "no recurrent layers"


@pytest.mark.parametrize("options", [{}, {"layer_norm": True}, {"bias": False}], ids=["plain", "norm", "no-bias"])
@pytest.mark.parametrize("reset", ["after", "before"])
def test_update_conversion_is_exact(options, reset):
    torch.manual_seed(0)
    layer = GRU(3, 4, 2, bidirectional=True, reset=reset, dtype=torch.float64, **options)
    other = convert_gru(layer, update="replace")
    assert other.update == "replace" and layer.update == "keep"
    x = torch.randn(6, 2, 3, dtype=torch.float64)
    assert_close(other(x)[0], layer(x)[0], "output")
    assert_close(convert_gru(other, update="keep")(x)[0], layer(x)[0], "back again")


def diagonal(layer: GRU) -> None:
    size = layer.widths[0]
    with torch.no_grad():
        layer.weight_hh_l0[2 * size :] = torch.diag(torch.randn(size))


def constant(layer: GRU) -> None:
    size = layer.widths[0]
    with torch.no_grad():
        layer.weight_hh_l0[:size] = 0.0
        layer.weight_ih_l0[:size] = 0.0


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape, size", [(diagonal, 4), (constant, 4), (diagonal, 1)])
@pytest.mark.parametrize("source, target", [("after", "before"), ("before", "after")])
def test_reset_conversion_is_exact_where_it_claims_to_be(source, target, shape, size, bias):
    torch.manual_seed(0)
    layer = GRU(3, size, reset=source, bias=bias, dtype=torch.float64)
    shape(layer)
    if bias and source == "after" and shape is diagonal:
        with pytest.raises(ConversionError, match="b_hn"):
            convert_gru(layer, reset=target)
        with torch.no_grad():
            layer.bias_hh_l0[2 * size :] = 0.0
    other = convert_gru(layer, reset=target, update="replace")
    x, hidden = torch.randn(6, 2, 3, dtype=torch.float64), torch.randn(1, 2, size, dtype=torch.float64)
    assert_close(other(x, hidden)[0], layer(x, hidden)[0], "output")


@pytest.mark.parametrize("source, target", [("after", "before"), ("before", "after")])
def test_reset_conversion_refuses_what_is_not_exact(source, target):
    with pytest.raises(ConversionError, match="mixes units"):
        convert_gru(GRU(3, 4, reset=source), reset=target)
    with pytest.raises(ConversionError, match="layer normalisation"):
        convert_gru(GRU(3, 4, reset=source, layer_norm=True), reset=target)
    with pytest.raises(OptionError, match="takes a GRU"):
        convert_gru(Recurrent("lstm", 3, 4), reset=target)
