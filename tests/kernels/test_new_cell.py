"""A cell that is new to the package needs its own folder and nothing else: built and run from a copy of the sources."""

import os
import shutil

import pytest

from fresh_processes import TORCH, fresh
from gatewise.kernels import building, variants
from gatewise.kernels.fused.library import available_variants

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not available_variants() or building.compiler_command() is None, reason="no compiler, or no compiled kernels"
    ),
]

FUSED = """// h' = (1 - z) h + z n, z = sigmoid(a_z), n = a_n
#include "../native/scan_layer_backward.h"
#include "../native/stream.h"

namespace gatewise {
namespace {

struct Leaky {
  static constexpr int kGates = 2;
  template <class F> GATEWISE_INLINE F step(const F* gates, F hidden) {
    const Gate<F> update = gate(gates[0]);
    return update.shut * hidden + update.open * gates[1];
  }
  template <class F> GATEWISE_INLINE F gradient(const F* gates, F hidden, F grad_new, F* grad_gates) {
    const Gate<F> update = gate(gates[0]);
    grad_gates[0] = grad_new * (gates[1] - hidden) * update.open * update.shut;
    grad_gates[1] = grad_new * update.open;
    return grad_new * update.shut;
  }
};

}  // namespace
}  // namespace gatewise

GATEWISE_EXPORT int gatewise_leaky_forward(const GatewiseSequence* sequence) {
  return gatewise::scan_layer_forward<gatewise::Leaky>(*sequence);
}
GATEWISE_EXPORT int gatewise_leaky_backward(const GatewiseSequence* sequence) {
  return gatewise::scan_layer_backward<gatewise::Leaky>(*sequence);
}
GATEWISE_EXPORT const void* gatewise_leaky_session(int64_t) {
  static constexpr gatewise::stream::Cell cell = gatewise::stream::scanning<gatewise::Leaky>();
  return &cell;
}
"""
INFO = """from gatewise.kernels.info import KernelInfo

INFO = KernelInfo("leaky", gates=2, recurrent=False)
"""
USE = """
import torch
from gatewise import nn
from gatewise.kernels.dispatch import force
from gatewise.kernels.doctor import diagnose
from gatewise.nn.cell import Cell, register_cell


@register_cell("leaky")
class Leaky(Cell):
    gates = ("update", "candidate")

    def parameter_shapes(self):
        return {name: shape for name, shape in super().parameter_shapes().items() if not name.endswith("_hh")}

    def step(self, gates_x, state, weights, recurrent_mask=None):
        update, candidate = gates_x.chunk(2, dim=-1)
        update = torch.sigmoid(update)
        return {"hidden": (1 - update) * state[0] + update * candidate}


torch.manual_seed(0)
layer = nn.Recurrent("leaky", 5, 19, num_layers=2, bidirectional=True)
x, results = torch.randn(7, 3, 5, requires_grad=True), []
for kernel in ("VARIANT", "reference"):
    with force(kernel):
        output, final = layer(x, lengths=[7, 2, 5])
        results.append([output, final, *torch.autograd.grad(output.square().sum(), [x, *layer.parameters()])])
        print(layer.kernel)
for got, want in zip(*results, strict=True):
    torch.testing.assert_close(got, want, atol=1e-5, rtol=1e-5)
layer = nn.Recurrent("leaky", 5, 19)
session = layer.session(3)
print(session.implementation)
torch.testing.assert_close(torch.stack([session(each) for each in x.detach()]), layer(x)[0].detach())
compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
assert torch.equal(compiled(x)[0], layer(x)[0])
print({cell.implementation for cell in diagnose().cells if cell.cell == "leaky"})
"""


def test_a_folder_is_enough(tmp_path):
    name = available_variants()[0]
    package = tmp_path / "gatewise"
    shutil.copytree(building.KERNELS.parent, package, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    folder = package / "kernels" / "leaky"
    folder.mkdir()
    for file, text in {"__init__.py": "", "info.py": INFO, "fused.cpp": FUSED}.items():
        (folder / file).write_text(text)
    chosen = [variant for variant in variants.variants_here() if variant.name == name]
    kernels = package / "kernels"
    # -O1: the results are compared, and the time that the compiler needs is most of this test's
    report = building.build(
        kernels / "fused", kernels=kernels, work=tmp_path / "work", variants=chosen, extra_flags=["-O1"]
    )
    assert report.problem is None, report.details
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "GATEWISE_KERNEL": ""}
    done = fresh(["-c", USE.replace("VARIANT", name)], tmp_path, environment, TORCH)
    assert done.returncode == 0, done.stderr[-4000:]
    fused = f"fused-{name}"
    assert done.stdout.split() == [fused, "reference", fused, f"{{'{fused}'}}"], done.stdout
