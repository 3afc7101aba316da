"""Building, finding and loading the compiled kernels; life without them."""

import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fresh_processes import TORCH, fresh
from gatewise.errors import KernelError
from gatewise.kernels import building, variants
from gatewise.kernels.dispatch import force
from gatewise.kernels.fused import library

needs_library = pytest.mark.skipif(library.load()[0] is None, reason="no compiled kernels")
needs_compiler = pytest.mark.skipif(building.compiler_command() is None, reason="no C++ compiler")


def run_python(code, **environment):
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=os.environ | environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def forked_python(code, folder, **environment):
    """As `run_python` with torch loaded beforehand: of it alone, since other libraries bring runtimes of OpenMP."""
    done = fresh(["-c", code], folder, os.environ | environment, TORCH)
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


def tiny_kernels(folder, body='extern "C" int answer() { return 42; }'):
    """A kernels folder with one source and one header."""
    (folder / "native").mkdir(parents=True)
    (folder / "native" / "numbers.h").write_text("#pragma once\nconst int kNumber = 1;\n")
    (folder / "native" / "answer.cpp").write_text(f'#include "numbers.h"\n{body}\n')
    return folder


@pytest.mark.slow
@needs_library
def test_one_openmp_runtime_in_the_process():
    """The kernels' threads are torch's: nothing else is loaded beside its runtime."""
    code = (
        "import json, torch; torch.randn(300, 300) @ torch.randn(300, 300)\n"
        "from gatewise.kernels.fused import library\n"
        "before = library.openmp_runtimes(); assert library.load()[0] is not None\n"
        "import gatewise.nn as nn; nn.GRU(64, 64)(torch.randn(50, 16, 64))\n"
        "print(json.dumps([before, library.openmp_runtimes()]))"
    )
    before, after = json.loads(run_python(code)[0])
    assert before == after
    assert len(after) == 1


@needs_library
def test_the_widest_variant_is_chosen_and_any_can_be_forced():
    names = library.available_variants()
    assert library.load()[0].variant == names[0]
    for name in names:
        assert library.load(name)[0].variant == name
        with force(name):
            assert library.load()[0].variant == name
            assert library.require().implementation == f"fused-{name}"


def test_unknown_variants_are_refused_with_a_suggestion():
    with pytest.raises(KernelError, match="avx512"):
        library.load("avx521")


def test_a_variant_of_another_cpu_family_says_so():
    other = next(v.name for v in variants.VARIANTS if v not in variants.variants_here())
    found, reason = library.load(other)
    assert found is None
    assert "another CPU family" in reason


def test_without_libraries_layers_run_on_torch_and_say_so_once(tmp_path):
    code = (
        "import warnings, torch\n"
        "from gatewise.nn import GRU\n"
        "with warnings.catch_warnings(record=True) as caught:\n"
        "    warnings.simplefilter('always')\n"
        "    layer = GRU(3, 4)\n"
        "    for _ in range(3): layer(torch.randn(5, 2, 3))\n"
        "print(layer.kernel); print(len(caught)); print(caught[0].message)"
    )
    kernel, count, message = forked_python(code, tmp_path, GATEWISE_KERNEL_FOLDER=str(tmp_path), GATEWISE_KERNEL="")[
        0
    ].splitlines()
    assert (kernel, count) == ("torch", "1")
    assert "python -m gatewise.kernels.building" in message
    assert "not built" in message


@pytest.mark.slow
def test_without_libraries_forcing_one_fails_with_the_fix(tmp_path):
    code = (
        "import torch\n"
        "from gatewise.errors import KernelError\n"
        "from gatewise.nn import GRU\n"
        "try: GRU(3, 4)(torch.randn(5, 2, 3))\n"
        "except KernelError as error: print(error)"
    )
    name = variants.variants_here()[0].name if variants.variants_here() else "avx2"
    text = forked_python(code, tmp_path, GATEWISE_KERNEL_FOLDER=str(tmp_path), GATEWISE_KERNEL=name)[0]
    assert f"the {name} kernel was requested" in text
    assert "fix:" in text


def test_no_compiler_gives_a_report_and_no_error(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    report = building.build(tmp_path / "out", kernels=tiny_kernels(tmp_path / "kernels"), work=tmp_path / "work")
    assert report.built == ()
    assert report.problem is not None
    assert not (tmp_path / "out").exists()


@needs_compiler
def test_a_source_that_does_not_compile_leaves_the_old_library(tmp_path):
    kernels = tiny_kernels(tmp_path / "kernels")
    folders = {"kernels": kernels, "work": tmp_path / "work", "variants": variants.variants_here()[-1:]}
    first = building.build(tmp_path / "out", **folders)
    assert first.problem is None
    (path,) = (tmp_path / "out").iterdir()
    content = path.read_bytes()
    (kernels / "native" / "answer.cpp").write_text("int answer( {")
    second = building.build(tmp_path / "out", **folders)
    assert second.built == ()
    assert "error" in second.problem
    assert [each.read_bytes() for each in (tmp_path / "out").iterdir()] == [content]


@needs_compiler
def test_a_changed_header_rebuilds_and_an_unchanged_one_does_not(tmp_path):
    kernels = tiny_kernels(tmp_path / "kernels")
    folders = {"kernels": kernels, "work": tmp_path / "work", "variants": variants.variants_here()[-1:]}

    def objects():
        building.build(tmp_path / "out", **folders)
        return {path.name: path.stat().st_ino for path in (tmp_path / "work").glob("*.o")}

    first = objects()
    assert objects() == first
    (kernels / "native" / "numbers.h").write_text("#pragma once\nconst int kNumber = 2;\n")
    third = objects()
    assert len(third.keys() - first.keys()) == 1


@pytest.mark.slow
@needs_library
def test_a_library_of_other_sources_is_refused(tmp_path):
    """A changed C interface behind an old library would crash; both are told apart by their fingerprint."""
    package = tmp_path / "gatewise"
    shutil.copytree(Path(building.__file__).parents[1], package, ignore=shutil.ignore_patterns("__pycache__"))
    header = package / "kernels" / "native" / "vector.h"
    header.write_text(header.read_text() + "\n// changed\n")
    code = "from gatewise.kernels.fused import library; print(library.load()[1])"
    text = forked_python(code, tmp_path, PYTHONPATH=str(tmp_path), GATEWISE_KERNEL_FOLDER="", GATEWISE_KERNEL="")[0]
    assert "built from other sources" in text


@needs_library
def test_a_missing_function_is_named():
    with pytest.raises(KernelError, match="no function gatewise_nonsense"):
        library.require().function("gatewise_nonsense", None)


def test_thread_setting_of_torch_is_followed():
    from gatewise.kernels.fused.call import threads

    former = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        assert threads() == 1
    finally:
        torch.set_num_threads(former)


def cpu_that_has(path, features):
    path.write_text(f"processor : 0\nflags : fpu {features} sse2\n")
    return path


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="these instruction sets are x86-64's")
@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ("avx2 fma avx512f avx512bw avx512dq avx512vl", "avx512"),
        ("avx2 fma avx512f avx512vl", "avx2"),
        ("avx2", "baseline"),
        ("", "baseline"),
    ],
)
def test_the_fastest_variant_alone_is_wanted_on_request(tmp_path, monkeypatch, features, expected):
    cpu = cpu_that_has(tmp_path / "cpuinfo", features)
    assert variants.variants_wanted(cpu) == (variants.variants_here(),)
    monkeypatch.setenv("GATEWISE_VARIANTS", "fastest")
    wanted = [each.name for together in variants.variants_wanted(cpu) for each in together]
    slower = [each.name for each in variants.variants_here()]
    assert wanted == slower[slower.index(expected) :]  # one after the other, each where none before it can be built
    assert variants.variants_wanted(tmp_path / "missing") == (variants.variants_here(),)


def test_another_word_for_the_variants_is_refused(monkeypatch):
    monkeypatch.setenv("GATEWISE_VARIANTS", "quick")
    with pytest.raises(ValueError, match="expected all or fastest, got 'quick'"):
        variants.variants_wanted()


@needs_compiler
def test_only_the_fastest_variant_is_built_on_request(tmp_path):
    kernels = tiny_kernels(tmp_path / "kernels")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATEWISE_VARIANTS", "fastest")
        report = building.build(tmp_path / "out", kernels=kernels, work=tmp_path / "work")
    assert report.problem is None
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"libgatewise-{report.built[0]}.so"]
    assert len(report.built) == 1


@needs_compiler
@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="these instruction sets are x86-64's")
@pytest.mark.parametrize(
    ("refused", "built"), [("-mavx512f", "avx2"), ("-mavx512f -mavx2", "baseline"), ("-c", None)], ids=str
)
def test_where_the_compiler_cannot_build_the_fastest_variant_the_next_one_is_built(tmp_path, refused, built):
    """The report names what failed first, and what was built instead; a compiler that cannot compile builds nothing."""
    compiler = tmp_path / "old-compiler"
    cases = "\n".join(
        f'  *" {flag} "*) echo "error: unrecognised option {flag}" >&2; exit 1;;' for flag in refused.split()
    )
    command = " ".join(building.compiler_command())
    compiler.write_text(f'#!/bin/sh\ncase " $* " in\n{cases}\nesac\nexec {command} "$@"\n')
    compiler.chmod(0o755)
    cpu = cpu_that_has(tmp_path / "cpuinfo", "avx2 fma avx512f avx512bw avx512dq avx512vl")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GATEWISE_VARIANTS", "fastest")
        patch.setenv("CXX", str(compiler))
        patch.setattr(building, "variants_wanted", lambda: variants.variants_wanted(cpu))
        report = building.build(tmp_path / "out", kernels=tiny_kernels(tmp_path / "kernels"), work=tmp_path / "work")
    assert "could not build avx512: error: unrecognised option" in report.problem
    assert report.built == (() if built is None else (built,))
    assert report.problem.endswith(f"; built instead: {built}") == (built is not None)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [f"libgatewise-{name}.so" for name in report.built]
