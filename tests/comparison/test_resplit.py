"""`--resplit`: other texts held out, the shares of each source of variance, and kinds that have one split alone."""

from __future__ import annotations

from pathlib import Path

import pytest

import gatewise
from gatewise.comparison.several.analysis import splits_record
from gatewise.errors import OptionError
from gatewise.kinds.classification.loading import load_text
from gatewise.reports.several import render_several
from gatewise.studies import plan_splits, several_command
from made_up_comparison import made_up_record
from small_data import write_reviews

COLUMNS = {"text": "review", "label": "mood"}


def test_another_split_holds_other_texts_out_and_none_is_in_two_parts(tmp_path: Path) -> None:
    reviews = write_reviews(tmp_path / "reviews.csv", rows=200)
    first, again, other = (load_text(reviews, **COLUMNS, split=number) for number in (0, 0, 1))
    assert first.fingerprint == again.fingerprint == load_text(reviews, **COLUMNS).fingerprint
    assert other.fingerprint != first.fingerprint
    shared = set(first.test.texts) & set(other.test.texts)
    assert len(first.test.texts) == len(other.test.texts) and len(shared) < 0.6 * len(other.test.texts)
    for parts in (first, other):
        texts = [set(part.texts) for part in (parts.train, parts.validation, parts.test)]
        assert not (texts[0] & texts[1] or texts[0] & texts[2] or texts[1] & texts[2])
    assert set().union(*(part.texts for part in (first.train, first.validation, first.test))) == set().union(
        *(part.texts for part in (other.train, other.validation, other.test))
    )
    assert "(split 1)" in other.split_note and "split" not in first.split_note


def test_a_part_that_is_given_is_not_split_anew(tmp_path: Path) -> None:
    reviews = write_reviews(tmp_path / "reviews.csv", rows=100)
    with pytest.raises(OptionError, match="--test"):
        load_text(reviews, **COLUMNS, test=reviews, split=1)
    with pytest.raises(OptionError, match="'imdb', whose parts are given"):
        load_text("imdb", split=1)
    with pytest.raises(OptionError, match="--resplit does not go with forecasting") as raised:
        plan_splits("stocks", {}, 3)
    assert raised.value.expected == "captioning, classification or probe"
    with pytest.raises(OptionError, match="resplit"):
        plan_splits("adding", {}, 1)


def test_the_seeds_of_probes_draw_other_sequences() -> None:
    plans = plan_splits("adding", {"data_seed": 7}, 2)
    assert [part.plan.base().data.data_seed for part in plans] == [7, 8]


@pytest.mark.slow
def test_a_difference_on_every_split_is_found_and_the_page_says_the_shares() -> None:
    figures = {"baseline": 0.7, "rnn": 0.75, "gru": 0.85}
    known = {f"split{number}": ("", made_up_record(figures, seeds=3, generator_seed=number)) for number in range(5)}
    found = splits_record(known, "split", command="gatewise compare a.csv --resplit 5", created="2026-01-01")
    pair = next(pair for pair in found.splits.pairs if {pair.first, pair.second} == {"rnn", "gru"})
    assert pair.differs and sum(pair.shares.values()) == pytest.approx(1.0)
    assert found.headline == "Over 5 splits 1 pair of cells differs"
    page = render_several(found)
    assert "Over all splits" in page and "Nadeau and Bengio" in page
    cut = {
        name: ("", made_up_record(figures, seeds=3, generator_seed=place, rising=["rnn", "gru"]))
        for place, name in enumerate(known)
    }
    unjudged = splits_record(cut, "split", command="", created="")
    assert not any(pair.differs for pair in unjudged.splits.pairs)
    assert "still improving" in unjudged.caveats[0]


def test_two_splits_that_disagree_differ_by_no_more_than_shares_can() -> None:
    figures = ({"rnn": 0.95, "gru": 0.3}, {"rnn": 0.3, "gru": 0.95})
    known = {
        f"split{number}": ("", made_up_record({"baseline": 0.2} | each, seeds=3, generator_seed=number))
        for number, each in enumerate(figures)
    }
    found = splits_record(known, "split", command="", created="")
    gap = next(pair.difference for pair in found.splits.pairs if {pair.first, pair.second} == {"rnn", "gru"})
    assert (gap.low, gap.high) == (-1.0, 1.0)
    assert "--resplit 5 or more" in " ".join(found.caveats)


def test_the_command_repeats_it() -> None:
    words = several_command(["a.csv"], {"resplit": 3, "seeds": 2}, Path("out"))
    assert words == "gatewise compare a.csv --resplit 3 --seeds 2 --out out"


@pytest.mark.slow
def test_two_splits_are_compared(tmp_path: Path) -> None:
    settings = {"cells": ["rnn", "gru"], "seeds": 2, "epochs": 1, "hidden_size": 4, "cost": False, "threads": 1}
    found = gatewise.compare("parity", resplit=2, out=tmp_path, length=10, examples=100, **settings)
    assert [part.name for part in found.record.parts] == ["split0", "split1"]
    assert found.record.splits.setting == "data_seed" and len(found.record.splits.pairs) == 3
    assert found.record.command.startswith("gatewise compare parity --resplit 2")
    assert found.report.exists() and found.study("split1").record.plan["data"]["data_seed"] == 1
