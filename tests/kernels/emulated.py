"""Runs kernels compiled for another CPU, in an emulator where need be, called as the layers call those of this machine.

``emulated_driver.cpp`` holds the functions; here every call of :mod:`gatewise.kernels.fused.eager` is sent there, with
the arrays behind its pointers, and what it wrote is copied back.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from sequence_oracle import compare

from gatewise.kernels import building, variants
from gatewise.kernels.fused import call, eager
from gatewise.kernels.registry import CELLS

HERE = Path(__file__).parent
COMPILER = "aarch64-linux-gnu-g++"
EMULATOR = "qemu-aarch64"
NEON = next(variant for variant in variants.VARIANTS if variant.name == "neon")
_WRITTEN = ("output", "h_n", "c_n", "cells", "gates", "normalized_x", "normalized_h", "deviations")
_NUMBER, _NULL, _INPUT, _OUTPUT = range(4)


def build(folder, variant=NEON, compiler=COMPILER, emulator=EMULATOR):
    """The driver with a variant's kernels; object files are kept in the user's cache. Skips where a tool is missing."""
    for tool in (compiler, emulator):
        if tool is not None and shutil.which(tool) is None:
            pytest.skip(f"there is no {tool}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CXX", compiler)
        report = building.build(folder, variants=[variant])
    assert report.problem is None, report.details
    program = folder / "driver"
    library = folder / variant.file_name
    command = [compiler, "-std=c++17", "-O1", "-fopenmp", f"-I{building.KERNELS / 'native'}"]
    subprocess.run([*command, str(HERE / "emulated_driver.cpp"), str(library), "-o", str(program)], check=True)
    return program


class Emulated:
    """A driver at work; use as a context, inside of which eager calls of the kernels run there."""

    def __init__(self, program, emulator=EMULATOR):
        self.calls = 0
        sysroot = os.environ.get("QEMU_LD_PREFIX", "/usr/aarch64-linux-gnu")
        found = f"LD_LIBRARY_PATH={program.parent}"
        start = [] if emulator is None else [emulator, "-L", sysroot, "-E", found]
        environment = {**os.environ, "LD_LIBRARY_PATH": str(program.parent)} if emulator is None else None
        self._process = subprocess.Popen(
            [*start, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )

    def __enter__(self):
        self._patch = pytest.MonkeyPatch()
        self._patch.setattr(eager, "run", self.run)
        return self

    def __exit__(self, *_):
        self._patch.undo()

    def close(self):
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def run(self, cell, direction, arguments, library=None):
        """As :func:`gatewise.kernels.fused.call.run`."""
        self.calls += 1
        sizes = array_bytes(cell, arguments)
        parts = [struct.pack("<16s16s", cell.encode(), direction.encode())]
        written = []
        for name, kind in call.Sequence._fields_:
            value = getattr(arguments, name)
            if kind is not ctypes.c_void_p:
                parts.append(struct.pack("<qd" if kind is ctypes.c_double else "<qq", _NUMBER, value))
            elif value is None:
                parts.append(struct.pack("<qq", _NULL, 0))
            else:
                output = name in _WRITTEN or (name.startswith("grad_") and name[5:] not in ("output", "h_n", "c_n"))
                parts += [struct.pack("<qq", _OUTPUT if output else _INPUT, sizes[name])]
                parts.append(ctypes.string_at(value, sizes[name]))
                if output:
                    written.append((value, sizes[name]))
        self._process.stdin.write(b"".join(parts))
        self._process.stdin.flush()
        status = struct.unpack("<q", self._read(8))[0]
        for address, size in written:
            ctypes.memmove(address, self._read(size), size)
        assert status >= 0, "a call wrote past the end of an array" if status == -2 else "no such function"
        call.check_status(cell, status, arguments)

    def _read(self, size):
        data = self._process.stdout.read(size)
        assert len(data) == size, "the emulated process ended"
        return data


def calls_of(driver, case, tolerance):
    """Compare a case there with the float64 equations; how many calls were made."""
    before = driver.calls
    with driver:
        compare(case, None, tolerance)
    return driver.calls - before


def array_bytes(cell, q):
    """How large the array behind each pointer of a call is, as ``native/sequence.h`` states it."""
    info = CELLS[cell]
    gates, states, units = info.gates_of(q.flags), q.batch * q.hidden_size, q.steps * q.batch * q.hidden_size
    rows, inner = gates * q.hidden_size, q.hidden_size

    def strided(step, row, width):
        if q.steps == 0 or q.batch == 0:
            return 0
        return (q.steps - 1) * step + (q.batch - 1) * row + width

    floats = {
        "x": strided(q.x_step_stride, q.x_batch_stride, q.input_size),
        "grad_output": strided(q.grad_output_step_stride, q.grad_output_batch_stride, inner),
        "grad_x": q.steps * q.batch * q.input_size,
        "weight_ih": rows * q.input_size,
        "weight_hh": rows * inner,
        "bias_ih": rows,
        "bias_hh": rows,
        "layer_norm_ih": rows,
        "layer_norm_hh": rows,
        "layer_norm_c": inner,
        "layer_norm_c_bias": inner,
        "peephole": (gates - 1) * inner,
        "output": units,
        "cells": units,
        "gates": units * (info.saved or gates),
        "normalized_x": units * gates,
        "normalized_h": units * gates,
        "deviations": q.steps * q.batch * 4,
        "recurrent_mask": states,
    } | dict.fromkeys(("h0", "c0", "h_n", "c_n", "grad_h_n", "grad_c_n"), states)
    floats |= {f"grad_{name}": count for name, count in floats.items() if f"grad_{name}" not in floats}
    sizes = {name: 4 * count for name, count in floats.items()}
    return sizes | {"lengths": 8 * q.batch, "zoneout_h_mask": units, "zoneout_c_mask": units}
