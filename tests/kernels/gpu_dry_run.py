"""Walks layers on the meta device, where nothing can be read back, and records what would have been launched on a GPU.

As a program it compiles every kernel so recorded to machine code for the GPUs and precisions named on the command
line (sm_80 float32, ...), which needs Triton but no GPU, and writes one JSON line each; not in its interpreter.
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


@contextmanager
def recorded() -> Iterator[list[tuple]]:
    """Every launch inside the block, as (kernel, arguments, grid, warps), instead of the launch."""
    found: list[tuple] = []

    def launcher(kernel, given, grid, warps, late=()):
        arguments = {name: given[name] for name in kernel.arg_names if name not in late}
        return lambda **more: found.append((kernel, arguments | more, grid, warps))

    with mock.patch.object(launch, "launcher", launcher):
        yield found


def dry_run(name: str, options: dict, everything: bool, dtype: torch.dtype, *, H: int = 100) -> list[tuple]:
    """A forward and a backward walk of one direction on the meta device, and one in evaluation; what they launch."""
    T, B, I = 3, 5, 7  # noqa: E741
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


_TYPES = {torch.float32: "*fp32", torch.float64: "*fp64", torch.uint8: "*u8", torch.int64: "*i64"}


def signature_of(kernel, arguments: dict) -> tuple[dict, dict]:
    """A launch's argument types and constants, as Triton's compiler takes them."""
    constants = {parameter.name for parameter in kernel.params if parameter.is_constexpr}
    signature, values = {}, {}
    for name in kernel.arg_names:
        value = arguments[name]
        if name in constants or value is None:
            signature[name], values[name] = "constexpr", value
        else:
            signature[name] = _TYPES[value.dtype] if isinstance(value, Tensor) else "i32"
    return signature, values


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


def compile_all(architectures: list[int], dtypes: list[torch.dtype], plain: bool) -> Iterator[dict]:
    """Compile each kernel once for each set of types and constants."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    done = set()
    for name, options in CELLS:
        for everything in (False, True) if plain else (True,):
            for dtype in dtypes:
                for kernel, arguments, _, warps in dry_run(name, options, everything, dtype):
                    signature, values = signature_of(kernel, arguments)
                    key = repr((name, kernel, signature, sorted(values.items(), key=lambda item: item[0]), warps))
                    if key in done:
                        continue
                    done.add(key)
                    for architecture in architectures:
                        made = triton.compile(
                            ASTSource(kernel, signature, values),
                            target=GPUTarget("cuda", architecture, 32),
                            options={"num_warps": warps, "enable_fp_fusion": True},
                        )
                        yield {
                            "cell": name,
                            "kernel": kernel.__name__,
                            "everything": everything,
                            "dtype": str(dtype),
                            "sm": architecture,
                            "warps": warps,
                            "shared": made.metadata.shared,
                            **resources(made.asm["cubin"]),
                        }


if __name__ == "__main__":
    wanted = [int(each.removeprefix("sm_")) for each in sys.argv[1:] if each.startswith("sm_")]
    for result in compile_all(wanted, [getattr(torch, each) for each in sys.argv[1:] if each.startswith("float")], "plain" in sys.argv):
        print(json.dumps(result), flush=True)
