"""Captioners leave as two models: one that looks at the picture, with convolutions, and one step of writing."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from readmes import printed_by_readme
from torch.nn import functional

from commands import ran
from gatewise.data.subwords import Subwords
from gatewise.errors import ConversionError, RunError
from gatewise.export.gaps import LIMIT
from gatewise.export.graph import Example, GraphBuilder, Interpreter
from gatewise.export.graph.search import search
from gatewise.export.precision import Material, change_of, changed
from gatewise.export.to_c.export import export_graph as export_graph_to_c
from gatewise.export.to_onnx.export import export_graph
from gatewise.export.to_onnx.runtime import OnnxModel
from gatewise.export.to_onnx.writer import OnnxWriter
from gatewise.kinds.captioning.exported import ExportedCaptioner
from gatewise.kinds.captioning.graph import examples_of, graph_of, scores_of
from gatewise.kinds.captioning.look import Look, as_steps
from gatewise.kinds.captioning.network import CaptionNetwork, contours_of
from gatewise.kinds.captioning.pictures import Pictures, tidy
from gatewise.kinds.captioning.spec import CaptionDataSpec
from gatewise.kinds.captioning.trained import TrainedCaptioner
from gatewise.nn.decoding import beam_search

torch.set_num_threads(1)
WAYS: dict[str, dict[str, Any]] = {
    "again, contours": {
        "cell": "gru",
        "contours": 2,
        "coverage": True,
        "direct": False,
        "detection": 1.0,
        "evidence": 0.7,
    },
    "again, additive, odd size": {"cell": "lstm", "attention": "additive", "size": 27},
    "layer, grey": {"cell": "rnn", "feeding": "layer", "colours": 1, "contours": 1, "num_layers": 2},
    "input, as small as places": {"cell": "lstm", "feeding": "input", "size": 8, "tied": False},
    "no attention": {"cell": "gru", "feeding": "output", "attention": "none", "size": 50},
    "no attention, again": {"cell": "minlstm", "feeding": "again", "attention": "none"},
    "own cell": {"cell": "test-export-rich", "feeding": "output", "attention": "additive"},
}
EVERYDAY = ("again, contours",)


def captioner(way: str, seed: int = 0, count: int = 24) -> tuple[TrainedCaptioner, SimpleNamespace]:
    """A network with random weights, and pictures of shades and noise; equal contours of several colours among them."""
    options = {"feeding": "again", "attention": "multiplicative", "size": 16, "colours": 3, "tied": True, **WAYS[way]}
    size, colours = options.pop("size"), options.pop("colours")
    chance = np.random.default_rng(seed)
    pixels = chance.integers(0, 7, (count, colours, size, size)) + chance.integers(0, 249, (count, colours, 1, 1))
    words = ["a", "red", "dog", "runs", "under", "trees", "Straße", "läuft", "and", "."]
    texts = tuple(tuple(" ".join(chance.choice(words, chance.integers(1, 7))) for _ in range(2)) for _ in range(count))
    part = Pictures(pixels.astype(np.uint8), texts, tuple(f"{number}.png" for number in range(count)))
    subwords = Subwords.fit([text for each in texts for text in each], 280)
    look = Look(colours, size, 0.4, 0.23, 12)
    torch.manual_seed(seed)
    fixed = {"dropout": 0.1, "label_smoothing": 0.0, "mean": look.mean, "spread": look.spread, "channels": 3}
    model = CaptionNetwork(len(subwords), colours, size, hidden_size=9, embedding_size=7, **fixed, **options)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    spec = SimpleNamespace(
        task="captioning", data=CaptionDataSpec("own"), model=SimpleNamespace(beam=3, length_power=0.8)
    )
    trained = TrainedCaptioner(spec, subwords, look, model)  # type: ignore[arg-type]
    return trained, SimpleNamespace(test=part, train=part, metric="chrf")


@pytest.mark.parametrize("way", [pytest.param(way, marks=() if way in EVERYDAY else pytest.mark.slow) for way in WAYS])
def test_a_captioner_leaves_as_two_models(way: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained, dataset = captioner(way)
    monkeypatch.setattr("gatewise.kinds.captioning.trained._model_spec", lambda spec: spec.model)
    made = export_graph(graph_of(trained), examples_of(trained, dataset, 15), tmp_path / "out")
    assert set(made.files) == {"encoder.onnx", "decoder.onnx"} and made.check.examples == 15
    assert made.check.greatest < LIMIT and "what is written" in made.check.gaps and made.no_step is None
    exported = ExportedCaptioner(OnnxWriter(tmp_path / "out" / "encoder.onnx"))
    pixels = dataset.test.pixels[:12]
    for beam in (1, None, 5):
        expected = trained.caption(pixels, beam=beam)
        assert exported.caption(pixels, beam=beam) == expected and len(set(expected)) > 2
    assert exported.caption(pixels[3:4]) == trained.caption(pixels[3:4])
    _check_program(exported, tmp_path)
    assert ("evidence" in exported.model.metadata) == (way == "again, contours")
    if way == "again, contours":
        trained.model.evidence = 0.0
        assert exported.caption(pixels) != trained.caption(pixels)
    maps = trained.attention(pixels[0], "a red dog"), exported.attention(pixels[0], "a red dog")
    assert (maps[0] is None) == (maps[1] is None) == (trained.model.attention is None)
    if maps[0] is not None and maps[1] is not None:
        assert maps[0].words == maps[1].words
        np.testing.assert_allclose(maps[1].weights, maps[0].weights, atol=1e-5)
        assert np.ptp(maps[0].weights) > 0.01
    said = exported.model.metadata["preprocessing"]
    assert f"{trained.look.size} x {trained.look.size}" in said and ("grey" in said) == (trained.look.colours == 1)


def _check_program(exported: ExportedCaptioner, folder: Path) -> None:
    """The program of the README writes the same of pictures of all forms, with Pillow besides onnxruntime and numpy."""
    chance = np.random.default_rng(3)
    noise = chance.integers(0, 256, (70, 41, 4)).astype(np.uint8)
    forms = {
        "wide.png": Image.fromarray(noise[:, :, :3].transpose(1, 0, 2).copy()),
        "clear.png": Image.fromarray(noise),
        "grey.png": Image.fromarray(noise[:, :, 0]),
        "few.gif": Image.fromarray(noise[:, :, :3]).quantize(9),
        "photograph.jpg": Image.fromarray(np.repeat(np.repeat(noise[:, :, :3], 9, axis=0), 9, axis=1)),
    }
    turned = Image.Exif()
    turned[0x0112] = 6
    for name, picture in forms.items():
        picture.save(folder / name, **({"exif": turned} if name.endswith("jpg") else {}))
    told = printed_by_readme(folder / "out", *(folder / name for name in forms)).splitlines()
    pixels = np.stack([exported.read(folder / name, name) for name in forms])
    expected = exported.caption(pixels)
    assert [json.loads(line)["caption"] for line in told] == expected and len(set(expected)) > 1


def test_the_nodes_of_pictures_are_those_of_torch(tmp_path: Path) -> None:
    """Convolution, group norm, pooling in windows that overlap or leave a rest, means at the edges, and contours."""
    chance = np.random.default_rng(1)
    build, shape = GraphBuilder("pictures"), (6, 5)
    x = build.input("x", 30, 4)
    kernel, weight, bias = chance.normal(size=(6, 4, 3, 3)), chance.normal(size=6), chance.normal(size=6)
    repeated = build.grid_convolution(x, kernel, shape, "k.repeated", repeated=True)
    values = build.grid_convolution(x, kernel, shape, "k.zero")
    normal = build.apply("relu", build.grid_norm(values, 2, weight, bias, 1e-5, shape, "k.norm"))
    halves = [(0, 2), (2, 4)]
    places = chance.normal(size=(4, 6))
    build.output("repeated", repeated)
    build.output("halves", build.add_steps(build.grid_max(normal, shape, [*halves], halves), places, "k.places"))
    build.output("regular", build.grid_max(normal, shape, [*halves, (4, 6)], halves))
    build.output("overlapping", build.grid_max(normal, shape, [(0, 4), (2, 6)], [(0, 3), (2, 5)]))
    build.output("mean", build.grid_mean(x, shape, 3))
    graph = build.graph()
    rows = [{"x": chance.normal(size=(30, 4)).astype(np.float32)} for _ in range(3)]
    grid = torch.tensor(np.stack([row["x"] for row in rows])).transpose(1, 2).reshape(3, 4, 6, 5).double()
    zero = functional.conv2d(grid, torch.tensor(kernel, dtype=torch.float32).double(), padding=1)
    padded = functional.pad(grid, (1, 1, 1, 1), mode="replicate")
    scaled = [torch.tensor(each, dtype=torch.float32).double() for each in (weight, bias)]
    wanted = functional.relu(functional.group_norm(zero, 2, *scaled, eps=1e-5))
    expected = {
        "repeated": functional.conv2d(padded, torch.tensor(kernel, dtype=torch.float32).double()),
        "halves": functional.max_pool2d(wanted, 2)[:, :, :2]
        + torch.tensor(places.T.reshape(6, 2, 2), dtype=torch.float32),
        "regular": functional.max_pool2d(wanted, 2),
        "overlapping": torch.stack(
            [wanted[:, :, r : r + 4, c : c + 3].amax(dim=(2, 3)) for r in (0, 2) for c in (0, 2)], 2
        ),
        "mean": functional.avg_pool2d(grid, 3, 1, 1, count_include_pad=False),
    }
    found = Interpreter(graph).run(rows)
    for name, value in expected.items():
        steps = value.flatten(2).transpose(1, 2).numpy()
        np.testing.assert_allclose(np.stack(found[name]), steps, atol=1e-9, err_msg=name)
    examples = [Example(row, {name: found[name][place] for name in found}) for place, row in enumerate(rows)]
    assert export_graph(graph, examples, tmp_path / "out").check.greatest < LIMIT
    with pytest.raises(ConversionError, match="there is no C for convolutions over pictures; fix: use --to onnx"):
        export_graph_to_c(graph, examples, tmp_path / "c")


def test_equal_contours_are_told_apart_by_a_margin_and_not_by_rounding() -> None:
    """In float32 and float64 the same colour's contour is taken, or an export would differ by a sign."""
    pixels = torch.randint(0, 8, (20, 3, 16, 16), generator=torch.Generator().manual_seed(0)) + 100
    single, double = (contours_of((pixels.to(kind) / 255 - 0.41) / 0.237) for kind in (torch.float32, torch.float64))
    assert float((single - double).abs().max()) < 1e-6 and float(double.abs().max()) > 0.1


class Ahead:
    """After the begin a poor end, and a good way that ends two steps later: a beam of one ends too early."""

    def __init__(self) -> None:
        self.table = (-20.0 - 0.1 * np.arange(36).reshape(6, 6)).astype(np.float32)
        for before, after, score in ((3, 2, -0.6), (3, 4, -0.8), (4, 5, -0.01), (5, 2, -0.01)):
            self.table[before, after] = score

    def step(self, tokens, state):  # type: ignore[no-untyped-def]
        scores = self.table[np.asarray(tokens)]
        return (torch.from_numpy(scores) if isinstance(tokens, torch.Tensor) else scores), state

    def select(self, state, rows, examples):  # type: ignore[no-untyped-def]
        return state


@pytest.mark.parametrize("beam", [1, 2, 4])
@pytest.mark.parametrize("thorough", [False, True])
def test_the_thorough_search_is_that_of_torch(beam: int, thorough: bool) -> None:
    chain, limits = Ahead(), np.array([9, 2, 5])
    options = {"begin": 3, "end": 2, "beam": beam, "length_power": 1.0, "thorough": thorough}
    expected = beam_search(chain, None, torch.from_numpy(limits), **options)  # type: ignore[arg-type]
    found = search(chain.step, chain.select, None, limits, **options)  # type: ignore[arg-type]
    for row, each in enumerate(found):
        assert each.tokens.tolist() == expected.tokens[row, : expected.lengths[row]].tolist()
        assert each.score == pytest.approx(float(expected.scores[row]), rel=1e-5)
    if beam == 1:
        assert found[0].tokens.tolist() == []  # greedy never sees the way that begins worse
    if beam == 2:
        assert found[0].tokens.tolist() == [4, 5]


def test_a_captioner_that_computes_something_else_is_not_handed_out(tmp_path: Path) -> None:
    trained, dataset = captioner("again, contours")
    graph, examples = graph_of(trained), examples_of(trained, dataset, 10)
    names = ("reader.convolution1", "reader.contours.norm0.weight", "reader.position", "reader.summary.weight")
    for name in (*names, "detectors.weight"):
        weights = {**graph.weights, name: graph.weights[name].copy()}
        weights[name].flat[::5] += 0.2
        with pytest.raises(ConversionError, match="differs from the trained network"):
            export_graph(replace(graph, weights=weights), examples, tmp_path / "out")
    with pytest.raises(ConversionError, match="networks that write a sequence of their own; fix: use --to onnx"):
        export_graph_to_c(graph, examples, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("evidence", "words"), [(0.7, "greedy search, without the evidence"), (0.0, "greedy search")])
def test_a_smaller_precision_says_how_its_figure_is_searched(evidence: float, words: str) -> None:
    trained, dataset = captioner("again, contours")
    trained.model.evidence = evidence
    examples = examples_of(trained, dataset, 4)
    material = Material("int8", [], examples, lambda outputs: scores_of(trained, dataset, outputs), 9.0)
    change = change_of(material, [each.outputs for each in examples])
    assert change is not None and f"of {words}) on 4 examples" in changed(change)


@pytest.mark.slow
def test_a_smaller_precision_says_what_it_costs(tmp_path: Path) -> None:
    trained, dataset = captioner("again, contours")
    examples = examples_of(trained, dataset, 20)
    whole = export_graph(graph_of(trained), examples, tmp_path / "whole")
    for precision, least in (("int8", 0.3), ("fp16", 0.2)):
        material = Material(precision, [], examples, lambda outputs: scores_of(trained, dataset, outputs), 9.0)
        made = export_graph(graph_of(trained), examples, tmp_path / precision, material=material)
        assert made.rounding is not None and made.rounding.gap is not None and 0 < made.rounding.gap < 0.1
        assert made.check.greatest < LIMIT
        for name, size in made.files.items():
            assert size < (1 - least / 3) * whole.files[name]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("captioner") / "out"
    trained, dataset = captioner("again, contours")
    export_graph(graph_of(trained), examples_of(trained, dataset, 6), folder)
    return folder


def test_the_file_alone_is_enough(exported: Path) -> None:
    """Pixels as they are, in batches of any size: what the documentation shows."""
    trained, dataset = captioner("again, contours")
    model = OnnxModel(exported / "encoder.onnx", form="encoder")
    pixels = dataset.test.pixels[:5]
    fed = pixels.transpose(0, 2, 3, 1).reshape(5, -1, 3).astype(np.float32)
    keys = model.session.run(["keys"], {"picture": fed})[0]
    with torch.no_grad():
        expected = trained.model.read(torch.from_numpy(pixels)).keys.numpy()
    np.testing.assert_allclose(keys, expected, atol=1e-4 * np.abs(expected).max())
    assert np.array_equal(fed[2], as_steps(pixels[2]))
    assert [each["name"] for each in model.described["inputs"]] == ["picture"]


def test_the_commands_use_an_exported_captioner(
    exported: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, dataset = captioner("again, contours")
    monkeypatch.setattr("gatewise.kinds.captioning.trained._model_spec", lambda spec: spec.model)
    folder = tmp_path / "own"
    folder.mkdir()
    names = []
    for number, pixels in enumerate(dataset.test.pixels[:3]):
        names.append(folder / f"{number}.png")
        Image.fromarray(pixels.transpose(1, 2, 0)).save(names[-1])
    expected = trained.caption(dataset.test.pixels[:3])
    for place in (exported, exported / "encoder.onnx", exported / "decoder.onnx", exported / "model.onnx"):
        assert ran(["caption", place, names[0]], capfd)[:2] == (0, expected[0] + "\n")
    code, out, _ = ran(["predict", exported, folder, "--json"], capfd)
    assert code == 0 and [json.loads(line)["caption"] for line in out.splitlines()] == expected
    assert "█" in ran(["caption", exported, names[0], "--attention"], capfd)[1]
    rows = [f"{name.name},{text}" for name, text in zip(names, expected, strict=True)]
    (folder / "captions.csv").write_text("\n".join(["image,caption", *rows]) + "\n", encoding="utf-8")
    code, out, err = ran(["evaluate", exported, folder, "--json"], capfd)
    kept = [text == tidy(text) for text in expected]  # of captions in a table the spaces are single
    assert code == 0 and any(kept) and json.loads(out)["exact"] == pytest.approx(sum(kept) / 3), err
    for words, said in (
        (["translate", exported, "a dog"], "needs a translator"),
        (["caption", exported, folder / "none.png"], "none.png does not exist"),
        (["predict", exported], "there is no picture"),
        (["evaluate", exported, folder / "none"], "does not exist"),
    ):
        code, _, err = ran(words, capfd)
        assert code == 2 and said in " ".join(err.split()) and "Traceback" not in err
    text = exported / "other.onnx"
    text.write_bytes((exported / "decoder.onnx").read_bytes())
    assert "needs a captioner" in ran(["caption", text, names[0]], capfd)[2]
    text.unlink()


def test_writing_captions_needs_no_torch(exported: Path, tmp_path: Path) -> None:
    Image.new("RGB", (20, 10), (200, 30, 30)).save(tmp_path / "a.png")
    code = (
        "import sys\nsys.modules['torch'] = None\nsys.modules['onnx'] = None\nfrom gatewise.cli import main\n"
        f"main({['caption', str(exported), str(tmp_path / 'a.png')]!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout.strip(), done.stderr


def test_damaged_descriptions_are_refused(exported: Path) -> None:
    model = OnnxWriter(exported / "encoder.onnx")
    model.metadata["look"] = {**model.metadata["look"], "size": "wide"}
    with pytest.raises(RunError, match="the model's description is damaged"):
        ExportedCaptioner(model)
