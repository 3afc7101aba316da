"""The kernels with vectors of 16 numbers, as AVX-512 has them, on a CPU without: the compiler makes two of each."""

from __future__ import annotations

import itertools
import platform

import pytest
from emulated import Emulated, build, calls_of
from sequence_oracle import Case
from test_fused_options import OPTIONS, READINGS
from test_fused_plain import CELLS, SIZES

from gatewise.kernels.fused.library import available_variants
from gatewise.kernels.variants import Variant

WIDE = Variant("wide", "x86_64", 16, ("-mavx2", "-mfma", "-O1", "-U__AVX2__", "-U__SSE2__"))
SHORT = [(1, 1, 5, 3), (1, 1, 40, 33), (2, 1, 17, 16), (5, 1, 9, 50), (8, 2, 31, 24), (16, 1, 8, 40), (3, 4, 70, 17)]
"""Calls of few steps, which other vectors multiply without packing: (B, T, I, H)."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        platform.machine() != "x86_64" or not {"avx2", "avx512"} & set(available_variants()),
        reason="no compiled kernels with AVX2 here",
    ),
]


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    driver = Emulated(build(tmp_path_factory.mktemp("wide"), WIDE, "g++", None), None)
    yield driver
    driver.close()


@pytest.mark.parametrize(("cell", "options"), CELLS)
def test_sizes_and_directions(wide, cell, options):
    for size, reverse in itertools.product([*SIZES, *SHORT], (False, True)):
        batch, steps, inputs, hidden = size
        assert calls_of(wide, Case(cell, batch, steps, inputs, hidden, reverse=reverse, options=options), 2e-5) >= 3


@pytest.mark.parametrize(("cell", "options"), READINGS)
def test_every_option(wide, cell, options):
    for option in OPTIONS.values():
        case = Case(cell, 8, 6, 5, 35, [4, 6, 0, 1, 5, 6, 2, 3], True, options=options, **option)
        assert calls_of(wide, case, 5e-5) >= 3
