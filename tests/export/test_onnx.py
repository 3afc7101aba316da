"""Every layer as ONNX computes in onnxruntime what it computes in torch; nothing else is handed out."""

from __future__ import annotations

import dataclasses
import errno
import importlib.util
import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from export_cases import CELLS, LENGTHS, SHAPES, WHOLE_FUZZ, layer_of, outputs, random_layer, sequences
from readmes import printed_by_readme

import gatewise.export
from gatewise.errors import ConversionError, DataError, OptionError, RunError, StorageError
from gatewise.export.gaps import LIMIT, relative_gap
from gatewise.export.graph import Example, GraphBuilder
from gatewise.export.graph.layers import layer_graph
from gatewise.export.graph.stream import stream_of
from gatewise.export.layers import layer_examples
from gatewise.export.to_onnx.export import export_graph
from gatewise.export.to_onnx.model import step_model, whole_model
from gatewise.export.to_onnx.runtime import OnnxModel, OnnxStream
from gatewise.nn import GRU, LSTM, Recurrent

STANDARD = {cell for cell in CELLS if cell.split()[0] in ("rnn", "lstm", "gru")} - {
    "rnn layer norm",
    "lstm projection",
    "lstm layer norm",
    "lstm zoneout",
    "gru before layer norm",
    "gru layer norm zoneout",
}
EVERYDAY = ("one layer", "two layers, both directions", "three residual layers")
TABLE = [
    pytest.param(cell, shape, marks=() if shape in EVERYDAY else pytest.mark.slow) for cell in CELLS for shape in SHAPES
]


def _operators(model: bytes) -> Counter[str]:
    return Counter(node.op_type for node in onnx.load_from_string(model).graph.node)


def _assert_exported(layer: Recurrent, rows: list[np.ndarray]) -> bytes:
    """The models of a layer give its outputs: ragged together, one by one, step by step."""
    graph, truth = layer_graph(layer), outputs(layer, rows)
    made = whole_model(graph)
    model = OnnxModel(made)
    together = model.run([{"x": row} for row in rows])["output"]
    assert relative_gap(together, truth) < LIMIT
    for row, expected in zip(rows, together, strict=True):
        assert relative_gap(model.run([{"x": row}])["output"], [expected]) < 2e-6
    if not layer.bidirectional:
        stream = OnnxStream(step_model(graph, stream_of(graph)))
        steps = [stream(x=value[None])["output"][0] for value in rows[0]]
        assert relative_gap([np.array(steps)], truth[:1]) < LIMIT
    return made


@pytest.mark.parametrize(("cell", "shape"), TABLE)
def test_equals_the_layer(cell: str, shape: str) -> None:
    layer = layer_of(cell, shape)
    operators = _operators(_assert_exported(layer, sequences(layer)))
    if cell in STANDARD:
        assert operators["Scan"] == 0
        assert operators[CELLS[cell][0].upper()] == layer.num_layers
    else:
        assert operators["Scan"] == layer.num_layers * layer.directions


@pytest.mark.parametrize("seed", range(15))
def test_random_layers(seed: int) -> None:
    layer, rows = random_layer(seed)
    _assert_exported(layer, rows)


@pytest.mark.slow
@pytest.mark.parametrize("hundred", range(10 if WHOLE_FUZZ else 1))
def test_a_thousand_random_layers(hundred: int) -> None:
    """All thousand with GATEWISE_FUZZ=1, which takes seven minutes; a hundred without it."""
    for seed in range(100 * hundred, 100 * hundred + 100):
        layer, rows = random_layer(1_000 + seed)
        try:
            _assert_exported(layer, rows)
        except AssertionError as error:
            raise AssertionError(f"seed {1_000 + seed}: {layer}") from error


def test_batch_and_time_are_free() -> None:
    """One model, any number of sequences of any length: nothing of the export's own examples is fixed in it."""
    layer = layer_of("gru layer norm zoneout", "two layers, both directions")
    model = OnnxModel(whole_model(layer_graph(layer)))
    for lengths in ((1,), (40, 3), (2,) * 17, (9, 9, 1, 30)):
        rows = sequences(layer, lengths)
        assert relative_gap(model.run([{"x": row} for row in rows])["output"], outputs(layer, rows)) < LIMIT


def test_past_the_end_nothing_is_read_and_zero_is_written() -> None:
    layer = layer_of("lstm", "two layers, both directions")
    session = OnnxModel(whole_model(layer_graph(layer))).session
    rows = sequences(layer)
    padded = np.full((len(rows), 9, layer.input_size), 1e30, dtype=np.float32)
    for place, row in enumerate(rows):
        padded[place, : len(row)] = row
    (found,) = session.run(["output"], {"x": padded, "lengths": np.array(LENGTHS, dtype=np.int64)})
    for row, expected in zip(found, outputs(layer, rows), strict=True):
        np.testing.assert_allclose(row[: len(expected)], expected, atol=1e-5)
        assert (row[len(expected) :] == 0).all()


def test_streams_side_by_side_are_streams_alone() -> None:
    layer = layer_of("lstm", "three layers")
    graph = layer_graph(layer)
    made = step_model(graph, stream_of(graph))
    rows = sequences(layer, (6, 6, 6))
    together, alone = OnnxStream(made, batch=3), [OnnxStream(made) for _ in rows]
    for step in range(6):
        both = together(x=np.stack([row[step] for row in rows]))["output"]
        for place, stream in enumerate(alone):
            np.testing.assert_allclose(both[place], stream(x=rows[place][step][None])["output"][0], atol=1e-6)
    kept = dict(alone[0].state)
    first = alone[0](x=rows[0][0][None])["output"]
    alone[0].state = kept
    np.testing.assert_array_equal(alone[0](x=rows[0][0][None])["output"], first)


def test_a_layer_for_a_person_with_torch_alone(tmp_path: Path) -> None:
    """The steps of docs/export.md without any helper of ours: onnxruntime and the file."""
    layer = GRU(4, 8, batch_first=True, bidirectional=True, reset="before")
    made = gatewise.export.onnx(layer, tmp_path / "gru")
    assert made.no_step is not None and "bidirectional" in made.no_step
    assert sorted(path.name for path in made.folder.iterdir()) == ["README.md", "export.json", "model.onnx"]
    assert printed_by_readme(made.folder) == "output (1, 5, 16)\n"
    session = onnxruntime.InferenceSession(str(made.folder / "model.onnx"))
    x = torch.randn(3, 5, 4)
    (found,) = session.run(None, {"x": x.numpy(), "lengths": np.array([5, 2, 4])})
    with torch.no_grad():
        expected, _ = layer.eval()(x, lengths=[5, 2, 4])
    np.testing.assert_allclose(found, expected.numpy(), atol=2e-6)
    record = json.loads((made.folder / "export.json").read_text())
    assert record["check"]["greatest"] < LIMIT and record["operators"] == {"GRU": 1} and record["opset"] == 17


def test_a_second_export_replaces_the_first(tmp_path: Path) -> None:
    gatewise.export.onnx(GRU(2, 3), tmp_path / "out")
    assert (tmp_path / "out" / "step.onnx").exists()
    gatewise.export.onnx(GRU(2, 3, bidirectional=True), tmp_path / "out")
    assert not (tmp_path / "out" / "step.onnx").exists()


@pytest.mark.parametrize("export", [gatewise.export.onnx, gatewise.export.c], ids=["onnx", "c"])
def test_a_full_disk_leaves_no_part_of_an_export(
    export: Callable[..., object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new folder is not there, and an earlier export is as it was."""

    def full(_: int) -> None:
        written.append(1)
        if len(written) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")

    export(GRU(3, 4), tmp_path / "old")
    before = {each.name: each.read_bytes() for each in (tmp_path / "old").iterdir()}
    assert len(before) >= 3
    for folder in (tmp_path / "new", tmp_path / "old"):
        written: list[int] = []
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(StorageError, match="No space left"):
                export(GRU(5, 6), folder)
    assert [each.name for each in tmp_path.iterdir()] == ["old"]
    assert {each.name: each.read_bytes() for each in (tmp_path / "old").iterdir()} == before


def test_what_a_killed_export_left_is_no_other_thing(tmp_path: Path) -> None:
    (tmp_path / ".model.onnx.0a1b2c3d.part").write_bytes(b"half of one")
    gatewise.export.onnx(GRU(3, 4), tmp_path)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["README.md", "export.json", "model.onnx", "step.onnx"]


def test_an_export_to_c_is_not_replaced(tmp_path: Path) -> None:
    """Its record was overwritten by that of the models beside it."""
    out = tmp_path / "out"
    made = gatewise.export.c(GRU(2, 3), out)
    record = (out / "export.json").read_bytes()
    with pytest.raises(OptionError, match=r"out holds something else: an export to C; .*such as .*out-onnx") as found:
        gatewise.export.onnx(GRU(2, 3), out)
    assert str(found.value).count("earlier export to ONNX") == 1
    assert (out / "export.json").read_bytes() == record
    assert {each.name for each in out.iterdir()} == {*made.files, "export.json"}
    gatewise.export.onnx(GRU(2, 3), tmp_path / "onnx")
    with pytest.raises(OptionError, match=r"an export to ONNX.*such as .*onnx-c"):
        gatewise.export.c(GRU(2, 3), tmp_path / "onnx")
    (tmp_path / "onnx" / "export.json").write_text("damaged")
    with pytest.raises(OptionError, match="holds something else"):
        gatewise.export.onnx(GRU(2, 3), tmp_path / "onnx")


def test_a_difference_leaves_no_file(tmp_path: Path) -> None:
    """The examples say something else than the graph: as if the export were wrong."""
    layer = GRU(2, 3)
    examples = layer_examples(layer)
    wrong = [dataclasses.replace(each, outputs={"output": each.outputs["output"] * 1.0001}) for each in examples]
    with pytest.raises(ConversionError, match="differs from the trained network"):
        export_graph(layer_graph(layer), wrong, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    nothing = [Example(each.inputs, {"output": np.full_like(each.outputs["output"], np.nan)}) for each in examples]
    with pytest.raises(ConversionError, match="differs"):
        export_graph(layer_graph(layer), nothing, tmp_path / "out")


def test_without_examples_nothing_is_handed_out(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="no test example"):
        export_graph(layer_graph(GRU(2, 3)), [], tmp_path / "out")


def test_what_is_no_layer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match=r"gatewise\.nn"):
        gatewise.export.onnx(torch.nn.GRU(2, 3), tmp_path / "out")  # type: ignore[arg-type]


def test_a_folder_with_other_things_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("mine")
    with pytest.raises(OptionError, match=r"holds something else.*thesis\.tex"):
        gatewise.export.onnx(GRU(2, 3), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(OptionError, match="is a file"):
        gatewise.export.onnx(GRU(2, 3), tmp_path / "thesis.tex")


@pytest.mark.parametrize("missing", ["onnx", "onnxruntime"])
def test_without_the_extra_the_fix_is_named(missing: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else find(name))
    with pytest.raises(ConversionError, match=rf"^{missing} is not installed; fix: pip install 'gatewise\[onnx\]'"):
        gatewise.export.onnx(GRU(2, 3), tmp_path / "out")


def test_foreign_and_damaged_files(tmp_path: Path) -> None:
    made = whole_model(layer_graph(LSTM(2, 3)))
    with pytest.raises(RunError, match="not a sound ONNX model"):
        OnnxModel(made[: len(made) // 2])
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(RunError, match=r"text\.onnx is not a sound ONNX model"):
        OnnxModel(tmp_path / "text.onnx")
    foreign = onnx.load_from_string(made)
    del foreign.metadata_props[:]
    with pytest.raises(RunError, match="was not exported by Gatewise"):
        OnnxModel(foreign.SerializeToString())
    with pytest.raises(RunError, match="is a model of whole sequences"):
        OnnxStream(made)
    newer = onnx.load_from_string(made)
    newer.metadata_props[0].value = newer.metadata_props[0].value.replace('"format": 1', '"format": 2')
    with pytest.raises(RunError, match="newer"):
        OnnxModel(newer.SerializeToString())


def test_importing_export_loads_nothing_heavy() -> None:
    code = "import sys, gatewise.export\nassert not {'torch', 'onnx', 'onnxruntime', 'numpy'} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_every_operation_of_the_graph() -> None:
    """Each operation by itself, on sequences and vectors, in both precisions where it is asked for."""
    generator = np.random.default_rng(0)
    unary = ("tanh", "sigmoid", "log_sigmoid", "softplus", "relu", "exp", "neg", "abs", "sign", "sin", "cos", "erf",
             "floor", "softmax", "log_softmax", "sum", "mean", "greatest")  # fmt: skip
    binary = ("add", "sub", "mul", "div", "max", "min", "ge", "gt", "le", "lt", "eq", "ne")
    build = GraphBuilder("operations")
    x, v = build.input("x", "T", 4), build.input("v", None, 4)
    for name in unary:
        build.output(name, build.apply(name, x))
    for name in binary:
        build.output(name, build.apply(name, x, v))
    positive = build.apply("add", build.apply("abs", x), 0.5)
    build.output("log", build.apply("log", positive))
    build.output("sqrt", build.apply("sqrt", positive))
    build.output("pow", build.apply("pow", positive, 1.7))
    build.output("where", build.apply("where", build.apply("gt", x, 0.0), build.apply("log", x), x))
    build.output("norm", build.apply("layer_norm", x, build.weight(generator.normal(size=4)), attributes=(1e-5,)))
    build.output("bare norm", build.apply("layer_norm", x, attributes=(1e-5,)))
    build.output("concat", build.apply("concat", v, x, build.weight(generator.normal(size=2))))
    build.output("constant", build.apply("constant", build.weight(generator.normal(size=3))))
    graph = build.graph()
    rows = [
        {"x": generator.normal(size=(length, 4)).astype(np.float32), "v": generator.normal(size=4).astype(np.float32)}
        for length in (3, 1, 5)
    ]
    rows[0]["x"][0] = rows[0]["v"]
    from gatewise.export.graph import Interpreter

    found, expected = OnnxModel(whole_model(graph)).run(rows), Interpreter(graph).run(rows)
    for name in graph.outputs:
        assert relative_gap(found[name], expected[name]) < 2e-6, name


def test_inputs_that_cannot_be(tmp_path: Path) -> None:
    build = GraphBuilder("words")
    build.output("mean", build.pool(build.embedding(build.tokens("tokens", 5), np.ones((5, 2))), "mean"))
    model = OnnxModel(whole_model(build.graph()))
    assert model.run([{"tokens": [4, 0]}])["mean"][0].tolist() == [1.0, 1.0]
    for example, message in (
        ({"tokens": [5]}, "no token; expected: 0 to 4; got: 5"),
        ({"tokens": [-1]}, "no token"),
        ({"tokens": []}, "has no step"),
        ({"words": [1]}, "lacks the input tokens"),
    ):
        with pytest.raises(DataError, match=message):
            model.run([{"tokens": [1]}, example])
    with pytest.raises(DataError, match="no example"):
        model.run([])
