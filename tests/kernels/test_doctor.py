"""``gatewise doctor``."""

import json

import pytest
from typer.testing import CliRunner

from gatewise.cli.app import app
from gatewise.kernels.doctor import diagnose
from gatewise.kernels.fused.library import available_variants


def test_json_names_cpu_threads_compiler_and_every_cell():
    done = CliRunner().invoke(app, ["doctor", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.output)
    assert found["cpu"] and found["threads"] >= 1 and found["torch"]
    assert {cell["cell"] for cell in found["cells"]} >= {"rnn_tanh", "rnn_relu", "lstm", "gru", "mingru", "minlstm"}
    assert all(cell["reason"] for cell in found["cells"])
    assert found["chosen"] == (available_variants()[0] if available_variants() else None)


def test_tables_show_variants_and_reasons():
    done = CliRunner().invoke(app, ["doctor"])
    assert done.exit_code == 0
    for word in ("Machine", "Compiled variants", "mingru", "float64"):
        assert word in done.output


def test_a_forced_kernel_shows_in_every_cell(monkeypatch):
    monkeypatch.setenv("GATEWISE_KERNEL", "reference")
    assert {cell.implementation for cell in diagnose().cells} == {"reference"}


@pytest.mark.skipif(not available_variants(), reason="no compiled kernels")
def test_double_precision_says_why_it_is_not_faster(monkeypatch):
    monkeypatch.delenv("GATEWISE_KERNEL", raising=False)
    cells = {(cell.cell, cell.options, cell.dtype): cell for cell in diagnose().cells}
    assert cells["gru", (), "float32"].implementation == f"fused-{available_variants()[0]}"
    double = cells["gru", (), "float64"]
    assert double.implementation == "torch"
    assert "float32" in double.reason
