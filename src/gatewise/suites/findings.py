"""From finished comparisons to the experiment's table and what becomes of each claim. Pure functions of records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from gatewise import words
from gatewise.comparison.verdict.facts import looks_factor
from gatewise.comparison.verdict.times import TimeTable
from gatewise.record import (
    NOT_JUDGED,
    Column,
    Comparison,
    Finding,
    Interval,
    ModelEntry,
    Suite,
    SuitePart,
    SuiteRow,
    TimeRatio,
)
from gatewise.reports.kind_report import kind_report
from gatewise.statistics import holm
from gatewise.statistics.serial import enough_blocks
from gatewise.statistics.times import reading_of
from gatewise.suites.articles import PUBLISHED, Claim, Part, articles_claims

__all__ = ["judge", "suite_record"]

_SAME_SIZE = 0.05
_UNTRAINED = ("unfinished", "unlearned", "nothing")


def suite_record(
    parts: Mapping[str, tuple[Part, Comparison]], *, command: str, quick: bool, left_out: Sequence[str] = ()
) -> Suite:
    """One record of the whole experiment.

    Args:
        parts: for each part, what it is and its comparison's record.
        command: the command that repeats it.
        quick: whether it is the ten-minute version.
        left_out: sentences on parts whose data are not at hand.
    """
    claims = [claim for claim in articles_claims() if claim.part in parts]
    return Suite(
        suite="articles",
        command=command,
        quick=quick,
        parts=tuple(_part(part, record) for part, record in parts.values()),
        claims=_judged(claims, {name: record for name, (_, record) in parts.items()}),
        left_out=tuple(left_out),
    )


def _judged(claims: Sequence[Claim], records: Mapping[str, Comparison]) -> tuple[Finding, ...]:
    """Every claim, at p values that are corrected for all claims of the suite (Holm, 1979)."""
    known = [(claim, p_value) for claim in claims if (p_value := _p_value(claim, records[claim.part])) is not None]
    adjusted = holm([p_value for _, p_value in known])
    corrected = {id(claim): p_value for (claim, _), p_value in zip(known, adjusted, strict=True)}
    return tuple(judge(claim, records[claim.part], corrected.get(id(claim))) for claim in claims)


def _p_value(claim: Claim, record: Comparison) -> float | None:
    """That of "no difference" before correction for other claims; None: about sizes, not measured, or not judged."""
    pairs = record.differences if claim.about == "quality" else _training(record) if claim.about == "time" else ()
    if record.verdict.outcome in _UNTRAINED or claim.about == "size":
        return None
    if claim.about == "quality" and _lacks_seeds(claim, record):
        return None
    factor = looks_factor(len(record.looks) + 1) if claim.about == "quality" else 1
    both = {claim.better, claim.worse}
    return next((min(1.0, factor * pair.p_value) for pair in pairs if {pair.first, pair.second} == both), None)


def _lacks_seeds(claim: Claim, record: Comparison) -> str:
    """Why nothing is said of two cells: they were trained once, or lost seeds. Empty: something is."""
    seeds = len(record.plan["seeds"])
    if seeds == 1:
        return f"not judged: {NOT_JUDGED['single']}"
    cells = [model for model in record.cells if model.name in (claim.better, claim.worse)]
    lost = [model.title for model in cells if len(model.runs) < seeds]
    return f"not judged: {words.join(lost)} lost seeds" if lost else ""


def _training(record: Comparison) -> tuple[TimeRatio, ...]:
    """Ratios of training steps that were measured in turns."""
    ratios = () if record.times is None else record.times.ratios
    return tuple(pair for pair in ratios if pair.quantity == "training_step")


def _part(part: Part, record: Comparison) -> SuitePart:
    spoken = kind_report(record.task).figures(record)
    written = {name: (known.percent, known.percent_sign) for name, known in spoken.items()}
    written[record.metric.name] = (record.metric.percent, record.metric.percent_sign)
    return SuitePart(
        name=part.name,
        title=part.title,
        report=f"{part.name}/report.html",
        command=record.command,
        source=record.data.source,
        split_note=record.data.split_note,
        environment=record.environment,
        seeds=len(record.plan["seeds"]),
        metric=record.metric,
        columns=tuple(
            Column(name=name, title=title, percent=percent, percent_sign=sign)
            for name, title in part.figures.items()
            for percent, sign in [written.get(name, (False, True))]
        ),
        verdict=record.verdict.sentences,
        rows=tuple(_row(model, part) for model in record.models),
    )


def _row(model: ModelEntry, part: Part) -> SuiteRow:
    return SuiteRow(
        name=model.name,
        title=model.title,
        kind=model.kind,
        figure=model.figure,
        figures={name: model.figures.get(name) for name in part.figures},
        parameters=model.cost.parameters,
        minutes=(model.cost.training_seconds or 0.0) / 60,
        kernel=model.kernel.implementation,
        published=PUBLISHED.get(part.name, {}).get(model.name),
    )


def judge(claim: Claim, record: Comparison, adjusted_p_value: float | None = None) -> Finding:
    """What becomes of a claim: it ``holds``, ``fails``, or is ``undecided``: no difference beyond chance.

    Quality: by the comparison's paired difference. Time: by the ratio of training steps that were measured in turns,
    which has to lie beyond 5 % too. Size: by the number of parameters; less than 5 % is undecided. Where the comparison
    does not judge its cells because they were not trained long enough, claims on quality and time are ``untested``.

    Args:
        claim: what is said.
        record: the comparison that can decide it.
        adjusted_p_value: corrected for all claims that are judged; None: for those of the comparison alone.
    """
    entry: dict[str, Any] = {
        "sentence": claim.sentence,
        "part": claim.part,
        "about": claim.about,
        "better": claim.better,
        "worse": claim.worse,
        "published": claim.published,
    }
    models = {model.name: model for model in record.models}
    if claim.better not in models or claim.worse not in models:
        return Finding(**entry, finding="untested", evidence="one of the two was not trained to the end")
    if claim.about != "size" and record.verdict.outcome in _UNTRAINED:
        return Finding(**entry, finding="untested", evidence=f"not judged: {NOT_JUDGED[record.verdict.outcome]}")
    if claim.about == "quality":
        return Finding(**entry, **_quality(claim, record, adjusted_p_value))
    if claim.about == "time":
        return Finding(**entry, **_time(claim, record, adjusted_p_value))
    first, second = (models[cell].cost.parameters for cell in (claim.better, claim.worse))
    ratio = (first or 0.0) / (second or 1.0)
    alike = abs(ratio - 1) < _SAME_SIZE
    finding: Literal["holds", "fails", "undecided"] = "undecided" if alike else "holds" if ratio < 1 else "fails"
    evidence = f"{ratio:.2f} times the parameters{': the same within 5 %' if alike else ''}"
    return Finding(**entry, finding=finding, evidence=evidence, ratio=ratio)


def _time(claim: Claim, record: Comparison, adjusted_p_value: float | None) -> dict[str, Any]:
    pair = TimeTable.of(_training(record)).between("training_step", claim.better, claim.worse)
    if pair is None:
        return {"finding": "untested", "evidence": "the times of the two were not measured in turns"}
    p_value = pair.adjusted_p_value if adjusted_p_value is None else adjusted_p_value
    reading = reading_of(pair.estimate, pair.low, pair.high, p_value)
    said = {"same": ": the same within 5 %", "undecided": ": no difference beyond 5 % shown"}.get(reading, "")
    interval = f"95 % interval {pair.low:.2f} to {pair.high:.2f}"
    return {
        "finding": {"faster": "holds", "slower": "fails"}.get(reading, "undecided"),
        "evidence": f"{pair.estimate:.2f} times the time of a training step ({interval}){said}",
        "ratio": pair.estimate,
        "adjusted_p_value": p_value,
    }


def _quality(claim: Claim, record: Comparison, adjusted_p_value: float | None) -> dict[str, Any]:
    lacking = _lacks_seeds(claim, record)
    if lacking:
        return {"finding": "untested", "evidence": lacking}
    for pair in record.differences:
        if {pair.first, pair.second} == {claim.better, claim.worse}:
            break
    else:
        return {"finding": "untested", "evidence": "the two were not compared"}
    sign = 1 if pair.first == claim.better else -1
    if not record.metric.higher_is_better:
        sign = -sign
    scale = words.Scale.of(record.metric, record.models[0].figure.estimate)
    low, high = sorted((sign * pair.low, sign * pair.high))
    gain = sign * pair.estimate
    p_value = pair.adjusted_p_value if adjusted_p_value is None else adjusted_p_value
    enough = enough_blocks(pair.blocks)
    finding = ("holds" if gain > 0 else "fails") if enough and p_value < pair.significance else "undecided"
    side = "better" if gain > 0 else "worse"
    return {
        "finding": finding,
        "gain": Interval(estimate=gain, low=low, high=high, level=pair.level),
        "adjusted_p_value": p_value,
        "evidence": f"{side} by {scale.gap(gain)} (95 % interval of the gain {scale.interval(low, high, signed=True)})",
    }
