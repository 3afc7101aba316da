"""Runs of every kind: trained, exported to C by the command, built with make and used without Gatewise."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from test_runs import _run
from trained_runs import RUNS, write_data

from gatewise.cli import main
from gatewise.export.gaps import LIMIT
from gatewise.export.to_c.compiler import find_compiler
from gatewise.training.trained import load_data, load_run

pytestmark = pytest.mark.skipif(find_compiler() is None or shutil.which("make") is None, reason="no C compiler or make")

TAGS = {name for name in RUNS if name.startswith("tags")}
EVERYDAY = ("reviews", "direct")
NO_STEPS = {
    "reviews, both directions": "bidirectional",
    "direct": "normalised by the window",
    "recursive": "starts where the first one ends",
    "tags": "bidirectional",
    "tags, convolution": "bidirectional",
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory):  # type: ignore[no-untyped-def]
    """Trains and exports a run where it is asked for, once."""
    folder = tmp_path_factory.mktemp("runs")
    write_data(folder)

    def made(name: str) -> tuple[Path, Path]:
        run = folder / name.replace(", ", "-").replace(" ", "-")
        if not run.exists():
            data, words = RUNS[name]
            _run(["train", folder / data if "." in data else data, *words, "--out", run])
            _run(["export", run, "--to", "c", "--name", "net"])
        return run, run.with_name(f"{run.name}-c")

    return made


def _program(out: Path) -> Path:
    subprocess.run(["make", "-s", "-C", out], check=True)
    return out / "program"


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in EVERYDAY else pytest.mark.slow) for name in RUNS],
)
def test_a_run_leaves_as_c(name: str, exported) -> None:  # type: ignore[no-untyped-def]
    _, out = exported(name)
    record = json.loads((out / "export.json").read_text())
    assert record["check"]["greatest"] <= LIMIT and record["check"]["examples"] > 0
    assert {each.name for each in out.iterdir()} >= {"net.c", "net.h", "main.c", "Makefile", "README.md"}
    if name in NO_STEPS:
        assert record["step"]["reason"] and "net_step" not in (out / "net.h").read_text()
        assert ("keep the last" in (out / "README.md").read_text()) == ("past" in (out / "net.h").read_text())
    else:
        assert ("reason" in record["step"]) != ("net_step" in (out / "net.h").read_text())


@pytest.mark.parametrize("name", ["reviews", pytest.param("reviews, both directions", marks=pytest.mark.slow)])
def test_the_program_labels_texts_as_predict_does(
    name: str,
    exported,  # type: ignore[no-untyped-def]
    capfd: pytest.CaptureFixture[str],
) -> None:
    run, out = exported(name)
    texts = ["a good film", "It’s <b>NOT</b> good!!!", "ünknown wörds", "bad " * 60]
    capfd.readouterr()
    _run(["predict", run, *texts])
    expected = [line.split()[:2] for line in capfd.readouterr().out.splitlines()]
    done = subprocess.run([_program(out)], input="\n\n".join(texts).encode(), capture_output=True, check=True)
    lines = done.stdout.decode().splitlines()  # one a line, empty ones as well
    assert [line.split()[:2] for line in lines[::2]] == expected and lines[1::2] == [""] * (len(texts) - 1)
    # as Windows writes it: with a byte order mark, and two signs at the end of a line
    given = "\r\n".join(["good", *texts]).encode("utf-8-sig")
    done = subprocess.run([_program(out)], input=given, capture_output=True, check=True)
    _run(["predict", run, "good"])
    (first,) = capfd.readouterr().out.splitlines()
    assert [line.split()[:2] for line in done.stdout.decode().splitlines()] == [first.split()[:2], *expected]


def test_a_nul_character_does_not_cut_a_line(exported) -> None:  # type: ignore[no-untyped-def]
    run, out = exported("reviews")
    texts = ["a good film\0bad bad bad bad", "a good film", "\0", "bad\rgood"]
    chances = load_run(run).predict_proba(texts)
    assert abs(chances[0] - chances[1]).max() > 1e-3
    done = subprocess.run([_program(out)], input="\r\n".join(texts).encode(), capture_output=True, check=True)
    lines = done.stdout.decode().split("\n")
    shares = [f"{100 * row.max():.1f}" for row in chances]
    assert [line.split()[1] for line in lines[:-1]] == shares
    assert [line.endswith(text) for line, text in zip(lines, texts, strict=False)] == [True] * 4


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TAGS))
def test_the_program_tags_as_predict_does(name: str, exported, capfd: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    run, out = exported(name)
    texts = [
        "she went to Bonn .",
        "Lima B2B 3.5 , extraordinarily-long-words-are-cut-in-their-middle",
        "ÜNÏ Oslo Σσς !",
    ]
    capfd.readouterr()
    _run(["predict", run, *texts, "--json"])
    answers = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    expected = [[f"{word}/{tag}" for word, tag in zip(a["words"], a["tags"], strict=True)] for a in answers]
    assert name != "tags" or len({tag.rpartition("/")[2] for row in expected for tag in row}) > 1
    given = "\n  \n".join(texts).replace(" ", "\t", 1).encode()
    done = subprocess.run([_program(out)], input=given, capture_output=True, check=True)
    lines = done.stdout.decode().splitlines()
    assert [line.split(" ") for line in lines[::2]] == expected and lines[1::2] == [""] * 2
    done = subprocess.run([_program(out)], input=b"a " * 257, capture_output=True, check=False)
    assert done.returncode == 1 and b"line 1 has more than 256 words" in done.stderr
    done = subprocess.run([_program(out)], input=b"a b\nBo\0nn\n", capture_output=True, check=False)
    assert done.returncode == 1 and b"line 2 holds a NUL character" in done.stderr


def test_the_program_forecasts_as_predict_does(exported) -> None:  # type: ignore[no-untyped-def]
    run, out = exported("direct")
    network = load_run(run)
    (example,) = network.graph_examples(load_data(run, network.spec), 1)
    past = example.inputs["past"]
    lines = "\n".join(", ".join(repr(float(value)) for value in row) for row in [past[0], *past])
    done = subprocess.run([_program(out)], input=lines.encode("utf-8-sig"), capture_output=True, check=True)
    first, last = (np.loadtxt(block.splitlines()) for block in done.stdout.decode().strip().split("\n\n"))
    np.testing.assert_allclose(last, example.outputs["forecast"], rtol=1e-5)
    assert not np.allclose(first, last)  # the window moved on


@pytest.mark.slow
def test_the_forecast_is_that_of_the_file(exported) -> None:  # type: ignore[no-untyped-def]
    run, out = exported("direct")
    table = run.parent / "series.csv"
    _run(["predict", run, "--file", table, "--out", run.parent / "forecast.csv"])
    with (run.parent / "forecast.csv").open() as stream:
        expected = np.array([[float(row["a"]), float(row["b"])] for row in csv.DictReader(stream)])
    with table.open() as stream:
        rows = [[row["a"], row["b"], row["wind"]] for row in csv.DictReader(stream)][-12:]
    given = "\n".join(" ".join(row) for row in rows).encode()
    done = subprocess.run([_program(out)], input=given, capture_output=True, check=True)
    np.testing.assert_allclose(np.loadtxt(done.stdout.decode().splitlines()), expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("1 2\n", "line 1: too few"),
        ("1 2 3 4\n", "line 1: too many"),
        ("1 2 3\n1 x 3\n", "line 2: not a number"),
        ("1 2 3\n1 2 3\0\n", "line 2: it holds a NUL"),
    ],
)
def test_the_program_names_the_line_that_it_cannot_read(given: str, message: str, exported) -> None:  # type: ignore[no-untyped-def]
    _, out = exported("direct")
    done = subprocess.run([_program(out)], input=given.encode(), capture_output=True, check=False)
    assert done.returncode == 1 and message in done.stderr.decode()


@pytest.mark.slow
def test_tokens_are_whole_numbers(exported) -> None:  # type: ignore[no-untyped-def]
    _, out = exported("text")
    for given in (b"1.5\n", b"-1\n", b"nan\n", b"1e9\n"):
        done = subprocess.run([_program(out)], input=b"1\n" + given, capture_output=True, check=False)
        assert done.returncode == 1 and b"line 2: a token is a whole number from 0 to" in done.stderr
        assert len(done.stdout.splitlines()) == 1


def test_options_of_c_are_refused_for_onnx(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as leave:
        main(["export", str(tmp_path), "--to", "onnx", "--name", "net"])
    assert leave.value.code == 2 and "--name and --max-steps go with --to c" in capfd.readouterr().err
