"""Records that are damaged, of another version or missing are refused with the part that is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gatewise.errors import RunError
from gatewise.record import Comparison, compact_json, comparison_from
from gatewise.reports import read_comparison, render_page, write_report
from gatewise.reports.kind_report import checked
from made_up_comparison import made_up_dataset, made_up_forecast, made_up_language, made_up_probe, made_up_record
from made_up_runs import made_up_trials


def _folder(path: Path, record: Comparison | dict[str, Any]) -> Path:
    (path / "comparison.json").write_text(compact_json(record), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "holds no finished comparison"),
        ("{", "damaged"),
        ("[]", "damaged"),
        ('{"format_version": 4}', "newer"),
        ('{"format_version": 3}', "damaged"),
        ('{"format": "gatewise.suite", "format_version": 3}', "damaged"),
        ('{"format_version": 2}', "older"),
    ],
)
def test_a_folder_without_a_usable_record_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "comparison.json").write_text(content)
    with pytest.raises(RunError, match=message):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every key of nested objects, of lists the first entry only."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from _places(inner, (*path, key))
    elif isinstance(value, list) and value:
        yield from _places(value[0], (*path, 0))


@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.slow), 47])
@pytest.mark.parametrize("kind", ["classification", "probe", "forecast", "language"])
def test_whatever_part_is_lost_there_is_a_page_or_a_message(kind: str, every: int) -> None:
    """Each key of the file, or some of them, is taken away in turn, and in turn made nonsense."""
    trials = made_up_trials(["gru"], "accuracy", [0.8, 0.9])
    made = {
        "probe": lambda: made_up_probe({"gru": 50}, lengths=(50, 100)),
        "forecast": lambda: made_up_forecast({"persistence": 0.02, "gru": 0.02}, seeds=1, windows=60),
        "language": lambda: made_up_language({"kneser-ney-5": 141.0, "gru": 98.0}, seeds=1, tokens=200),
        "classification": lambda: made_up_record(
            {"baseline": 0.8, "gru": 0.85}, dataset=made_up_dataset(60), failed=["gru-seed1"], tuning=trials
        ),
    }
    text = compact_json(made[kind]())
    refused = 0
    for path in list(_places(json.loads(text)))[::every]:
        for nonsense in (False, True):
            record = json.loads(text)
            inner = record
            for key in path[:-1]:
                inner = inner[key]
            if nonsense:
                inner[path[-1]] = [[]]
            else:
                del inner[path[-1]]
            try:
                whole = checked(comparison_from(record))
            except RunError as error:
                assert "comparison.json" in error.message
                refused += 1
            else:
                assert "<h1>" in render_page(whole), path
    assert refused > 100 / every


def test_a_record_with_a_part_missing_names_it(tmp_path: Path) -> None:
    record = json.loads(compact_json(made_up_record({"baseline": 0.8, "gru": 0.85})))
    del record["models"][0]["cost"]
    with pytest.raises(RunError, match=r"comparison\.json is damaged: models\[0\]\.cost is missing"):
        read_comparison(_folder(tmp_path, record))


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("models", 0, "cost", "parameters"), "many", r"models\[0\]\.cost\.parameters cannot be read; expected: float"),
        (("models", 1, "runs", 0, "seed"), 0.5, r"models\[1\]\.runs\[0\]\.seed"),
        (("verdict", "answers", "quality", "models"), 3, r"verdict\.answers\.quality\.models"),
        (("models", 1, "runs", 0, "epochs", 1, "validation", "loss"), "low", r"epochs\[1\]\.validation\.loss"),
        (("models", 1, "runs", 0, "test", "confusion"), [["a"]], r"models\[1\]\.runs\[0\]\.test\.confusion\[0\]\[0\]"),
        (("models", 1, "runs", 0, "predictions", "predicted"), [0], r"expected: 600 answers"),
        (("details", "examples", 0, "truth"), 9, r"details\.examples\[0\]"),
    ],
)
def test_a_damaged_part_is_named(path: tuple[Any, ...], value: Any, message: str, tmp_path: Path) -> None:
    content = made_up_record({"baseline": 0.8, "gru": 0.85}, seeds=2).to_dict()
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(RunError, match=message) as caught:
        read_comparison(_folder(tmp_path, content))
    assert "comparison.json is damaged" in caught.value.message and caught.value.fix
