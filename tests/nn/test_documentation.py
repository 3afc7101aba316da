"""Every Python block in the pages about cells and migration runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gatewise.nn import cells

DOCS = Path(__file__).parents[2] / "docs"
PAGES = [DOCS / "migration.md", *sorted((DOCS / "cells").glob("*.md"))]


def blocks() -> list[object]:
    found = []
    for page in PAGES:
        for number, code in enumerate(re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.S)):
            found.append(pytest.param(code, id=f"{page.stem}-{number}"))
    return found


@pytest.mark.parametrize("code", blocks())
def test_documented_code_runs(code):
    from gatewise.nn import cell

    before = dict(cell._REGISTRY)
    cell._REGISTRY.pop("leaky", None)
    try:
        exec(compile(code, "<documentation>", "exec"), {"__name__": "documentation"})
    finally:
        cell._REGISTRY.clear()
        cell._REGISTRY.update(before)


@pytest.mark.parametrize("name", ["rnn", "lstm", "gru", "mingru", "minlstm"])
def test_every_cell_has_its_page(name):
    assert name in cells()
    text = (DOCS / "cells" / f"{name}.md").read_text(encoding="utf-8")
    for part in ("```text", f"{name}.svg", "weight_ih_l0", "ariants", "**Source.**"):
        assert part in text
    assert (DOCS / "cells" / f"{name}.svg").read_text(encoding="utf-8").count("prefers-color-scheme") == 1
