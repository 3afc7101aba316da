"""One kind of problem, one folder: nothing outside names a kind, and each folder says all that is asked of one."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import gatewise
from gatewise.errors import OptionError
from gatewise.training.kind import Kind
from gatewise.training.registry import kind_names, kind_of, kinds, register_kind
from gatewise.training.settings import Spec, settings_of

HOME = Path(gatewise.__file__).parent
BUILT_IN = sorted(path.parent.name for path in (HOME / "kinds").glob("*/__init__.py"))
NAMES = {name for folder in BUILT_IN for name in (folder, folder.replace("_", "-"))}


def _strings(path: Path) -> list[tuple[int, str]]:
    """String constants of a module, docstrings and the examples in them left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documentation = {
        node.body[0].value
        for node in ast.walk(tree)
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        and node.body
        and isinstance(node.body[0], ast.Expr)
        and isinstance(node.body[0].value, ast.Constant)
    }
    return [
        (node.lineno, node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in documentation
    ]


def test_the_folders_are_the_kinds() -> None:
    assert len(BUILT_IN) >= 4
    assert set(kind_names()) >= {folder.replace("_", "-") for folder in BUILT_IN}


def test_no_module_outside_names_a_kind() -> None:
    outside = [path for path in sorted(HOME.rglob("*.py")) if "kinds" not in path.relative_to(HOME).parts[:1]]
    assert len(outside) > 100
    found = [
        f"{path.relative_to(HOME)}:{line} {value}"
        for path in outside
        for line, value in _strings(path)
        if value in NAMES or any(f"kinds.{name}" in value for name in NAMES)
    ]
    assert found == []


def test_the_search_for_names_finds_one(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(
        '"""classification"""\n\ndef f(task):\n    "probe"\n    return task == "forecasting"\n'
    )
    assert [value for _, value in _strings(tmp_path / "a.py") if value in NAMES] == ["forecasting"]


@pytest.mark.parametrize("name", [folder.replace("_", "-") for folder in BUILT_IN])
def test_a_kind_says_all_that_is_asked(name: str) -> None:
    kind = kind_of(name)
    assert kind.name == name and kind.unit.endswith("s")
    for spec in (kind.data_spec, kind.model_spec, *([kind.pretraining_spec] if kind.pretraining_spec else [])):
        assert issubclass(spec, Spec) and spec() == spec()
        assert all(entry.help for entry in settings_of(spec).values())
    assert next(iter(settings_of(kind.data_spec))) == "data"
    assert {"cell", "hidden_size"} <= set(settings_of(kind.model_spec))
    assert [info.name for info in kind.datasets()] == [] or {info.name for info in kind.datasets()} <= set(kind.known)
    assert all(info.task == name for info in kind.datasets())
    for name_of, module in kind.estimators.items():
        assert getattr(gatewise, name_of) is getattr(importlib.import_module(module), name_of)
    for home in kind.commands.values():
        assert home.startswith(f"{type(kind).__module__.rpartition('.')[0]}.")
    if kind.report is not None:
        assert importlib.util.find_spec(kind.report) is not None


def test_making_every_kind_imports_nothing_heavy() -> None:
    code = (
        "import sys; from gatewise.training.registry import kinds; kinds()\n"
        "heavy = {'torch', 'numpy', 'pandas', 'sklearn', 'scipy'} & set(sys.modules)\nassert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_name_that_is_taken_is_refused() -> None:
    class Other(type(kinds()[0])):  # type: ignore[misc]
        pass

    with pytest.raises(OptionError, match="there is a kind of problem"):
        register_kind(Other())
    assert isinstance(kinds()[0], Kind) and not isinstance(kinds()[0], Other)
