"""The Python of a `README.md` beside exported models, run where nothing of Gatewise can be imported."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

_WITHOUT = "import sys; sys.modules['gatewise'] = sys.modules['torch'] = None\n"


def printed_by_readme(out: Path, **replaced: str) -> str:
    """What the code prints, run in the folder.

    Args:
        out: the folder of the export.
        replaced: ``text``: what is read in place of the example's text.
    """
    found = re.findall(r"```python\n(.*?)```", (out / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert len(found) == 1
    code = found[0]
    if "text" in replaced:
        assert '"a film that I would see again"' in code
        code = code.replace('"a film that I would see again"', repr(replaced["text"]))
    ran = subprocess.run(
        [sys.executable, "-I", "-c", _WITHOUT + code], cwd=out, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout
