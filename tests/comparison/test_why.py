"""Every sentence of a verdict has a rule that is documented, and follows from the numbers that the record holds."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from gatewise.cli import main
from gatewise.comparison.verdict.rules import apply_again
from gatewise.record import RULES, Answer, Comparison, TimeBudget, compact_json, comparison_from
from gatewise.reports.why import reasons
from made_up_comparison import made_up_forecast, made_up_language, made_up_probe, made_up_record
from made_up_runs import made_up_trials
from made_up_times import made_up_times

PAGE = Path(__file__).parents[2] / "docs" / "verdict.md"
CELLS = {"baseline": 0.9, "rnn": 0.86, "lstm": 0.88, "gru": 0.885}
SECONDS = dict.fromkeys(("rnn", "lstm", "gru"), 20.0)
BOTH = {"training_step": SECONDS, "streaming_step": SECONDS}
EQUAL, BUSY = (made_up_times(BOTH, noise=noise) for noise in (0.003, 0.3))
BUDGET = TimeBudget(target=60.0, seconds=61.0, share=61 / 60, clock="turns")
MISSED = TimeBudget(target=60.0, seconds=75.0, share=1.25, clock="turns", kept=False)
MANY = ("rnn", "lstm", "gru", "bilstm", "bigru", "mingru", "gru*2")
WORLDS: dict[str, Callable[[], Comparison]] = {
    "baseline leads": lambda: made_up_record(CELLS, seeds=3),
    "one seed": lambda: made_up_record(CELLS),
    "few groups": lambda: made_up_record(CELLS, seeds=3, groups=8),
    "a second look": lambda: made_up_record(CELLS, seeds=5, looks=(3,)),
    "a cell lost a seed": lambda: made_up_record(CELLS, seeds=3, failed=["gru-seed1"]),
    "every cell lost a seed": lambda: made_up_record(
        {"rnn": 0.9, "gru": 0.8}, seeds=3, failed=["gru-seed1", "rnn-seed0"]
    ),
    "two seeds": lambda: made_up_record(CELLS, seeds=2),
    "different kernels": lambda: made_up_record(
        {"baseline": 0.8, "lstm": 0.88, "gru": 0.88}, seeds=3, kernels={"gru": "reference"}
    ),
    "a leader": lambda: made_up_record({"baseline": 0.6, "rnn": 0.7, "lstm": 0.9, "gru": 0.8}, seeds=3),
    "the same": lambda: made_up_record({"lstm": 0.88, "gru": 0.88}, seeds=3, margin=0.2),
    "the baseline is better": lambda: made_up_record({"baseline": 0.95, "lstm": 0.7, "gru": 0.6}, seeds=3),
    "many cells": lambda: made_up_record(
        {"baseline": 0.7, **{cell: 0.8 + 0.01 * place for place, cell in enumerate(MANY)}}, seeds=3
    ),
    "one cell": lambda: made_up_record({"gru": 0.8}, seeds=3),
    "a baseline alone": lambda: made_up_record({"baseline": 0.8}),
    "all failed": lambda: made_up_record({}, failed=["gru-seed0"]),
    "nothing learned": lambda: made_up_record({"baseline": 0.503, "gru": 0.501}, seeds=2),
    "still improving": lambda: made_up_record(CELLS, seeds=3, rising=["lstm", "gru"]),
    "no cell learned": lambda: made_up_record({"baseline": 0.8, "rnn": 0.5, "gru": 0.51}, seeds=3),
    "one cell did not learn": lambda: made_up_record({"baseline": 0.6, "rnn": 0.5, "gru": 0.9}, seeds=3),
    "a forecast": lambda: made_up_forecast({"persistence": 0.02, "lstm": 0.02, "gru": 0.018}, windows=300),
    "no skill": lambda: made_up_forecast({"persistence": 0.02, "lstm": 0.03, "gru": 0.04}, windows=300),
    "few blocks": lambda: made_up_forecast({"persistence": 0.02, "lstm": 0.04, "gru": 0.01}, windows=301, overlap=75),
    "a language model": lambda: made_up_language({"kneser-ney-5": 141.0, "lstm": 98.0, "gru": 140.0}, tokens=400),
    "a probe": lambda: made_up_probe({"rnn": 50, "lstm": 200}, lengths=(50, 200, 400)),
    "times not measured": lambda: made_up_record(CELLS, seeds=3, times=None),
    "equal times": lambda: made_up_record(CELLS, seeds=3, times=EQUAL),
    "times of a busy machine": lambda: made_up_record(CELLS, seeds=3, times=BUSY),
    "unequal times": lambda: made_up_record(CELLS, seeds=3, budgets={"gru": BUDGET, "rnn": MISSED}),
    "a probe that nobody solves": lambda: made_up_probe({"rnn": 0}, lengths=(50, 100)),
}


@cache
def world(name: str) -> Comparison:
    """A made-up comparison, as it is read from its file."""
    return comparison_from(json.loads(compact_json(WORLDS[name]())))


@pytest.fixture(params=list(WORLDS))
def record(request: pytest.FixtureRequest) -> Comparison:
    return world(request.param)


def test_the_page_states_every_rule_in_the_same_words() -> None:
    parts = re.split(r"^### (\S+)$", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    stated = {name: " ".join(text.split()) for name, text in zip(parts[1::2], parts[2::2], strict=True)}
    assert set(stated) == set(RULES)
    for name, words in RULES.items():
        assert stated[name].startswith(words), name


@pytest.mark.slow
def test_every_rule_is_followed_somewhere() -> None:
    seen = {said.rule for name in WORLDS for said in world(name).verdict.statements}
    assert set(RULES) == seen


def test_applying_the_rule_again_gives_the_same(record: Comparison) -> None:
    for said in record.verdict.statements:
        assert said.rule in RULES
        again = apply_again(said.rule, said.inputs)
        assert again is not None and again.rule == said.rule, said.sentence
        if isinstance(said, Answer):
            assert again.models == said.models, said.sentence
    again = apply_again(record.verdict.rule, record.verdict.inputs)
    assert again is not None
    assert (again.models, again.recommended) == (record.verdict.leaders, record.verdict.recommended)


def test_an_independent_reading_of_the_rules_agrees(record: Comparison) -> None:
    """The page's rules, written down once more from the recorded numbers alone, in as few lines as they need."""
    for said in record.verdict.statements:
        assert _read(said.rule, said.inputs) == said.rule, said.sentence


def test_too_few_independent_blocks_are_said_and_nothing_is_claimed() -> None:
    record = world("few blocks")
    assert [pair.blocks for pair in record.differences] == [5.0, 5.0, 5.0]
    assert all(pair.adjusted_p_value < 0.05 for pair in record.differences), "whatever the p values"
    assert not any(pair.differs or pair.equivalent for pair in record.differences)
    assert record.verdict.outcome == "undecided" and record.verdict.recommended == "persistence"
    said = next(each for each in record.verdict.caveats if each.rule == "few-blocks")
    assert "count as about 5 independent blocks, fewer than the 8 that a claim needs" in said.sentence
    assert "but from too few independent blocks" in record.verdict.text
    # an interval of a difference would say that it is one
    differing = [part for part in record.verdict.text.split(". ") if "difference" in part]
    assert len(differing) == 2 and "no difference is claimed" in said.sentence
    assert not any("interval +" in part or "interval −" in part for part in differing)
    assert "not judged, from about 5 independent blocks" in " ".join(reasons(record)[-1][2])
    enough = made_up_forecast({"persistence": 0.02, "lstm": 0.04, "gru": 0.01}, windows=300, overlap=30)
    assert enough.verdict.outcome == "cell" and not enough.verdict.caveats


def test_other_numbers_give_another_outcome() -> None:
    verdict = world("a leader").verdict
    inputs = json.loads(compact_json(verdict.answers["quality"].inputs))
    for pair in inputs["pairs"]:
        pair["adjusted_p_value"] = 0.5
    again = apply_again("quality-leader", inputs)
    assert again is not None and again.rule == "quality-tie" and len(again.models) == 3
    reach = world("a probe").verdict.answers["reach"]
    inputs = json.loads(compact_json(reach.inputs))
    for decision in inputs["points"][0]["decisions"]:
        decision["adjusted_p_value"] = 0.5
    assert reach.models == ("lstm",) and apply_again("reach", inputs) is None


def test_the_inputs_are_those_of_the_record(record: Comparison) -> None:
    figures = {model.name: model.figure for model in record.models}
    p_values = {frozenset((pair.first, pair.second)): pair.adjusted_p_value for pair in record.differences}
    for said in record.verdict.statements:
        for model in said.inputs.get("models", []):
            assert model["estimate"] == figures[model["name"]].estimate
        for pair in said.inputs.get("pairs", []):
            assert pair["adjusted_p_value"] == p_values[frozenset((pair["first"], pair["second"]))]


def test_the_command_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = world("a probe")
    (tmp_path / "comparison.json").write_text(compact_json(made), encoding="utf-8")
    with pytest.raises(SystemExit) as left:
        main(["report", str(tmp_path), "--format", "markdown", "--why"])
    out = " ".join(capsys.readouterr().out.split())
    assert left.value.code == 0
    for sentence, rule, numbers in reasons(made):
        assert f"{sentence} Rule {rule}" in out
        assert numbers or made.verdict.rule == "outcome-failed"
        for line in numbers:
            assert line in out
    assert "docs/verdict.md#reach" in out and "corrected p < 0.001" in out and "not shown to be different" in out


def test_the_command_says_how_settings_were_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first, second, *_ = made_up_trials(["gru"], "accuracy", [0.86, 0.88])
    bare = made_up_record(CELLS)
    baseline = next(model for model in bare.models if model.is_baseline)
    of_baseline = [
        dataclasses.replace(trial, cell=baseline.name, seed=None, settings={"penalty": 1.0})
        for trial in (first, second)
    ]
    said = {}
    for name, trials in {"none": [], "both": [*of_baseline, first, second]}.items():
        made = made_up_record(CELLS, tuning=trials)
        (tmp_path / "comparison.json").write_text(compact_json(made), encoding="utf-8")
        with pytest.raises(SystemExit):
            main(["report", str(tmp_path), "--format", "markdown", "--why"])
        said[name] = " ".join(capsys.readouterr().out.split())
    assert "How the settings were chosen No settings were searched" in said["none"]
    assert f"{baseline.title}: penalty 1 chosen among 2 trials, 88.0 % on the validation part" in said["both"]
    assert "(its defaults: 86.0 %)" in said["both"] and "(all trials: 86.0 % to 88.0 %)" in said["both"]


def _lost_some(inputs: Mapping[str, Any]) -> bool:
    lost = [each for each, _ in inputs["lost_and_finished"].values()]
    return any(lost) and not all(lost)


# rules that look at numbers of their own, not at the models' figures
SIMPLE: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "two-seeds": lambda given: given["seeds"] == 2,
    "few-groups": lambda given: given["groups"] < 10,
    "few-blocks": lambda given: bool(given["pairs"]) and all(pair["blocks"] < 8 for pair in given["pairs"]),
    "earlier-looks": lambda given: bool(given["looks"]),
    "lost-seeds": _lost_some,
    "different-kernels": lambda given: len({kernel for used in given["kernels"].values() for kernel in used}) > 1,
    "time-budget": lambda given: any(abs(budget["share"] - 1) > 0.1 for budget in given["budgets"].values()),
    "reach": lambda given: _reaches(given),
}


def _read(rule: str, inputs: Mapping[str, Any]) -> str | None:
    question = rule.split("-")[0]
    if rule in SIMPLE:
        return rule if SIMPLE[rule](inputs) else None
    sign = 1 if inputs["higher_is_better"] else -1
    cells = [model for model in inputs["models"] if not model["baseline"]]
    if question == "speed":
        return f"speed-{_fastest(cells, inputs['times'])}"
    if question == "size":
        alike = max(cell["parameters"] for cell in cells) <= 1.05 * min(cell["parameters"] for cell in cells)
        return "size-alike" if alike else "size-smallest"
    if rule == "outcome-failed":
        return None if cells else rule
    best = max(cells, key=lambda cell: sign * cell["estimate"])
    baselines = [model for model in inputs["models"] if model["baseline"]]
    others = {
        pair["first"] if pair["second"] == best["name"] else pair["second"]: pair
        for pair in inputs["pairs"]
        if best["name"] in (pair["first"], pair["second"])
    }
    differs = {name: _differs(pair) for name, pair in others.items()}
    tied = [others[cell["name"]] for cell in cells if cell is not best and not differs.get(cell["name"], True)]
    trivial = inputs.get("trivial")
    ends = [model["low"] if sign > 0 else -model["high"] for model in inputs["models"]]
    low = [
        cell for cell in cells if trivial is not None and (cell["low"] if sign > 0 else -cell["high"]) <= sign * trivial
    ]
    stopped = any(_stopped_early(runs, inputs) for runs in inputs.get("learning", {}).values())
    lost, once = (inputs.get(name, {}).values() for name in ("lost", "seeds"))
    gone, single = bool(lost) and all(lost), bool(once) and all(seeds == 1 for seeds in once)
    if question == "training":
        found = "incomplete" if gone else "unfinished" if stopped else "unlearned" if low == cells else None
        return f"training-{found or 'single'}" if found or single else None
    if question == "outcome" and gone:
        return "outcome-incomplete"
    if question == "cell":
        return rule if 0 < len(low) < len(cells) else None
    if question == "outcome" and stopped:
        return "outcome-unfinished"
    if question == "baseline" and not inputs["judged"]:
        return "baseline-so-far"
    nothing = trivial is not None and all(end <= sign * trivial for end in ends)
    if question == "nothing":
        return rule if nothing else None
    if question == "quality":
        if len(cells) == 1:
            return "quality-alone"
        same = all(pair["equivalent"] for pair in tied)
        return "quality-leader" if not tied else "quality-same" if same else "quality-tie"
    if question == "undecided":
        left = [pair for pair in inputs["pairs"] if not _differs(pair) and not pair["equivalent"]]
        return rule if left else None
    ahead = bool(baselines) and sign * (best["estimate"] - baselines[0]["estimate"]) > 0
    decided = bool(baselines) and differs[baselines[0]["name"]]
    if question == "baseline":
        return "baseline-undecided" if not decided else "baseline-beaten" if ahead else "baseline-better"
    if nothing:
        return "outcome-nothing"
    if low == cells:
        return "outcome-unlearned"
    if single:
        return "outcome-single"
    if baselines and not decided:
        return "outcome-undecided"
    if baselines and not ahead:
        return "outcome-baseline"
    return "outcome-tie" if tied else "outcome-cell"


def _differs(pair: Mapping[str, Any]) -> bool:
    """Whether chance explains the difference badly, and there are enough independent blocks to say so."""
    return bool(pair["adjusted_p_value"] < 0.05 and (pair["blocks"] is None or pair["blocks"] >= 8))


def _fastest(cells: list[dict[str, Any]], times: list[dict[str, Any]]) -> str:
    """How the cell with the least time stands to the others, from the ratios and their intervals."""
    training = [pair for pair in times if pair["quantity"] == "training_step"]
    if not training:
        return "unmeasured"
    least = min(cells, key=lambda cell: cell["seconds_per_epoch"])["name"]
    alike = False
    for pair in training:
        if least in (pair["first"], pair["second"]):
            same = pair["low"] >= 1 / 1.05 and pair["high"] <= 1.05
            beyond = not 1 / 1.05 < pair["estimate"] < 1.05
            alike |= same
            if not same and not (pair["adjusted_p_value"] < 0.05 and beyond):
                return "undecided"
    return "alike" if alike else "fastest"


def _stopped_early(runs: list[dict[str, Any]], inputs: Mapping[str, Any]) -> bool:
    """Whether at least half of a cell's runs were ended by their budget while they rose."""
    rose = [
        run
        for run in runs
        if run["stopped"] == "epochs"
        and run["best_epoch"] > run["first_epoch"]
        and run["gain"] > inputs["margin"]
        and run["gain"] > 2 * run["noise"]
        and run["share"] > 0.1
    ]
    return bool(runs) and len(rose) >= len(runs) / 2


def _reaches(inputs: Mapping[str, Any]) -> bool:
    """Whether any cell reaches the first point: then, and only then, there is a reach to speak of."""
    sign = 1 if inputs["higher_is_better"] else -1
    return any(
        decision["adjusted_p_value"] < 0.05
        and sign * decision["estimate"] >= sign * (decision["baseline_estimate"] + _perfect(decision)) / 2
        for decision in inputs["points"][0]["decisions"]
    )


def _perfect(decision: Mapping[str, Any]) -> float:
    return float(2 * decision["half_way"] - decision["baseline_estimate"])
