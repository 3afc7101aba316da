"""Why a verdict says what it says: for each sentence its rule, and the numbers that it was decided on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gatewise import words
from gatewise.record import RULES, RULES_PAGE, Comparison
from gatewise.reports.columns import scale_of
from gatewise.reports.sections import choices

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["print_reasons", "reasons"]

_COSTS = {
    "seconds_per_epoch": ("per epoch", words.duration),
    "training_seconds": ("training", words.duration),
    "step_seconds": ("a streaming step", words.duration),
    "parameters": ("parameters", words.count),
}


def reasons(record: Comparison) -> list[tuple[str, str, list[str]]]:
    """For each sentence of the verdict: the sentence, its rule with the place where it is stated, and its numbers.

    Args:
        record: a comparison.
    """
    scale = scale_of(record)
    titles = {model.name: model.title for model in record.models}
    return [
        (
            said.sentence,
            f"{said.rule}: {RULES.get(said.rule, 'a rule of a newer Gatewise')} ({RULES_PAGE}#{said.rule})",
            list(_numbers(said.inputs, scale, titles)),
        )
        for said in record.verdict.statements
    ]


def print_reasons(record: Comparison, console: Console) -> None:
    """Print them.

    Args:
        record: a comparison.
        console: where to.
    """
    from rich.padding import Padding
    from rich.text import Text

    console.print()
    console.print(Text("Why", style="bold"))
    for sentence, rule, numbers in reasons(record):
        console.print(Text(sentence))
        console.print(Padding(Text(f"Rule {rule}", style="cyan"), (0, 0, 0, 2)))
        for line in numbers:
            console.print(Padding(Text(line, style="dim"), (0, 0, 0, 2)))
        console.print()
    console.print(Text("How the settings were chosen", style="bold"))
    for line in choices(record, scale_of(record)):
        console.print(Text(line))
    console.print()


def _or_nothing(estimate: float | None, scale: words.Scale) -> str:
    return "without a finished run" if estimate is None else scale.value(estimate)


def _numbers(inputs: Mapping[str, Any], scale: words.Scale, titles: Mapping[str, str]) -> Iterator[str]:
    for model in inputs.get("models", []):
        parts = [f"{scale.value(model['estimate'])} ({_level(model)} {scale.interval(model['low'], model['high'])})"]
        parts += [f"{write(model[name])} {said}" for name, (said, write) in _COSTS.items() if model.get(name)]
        yield f"{model['title']}: {', '.join(parts)}"
    for pair in inputs.get("pairs", []):
        yield _pair(pair, scale, titles, inputs)
    for point in inputs.get("points", []):
        for decided in point["decisions"]:
            cell, baseline = (titles.get(decided[name], decided[name]) for name in ("cell", "baseline"))
            yield (
                f"{inputs['axis']} {words.number(point['value'])}: {cell} {_or_nothing(decided['estimate'], scale)}, "
                f"{baseline} {scale.value(decided['baseline_estimate'])}, half of the way to a perfect figure "
                f"{scale.value(decided['half_way'])}, corrected p {words.p_value(decided['adjusted_p_value'])}"
            )
    for pair in inputs.get("times", []):
        yield _time(pair, titles)
    for cell, budget in inputs.get("budgets", {}).items():
        took, target = words.duration(budget["seconds"]), words.duration(budget["target"])
        yield f"{titles.get(cell, cell)}: {took} of {target} ({words.percent(budget['share'], 0)})"
    if inputs.get("trivial") is not None:
        yield f"Knowing nothing reaches {scale.value(inputs['trivial'])}"
    if inputs.get("pairs"):
        yield f"Margin {scale.margin(inputs['margin'])}; significance {inputs['significance']:g}"
    for cell, runs in inputs.get("learning", {}).items():
        yield from _learning(titles.get(cell, cell), runs, scale)
    for cell, (lost, left) in inputs.get("lost_and_finished", {}).items():
        yield f"{titles.get(cell, cell)}: {words.plural(left, 'seed')} finished, {lost} lost"
    if isinstance(inputs.get("seeds"), int):
        yield f"Seeds: {inputs['seeds']}"
    for cell, kernels in inputs.get("kernels", {}).items():
        yield f"{titles.get(cell, cell)}: {', '.join(kernels)}"


def _pair(pair: Mapping[str, Any], scale: words.Scale, titles: Mapping[str, str], inputs: Mapping[str, Any]) -> str:
    first, second = (titles.get(pair[name], pair[name]) for name in ("first", "second"))
    significance, least_blocks = inputs["significance"], inputs.get("least_blocks", 0)
    found = "different" if pair["adjusted_p_value"] < significance else "not shown to be different"
    blocks = pair.get("blocks")
    if blocks is not None and blocks < least_blocks:
        found = f"not judged, from about {max(1, round(blocks))} independent blocks"
    if pair["equivalent"]:
        found += ", shown to be the same within the margin"
    low, high = pair["low"], pair["high"]
    if scale.gain(pair["estimate"], 0.0) < 0:
        first, second = second, first
    if pair["estimate"] < 0:
        low, high = -high, -low
    lead = f"{first} ahead of {second} by {scale.gap(pair['estimate'])}"
    interval = scale.interval(low, high, signed=low < 0)
    p_value = words.p_value(pair["adjusted_p_value"])
    return f"{lead} ({_level(pair)} {interval}), corrected p {p_value}: {found}"


def _time(pair: Mapping[str, Any], titles: Mapping[str, str]) -> str:
    """A ratio of times in a line."""
    first, second = (titles.get(pair[name], pair[name]) for name in ("first", "second"))
    quantity = pair["quantity"].replace("_", " ")
    interval = f"{_level(pair)} {pair['low']:.2f} to {pair['high']:.2f}, {pair['rounds']} rounds"
    said = {"same": "the same within 5 %", "undecided": "no difference beyond 5 % shown"}
    reading = said.get(pair["reading"], pair["reading"])
    p_value = words.p_value(pair["adjusted_p_value"])
    beside = f"{first} {words.ratio(pair['estimate'])} {second}"
    return f"{quantity}: {beside} ({interval}), corrected p {p_value}: {reading}"


def _learning(title: str, runs: Sequence[Mapping[str, Any]], scale: words.Scale) -> Iterator[str]:
    """How the training of a cell's runs ended, in a line; nothing where the record does not know."""
    if not runs:
        return
    by_budget = sum(run["stopped"] == "epochs" for run in runs)
    ended = f"{by_budget} of {words.plural(len(runs), 'run')} ended by the budget"
    late = [run for run in runs if run["gain"] is not None]
    if not late:
        yield f"{title}: {ended}, after a single epoch"
        return
    gain, noise, share = (sum(run[name] for run in late) / len(late) for name in ("gain", "noise", "share"))
    moved = f"{scale.gap(gain)} {'better' if gain >= 0 else 'worse'}"
    best = words.join([f"{run['best_epoch']} of {run['epochs']}" for run in runs])
    of_all = f", {words.percent(share, 0)} of what was learned" if gain > 0 else ""
    yield (
        f"{title}: {ended}, best validation figure in epoch {best}; in the last quarter of the learning "
        f"{moved} on the validation part (noise {scale.gap(noise)}){of_all}"
    )


def _level(entry: Mapping[str, Any]) -> str:
    return f"{100 * entry['level']:.0f} % interval"
