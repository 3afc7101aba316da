"""Standard output that has no room left, and Ctrl-C before a command has begun: no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("words", [["recipes"], ["--version"], pytest.param(["doctor"], marks=pytest.mark.slow)])
def test_a_full_disk_behind_standard_output_is_said_without_a_traceback(words: list[str]) -> None:
    with FULL.open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "gatewise", *words], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 2
    assert done.stderr.startswith("Error: cannot write the output\n") and "No space left on device" in done.stderr
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


def test_ctrl_c_while_modules_are_imported_ends_quietly() -> None:
    program = (
        "import sys\n"
        "class Stopped:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'gatewise.training.registry': raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Stopped())\n"
        "import gatewise.cli\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 130 and done.stderr == ""


@pytest.mark.parametrize(("length", "output", "code"), [(1, ">&-", 0), (1, "| true", 1), (10**6, "| true", 1)])
def test_output_that_nobody_reads_ends_without_a_traceback(length: int, output: str, code: int) -> None:
    """What is printed stands in Python's buffer until the end, unlike what typer writes."""
    program = (
        "import time; from gatewise.cli import app; "
        f"app.app = lambda *words, **options: (time.sleep(0.3), print({length} * 'x'))[1]; app.main([])"
    )
    command = f'"{sys.executable}" -c "{program}" {output}; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (code, "")
