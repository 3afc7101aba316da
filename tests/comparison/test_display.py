"""What a person sees while a comparison runs."""

from __future__ import annotations

import dataclasses
import io
from pathlib import Path

from rich.console import Console

from gatewise.cli.comparison_display import ComparisonDisplay
from gatewise.comparison.plan.plan import make_plan
from gatewise.comparison.run.events import (
    BaselineTrials,
    DataReady,
    FittingBaseline,
    PlanReady,
    TrialDone,
    TrialStatus,
    TuningDone,
)
from gatewise.comparison.run.trials import Trial
from gatewise.kinds.classification.figures import ACCURACY
from made_up_comparison import made_up_dataset


def show(screen: Console) -> ComparisonDisplay:
    plan = make_plan("imdb", cells=["gru", "bilstm"], grid=["hidden=64,128"], seeds=2)
    gru = Trial("gru-seed0", "gru", 0, "final", plan.spec("gru", 0), "a" * 64)
    with ComparisonDisplay(screen) as display:
        display(DataReady(plan, made_up_dataset(), Path("runs/imdb"), False, ACCURACY))
        display(PlanReady(plan, 8, 7200.0, 2, 1, "in 2 processes", {}))
        display(TuningDone("gru", None, {"hidden_size": 128}, 0.9, 2))
        begun = TrialStatus("bilstm-seed1", "training", 2, 4, 10, 40, 0.5, 1200.0, "texts", 90.0, 31_000, "fused", 0.85)
        begun = dataclasses.replace(begun, notes=["vectors for 3 of 4 words"])
        display(begun)
        display(dataclasses.replace(begun, step=20))
        display(TrialDone(gru, 1, 9, False, None, 0.91, 0.89, 60.0))
        display(TrialDone(dataclasses.replace(gru, name="gru-seed1"), 2, 9, False, "out of memory", None, None, None))
    return display


def test_plain_lines_for_a_pipe() -> None:
    out = io.StringIO()
    show(Console(file=out, width=120, no_color=True))
    text = out.getvalue()
    for line in (
        " texts to learn from, ",
        "Plan: GRU, Bi-LSTM; 2 seeds each",
        "grid search, 2 trials per cell: hidden_size 64, 128",
        "8 trainings in 2 processes, 1 thread each: about 2.0 h of training and validation if none stops early",
        "GRU: chosen among 2 trials: hidden_size 128",
        "bilstm-seed1: 31 k parameters, kernel fused",
        "[1/9] gru-seed0: validation accuracy 91.0 %, test accuracy 89.0 %, 60 s of training and validation",
        "[2/9] gru-seed1 failed: out of memory",
    ):
        assert line in text, line
    assert "\x1b" not in text
    assert text.count("Note: vectors for 3 of 4 words") == 1


def test_the_plan_names_the_baselines_trials() -> None:
    plan = make_plan("imdb", cells=["gru"], search="random", trials=20, seeds=2, repeat_tuning=True)
    out = io.StringIO()
    with ComparisonDisplay(Console(file=out, width=200, no_color=True)) as display:
        display(DataReady(plan, made_up_dataset(), Path("runs/imdb"), False, ACCURACY))
        display(FittingBaseline("TF-IDF", 20))
        baselines = (
            BaselineTrials("TF-IDF", 20, {"phrase": (2, 1), "rate": (1.0, 0.5)}),
            BaselineTrials("Mean", 0, {}),
        )
        display(PlanReady(plan, 42, 600.0, 1, 1, "in this process", {}, None, 12.0, baselines, 9.0))
        display(TuningDone("gru", None, {"hidden_size": 128}, 0.9, 20, 1))
        display(TuningDone("tfidf", None, {"phrase": 1}, 0.9, 20, None, "TF-IDF"))
    text = out.getvalue()
    for line in (
        "Fitting TF-IDF, to estimate its 20 trials ...",
        "random search, 20 trials per cell and seed: ",
        "  TF-IDF: 20 trials, its defaults among them: phrase 2, 1; rate 1, 0.5",
        "  Mean: no settings to choose",
        "about 10 min of training and validation, the baselines' trials included, if none stops early",
        "on top of that: about 12 s to measure what each cell costs (--no-cost omits that) and about 9.0 s "
        "for the test part and the report",
        "Plan: GRU; 2 seeds\n",
        "  42 trainings in this process, 1 thread each: about",
        "GRU for seed 1: chosen among 20 trials: hidden_size 128",
        "TF-IDF: chosen among 20 trials: phrase 1",
    ):
        assert line in text, line


def test_a_table_for_a_terminal() -> None:
    display = show(Console(file=io.StringIO(), force_terminal=True, width=120))
    out = io.StringIO()
    Console(file=out, width=120, no_color=True).print(display._table())
    text = out.getvalue()
    for words in ("bilstm-seed1", "2/4  50 %", "1,200 texts/s", "85.0 %", "1:30", "91.0 %", "2 of 9 done"):
        assert words in text, words
    # one under way says 90 s, six to come take 60 s each as the finished one did, two at a time
    assert "about 3:45 left" in text


def test_figures_after_the_first_seed() -> None:
    plan = make_plan("imdb", cells=["gru", "rnn"], seeds=2)
    out = io.StringIO()
    with ComparisonDisplay(Console(file=out, width=120, no_color=True)) as display:
        display(DataReady(plan, made_up_dataset(), Path("runs/imdb"), False, ACCURACY))
        baseline = Trial("tfidf", "tfidf", None, "baseline", plan.spec("gru", 0), "a" * 64)
        display(TrialDone(baseline, 1, 5, False, None, 0.8, 0.81, 2.0))
        for number, (cell, seed) in enumerate([("gru", 0), ("gru", 1), ("rnn", 0), ("rnn", 1)], start=2):
            assert "After one seed" not in out.getvalue() or cell == "rnn"
            trial = Trial(f"{cell}-seed{seed}", cell, seed, "final", plan.spec(cell, seed), "b" * 64)
            display(TrialDone(trial, number, 5, False, None, 0.9, 0.89 - 0.01 * seed, 60.0))
    # the baseline's two seconds say nothing about trainings
    assert display.seconds == [60.0] * 4
    lines = out.getvalue().splitlines()
    at = lines.index("After one seed of 2 (accuracy on the test part; too early for a judgement):")
    assert lines[at + 1 : at + 4] == [
        "  tfidf: 81.0 %, fitted in 2.0 s",
        "  GRU: 89.0 %, 60 s of training and validation",
        "  RNN: 89.0 %, 60 s of training and validation",
    ]
    assert sum("After one seed" in line for line in lines) == 1
