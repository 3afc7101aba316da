"""Every layer as C computes what it computes in torch, compiled without warnings; nothing else is handed out."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from c_programs import files_of, needs_compiler
from export_cases import CELLS, SHAPES, WHOLE_FUZZ, layer_of, random_layer

import gatewise.export
from gatewise.errors import ConversionError, OptionError
from gatewise.export.gaps import LIMIT, relative_gap
from gatewise.export.graph import Example, GraphBuilder, Interpreter
from gatewise.export.graph.layers import layer_graph
from gatewise.export.layers import layer_examples
from gatewise.export.to_c import check as check_module
from gatewise.export.to_c.check import check_source
from gatewise.export.to_c.compiler import STRICT, compile_program, find_compiler, sanitises
from gatewise.export.to_c.export import export_graph
from gatewise.export.to_c.harness import emit_harness, run_harness
from gatewise.export.to_c.source import emit_source
from gatewise.nn import GRU, LSTM, Cell, Recurrent, register_cell

torch.set_num_threads(1)

EVERYDAY = {
    ("gru", "two layers, both directions"),
    ("lstm zoneout", "one layer"),
    ("minlstm", "three layers"),
    ("own, many operations", "one layer"),
}
LONG = {
    ("lstm projection", "two layers, both directions"),
    ("own, many operations", "two layers, both directions"),
    ("gru before replace", "three residual layers"),
    ("gru before layer norm", "widths"),
}
TABLE = [
    pytest.param(cell, shape, marks=() if (cell, shape) in EVERYDAY else pytest.mark.slow)
    for place, cell in enumerate(CELLS)
    for turn, shape in enumerate(SHAPES)
    # each is compiled: one shape of every cell, in turn; all of them with GATEWISE_FUZZ=1, which takes seven minutes
    if WHOLE_FUZZ or (cell, shape) in EVERYDAY | LONG or (place + turn) % len(SHAPES) == 0
]


def _assert_exported(layer: Recurrent) -> None:
    """Whole sequences, and steps in turns with a second instance, see `gatewise.export.to_c.harness`."""
    source = emit_source(layer_graph(layer))
    compiled = check_source(source, layer_examples(layer), files_of(source))
    assert compiled is not None
    assert compiled.check.greatest < LIMIT
    assert source.has_step != layer.bidirectional
    assert ("step by step, whole" in compiled.check.gaps) == source.has_step
    assert set(STRICT) <= set(compiled.flags)


@needs_compiler
@pytest.mark.parametrize(("cell", "shape"), TABLE)
def test_equals_the_layer(cell: str, shape: str) -> None:
    _assert_exported(layer_of(cell, shape))


@needs_compiler
@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=() if seed < 1 else pytest.mark.slow) for seed in range(30 if WHOLE_FUZZ else 8)]
)
def test_random_layers(seed: int) -> None:
    _assert_exported(random_layer(seed)[0])


@needs_compiler
def test_states_that_are_each_others_old_values() -> None:
    @register_cell("test-export-delayed")
    class Delayed(Cell):
        gates = ("candidate",)
        states = ("hidden", "before", "older")

        def step(self, gates_x, state, weights, recurrent_mask=None):
            hidden, before, older = state
            candidate = torch.tanh(gates_x + self.recurrent(hidden, weights, recurrent_mask) - older)
            return {"candidate": candidate, "hidden": candidate, "before": hidden, "older": before}

    _assert_exported(Recurrent("test-export-delayed", 3, 4, num_layers=2))


@needs_compiler
def test_a_program_that_differs_leaves_no_file(tmp_path: Path) -> None:
    layer = GRU(3, 4)
    examples = layer_examples(layer)
    with torch.no_grad():
        layer.weight_hh_l0[0, 0] += 0.01
    with pytest.raises(ConversionError, match=r"differs from the trained network.*C, trained network: "):
        export_graph(layer_graph(layer), examples, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.skipif(
    shutil.which("aarch64-linux-gnu-gcc") is None or shutil.which("qemu-aarch64") is None,
    reason="no gcc for AArch64, or no qemu-user",
)
@pytest.mark.parametrize("cell", ["gru", "lstm peephole", "own, many operations", "gru layer norm zoneout"])
def test_computes_the_same_on_aarch64(cell: str, tmp_path: Path) -> None:
    layer = layer_of(cell, "two layers, both directions")
    source, examples = emit_source(layer_graph(layer)), layer_examples(layer)
    for name, text in {**files_of(source), "check.c": emit_harness(source)}.items():
        (tmp_path / name).write_text(text)
    flags = (*STRICT, "-O3", "-ffp-contract=fast", "-static")
    compile_program(["aarch64-linux-gnu-gcc"], tmp_path, ["model.c", "check.c"], "check.elf", flags)
    program = tmp_path / "check"
    program.write_text(f'#!/bin/sh\nexec qemu-aarch64 "{tmp_path}/check.elf"\n')
    program.chmod(0o755)
    _, whole, _ = run_harness(program, source, [each.inputs for each in examples])
    found = [row["output"] for row in whole]
    assert relative_gap(found, [each.outputs["output"] for each in examples]) < LIMIT


@needs_compiler
@pytest.mark.parametrize(
    ("written", "instead", "message"),
    [
        ("float cells[42]", "float cells[30]", "another size|ends with an error"),
        ("    return MODEL_OK;", "    return MODEL_BAD_LENGTH;", "exit code 5"),
        ("#include <math.h>", "#include <math.h>\nint unused", "does not compile"),
    ],
)
def test_a_program_that_fails_is_not_handed_out(written: str, instead: str, message: str) -> None:
    layer = GRU(3, 6)
    source = emit_source(layer_graph(layer))
    files = {name: text.replace(written, instead) for name, text in files_of(source).items()}
    assert files != files_of(source)
    with pytest.raises(ConversionError, match=message):
        check_source(source, layer_examples(layer), files)


@needs_compiler
def test_reading_beyond_the_end_is_found() -> None:
    """A mistake that changes no output: only the sanitisers see it."""
    layer = GRU(3, 6)
    source = emit_source(layer_graph(layer))
    compiler = find_compiler()
    assert compiler is not None
    if not sanitises(compiler):
        pytest.skip("the compiler has no sanitisers")
    beyond = source.code.replace(
        "    return MODEL_OK;\n}\n", "    return x[steps * 3] > 1e9f ? MODEL_BAD_TOKEN : MODEL_OK;\n}\n"
    )
    assert beyond.count("steps * 3") == 2
    wrong = beyond.replace("x[steps * 3]", "x[3]", 1)  # in model_step; there is no `steps`
    with pytest.raises(ConversionError, match="AddressSanitizer"):
        check_source(source, layer_examples(layer), {**files_of(source), "model.c": wrong})


@needs_compiler
def test_a_network_outside_the_examples_lengths_is_refused() -> None:
    layer = GRU(3, 4, bidirectional=True)
    graph = layer_graph(layer)
    long = [each for each in layer_examples(layer) if len(each.inputs["x"]) > 5]
    source = emit_source(graph, most=5)
    with pytest.raises(ConversionError, match="at most 5 steps"):
        check_source(source, long, files_of(source))


def test_without_a_compiler_it_says_unchecked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check_module, "find_compiler", lambda: None)
    layer = GRU(3, 4)
    made = export_graph(layer_graph(layer), layer_examples(layer), tmp_path)
    assert made.compiled is None
    assert json.loads((tmp_path / "export.json").read_text())["check"] is None
    assert "**Unchecked**" in (tmp_path / "README.md").read_text()


def test_no_library_but_math_and_no_allocation() -> None:
    for cell in ("gru", "own, many operations"):
        code = emit_source(layer_graph(layer_of(cell, "two layers, both directions"))).code
        included = {line.split()[1] for line in code.splitlines() if line.startswith("#include")}
        assert included == {'"model.h"', "<math.h>"}
        assert "alloc" not in code


def test_the_target_needs_no_torch() -> None:
    code = "import sys, gatewise.export.to_c.export; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_bad_arguments_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OptionError, match="holds something else"):
        gatewise.export.c(GRU(2, 3), tmp_path)
    with pytest.raises(OptionError, match="cannot name functions"):
        gatewise.export.c(GRU(2, 3), tmp_path / "new", name="my-model")
    with pytest.raises(OptionError, match="max-steps"):
        gatewise.export.c(GRU(2, 3), tmp_path / "new", max_steps=0)
    with pytest.raises(OptionError, match="only recurrent layers"):
        gatewise.export.c(torch.nn.GRU(2, 3), tmp_path / "new")  # type: ignore[arg-type]
    assert not (tmp_path / "new").exists()


def test_what_c_cannot_express_is_named() -> None:
    build = GraphBuilder("tags")
    x = build.input("x", "T", 3)
    tags = build.viterbi(x, np.zeros((3, 3)), np.zeros(3), np.zeros(3))
    build.output("found", build.embedding(tags, np.eye(3)))
    with pytest.raises(ConversionError, match=r"tags that are no output.*--to onnx"):
        emit_source(build.graph())


@needs_compiler
def test_an_older_export_is_replaced_and_one_to_onnx_is_not(tmp_path: Path) -> None:
    gatewise.export.c(GRU(2, 3), tmp_path / "out")
    made = gatewise.export.c(LSTM(2, 3), tmp_path / "out")
    assert set(made.files) == {"model.c", "model.h"}
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "export.json").write_text('{"target": "onnx"}')
    with pytest.raises(OptionError, match="holds something else"):
        gatewise.export.c(GRU(2, 3), tmp_path / "onnx")


@needs_compiler
def test_values_far_from_zero_and_nan() -> None:
    """Activations beyond their range: own exponentials are clamped, NaN goes on."""
    build = GraphBuilder("activations")
    x = build.input("x", "T", 6)
    names = ("tanh", "sigmoid", "softplus", "log_sigmoid", "relu", "softmax", "log_softmax", "sign")
    for name in names:
        build.output(name, build.apply(name, x))
    graph = build.graph()
    rows = [np.linspace(-6, 6, 60), np.array([-1e4, -90, -88, 88, 90, 1e4] * 5), np.geomspace(1e-6, 1e-1, 30)]
    examples = []
    for row in rows:
        inputs = {"x": row.reshape(-1, 6).astype(np.float32)}
        found = Interpreter(graph).run([inputs])
        examples.append(Example(inputs, {name: found[name][0] for name in names}))
    source = emit_source(graph)
    compiled = check_source(source, examples, files_of(source))
    assert compiled is not None and compiled.check.greatest < 5e-7
