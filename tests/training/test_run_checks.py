"""A run is refused where it was changed, holds NaN, is trained in twice, or needs more than the machine has."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import safetensors.torch

from gatewise.errors import OptionError, RunError
from gatewise.training import kind_of, load_run, train_run
from gatewise.training.assembly import make_spec
from gatewise.training.checks import MANY_THREADS, usable_cores
from gatewise.training.locking import RUN_LOCK, hold_training
from gatewise.training.memory import usable_memory
from gatewise.training.run_folder import RunFolder
from gatewise.training.run_spec import RunSpec
from small_data import SETTINGS, write_reviews


def _spec(place: Path, **given: object) -> RunSpec:
    settings = {**SETTINGS, "epochs": 1, "cell": "gru", "text": "review", "label": "mood", **given}
    return make_spec("classification", str(write_reviews(place / "reviews.csv", 80)), settings)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("trained")
    spec = _spec(place)
    train_run(spec, kind_of(spec.task).load(spec.data), place / "run")
    return place / "run"


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def test_every_file_has_a_checksum(run: Path) -> None:
    sums = json.loads((run / "result.json").read_text())["checksums"]
    assert set(sums) == {path.name for path in run.iterdir()} - {"result.json"}
    load_run(run)


def test_swapped_label_names_are_refused(run: Path) -> None:
    place = run / "vocabulary.json"
    record = json.loads(place.read_text())
    record["label_names"].reverse()
    place.write_text(json.dumps(record))
    with pytest.raises(RunError, match=r"vocabulary\.json was changed after the training"):
        load_run(run)


@pytest.mark.parametrize("name", ["best.safetensors", "metrics.jsonl", "environment.json", "vocabulary.json"])
def test_one_changed_byte_is_refused_and_named(name: str, run: Path) -> None:
    content = bytearray((run / name).read_bytes())
    content[-3] ^= 1
    (run / name).write_bytes(content)
    with pytest.raises(RunError, match=name.replace(".", r"\.")):
        load_run(run)


def test_a_run_without_checksums_still_opens(run: Path) -> None:
    record = json.loads((run / "result.json").read_text())
    del record["checksums"]
    (run / "result.json").write_text(json.dumps(record))
    assert len(load_run(run).predict(["a film"])) == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_weights_that_are_no_numbers_are_refused(value: float, run: Path) -> None:
    """Also where the checksum fits: of an older run, or one written so."""
    tensors = safetensors.torch.load_file(run / "best.safetensors")
    name = max(tensors)
    tensors[name].view(-1)[0] = value
    (run / "best.safetensors").write_bytes(safetensors.torch.save(tensors))
    record = json.loads((run / "result.json").read_text())
    del record["checksums"]
    (run / "result.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match=r"no numbers.*NaN or infinity in"):
        load_run(run)


def test_two_trainings_in_one_folder_are_refused(tmp_path: Path) -> None:
    spec = _spec(tmp_path)
    data, folder = kind_of(spec.task).load(spec.data), tmp_path / "run"
    folder.mkdir()
    with hold_training(folder), pytest.raises(RunError, match=r"another training is running in .*run.*process"):
        train_run(spec, data, folder)
    assert train_run(spec, data, folder).stopped == "epochs"
    assert not list(folder.glob(RUN_LOCK + "*"))


@pytest.mark.slow
def test_the_lock_of_a_killed_process_blocks_nobody(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from gatewise.training.locking import hold_training\n"
        f"with hold_training(Path({str(tmp_path)!r})):\n    print('held', flush=True); time.sleep(60)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    with pytest.raises(RunError, match=f"process {process.pid}"), hold_training(tmp_path):
        pass
    process.kill()
    process.communicate(timeout=30)
    assert (tmp_path / RUN_LOCK).exists()
    with hold_training(tmp_path):
        pass


@pytest.mark.parametrize("size", [200_000, 1_000_000, 100_000_000])
def test_a_network_larger_than_the_memory_is_refused_before_it_is_used(size: int, tmp_path: Path) -> None:
    if (room := usable_memory()) is None or room > 4 * 4 * 3 * 200_000**2:
        pytest.skip("this machine has room for it, or does not say")
    spec = _spec(tmp_path, hidden_size=size)
    with pytest.raises(OptionError, match="too large for this machine's memory") as caught:
        train_run(spec, kind_of(spec.task).load(spec.data), tmp_path / "run")
    assert f"hidden_size {size:,}" in str(caught.value) and "--hidden-size" in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_more_threads_than_any_machine_needs_are_refused(tmp_path: Path) -> None:
    most = max(usable_cores(), MANY_THREADS)
    with pytest.raises(OptionError, match=f"threads is {most + 1}, but this machine has"):
        _spec(tmp_path, threads=most + 1)
    spec = _spec(tmp_path, threads=most)
    larger = {**spec.to_dict(), "training": {**spec.to_dict()["training"], "threads": 512}}
    assert RunSpec.from_dict(larger).training.threads == 512  # a run of a larger machine opens here


def test_a_kind_that_is_not_installed_is_named(run: Path) -> None:
    record = json.loads((run / "spec.json").read_text())
    record["task"] = "regression-of-walks"
    (run / "spec.json").write_text(json.dumps(record))
    with pytest.raises(RunError, match=r"'regression-of-walks', which is not installed here.*--import"):
        RunFolder(run).spec()
