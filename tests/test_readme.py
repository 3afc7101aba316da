"""What the README shows is run: its Python blocks as they stand, its commands against the options there are."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from gatewise.cli.app import app

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
SHELL = re.findall(r"```bash\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = [line for block in SHELL for line in block.splitlines() if line.startswith("gatewise ")]
PROSE = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
LINKS = re.findall(r"\]\(((?!https?:)[^)#]+)\)", PROSE)


def test_there_is_something_to_check():
    assert len(PYTHON) >= 4
    assert len(COMMANDS) >= 6


@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_python_block_runs(number, tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", PYTHON[number]], cwd=tmp_path, capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    if "print" in PYTHON[number]:
        assert done.stdout.strip()


@pytest.mark.parametrize("line", COMMANDS)
def test_command_and_its_options_exist(line):
    words = shlex.split(line, comments=True)[1:]
    command = typer.main.get_command(app).commands[words[0]]
    known = {flag for parameter in command.params for flag in [*parameter.opts, *parameter.secondary_opts]}
    used = {word for word in words[1:] if word.startswith("-")}
    assert used <= known


@pytest.mark.parametrize("link", sorted(set(LINKS)))
def test_link_leads_somewhere(link):
    assert (ROOT / link).exists()


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_two_commands_are_targets(target):
    assert f"make {target}" in README
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
