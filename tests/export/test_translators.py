"""Translators leave as two models: one that reads, one step of writing; the search in NumPy is that of torch."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from readmes import printed_by_readme
from test_graph import attending_graph

from commands import ran, refused
from gatewise.data.subwords import Subwords
from gatewise.errors import ConversionError, RunError
from gatewise.export.gaps import LIMIT
from gatewise.export.graph import Example, Graph, Interpreter
from gatewise.export.graph.search import search
from gatewise.export.graph.writing import Memory
from gatewise.export.precision import Material
from gatewise.export.to_c.compiler import find_compiler
from gatewise.export.to_c.export import export_graph as export_graph_to_c
from gatewise.export.to_onnx.export import export_graph
from gatewise.export.to_onnx.writer import OnnxWriter
from gatewise.kinds.translation.exported import ExportedTranslator
from gatewise.kinds.translation.graph import examples_of, graph_of, scores_of
from gatewise.kinds.translation.network import TranslationNetwork
from gatewise.kinds.translation.pairs import SentencePairs
from gatewise.kinds.translation.spec import TranslatorSpec
from gatewise.kinds.translation.trained import TrainedTranslator
from gatewise.nn.decoding import beam_search

torch.set_num_threads(1)
WAYS = {
    "layer": {"cell": "gru"},
    "input, additive, two layers": {"cell": "lstm", "feeding": "input", "attention": "additive", "num_layers": 2},
    "output, no attention": {"cell": "rnn", "feeding": "output", "attention": "none", "tied": False},
    "input, shared, one direction": {"cell": "gru", "feeding": "input", "shared": True, "bidirectional": False},
    "layer, no attention": {"cell": "lstm", "feeding": "layer", "attention": "none", "num_layers": 2},
    "output, additive, own cell": {"cell": "test-export-rich", "feeding": "output", "attention": "additive"},
    "layer, additive": {"cell": "mingru", "feeding": "layer", "attention": "additive", "bidirectional": False},
    "input": {"cell": "minlstm", "feeding": "input", "num_layers": 3},
}
EVERYDAY = ("input, additive, two layers",)


def translator(way: str, seed: int = 0) -> tuple[TrainedTranslator, SimpleNamespace]:
    """A network with random weights, and sentences of made-up words."""
    chance = random.Random(seed)
    words = ["dog", "runs", "a", "two", "men", "under", "trees", "Straße", "läuft", "das", "Haus", "grün", "."]
    sides = [[" ".join(chance.choices(words, k=chance.randrange(1, 9))) for _ in range(40)] for _ in range(2)]
    options = {"feeding": "layer", "attention": "multiplicative", **WAYS[way]}
    source, target = (Subwords.fit(side, 290 + 9 * place) for place, side in enumerate(sides))
    if options.get("shared"):
        target = source
    torch.manual_seed(seed)
    model = TranslationNetwork(len(source), len(target), hidden_size=9, embedding_size=7, **options)  # type: ignore[arg-type]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    data = SimpleNamespace(source_column=None, target_column=None, reverse=False, max_tokens=50, metric="chrf")
    spec = SimpleNamespace(task="translation", data=data, model=TranslatorSpec(beam=3, length_power=0.8))
    trained = TrainedTranslator(spec, source, target, model)  # type: ignore[arg-type]
    part = SentencePairs(tuple(sides[0]), tuple(sides[1]), "here")
    return trained, SimpleNamespace(test=part, train=part, metric="chrf")


@pytest.mark.parametrize("way", [pytest.param(way, marks=() if way in EVERYDAY else pytest.mark.slow) for way in WAYS])
def test_a_translator_leaves_as_two_models(way: str, tmp_path: Path) -> None:
    trained, dataset = translator(way)
    made = export_graph(graph_of(trained), examples_of(trained, dataset, 15), tmp_path / "out")
    assert set(made.files) == {"encoder.onnx", "decoder.onnx"} and made.check.examples == 15
    assert made.check.greatest < LIMIT and "what is written" in made.check.gaps and made.no_step is None
    exported = ExportedTranslator(OnnxWriter(tmp_path / "out" / "encoder.onnx"))
    texts = [*dataset.test.sources[:12], "", "an unknown wörd 中"]
    by_hand = [json.loads(line) for line in printed_by_readme(tmp_path / "out", *texts).splitlines()]
    expected = trained.translate(texts)
    assert by_hand == [{"source": text, "translation": found} for text, found in zip(texts, expected, strict=True)]
    for beam in (1, None, 5):
        expected = trained.translate(texts, beam=beam)
        assert exported.translate(texts, beam=beam) == expected and len(set(expected)) > 8
    maps = trained.attention("a dog runs", "das Haus"), exported.attention("a dog runs", "das Haus")
    assert (maps[0] is None) == ("attention" in WAYS[way] and WAYS[way]["attention"] == "none")
    if maps[0] is None:
        assert maps[1] is None
    else:
        assert maps[1] is not None and maps[0].source == maps[1].source and maps[0].target == maps[1].target
        np.testing.assert_allclose(maps[1].weights, maps[0].weights, atol=1e-5)
        assert np.ptp(maps[0].weights) > 0.01


@pytest.mark.parametrize("target", ["onnx", pytest.param("c", marks=pytest.mark.slow)])
def test_attention_over_the_steps_in_every_target(target: str, tmp_path: Path) -> None:
    graph, chance = attending_graph(), np.random.default_rng(2)
    rows = [{"x": chance.normal(size=(length, 4)).astype(np.float32)} for length in (1, 7, 4)]
    found = Interpreter(graph).run(rows)
    examples = [Example(row, {name: found[name][place] for name in found}) for place, row in enumerate(rows)]
    if target == "onnx" or find_compiler() is None:
        assert export_graph(graph, examples, tmp_path / "onnx").check.greatest < LIMIT
        return
    assert export_graph_to_c(graph, examples, tmp_path / "c", programs=False).compiled.check.greatest < LIMIT  # type: ignore[union-attr]
    small = export_graph_to_c(graph, examples, tmp_path / "small", programs=False, material=Material("int8", rows))
    assert small.rounding is not None and small.rounding.gap is not None and 0 < small.rounding.gap < 0.02
    assert small.compiled is not None and small.compiled.check.limit == 1e-3  # the library's exponential is in it


class Chain:
    """Writes by a table of chances; the state is the number of the example, and how far it is."""

    def __init__(self, table: np.ndarray) -> None:
        self.table = table

    def step(self, tokens, state):
        examples, place = state
        scores = self.table[np.asarray(examples), np.asarray(tokens), place % self.table.shape[2]]
        found = torch.from_numpy(scores) if isinstance(tokens, torch.Tensor) else scores
        return found, (examples, place + 1)

    def select(self, state, rows, examples):
        return state[0][rows], state[1]


@pytest.mark.parametrize("beam", [1, 2, 5, 9])
@pytest.mark.parametrize("power", [0.0, 1.0])
def test_the_search_is_that_of_torch(beam: int, power: float) -> None:
    generator = np.random.default_rng(beam)
    for size in (3, 12):
        table = np.log(generator.dirichlet(np.full(size, 0.4), size=(11, size, 3)) + 1e-9).astype(np.float32)
        limits, chain = generator.integers(1, 9, size=11), Chain(table)
        rows = np.repeat(np.arange(11), beam)
        expected = beam_search(
            chain, (torch.from_numpy(rows), 0), torch.from_numpy(limits), begin=1, end=2, beam=beam, length_power=power
        )
        found = search(chain.step, chain.select, (rows, 0), limits, begin=1, end=2, beam=beam, length_power=power)
        for row, each in enumerate(found):
            assert each.tokens.tolist() == expected.tokens[row, : expected.lengths[row]].tolist()
            assert each.score == pytest.approx(float(expected.scores[row]), rel=1e-5)


def test_a_beam_whose_states_stay_behind_is_not_handed_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Greedy search moves no state between hypotheses, so it writes the same all the while."""
    trained, dataset = translator("layer")
    rows = Memory.rows

    def behind(memory: Memory, places: np.ndarray, *, known: bool = True) -> Memory:
        return rows(memory, places, known=known) if known else memory

    monkeypatch.setattr(Memory, "rows", behind)
    with pytest.raises(ConversionError, match="beam search"):
        export_graph(graph_of(trained), examples_of(trained, dataset, 10), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("translator") / "out"
    trained, dataset = translator("layer")
    export_graph(graph_of(trained), examples_of(trained, dataset, 10), folder)
    return folder


def _changed(graph: Graph, name: str) -> Graph:
    weights = dict(graph.writer.weights)  # type: ignore[union-attr]
    weights[name] = weights[name] + np.float32(0.01)
    return replace(graph, writer=replace(graph.writer, weights=weights))


@pytest.mark.slow  # that of the captioner is its fast sibling
def test_a_model_that_writes_something_else_is_not_handed_out(tmp_path: Path) -> None:
    trained, dataset = translator("layer")
    graph, examples = graph_of(trained), examples_of(trained, dataset, 10)
    for name in ("readout.weight", "upper.weight_hh_l0", "attention.of_values.weight"):
        if name not in graph.writer.weights:  # type: ignore[union-attr]
            continue
        with pytest.raises(ConversionError, match="differs from the trained network"):
            export_graph(_changed(graph, name), examples, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    other = [replace(each, outputs={**each.outputs, "written": each.outputs["written"][:-1]}) for each in examples]
    with pytest.raises(ConversionError, match="what is written"):
        export_graph(graph, other, tmp_path / "out")
    with pytest.raises(ConversionError, match="networks that write a sequence of their own; fix: use --to onnx"):
        export_graph_to_c(graph, examples, tmp_path / "out")
    with pytest.raises(ConversionError, match="no test example"):
        export_graph(graph, [], tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_a_smaller_precision_says_what_it_costs(tmp_path: Path) -> None:
    trained, dataset = translator("layer")
    examples = examples_of(trained, dataset, 20)
    scores = lambda outputs: scores_of(trained, dataset, outputs)  # noqa: E731
    whole = export_graph(graph_of(trained), examples, tmp_path / "whole")
    for precision, least in (("int8", 0.3), ("fp16", 0.2)):
        material = Material(precision, [], examples, scores, 9.0)
        made = export_graph(graph_of(trained), examples, tmp_path / precision, material=material)
        assert made.rounding is not None and made.rounding.change is not None and made.rounding.gap is not None
        assert 0 < made.rounding.gap < 0.05 and made.check.greatest < LIMIT
        before = scores_of(trained, dataset, [each.outputs for each in examples])
        assert made.rounding.change.before == pytest.approx(before[1].of(before[0]))
        for name, size in made.files.items():
            assert size < (1 - least / 2) * whole.files[name]


def _printed(words: list[str | Path], capfd: pytest.CaptureFixture[str]) -> str:
    code, out, err = ran(words, capfd)
    assert code == 0, err
    return out


def test_the_commands_use_an_exported_translator(exported: Path, tmp_path: Path, capfd) -> None:  # type: ignore[no-untyped-def]
    trained, dataset = translator("layer")
    texts = list(dataset.test.sources[:5])
    expected = trained.translate(texts)
    for place in (exported, exported / "encoder.onnx", exported / "decoder.onnx", exported / "model.onnx"):
        assert _printed(["translate", place, *texts], capfd).splitlines() == expected
    assert _printed(["predict", exported, *texts], capfd).splitlines() == expected
    lines = _printed(["translate", exported, texts[0], "--json", "--beam", "1"], capfd)
    assert json.loads(lines) == {"source": texts[0], "translation": trained.translate(texts[:1], beam=1)[0]}
    assert "%" in _printed(["translate", exported, texts[0], "--attention"], capfd)
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("".join(f"{a}\t{b}\n" for a, b in zip(texts, expected, strict=True)))
    found = json.loads(_printed(["evaluate", exported, pairs, "--json"], capfd))
    assert found["sentences"] == 5 and found["chrf"] == 1.0


def test_translating_needs_no_torch(exported: Path) -> None:
    code = (
        "import sys\nsys.modules['torch'] = None\nsys.modules['onnx'] = None\nfrom gatewise.cli import main\n"
        f"main({['translate', str(exported), 'a dog runs']!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout.strip(), done.stderr


def test_files_that_do_not_go_together_are_named(exported: Path, tmp_path: Path, capfd) -> None:  # type: ignore[no-untyped-def]
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "encoder.onnx").write_bytes((exported / "encoder.onnx").read_bytes())
    assert "decoder.onnx cannot be read" in refused(["translate", alone, "a dog"], capfd)
    (alone / "decoder.onnx").write_bytes((exported / "encoder.onnx").read_bytes())
    assert "decoder.onnx is a model that reads expected: a model that writes" in refused(
        ["translate", alone, "a dog"], capfd
    )
    trained, dataset = translator("layer, no attention")
    export_graph(graph_of(trained), examples_of(trained, dataset, 5), tmp_path / "other")
    with pytest.raises(RunError, match="not of one network"):
        OnnxWriter(exported / "encoder.onnx", tmp_path / "other" / "decoder.onnx")
    trained, dataset = translator("layer", seed=1)
    export_graph(graph_of(trained), examples_of(trained, dataset, 5), tmp_path / "twin")
    with pytest.raises(RunError, match="not of one network"):
        OnnxWriter(exported / "encoder.onnx", tmp_path / "twin" / "decoder.onnx")
    (alone / "model.onnx").write_bytes((exported / "encoder.onnx").read_bytes())
    (alone / "encoder.onnx").unlink()
    assert "needs a translator" in refused(["translate", alone / "model.onnx", "a dog"], capfd)
    assert "needs a translator" in refused(["translate", exported / "modle.onnx", "a dog"], capfd)
    assert "modle.onnx cannot be read" in refused(["predict", exported / "modle.onnx", "a dog"], capfd)
    assert "there is no run folder" in refused(["translate", tmp_path / "none", "a dog"], capfd)
