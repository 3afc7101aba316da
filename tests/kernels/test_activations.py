"""sigmoid, tanh and exp of every variant against double precision."""

import os
import subprocess
from pathlib import Path

import pytest

from gatewise.kernels.building import KERNELS, compiler_command
from gatewise.kernels.fused.library import available_variants
from gatewise.kernels.variants import variants_here

SWEEP = Path(__file__).parent / "activation_sweep.cpp"
LIMIT = 2.0
VARIANTS = [variant for variant in variants_here() if variant.name in available_variants()]

pytestmark = pytest.mark.skipif(compiler_command() is None, reason="no C++ compiler")


def sweep(variant, folder, stride, curved, *words, compiler=(), start=()):
    """Compile the sweep for a variant and run it: {function: (largest error in ulp, where, broken rules)}.

    Another compiler may come with the words that start its program on this machine.
    """
    program = folder / "sweep"
    flags = ["-O3", "-std=c++17", "-ffp-contract=fast", "-Wno-psabi", *variant.flags]
    place = [f"-DGATEWISE_WIDTH={variant.width}", f"-I{KERNELS / 'native'}", str(SWEEP), "-o", str(program)]
    subprocess.run([*(compiler or compiler_command()), *flags, *place], check=True, capture_output=True)
    done = subprocess.run(
        [*start, str(program), str(stride), str(curved), *words], check=True, capture_output=True, text=True
    )
    rows = (line.split() for line in done.stdout.splitlines())
    return {name: (float(error), float(where), int(broken)) for name, error, where, broken in rows}


def assert_accurate(results):
    for name, (error, where, broken) in results.items():
        assert error <= LIMIT, f"{name}: {error} ulp at {where!r}"
        assert broken == 0, f"{name}: {broken} results break a rule for NaN, infinity or subnormal values"


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.name)
def test_within_two_ulp_on_a_sample_of_all_floats(variant, tmp_path):
    results = sweep(variant, tmp_path, 4099, 4099)
    assert set(results) == {"exp", "sigmoid", "tanh"}
    assert_accurate(results)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["exp", "sigmoid", "tanh"])
def test_within_two_ulp_on_every_third_float_where_it_is_curved(name, tmp_path):
    """On the widest variant; each 61st float where it is flat or straight; with GATEWISE_FUZZ=1 all 2^32."""
    if not VARIANTS:
        pytest.skip("no compiled variant runs here")
    strides = (1, 1) if os.environ.get("GATEWISE_FUZZ") else (61, 3)
    results = sweep(VARIANTS[0], tmp_path, *strides, name)
    assert set(results) == {name}
    assert_accurate(results)
