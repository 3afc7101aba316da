"""Help is there at once, complete, and loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from gatewise.cli.app import app
from gatewise.training.assembly import PARTS, settings_in
from gatewise.training.registry import kinds

COMMANDS = (
    "compare", "train", "predict", "generate", "evaluate", "export", "report",
    "inspect", "suite", "datasets", "recipes", "doctor",
)  # fmt: skip


@pytest.mark.parametrize("words", [["--help"], ["compare", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    code = (
        "import sys\n"
        "from gatewise.cli import main\n"
        f"try:\n    main({words!r})\nexcept SystemExit as leave:\n    assert leave.code in (0, None)\n"
        "heavy = {'torch', 'numpy', 'pandas', 'sklearn', 'scipy', 'matplotlib'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "gatewise" in done.stdout


def test_every_setting_has_a_flag_and_a_help_text() -> None:
    settings = [entry for kind in kinds() for part in PARTS for entry in settings_in(kind, part).values()]
    assert all(entry.help.endswith(".") or entry.help.endswith("...") for entry in settings)
    names = {entry.name for entry in settings} - {"cell", "data"}
    assert {"pretrain", "epochs", "horizon", "tokens", "length"} <= names
    for command in ("compare", "train"):
        text = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
        for name in names:
            assert "--" + name.replace("_", "-") in text


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_says_what_it_does(command: str) -> None:
    result = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "100"})
    assert result.exit_code == 0
    assert f"gatewise {command}" in result.output or f"{command} [OPTIONS]" in result.output


def test_no_words_at_all_show_the_help() -> None:
    result = CliRunner().invoke(app, [])
    assert "compare" in result.output and "Usage" in result.output


def test_a_warning_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    import warnings

    import gatewise.cli.app as shell

    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
    monkeypatch.setattr(shell, "app", lambda *_, **__: warnings.warn("the fast way is not there", stacklevel=1))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        with pytest.raises(SystemExit):
            shell.main([])
    assert capsys.readouterr().err == "Warning: the fast way is not there\n"


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("command", ["compare", "train", "bench", "generate"])
def test_help_cuts_no_name_and_fits_the_terminal(command: str, width: int) -> None:
    text = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": str(width)}).output
    assert "…" not in text and all(len(line.rstrip()) <= width for line in text.splitlines())
    written = {word.rstrip(",") for line in text.splitlines() for word in line.split()}
    for parameter in get_command(app).commands[command].params:  # type: ignore[attr-defined]
        if parameter.param_type_name == "option":
            assert {*parameter.opts, *parameter.secondary_opts} <= written
