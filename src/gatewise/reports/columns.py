"""The columns of a comparison's tables, the same on the terminal, in the page, in Markdown and in LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gatewise import words
from gatewise.reports.records import Record

__all__ = [
    "Column",
    "abbreviations",
    "cost_columns",
    "figure_words",
    "fitting",
    "quality_columns",
    "scale_of",
    "sorted_models",
    "two_lines",
]

_FRACTIONS = ("accuracy", "f1", "coverage", "skill")
_FURTHER = 3
_SHORT = {
    "mean_squared_error": "MSE",
    "mean_absolute_error": "MAE",
    "root_mean_squared_error": "RMSE",
    "mean_absolute_scaled_error": "MASE",
    "symmetric_mean_absolute_percentage_error": "sMAPE",
    "scaled_price_mean_squared_error": "MSE, 0 to 1",
    "directional_accuracy": "direction right",
    "interval_coverage": "inside the quantiles",
}
_MINOR = (
    "multiply_adds_per_step",
    "time_to_target",
    "training_memory_bytes",
    "step_p99",
    "per_example_in_batch",
    "file_bytes",
    "energy_joules",
)
_COSTS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("parameters", "parameters", words.count),
    ("multiply_adds_per_step", "multiply-adds per step", words.count),
    ("seconds_per_epoch", "per epoch", words.duration),
    ("training_seconds", "training time", words.duration),
    ("time_to_target", "to target", lambda value: words.duration(value.get("seconds")) if value else "–"),
    ("training_memory_bytes", "training memory", words.size),
    ("step_p50", "one step, p50", words.duration),
    ("step_p99", "one step, p99", words.duration),
    ("one_example", "one example", words.duration),
    ("per_example_in_batch", "one in a batch", words.duration),
    ("file_bytes", "file size", words.size),
    ("energy_joules", "energy", lambda value: "–" if value is None else f"{value:,.0f} J"),
)


@dataclass(frozen=True)
class Column:
    """One column: its head and how a model fills it.

    Args:
        head: a few words.
        make: writes a model's cell.
        left: whether it is set to the left, as words are.
        minor: left out where there is little room.
    """

    head: str
    make: Callable[[Mapping[str, Any]], str]
    left: bool = False
    minor: bool = False


def scale_of(record: Record) -> words.Scale:
    """How the values of the record's metric are written."""
    figures = [abs(model["figure"]["estimate"]) for model in record["models"]]
    return words.Scale.of(record["metric"], max(figures, default=0.0))


def sorted_models(record: Record) -> list[dict[str, Any]]:
    """The models, the best first."""
    return sorted(
        record["models"],
        key=lambda model: float(model["figure"]["estimate"]),
        reverse=bool(record["metric"]["higher_is_better"]),
    )


def figure_words(name: str, value: float | None) -> str:
    """A further figure by its name: fractions in percent, others with four significant digits.

    Example:
        >>> figure_words("macro_f1", 0.8812), figure_words("loss", 0.29431), figure_words("perplexity", 98.2)
        ('88.1 %', '0.2943', '98.20')
    """
    if value is None:
        return "–"
    if name.endswith(_FRACTIONS):
        return words.percent(value)
    return words.Scale.of({"title": name, "higher_is_better": True, "percent": False}, value).plain(value)


def quality_columns(record: Record) -> list[Column]:
    """Metric, interval, deviation over seeds, and the further figures of the test part."""
    scale = scale_of(record)
    models = record["models"]
    level = f"{100 * models[0]['figure']['level']:.0f} %" if models else "95 %"
    columns = [
        Column(f"test {scale.title}", lambda model: scale.value(model["figure"]["estimate"])),
        Column(f"{level} interval", lambda model: scale.interval(model["figure"]["low"], model["figure"]["high"])),
    ]
    if any(model["figure"]["deviation"] is not None for model in models):
        columns.append(Column("deviation over seeds", lambda model: _deviation(model, scale)))
    if any(model.get("skill") for model in models):
        columns.append(Column("skill", _skill))
    names = dict.fromkeys(name for model in models for name in model["figures"])
    further = [name for name in names if not _repeats(name, record)]
    columns += [
        Column(_spoken(name, record), _further(name), minor=place >= _FURTHER) for place, name in enumerate(further)
    ]
    return columns


def abbreviations(record: Record) -> list[tuple[str, str]]:
    """Short heads among the quality columns and what they stand for."""
    names = dict.fromkeys(name for model in record["models"] for name in model["figures"])
    return [
        (_SHORT[name], name.replace("_", " "))
        for name in names
        if name in _SHORT and _SHORT[name].endswith(("E", "1")) and not _repeats(name, record)
    ]


def cost_columns(record: Record) -> list[Column]:
    """Everything that was measured of what a model costs, and the kernel that ran."""
    models = record["models"]
    streamed = any(model["cost"].get("step_p50") is not None for model in models)
    minor = (*_MINOR, "one_example") if streamed else _MINOR
    known = [
        Column(_head(name, head, record), _cost(name, write), minor=name in minor)
        for name, head, write in _COSTS
        if any(model["cost"].get(name) is not None for model in models)
    ]
    if any(_trained_memory(model) for model in models):
        known.append(Column("memory half-life", _half_life))
    return [*known, Column("kernel", lambda model: str(model["kernel"]["implementation"]), left=True)]


def fitting(columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int) -> list[list[int]]:
    """Share columns out over as few tables as fit a width.

    Args:
        columns: all of them.
        cells: for each column, its cells.
        width: room for the columns of one table, in characters.

    Returns:
        Lists of column numbers.
    """
    tables: list[list[int]] = [[]]
    used = 0
    for number, column in enumerate(columns):
        head = max(len(line) for line in two_lines(column.head))
        wide = max([head, *(len(cell) for cell in cells[number])]) + 3
        if tables[-1] and used + wide > width:
            tables.append([])
            used = 0
        tables[-1].append(number)
        used += wide
    return tables


def two_lines(head: str) -> list[str]:
    """A head as lines no longer than its longest word asks for.

    Example:
        >>> two_lines("multiply-adds per step"), two_lines("kernel")
        (['multiply-adds', 'per step'], ['', 'kernel'])
    """
    parts = head.split()
    if len(parts) == 1:
        return ["", *parts]
    splits = [(" ".join(parts[:cut]), " ".join(parts[cut:])) for cut in range(1, len(parts))]
    return list(min(splits, key=lambda lines: max(map(len, lines))))


def _head(name: str, head: str, record: Record) -> str:
    """A cost's head; that of the time to a target names the target where all models have the same."""
    if name != "time_to_target":
        return head
    found = [model["cost"]["time_to_target"] for model in record["models"] if model["cost"].get("time_to_target")]
    targets = {entry.get("target") for entry in found}
    target = targets.pop() if len(targets) == 1 else None
    return head if target is None else f"to {scale_of(record).value(target)} validated"


def _further(name: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda model: figure_words(name, model["figures"].get(name))


def _cost(name: str, write: Callable[[Any], str]) -> Callable[[Mapping[str, Any]], str]:
    return lambda model: write(model["cost"].get(name))


def _deviation(model: Mapping[str, Any], scale: words.Scale) -> str:
    value = model["figure"]["deviation"]
    return "–" if value is None else scale.plain(value)


def _skill(model: Mapping[str, Any]) -> str:
    skill = model.get("skill")
    return "–" if not skill else f"{words.points(skill['value'])} %"


def _half_life(model: Mapping[str, Any]) -> str:
    """Steps in which the gradient halves."""
    if not _trained_memory(model):
        return "–"
    value = model["memory"]["trained"].get("half_life")
    if value is None:
        return "no decay"
    return f"{value:.1f} steps" if value < 9.95 else f"{value:.0f} steps"


def _trained_memory(model: Mapping[str, Any]) -> bool:
    return bool((model.get("memory") or {}).get("trained"))


def _repeats(name: str, record: Record) -> bool:
    """Whether a further figure is the metric itself, by its name or by its values."""
    metric = record["metric"]["name"]
    if name in (metric, f"{metric}_interval"):
        return True
    return all(model["figures"].get(name) == model["figures"].get(metric) for model in record["models"])


def _spoken(name: str, record: Record) -> str:
    """A figure's name as words; a character model's tokens are characters.

    Example:
        >>> _spoken("macro_f1", {"data": {}}), _spoken("bits_per_token", {"data": {"tokenisation": "character"}})
        ('macro F1', 'bits per character')
    """
    if name == "bits_per_token" and record["data"].get("tokenisation") == "character":
        return "bits per character"
    return _SHORT.get(name, name.replace("_", " ").replace("f1", "F1"))
