"""A compiled cell is named in its own folder only; the kernels' modules import each other one way."""

import ast
import re

import pytest
import torch

from gatewise import nn
from gatewise.kernels.building import KERNELS as FOLDER
from gatewise.kernels.dispatch import Request
from gatewise.kernels.fused import selection
from gatewise.kernels.info import KernelInfo
from gatewise.kernels.registry import CELLS, KERNELS

NAMES = re.compile("|".join(sorted({*CELLS, *KERNELS}, key=len, reverse=True)), re.IGNORECASE)
LAYERS = FOLDER.parent / "nn"
PYTHON = [
    *FOLDER.glob("*.py"),
    *FOLDER.glob("fused/*.py"),
    *(LAYERS / f"{name}.py" for name in ("fused", "implementations", "packed", "storage", "streaming", "recurrent")),
]
NATIVE = [*FOLDER.glob("native/*.h"), *FOLDER.glob("native/*.cpp")]


TORCHS_OWN = {"_cudnn_rnn_flatten_weight", "_use_cudnn_rnn_flatten_weight", "rnn", "torch.nn.utils.rnn"}
"""Names of things in torch."""


def words_of(source):
    """Every text of a module, docstrings aside, and every identifier that is not torch's own."""
    tree = ast.parse(source)
    documentation = set()
    for node in ast.walk(tree):
        if isinstance(getattr(node, "body", None), list):
            documentation |= {id(each.value) for each in node.body if isinstance(each, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value
        identifiers = (getattr(node, field, None) for field in ("id", "attr", "arg", "name", "module"))
        yield from (each for each in identifiers if isinstance(each, str) and each not in TORCHS_OWN)


def places(paths, words):
    return [f"{path.name}: {word}" for path in paths for word in words(path.read_text()) if NAMES.search(word)]


def test_no_python_outside_the_cells_folders_names_a_cell():
    assert not places(PYTHON, words_of)


def test_no_shared_source_names_a_cell():
    assert not places(NATIVE, lambda source: [re.sub(r"//.*", "", line) for line in source.splitlines()])


def test_the_search_finds_what_it_looks_for():
    source = '"""gru"""\nimport rnn\nx = f"a {y} gru"\ndef step_lstm(): ...\nGRU = 1'
    assert sorted(word for word in words_of(source) if NAMES.search(word)) == [" gru", "GRU", "step_lstm"]


@pytest.mark.parametrize("cell", CELLS)
def test_a_cells_folder_has_everything(cell):
    assert {"README.md", "reference.py", "fused.cpp", "info.py"} <= {path.name for path in (FOLDER / cell).iterdir()}


def test_an_info_agrees_with_the_layers_cell():
    for cell, info in CELLS.items():
        layer = nn.Recurrent(cell, 3, 5)
        own = layer._cells[0]
        assert own.kernel_name in info.names
        assert (len(own.gates), len(own.states)) == (info.gates, info.states)
        assert ("weight_hh" in own.parameter_shapes()) == info.recurrent
        assert info.step_options <= info.options
    assert len(nn.LSTM(3, 5, coupled=True)._cells[0].gates) == CELLS["lstm"].gates_with["coupled"]


def test_a_request_for_another_cell_is_refused_with_a_reason():
    choice, reason = selection.offer(Request("leaky", "cpu", torch.float32, 1, 1, 1, 1))
    assert choice is None and "leaky" in reason


def test_flags_and_gates_follow_names_and_options():
    info = KernelInfo("toy", 4, names=("toy_a", "toy_b"), flags={"toy_b": 1, "shut": 2}, gates_with={"shut": 3})
    assert [info.flags_of(name, {"lengths"}) for name in info.names] == [0, 1]
    assert info.flags_of("toy_b", {"shut"}) == 3
    assert (info.gates_of(1), info.gates_of(3)) == (4, 3)


def test_modules_import_each_other_one_way():
    """Also inside functions; an import for types alone counts too."""
    imports = {}
    for path in FOLDER.rglob("*.py"):
        name = ".".join(("gatewise.kernels", *path.relative_to(FOLDER).with_suffix("").parts)).removesuffix(".__init__")
        found = set()
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                found |= {node.module, *(f"{node.module}.{each.name}" for each in node.names)}
        imports[name] = found
    remaining = {name: found & imports.keys() - {name} for name, found in imports.items()}
    assert sum(map(len, remaining.values())) > 20
    while remaining:
        free = {name for name, found in remaining.items() if not found & remaining.keys()}
        assert free, f"these import each other in a circle: {sorted(remaining)}"
        remaining = {name: found for name, found in remaining.items() if name not in free}
