"""The columns of a comparison's tables, the same on the terminal, in the page, in Markdown and in LaTeX."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gatewise import words
from gatewise.drawing.page import FigureWords
from gatewise.record import Comparison, ModelEntry
from gatewise.reports.kind_report import kind_report
from gatewise.statistics.lags import median_lag_over

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

_FURTHER = 3
_MINOR = (
    "multiply_adds_per_step",
    "time_to_target",
    "training_memory_bytes",
    "step_p99",
    "per_example_in_batch",
    "file_bytes",
    "energy_joules",
)
_USE = ("step_p50", "step_p99", "one_example", "per_example_in_batch", "file_bytes")
_COSTS: tuple[tuple[str, str, Callable[[Any], str]], ...] = (
    ("parameters", "parameters", words.count),
    ("multiply_adds_per_step", "multiply-adds per step", words.count),
    ("seconds_per_epoch", "per epoch", words.duration),
    ("training_seconds", "training time", words.duration),
    ("time_to_target", "time to target", lambda value: "–" if value is None else words.duration(value.seconds)),
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
        group: what it belongs to, where a table is divided: ``training`` or ``use``.
    """

    head: str
    make: Callable[[ModelEntry], str]
    left: bool = False
    minor: bool = False
    group: str = ""


def scale_of(record: Comparison) -> words.Scale:
    """How the values of the record's metric are written."""
    figures = [abs(model.figure.estimate) for model in record.models]
    return words.Scale.of(record.metric, max(figures, default=0.0))


def sorted_models(record: Comparison) -> list[ModelEntry]:
    """The models, the best first."""
    return sorted(record.models, key=lambda model: model.figure.estimate, reverse=record.metric.higher_is_better)


def figure_words(value: float | None, *, percent: bool = False, sign: bool = True) -> str:
    """A further figure: a fraction in percent, with the sign or without, or four significant digits.

    Example:
        >>> figure_words(0.8812, percent=True), figure_words(0.29431), figure_words(98.2), figure_words(None)
        ('88.1 %', '0.2943', '98.20', '–')
    """
    if value is None:
        return "–"
    if percent:
        return words.percent(value) if sign else f"{100 * value:.1f}"
    return words.Scale.of({"title": "", "higher_is_better": True, "percent": False}, value).plain(value)


def quality_columns(record: Comparison) -> list[Column]:
    """Metric, interval, deviation over seeds, and the further figures of the test part."""
    scale = scale_of(record)
    models = record.models
    level = f"{100 * models[0].figure.level:.0f} %" if models else "95 %"
    columns = [
        Column(f"test {scale.title}", lambda model: scale.value(model.figure.estimate)),
        Column(f"{level} interval", lambda model: scale.interval(model.figure.low, model.figure.high)),
    ]
    if any(model.figure.deviation is not None for model in models):
        columns.append(Column("deviation over seeds", lambda model: _deviation(model, scale)))
    if any(model.skill is not None for model in models):
        columns.append(Column("skill", _skill))
    spoken = kind_report(record.task).figures(record)
    for place, name in enumerate(_further_names(record)):
        said = spoken.get(name) or FigureWords(name.replace("_", " "))
        columns.append(Column(said.title, _further(name, said), minor=place >= _FURTHER))
    return columns


def abbreviations(record: Comparison) -> list[tuple[str, str]]:
    """Short heads among the quality columns and what they stand for."""
    spoken = kind_report(record.task).figures(record)
    known = [spoken[name] for name in _further_names(record) if name in spoken]
    return [(said.title, said.meaning) for said in known if said.meaning is not None]


def cost_columns(record: Comparison) -> list[Column]:
    """Everything that was measured of what a model costs, and the kernel that ran."""
    models = record.models
    streamed = any(model.cost.step_p50 is not None for model in models)
    minor = (*_MINOR, "one_example") if streamed else _MINOR
    known = [
        Column(
            _head(name, head, record),
            _cost(name, write, record),
            minor=name in minor,
            group="use" if name in _USE else "training",
        )
        for name, head, write in _COSTS
        if any(getattr(model.cost, name) is not None for model in models)
    ]
    if any(model.budget is not None for model in models):
        after = next((place for place, column in enumerate(known) if column.group == "use"), len(known))
        known.insert(after, Column("of its time budget", _budget, group="training"))
    if any(model.memory is not None for model in models):
        known.append(Column("median lag (steps back)", _median_lag, group="use"))
    kernel = Column("kernel", lambda model: model.kernel.implementation, left=True, group="training")
    return [*known, kernel]


def fitting(columns: Sequence[Column], cells: Sequence[Sequence[str]], width: int) -> list[list[int]]:
    """Share columns out over as few tables as fit a width, all about equally wide.

    Args:
        columns: all of them.
        cells: for each column, its cells.
        width: room for the columns of one table, in characters.

    Returns:
        Lists of column numbers.

    Example:
        >>> columns = [Column(f"column {number}", str) for number in range(4)]
        >>> fitting(columns, [["0.001"]] * 4, 30), fitting(columns, [["0.001"]] * 4, 40)
        ([[0, 1], [2, 3]], [[0, 1, 2, 3]])
    """
    wide = [
        max(max(map(len, two_lines(column.head))), *map(len, cells[number])) + 3
        for number, column in enumerate(columns)
    ]
    tables = _filled(wide, width)
    # the least width at which no further table is needed
    for narrower in range(max(wide, default=0), width):
        if len(found := _filled(wide, narrower)) == len(tables):
            return found
    return tables


def _filled(wide: Sequence[int], width: int) -> list[list[int]]:
    """Column numbers, each table filled before the next one is begun."""
    tables: list[list[int]] = [[]]
    used = 0
    for number, each in enumerate(wide):
        if tables[-1] and used + each > width:
            tables.append([])
            used = 0
        tables[-1].append(number)
        used += each
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


def _head(name: str, head: str, record: Comparison) -> str:
    """A cost's head; that of the time to a target names the target where all models have the same."""
    if name != "time_to_target":
        return head
    targets = {found.target for model in record.models if (found := model.cost.time_to_target) is not None}
    target = targets.pop() if len(targets) == 1 else None
    return head if target is None else f"time to {scale_of(record).value(target)} on validation"


def _further_names(record: Comparison) -> list[str]:
    """Figures beside the metric, in their order."""
    names = dict.fromkeys(name for model in record.models for name in model.figures)
    return [name for name in names if not _repeats(name, record)]


def _further(name: str, said: FigureWords) -> Callable[[ModelEntry], str]:
    return lambda model: figure_words(model.figures.get(name), percent=said.percent, sign=said.percent_sign)


def _cost(name: str, write: Callable[[Any], str], record: Comparison) -> Callable[[ModelEntry], str]:
    """A cost in words, with its interval where it was measured in turns."""
    intervals = {} if record.times is None else record.times.intervals

    def make(model: ModelEntry) -> str:
        value, found = getattr(model.cost, name), intervals.get(model.name, {}).get(name)
        if found is None or value is None:
            return write(value)
        if name == "energy_joules":
            return f"{write(value)} ({found.low:,.0f}–{found.high:,.0f})"
        return words.duration_between(value, found.low, found.high)

    return make


def _budget(model: ModelEntry) -> str:
    """The share of its time that a cell took, flagged where that is beyond what counts as matched."""
    if model.budget is None:
        return "–"
    share = words.percent(model.budget.share, 0)
    return share if model.budget.kept else f"{share}, unmatched"


def _deviation(model: ModelEntry, scale: words.Scale) -> str:
    value = model.figure.deviation
    return "–" if value is None else scale.plain(value)


def _skill(model: ModelEntry) -> str:
    return "–" if model.skill is None else f"{words.points(model.skill.value)} %"


def _median_lag(model: ModelEntry) -> str:
    """Steps back within which half of the squared gradient lies: mean and range over seeds; of older records, too."""
    found = median_lag_over(run.memory.trained.norms for run in model.runs if run.memory is not None)
    return "–" if found is None else str(found)


def _repeats(name: str, record: Comparison) -> bool:
    """Whether a further figure is the metric itself, by its name or by its values."""
    metric = record.metric.name
    if name in (metric, f"{metric}_interval"):
        return True
    return all(model.figures.get(name) == model.figures.get(metric) for model in record.models)
