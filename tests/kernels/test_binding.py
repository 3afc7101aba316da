"""Calls through the compiled binding: the same as through Python, and through Python wherever something differs."""

import copy
import ctypes
import gc
import os
import sys
import sysconfig
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fresh_processes import TORCH, fresh
from gatewise import nn
from gatewise.kernels import building, dispatch
from gatewise.kernels.dispatch import force
from gatewise.kernels.fused import binding, call
from gatewise.kernels.fused.library import load
from gatewise.nn.frozen import Frozen

needs_headers = pytest.mark.skipif(
    building.compiler_command() is None or not (Path(sysconfig.get_path("include")) / "Python.h").exists(),
    reason="no compiler, or no headers of Python",
)
bound = pytest.mark.skipif(
    load()[0] is None or binding.explain_binding() == "not built", reason="no compiled kernels, or no binding"
)
KINDS = [nn.RNN, nn.GRU, nn.LSTM, nn.MinGRU, nn.MinLSTM]


def flat(result):
    output, state = result
    return [output, *(state if isinstance(state, tuple) else (state,))]


def same(first, second):
    return all(
        torch.equal(one, two) and one.stride() == two.stride() and one.is_inference() == two.is_inference()
        for one, two in zip(flat(first), flat(second), strict=True)
    )


def prepared(layer, x):
    with torch.no_grad():
        layer(x)
    return layer


def through_binding(layer, x, hx=None):
    """What the binding makes of a call; None where it leaves it to Python."""
    held = layer._frozen
    packed = None if held is None else held.found(layer._prepared.stack)
    plan = layer._prepared.plan if held is None else packed and packed.plan
    with torch.no_grad():
        return binding.infer_or_none(plan, layer, x, hx)


def through_python(layer, x, hx=None):
    with torch.no_grad():
        return replace(layer._prepared, plan=None)(layer, x, hx)


@bound
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("options", [{}, {"num_layers": 3}, {"batch_first": True, "bias": False}], ids=str)
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_same_bits_strides_and_types_as_through_python(kind, options, mode):
    layer = kind(3, 21, **options)
    for shape in ((1, 1, 3), (4, 2, 3), (5, 3)):
        x = torch.randn(shape)
        prepared(layer, x)
        state = layer(torch.randn(shape))[1]
        state = tuple(each.detach() for each in state) if isinstance(state, tuple) else state.detach()
        for given in (x, torch.nn.Parameter(x), torch.randn(*shape[:-1], 5)[..., 1:4], x.flip(0).transpose(0, 0)):
            for hx in (None, state):
                with mode():
                    expected = through_python(layer, given, hx)
                    found = binding.infer_or_none(layer._prepared.plan, layer, given, hx)
                    assert found is not None and same(found, expected)
                    assert type(found) is type(expected) and type(found[1]) is type(expected[1])
                    assert not any(each.requires_grad for each in flat(found))
                    assert all(each.untyped_storage().resizable() for each in flat(found))


@bound
@pytest.mark.parametrize("kind", KINDS[:3])
def test_packed_weights_too(kind):
    layer, x = kind(3, 21, 2).eval(), torch.randn(4, 2, 3)
    expected = prepared(layer, x)(x)
    with torch.no_grad(), nn.frozen(layer):
        layer(x)
        assert torch.equal(through_binding(layer, x)[0], expected[0])
        changes = {
            "in place": lambda: layer.weight_hh_l1.mul_(0.5),
            "other data": lambda: setattr(layer.bias_ih_l0, "data", torch.randn_like(layer.bias_ih_l0)),
            "other parameter": lambda: setattr(layer, "weight_ih_l0", torch.nn.Parameter(layer.weight_ih_l0 * 2)),
            "transposed": lambda: setattr(layer.weight_ih_l0, "data", layer.weight_ih_l0.data.t().contiguous().t()),
        }
        for name, change in changes.items():
            layer(x), layer(x)
            assert through_binding(layer, x) is not None
            change()
            assert through_binding(layer, x) is None, name
            assert same(layer(x), copy.deepcopy(layer)(x)), name


@bound
def test_whatever_differs_goes_through_python():
    layer, x = nn.LSTM(3, 5, dropout=0.5, num_layers=2).eval(), torch.randn(2, 4, 3)
    prepared(layer, x)
    state = torch.zeros(2, 4, 5)
    assert through_binding(layer, x) is not None and through_binding(layer, x, (state, state)) is not None
    others = [
        None,
        x.double(),
        x.to("meta"),
        x.to_sparse(),
        x[..., :2],
        x[:, :0],
        x[:0],
        x[0, 0],
        torch.randn(2, 3, 4).transpose(1, 2),
        x.as_subclass(type("Mine", (torch.Tensor,), {})),
        torch.nn.utils.rnn.pack_padded_sequence(x, [2, 2, 2, 2]),
    ]
    for other in others:
        assert through_binding(layer, other) is None
    states = [
        state,
        (state,),
        [state, state],
        (state, state.double()),
        (state, torch.zeros(2, 3, 5)),
        (state, torch.zeros(4, 2, 5).transpose(0, 1)),
        (state, None),
    ]
    for other in states:
        assert through_binding(layer, x, other) is None
    assert through_binding(layer, x[:, 0], (state, state)) is None
    with torch.enable_grad():
        assert binding.infer_or_none(layer._prepared.plan, layer, x, None) is None


@bound
@pytest.mark.parametrize("precision", ["int8", "bf16"])
def test_rounded_calls_go_through_the_binding_while_their_precision_is_asked_for(precision):
    layer, x = nn.GRU(7, 20), torch.randn(6, 3, 7)
    with nn.precision(precision), torch.no_grad():
        expected, _ = layer(x)
        if not layer.kernel.endswith(precision):
            pytest.skip(f"no {precision} here")
        assert torch.equal(through_binding(layer, x)[0], expected)
        with nn.frozen(layer):
            for _ in range(3):
                assert torch.equal(layer(x)[0], expected)
            if precision == "int8":
                assert torch.equal(through_binding(layer, x)[0], expected)
        with nn.precision("".join(["int", "8"])):  # an equal name, not the same object
            assert (through_binding(layer, x) is None) == (precision != "int8")
        with nn.precision("float32"):
            assert through_binding(layer, x) is None
        assert through_binding(layer, x) is not None
        with force("reference"):
            assert through_binding(layer, x) is None
    with torch.no_grad():
        assert through_binding(layer, x) is None
        exact, _ = layer(x)
        assert not torch.equal(exact, expected)
        assert torch.equal(through_binding(layer, x)[0], exact)


@bound
def test_options_modes_and_requests_go_through_python(monkeypatch):
    layer, x = nn.GRU(3, 5, dropout=0.5, num_layers=2).eval(), torch.randn(2, 4, 3)
    prepared(layer, x)
    with force("reference"):
        assert through_binding(layer, x) is None
    with force("reference", this_thread=True):
        assert through_binding(layer, x) is None
    with nn.precision("int8"):
        assert through_binding(layer, x) is None
    with torch.autocast("cpu", torch.bfloat16):
        assert through_binding(layer, x) is None
    with torch.overrides.BaseTorchFunctionMode():
        assert through_binding(layer, x) is None
    with torch._subclasses.FakeTensorMode():
        assert through_binding(layer, x) is None
    found = torch.func.vmap(lambda each: torch.as_tensor(through_binding(layer, x) is None))(torch.zeros(2))
    assert bool(found.all())
    for name, value in (("zoneout", (0.5,)), ("training", True), ("batch_first", True), ("_choices", ())):
        with monkeypatch.context() as patch:
            patch.setitem(layer.__dict__, name, value)
            assert through_binding(layer, x) is None, name
    with monkeypatch.context() as patch:
        patch.setenv("GATEWISE_KERNEL", "reference")
        assert through_binding(layer, x) is None
    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", dict(os.environ))
        assert through_binding(layer, x) is None
    with monkeypatch.context() as patch:
        patch.setattr(dispatch, "CANDIDATES", dispatch.CANDIDATES)
        dispatch.CANDIDATES.insert(0, lambda request: (None, "nothing"))
        try:
            assert through_binding(layer, x) is None
        finally:
            del dispatch.CANDIDATES[0]
    with monkeypatch.context() as patch:
        patch.setattr(call, "FORKED", call.FORKED)
        call.FORKED.append(True)
        try:
            assert through_binding(layer, x) is None
        finally:
            call.FORKED.clear()
    assert through_binding(layer, x) is not None


@bound
def test_nothing_leaks_and_nothing_is_freed_too_early():
    layer, x = nn.LSTM(3, 5, 2).eval(), torch.randn(2, 4, 3)
    prepared(layer, x)
    state = torch.zeros(2, 4, 5)
    watched = [x, state, layer.weight_hh_l1, layer._prepared.plan, layer, None]
    before = [sys.getrefcount(each) for each in watched]
    for given in (x, x.double(), "x"):
        for hx in (None, (state, state), 3):
            for _ in range(200):
                through_binding(layer, given, hx)
    after = [sys.getrefcount(each) for each in watched]
    assert all(abs(one - two) < 50 for one, two in zip(before, after, strict=True)), (before, after)
    output, _ = through_binding(layer, x)
    expected = output.clone()
    del layer, watched
    gc.collect()
    assert torch.equal(output, expected)


@bound
def test_other_threads_run_meanwhile_and_disturb_nothing():
    layer, x = nn.GRU(16, 64).eval(), torch.randn(50, 4, 16)
    expected = prepared(layer, x)(x)[0].detach()
    wrong = []

    def work():
        for _ in range(40):
            if not torch.equal(through_binding(layer, x)[0], expected):
                wrong.append(1)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for each in workers:
        each.start()
    for each in workers:
        each.join()
    assert not wrong


@bound
def test_a_struct_of_another_size_is_refused():
    module = binding._load()[0]
    layer = prepared(nn.GRU(3, 5), torch.randn(1, 1, 3))
    place = layer._prepared.stack.places[0]
    address = ctypes.cast(place.forward, ctypes.c_void_p).value
    lends = torch.Tensor.__dlpack_c_exchange_api__
    for known in (b"", bytes(place.arguments)[:-8]):
        with pytest.raises(ValueError, match="GatewiseSequence"):
            module.plan(
                lends, (torch.Tensor,), ((),) * 5, (3, 5, 1, False), torch.get_num_threads, ((address, known),), ()
            )


def test_without_it_calls_go_through_python(monkeypatch):
    layer, x = nn.GRU(3, 5), torch.randn(2, 4, 3)
    with monkeypatch.context() as patch, torch.no_grad():
        patch.setattr(binding, "_load", lambda: (None, "not built"))
        expected = layer(x)
        assert same(layer(x), expected)
        if layer._prepared is not None:
            assert layer._prepared.plan is None
        with nn.frozen(layer):
            assert all(same(layer(x), expected) for _ in range(3))
            assert isinstance(layer._frozen, Frozen)


@pytest.mark.slow
@needs_headers
def test_a_binding_of_other_sources_is_refused(tmp_path):
    """A changed struct behind an old binding would crash."""
    kernels = tmp_path / "kernels"
    for name in ("fused/binding.cpp", "native/interface.h"):
        (kernels / name).parent.mkdir(parents=True)
        (kernels / name).write_text((building.KERNELS / name).read_text() + "\n// changed\n")
    # what refuses it is a fingerprint, whatever the compiler's effort
    assert building.build_binding(tmp_path, kernels=kernels, extra_flags=["-O0"]) is None
    code = (
        "import sys\n"
        "from gatewise.kernels.fused import binding, library\n"
        "binding.FOLDER = sys.argv[1]; binding.OUTPUT = sys.argv[1]\n"
        "binding._load.cache_clear(); print(binding.explain_binding())"
    )
    done = fresh(["-c", code, str(tmp_path)], tmp_path, libraries=TORCH)
    assert "other sources" in done.stdout, done.stderr


def test_without_headers_or_compiler_it_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(building.sysconfig, "get_path", lambda name: str(tmp_path / "none"))
    if building.compiler_command() is not None:
        assert "no headers of Python" in building.build_binding(tmp_path / "out")
    monkeypatch.setenv("CXX", "no-such-compiler")
    assert "compiler" in building.build_binding(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_no_other_kind_of_python_loads_it(monkeypatch):
    monkeypatch.setattr(building.sysconfig, "get_config_var", lambda name: 1)
    assert not building.has_stable_interface()
