"""Every command of README and docs is one that the command line takes; those of the tours are carried out."""

from __future__ import annotations

import io
import random
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest
import typer.main
from commands_of_docs import NOT_CARRIED_OUT, PAGES, RUN_IN_FULL, Shown, shortened, shown

from gatewise.cli import main
from gatewise.cli.app import app
from gatewise.cli.options import typed_settings
from gatewise.training.assembly import PARTS, make_spec, settings_in
from gatewise.training.recipes import load_recipe
from gatewise.training.registry import kinds, task_of
from measuring_here import measure_here
from small_data import write_reviews
from small_text import write_text_file

BLOCKS, INLINE = shown(), shown(inline=True)
COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
SETTINGS = {name for kind in kinds() for part in PARTS for name in settings_in(kind, part)} - {"cell"}
CITIES = ("Bonn", "Paris", "Oslo", "Rome", "Lima", "Kyiv")


def _name(each: Shown) -> str:
    return f"{each.page}: {each.line}"


def test_there_is_something_to_check() -> None:
    assert len(BLOCKS) >= 40 and len(INLINE) >= 10
    assert {each.words[0] for each in BLOCKS} >= {
        "compare",
        "train",
        "predict",
        "evaluate",
        "generate",
        "inspect",
        "report",
    }
    assert {each.page for each in BLOCKS} >= set(RUN_IN_FULL)


def _parsed(each: Shown) -> dict[str, object]:
    context = COMMANDS[each.words[0]].make_context(each.words[0], list(each.words[1:]))
    return dict(context.params)


@pytest.mark.parametrize("each", BLOCKS, ids=_name)
def test_the_command_line_takes_it(each: Shown) -> None:
    """Arguments are parsed as in earnest, and a training's settings become a run."""
    given = _parsed(each)
    if each.words[0] not in ("train", "compare"):
        return
    settings = {
        name: value for name, value in given.items() if name in SETTINGS and name != "data" and value is not None
    }
    task, data = given.get("task"), given.get("data")
    if given.get("recipe"):
        recipe = load_recipe(str(given["recipe"]))
        task, data, settings = task or recipe.task, data or recipe.data, {**recipe.settings, **settings}
    every = data if isinstance(data, (list, tuple)) else [data]
    for one in every or ["imdb"]:
        if str(one).endswith(".toml") or str(one).startswith("runs/"):  # a plan, or the folder of a finished comparison
            continue
        found = task_of(str(one or "imdb"), task=task, given=tuple(settings))  # type: ignore[arg-type]
        typed = typed_settings(found, settings, several=True)
        single = {name: value[0] if isinstance(value, list) else value for name, value in typed.items()}
        assert make_spec(found, str(one or "imdb"), single).task == found


@pytest.mark.parametrize("each", INLINE, ids=_name)
def test_what_the_text_names_exists(each: Shown) -> None:
    known = {flag for entry in COMMANDS[each.words[0]].params for flag in [*entry.opts, *entry.secondary_opts]}
    assert {word.split("=")[0] for word in each.words[1:] if word.startswith("--")} <= known | {"--help"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that the pages speak of, small."""
    folder, chance = tmp_path_factory.mktemp("stranger"), random.Random(3)
    for name, rows in (("reviews.csv", 160), ("test.csv", 30)):
        content = write_reviews(folder / name, rows).read_text()
        (folder / name).write_text(content.replace("review,mood", "review,sentiment"))
    lines = "a wonderful film\na tedious plot\n"
    for name in ("new.txt", "reviews.txt", "more.txt", "letters.txt"):
        (folder / name).write_text(lines * 20)
    for name, count in (("prices.csv", 160), ("new.csv", 70)):
        rows = ["date,ticker,close"]
        for ticker in ("A", "B"):
            value = 100.0
            for step in range(count):
                value += chance.gauss(0, 1)
                rows.append(f"{date(2024, 1, 1) + timedelta(days=step)},{ticker},{value:.2f}")
        (folder / name).write_text("\n".join(rows) + "\n")
    write_text_file(folder / "novel.txt", 200)
    for name in ("news.conll", "later.conll"):
        sentences = [f"Ann{n} B-PER\nlives O\nin O\n{chance.choice(CITIES)} B-LOC\n. O\n" for n in range(80)]
        (folder / name).write_text("\n".join(sentences))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN_IN_FULL)
def test_the_commands_of_a_page_work_one_after_the_other(
    page: str, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for file in place.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    monkeypatch.chdir(tmp_path)
    measure_here(monkeypatch)
    done = 0
    for each in (each for each in BLOCKS if each.page == page):
        if any(word in each.line for word in NOT_CARRIED_OUT) or ".xlsx" in each.line:
            continue
        if each.standard_input is not None:
            content = io.BytesIO((tmp_path / each.standard_input).read_bytes())
            monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(content))
        with pytest.raises(SystemExit) as leave:
            main(shortened(each.words))
        captured = capsys.readouterr()
        assert not leave.value.code, f"{each.line}\n{captured.out}\n{captured.err}"
        assert captured.out or "written" in captured.err or "tagged" in captured.err, each.line
        done += 1
    assert done >= 4


def test_every_page_was_read() -> None:
    assert {"README.md", "command-line.md", "comparison.md", "training.md"} <= {page.name for page in PAGES}
