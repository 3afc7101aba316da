"""Plans are checked before anything runs, and a folder belongs to one plan."""

from __future__ import annotations

import dataclasses
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from gatewise.comparison.plan.command import compare_command, train_command
from gatewise.comparison.plan.grid import Range
from gatewise.comparison.plan.plan import Plan, make_plan
from gatewise.comparison.run.claim import claim_folder
from gatewise.errors import OptionError, RunError, StorageError
from gatewise.kinds.classification.spec import DataSpec, ModelSpec
from gatewise.training.assembly import setting_fields
from gatewise.training.run_spec import RunSpec
from gatewise.training.spec import TrainingSpec

PRINT = {"None": "f" * 64}
CODE = "c" * 16


def claim(folder: Path, plan: Plan, fingerprint: dict[str, str] = PRINT, code: str = CODE) -> bool:
    return claim_folder(folder, plan, fingerprint=fingerprint, code=code)


def specs(plan: Plan) -> list[RunSpec]:
    return [plan.spec(cell, seed) for cell in plan.cells for seed in plan.seeds]


def test_runs_are_cells_times_seeds() -> None:
    plan = make_plan("imdb", cells=["lstm", "gru"], seeds=2, seed=5, hidden_size=64, epochs=2)
    assert plan.seeds == (5, 6) and plan.trainings == 4
    assert [(spec.model.cell, spec.training.seed) for spec in specs(plan)] == [
        ("lstm", 5),
        ("lstm", 6),
        ("gru", 5),
        ("gru", 6),
    ]
    assert {(spec.model.hidden_size, spec.training.epochs) for spec in specs(plan)} == {(64, 2)}


def test_every_setting_of_the_specs_is_accepted() -> None:
    values = {**setting_fields("classification", "model"), **setting_fields("classification", "training")}
    del values["cell"]
    assert specs(make_plan("imdb", **values)) == specs(make_plan("imdb"))


@pytest.mark.parametrize(
    ("data", "task"),
    [("imdb", "classification"), ("stocks", "forecasting"), ("ptb", "language-modelling"), ("adding", "probe")],
)
def test_every_task_has_a_plan(data: str, task: str) -> None:
    plan = make_plan(data, cells="rnn,gru*2", hidden=32, lr=3e-3)
    assert plan.task == task
    assert {spec.task for spec in specs(plan)} == {task}
    assert [(spec.model.hidden_size, spec.model.num_layers) for spec in specs(plan)] == [(32, 1)] * 3 + [(32, 2)] * 3


def test_variants_are_cells_of_the_plan() -> None:
    plan = make_plan("imdb", cells=["bilstm", "gru*2", "BiGRU*3"], seeds=1)
    shapes = [(spec.model.cell, spec.model.bidirectional, spec.model.num_layers) for spec in specs(plan)]
    assert shapes == [("lstm", True, 1), ("gru", False, 2), ("gru", True, 3)]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cells": ["gur"]}, "did you mean 'gru'"),
        ({"cells": ["bigur"]}, "did you mean 'bigru'"),
        ({"cells": ["gru*0"]}, "has no layer"),
        ({"cells": []}, "no cell is named"),
        ({"cells": ["gru", ""]}, "no cell is named"),
        ({"cells": ["gru", "GRU"]}, "named twice"),
        ({"cells": ["bilstm"], "data": "ptb"}, "does not go with language-modelling"),
        ({"seeds": 0}, "seeds is out of range"),
        ({"seeds": True}, "seeds is out of range"),
        ({"hidden_size": -1}, "hidden_size is out of range"),
        ({"epochs": 0}, "epochs is out of range"),
        ({"learning_rate": float("nan")}, "learning_rate is out of range"),
        ({"hiddensize": 3}, "did you mean 'hidden_size'"),
        ({"cell": "gru"}, "name the cells with cells="),
        ({"data": " "}, "the data has no name"),
        ({"match": "size"}, "there is no match 'size'"),
        ({"hidden_size": [8, 16], "epochs": [1, 2]}, "more than one setting has several values"),
        ({"seed": [1, 2]}, "cannot be the axis"),
        ({"hidden_size": []}, "has no value"),
        ({"imports": ["no_such_module_of_cells"]}, "cannot be imported"),
    ],
)
def test_what_cannot_be_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        make_plan(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"grid": {}}, "the grid is empty"),
        ({"grid": [""]}, "the grid is empty"),
        ({"grid": {"hidden": []}}, "the grid of hidden_size is empty"),
        ({"grid": ["hidden="]}, "the grid of hidden_size is empty"),
        ({"grid": ["hidden"]}, "the grid cannot be read"),
        ({"grid": ["hidden=8 hidden_size=9"]}, "names hidden_size twice"),
        ({"grid": {"hiden_size": [8]}}, "did you mean 'hidden_size'"),
        ({"grid": {"hidden_size": ["wide"]}}, "hidden_size has the wrong type"),
        ({"grid": {"hidden_size": [8, -8]}}, "hidden_size is out of range"),
        ({"grid": {"hidden_size": [8.5]}}, "hidden_size is out of range"),
        ({"grid": {"dropout": [0, 1.5]}}, "dropout is out of range"),
        ({"grid": {"cell": ["gru"]}}, "cell cannot be in the grid"),
        ({"grid": {"seed": [1]}}, "seed cannot be in the grid"),
        ({"grid": {"text": ["a"]}}, "text cannot be in the grid"),
        ({"grid": {"horizon": [1, 2]}}, "horizon does not go with classification"),
        ({"grid": {"hidden_size": [8]}, "hidden_size": 9}, "given once for all runs"),
        ({"grid": {"hidden_size": "8..16"}}, "a grid has no ranges"),
        ({"grid": {"hidden_size": "16..8"}, "search": "tpe", "trials": 3}, "range of hidden_size is empty"),
        ({"grid": {"pooling": "last..mean"}, "search": "tpe", "trials": 3}, "pooling has no range"),
        ({"grid": {"hidden_size": [8]}, "trials": 3, "search": "grid"}, "a grid tries every combination"),
        ({"grid": {"hidden_size": [8]}, "search": "tpe"}, "needs a budget"),
        ({"grid": {"hidden_size": [8]}, "search": "tpe", "trials": 0}, "trials is out of range"),
        ({"search": "annealing"}, "there is no search 'annealing'"),
        ({"search": "grid"}, "nothing to search"),
        ({"trials": 3}, "nothing to search"),
        ({"repeat_tuning": True}, "no search to repeat"),
        ({"cells": ["gru*2"], "grid": {"num_layers": [1, 2]}}, "fixes num_layers"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        make_plan(**settings)


def test_a_grid_is_typed_by_the_spec() -> None:
    plan = make_plan("imdb", grid=["hidden=64,128 lr=1e-3,3e-3", "dropout=0,0.5"], seeds=3)
    assert plan.search is not None
    assert plan.search.space == {"hidden_size": (64, 128), "learning_rate": (1e-3, 3e-3), "dropout": (0.0, 0.5)}
    assert (plan.search.method, plan.search.trials, plan.trainings) == ("grid", 8, 3 * (8 + 3))
    assert plan.search.seed not in plan.seeds
    same = make_plan("imdb", grid={"hidden": [64, 128], "lr": [1e-3, 3e-3], "dropout": [0, 0.5]}, seeds=3)
    assert same == plan


def test_a_repeated_search_counts_one_for_each_seed() -> None:
    plan = make_plan("imdb", grid=["hidden=64,128"], seeds=3, seed=4, repeat_tuning=True)
    assert plan.search is not None and plan.trainings == 3 * 3 * (2 + 1)
    seeds = plan.search.seeds(plan.seeds)
    assert [final for final, _ in seeds] == [4, 5, 6] and not {tuned for _, tuned in seeds} & set(plan.seeds)
    assert plan.to_dict()["search"]["repeat"] is True


def test_a_search_without_a_grid_has_a_default_space() -> None:
    plan = make_plan("imdb", search="tpe", trials=30, dropout=0.1)
    assert plan.search is not None
    assert plan.search.space == {"learning_rate": Range(3e-4, 1e-2), "hidden_size": Range(32, 256)}


def test_one_setting_with_several_values_is_the_axis() -> None:
    plan = make_plan("adding", cells=["rnn", "gru"], length=[200, 100], seeds=2)
    assert plan.axis is not None
    assert (plan.axis.name, plan.points, plan.trainings) == ("length", (100, 200), 8)
    assert plan.spec("gru", 0, point=200).data.length == 200  # type: ignore[union-attr]
    assert make_plan("adding", length=[100]).axis is None


def test_a_new_folder_is_claimed_and_known_again(tmp_path: Path) -> None:
    plan = make_plan("imdb", epochs=2)
    assert claim(tmp_path / "a" / "b", plan) is False
    assert claim(tmp_path / "a" / "b", plan) is True


def test_a_plan_of_before_a_setting_existed_is_continued(tmp_path: Path) -> None:
    claim(tmp_path, make_plan("imdb", embeddings="random"))
    older = json.loads((tmp_path / "plan.json").read_text())
    del older["training"]["processes"], older["model"]["embeddings"]  # older runs started from random embeddings
    (tmp_path / "plan.json").write_text(json.dumps(older))
    with pytest.raises(RunError, match="other embeddings"):
        claim(tmp_path, make_plan("imdb"))
    assert claim(tmp_path, make_plan("imdb", embeddings="random"))


def test_a_plan_may_grow_but_not_shrink(tmp_path: Path) -> None:
    claim(tmp_path, make_plan("imdb", cells=["gru"], seeds=1))
    assert claim(tmp_path, make_plan("imdb", cells=["lstm", "gru"], seeds=3))
    assert claim(tmp_path, make_plan("imdb", cells=["lstm", "gru"], seeds=3, grid=["lr=1e-3,1e-2"]))
    assert claim(tmp_path, make_plan("imdb", cells=["lstm", "gru"], seeds=3, grid=["lr=1e-3,1e-2,3e-2"]))
    with pytest.raises(RunError, match="with other cells"):
        claim(tmp_path, make_plan("imdb", cells=["lstm"], seeds=3))
    with pytest.raises(RunError, match="with other seeds"):
        claim(tmp_path, make_plan("imdb", cells=["lstm", "gru"], seeds=2))


def test_an_axis_may_grow(tmp_path: Path) -> None:
    prints = {"100": "a" * 64, "200": "b" * 64}
    claim(tmp_path, make_plan("adding", length=[100, 200]), prints)
    assert claim(tmp_path, make_plan("adding", length=[100, 200, 400]), {**prints, "400": "c" * 64})
    with pytest.raises(RunError, match="with other axis"):
        claim(tmp_path, make_plan("adding", length=[100, 400]), {**prints, "400": "c" * 64})
    with pytest.raises(RunError, match="with other data"):
        claim(tmp_path, make_plan("adding", length=[100, 200, 400]), {**prints, "100": "d" * 64, "400": "c" * 64})


@pytest.mark.parametrize(
    ("other", "fingerprint", "name"),
    [
        ({"epochs": 9}, PRINT, "epochs"),
        ({"hidden_size": 9}, PRINT, "hidden_size"),
        ({"match": "parameters"}, PRINT, "match"),
        ({"data": "rotten-tomatoes"}, {"None": "e" * 64}, "data"),
        ({}, {"None": "e" * 64}, "data"),
    ],
)
def test_another_comparison_is_refused(
    tmp_path: Path, other: dict[str, Any], fingerprint: dict[str, str], name: str
) -> None:
    folder = tmp_path / "out"
    claim(folder, make_plan("imdb"))
    before = (folder / "plan.json").read_bytes()
    (tmp_path / "out-2").mkdir()
    with pytest.raises(RunError, match=f"holds another comparison, with other {name}.*out-3"):
        claim(folder, make_plan(**other), fingerprint)
    assert (folder / "plan.json").read_bytes() == before


def test_a_setting_that_was_not_given_is_said_so(tmp_path: Path) -> None:
    claim(tmp_path / "out", make_plan("imdb"))
    with pytest.raises(RunError) as refusal:
        claim(tmp_path / "out", make_plan("imdb", epochs=9))
    assert "None" not in str(refusal.value) and "epochs not given" in str(refusal.value)


def test_changed_code_is_refused(tmp_path: Path) -> None:
    claim(tmp_path / "out", make_plan("imdb"))
    with pytest.raises(RunError, match=r"the code that trains changed.*--old-code"):
        claim(tmp_path / "out", make_plan("imdb"), code="d" * 16)


def test_how_the_data_came_is_no_difference(tmp_path: Path) -> None:
    claim(tmp_path, make_plan("imdb", download=True))
    assert claim(tmp_path, make_plan("imdb"))


@pytest.mark.parametrize(("name", "words"), [("spec.json", "a single run"), ("letter.txt", "other files")])
def test_a_folder_with_something_else_is_refused(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / name).write_text("{}")
    with pytest.raises(RunError, match=words):
        claim(tmp_path, make_plan("imdb"))
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"format_version": "1"}'])
def test_a_damaged_plan_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "plan.json").write_text(content)
    with pytest.raises(RunError, match="damaged"):
        claim(tmp_path, make_plan("imdb"))


@pytest.mark.parametrize(("version", "word"), [(3, "newer"), (1, "older")])
def test_a_plan_of_another_version_is_refused(tmp_path: Path, version: int, word: str) -> None:
    claim(tmp_path, make_plan("imdb"))
    record = json.loads((tmp_path / "plan.json").read_text())
    (tmp_path / "plan.json").write_text(json.dumps({**record, "format_version": version}))
    with pytest.raises(RunError, match=word):
        claim(tmp_path, make_plan("imdb"))


def test_a_file_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        claim(tmp_path / "file" / "out", make_plan("imdb"))


@pytest.mark.parametrize(
    "plan",
    [
        make_plan(
            "my data.csv",
            cells=["gru", "bilstm", "rnn*2"],
            seeds=3,
            text="a b",
            label="y",
            test="t.csv",
            hidden_size=32,
            bidirectional=True,
            dropout=0.25,
            threads=1,
            seed=4,
            epochs=7,
        ),
        make_plan("adding", cells=["rnn", "gru"], length=[100, 200], match="parameters"),
        make_plan("ptb", search="tpe", trials=9, grid={"lr": "1e-3..1e-2", "tied": [True, False]}, metric="loss"),
        make_plan("prices.csv", task="forecasting", target="close", horizon=5, grid=["hidden=8,16"]),
        make_plan("imdb", seeds=2, grid=["hidden=8,16"], repeat_tuning=True),
    ],
    ids=["classification", "probe", "language-modelling", "forecasting", "repeated tuning"],
)
def test_the_command_repeats_the_plan(plan: Plan) -> None:
    """Reading the command back as the command line does gives the plan again."""
    from typer.testing import CliRunner

    from gatewise.cli import compare as module
    from gatewise.cli.app import app

    caught: list[tuple[Plan, dict[str, Any]]] = []
    words = shlex.split(compare_command(plan, Path("out dir"), {"jobs": 2, "margin": 0.01, "yes": False}))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_compare", lambda plan, folder, options, against: caught.append((plan, options)))
        result = CliRunner().invoke(app, words[1:])
    assert result.exit_code == 0, result.output
    ((again, options),) = caught
    assert again.to_dict() == plan.to_dict() and specs(again) == specs(plan)
    assert options == {"jobs": 2, "margin": 0.01}
    assert words[-1] == "out dir"


def test_the_command_of_a_run_names_what_is_not_default() -> None:
    spec = RunSpec(DataSpec(), ModelSpec(cell="rnn", hidden_size=5), training=TrainingSpec(learning_rate=0.01))
    assert train_command(spec, Path("x")) == (
        "gatewise train imdb --cell rnn --hidden-size 5 --learning-rate 0.01 --out x"
    )
    assert dataclasses.asdict(spec)["model"]["hidden_size"] == 5
    assert "--import my_cells --hidden-size" in train_command(spec, Path("x"), ["my_cells"])


def test_an_unknown_metric_is_named():
    with pytest.raises(OptionError, match="no metric 'macro_f1'"):
        make_plan("imdb", metric="macro_f1")
    with pytest.raises(OptionError, match="has one metric alone"):
        make_plan("ptb", metric="accuracy")
    with pytest.raises(OptionError, match="nothing to search"):
        make_plan("imdb", metric="loss")


@pytest.mark.parametrize("axis", [{}, {"max_tokens": [10, 20]}])
def test_cells_without_rounded_products_are_refused_before_any_is_trained(axis: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=r"bimingru\*2 and minlstm do not train in bf16; expected: gru, lstm, rnn;"):
        make_plan("imdb", cells=["gru", "bimingru*2", "minlstm"], precision="bf16", **axis)
    with pytest.raises(OptionError, match=r"or --cells lstm$"):
        make_plan("imdb", cells=["lstm", "mingru"], precision="bf16", **axis)
    assert make_plan("imdb", cells=["rnn", "bigru"], precision="bf16", **axis).cells == ("rnn", "bigru")
    assert make_plan("imdb", cells=["mingru"], precision="float32", **axis).cells == ("mingru",)
