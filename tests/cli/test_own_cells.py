"""A cell of one's own on the command line: its name in any case, and `--import` in every command and every hint."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from fresh_processes import TORCH, fresh

CELL = """
import torch
from gatewise import nn


@nn.register_cell("MyLeaky")
class Leaky(nn.Cell):
    gates = ("candidate",)

    def step(self, gates_x, state, weights, recurrent_mask=None):
        candidate = torch.tanh(gates_x + self.recurrent(state[0], weights, recurrent_mask))
        return {"candidate": candidate, "STATE": 0.9 * state[0] + 0.1 * candidate}
"""
FLAGS = ("--hidden", "8", "--epochs", "1", "--threads", "1")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "my_cells.py").write_text(CELL.replace("STATE", "hidden"))
    (tmp_path / "novel.txt").write_text("the cat sat on the mat . the dog ran to the cat .\n" * 60)
    return tmp_path


def called(folder: Path, *words: str, code: int = 0) -> str:
    done = fresh(["-m", "gatewise", *words], folder, {**os.environ, "OMP_NUM_THREADS": "1"}, TORCH)
    assert done.returncode == code, done.stderr
    return str(done.stdout + done.stderr)


@pytest.mark.slow
def test_the_hint_after_training_opens_the_run_and_so_does_a_command_of_its_kind(folder: Path) -> None:
    said = called(folder, "train", "novel.txt", "--cell", "MyLeaky", "--import", "my_cells", *FLAGS, "--out", "a run")
    hint = next(line for line in said.splitlines() if line.startswith("Use it: gatewise "))
    assert hint.endswith("--import my_cells.py")
    assert called(folder, *shlex.split(hint.removeprefix("Use it: gatewise "))).startswith("once upon a time")
    assert "--import my_cells.py" not in called(folder, "generate", "a run", "--prompt", "the", code=2)
    said = called(folder, "train", "novel.txt", "--cell", "MyLeak", "--import", "my_cells", code=2)
    assert "did you mean 'MyLeaky'?" in said and "--import its module" in said


@pytest.mark.slow
def test_a_comparison_finds_a_cell_in_any_case_and_keeps_its_spelling(folder: Path) -> None:
    words = (
        "compare",
        "novel.txt",
        "--cells",
        "myleaky,GRU",
        "--import",
        "my_cells",
        *FLAGS,
        "--seeds",
        "1",
        "--no-cost",
    )
    said = called(folder, *words, "--out", "result")
    assert "MyLeaky-seed0" in said and "gru-seed0" in said
    assert called(folder, "generate", "result/MyLeaky", "--prompt", "the", "--import", "my_cells")


def test_a_step_without_its_state_is_refused_by_name(folder: Path) -> None:
    (folder / "my_cells.py").write_text(CELL.replace("STATE", "hiden"))
    said = called(folder, "train", "novel.txt", "--cell", "MyLeaky", "--import", "my_cells", *FLAGS, code=2)
    assert "the step of the cell 'MyLeaky' does not return the state 'hidden'" in said and "candidate, hiden" in said
    assert "Traceback" not in said
