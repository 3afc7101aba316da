"""Several data sets at once: what their records say together, its sentences and page, and a real run of two."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import browser
import gatewise
from gatewise.comparison.several.analysis import error_of, several_record
from gatewise.errors import DataError, OptionError, RunError
from gatewise.files import write_text
from gatewise.record import BEST_BASELINE, compact_json, read_comparison, read_several
from gatewise.reports.several import render_several
from gatewise.studies import plan_several, several_command
from gatewise.training.run_place import find_run
from made_up_comparison import made_up_forecast, made_up_language, made_up_record

BETTER = {"baseline": 0.8, "rnn": 0.72, "lstm": 0.86, "gru": 0.85}


def records(count):
    kinds = [
        lambda seed: made_up_record(BETTER, seeds=3, generator_seed=seed),
        lambda seed: made_up_forecast(
            {"persistence": 0.9, "rnn": 1.3, "lstm": 0.8, "gru": 0.85}, seeds=3, generator_seed=seed
        ),
        lambda seed: made_up_language(
            {"kneser-ney-5": 145.0, "rnn": 160.0, "lstm": 108.0, "gru": 112.0}, seeds=3, generator_seed=seed
        ),
    ]
    return {f"part{place}": (f"part{place}", kinds[place % 3](place)) for place in range(count)}


@pytest.fixture(scope="module")
def seven():
    return several_record(records(7), command="gatewise compare ...", created="2026-01-01")


def test_enough_data_sets_rank_the_cells(seven):
    overall = seven.overall
    assert overall.enough and len(overall.data_sets) == 7
    assert [model.name for model in overall.models][:2] == ["lstm", "gru"]
    pair = next(pair for pair in overall.pairs if (pair.first, pair.second) == ("lstm", "rnn"))
    assert pair.differs and pair.better > 0.95 and pair.improvement.estimate > 0.95
    assert "ranks better than" in seven.sentences[0] and "Friedman" in seven.sentences[0]
    assert seven.headline.startswith("Over 7 data sets")


def test_the_best_baseline_of_each_data_set_is_the_zero_of_the_scores(seven):
    baseline = next(model for model in seven.overall.models if model.name == BEST_BASELINE)
    assert baseline.score.estimate == pytest.approx(0.0)
    part = seven.parts[0]
    lstm = next(model for model in part.models if model.name == "lstm")
    reference = next(model for model in part.models if model.kind == "baseline")
    wanted = 1 - (1 - lstm.figure.estimate) / (1 - reference.figure.estimate)
    assert lstm.score == pytest.approx(wanted)
    perplexity = next(part for part in seven.parts if part.metric.transform == "exp")
    assert error_of(perplexity.metric, 100.0) == pytest.approx(np.log(100))


def test_few_data_sets_say_nothing_of_others():
    found = several_record(records(3), command="", created="")
    assert not found.overall.enough and not any(pair.differs for pair in found.overall.pairs)
    assert "too few to say anything of others" in found.sentences[0] and "25 %" in found.sentences[0]
    assert not any("Bayesian" in sentence for sentence in found.sentences)


def test_data_sets_that_judge_no_cell_are_left_out_with_the_reason():
    known = records(3)
    known["part0"] = ("part0", made_up_record(BETTER, seeds=1))
    known["part1"] = ("part1", made_up_record(BETTER, seeds=3, rising=["rnn", "lstm", "gru"]))
    found = several_record(known, command="", created="")
    assert found.overall is None and found.headline == "Nothing can be said over data sets: one counts"
    assert any("one seed" in sentence for sentence in found.sentences)
    assert any("still improving" in sentence for sentence in found.sentences)


def test_a_lost_run_counts_as_the_worst_one():
    known = records(6)
    whole = several_record(known, command="", created="").overall
    known["part0"] = ("part0", made_up_record(BETTER, seeds=3, failed=["lstm-seed1", "lstm-seed2"]))
    found = several_record(known, command="", created="")
    before, after = (
        next(model for model in overall.models if model.name == "lstm") for overall in (whole, found.overall)
    )
    assert after.rank > before.rank and after.score.low < before.score.low
    assert any("LSTM 2 on" in caveat for caveat in found.caveats)


def test_equal_cells_lead_to_no_claim():
    """Cells that differ by chance alone: the sentences say that no difference is shown."""
    equal = {"persistence": 0.9, "rnn": 0.8, "lstm": 0.8, "gru": 0.8}
    known = {f"part{seed}": ("", made_up_forecast(equal, windows=100, generator_seed=seed)) for seed in range(6)}
    found = several_record(known, command="", created="").overall
    cells = {"rnn", "lstm", "gru"}
    assert not any(pair.differs for pair in found.pairs if {pair.first, pair.second} <= cells)


def test_the_record_is_read_back_and_the_page_shows_it(seven, tmp_path):
    write_text(tmp_path / "comparisons.json", compact_json(seven))
    assert read_several(tmp_path) == seven
    page = render_several(seven)
    for words in (seven.headline, "Best baseline", "Share of runs above a score", "part6/report.html"):
        assert words in page
    assert "<script" not in page and "http://" not in page and "https://" not in page
    with pytest.raises(RunError, match="newer"):
        write_text(tmp_path / "comparisons.json", compact_json(replace(seven, format_version=9)))
        read_several(tmp_path)


@pytest.mark.skipif(browser.PROGRAM is None, reason="needs chromium")
@pytest.mark.slow
def test_nothing_scrolls_sideways(seven, tmp_path):
    place = tmp_path / "page.html"
    place.write_text(render_several(seven), encoding="utf-8")
    scrolls = "[...document.querySelectorAll('.scroll')].filter(each => each.scrollWidth > each.clientWidth + 1).length"
    with browser.Browser() as window:
        for width in (390, 768, 1280):
            window.open(place, width=width)
            assert window.value("document.documentElement.scrollWidth <= innerWidth"), width
            assert window.value(scrolls) == 0, width


def test_one_of_several_comparisons_has_to_be_named(tmp_path):
    for name in ("films", "prices"):
        (tmp_path / name).mkdir()
        for file in ("plan.json", "comparison.json"):
            (tmp_path / name / file).write_text("{}")
    with pytest.raises(
        RunError, match=r"holds several comparisons; got: films, prices; fix: name one of them.*films/gru"
    ):
        find_run(tmp_path)
    (tmp_path / "comparisons.json").write_text("{}")
    with pytest.raises(RunError, match=r"holds several comparisons, not one.*got: films, prices"):
        read_comparison(tmp_path)


def test_plans_are_checked_before_anything_is_trained(tmp_path):
    with pytest.raises(OptionError, match="stocks: --max-tokens does not go with forecasting") as raised:
        plan_several(["imdb", "stocks"], {"max_tokens": 100})
    assert "plan.toml" in raised.value.fix
    with pytest.raises(OptionError, match="named twice"):
        plan_several(["imdb", "imdb"], {})
    with pytest.raises(OptionError, match="unit of one metric"):
        plan_several(["imdb", "stocks"], {"margin": 0.01})
    place = tmp_path / "week.toml"
    place.write_text('data = "stocks"\nhorizon = 5\nout = "elsewhere"\n', encoding="utf-8")
    one, two = plan_several(["stocks", str(place)], {"seeds": 2, "cells": "gru"})
    assert (one.name, two.name) == ("stocks", "week")
    assert (one.plan.base().data.horizon, two.plan.base().data.horizon) == (1, 5)
    assert several_command(["stocks", "week.toml"], {"cells": "gru"}, Path("a b")).endswith("--cells gru --out 'a b'")


def test_data_that_cannot_be_read_are_refused_before_the_first_training(tmp_path):
    with pytest.raises(DataError, match=r"nope\.csv"):
        gatewise.compare(["parity", "nope.csv"], out=tmp_path / "out", cells="gru")
    with pytest.raises(OptionError, match="no data set"):
        gatewise.compare([])
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_two_small_data_sets_are_compared_and_resumed_and_read_from_their_folders(tmp_path):
    settings = {"cells": ["rnn", "gru"], "seeds": 2, "epochs": 1, "hidden_size": 4, "cost": False, "threads": 1}
    probes = {"length": 10, "examples": 100}
    found = gatewise.compare(["adding", "parity"], out=tmp_path / "both", **settings, **probes)
    assert {part.name for part in found.record.parts} == {"adding", "parity"} and found.report.exists()
    assert set(found.table().index.get_level_values("data")) == {"adding", "parity"}
    assert found.study("adding").record.command.startswith("gatewise compare adding")
    again = gatewise.compare([tmp_path / "both/adding", tmp_path / "both/parity"], out=tmp_path / "read")
    assert [part.models for part in again.record.parts] == [part.models for part in found.record.parts]
    assert again.study("parity").record == found.study("parity").record
