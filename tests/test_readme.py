"""What the README shows in Python is run as it stands; its commands: tests/documentation."""

import os
import re
import sys
from pathlib import Path

import pytest

from fresh_processes import fresh

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
PROSE = re.sub(r"```.*?```", "", README, flags=re.DOTALL)
LINKS = re.findall(r"\]\(((?!https?:)[^)#]+)\)", PROSE)


def test_there_is_something_to_check():
    assert len(PYTHON) >= 4


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(PYTHON)))
def test_python_block_runs(number, tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = fresh(["-c", PYTHON[number]], tmp_path, environment)
    assert done.returncode == 0, done.stderr
    if "print" in PYTHON[number]:
        assert done.stdout.strip()


@pytest.mark.parametrize("link", sorted(set(LINKS)))
def test_link_leads_somewhere(link):
    assert (ROOT / link).exists()


@pytest.mark.parametrize("target", ["demo", "test"])
def test_the_two_commands_are_targets(target):
    assert f"make {target}" in README
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE)
