"""Runs of every kind: trained, exported by the command, and used without their run folder."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from readmes import printed_by_readme
from trained_runs import RUNS, write_data

from commands import exit_code, refused
from gatewise.export.gaps import LIMIT, relative_gap
from gatewise.export.graph import Interpreter
from gatewise.export.to_c.check import ROUNDED
from gatewise.export.to_onnx.runtime import OnnxModel, OnnxStream
from gatewise.training.trained import load_data, load_run

EVERYDAY = ("reviews", "text", "tags", "direct, everything", "several series", "probe")
NO_STEPS = {"reviews, both directions": "bidirectional", "tags": "bidirectional", "direct": "normalised by the window"}


def _run(words: list[str | Path]) -> None:
    assert exit_code(words) == 0, words


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("runs")
    write_data(place)
    return place


@pytest.fixture(scope="module")
def trained(folder: Path):  # type: ignore[no-untyped-def]
    """Trains and exports a run where it is asked for, once."""

    def made(name: str) -> tuple[Path, Path]:
        run = folder / name.replace(", ", "-").replace(" ", "-")
        out = run.with_name(f"{run.name}-onnx")
        if not out.exists():
            data, words = RUNS[name]
            _run(["train", folder / data if "." in data else data, *words, "--out", run])
            _run(["export", run, "--to", "onnx"])
        return run, out

    return made


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in EVERYDAY else pytest.mark.slow) for name in RUNS]
)
def test_a_run_leaves_as_onnx(name: str, trained) -> None:  # type: ignore[no-untyped-def]
    run, out = trained(name)
    record = json.loads((out / "export.json").read_text())
    assert record["check"]["greatest"] <= LIMIT and record["check"]["examples"] > 0
    if name in NO_STEPS:
        assert NO_STEPS[name] in record["step"]["reason"] and not (out / "step.onnx").exists()
        way_round = "keep the last 12 rows and run the whole window after each new one"
        assert (way_round in record["step"]["reason"]) == (name == "direct")
    # once more from the outside: the file on the disk against the network of the run folder
    network = load_run(run)
    examples = network.graph_examples(load_data(run, network.spec), 12)
    graph, model = network.graph(), OnnxModel(out / "model.onnx")
    if not graph.program:
        said = printed_by_readme(out)
        assert name == "probe" and all(f"{each} (1, " in said for each in graph.outputs)
    rows = [example.inputs for example in examples]
    found, precise = model.run(rows), Interpreter(graph).run(rows)
    for output in graph.outputs:
        expected = [example.outputs[output] for example in examples]
        if found[output][0].dtype == np.int64:
            assert all(np.array_equal(*pair) for pair in zip(found[output], expected, strict=True))
        else:
            assert relative_gap(found[output], expected) < LIMIT
            assert relative_gap(precise[output], expected) < LIMIT
            assert np.ptp(np.concatenate([each.ravel() for each in expected])) > 0  # a constant would prove nothing
    if (out / "step.onnx").exists():
        stream, example = (
            OnnxStream(out / "step.onnx"),
            max(examples, key=lambda each: len(next(iter(each.inputs.values())))),
        )
        for place in range(len(next(iter(example.inputs.values())))):
            last = stream(**{key: [value[place]] for key, value in example.inputs.items()})
        for output, got in last.items():
            expected = example.outputs[output]
            shape = expected.shape[-1]
            flat = expected.reshape(-1, shape)[-1] if output != "forecast" else expected.reshape(-1)
            assert relative_gap([got[0].reshape(flat.shape)], [flat]) < LIMIT


def _printed(words: list[str | Path], capfd: pytest.CaptureFixture[str]) -> str:
    capfd.readouterr()
    _run(words)
    return capfd.readouterr().out


def _numbers(text: str) -> list[float]:
    """The cells of CSV that are numbers; dates and names are none."""
    return [float(word) for word in text.replace(",", " ").split() if re.fullmatch(r"-?[\d.]+(e[-+]\d+)?", word)]


@pytest.mark.parametrize("name", ["reviews", pytest.param("reviews, several labels", marks=pytest.mark.slow)])
def test_texts_are_labelled_alike(name: str, trained, capfd, tmp_path: Path, folder: Path) -> None:  # type: ignore[no-untyped-def]
    run, out = trained(name)
    answers = []
    for place in (run, out / "model.onnx", out):
        lines = _printed(["predict", place, "a wonderful film", "tedious", "--json"], capfd).splitlines()
        answers.append([json.loads(line) for line in lines])
    for other in answers[1:]:
        for first, second in zip(answers[0], other, strict=True):
            assert first.keys() == second.keys()
            assert first["probabilities"] == pytest.approx(second["probabilities"], abs=1e-6)
    # with nothing but the README beside the model, on what is not as tidy
    for text in ("a WONDERFUL<br />film!!!", "don't \u00c9 \U0001f600 <3 tedious " * 30):
        by_hand = json.loads(printed_by_readme(out, text))
        (line,) = _printed(["predict", run, "--json", text], capfd).splitlines()
        answer = json.loads(line)
        assert by_hand.pop("probabilities") == pytest.approx(answer.pop("probabilities"), abs=1e-6)
        assert by_hand.pop("probability", None) == pytest.approx(answer.pop("probability", None), abs=1e-6)
        assert by_hand == answer and by_hand.keys() <= {"label", "labels"}
    table = tmp_path / "labels.csv"
    _run(["predict", out, "--file", folder / "reviews.csv", "--out", table])
    assert len(table.read_text().splitlines()) == 241


def test_words_are_tagged_alike(trained, capfd) -> None:  # type: ignore[no-untyped-def]
    run, out = trained("tags")
    words = ["she went to Bonn .", "Lima B2B 3.5 extraordinarily-long-words-are-cut-in-their-middle ?"]
    first, second = (_printed(["predict", place, *words, "--json"], capfd) for place in (run, out))
    assert first == second and len(first.splitlines()) == 2
    # with nothing but the README beside the model
    assert printed_by_readme(out, *words) == first
    assert '"label": "LOC"' in first


@pytest.mark.parametrize(
    "name", ["text", *(pytest.param(each, marks=pytest.mark.slow) for each in ("text, untied", "text, byte pairs"))]
)
def test_the_next_token_is_the_same(name: str, trained, capfd, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    run, out = trained(name)
    prompt = "the clouds are in the"
    first = json.loads(_printed(["generate", run, "--prompt", prompt, "--next", "10", "--json"], capfd))["tokens"]
    second = json.loads(_printed(["predict", out, prompt, "--json"], capfd))["tokens"]
    for text in (prompt, "don't THE\nsky…"):
        by_hand, told = (json.loads(said) for said in (
            printed_by_readme(out, text), _printed(["predict", out, text, "--json"], capfd)
        ))  # fmt: skip
        assert by_hand["prompt"] == told["prompt"] == text
        assert [each["token"] for each in by_hand["tokens"]] == [each["token"] for each in told["tokens"]]
        chances = [each["probability"] for each in told["tokens"]]
        assert [each["probability"] for each in by_hand["tokens"]] == pytest.approx(chances, abs=1e-6)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{prompt}\n\n"))
    answers = [json.loads(line) for line in _printed(["predict", out, "-", "--json"], capfd).splitlines()]
    assert [each["tokens"] for each in answers] == [second, None]  # an answer for every line, a blank one too
    assert [each["token"] for each in first] == [each["token"] for each in second]
    assert [each["probability"] for each in first] == pytest.approx([each["probability"] for each in second], abs=1e-6)


@pytest.mark.parametrize(
    ("name", "data"),
    [("direct, everything", "series.csv"), ("several series", "groups.csv"),
     pytest.param("recursive", "series.csv", marks=pytest.mark.slow)],
)  # fmt: skip
def test_series_are_continued_alike(name: str, data: str, trained, folder: Path, capfd, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    run, out = trained(name)
    new = tmp_path / "new.csv"
    with (folder / data).open() as stream:
        rows = list(csv.reader(stream))
    if data == "series.csv":  # the last four rows are to be forecast: only what is known of them is there
        rows = [row if place < len(rows) - 4 else [row[0], "", "", "", *row[4:]] for place, row in enumerate(rows)]
    with new.open("w", newline="") as stream:
        csv.writer(stream).writerows(rows)
    first, second = (_printed(["predict", place, "--file", new], capfd) for place in (run, out))
    assert first.splitlines()[0] == second.splitlines()[0] and len(first.splitlines()) == len(second.splitlines()) > 4
    assert _numbers(first) == pytest.approx(_numbers(second), rel=1e-6)
    # with nothing but the README beside the model
    told = json.loads(_printed(["predict", out, "--file", new, "--json"], capfd))["forecasts"]
    by_hand = json.loads(printed_by_readme(out, new))["forecasts"]
    assert [each["series"] for each in by_hand] == [each["series"] for each in told]
    for mine, theirs in zip(by_hand, told, strict=True):
        for number, (one, other) in enumerate(zip(mine["steps"], theirs["steps"], strict=True), start=1):
            assert one.pop("step") == number and other.pop("day")
            assert one == pytest.approx(other, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("reviews", "reviews.csv", ["--text", "review", "--label", "mood"]),
        ("direct, everything", "series.csv", []),
        pytest.param("tags", "tags.conll", [], marks=pytest.mark.slow),
        pytest.param("reviews, several labels", "moods.csv", [], marks=pytest.mark.slow),
        pytest.param("several series", "groups.csv", [], marks=pytest.mark.slow),
    ],
)
def test_files_are_measured_alike(name: str, data: str, words: list[str], trained, folder: Path, capfd) -> None:  # type: ignore[no-untyped-def]
    run, out = trained(name)
    first, second = (
        json.loads(_printed(["evaluate", place, folder / data, *words, "--json"], capfd)) for place in (run, out)
    )
    known = {"in_training", "in_validation", "others"}  # which texts and sentences were trained on, the run alone knows
    assert first.keys() == second.keys()
    for key in first.keys() - (known if "windows" not in first else set()):
        if isinstance(first[key], float):
            assert first[key] == pytest.approx(second[key], rel=1e-5), key
        elif isinstance(first[key], int | str):
            assert first[key] == second[key], key


def test_models_that_cannot_be_measured(trained, folder: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    _, out = trained("text")
    message = refused(["evaluate", out, folder / "text.txt"], capsys)
    assert "`gatewise evaluate` does not go with exported models of language-modelling" in message
    assert "name the run folder" in message
    _, out = trained("reviews")
    assert "does not go with classification" in refused(
        ["evaluate", out, folder / "reviews.csv", "--timezone", "UTC"], capsys
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("reviews", ["a wonderful film"]),
        ("text", ["the clouds"]),
        ("tags", ["to Bonn"]),
        pytest.param("several series", ["--file"], marks=pytest.mark.slow),
    ],
)
def test_prediction_needs_no_torch(name: str, words: list[str], trained, folder: Path) -> None:  # type: ignore[no-untyped-def]
    _, out = trained(name)
    words = [*words, str(folder / "groups.csv")] if words == ["--file"] else words
    code = (
        "import sys\nsys.modules['torch'] = None\nsys.modules['onnx'] = None\nfrom gatewise.cli import main\n"
        f"main({['predict', str(out / 'model.onnx'), *words]!r})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and done.stdout, done.stderr


@pytest.mark.parametrize(
    ("name", "to", "precision"),
    [
        ("reviews", "onnx", "int8"),
        ("probe", "c", "int8"),
        *(
            pytest.param(*each, marks=pytest.mark.slow)
            for each in (("tags", "onnx", "int8"), ("text", "onnx", "fp16"), ("several series", "c", "int8"))
        ),
    ],
)
def test_a_smaller_precision_says_what_it_costs(  # type: ignore[no-untyped-def]
    name: str, to: str, precision: str, trained, tmp_path: Path, capfd
) -> None:
    run, whole = trained(name)
    out = tmp_path / "small"
    printed = _printed(["export", run, "--to", to, "--precision", precision, "--max-loss", "0.5", "--out", out], capfd)
    record = json.loads((out / "export.json").read_text())
    figure = record["rounding"]["figure"]
    limit = ROUNDED if name == "several series" else LIMIT  # it divides by the window's deviation, which is a float's
    assert record["precision"] == precision and record["check"]["greatest"] <= record["check"]["limit"] <= limit
    assert 0 < record["rounding"]["gap"] < 0.1
    assert figure["low"] <= figure["change"] <= figure["high"]
    assert figure["change"] == pytest.approx(figure["after"] - figure["before"])
    assert figure["figure"] == load_run(run).graph_scores(*_outputs(run))[1].name
    # the figure of the trained network is the one of its own test
    network = load_run(run)
    data = load_data(run, network.spec)
    if figure["examples"] == data.sizes["test"]:
        assert figure["before"] == pytest.approx(network.test(data).metrics[figure["figure"]], rel=1e-6)
    assert f"Test figure ({figure['title']})" in printed and "95 % interval" in printed
    if to == "onnx":
        assert (out / "model.onnx").stat().st_size < (whole / "model.onnx").stat().st_size
        model, graph = OnnxModel(out / "model.onnx"), network.graph()
        examples = network.graph_examples(data, 6)
        for output, rows in model.run([each.inputs for each in examples]).items():
            if rows[0].dtype != np.int64:
                gap = relative_gap(rows, [each.outputs[output] for each in examples])
                assert 0 < gap <= record["rounding"]["gap"] * 2 and output in graph.outputs
    if name == "reviews":
        assert json.loads(_printed(["predict", out / "model.onnx", "a fine film", "--json"], capfd))["label"]


def _outputs(run: Path):  # type: ignore[no-untyped-def]
    network = load_run(run)
    data = load_data(run, network.spec)
    return data, [each.outputs for each in network.graph_examples(data, 5)]


def test_precisions_that_are_none(trained, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    run, _ = trained("reviews")
    out = tmp_path / "out"
    assert "--to c has no precision 'fp16'" in refused(["export", run, "--to", "c", "--precision", "fp16"], capsys)
    assert "has no precision 'int9'" in refused(["export", run, "--precision", "int9", "--out", out], capsys)
    loss = ["export", run, "--out", out, "--max-loss"]
    assert "--max-loss goes with --precision" in refused([*loss, "0.1"], capsys)
    assert "--max-loss is out of range" in refused([*loss, "-1", "--precision", "int8"], capsys)
    assert not out.exists()


def test_nothing_of_the_training_machine_is_in_the_file(trained, folder: Path) -> None:  # type: ignore[no-untyped-def]
    for name in ("reviews", "text", "tags", "direct, everything"):
        _, out = trained(name)
        for path in out.iterdir():
            assert str(folder).encode() not in path.read_bytes(), path


def test_what_cannot_be_exported(trained, tmp_path: Path, folder: Path, capsys, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    run, out = trained("reviews")
    target = tmp_path / "out"
    assert "there is no target 'onx'" in refused(["export", run, "--to", "onx", "--out", target], capsys)
    assert "there is no run folder" in refused(["export", tmp_path / "none", "--out", target], capsys)
    assert "not a run folder" in refused(["export", folder / "text.txt", "--out", target], capsys)
    damaged = tmp_path / "damaged"
    shutil.copytree(run, damaged)
    weights = next(damaged.glob("*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-40] + bytes(40))
    assert str(weights.name) in refused(["export", damaged, "--out", target], capsys)
    assert "holds something else" in refused(["export", run, "--out", run], capsys)
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else find(name))
    message = refused(["export", run, "--out", target], capsys)
    assert "onnxruntime is not installed" in message and "pip install 'gatewise[onnx]'" in message
    assert "onnxruntime is not installed" in refused(["predict", out, "a text"], capsys)
    assert not target.exists()


def test_models_that_cannot_predict(trained, tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    _, out = trained("probe")
    assert "does not go with exported models of probe" in refused(["predict", out, "x"], capsys)
    _, out = trained("reviews")
    assert "step.onnx is a model of single steps expected: a model of whole sequences" in refused(
        ["predict", out / "step.onnx", "x"], capsys
    )
    assert "does not go with classification" in refused(["predict", out, "x", "--decimal", ","], capsys)
    assert "cannot be read" in refused(["predict", tmp_path / "none.onnx", "x"], capsys)
    assert "does not exist" in refused(["predict", out, "--file", tmp_path / "none.csv"], capsys)
    (tmp_path / "text.onnx").write_text("no model")
    assert "not a sound ONNX model" in refused(["predict", tmp_path / "text.onnx", "x"], capsys)
