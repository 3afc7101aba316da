"""A kind in one folder outside the package trains, compares, reports, predicts, evaluates, exports and serves."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fresh_processes import fresh

HERE = Path(__file__).parent
SERVED = """
import json, numpy
from pathlib import Path
from gatewise import Client
from gatewise.serving.application import Service
from gatewise.serving.log import Log
from gatewise.serving.running import running
walks = numpy.load("new.npz")["x"][:2, :, None].tolist()
service = Service({"run": Path("run")}, b"k" * 32, log=Log(on=False))
with running(service.app, stopping=service.stopping) as url:
    answers = Client(url).predict(walks)
    with Client(url).stream() as stream:
        stream.send(values=walks[0][:5])
        last = stream.send(values=walks[0][5:])
print(json.dumps([each["prediction"] for each in (*answers, *last)]))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as pip would leave it: one module, and its entry point."""
    folder = tmp_path_factory.mktemp("outside")
    package = folder / "site" / "crossings_kind"
    package.mkdir(parents=True)
    shutil.copy(HERE / "crossings.py", package / "__init__.py")
    info = folder / "site" / "crossings_kind-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: crossings-kind\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[gatewise.kinds]\nregression = crossings_kind:KIND\n")
    walks = np.random.default_rng(0).normal(size=(300, 12)).cumsum(axis=1).astype(np.float32)
    crossings = (np.diff(np.sign(walks), axis=1) != 0).sum(axis=1)
    np.savez(folder / "walks.npz", x=walks, y=crossings)
    np.savez(folder / "bare.npz", x=walks[:3])
    np.savez(folder / "new.npz", x=walks[:20], y=crossings[:20])
    np.savez(folder / "wide.npz", x=np.zeros((20, 12, 3)), y=np.zeros(20))
    return folder


def gatewise(place: Path, *words: str, fails: bool = False, light: bool = False) -> str:
    return python(place, "-m", "gatewise", *words, fails=fails, light=light)


def python(place: Path, *words: str, fails: bool = False, light: bool = False) -> str:
    """Standard output of a process, or where it fails standard error; a light one loads no large library."""
    paths = [str(place / "site"), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    if light:
        done = subprocess.run([sys.executable, *words], cwd=place, env=environment, capture_output=True, text=True)
    else:
        done = fresh(list(words), place, environment)
    assert (done.returncode == 2) if fails else (done.returncode == 0), done.stderr + done.stdout
    return done.stderr if fails else done.stdout


def test_it_is_found_and_its_settings_are_flags(place: Path) -> None:
    output = gatewise(place, "compare", "--help", light=True)
    assert "regression" in output
    code = (
        "import sys; from gatewise.cli import main\n"
        "try:\n main(['--help'])\n"
        "finally:\n assert 'torch' not in sys.modules"
    )
    paths = os.pathsep.join([str(place / "site"), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": paths}, capture_output=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_train_predict_evaluate_inspect(place: Path) -> None:
    flags = ("--cell", "lstm", "--hidden", "12", "--epochs", "3", "--threads", "1", "--out", "run")
    output = gatewise(place, "train", "walks.npz", *flags)
    assert "test mean squared error" in output and "gatewise inspect run" in output
    answers = [json.loads(line) for line in gatewise(place, "predict", "run", "--file", "new.npz").splitlines()]
    assert len(answers) == 20 and all(len(row) == 1 for row in answers)
    served = json.loads(python(place, "-c", SERVED))
    assert np.array(served) == pytest.approx(np.array([*answers[:2], answers[0]]), abs=1e-5)
    figures = json.loads(gatewise(place, "evaluate", "run", "new.npz"))
    truth = np.load(place / "new.npz")["y"]
    assert figures["mean_squared_error"] == pytest.approx(np.mean((np.array(answers)[:, 0] - truth) ** 2), rel=1e-3)
    assert len(gatewise(place, "predict", "run", "--file", "bare.npz").splitlines()) == 3
    assert "no target for each" in gatewise(place, "evaluate", "run", "bare.npz", fails=True)
    assert "LSTM, trained" in gatewise(place, "inspect", "run", "--steps", "8", "--sequences", "4")
    words = gatewise(place, "explain", "run", "new.npz:3", "--parallel")
    assert "column 1" in words and "answer " in words and "Lyapunov exponent" in words
    record = json.loads(gatewise(place, "explain", "run", "--example", "2", "--json"))
    assert (
        len(record["reasons"]["values"]) == 12 and record["reasons"]["baseline"] == "the training mean of each column"
    )
    assert "no sequence 99" in gatewise(place, "explain", "run", "new.npz:99", fails=True)
    assert "Checked on 63 test examples" in gatewise(place, "export", "run", "--out", "exported")
    error = gatewise(place, "predict", "exported", "--file", "new.npz", fails=True)
    assert "does not go with exported models of regression" in error
    error = gatewise(place, "predict", "run", "--file", "wide.npz", fails=True)
    assert "another width" in error and "Traceback" not in error


@pytest.mark.slow
def test_compare_and_report_in_processes(place: Path) -> None:
    flags = ("--cells", "rnn,gru", "--seeds", "1", "--jobs", "2", "--epochs", "2", "--hidden", "8", "--threads", "1")
    output = gatewise(place, "compare", "walks.npz", *flags, "--out", "study")
    assert "Average" in output and "mean squared error" in output
    record = json.loads((place / "study" / "comparison.json").read_text())
    assert record["task"] == "regression" and {model["name"] for model in record["models"]} == {"average", "rnn", "gru"}
    assert all(model["cost"]["step_p50"] for model in record["models"] if model["kind"] == "recurrent")
    again = gatewise(place, "compare", "walks.npz", *flags, "--out", "study")
    assert "mean squared error" in again
    page = (place / "study" / "report.html").read_text()
    assert "Average" in page and "walks.npz" in page
    gatewise(place, "report", "study", "--format", "markdown")
    assert "GRU" in (place / "study" / "table.md").read_text()


def test_another_settings_of_a_kind_is_refused(place: Path) -> None:
    error = gatewise(place, "train", "walks.npz", "--pooling", "mean", "--out", "x", fails=True, light=True)
    assert "--pooling does not go with regression" in error


@pytest.mark.slow
def test_a_kind_that_is_not_installed_comes_with_an_import(place: Path, tmp_path: Path) -> None:
    """Registered by a module in the present folder: with `--import` everything works, without it the error says so."""
    shutil.copy(place / "walks.npz", tmp_path / "walks.npz")
    shutil.copy(place / "new.npz", tmp_path / "new.npz")
    code = (HERE / "crossings.py").read_text().replace('= "regression", ', '= "walking", ')
    assert "walking" in code
    (tmp_path / "walking_kind.py").write_text(
        code + "\nfrom gatewise.training import register_kind\n\nregister_kind(KIND)\n"
    )

    def called(*words: str, code: int = 0) -> str:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        done = fresh(["-m", "gatewise", *words], tmp_path, environment)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    flags = ("--cell", "gru", "--hidden", "8", "--epochs", "1", "--threads", "1", "--out", "run")
    called("train", "walks.npz", "--import", "walking_kind", *flags)
    assert len(called("predict", "run", "--file", "new.npz", "--import", "walking_kind").splitlines()) == 20
    error = called("predict", "run", "--file", "new.npz", code=2)
    assert "'walking', which is not installed here" in error and "--import MODULE" in error
    sizes = json.loads((tmp_path / "run" / "sizes.json").read_text())
    (tmp_path / "run" / "sizes.json").write_text(json.dumps({**sizes, "format_version": 9}))
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    (tmp_path / "run" / "result.json").write_text(json.dumps({**result, "checksums": {}}))
    error = called("predict", "run", "--file", "new.npz", "--import", "walking_kind", code=2)
    assert "sizes.json is from a newer Gatewise" in error and "format 1 or older" in error
