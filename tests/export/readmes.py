"""The Python of a `README.md` beside exported models, run where nothing of Gatewise can be imported."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

_MISSING = ("gatewise", "torch", "onnx", "pandas", "scipy", "tokenizers", "soundfile", "kaldi_native_fbank", "sklearn")
_RUN = f"import sys\nfor name in {_MISSING!r}:\n    sys.modules[name] = None\n"
_RUN += "exec(compile(sys.stdin.read(), 'a', 'exec'))"


def program_of_readme(out: Path) -> str:
    """The code."""
    found = re.findall(r"```python\n(.*?)```", (out / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def printed_by_readme(out: Path, *words: str | Path) -> str:
    """What the code prints, run in the folder with onnxruntime, numpy and Pillow alone.

    Args:
        out: the folder of the export.
        words: of its command line.
    """
    ran = subprocess.run(
        [sys.executable, "-I", "-c", _RUN, *map(str, words)],
        input=program_of_readme(out).encode("utf-8"),
        cwd=out,
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode("utf-8", "replace")
    return ran.stdout.decode("utf-8")
