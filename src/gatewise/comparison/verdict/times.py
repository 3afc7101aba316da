"""What the verdict may say of times: ratios that were measured in turns, and the rule of speed. See docs/verdict.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gatewise.record import TimeBudget, TimeRatio, plain
from gatewise.words import ratio

if TYPE_CHECKING:
    from gatewise.comparison.verdict.facts import Facts, ModelFigures

__all__ = ["STREAMING", "TRAINING", "TimeTable", "beside", "over_budget", "quickest", "span", "speed", "times_in"]

TRAINING, STREAMING = "training_step", "streaming_step"
_TURNED = {"faster": "slower", "slower": "faster", "same": "same", "undecided": "undecided"}


@dataclass(frozen=True)
class TimeTable:
    """Ratios of times by quantity and pair, in either order.

    Example:
        >>> pair = TimeRatio(
        ...     estimate=0.5, low=0.4, high=0.625, level=0.95, quantity="training_step", first="rnn", second="gru",
        ...     p_value=0.001, adjusted_p_value=0.001, reading="faster", rounds=12,
        ... )
        >>> turned = TimeTable.of([pair]).between("training_step", "gru", "rnn")
        >>> turned.estimate, turned.low, turned.high, turned.reading
        (2.0, 1.6, 2.5, 'slower')
    """

    table: Mapping[tuple[str, str, str], TimeRatio] = field(default_factory=dict)

    @classmethod
    def of(cls, ratios: Iterable[TimeRatio]) -> TimeTable:
        """The table of a record's ratios."""
        found: dict[tuple[str, str, str], TimeRatio] = {}
        for pair in ratios:
            found[pair.quantity, pair.first, pair.second] = pair
            found[pair.quantity, pair.second, pair.first] = replace(
                pair,
                first=pair.second,
                second=pair.first,
                estimate=1 / pair.estimate,
                low=1 / pair.high,
                high=1 / pair.low,
                reading=_TURNED[pair.reading],  # type: ignore[arg-type]
            )
        return cls(found)

    def between(self, quantity: str, first: str, second: str) -> TimeRatio | None:
        """The ratio of the first one's time to the second one's; None: not measured."""
        return self.table.get((quantity, first, second))

    def faster(self, first: str, second: str) -> bool:
        """Whether the first is shown to train faster."""
        pair = self.between(TRAINING, first, second)
        return pair is not None and pair.reading == "faster"


def times_in(facts: Facts) -> list[Any]:
    """The ratios of the cells, each pair once, as the inputs of a rule hold them."""
    names = [cell.name for cell in facts.cells]
    return [
        plain(pair)
        for quantity in (TRAINING, STREAMING)
        for place, first in enumerate(names)
        for second in names[place + 1 :]
        if (pair := facts.times.between(quantity, first, second)) is not None
    ]


@dataclass(frozen=True)
class Quickest:
    """The cell with the least time, and how the others stand to it.

    Attributes:
        cell: that cell.
        same: those that are as fast within 5 %.
        open: those that are neither shown to be slower nor to be as fast.
        slower: those that are shown to be slower, the fastest first.
    """

    cell: ModelFigures
    same: tuple[ModelFigures, ...]
    open: tuple[ModelFigures, ...]
    slower: tuple[ModelFigures, ...]


def quickest(facts: Facts, quantity: str, seconds: Callable[[ModelFigures], float | None]) -> Quickest | None:
    """Who is quickest among the cells that were measured; None where fewer than two were."""
    names = {name for kind, *pair in facts.times.table if kind == quantity for name in pair}
    cells = sorted((cell for cell in facts.cells if cell.name in names), key=lambda cell: seconds(cell) or 0.0)
    if len(cells) < 2:
        return None
    first, *others = cells
    groups: dict[str, list[ModelFigures]] = {"faster": [], "same": [], "undecided": []}
    for other in others:
        pair = facts.times.between(quantity, first.name, other.name)
        reading = "undecided" if pair is None or pair.reading == "slower" else pair.reading
        groups[reading].append(other)
    return Quickest(first, tuple(groups["same"]), tuple(groups["undecided"]), tuple(groups["faster"]))


def speed(facts: Facts) -> tuple[str, tuple[str, ...]]:
    """The rule of speed that applies, and the cells that it names."""
    found = quickest(facts, TRAINING, lambda cell: cell.time)
    if found is None:
        return "speed-unmeasured", ()
    names = tuple(cell.name for cell in (found.cell, *found.same, *found.open))
    if found.open:
        return "speed-undecided", names
    return ("speed-alike" if found.same else "speed-fastest"), names


def beside(facts: Facts, first: ModelFigures, second: ModelFigures) -> str:
    """What the first one's training time is beside the second one's, after "it"; empty where it was not measured."""
    pair = facts.times.between(TRAINING, first.name, second.name)
    if pair is None:
        return ""
    if pair.reading == "same":
        return f"takes about the same time per epoch as {second.title}"
    if pair.reading == "undecided":
        found = f"({ratio(pair.estimate)}, {span(pair)})"
        return f"is not shown to differ from {second.title} by 5 % in time per epoch {found}"
    return f"takes {ratio(pair.estimate)} ({span(pair)}) {second.title}'s time per epoch"


def span(pair: TimeRatio) -> str:
    """The two ends of a ratio's interval.

    Example:
        >>> pair = TimeRatio(
        ...     estimate=0.5, low=0.4, high=1.625, level=0.95, quantity="training_step", first="rnn", second="gru",
        ...     p_value=0.4, adjusted_p_value=0.4, reading="undecided", rounds=12,
        ... )
        >>> span(pair)
        '0.40 to 1.62'
    """
    return f"{pair.low:.2f} to {pair.high:.2f}"


def over_budget(budgets: Mapping[str, TimeBudget]) -> tuple[str, ...]:
    """The cells whose training took more or less than their budget, beyond the range that counts as matched."""
    return tuple(cell for cell, budget in budgets.items() if not budget.kept)
