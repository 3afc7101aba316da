"""Tables, help and facts are as wide as COLUMNS says, and 100 columns in a pipe or file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.table import Table
from rich.text import Text
from typer.testing import CliRunner

import gatewise
from gatewise.cli.app import app
from gatewise.cli.inspect import _print
from gatewise.kinds.classification.commands import _print_labels
from gatewise.kinds.classification.label_figures import multi_label_metrics
from gatewise.screen import console, say


def widest(lines: str) -> int:
    return max(map(len, lines.splitlines()))


@pytest.mark.parametrize(("columns", "most"), [("60", 60), ("160", 160), (None, 100), ("many", 100)])
@pytest.mark.parametrize("command", [["doctor"], ["train", "--help"]])
def test_commands_obey_columns(command, columns, most):
    shown = CliRunner().invoke(app, command, env={"COLUMNS": columns})
    # help is no wider than can be read
    assert shown.exit_code == 0 and 0.8 * min(most, 120) < widest(shown.stdout) <= most


@pytest.mark.parametrize(("columns", "most"), [("60", 60), ("160", 160), (None, 100)])
def test_tables_obey_columns(columns, most, monkeypatch, capsys):
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    names = [f"{'a rather long name of a label ' * 4}{number}" for number in range(3)]
    figures = multi_label_metrics([[0.9, 0.1, 0.2]], [[1, 0, 0]], names)
    _print_labels(figures.to_dict(), tuple(names))
    assert 0.8 * most < widest(capsys.readouterr().out) <= most


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_no_heading_of_a_table_of_short_names_is_cut(columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(columns))
    figures = multi_label_metrics([[0.9, 0.1]] * 4, [[1, 0]] * 4, ["sport", "tech"])
    _print_labels(figures.to_dict(), ("sport", "tech"))
    shown = capsys.readouterr().out
    assert widest(shown) <= columns and "…" not in shown
    assert all(f" {head}" in shown for head in ("texts", "threshold", "predicted", "precision", "recall", "F1"))


@pytest.mark.parametrize(("columns", "lines"), [("40", 3), (None, 1)])
def test_sentences_are_wrapped_between_words(columns, lines, monkeypatch, capsys):
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    sentence = (
        "Note: a.csv is not UTF-8 and was read as Windows-1252 (for example 'großartig'); --encoding names another"
    )
    say(sentence, err=True)
    shown = capsys.readouterr().err
    assert len(shown.splitlines()) == lines and " ".join(shown.split()) == sentence
    assert columns is None or widest(shown) <= int(columns)


@pytest.mark.parametrize(("columns", "most"), [("50", 50), (None, None)])
def test_sentences_of_commands_obey_columns(columns, most):
    shown = CliRunner().invoke(app, ["datasets"], env={"COLUMNS": columns})
    lines = shown.stdout.splitlines()
    longer = [line for line in lines if len(line) > (most or 100) and len(line.split()) > 1]  # an address is not cut
    assert shown.exit_code == 0 and bool(longer) == (most is None)


def test_notes_and_warnings_have_one_wrapper():
    """What a person reads beside the answers goes through `say` or the console, which know the screen's width."""
    home = Path(gatewise.__file__).parent
    bare = re.compile(r"(typer\.echo|(?<!screen\.)(?<!console\(\)\.)\bprint)\(\s*f?\"(Note|Warning)\b")
    found = {
        place.relative_to(home).as_posix() for place in home.rglob("*.py") if bare.search(place.read_text("utf-8"))
    }
    assert found == set()


@pytest.mark.parametrize(("columns", "most"), [("60", 60), (None, None)])
def test_what_is_printed_as_a_sentence_is_one_line_of_a_pipe(columns, most, monkeypatch, capsys):
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    sentence = "Warning: " + "a sentence that is longer than a hundred columns " * 4 + "ends"
    screen = console()
    screen.print(sentence, style="yellow", markup=False)
    screen.print(Text(sentence))
    shown = capsys.readouterr().out.splitlines()
    assert shown == [sentence] * 2 if most is None else max(map(len, shown)) <= most
    table = Table("a heading", "another")
    table.add_row(sentence, sentence)
    screen.print(table)
    assert 0 < widest(capsys.readouterr().out) <= (most or 100)


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_no_number_of_the_memory_table_is_cut(columns, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", str(columns))
    lags = list(range(101))
    part = {"norms": [1.5 * 0.9**lag for lag in lags], "reach": None}
    curve = {"lags": lags, "sequences": 4, "estimator": "exact", "initialisation": part, "trained": part}
    titles = {name: f"GRU (runs/a-long-name-of-a-run/{name})" for name in ("first", "second", "third")}
    _print(titles, {name: {**curve, "cell": "gru"} for name in titles}, console())
    shown = capsys.readouterr().out
    assert widest(shown) <= columns and "…" not in shown
    # 0, 1, 2, 5, 10, 20, 50 and 100 steps back, twice for each run and once for their mean
    numbers = re.findall(r"\d\.\de[-+]\d\d", shown)
    assert sorted(numbers) == sorted(7 * [f"{part['norms'][lag]:.1e}" for lag in (0, 1, 2, 5, 10, 20, 50, 100)])
