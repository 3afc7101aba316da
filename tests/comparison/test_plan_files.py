"""Plans that are written in a TOML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gatewise.comparison.plan.plan import Plan, make_plan
from gatewise.errors import OptionError


def test_a_plan_file_says_the_same_as_the_command(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from gatewise.cli import compare as module
    from gatewise.cli.app import app

    (tmp_path / "plan.toml").write_text(
        'data = "imdb"\ncells = ["gru", "bilstm"]\nseeds = 5\nepochs = 4\njobs = 2\nout = "result"\n'
        "[grid]\nhidden = [64, 128]\nlr = [1e-3, 3e-3]\n"
    )
    caught: list[Any] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_compare", lambda *given: caught.append(given))
        result = CliRunner().invoke(app, ["compare", str(tmp_path / "plan.toml"), "--seeds", "3"])
    assert result.exit_code == 0, result.output
    plan, folder, options, _ = caught[0]
    assert plan == make_plan("imdb", cells="gru,bilstm", seeds=3, epochs=4, grid=["hidden=64,128 lr=1e-3,3e-3"])
    assert folder == tmp_path / "result" and options["jobs"] == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("cells = [", "cannot be read"),
        ('cells = ["gru"]', "does not say which data"),
        ('data = "imdb"\nseds = 3', "did you mean 'seeds'"),
    ],
)
def test_a_plan_file_that_cannot_be_is_refused(tmp_path: Path, content: str, message: str) -> None:
    from gatewise.comparison.plan.plan_file import read_plan_file

    (tmp_path / "plan.toml").write_text(content)
    with pytest.raises(OptionError, match=message):
        read_plan_file(tmp_path / "plan.toml", {})
    with pytest.raises(OptionError, match="there is no plan"):
        read_plan_file(tmp_path / "missing.toml", {})


def test_a_word_of_a_setting_is_no_file_beside_the_plan(tmp_path: Path) -> None:
    from gatewise.comparison.plan.plan_file import read_plan_file

    (tmp_path / "random").write_text("a file of that name")
    (tmp_path / "vectors.txt").write_text("word 1.0")
    for given, read in (("random", "random"), ("vectors.txt", str(tmp_path / "vectors.txt"))):
        (tmp_path / "plan.toml").write_text(f'data = "imdb"\nembeddings = "{given}"\n')
        assert read_plan_file(tmp_path / "plan.toml", {})[1]["embeddings"] == read


@pytest.mark.parametrize(
    ("flags", "seeds", "cells"),
    [([], 3, ("gru",)), (["--seeds", "1"], 1, ("gru",)), (["--cells", "rnn,lstm,gru"], 3, ("rnn", "lstm", "gru"))],
)
def test_an_explicit_option_wins_over_the_plan_file_even_with_its_default_value(
    tmp_path: Path, flags: list[str], seeds: int, cells: tuple[str, ...]
) -> None:
    from typer.testing import CliRunner

    from gatewise.cli import compare as module
    from gatewise.cli.app import app

    (tmp_path / "plan.toml").write_text('data = "imdb"\nseeds = 3\ncells = ["gru"]\n')
    caught: list[Plan] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_compare", lambda plan, folder, options, against: caught.append(plan))
        result = CliRunner().invoke(app, ["compare", str(tmp_path / "plan.toml"), *flags])
    assert result.exit_code == 0, result.output
    assert (len(caught[0].seeds), caught[0].cells) == (seeds, cells)
