"""`gatewise explain` reads a table of one's own as `gatewise predict` does: up to the last target that is there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from test_covariates import FLAGS, shops

from commands import ran
from gatewise import load_run

COLUMNS = ["--time", "day", "--target", "sales", "--group", "shop"]


@pytest.mark.parametrize("known", [["--known", "promotion"], []])
def test_empty_targets_at_the_end_are_forecast(known: list[str], tmp_path: Path, capsys) -> None:  # type: ignore[no-untyped-def]
    table = tmp_path / "sales.csv"
    shops(ahead=3).to_csv(table, index=False)
    run = tmp_path / "run"
    code, _, err = ran(["train", table, *COLUMNS, *known, *FLAGS, "--out", run], capsys)
    assert code == 0, err
    told = json.loads(ran(["predict", run, "--file", table, "--json"], capsys)[1])
    expected = [step["sales"] for step in told["forecasts"][0]["steps"]]
    reader = load_run(run).reader()
    read = reader.parse(table)
    assert read.steps[-1].label == "2026-03-01" and read.title == "a, up to 2026-03-01"  # day 60 of 63
    assert reader.prefixes(read)[-1].tolist() == pytest.approx(expected, rel=1e-5)
    # of fewer rows ahead than the horizon the window ends earlier, so that what is known suffices
    frame = shops(ahead=3)
    frame.drop(index=[62, 125]).to_csv(table, index=False)
    assert reader.parse(table).steps[-1].label == ("2026-02-28" if known else "2026-03-01")
    code, out, err = ran(["explain", run, table, "--json"], capsys)
    assert code == 0, err
    assert reader.parse(table).title in json.dumps(json.loads(out))


def test_a_known_table_has_no_column_of_series(tmp_path: Path, capsys, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    """`sp500` has a target of its own, which is not taken for the column that tells series apart."""
    frame = shops(ahead=0).rename(columns={"day": "Date", "sales": "Adj Close"})
    table = tmp_path / "mine.csv"
    frame[frame["shop"] == "a"].to_csv(table, index=False)
    words = ["--time", "Date", "--target", "Adj Close"]
    assert ran(["train", table, *words, *FLAGS, "--out", tmp_path / "run"], capsys)[0] == 0
    trained = load_run(tmp_path / "run")
    spec = replace(trained.data_spec, data="sp500", time=None, target=None)
    monkeypatch.setattr(type(trained), "data_spec", property(lambda _: spec))
    assert trained.reader().parse(table).steps[-1].label == "2026-03-01"
