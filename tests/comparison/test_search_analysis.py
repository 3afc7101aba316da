"""What the trials of a search say: quality against budget, and which setting matters."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from gatewise.comparison.verdict.search import analyse_search
from gatewise.errors import ShapeError
from gatewise.record import Tuning, compact_json, comparison_from
from gatewise.reports.page import render_page
from gatewise.statistics.budgets import expected_best
from made_up_comparison import made_up_record

SEARCH = {"method": "random", "metric": None, "space": {"learning_rate": "0.0001..0.1", "dropout": "0.0..0.5"}}


@pytest.mark.parametrize("higher", [True, False])
def test_the_best_of_n_is_the_mean_over_all_sets_of_n(higher):
    figures = [0.3, 0.9, 0.5, 0.5, 0.1]
    best = max if higher else min
    wanted = [np.mean([best(some) for some in combinations(figures, count)]) for count in range(1, 6)]
    assert expected_best(figures, higher_is_better=higher) == pytest.approx(wanted)
    with pytest.raises(ShapeError):
        expected_best([])


def trials(cell, figure, count=24, seed=0):
    """Trials whose figure is a function of the settings and a generator."""
    generator = np.random.default_rng(seed)
    found = []
    for number in range(count):
        settings = {
            "learning_rate": float(10 ** generator.uniform(-4, -1)),
            "dropout": float(generator.uniform(0, 0.5)),
        }
        value = figure(settings, generator)
        found.append(
            Tuning(
                name=f"{cell}-{number}",
                cell=cell,
                seed=1,
                settings=settings,
                state="finished",
                chosen=number == 0,
                validation={"accuracy": value},
            )
        )
    return tuple(found)


def by_rate(settings, generator):
    return 0.8 - 0.05 * (np.log10(settings["learning_rate"]) + 2.5) ** 2 + 0.002 * generator.normal()


@pytest.mark.slow
def test_the_setting_that_decides_is_found_and_noise_is_not():
    record = made_up_record({"baseline": 0.8, "gru": 0.85, "rnn": 0.7}, seeds=2)
    tuning = (*trials("gru", by_rate), *trials("rnn", lambda settings, generator: 0.6 + 0.1 * generator.random()))
    found = analyse_search(tuning, record.models, SEARCH, "accuracy", higher=True)
    gru, rnn = (next(model for model in found.models if model.name == name) for name in ("gru", "rnn"))
    assert gru.shares["learning_rate"] > 0.6 > 3 * gru.shares["dropout"] and gru.explained > 0.5
    assert rnn.explained < 0.1
    assert gru.best[-1] == max(trial.validation["accuracy"] for trial in tuning if trial.cell == "gru")
    page = render_page(replace(record, search=found, tuning=tuning))
    assert (
        "Which setting matters" in page and "24 trials do not tell" in page and "against the number of trials" in page
    )
    whole = replace(record, search=found)
    assert comparison_from(json.loads(compact_json(whole))).search == found


def test_few_trials_say_nothing_of_settings_and_a_failed_one_found_nothing_better():
    record = made_up_record({"baseline": 0.8, "gru": 0.85}, seeds=2)
    few = trials("gru", by_rate, count=5)
    lost = replace(few[0], state="failed", validation=None, error="it diverged")
    found = analyse_search((lost, *few[1:]), record.models, SEARCH, "accuracy", higher=True).models[0]
    assert found.shares == {} and found.explained is None and len(found.best) == 5
    worst = min(trial.validation["accuracy"] for trial in few[1:])
    figures = [worst, *(trial.validation["accuracy"] for trial in few[1:])]
    assert found.best == pytest.approx(tuple(expected_best(figures)))


def test_trials_that_depend_on_earlier_ones_keep_their_order():
    record = made_up_record({"baseline": 0.8, "gru": 0.85}, seeds=2)
    some = trials("gru", by_rate, count=6)
    found = analyse_search(some, record.models, {**SEARCH, "method": "tpe"}, "accuracy", higher=True)
    figures = [trial.validation["accuracy"] for trial in some]
    assert found.in_order and found.models[0].best == pytest.approx(tuple(np.maximum.accumulate(figures)))


def test_a_repeated_search_is_the_mean_of_its_curves():
    record = made_up_record({"baseline": 0.8, "gru": 0.85}, seeds=2)
    first, second = trials("gru", by_rate, count=4), trials("gru", by_rate, count=4, seed=1)
    tuning = (*(replace(each, for_seed=0) for each in first), *(replace(each, for_seed=1) for each in second))
    found = analyse_search(tuning, record.models, SEARCH, "accuracy", higher=True).models[0]
    curves = [expected_best([each.validation["accuracy"] for each in some]) for some in (first, second)]
    assert (found.searches, found.trials) == (2, 4)
    assert found.best == pytest.approx(tuple(np.mean(curves, axis=0)))
