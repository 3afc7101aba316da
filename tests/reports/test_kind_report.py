"""A kind of problem gives its own part of the report, from wherever its module lies."""

from __future__ import annotations

from pathlib import Path

import pytest

from gatewise.errors import RunError
from gatewise.record import compact_json
from gatewise.reports import read_comparison, render_page
from gatewise.reports.kind_report import kind_report
from gatewise.reports.text_tables import markdown_table
from gatewise.training.registry import kind_of, kinds
from made_up_comparison import made_up_record

MODULE = """
from pathlib import Path

from gatewise.drawing.page import FigureWords
from gatewise.drawing.templates import render
from gatewise.errors import RunError


def figures(comparison):
    return {"macro_f1": FigureWords("F1 of all", percent=False, meaning="the mean F1 over classes")}


def notes(page):
    return [f"{len(page.models)} models & their figures"]


def sections(page):
    return [render(Path(__file__).parent, "own.html", page=page, words="<b>not bold</b>")]


def check(comparison, place):
    if comparison.unit != "texts":
        raise RunError(f"{place} is damaged: unit")
"""
TEMPLATE = """{% from "macros.html" import key %}
<section id="own">{% for model in page.models %}{{ key(page.styles[model.name]) }}{% endfor %}{{ words }}</section>
"""


@pytest.fixture
def own_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_kind_report.py").write_text(MODULE, encoding="utf-8")
    (tmp_path / "own.html").write_text(TEMPLATE, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(type(kind_of("classification")), "report", "own_kind_report")


@pytest.mark.usefixtures("own_report")
def test_sections_notes_and_words_are_those_of_the_kind(tmp_path: Path) -> None:
    record = made_up_record({"baseline": 0.8, "gru": 0.85})
    page = render_page(record)
    assert page.index("How far back they remember") < page.index('id="own"') < page.index("How it was measured")
    assert "&lt;b&gt;not bold&lt;/b&gt;" in page and "2 models &amp; their figures" in page
    assert "F1 of all: the mean F1 over classes." in page and "| F1 of all |" in markdown_table(record)
    assert "What gets mistaken for what" not in page
    content = record.to_dict() | {"unit": "windows"}
    (tmp_path / "comparison.json").write_text(compact_json(content), encoding="utf-8")
    with pytest.raises(RunError, match="unit"):
        read_comparison(tmp_path)


def test_every_kind_of_the_package_names_a_module_that_is_there() -> None:
    for kind in kinds():
        if kind.report is not None and kind.report.startswith("gatewise."):
            assert kind_report(kind.name).sections.__module__ == kind.report


@pytest.mark.parametrize("kind", [kind.name for kind in kinds()])
def test_figures_have_words_without_a_comparison(kind: str) -> None:
    """`gatewise evaluate RUN` asks for them where there is none."""
    found = kind_report(kind).figures(None)
    assert all(words.title for words in found.values())
