"""The processes that tests start by forking are as fresh as those that Python starts."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fresh_processes import fresh

pytestmark = pytest.mark.slow


def test_nothing_of_gatewise_is_left_from_one_to_the_next(tmp_path: Path) -> None:
    code = "import sys; print('gatewise.errors' in sys.modules); import gatewise.errors; print('torch' in sys.modules)"
    for _ in range(2):
        done = fresh(["-c", code], tmp_path)
        assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["False", "True"], "")


@pytest.mark.parametrize(
    ("code", "returned", "said"),
    [
        ("import sys; sys.exit(3)", 3, ""),
        ("raise ValueError('no')", 1, "ValueError: no"),
        ("import sys; sys.exit('a message')", 1, "a message"),
        ("import os; os.kill(os.getpid(), 9)", -9, ""),
        ("import atexit, sys; atexit.register(print, 'at the end', file=sys.stderr)", 0, "at the end"),
        ("import sys; sys.stderr.write(repr(sys.stdin.read()))", 0, "''"),
    ],
)
def test_it_ends_as_python_does(code: str, returned: int, said: str, tmp_path: Path) -> None:
    done = fresh(["-c", code], tmp_path)
    assert done.returncode == returned and said in done.stderr


def test_it_has_its_own_folder_variables_and_modules(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "new_module.py").write_text(
        "import os, sys\nprint(os.getcwd(), sys.argv[1:], os.environ['OWN'])\n"
    )
    done = fresh(["-m", "new_module", "a word"], tmp_path / "here", {**os.environ, "OWN": "one"})
    assert done.stdout.strip() == f"{tmp_path / 'here'} ['a word'] one", done.stderr
    elsewhere = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(tmp_path / "here"), os.environ.get("PYTHONPATH", "")]),
    }
    assert fresh(["-c", "import new_module"], tmp_path, {**elsewhere, "OWN": "two"}).stdout.endswith("two\n")
    assert "No module named 'new_module'" in fresh(["-c", "import new_module"], tmp_path).stderr


def test_a_script_is_the_main_module_and_its_folder_is_searched(tmp_path: Path) -> None:
    """As in `python here/script.py`: a class of the script belongs to __main__, and its source can be read."""
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "beside_it.py").write_text("VALUE = 5\n")
    (tmp_path / "here" / "script.py").write_text(
        "import inspect, sys\nfrom beside_it import VALUE\nclass Own:\n    pass\n"
        "main = sys.modules['__main__']\n"
        "print(VALUE, sys.argv, __spec__, main.Own is Own, Own.__module__, inspect.getsource(Own).split())\n"
    )
    done = fresh(["here/script.py", "a word"], tmp_path)
    expected = "5 ['here/script.py', 'a word'] None True __main__ ['class', 'Own:', 'pass']"
    assert done.stdout.strip() == expected, done.stderr
