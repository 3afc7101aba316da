"""``nn.frozen``: the same bits from weights that are packed once, and no change of them goes unnoticed."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from gatewise import nn
from gatewise.errors import KernelError, OptionError
from gatewise.kernels import dispatch
from gatewise.kernels.fused import packed as packed_module
from gatewise.kernels.fused.library import load

compiled = pytest.mark.skipif(load()[0] is None, reason="no compiled kernels")
KINDS = [nn.RNN, nn.GRU, nn.LSTM]


def flat(result):
    output, state = result
    return [output, *(state if isinstance(state, tuple) else (state,))]


def same(first, second):
    return all(
        torch.equal(one, two) and one.stride() == two.stride()
        for one, two in zip(flat(first), flat(second), strict=True)
    )


def held(layer):
    """The packed weights that the next call would use, or None."""
    return layer._frozen.current(layer._prepared.stack, layer._parameters)


@compiled
@pytest.mark.parametrize("kind", [*KINDS, nn.MinGRU])
@pytest.mark.parametrize(
    "options",
    [{}, {"num_layers": 2, "bidirectional": True}, {"batch_first": True, "bias": False}],
    ids=["plain", "two layers, both directions", "batch first"],
)
@pytest.mark.parametrize("threads", [1, 2])
def test_same_bits_inside_as_outside(kind, options, threads):
    layer, before = kind(7, 19, **options).eval(), torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.no_grad():
            for shape in ((1, 1, 7), (5, 3, 7), (4, 7), (9, 9, 7)):
                x = torch.randn(shape)
                lengths = [2, 1, 3][: shape[1]] if shape == (5, 3, 7) and not layer.batch_first else None
                layer(x)
                plain = layer(x, None, lengths)
                onward = layer(x, plain[1], lengths)
                with nn.frozen(layer):
                    for _ in range(3):
                        assert same(layer(x, None, lengths), plain) and same(layer(x, plain[1], lengths), onward)
                    assert (held(layer) is None) == (kind is nn.MinGRU), "a scan has nothing to keep"
    finally:
        torch.set_num_threads(before)


@compiled
@pytest.mark.parametrize("kind", KINDS)
def test_readings_and_options_of_a_cell(kind):
    options = [{"reset": "before"}, {"update": "replace"}] if kind is nn.GRU else [{"bias": False}]
    for each in options:
        layer, x = kind(5, 21, **each).eval(), torch.randn(4, 2, 5)
        with torch.no_grad():
            plain = layer(x)
            with nn.frozen(layer):
                assert all(same(layer(x), plain) for _ in range(3))


@compiled
def test_packed_weights_are_what_runs():
    """Weights written past torch's books are not read: so the packed ones were."""
    layer, x = nn.GRU(3, 5), torch.randn(4, 2, 3)
    with torch.no_grad(), pytest.raises(KernelError, match=r"changed inside nn\.frozen"), nn.frozen(layer):
        plain = layer(x), layer(x)
        layer.weight_hh_l0.data.mul_(0.5)
        assert same(layer(x), plain[0])
    with torch.no_grad():
        assert not same(layer(x), plain[0])


@compiled
def test_changes_that_torch_sees_are_seen():
    layer, x = nn.GRU(3, 5, 2), torch.randn(3, 2, 3)
    optimizer = torch.optim.SGD(layer.parameters(), 0.5)

    def train():
        with torch.enable_grad():
            layer(x)[0].sum().backward()
        optimizer.step()

    changes = {
        "in place": lambda: layer.weight_hh_l1.mul_(0.5),
        "other data": lambda: setattr(layer.bias_ih_l0, "data", torch.randn(15)),
        "other parameter": lambda: setattr(layer, "weight_ih_l0", torch.nn.Parameter(torch.randn(15, 3))),
        "loaded": lambda: layer.load_state_dict(nn.GRU(3, 5, 2).state_dict()),
        "trained": train,
    }
    with torch.no_grad(), nn.frozen(layer):
        for name, change in changes.items():
            layer(x), layer(x)
            before = layer(x)
            assert held(layer) is not None
            change()
            assert held(layer) is None, name
            expected = copy.deepcopy(layer)(x)
            assert same(layer(x), expected) and same(layer(x), expected) and not same(before, expected), name
            assert held(layer) is not None


@compiled
@pytest.mark.parametrize("write", ["data", "numpy"])
def test_changes_that_torch_does_not_see_end_in_an_error(write):
    layer, x = nn.LSTM(3, 5), torch.randn(3, 2, 3)
    shared = layer.weight_ih_l0.detach().numpy()
    with torch.inference_mode(), pytest.raises(KernelError, match="torch does not see"), nn.frozen(layer):
        layer(x), layer(x)
        if write == "data":
            layer.weight_ih_l0.data[0, 0] += 1.0
        else:
            shared[0, 0] += 1.0
    assert layer._frozen is None
    with torch.inference_mode():
        assert same(layer(x), copy.deepcopy(layer)(x)), "outside every call reads its weights"


@compiled
def test_changes_that_torch_sees_are_seen_also_in_the_strides():
    """The transpose of a square weight has the same address, version and shape."""
    layer, x = nn.RNN(5, 5), torch.randn(3, 2, 5)
    with torch.no_grad(), nn.frozen(layer):
        before = [layer(x) for _ in range(3)][-1]
        layer.weight_hh_l0.data = layer.weight_hh_l0.data.t()
        assert held(layer) is None
        layer.weight_hh_l0.data = layer.weight_hh_l0.data.t()
        assert held(layer) is not None
        layer.weight_hh_l0.data = layer.weight_hh_l0.data.t()
        with dispatch.force("reference"):
            expected = layer(x)
        got = layer(x)
        assert torch.allclose(got[0], expected[0], atol=1e-6) and not torch.allclose(got[0], before[0], atol=1e-3)


@compiled
@pytest.mark.parametrize("seen", ["in place", "other data"])
def test_a_write_that_torch_does_not_see_is_remembered_when_the_layer_packs_again(seen):
    layer, x = nn.GRU(3, 5), torch.randn(3, 2, 3)
    with (
        torch.no_grad(),
        pytest.raises(KernelError, match=r"got: weight_hh_l0: a write through \.data"),
        nn.frozen(layer),
    ):
        layer(x), layer(x)
        layer.weight_hh_l0.data.mul_(2.0)
        layer(x)  # with the former weights
        if seen == "in place":
            layer.bias_ih_l0.add_(1.0)
        else:
            layer.weight_ih_l0.data = torch.randn(15, 3)
        assert same(layer(x), copy.deepcopy(layer)(x)), "packed again, with what was written"


@compiled
def test_what_torch_sees_is_no_broken_promise():
    """Weights may be changed, and their former memory be used for something else: a running average changes places."""
    layer, x = nn.GRU(3, 5), torch.randn(3, 2, 3)
    own = layer.weight_hh_l0.data
    average = own.clone()
    with torch.no_grad(), nn.frozen(layer):
        layer(x)
        assert held(layer) is None, "the first call of all prepares, and the next one packs"
        for _ in range(3):
            for data in (own, average):
                layer.weight_hh_l0.data = data
                assert same(layer(x), copy.deepcopy(layer)(x)) and held(layer) is not None
            layer.weight_hh_l0.data = own
            layer.bias_hh_l0.mul_(0.5)
            average.mul_(0.9)
            layer.load_state_dict(nn.GRU(3, 5).state_dict())


@compiled
def test_an_error_inside_the_block_stays_the_error():
    layer, x = nn.GRU(3, 5), torch.randn(3, 2, 3)
    with pytest.raises(ZeroDivisionError), torch.no_grad(), nn.frozen(layer):
        layer(x), layer(x)
        layer.weight_ih_l0.data.zero_()
        raise ZeroDivisionError
    assert layer._frozen is None


@compiled
def test_gradients_go_the_ordinary_way():
    layer, x = nn.GRU(3, 5), torch.randn(3, 2, 3)
    layer(x)
    expected = torch.autograd.grad(layer(x)[0].sum(), list(layer.parameters()))
    with nn.frozen(layer):
        with torch.no_grad():
            layer(x), layer(x)
        found = torch.autograd.grad(layer(x)[0].sum(), list(layer.parameters()))
        x.requires_grad_()
        layer.requires_grad_(False)
        assert layer(x)[0].requires_grad
        with torch.no_grad():
            assert not layer(x)[0].requires_grad
    assert all(map(torch.equal, expected, found))


@compiled
def test_blocks_may_nest_and_hold_whole_modules():
    module, x = torch.nn.Sequential(nn.GRU(3, 5), torch.nn.Identity()), torch.randn(3, 2, 3)
    layer = module[0]
    with torch.no_grad(), nn.frozen(module):
        with nn.frozen(layer, module):
            module(x), module(x)
        assert held(layer) is not None
    assert layer._frozen is None
    with pytest.raises(OptionError, match="no recurrent layer"), nn.frozen(torch.nn.Linear(2, 2)):
        pass
    with pytest.raises(OptionError, match="takes modules"), nn.frozen(3):
        pass
    with pytest.raises(OptionError, match="precision"), nn.precision(8):
        pass


@compiled
def test_copies_are_not_frozen_and_inference_tensors_are_not_kept():
    layer, x = nn.GRU(3, 5), torch.randn(3, 2, 3)
    with torch.inference_mode():
        other = nn.GRU(3, 5)
        with nn.frozen(layer, other):
            for _ in range(2):
                layer(x), other(x)
            assert held(layer) is not None and held(other) is None, "a tensor without a version cannot be followed"
            for each in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):  # noqa: S301  # its own
                assert each._frozen is None and same(each(x), layer(x))


@compiled
def test_a_freed_weights_address_is_not_mistaken_for_it():
    """The memory of what was packed stays taken, so that no other tensor gets its address at the same version."""
    layer, x = nn.GRU(64, 64), torch.randn(3, 2, 64)
    with torch.no_grad(), nn.frozen(layer):
        layer(x), layer(x)
        seen = {layer.weight_hh_l0.data_ptr()}
        for _ in range(8):
            layer.weight_hh_l0.data = torch.randn(192, 64)
            assert layer.weight_hh_l0.data_ptr() not in seen
            assert same(layer(x), copy.deepcopy(layer)(x))
            seen = {layer.weight_hh_l0.data_ptr()}


@compiled
def test_threads_share_a_frozen_layer(monkeypatch):
    layer = nn.LSTM(3, 32).eval()
    inputs = [torch.randn(6, 2, 3) for _ in range(64)]
    made = []
    real = packed_module.PackedStack.__init__

    def counted(self, *arguments):
        made.append(1)
        real(self, *arguments)

    monkeypatch.setattr(packed_module.PackedStack, "__init__", counted)
    with torch.no_grad():
        layer(inputs[0])
        expected = [copy.deepcopy(layer)(x)[0] for x in inputs]

    def run(x):
        with torch.no_grad():
            return layer(x)[0]

    with nn.frozen(layer), ThreadPoolExecutor(4) as pool:
        assert all(map(torch.equal, pool.map(run, inputs), expected))
    assert 1 <= len(made) <= 4
