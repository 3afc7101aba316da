"""Walks layers on the meta device, where nothing can be read back, and records what would have been launched on a GPU.

As a program it compiles every kernel so recorded to machine code, for GPUs and precisions named on the command line
(sm_80 float32, ...): that needs Triton, not in its interpreter, and no GPU. It writes one JSON line each. Layers have
every option at once; ``all`` adds those with none, all readings, and sizes of 1, which Triton treats as constants.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

import torch
from torch import Tensor

from gatewise.kernels.dispatch import Choice
from gatewise.kernels.gpu import launch
from gatewise.kernels.registry import KERNELS
from gatewise.nn.cell import cell_class
from gatewise.nn.gpu import run_triton
from gatewise.nn.time_loop import Direction

CELLS = (
    ("rnn", {}),
    ("rnn", {"nonlinearity": "relu"}),
    ("lstm", {}),
    ("lstm", {"coupled": True, "peephole": True}),
    ("lstm", {"peephole": True}),
    ("gru", {}),
    ("gru", {"update": "replace"}),
    ("gru", {"reset": "before"}),
    ("gru", {"reset": "before", "update": "replace"}),
    ("mingru", {}),
    ("minlstm", {}),
)


MAIN = tuple(CELLS[number] for number in (0, 4, 5, 7, 9, 10))


@contextmanager
def recorded() -> Iterator[list[tuple]]:
    """Every launch inside the block, as (kernel, arguments, grid, warps), instead of the launch."""
    found: list[tuple] = []

    def launcher(kernel, given, grid, warps, late=()):
        arguments = {name: given[name] for name in kernel.arg_names if name not in late}
        return lambda **more: found.append((kernel, arguments | more, grid, warps))

    with mock.patch.object(launch, "launcher", launcher):
        yield found


def dry_run(
    name: str, options: dict, everything: bool, dtype: torch.dtype, *, T: int = 3, B: int = 5, H: int = 100
) -> list[tuple]:
    """A forward and a backward walk of one direction on the meta device, and one in evaluation; what they launch."""
    I = 7  # noqa: E741
    recurrent = KERNELS[cell_class(name)(1, 1, **options).kernel_name].recurrent
    cell = cell_class(name)(I, H, **options, **({"layer_norm": True} if everything and recurrent else {}))

    def make(*shape: int, **kind: object) -> Tensor:
        return torch.empty(shape, device="meta", **({"dtype": dtype, "requires_grad": True} | kind))

    shapes = cell.parameter_shapes() | {key: shape for key, (shape, _) in cell.extra_shapes().items()}
    state = tuple(make(B, H) for _ in cell.states)
    direction = Direction(cell, make(T, B, I), state, {key: make(*shape) for key, shape in shapes.items()})
    if everything:
        masks = tuple(make(T, B, H, dtype=torch.bool, requires_grad=False) for _ in state)
        more = {
            "lengths": make(B, dtype=torch.int64, requires_grad=False),
            "recurrent_mask": make(B, H, requires_grad=False) if recurrent else None,
            "zoneout": masks,
            "reverse": True,
        }
        direction = Direction(cell, direction.x, state, direction.weights, **more)
    with recorded() as found:
        output, final = run_triton(Choice("triton", "dry run"), direction)
        parts = [output, *final]
        leaves = [direction.x, *state, *direction.weights.values()]
        gradients = torch.autograd.grad(parts, leaves, [torch.empty_like(part) for part in parts])
        assert [each.shape for each in gradients] == [each.shape for each in leaves]
        with torch.no_grad():
            quiet = Direction(
                cell, direction.x, state, direction.weights, zoneout=(0.25,) * len(state) if everything else ()
            )
            assert run_triton(Choice("triton", "dry run"), quiet)[0].shape == (T, B, H)
    return found


class _Driver:
    """Says that a GPU of some architecture is there, which is all that Triton asks for before it compiles."""

    def __init__(self, architecture: int) -> None:
        from triton.backends.compiler import GPUTarget

        self._target = GPUTarget("cuda", architecture, 32)

    def get_current_target(self):
        return self._target

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int) -> int:
        return 0


def resources(code: bytes) -> dict[str, int]:
    """Registers of a thread, and bytes of its stack: above 0, registers were too few."""
    from triton import knobs

    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(code)
        file.flush()
        command = [knobs.nvidia.cuobjdump.path, "-res-usage", file.name]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    registers, stack = re.findall(r"REG:(\d+) STACK:(\d+)", shown)[0]
    return {"registers": int(registers), "stack": int(stack)}


def compile_all(architecture: int, dtype: torch.dtype, everywhere: bool) -> Iterator[dict]:
    """Compile what is launched, as a launch would: once for each set of types, constants and sizes of 1."""
    from triton.runtime.driver import driver

    driver.set_active(_Driver(architecture))
    done = set()
    for name, options in CELLS if everywhere else MAIN:
        for everything in (True, False) if everywhere else (True,):
            for sizes in ({}, {"T": 1, "B": 1, "H": 1}) if everywhere else ({},):
                for kernel, arguments, grid, warps in dry_run(name, options, everything, dtype, **sizes):
                    made = kernel.warmup(**arguments, grid=grid, num_warps=warps, enable_fp_fusion=True)
                    if made.hash in done:
                        continue
                    done.add(made.hash)
                    about = {"cell": name, "kernel": kernel.__name__, "dtype": str(dtype), "sm": architecture}
                    about |= {"everything": everything, "sizes": sizes, "warps": warps, "shared": made.metadata.shared}
                    yield about | resources(made.asm["cubin"])


if __name__ == "__main__":
    for _architecture in (each for each in sys.argv[1:] if each.startswith("sm_")):
        for _dtype in (each for each in sys.argv[1:] if each.startswith("float")):
            _number = int(_architecture.removeprefix("sm_"))
            for result in compile_all(_number, getattr(torch, _dtype), "all" in sys.argv):
                print(json.dumps(result), flush=True)
