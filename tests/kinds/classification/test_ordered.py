"""Scores as labels: how far answers are off, beside accuracy, with intervals, wherever figures are shown."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from commands import ran, refused
from gatewise.comparison.plan.plan import make_plan
from gatewise.comparison.run.run import run_plan
from gatewise.data.records import Split, TextDataset
from gatewise.kinds.classification.figures import classification_metrics
from gatewise.kinds.classification.measures import measure_of, trivial_answer
from gatewise.kinds.classification.ordered import numbers_of, ordered_values
from gatewise.reports.page import render_page
from small_data import FLAGS, SETTINGS

WORDS = ("awful", "weak", "fair", "fine", "great")


def _stars(path: Path, rows: int = 150, name: str = "{}") -> Path:
    generator = np.random.default_rng(0)
    lines = ["text,stars"]
    for number in range(rows):
        stars = int(generator.integers(1, 6))
        word = WORDS[min(4, max(0, stars - 1 + int(generator.integers(-1, 2))))]
        lines.append(f"a {word} stay number {number},{name.format(stars)}")
    path.write_text("\n".join(lines) + "\n")
    return path


def _reversed(folder: Path) -> Path:
    """Scores that say nothing of the texts."""
    generator = np.random.default_rng(1)
    path = folder / "noise.csv"
    rows = [f"{' '.join(generator.choice(WORDS, 4))} {n},{generator.integers(1, 6)}" for n in range(120)]
    path.write_text("text,stars\n" + "\n".join(rows) + "\n")
    return path


def test_labels_as_numbers() -> None:
    assert ordered_values(["1", "10", "2"]) == (1, 10, 2) and ordered_values(["-1", "0", "1"]) == (-1, 0, 1)
    for names in (["0", "1"], ["1", "2", "three"], ["1", "1.0", "2"], ["1", "2", "nan"], ["1", "2", "1_0"]):
        assert numbers_of(names) is None
    assert ordered_values(["1", "1.5", "2"]) is None and numbers_of(["1", "1.5", "2"]) is not None


def test_figures_use_the_numbers_and_not_the_order_of_the_names() -> None:
    names = ["1", "10", "2"]  # as they are sorted
    chances = np.eye(3)[[0, 1, 2, 0]]
    found = classification_metrics(chances, [0, 1, 2, 2], names)
    assert found.mean_absolute_error == 0.25 and found.intervals is None
    assert list(found.to_dict())[:3] == ["accuracy", "mean_absolute_error", "quadratic_kappa"]
    plain = classification_metrics(chances, [0, 1, 2, 2], ["a", "b", "c"]).to_dict()
    assert not {"mean_absolute_error", "quadratic_kappa", "intervals"} & set(plain)


def test_the_trivial_answer_is_the_median() -> None:
    names = ("1", "2", "3", "4", "5")
    part = Split(tuple("abcdefghi"), np.array([0, 0, 0, 0, 2, 3, 3, 4, 4]))
    dataset = TextDataset("a", "a", "a", names, part, part, part, "0" * 64)
    measure = measure_of("mean-absolute-error", 5, names=names)
    assert trivial_answer(measure, dataset) == ("always predicting '3'", pytest.approx((4 * 2 + 2 + 4) / 9))
    assert trivial_answer(measure_of("quadratic-kappa", 5, names=names), dataset)[1] == 0


def test_runs_and_evaluate_report_them_with_intervals(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, run = _stars(tmp_path / "stars.csv"), tmp_path / "run"
    columns = ["--label", "stars"]
    assert ran(["train", file, *columns, "--metric", "quadratic-kappa", *FLAGS, "--out", run], capsys)[0] == 0
    epoch = json.loads((run / "metrics.jsonl").read_text().splitlines()[0])
    assert {"mean_absolute_error", "quadratic_kappa"} <= set(epoch["validation"])
    test = json.loads(ran(["evaluate", run, "--json"], capsys)[1])
    assert 0 <= test["mean_absolute_error"] < 4 and -1 <= test["quadratic_kappa"] <= 1
    for name, (low, high) in test["intervals"].items():
        assert low <= test[name] <= high and high > low
    out = ran(["evaluate", run], capsys)[1]
    assert "quadratic weighted kappa" in out.splitlines()[0]
    assert f"  mean absolute error: {test['mean_absolute_error']:.4g} (95 % interval " in out
    other = _stars(tmp_path / "other.csv", 60)
    found = json.loads(ran(["evaluate", run, other, "--json"], capsys)[1])
    assert found["intervals"]["mean_absolute_error"][0] <= found["mean_absolute_error"]
    out = " ".join(ran(["evaluate", run, other], capsys)[1].split())
    assert f"mean absolute error {found['mean_absolute_error']:.3f} (" in out and "quadratic weighted kappa" in out


def test_labels_that_are_no_numbers_are_refused_for_these_metrics(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _stars(tmp_path / "stars.csv", name="{} stars")
    for metric in ("mean-absolute-error", "quadratic-kappa"):
        said = refused(
            ["train", file, "--label", "stars", "--metric", metric, *FLAGS, "--out", tmp_path / "run"], capsys
        )
        assert f"the metric '{metric}' is for labels that are numbers" in said and "1 stars, 2 stars" in said
        several = ["--separator", "|", "--metric", metric]
        assert "for texts with one label" in refused(["train", file, *several, "--out", tmp_path / "run"], capsys)


@pytest.mark.slow
def test_a_comparison_has_them_for_all_models(tmp_path: Path) -> None:
    file = _stars(tmp_path / "stars.csv", 260)
    plan = make_plan(str(file), cells=["gru"], seeds=2, label="stars", metric="mean-absolute-error", **SETTINGS)
    record = run_plan(plan, tmp_path / "out", cost=False).record
    assert record.metric.name == "mean_absolute_error" and not record.metric.higher_is_better
    assert set(record.details["ordered"]) == {"gru", "tfidf-logistic-regression"}
    for model in record.models:
        found = record.details["ordered"][model.name]
        assert found["mean_absolute_error"] == pytest.approx(model.figure.estimate, abs=1e-4)
        low, high = found["intervals"]["quadratic_kappa"]
        assert low <= found["quadratic_kappa"] <= high
    worse = make_plan(str(_reversed(tmp_path)), cells=["gru"], label="stars", metric="quadratic-kappa", **SETTINGS)
    figure = run_plan(worse, tmp_path / "worse", cost=False).record.models[0].figure
    assert figure.low < 0, "an agreement may be worse than chance"
    page = render_page(record)
    assert "Labels as numbers" in page and "quadratic weighted kappa" in page
