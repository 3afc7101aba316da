"""train, predict, evaluate, compare, report and datasets, as a person types them."""

from __future__ import annotations

import io
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from commands import ran, refused
from fresh_processes import fresh
from gatewise.cli import main
from gatewise.record import compact_json
from gatewise.training.trained import load_data, load_run
from made_up_comparison import made_up_record
from measuring_here import measure_here
from small_data import FLAGS, write_reviews

COLUMNS = ["--text", "review", "--label", "mood"]


@pytest.fixture(scope="module")
def reviews(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_reviews(tmp_path_factory.mktemp("data") / "reviews.csv")


@pytest.fixture(scope="module")
def run(reviews: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run") / "lstm run"
    with pytest.raises(SystemExit) as leave:
        main(["train", str(reviews), *COLUMNS, "--cell", "lstm", *FLAGS, "--out", str(folder)])
    assert not leave.value.code
    return folder


def test_predict_says_label_and_probability(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ran(["predict", run, "a wonderful film", "x" * 200], capsys)
    first, second = out.splitlines()
    assert code == 0
    assert first.split()[0] in ("glad", "sad") and first.endswith("%  a wonderful film")
    assert second.endswith("…") and len(second) < 100


def test_predict_as_json_gives_one_line_each(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = ran(["predict", run, "a wonderful film", "dreadful\nplot", "--json"], capsys)
    answers = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and err == "" and len(answers) == 2
    for answer in answers:
        assert set(answer) == {"label", "probability", "probabilities"}
        assert set(answer["probabilities"]) == {"glad", "sad"}
        assert sum(answer["probabilities"].values()) == pytest.approx(1.0, abs=1e-5)
        assert answer["probability"] == max(answer["probabilities"].values())
        assert answer["probabilities"][answer["label"]] == answer["probability"]


def test_predict_reads_files_and_standard_input_alike(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = ["a wonderful film", "a dreadful plot", "ünïcode"]
    file = tmp_path / "texts.txt"
    file.write_text("\n\n".join(texts) + "\n", encoding="utf-8-sig")
    blank = json.dumps(dict.fromkeys(["label", "probability", "probabilities"]))  # every line has an answer
    given = f"\n{blank}\n".join(ran(["predict", run, *texts, "--json"], capsys)[1].splitlines()) + "\n"
    assert ran(["predict", run, "--file", file, "--json"], capsys)[1] == given
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes())))
    assert ran(["predict", run, "--json"], capsys)[1] == given
    for words in (["-", "--json"], ["--json", "-"]):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(file.read_bytes())))
        assert ran(["predict", run, *words], capsys)[1] == given
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"-\n")))
    dash = ran(["predict", run, "--json", "-"], capsys)[1]
    assert ran(["predict", run, "--json", " -"], capsys)[1] == dash and json.loads(dash)
    assert "`-` is standard input, and stands beside texts" in refused(["predict", run, "a text", "-"], capsys)


def test_evaluate_as_json(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write_reviews(tmp_path / "other.csv", rows=50)
    code, out, _ = ran(["evaluate", run, file, *COLUMNS, "--json"], capsys)
    figures = json.loads(out)
    assert code == 0
    assert {"accuracy", "loss", "macro_f1", "f1_per_class", "confusion", "n", "label_names"} <= set(figures)
    assert figures["n"] == 50 == sum(map(sum, figures["confusion"]))
    assert figures["accuracy"] == pytest.approx((figures["confusion"][0][0] + figures["confusion"][1][1]) / 50)


def test_evaluate_without_a_file_measures_the_test_part(
    run: Path, reviews: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = load_run(run)
    expected = trained.test(load_data(run, trained.spec))
    monkeypatch.chdir(tmp_path)
    code, out, _ = ran(["evaluate", run, "--json"], capsys)
    found = json.loads(out)
    assert code == 0 and (found["part"], found["data"]) == ("test", str(reviews))
    assert found["accuracy"] == expected.metrics["accuracy"] and found["examples"] == len(expected.contributions)
    low, high = found["interval"]
    assert low <= found["accuracy"] <= high
    code, out, _ = ran(["evaluate", run], capsys)
    first, *others = out.splitlines()
    assert code == 0 and first.startswith(f"Test part of {reviews}, {found['examples']} texts: accuracy ")
    assert f"{100 * found['accuracy']:.1f} % (95 % interval " in first
    assert f"  log loss: {found['loss']:.4g}" in others
    assert f"  macro-F1: {100 * found['macro_f1']:.1f} %   (mean of the classes' F1, each counting the same)" in others
    glad = found["f1_per_class"]["glad"]
    assert any(line.startswith("  F1 of each class: ") and f"glad {100 * glad:.1f} %" in line for line in others)
    monkeypatch.setenv("COLUMNS", "30")
    code, out, _ = ran(["evaluate", run], capsys)
    assert code == 0 and max(map(len, out.replace(str(reviews), "").splitlines())) <= 30


def test_evaluate_without_a_file_refuses_what_it_cannot_measure(
    run: Path, reviews: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "imdb is a known data set, and not that of the run" in refused(["evaluate", run, "imdb"], capsys)
    assert "--text says how a file is read, and there is none" in refused(["evaluate", run, *COLUMNS], capsys)
    kept = reviews.read_bytes()
    try:
        reviews.write_bytes(kept + b"one more review,glad\n")
        assert "have changed since the training" in refused(["evaluate", run], capsys)
        reviews.unlink()
        assert "reviews.csv" in refused(["evaluate", run], capsys)
    finally:
        reviews.write_bytes(kept)


def test_evaluate_as_a_table(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ran(["evaluate", run, write_reviews(tmp_path / "other.csv", rows=50), *COLUMNS], capsys)
    assert code == 0
    assert "accuracy" in out and "n 50" in out and "glad" in out and "sad" in out


def test_datasets_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = ran(["datasets"], capsys)
    assert code == 0
    assert "imdb" in out and "rotten-tomatoes" in out and "available" in out and "adding  (probe)" in out
    lines = ran(["datasets", "--json"], capsys)[1].splitlines()
    assert {json.loads(line)["name"] for line in lines} >= {"imdb", "rotten-tomatoes"}


@pytest.mark.slow
def test_compare_prints_and_leaves_everything(
    reviews: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    measure_here(monkeypatch)  # the second time, for the recorded command measures
    out = tmp_path / "result"
    code, text, err = ran(
        ["compare", reviews, *COLUMNS, "--cells", "rnn,gru", "--seeds", "1", *FLAGS, "--no-cost", "--out", out], capsys
    )
    assert code == 0 and err == ""
    for words in (
        "reviews.csv",
        "held out",
        "rnn-seed0",
        "Plan: RNN, GRU",
        "interval",
        "TF-IDF",
        "kernel",
        "Not judged: ",
    ):
        assert words in text
    record = json.loads((out / "comparison.json").read_text())
    assert record["verdict"]["headline"] in text
    for name in ("report.html", "curves.png", "curves.svg", "plan.json"):
        assert (out / name).stat().st_size > 0
    (best,) = (out / "runs").glob("gru-seed0-*")
    assert (best / "result.json").stat().st_size > 0
    code, text, _ = ran(shlex.split(record["command"])[1:], capsys)
    assert code == 0 and text.count("reused)") == 3
    code, text, err = ran(["predict", out, "a text"], capsys)
    assert code == 0 and text.endswith("a text\n") and "the best of all runs on the validation part" in err
    given = ran(["predict", best, "a text"], capsys)[1]
    for name in ("gru", "gru-seed0", "runs/gru-seed0"):
        assert ran(["predict", out / name, "a text"], capsys)[:2] == (0, given)


def test_report_draws_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = made_up_record({"baseline": 0.9, "gru": 0.88})
    (tmp_path / "comparison.json").write_text(compact_json(record))
    code, out, _ = ran(["report", tmp_path], capsys)
    assert code == 0 and record.verdict.headline in out
    assert (tmp_path / "report.html").exists() and (tmp_path / "curves.png").exists()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["compare", "train"])
def test_ctrl_c_names_the_command_that_goes_on(command: str, tmp_path: Path) -> None:
    """Stopped in the middle of training, with exit code 130; the command it prints finishes the work."""
    reviews = write_reviews(tmp_path / "reviews.csv")
    cells = ["--cells", "gru"] if command == "compare" else ["--cell", "gru"]
    flags = [*FLAGS, "--epochs", "400", "--patience", "400"]
    words = [sys.executable, "-m", "gatewise", command, str(reviews), *COLUMNS, *cells, *flags]
    process = subprocess.Popen(
        [*words, "--out", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    for line in process.stdout:
        if ("epoch 2/400" if command == "train" else "gru-seed0: ") in line:
            break
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err and "Stopped" in err
    again = next(line.strip() for line in err.splitlines() if line.strip().startswith("gatewise "))
    assert shlex.split(again)[1:3] == [command, str(reviews)]
    assert f"--out {tmp_path / 'out'}" in again
    assert not (tmp_path / "out" / "comparison.json").exists()
    if command == "train":  # going on with a single run is tested with the training loop
        return
    process = subprocess.Popen(
        [sys.executable, "-m", *shlex.split(again)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None
    seen = ""
    for line in process.stdout:
        seen += line
        if "resumed" in line:
            break
    process.kill()
    process.communicate(timeout=60)
    assert "resumed" in seen, seen


@pytest.mark.slow
def test_a_killed_comparison_goes_on_to_the_same_figures(tmp_path: Path) -> None:
    """kill -9 in the middle of the second run, the same command again: as if nothing had happened."""
    reviews = write_reviews(tmp_path / "reviews.csv", rows=600)
    flags = [*FLAGS, "--epochs", "12", "--patience", "12", "--no-cost"]
    words = ["-m", "gatewise", "compare", str(reviews), *COLUMNS, "--cells", "rnn,gru", *flags]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    assert fresh([*words, "--out", str(tmp_path / "whole")], tmp_path).returncode == 0
    process = subprocess.Popen(
        [sys.executable, *words, "--out", str(tmp_path / "killed")], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("gru-seed0: ") and "kernel" in line:
            break
    time.sleep(0.3)
    process.kill()
    process.communicate(timeout=60)
    assert not (tmp_path / "killed" / "comparison.json").exists()
    again = fresh([*words, "--out", str(tmp_path / "killed")], tmp_path)
    assert again.returncode == 0, again.stderr
    assert again.stdout.count("reused") >= 2
    whole, killed = (
        json.loads((tmp_path / name / "comparison.json").read_text())["models"] for name in ("whole", "killed")
    )
    for one, two in zip(whole, killed, strict=True):
        for first, second in zip(one["runs"], two["runs"], strict=True):
            assert first["test"] == second["test"]
            assert first["predictions"] == second["predictions"]
            assert [epoch["training"] for epoch in first["epochs"]] == [epoch["training"] for epoch in second["epochs"]]


def test_what_the_output_cannot_encode_is_escaped():
    code = (
        "import json, typer\nfrom gatewise.cli.app import app, main\n"
        "said = json.dumps('\\N{HEBREW LETTER ALEF}\\xe4\\U0001f600', ensure_ascii=False)\n"
        "app.command('say')(lambda: typer.echo(said))\nmain(['say'])"
    )
    surroundings = {**os.environ, "PYTHONIOENCODING": "latin-1"}
    ran = subprocess.run([sys.executable, "-c", code], env=surroundings, capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == b'"\\u05d0\xe4\\ud83d\\ude00"'
    assert json.loads(ran.stdout.decode("latin-1")) == "\N{HEBREW LETTER ALEF}\xe4\U0001f600"
