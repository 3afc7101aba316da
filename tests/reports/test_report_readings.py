"""The report's section on what the cells look at."""

from __future__ import annotations

from dataclasses import replace

from gatewise.reports.looks import looks
from gatewise.reports.page import render_page
from made_up_comparison import made_up_record


def _reading(title: str, steps: list[str], reasons: list[float]) -> dict[str, object]:
    return {
        "title": title, "truth": "glad", "answer": "sad", "value": "60.0 %", "words": True,
        "steps": steps, "reasons": reasons,
    }  # fmt: skip


def test_rows_of_one_example_stand_together_and_text_is_no_html() -> None:
    record = made_up_record({"baseline": 0.8, "gru": 0.85, "lstm": 0.84})
    first = {"readings": [_reading("<b>a</b>", ["<script>", "plot"], [0.5, -1.0]), _reading("b", ["x"], [0.0])]}
    models = [
        replace(model, details={**model.details, **first}) if model.kind == "recurrent" else model
        for model in record.models
    ]
    recurrent = [model.name for model in models if model.kind == "recurrent"]
    found = looks(models)
    assert [entry["title"] for entry in found] == ["<b>a</b>", "b"]
    assert [row["model"] for row in found[0]["rows"]] == recurrent
    assert found[0]["rows"][0]["steps"] == [("<script>", 0.5), ("plot", -1.0)]
    assert found[1]["rows"][0]["steps"] == [("x", 0.0)]
    page = render_page(replace(record, models=tuple(models)))
    assert "What the cells look at" in page and "<script>" not in page and "&lt;script&gt;" in page
    assert "What the cells look at" not in render_page(record), "records without readings have no such section"
    broken = [replace(models[0], details={"readings": [{"title": 3}]})]
    assert looks(broken) == []
