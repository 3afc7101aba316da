"""The kernels under AddressSanitizer, UndefinedBehaviorSanitizer and ThreadSanitizer."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from gatewise.kernels import building, variants
from gatewise.kernels.fused.library import available_variants

HERE = Path(__file__).parent
VARIANTS = [variant for variant in variants.variants_here() if variant.name in available_variants()]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not VARIANTS or building.compiler_command() is None, reason="no compiler, or no compiled kernels"
    ),
]


def runtime(name):
    """The sanitizer's own library, which must be loaded before everything else; skip where there is none."""
    done = subprocess.run([*building.compiler_command(), f"-print-file-name={name}"], capture_output=True, text=True)
    path = done.stdout.strip()
    if not Path(path).is_absolute():
        pytest.skip(f"this compiler has no {name}")
    return path


def test_no_bad_memory_access_and_no_undefined_behaviour(tmp_path):
    """Every entry point over odd sizes; torch's buffers are then guarded too, since their memory comes from malloc."""
    preload = [runtime("libasan.so"), runtime("libubsan.so"), runtime("libstdc++.so")]
    flags = ["-fsanitize=address,undefined", "-fno-sanitize-recover=undefined", "-O1", "-g1"]
    report = building.build(tmp_path, work=tmp_path / "work", extra_flags=flags, variants=VARIANTS[:1])
    assert report.problem is None, report.details
    no_binding = building.build_binding(tmp_path, extra_flags=flags)
    name = VARIANTS[0].name
    done = subprocess.run(
        [sys.executable, str(HERE / "sanitizer_driver.py"), name],
        capture_output=True,
        text=True,
        env=os.environ
        | {
            "LD_PRELOAD": ":".join(preload),
            "ASAN_OPTIONS": "detect_leaks=0:verify_asan_link_order=0",
            "UBSAN_OPTIONS": "print_stacktrace=1",
            "GATEWISE_KERNEL_FOLDER": str(tmp_path),
        },
    )
    assert done.returncode == 0, done.stderr[-6000:]
    assert "runtime error" not in done.stderr
    compiled = int(re.search(r"compiled: (\d+)", done.stdout)[1])
    assert compiled > 100, done.stdout
    assert no_binding or int(re.search(r"bound: (\d+)", done.stdout)[1]) > 50, done.stdout


def test_no_data_races(tmp_path):
    """The parallel regions on an OpenMP runtime of std::thread, since ThreadSanitizer cannot see through libgomp."""
    runtime("libtsan.so")
    variant = VARIANTS[0]
    program = tmp_path / "driver"
    flags = ["-std=c++17", "-O1", "-g1", "-fsanitize=thread", "-ffp-contract=fast", "-Wno-psabi", *variant.flags]
    objects = []
    running = []
    for source in [*building.sources(), HERE / "thread_sanitizer_driver.cpp"]:
        objects.append(tmp_path / f"{source.parent.name}-{source.stem}.o")
        place = [f"-DGATEWISE_WIDTH={variant.width}", f"-I{building.KERNELS / 'native'}"]
        command = [*building.compiler_command(), *flags, "-fopenmp", *place, "-c", str(source), "-o", str(objects[-1])]
        running.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
    for each in running:
        _, text = each.communicate()
        assert each.returncode == 0, text
    link = [*building.compiler_command(), "-fsanitize=thread", *map(str, objects), "-o", str(program), "-lpthread"]
    subprocess.run(link, check=True)
    # Addresses laid out at random can lie where this sanitizer keeps its shadow.
    still = ["setarch", os.uname().machine, "-R"]
    done = subprocess.run([*still, str(program)], capture_output=True, text=True)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    assert done.stdout.strip() == "done"
    assert "data race" not in done.stderr
