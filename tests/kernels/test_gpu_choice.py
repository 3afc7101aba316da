"""When a layer runs on the Triton kernels, and that nothing loads them without need. No Triton is needed here."""

import importlib.util
import os
import warnings

import pytest
import torch

from fresh_processes import TORCH, fresh
from gatewise import nn
from gatewise.errors import KernelError
from gatewise.kernels import dispatch, doctor
from gatewise.kernels.dispatch import Request, choose, force
from gatewise.kernels.fused.selection import offer as fused_offer
from gatewise.kernels.gpu import selection
from gatewise.kernels.registry import CELLS


def asked(cell, *options, device="cuda", dtype=torch.float32, **sizes):
    shape = {"input_size": 8, "hidden_size": 16, "batch": 4, "steps": 5} | sizes
    return Request(cell, device, dtype, options=frozenset(options), needs_grad=True, **shape)


@pytest.fixture
def installed(monkeypatch):
    monkeypatch.setattr(selection, "INSTALLED", True)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("request_", [asked("rnn_tanh"), asked("lstm", "lengths"), asked("gru", "reverse"),
                                      asked("gru", "update_replace"), asked("lstm", "proj_size")])  # fmt: skip
def test_what_cudnn_has_goes_to_cudnn(request_):
    choice = choose(request_)
    assert choice.implementation == "torch" and "cuDNN" in choice.reason


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("cell", CELLS)
def test_every_option_that_cudnn_lacks_goes_to_triton(cell):
    info = CELLS[cell]
    lacking = info.gpu_options - (info.torch_options or frozenset())
    for name in info.names:
        for option in lacking:
            for more in ((), ("lengths", "reverse")):
                assert choose(asked(name, option, *more)).implementation == "triton", (name, option)
        plain = choose(asked(name)).implementation
        assert plain == ("triton" if info.torch_options is None else "torch")


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (asked("lstm", "proj_size", "layer_norm"), "no proj_size"),
        (asked("gru", "layer_norm", dtype=torch.bfloat16), "not bfloat16"),
        (asked("gru", "layer_norm", steps=0), "empty"),
        (asked("leaky"), "no Triton kernel for leaky"),
    ],
)
def test_what_triton_lacks_runs_as_a_loop_and_says_why(request_, reason):
    choice = choose(request_)
    assert choice.implementation == "reference" and reason in choice.reason


def test_without_triton_the_loop_runs_and_says_so_once(monkeypatch):
    monkeypatch.setattr(selection, "INSTALLED", False)
    monkeypatch.setattr(selection, "_warned", False)
    with pytest.warns(UserWarning, match=r"pip install 'gatewise\[cuda\]'"):
        choice = choose(asked("gru", "layer_norm"))
    assert choice.implementation == "reference" and "triton is not installed" in choice.reason
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert choose(asked("lstm", "zoneout")).implementation == "reference"
        assert choose(asked("lstm")).implementation == "torch"


def test_on_the_processor_they_run_only_where_they_are_forced_and_interpreted(monkeypatch):
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    assert "riton" not in choose(asked("gru", "layer_norm", device="cpu", dtype=torch.float64)).reason
    layer = nn.GRU(3, 4, layer_norm=True)
    for there, problem, way in (
        (False, "triton is not installed", r"install triton: pip install 'gatewise[cuda]'"),
        (True, "the Triton kernels run on CUDA devices", "move the layer and its input to a CUDA device"),
    ):
        monkeypatch.setattr(selection, "INSTALLED", there)
        with force("triton"), pytest.raises(KernelError) as caught:
            layer(torch.ones(2, 1, 3))
        assert caught.value.got.startswith(problem), "the other kernels were not requested"
        assert caught.value.fix.startswith(way) and "TRITON_INTERPRET=1" in caught.value.fix
        assert caught.value.fix.endswith("; or unset GATEWISE_KERNEL, or set it to reference or torch")
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    with force("triton"):
        choice = choose(asked("gru", device="cpu"))
    assert choice.implementation == "triton" and "interpreter" in choice.reason


@pytest.mark.usefixtures("installed")
def test_a_forced_kernel_is_refused_for_its_own_reasons(monkeypatch):
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    with force("triton"), pytest.raises(KernelError, match="leaky") as caught:
        choose(asked("leaky", device="cpu"))
    assert caught.value.got == "there is no Triton kernel for leaky"
    assert caught.value.fix == "unset GATEWISE_KERNEL, or set it to reference or torch"
    with force("avx2"), pytest.raises(KernelError, match="avx2 kernel was requested") as caught:
        choose(asked("gru", "layer_norm", device="cuda", dtype=torch.float64))
    assert "riton" not in f"{caught.value.got} {caught.value.fix}"


@pytest.mark.parametrize("first", ["gpu.selection", "dispatch"])
def test_the_order_of_the_kernels_does_not_depend_on_what_is_imported_first(tmp_path, first):
    code = (
        f"import gatewise.kernels.{first}, gatewise.nn; from gatewise.kernels.dispatch import CANDIDATES;"
        "print(*(each.__module__ for each in CANDIDATES))"
    )
    done = fresh(["-c", code], tmp_path, dict(os.environ), TORCH)
    expected = "gatewise.kernels.fused.selection gatewise.kernels.gpu.selection\n"
    assert done.stdout == expected, done.stdout + done.stderr


def test_the_kernels_of_the_processor_are_asked_first():
    """Calls on the processor are prepared for them (`nn/prepared.py`), which holds as long as nothing goes before."""
    assert dispatch.CANDIDATES[:2] == [fused_offer, selection.offer]
    layer = nn.GRU(3, 4)
    for _ in range(2):
        layer(torch.ones(2, 1, 3))
    assert (layer._prepared is not None) == (layer.kernel or "").startswith("fused")


@pytest.mark.usefixtures("installed")
def test_the_doctor_names_them_where_there_is_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda number: "a GPU of this test")
    monkeypatch.setattr(doctor, "version", lambda name: "3.0")  # of triton
    found = doctor.diagnose()
    assert any(cell.device == "cpu" for cell in found.cells)
    chosen = {(cell.cell, cell.options): cell.implementation for cell in found.cells if cell.device == "cuda"}
    assert found.cuda == ("a GPU of this test",) and found.triton == "3.0"
    assert chosen["lstm", ()] == "torch" and chosen["lstm", ("layer_norm",)] == "triton"
    assert chosen["mingru", ()] == "triton"


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
def test_a_layer_on_the_processor_loads_no_triton(tmp_path):
    code = (
        "import sys, torch; from gatewise import nn; layer = nn.LSTM(3, 4, layer_norm=True);"
        "layer(torch.ones(2, 1, 3))[0].sum().backward(); print(layer.kernel, 'triton' in sys.modules)"
    )
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = fresh(["-c", code], tmp_path, environment, TORCH)
    assert done.stdout.endswith(" False\n"), done.stdout + done.stderr
