"""Processes that share each batch: what is refused, and launchers that start them for another purpose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from shared_batches import small_spec, train_small

from gatewise.cli import main
from gatewise.comparison import make_plan
from gatewise.errors import OptionError
from gatewise.training import TrainingSpec
from gatewise.training.checks import usable_cores
from gatewise.training.launched import LAUNCHER, _check_same, joined, launched_processes, launched_rank
from gatewise.training.machine import threads_of
from gatewise.training.team import Team
from small_data import FLAGS, write_reviews

# ------------------------------------------------------------------------------------------------ what is refused


def test_more_threads_than_cores_are_refused(tmp_path: Path) -> None:
    cores = usable_cores()
    assert threads_of(TrainingSpec(processes=1)) == cores
    with pytest.raises(OptionError, match=f"{cores + 1} processes of 1 thread are more than this machine's cores"):
        train_small("classes", tmp_path, tmp_path / "run", processes=cores + 1, batch_size=cores + 1, threads=None)
    assert not (tmp_path / "run").exists()
    with pytest.raises(OptionError, match="at most"):
        threads_of(TrainingSpec(processes=cores + 1, batch_size=64, threads=1))


def test_processes_need_rows_and_the_cpu() -> None:
    with pytest.raises(OptionError, match="more processes than a batch has sequences"):
        TrainingSpec(processes=5, batch_size=4)
    with pytest.raises(OptionError, match="share a batch on the CPU alone"):
        TrainingSpec(processes=2, device="cuda")


@pytest.mark.parametrize("given", [{"processes": 2}, {"processes": [1, 2]}, {"grid": ["processes=1,2"]}])
def test_a_comparison_refuses_processes(given: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=r"--jobs N"):
        make_plan("imdb", cells=["gru"], seeds=2, **given)


def test_a_launcher_of_another_number_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert launched_processes() == 1
    _launch(monkeypatch, "0", "3")
    assert launched_processes() == 3
    refused = pytest.raises(OptionError, match=r"another number of processes.*--processes 2.*WORLD_SIZE 3")
    with refused, joined(small_spec("classes", tmp_path, processes=2), ""):
        pass
    with joined(small_spec("classes", tmp_path), "") as team:  # a training of one process stays one
        assert team is None


def _launch(monkeypatch: pytest.MonkeyPatch, rank: str, processes: str) -> None:
    for name, value in zip(LAUNCHER, (rank, processes, "127.0.0.1", "1"), strict=True):
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("rank", "processes", "message"),
    [
        ("0", "many", "WORLD_SIZE is no number"),
        ("0", "0", "WORLD_SIZE is out of range"),
        ("first", "2", "RANK is no number; expected: the number of this process, from 0 to 1; got: first"),
        ("2", "2", "RANK is out of range; expected: the number of this process, from 0 to 1; got: 2"),
        ("-1", "2", "RANK is out of range"),
    ],
)
def test_a_launchers_numbers_are_checked(
    monkeypatch: pytest.MonkeyPatch, rank: str, processes: str, message: str
) -> None:
    _launch(monkeypatch, rank, processes)
    with pytest.raises(OptionError, match=f"{message}.*fix: unset WORLD_SIZE and RANK, or start with torchrun"):
        launched_rank()


# ---------------------------------------------------------------------------------- a launcher with another purpose


def _command(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(["train", *words])
    said = capsys.readouterr()
    return ended.value.code, " ".join(said.out.split()), " ".join(said.err.split())


def test_launched_with_one_process_each_all_train_and_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a sweep over seeds by torchrun; RANK 7 of 2 is not even looked at."""
    data = write_reviews(tmp_path / "reviews.csv", rows=80)
    words = [str(data), "--text", "review", "--label", "mood", *FLAGS, "--processes", "1"]
    _launch(monkeypatch, "1", "2")
    code, out, _ = _command([*words, "--out", str(tmp_path / "run")], capsys)
    assert not code and "Reading" in out and "test accuracy" in out
    _launch(monkeypatch, "7", "2")

    def press(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gatewise.cli.train._train", press)
    code, _, errors = _command([*words, "--out", str(tmp_path / "stopped")], capsys)
    assert code == 130 and "Resume with: gatewise train" in errors
    _launch(monkeypatch, "1", "2")  # of processes that train together the first one says so
    code, _, errors = _command([*words[:-2], "--out", str(tmp_path / "stopped")], capsys)
    assert code == 130 and not errors


def test_launched_with_other_options_the_error_names_the_way_to_train_alone(tmp_path: Path) -> None:
    class Seen(Team):
        def __init__(self) -> None:
            self.rank, self.processes = 0, 2

        def gather(self, content: bytes) -> list[bytes]:
            return [content, content.replace(b'"seed": 0', b'"seed": 1')]

    refused = pytest.raises(OptionError, match=r"process 2 of 2 was given other options.*add --processes 1")
    with refused:
        _check_same(Seen(), small_spec("classes", tmp_path, processes=2), "")
    with pytest.raises(OptionError, match=r"on the CPU alone.*fix: --processes 1"):
        TrainingSpec(processes=2, device="cuda:1")
