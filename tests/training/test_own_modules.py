"""Modules of the person's own: found by name and path from any folder, and hashed with all that they import."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from fresh_processes import fresh
from gatewise.comparison.run.trials import code_version
from gatewise.errors import OptionError
from gatewise.training.own_modules import code_of, import_modules, reached_modules

CELL = """
import torch
from gatewise import nn
from {helper} import KEEP
from {base} import Base


@nn.register_cell("leaky-{helper}")
class Leaky(Base):
    def step(self, gates_x, state, weights, recurrent_mask=None):
        candidate = torch.tanh(gates_x + self.recurrent(state[0], weights, recurrent_mask))
        return {{"candidate": candidate, "hidden": KEEP * state[0] + (1 - KEEP) * candidate}}
"""
BASE = "from gatewise import nn\n\n\nclass Base(nn.Cell):\n    gates = ('candidate',)\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with modules of unique names; the process's modules and path are restored."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    names = set(sys.modules)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    for name in set(sys.modules) - names:
        if getattr(sys.modules[name], "__file__", None) and str(tmp_path) in str(sys.modules[name].__file__):
            del sys.modules[name]


def test_a_changed_helper_counts_and_an_unrelated_file_does_not(folder):
    (folder / "one_cells.py").write_text("import one_helper\nfrom one_parts import deep\n")
    (folder / "one_helper.py").write_text("def late():\n    from one_late import VALUE\n    return VALUE\n")
    (folder / "one_late.py").write_text("VALUE = 1\n")
    (folder / "one_parts").mkdir()
    (folder / "one_parts" / "__init__.py").write_text("")
    (folder / "one_parts" / "deep.py").write_text("from . import deeper\nfrom .deeper import X\n")
    (folder / "one_parts" / "deeper.py").write_text("X = 1\n")
    (folder / "one_parts" / "unused.py").write_text("Y = 1\n")
    modules = import_modules(["one_cells"])
    assert modules == (str(folder / "one_cells.py"),)
    assert set(reached_modules(["one_cells"])) == {
        *("one_cells", "one_helper", "one_late"),
        *("one_parts", "one_parts.deep", "one_parts.deeper"),
    }
    before = code_of(modules)
    (folder / "unrelated.py").write_text("print('nothing')\n")
    (folder / "one_parts" / "unused.py").write_text("Y = 2\n")
    assert code_of(modules) == before
    for name in ("one_late.py", "one_parts/deeper.py", "one_cells.py"):
        content = (folder / name).read_text()
        (folder / name).write_text(content + "# changed\n")
        assert code_of(modules) != before, name
        (folder / name).write_text(content)
    assert code_of(modules) == before


def test_a_changed_base_class_of_a_cell_counts(folder):
    (folder / "two_base.py").write_text(BASE)
    (folder / "two_helper.py").write_text("KEEP = 0.9\n")
    (folder / "two_cells.py").write_text(CELL.format(helper="two_helper", base="two_base"))
    import_modules(["two_cells.py"])
    from gatewise.nn.cell import cell_class

    before = code_version(["leaky-two_helper"])
    assert code_of([], [cell_class("leaky-two_helper")]) == code_of(["two_cells.py"])
    for name in ("two_base.py", "two_helper.py"):
        content = (folder / name).read_text()
        (folder / name).write_text(content + "\n# other\n")
        assert code_version(["leaky-two_helper"]) != before, name
        (folder / name).write_text(content)
    assert code_version(["leaky-two_helper"]) == before != code_version()


def test_the_versions_of_the_packages_that_compute_count(monkeypatch):
    import importlib.metadata

    before, version = code_version(), importlib.metadata.version
    for package in ("numpy", "scikit-learn", "tokenizers", "torch"):
        monkeypatch.setattr(importlib.metadata, "version", lambda name, p=package: version(name) + ".1" * (name == p))
        assert code_version() != before, package


def test_a_path_is_imported_from_another_folder(folder, monkeypatch):
    (folder / "code").mkdir()
    (folder / "code" / "three_cells.py").write_text("import three_helper\nFOUND = three_helper.FOUND\n")
    (folder / "code" / "three_helper.py").write_text("FOUND = 3\n")
    (word,) = import_modules(["code/three_cells.py"])
    assert Path(word).is_absolute() and sys.modules["three_cells"].FOUND == 3
    monkeypatch.chdir("/")
    assert import_modules([word]) == (word,)
    assert not any(name.startswith("code") for name in sys.modules if "three" in name)


def test_a_package_keeps_its_name(folder):
    (folder / "four").mkdir()
    (folder / "four" / "__init__.py").write_text("")
    (folder / "four" / "cells.py").write_text("from .gates import OPEN\n")
    (folder / "four" / "gates.py").write_text("OPEN = True\n")
    assert import_modules(["four.cells"]) == import_modules(["four/cells.py"]) == (str(folder / "four" / "cells.py"),)
    assert sys.modules["four.cells"].OPEN


def test_what_cannot_be_imported_is_said(folder):
    (folder / "json.py").write_text("")
    (folder / "broken_cells.py").write_text("import no_such_thing\n")
    for word, reason in (
        ("absent.py", "there is no such file"),
        ("broken_cells.py", "No module named 'no_such_thing'"),
        ("json.py", "another module 'json' is imported already"),
    ):
        with pytest.raises(OptionError) as caught:
            import_modules([word])
        assert reason in str(caught.value)


SCRIPT = """
import sys
import torch
from gatewise import nn
from gatewise.comparison.run.trials import code_version
from {helper} import KEEP
from {base} import Base

SCALE = 2

def squash(x):
    return torch.tanh(SCALE * x)

@nn.register_cell("scripted")
class Scripted(Base):
    def step(self, gates_x, state, weights, recurrent_mask=None):
        candidate = squash(gates_x + self.recurrent(state[0], weights, recurrent_mask))
        return {{"candidate": candidate, "hidden": KEEP * state[0] + (1 - KEEP) * candidate}}

print(code_version(["scripted"]))
"""


@pytest.mark.slow
def test_what_a_cell_of_a_script_uses_counts(tmp_path):
    def version(script: str) -> str:
        (tmp_path / "main.py").write_text(script)
        done = fresh(["main.py"], tmp_path)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    (tmp_path / "five_base.py").write_text(BASE)
    (tmp_path / "five_helper.py").write_text("KEEP = 0.9\n")
    script = SCRIPT.format(helper="five_helper", base="five_base")
    before = version(script)
    assert version(script + "print()\n") == before
    assert version(script.replace("SCALE = 2", "SCALE = 3")) != before
    assert version(script.replace("torch.tanh(", "torch.sin(")) != before
    (tmp_path / "five_base.py").write_text(BASE + "# other\n")
    assert version(script) != before


@pytest.mark.slow
def test_a_cell_of_ones_own_is_compared_by_path_in_other_processes(tmp_path):
    """From another folder, with two jobs; a changed helper is refused, an unrelated file is not."""
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "six_base.py").write_text(BASE)
    (tmp_path / "code" / "six_helper.py").write_text("KEEP = 0.9\n")
    (tmp_path / "code" / "six_cells.py").write_text(CELL.format(helper="six_helper", base="six_base"))
    rows = [f"{word} film number {n},{mood}" for n in range(20) for word, mood in (("fine", "glad"), ("poor", "sad"))]
    (tmp_path / "moods.csv").write_text("text,label\n" + "\n".join(rows) + "\n")

    def called(*words: str, at: Path = tmp_path, code: int = 0) -> str:
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        # as an installed command does: the present folder is not on the path
        start = "import sys; sys.path[:] = [p for p in sys.path if p]; from gatewise.cli import main; main()"
        done = fresh(["-c", start, *words], at, environment)
        assert done.returncode == code, done.stderr
        return done.stdout + done.stderr

    small = ("--epochs", "1", "--hidden", "4", "--threads", "1", "--no-cost")
    compared = ("compare", "moods.csv", "--cells", "leaky-six_helper,gru", *small, "--jobs", "2", "--out", "study")
    called(*compared, "--import", "code/six_cells.py")
    run = str(tmp_path / "study" / "leaky-six_helper")
    assert "%" in called("predict", run, "a fine film", "--import", "six_cells.py", at=tmp_path / "code")
    unchanged = called("predict", run, "a fine film", "--import", "six_cells", at=tmp_path / "code")
    assert "%" in unchanged and "changed since" not in unchanged
    assert "accuracy" in called("evaluate", run, "moods.csv", "--import", "code/six_cells.py")
    assert "--import" in called("predict", run, "a fine film", code=2)
    (tmp_path / "code" / "other.py").write_text("VALUE = 1\n")
    assert "Report" in called(*compared, "--import", "code/six_cells.py")
    (tmp_path / "code" / "six_helper.py").write_text("KEEP = 0.5\n")
    assert "the code that trains changed" in called(*compared, "--import", "code/six_cells.py", code=2)
    assert "changed since" in called("predict", run, "a fine film", "--import", "code/six_cells.py")


def test_an_installed_package_is_followed_within_itself(folder):
    """Of an external kind: all that it imports of its own package counts, other packages' versions are their own."""
    place = folder / "site-packages"
    for name, content in {
        "seven_kind/__init__.py": "",
        "seven_kind/kind.py": "import seven_other\nfrom .inner.data import read\nimport json\n",
        "seven_kind/inner/__init__.py": "",
        "seven_kind/inner/data.py": "read = 1\n",
        "seven_other.py": "",
    }.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(content)
    sys.path.append(str(place))
    found = reached_modules(["seven_kind.kind"])
    assert set(found) == {"seven_kind", "seven_kind.kind", "seven_kind.inner", "seven_kind.inner.data"}
    before = code_of(["seven_kind.kind"])
    (place / "seven_kind" / "inner" / "data.py").write_text("read = 2\n")
    assert code_of(["seven_kind.kind"]) != before
