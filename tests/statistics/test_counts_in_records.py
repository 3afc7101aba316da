"""Several numbers per example, all the way: kept by the cache, checked and judged by the record, said by the report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import made_up_comparison
from gatewise.comparison.plan.plan import make_plan
from gatewise.comparison.run.cache import load_contributions, save_measurement
from gatewise.comparison.run.trials import Trial
from gatewise.comparison.verdict.axis import axis_entry
from gatewise.errors import RunError
from gatewise.record import compact_json, comparison_from
from gatewise.reports.method import method_paragraphs
from gatewise.statistics import Bleu, SpanF1
from made_up_comparison import made_up_tagging

RECALLS = {"most-frequent-tag": 0.6, "lstm": 0.95, "gru": 0.8}


def test_a_record_of_span_f1_is_judged_and_explained() -> None:
    record = comparison_from(json.loads(compact_json(made_up_tagging(RECALLS))))
    assert record.metric.transform == "span-f1" and record.margin == 0.005
    for model in record.models:
        figure = model.figure
        runs = [run.test["span_f1"] for run in model.runs]
        assert list(figure.per_seed) == pytest.approx(runs) and figure.estimate == pytest.approx(
            np.mean(runs), abs=1e-3
        )
        assert 0.0 < figure.low < figure.estimate < figure.high < 1.0
    best = {pair.first: pair for pair in record.differences if pair.second == "gru"}["lstm"]
    assert best.differs and best.estimate == pytest.approx(0.057, abs=0.02) and best.ratio is None
    assert record.verdict.leaders == ("lstm",)
    assert "each contributes several numbers: true, predicted" in dict(method_paragraphs(record))["Figure"]


@pytest.mark.parametrize("shape", [(300, 2), (200, 3), (300,), (300, 3, 1)])
def test_counts_of_other_shapes_are_refused(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    honest = made_up_comparison.build_record

    def changed(plan: Any, kind: Any, dataset: Any, entries: Any, contributions: Any, **further: Any) -> Any:
        return honest(plan, kind, dataset, entries, {**contributions, "gru-seed1": np.ones(shape)}, **further)

    monkeypatch.setattr(made_up_comparison, "build_record", changed)
    with pytest.raises(RunError, match=r"gru-seed1 does not fit that of most-frequent-tag.*300 x 3 finite numbers"):
        made_up_tagging(RECALLS)


def test_along_an_axis_a_perfect_span_f1_is_one() -> None:
    """The cell reaches the point where it is more than half of the way from the baseline to 1, not the other."""
    draws = np.random.default_rng(0)
    true = draws.integers(1, 6, 300)

    def table(recall: float, seeds: int) -> Any:
        matching = draws.binomial(true, recall, size=(seeds, 300))
        spans = np.broadcast_to(true, matching.shape)
        return np.stack([spans, spans, matching], axis=-1).astype(np.float64)

    entries = [
        {"point": point, "cell": cell, "baseline": cell == "base"} for point in (10, 20) for cell in ("base", "gru")
    ]
    tables_at = {point: {"base": table(0.4, 1), "gru": table(recall, 2)} for point, recall in ((10, 0.9), (20, 0.6))}
    found = axis_entry({"name": "length", "title": "length"}, entries, tables_at, SpanF1(), reach=True)
    assert found["reach"] == {"gru": 10}
    assert 0.5 < found["points"][1]["models"][1]["figure"]["estimate"] < 0.7


def test_counts_survive_the_cache(tmp_path: Path) -> None:
    trial = Trial("gru-seed0", "gru", 0, "final", make_plan("imdb", cells=["gru"]).spec("gru", 0), "a" * 64)
    table = np.random.default_rng(0).integers(0, 40, (50, 10)).astype(np.float64)
    (tmp_path / "measurements").mkdir()
    save_measurement(tmp_path, trial, made_up_tagging(RECALLS).models[1].runs[0], table)
    kept = load_contributions(tmp_path, trial)
    assert kept.shape == (50, 10) and kept.dtype == np.float32
    np.testing.assert_array_equal(kept, table)
    assert Bleu().of(kept) == Bleu().of(table)
