"""What the page's sections show, made from the record alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gatewise import words
from gatewise.reports.columns import figure_words
from gatewise.reports.records import Record
from gatewise.reports.svg import nice_ticks

__all__ = ["differences", "settings", "strip", "tiles", "tuning"]

_MOST_TRIALS = 200
_MOST_PAIRS = 21


def tiles(record: Record, scale: words.Scale) -> list[dict[str, str]]:
    """The answers of the verdict as short cards: which model, its figure, its price.

    Returns:
        ``question``, ``models`` (titles in a row), ``figure`` and ``beside`` for each card.
    """
    by_name = {model["name"]: model for model in record["models"]}
    answers, found = record["verdict"]["answers"], []
    leaders = [by_name[name] for name in answers.get("quality", {}).get("models", []) if name in by_name]
    if leaders:
        values = [scale.value(model["figure"]["estimate"]) for model in (leaders[0], leaders[-1])]
        figure = values[0] if len(set(values)) == 1 else f"{values[0]} to {values[1]}"
        beside = scale.title if len(leaders) == 1 else f"{scale.title}, no difference found"
        found.append(_card("Best quality", leaders, figure, beside))
    for name, question, key, write in (
        ("speed", "Fastest to train", "seconds_per_epoch", lambda value: f"{words.duration(value)} per epoch"),
        ("size", "Smallest", "parameters", lambda value: f"{words.count(value)} parameters"),
    ):
        models = [by_name[each] for each in answers.get(name, {}).get("models", []) if each in by_name]
        if models:
            least = write(min(model["cost"][key] or 0 for model in models))
            if len(models) == sum(model["kind"] != "baseline" for model in record["models"]):
                card = {"question": question, "models": "All about alike", "figure": least, "beside": "within 5 %"}
            else:
                card = _card(question, models, least, _quality_beside(models[0], record, leaders, scale))
            found.append(card)
    taken = by_name.get(record["verdict"]["recommended"] or "")
    if taken is not None:
        cost = taken["cost"]
        figure = f"{scale.value(taken['figure']['estimate'])}, {words.duration(cost['training_seconds'])} to train"
        beside = f"{words.duration(cost['seconds_per_epoch'])} per epoch"
        if taken["kind"] == "baseline":
            beside = "no recurrent cell is shown to be better"
        found.append(_card("Take", [taken], figure, beside))
    return found


def _card(question: str, models: Sequence[Mapping[str, Any]], figure: str, beside: str) -> dict[str, str]:
    titles = [model["title"] for model in models]
    named = words.join(titles) if len(titles) <= 3 else f"{titles[0]} and {len(titles) - 1} others"
    return {"question": question, "models": named, "figure": figure, "beside": beside}


def _quality_beside(
    model: Mapping[str, Any], record: Record, leaders: Sequence[Mapping[str, Any]], scale: words.Scale
) -> str:
    """What a cheap model reaches, and how far that is from the best."""
    value = scale.value(model["figure"]["estimate"])
    if not leaders:
        return value
    gap = scale.gain(leaders[0]["figure"]["estimate"], model["figure"]["estimate"])
    if model in leaders:
        words_of = "no worse than the best" if gap <= record["margin"] else f"{scale.gap(gap)} worse, may be chance"
        return f"{value}, {words_of}"
    return f"{value}, {scale.gap(gap)} worse than the best"


def strip(models: Sequence[Mapping[str, Any]], scale: words.Scale) -> dict[str, Any]:
    """Places, in percent of the width, of each figure and its interval on one common axis."""
    ticks = nice_ticks(
        min(model["figure"]["low"] for model in models), max(model["figure"]["high"] for model in models), 4
    )

    def place(value: float) -> float:
        return round(100 * (value - ticks[0]) / (ticks[-1] - ticks[0]), 2)

    return {
        "ticks": [(_tick(tick, scale), place(tick)) for tick in ticks],
        "places": {model["name"]: _bar(model["figure"], place) for model in models},
    }


def differences(record: Record, scale: words.Scale) -> dict[str, Any]:
    """Every pair, the better model first, on one axis of "how much better"; the widest gaps last.

    Returns:
        ``rows`` and ``others`` (of very many pairs, those without the best cell), ``ticks``, ``zero`` and the
        ``margin``'s band, places in percent of the width.
    """
    pairs = [_better_first(pair, scale) for pair in record["differences"]]
    if not pairs:
        return {"rows": [], "others": []}
    ticks = nice_ticks(min(0.0, *(pair["low"] for pair in pairs)), max(0.0, *(pair["high"] for pair in pairs)), 5)
    titles = {model["name"]: model["title"] for model in record["models"]}
    baselines = {model["name"] for model in record["models"] if model["kind"] == "baseline"}
    margin = record["margin"] or 0.0

    def place(value: float) -> float:
        return round(min(100.0, max(0.0, 100 * (value - ticks[0]) / (ticks[-1] - ticks[0]))), 2)

    rows = [
        {
            **pair,
            "titles": (titles[pair["first"]], titles[pair["second"]]),
            "bar": _bar(pair, place),
            "gain": scale.signed(pair["estimate"]),
            "range": scale.interval(pair["low"], pair["high"], signed=True),
            "reading": _reading(pair, titles),
            "with_baseline": bool({pair["first"], pair["second"]} & baselines),
        }
        for pair in pairs
    ]
    rows.sort(key=lambda row: (row["with_baseline"], row["estimate"]))
    named = _named_first(record, rows)
    return {
        "rows": [row for row in rows if row in named],
        "others": [row for row in rows if row not in named],
        "ticks": [(scale.signed(tick) if tick else "0", place(tick)) for tick in ticks],
        "zero": place(0.0),
        "margin": {"left": place(-margin), "width": round(place(margin) - place(-margin), 2)},
        "margin_words": scale.gap(margin),
    }


def _named_first(record: Record, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """All rows; of very many, those of the best cell."""
    cells = [model for model in record["models"] if model["kind"] != "baseline"]
    if len(rows) <= _MOST_PAIRS or not cells:
        return list(rows)
    order = sorted(cells, key=lambda model: float(model["figure"]["estimate"]))
    best = order[-1 if record["metric"]["higher_is_better"] else 0]["name"]
    return [row for row in rows if best in (row["first"], row["second"])]


def _better_first(pair: Mapping[str, Any], scale: words.Scale) -> dict[str, Any]:
    """The pair with the better model first, and the difference as its gain: positive means better."""
    names = (pair["first"], pair["second"])
    estimate, low, high = pair["estimate"], pair["low"], pair["high"]
    superiority = pair.get("superiority")
    if not scale.higher_is_better:
        estimate, low, high = -estimate, -high, -low
    if estimate < 0:
        names, (estimate, low, high) = names[::-1], (-estimate, -high, -low)
        superiority = None if superiority is None else 1.0 - superiority
    turned = {"first": names[0], "second": names[1], "estimate": estimate, "low": low, "high": high}
    return {**pair, **turned, "superiority": superiority}


def _reading(pair: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    if pair["differs"] and pair["equivalent"]:
        return f"{titles[pair['first']]} is better, by less than the margin"
    if pair["differs"]:
        return f"{titles[pair['first']]} is better"
    return "the same within the margin" if pair["equivalent"] else "no difference found"


def tuning(record: Record, scale: words.Scale) -> list[dict[str, Any]]:
    """For each cell its trials, the best first: settings, validation figure, whether chosen.

    Returns:
        ``title``, ``count``, ``trials`` (at most 200 in all are listed).
    """
    metric = record["metric"]["name"]
    cells: dict[str, list[Mapping[str, Any]]] = {}
    for trial in record["tuning"]:
        cells.setdefault(trial["cell"], []).append(trial)
    titles = {model["name"]: model["title"] for model in record["models"]}
    room = max(3, _MOST_TRIALS // max(1, len(cells)))
    found = []
    for cell, trials in cells.items():

        def quality(trial: Mapping[str, Any]) -> float:
            value = (trial.get("validation") or {}).get(metric)
            return float("inf") if value is None else scale.gain(0.0, value)

        rows = []
        for trial in sorted(trials, key=quality)[:room]:
            value = (trial.get("validation") or {}).get(metric)
            rows.append(
                {
                    "settings": ", ".join(f"{_spaced(key)} {_value(item)}" for key, item in trial["settings"].items()),
                    "figure": "–" if value is None else scale.value(value),
                    "chosen": bool(trial.get("chosen")),
                    "error": trial.get("error"),
                }
            )
        found.append({"title": titles.get(cell, cell), "count": len(trials), "trials": rows})
    return found


def settings(record: Record) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The plan's settings, and machine and versions, as pairs of words."""
    hidden = ("cells", "seeds", "task")
    plan = {name: value for name, value in record["plan"].items() if name not in hidden and value not in (None, [], {})}
    return _flat(plan), _flat(record["environment"])


def further_figures(names: Sequence[str], figures: Mapping[str, Any]) -> list[str]:
    """Further figures by their names, in words."""
    return [figure_words(name, figures.get(name)) for name in names]


def _flat(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Nested settings as pairs of words."""
    pairs: list[tuple[str, str]] = []
    for name, value in record.items():
        pairs += _flat(value) if isinstance(value, Mapping) else [(_spaced(name), _value(value))]
    return pairs


def _bar(interval: Mapping[str, Any], place: Any) -> dict[str, float]:
    left, right = place(interval["low"]), place(interval["high"])
    return {"left": left, "width": round(right - left, 2), "dot": place(interval["estimate"])}


def _tick(tick: float, scale: words.Scale) -> str:
    return f"{100 * tick:g}" if scale.percent else f"{tick:g}"


def _spaced(name: object) -> str:
    return str(name).replace("_", " ")


def _value(value: Any) -> str:
    if value is None:
        return "automatic"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
