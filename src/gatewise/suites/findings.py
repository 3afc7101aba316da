"""From finished comparisons to the experiment's table and what becomes of each claim. Pure functions of records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gatewise import words
from gatewise.suites.articles import PUBLISHED, Claim, Part, articles_claims

__all__ = ["FORMAT_VERSION", "judge", "suite_record"]

FORMAT_VERSION = 1
_TIME_MARGIN = 0.05
Record = Mapping[str, Any]


def suite_record(parts: Mapping[str, tuple[Part, Record]], *, command: str, quick: bool) -> dict[str, Any]:
    """One record of the whole experiment, ready for JSON.

    Args:
        parts: for each part, what it is and its comparison's record.
        command: the command that repeats it.
        quick: whether it is the ten-minute version.

    Returns:
        ``format``, ``format_version``, ``command``, ``quick``, ``parts`` (a table each), ``claims`` (a finding each).
    """
    claims = [claim for claim in articles_claims() if claim.part in parts]
    return {
        "format": "gatewise.suite",
        "format_version": FORMAT_VERSION,
        "suite": "articles",
        "command": command,
        "quick": quick,
        "parts": [_part_entry(part, record) for part, record in parts.values()],
        "claims": [judge(claim, parts[claim.part][1]) for claim in claims],
    }


def _part_entry(part: Part, record: Record) -> dict[str, Any]:
    return {
        "name": part.name,
        "title": part.title,
        "report": f"{part.name}/report.html",
        "command": record["command"],
        "data": {"source": record["data"]["source"], "split_note": record["data"]["split_note"]},
        "environment": record["environment"],
        "seeds": len(record["plan"]["seeds"]),
        "metric": record["metric"],
        "columns": [{"name": name, "title": title} for name, title in part.figures.items()],
        "verdict": list(record["verdict"]["sentences"]),
        "rows": [_row(model, part) for model in record["models"]],
    }


def _row(model: Mapping[str, Any], part: Part) -> dict[str, Any]:
    figures = {name: model["figures"].get(name) for name in part.figures}
    return {
        "name": model["name"],
        "title": model["title"],
        "kind": model["kind"],
        "figure": model["figure"],
        "figures": figures,
        "parameters": model["cost"]["parameters"],
        "minutes": model["cost"]["training_seconds"] / 60,
        "kernel": model["kernel"].get("implementation"),
        "published": PUBLISHED[part.name].get(model["name"]),
    }


def judge(claim: Claim, record: Record) -> dict[str, Any]:
    """What becomes of a claim: it ``holds``, ``fails``, or is ``undecided``: not to be told apart from noise.

    Quality: by the comparison's paired difference, at its significance after correction for the number of pairs.
    Time: by the seconds of each cell's fastest epoch, which other programs disturb least; less than 5 % is undecided.
    Size: by the number of parameters.

    Args:
        claim: what is said.
        record: the comparison that can tell.

    Example:
        >>> times = {"gru": 10.0, "lstm": 9.8}
        >>> models = [{"name": name, "cost": {"seconds_per_epoch": value}} for name, value in times.items()]
        >>> judge(Claim("GRU trains faster", "imdb", "time", "gru", "lstm"), {"models": models})["finding"]
        'undecided'
    """
    entry = {
        "sentence": claim.sentence,
        "part": claim.part,
        "about": claim.about,
        "better": claim.better,
        "worse": claim.worse,
        "published": list(claim.published) if claim.published else None,
    }
    models = {model["name"]: model for model in record["models"]}
    if claim.better not in models or claim.worse not in models:
        return {**entry, "finding": "untested", "evidence": "one of the two was not trained to the end"}
    if claim.about == "quality":
        return {**entry, **_quality(claim, record)}
    name = "seconds_per_epoch" if claim.about == "time" else "parameters"
    first, second = models[claim.better]["cost"][name], models[claim.worse]["cost"][name]
    ratio = first / second
    if claim.about == "time" and abs(ratio - 1) < _TIME_MARGIN:
        finding = "undecided"
    else:
        finding = "holds" if ratio < 1 else "fails"
    unit = "the time per epoch" if claim.about == "time" else "the parameters"
    return {**entry, "finding": finding, "evidence": f"{ratio:.2f} times {unit}", "ratio": ratio}


def _quality(claim: Claim, record: Record) -> dict[str, Any]:
    for pair in record["differences"]:
        if {pair["first"], pair["second"]} == {claim.better, claim.worse}:
            break
    else:
        return {"finding": "untested", "evidence": "the two were not compared"}
    sign = 1 if pair["first"] == claim.better else -1
    if not record["metric"]["higher_is_better"]:
        sign = -sign
    scale = words.Scale.of(record["metric"], record["models"][0]["figure"]["estimate"])
    gains = sorted(sign * pair[end] for end in ("low", "high"))
    gain = sign * pair["estimate"]
    finding = ("holds" if gain > 0 else "fails") if pair["differs"] else "undecided"
    return {
        "finding": finding,
        "gain": {"estimate": gain, "low": gains[0], "high": gains[1], "level": pair.get("level")},
        "adjusted_p_value": pair["adjusted_p_value"],
        "evidence": f"{_side(gain)} by {scale.gap(gain)} (95 % interval of the gain "
        f"{scale.interval(gains[0], gains[1], signed=True)})",
    }


def _side(gain: float) -> str:
    return "better" if gain > 0 else "worse"
