"""From finished comparisons to the experiment's table and what becomes of each claim. Pure functions of records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from gatewise import words
from gatewise.record import Column, Comparison, Finding, Interval, ModelEntry, Suite, SuitePart, SuiteRow
from gatewise.reports.kind_report import kind_report
from gatewise.suites.articles import PUBLISHED, Claim, Part, articles_claims

__all__ = ["judge", "suite_record"]

_TIME_MARGIN = 0.05
_NOT_JUDGED = {
    "unfinished": "not judged: cells were still improving when training stopped",
    "unlearned": "not judged: no cell is shown to be better than knowing nothing",
    "nothing": "not judged: no model is shown to be better than knowing nothing",
}


def suite_record(parts: Mapping[str, tuple[Part, Comparison]], *, command: str, quick: bool) -> Suite:
    """One record of the whole experiment.

    Args:
        parts: for each part, what it is and its comparison's record.
        command: the command that repeats it.
        quick: whether it is the ten-minute version.
    """
    claims = [claim for claim in articles_claims() if claim.part in parts]
    return Suite(
        suite="articles",
        command=command,
        quick=quick,
        parts=tuple(_part(part, record) for part, record in parts.values()),
        claims=tuple(judge(claim, parts[claim.part][1]) for claim in claims),
    )


def _part(part: Part, record: Comparison) -> SuitePart:
    spoken = kind_report(record.task).figures(record)
    percent = {name: known.percent for name, known in spoken.items()} | {record.metric.name: record.metric.percent}
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
            Column(name=name, title=title, percent=percent.get(name, False)) for name, title in part.figures.items()
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
        published=PUBLISHED[part.name].get(model.name),
    )


def judge(claim: Claim, record: Comparison) -> Finding:
    """What becomes of a claim: it ``holds``, ``fails``, or is ``undecided``: no difference beyond chance.

    Quality: by the comparison's paired difference, at its significance after correction for the number of pairs.
    Time: by the seconds of each cell's fastest epoch, which other programs disturb least; less than 5 % is undecided.
    Size: by the number of parameters. Where the comparison does not judge its cells because they were not trained long
    enough, claims on quality and time are ``untested``.

    Args:
        claim: what is said.
        record: the comparison that can decide it.
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
    if claim.about != "size" and record.verdict.outcome in _NOT_JUDGED:
        return Finding(**entry, finding="untested", evidence=_NOT_JUDGED[record.verdict.outcome])
    if claim.about == "quality":
        return Finding(**entry, **_quality(claim, record, models))
    name = "seconds_per_epoch" if claim.about == "time" else "parameters"
    first, second = (getattr(models[cell].cost, name) for cell in (claim.better, claim.worse))
    ratio = first / second
    if claim.about == "time" and abs(ratio - 1) < _TIME_MARGIN:
        finding: Literal["holds", "fails", "undecided"] = "undecided"
    else:
        finding = "holds" if ratio < 1 else "fails"
    unit = "the time per epoch" if claim.about == "time" else "the parameters"
    return Finding(**entry, finding=finding, evidence=f"{ratio:.2f} times {unit}", ratio=ratio)


def _quality(claim: Claim, record: Comparison, models: Mapping[str, ModelEntry]) -> dict[str, Any]:
    seeds = len(record.plan["seeds"])
    if seeds == 1:
        return {"finding": "untested", "evidence": "not judged: one seed says nothing of a cell"}
    for cell in (claim.better, claim.worse):
        if len(models[cell].runs) < seeds:
            return {"finding": "untested", "evidence": f"not judged: {models[cell].title} lost seeds"}
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
    finding = ("holds" if gain > 0 else "fails") if pair.differs else "undecided"
    side = "better" if gain > 0 else "worse"
    return {
        "finding": finding,
        "gain": Interval(estimate=gain, low=low, high=high, level=pair.level),
        "adjusted_p_value": pair.adjusted_p_value,
        "evidence": f"{side} by {scale.gap(gain)} (95 % interval of the gain {scale.interval(low, high, signed=True)})",
    }
