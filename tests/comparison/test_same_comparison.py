"""The same settings, found or named, are the same comparison; another one is refused with the option that keeps it."""

from __future__ import annotations

import json
import signal
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from gatewise.comparison.plan.plan import Plan, make_plan
from gatewise.comparison.run import estimate
from gatewise.comparison.run.claim import as_held, claim_folder, held_plan
from gatewise.comparison.run.trials import trial_key
from gatewise.errors import RunError
from gatewise.training import EpochDone, Interrupted, RunSpec, load_run, run_spec, train_run
from gatewise.training.assembly import make_spec
from gatewise.training.registry import kind_of

SMALL: dict[str, Any] = {"horizon": 2, "lookback": 6}


@pytest.fixture
def table(tmp_path: Path) -> Path:
    days = pd.date_range("2025-01-01", periods=80).strftime("%d.%m.%Y")
    frame = pd.DataFrame({"Datum": days, "Umsatz": [f"{100 + n % 7},5" for n in range(80)]})
    frame.to_csv(tmp_path / "x.csv", sep=";", index=False)
    return tmp_path / "x.csv"


def planned(path: Path, **settings: Any) -> tuple[Plan, Any]:
    plan = make_plan(str(path), cells=["gru"], **{**SMALL, **settings})
    return plan, kind_of("forecasting").load(plan.base().data)


def begun(folder: Path, path: Path, **settings: Any) -> Plan:
    plan, dataset = planned(path, **settings)
    prints = {"None": dataset.fingerprint}
    plan = as_held(plan, held_plan(folder), prints, dataset)
    claim_folder(folder, plan, fingerprint=prints, code="c" * 16)
    return plan


NAMED = [
    {"target": "Umsatz"},
    {"time": "Datum"},
    {"decimal": ","},
    {"date_format": "%d.%m.%Y"},
    {"target": "Umsatz", "time": "Datum", "decimal": ","},
    {"decoding": "direct"},
]


@pytest.mark.parametrize("named", NAMED)
def test_what_was_found_may_be_named_and_the_other_way_round(
    tmp_path: Path, table: Path, named: dict[str, str]
) -> None:
    for first, second in (({}, named), (named, {})):
        folder = tmp_path / f"out{len(first)}"
        held = begun(folder, table, **first)
        before = (folder / "plan.json").read_bytes()
        again = begun(folder, table, **second)
        assert (folder / "plan.json").read_bytes() == before
        assert again.spec("gru", 0) == held.spec("gru", 0), "its trials have the same keys, and are reused"


def test_a_derived_look_back_may_be_named(tmp_path: Path, table: Path) -> None:
    held = begun(tmp_path / "out", table, lookback=None)
    lookback = planned(table, lookback=None)[1].lookback
    assert begun(tmp_path / "out", table, lookback=lookback).spec("gru", 0) == held.spec("gru", 0)


def test_other_settings_are_refused_with_the_option_that_keeps_them(tmp_path: Path, table: Path) -> None:
    begun(tmp_path / "out", table)
    with pytest.raises(
        RunError, match=r"with other horizon; .*fix: --horizon 2 to continue it, or choose another folder"
    ):
        begun(tmp_path / "out", table, horizon=3)
    with pytest.raises(RunError, match=r"with other seeds; .*fix: --seeds 3 --seed 0 to continue it"):
        begun(tmp_path / "out", table, seeds=3, seed=3)
    with pytest.raises(RunError, match=r"with other seeds; .*fix: --seeds 3 to continue it"):
        begun(tmp_path / "out", table, seeds=2)
    with pytest.raises(RunError, match=r"with other epochs; .*fix: omit --epochs to continue it, or"):
        begun(tmp_path / "out", table, epochs=9)
    with pytest.raises(RunError, match=r"with other time; expected: time not given; .*omit --time to continue it"):
        begun(tmp_path / "out", table, time="none")
    with pytest.raises(RunError, match=r"with other bidirectional; .*--no-bidirectional to continue it"):
        begun(tmp_path / "out", table, bidirectional=True)
    claim_folder(tmp_path / "b", make_plan("imdb", embeddings="random"), fingerprint={"None": "f"}, code="c")
    with pytest.raises(RunError, match=r"with other embeddings; .*--embeddings random to continue it"):
        claim_folder(tmp_path / "b", make_plan("imdb"), fingerprint={"None": "f"}, code="c")
    begin = {"calibration": "none", "embeddings": "random", "epochs": 2}
    claim_folder(tmp_path / "c", make_plan("imdb", **begin), fingerprint={"None": "f"}, code="older")
    with pytest.raises(RunError, match=r"fix: [^;]*--calibration none[^;]* --old-code to continue it, or") as refusal:
        claim_folder(tmp_path / "c", make_plan("imdb", epochs=2), fingerprint={"None": "f"}, code="c")
    assert "--embeddings random" in str(refusal.value) and "--epochs" not in str(refusal.value)


def texts_begun(folder: Path, cells: list[str], *, older: bool = False, **settings: Any) -> Plan:
    """A comparison of text classifiers; ``older``: of before `recurrent_start`, which its plan then lacks."""
    path = folder.parent / "moods.csv"
    rows = [f"{word} {n},{mood}" for n in range(12) for word, mood in (("fine", "glad"), ("poor", "sad"))]
    path.write_text("\n".join(["text,label", *rows]))
    plan = make_plan(str(path), cells=cells, **settings)
    dataset = kind_of("classification").load(plan.base().data)
    prints = {"None": dataset.fingerprint}
    plan = as_held(plan, held_plan(folder), prints, dataset)
    claim_folder(folder, plan, fingerprint=prints, code="c" * 16)
    if older:
        record = json.loads((folder / "plan.json").read_text())
        del record["model"]["recurrent_start"]
        (folder / "plan.json").write_text(json.dumps(record))
    return plan


def test_what_follows_from_the_cell_is_the_same_only_where_it_is_of_all_cells(tmp_path: Path) -> None:
    held = texts_begun(tmp_path / "gated", ["gru", "lstm"])
    assert texts_begun(tmp_path / "gated", ["gru", "lstm"], recurrent_start=1.0).spec("gru", 0) == held.spec("gru", 0)
    texts_begun(tmp_path / "plain", ["gru", "rnn"])
    with pytest.raises(RunError, match=r"other recurrent_start; .*omit --recurrent-start to continue it"):
        texts_begun(tmp_path / "plain", ["gru", "rnn"], recurrent_start=1.0)


def test_a_comparison_of_before_a_setting_goes_on_with_its_finished_trials(tmp_path: Path) -> None:
    def keys(plan: Plan) -> list[str]:
        return [trial_key(plan.spec(cell, 0), "f" * 64, "c") for cell in plan.cells]

    def of_before(plan: Plan, added: str = "recurrent_start") -> list[str]:
        with pytest.MonkeyPatch.context() as patch:
            whole = RunSpec.to_dict
            patch.setattr(RunSpec, "to_dict", lambda spec: _without(whole(spec), added))
            patch.setattr(run_spec, "settings_of", lambda spec: {})
            return keys(plan)

    gated = texts_begun(tmp_path / "gated", ["gru", "lstm"], older=True)
    assert keys(texts_begun(tmp_path / "gated", ["gru", "lstm"])) == of_before(gated)
    plain = texts_begun(tmp_path / "plain", ["gru", "rnn"], older=True, recurrent_start=1.0)
    with pytest.raises(RunError, match=r"other recurrent_start; .*--recurrent-start 1.0 to continue it"):
        texts_begun(tmp_path / "plain", ["gru", "rnn"])
    assert keys(texts_begun(tmp_path / "plain", ["gru", "rnn"], recurrent_start=1.0)) == of_before(plain)
    forecasts = [keys(make_plan("etth1", cells=["gru"], **given)) for given in ({}, {"shortcut": True})]
    assert forecasts[0] == of_before(make_plan("etth1", cells=["gru"]), "shortcut") != forecasts[1]
    assert keys(make_plan("imdb", cells=["rnn"])) != keys(make_plan("imdb", cells=["rnn"], recurrent_start=1.0))


def _without(record: dict[str, Any], name: str) -> dict[str, Any]:
    return {**record, "model": {key: value for key, value in record["model"].items() if key != name}}


def test_a_run_goes_on_where_what_was_found_is_named(tmp_path: Path, table: Path) -> None:
    settings = {**SMALL, "hidden_size": 4, "epochs": 1, "threads": 1}
    kind = kind_of("forecasting")
    found = make_spec("forecasting", str(table), settings)
    dataset = kind.load(found.data)
    train_run(found, dataset, tmp_path / "run")
    before = (tmp_path / "run" / "result.json").read_bytes()
    named = make_spec("forecasting", str(table), {**settings, "target": "Umsatz", "time": "Datum", "decimal": ","})
    train_run(named, kind.load(named.data), tmp_path / "run")
    assert (tmp_path / "run" / "result.json").read_bytes() == before
    older = make_spec("forecasting", str(table), {**settings, "normalisation": "none", "decimal": ","})
    train_run(older, dataset, tmp_path / "older")
    with pytest.raises(RunError, match=r"repeat the options of the run in it: .*--normalisation none$"):
        train_run(found, dataset, tmp_path / "older")


def test_an_interrupted_run_of_before_a_found_mark_was_kept_resumes(tmp_path: Path, table: Path) -> None:
    settings = {**SMALL, "hidden_size": 4, "epochs": 3, "patience": 3, "threads": 1}
    spec = make_spec("forecasting", str(table), settings)
    dataset = kind_of("forecasting").load(spec.data)

    def press(event: Any) -> None:
        if isinstance(event, EpochDone) and event.record.epoch == 1:
            signal.raise_signal(signal.SIGINT)

    train_run(spec, dataset, tmp_path / "whole")
    with pytest.raises(Interrupted):
        train_run(spec, dataset, tmp_path / "run", on_event=press)
    record = json.loads((tmp_path / "run" / "scaler.json").read_text())
    assert record.pop("decimal") == ","
    (tmp_path / "run" / "scaler.json").write_text(json.dumps(record))
    train_run(spec, dataset, tmp_path / "run")
    whole, run = (load_run(tmp_path / name) for name in ("whole", "run"))
    assert (run.decimal, run.data_spec.decimal) == (None, "."), "it answers as runs of before do"
    weights = (network.model.state_dict() for network in (whole, run))
    assert all(one.equal(other) for one, other in zip(*(each.values() for each in weights), strict=True))


def test_the_time_of_measuring_counts_processes_and_slow_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = make_plan("imdb", cells=["gru", "lstm"])
    step = [0.01]
    budget = SimpleNamespace(step_seconds=lambda spec, point: step[0], chosen=lambda cell, point, settings: settings)
    context: Any = SimpleNamespace(folder=tmp_path, budget=budget)
    monkeypatch.setattr(estimate, "starting_seconds", lambda: 4.0)
    quick = estimate.measuring_seconds(plan, context)
    monkeypatch.setattr(estimate, "starting_seconds", lambda: 14.0)
    assert estimate.measuring_seconds(plan, context) == pytest.approx(quick + 3 * 10.0), "one a cell, and one for all"
    step[0] = 2.0
    assert estimate.measuring_seconds(plan, context) > quick + 2 * 24 * 1.9
    assert estimate.measuring_seconds(replace(plan, cells=("gru",)), context) < quick + 2 * 24 * 1.9


def test_work_takes_longer_beside_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(estimate.os, "getloadavg", lambda: (0.5, 0.0, 0.0), raising=False)
    alone = estimate._busy()
    monkeypatch.setattr(estimate.os, "getloadavg", lambda: (8.0, 0.0, 0.0), raising=False)
    assert (alone, estimate._busy()) == (1.0, 4.0)
