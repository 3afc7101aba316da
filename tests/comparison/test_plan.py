"""Plans are checked before anything runs, and a folder belongs to one plan."""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path

import pytest

from gatewise.comparison.command import compare_command, train_command
from gatewise.comparison.plan import Plan, claim_folder, make_plan, setting_names
from gatewise.errors import OptionError, RunError, StorageError
from gatewise.training.run_spec import RunSpec
from gatewise.training.spec import ModelSpec, TrainingSpec

PRINT = "f" * 64


def test_runs_are_cells_times_seeds() -> None:
    plan = make_plan("imdb", cells=["lstm", "gru"], seeds=2, seed=5, hidden_size=64, epochs=2)
    assert [run.name for run in plan.runs()] == ["lstm-seed5", "lstm-seed6", "gru-seed5", "gru-seed6"]
    assert {(run.spec.model.hidden_size, run.spec.training.epochs) for run in plan.runs()} == {(64, 2)}


def test_every_setting_of_the_specs_is_accepted() -> None:
    model, training = setting_names()
    values = {name: getattr(ModelSpec(), name) for name in model} | {
        name: getattr(TrainingSpec(), name) for name in training
    }
    assert make_plan("imdb", **values) == make_plan("imdb")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cells": ["gur"]}, "did you mean 'gru'"),
        ({"cells": []}, "no cell is named"),
        ({"cells": ["gru", ""]}, "no cell is named"),
        ({"cells": ["gru", "GRU"]}, "named twice"),
        ({"seeds": 0}, "seeds is out of range"),
        ({"seeds": True}, "seeds is out of range"),
        ({"hidden_size": -1}, "hidden_size is out of range"),
        ({"epochs": 0}, "epochs is out of range"),
        ({"learning_rate": float("nan")}, "learning_rate is out of range"),
        ({"hiddensize": 3}, "did you mean 'hidden_size'"),
        ({"cell": "gru"}, "name the cells with cells="),
        ({"data": " "}, "the data has no name"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        make_plan(**settings)  # type: ignore[arg-type]


def test_a_new_folder_is_claimed_and_known_again(tmp_path: Path) -> None:
    plan = make_plan("imdb", epochs=2)
    assert claim_folder(tmp_path / "a" / "b", plan, PRINT) is False
    assert claim_folder(tmp_path / "a" / "b", plan, PRINT) is True


def test_a_plan_may_grow_but_not_shrink(tmp_path: Path) -> None:
    claim_folder(tmp_path, make_plan("imdb", cells=["gru"], seeds=1), PRINT)
    assert claim_folder(tmp_path, make_plan("imdb", cells=["lstm", "gru"], seeds=3), PRINT)
    with pytest.raises(RunError, match="cells differs"):
        claim_folder(tmp_path, make_plan("imdb", cells=["lstm"], seeds=3), PRINT)
    with pytest.raises(RunError, match="seeds differs"):
        claim_folder(tmp_path, make_plan("imdb", cells=["lstm", "gru"], seeds=2), PRINT)


@pytest.mark.parametrize(
    ("other", "fingerprint", "name"),
    [
        ({"epochs": 9}, PRINT, "epochs"),
        ({"hidden_size": 9}, PRINT, "hidden_size"),
        ({"data": "rotten-tomatoes"}, PRINT, "data"),
        ({}, "e" * 64, "data"),
    ],
)
def test_another_comparison_is_refused(tmp_path: Path, other: dict[str, object], fingerprint: str, name: str) -> None:
    folder = tmp_path / "out"
    claim_folder(folder, make_plan("imdb"), PRINT)
    before = (folder / "plan.json").read_bytes()
    (tmp_path / "out-2").mkdir()
    with pytest.raises(RunError, match=f"holds another comparison: {name} differs.*out-3"):
        claim_folder(folder, make_plan(**other), fingerprint)  # type: ignore[arg-type]
    assert (folder / "plan.json").read_bytes() == before


def test_how_the_data_came_is_no_difference(tmp_path: Path) -> None:
    claim_folder(tmp_path, make_plan("imdb", download=True), PRINT)
    assert claim_folder(tmp_path, make_plan("imdb"), PRINT)


@pytest.mark.parametrize(("name", "words"), [("spec.json", "a single run"), ("letter.txt", "other files")])
def test_a_folder_with_something_else_is_refused(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / name).write_text("{}")
    with pytest.raises(RunError, match=words):
        claim_folder(tmp_path, make_plan("imdb"), PRINT)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"format_version": "1"}'])
def test_a_damaged_plan_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(RunError, match="damaged"):
        claim_folder(tmp_path, make_plan("imdb"), PRINT)


def test_a_newer_plan_is_refused(tmp_path: Path) -> None:
    claim_folder(tmp_path, make_plan("imdb"), PRINT)
    record = json.loads((tmp_path / "plan.json").read_text())
    (tmp_path / "plan.json").write_text(json.dumps({**record, "format_version": 2}))
    with pytest.raises(RunError, match="newer"):
        claim_folder(tmp_path, make_plan("imdb"), PRINT)


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        claim_folder(tmp_path / "file" / "out", make_plan("imdb"), PRINT)


def test_the_command_repeats_the_plan() -> None:
    """Reading the command back as the command line does gives the plan again."""
    from typer.testing import CliRunner

    from gatewise.cli import compare as module
    from gatewise.cli.app import app

    plans: list[Plan] = []
    settings = {"hidden_size": 32, "bidirectional": True, "dropout": 0.25, "threads": 1, "seed": 4, "epochs": 7}
    plan = make_plan("my data.csv", cells=["gru", "rnn"], seeds=3, text="a b", label="y", test="t.csv", **settings)
    words = shlex.split(compare_command(plan, Path("out dir")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_compare", lambda plan, folder: plans.append(plan))
        result = CliRunner().invoke(app, words[1:])
    assert result.exit_code == 0, result.output
    assert plans == [plan]
    assert words[-1] == "out dir"


def test_the_command_of_a_run_names_what_is_unusual() -> None:
    spec = RunSpec(model=ModelSpec(cell="rnn", hidden_size=5), training=TrainingSpec(learning_rate=0.01))
    assert train_command(spec, Path("x")) == (
        "gatewise train imdb --cell rnn --hidden-size 5 --learning-rate 0.01 --out x"
    )
    assert dataclasses.asdict(spec)["model"]["hidden_size"] == 5
