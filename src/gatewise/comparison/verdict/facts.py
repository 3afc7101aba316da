"""What the verdict has to know of models and pairs, and the rules that read it. See docs/verdict.md."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from gatewise.comparison.verdict.times import TimeTable
from gatewise.comparison.verdict.training import unfinished
from gatewise.record import Learning, TimeBudget, TimeRatio
from gatewise.statistics.serial import LEAST_BLOCKS, enough_blocks
from gatewise.words import Scale

__all__ = ["LEAST_BLOCKS", "SAME_COST", "SIGNIFICANCE", "Facts", "ModelFigures", "Pair", "Range", "looks_factor"]

SIGNIFICANCE = 0.05
SAME_COST = 0.05


@dataclass(frozen=True)
class Range:
    """An estimate with its two-sided interval."""

    estimate: float
    low: float
    high: float
    level: float = 0.95

    @property
    def turned(self) -> Range:
        """The same of the difference taken the other way round.

        Example:
            >>> Range(1.0, 0.5, 2.0).turned
            Range(estimate=-1.0, low=-2.0, high=-0.5, level=0.95)
        """
        return Range(-self.estimate, -self.high, -self.low, self.level)


@dataclass(frozen=True)
class ModelFigures:
    """What the verdict has to know of a model.

    Args:
        name: as in the record.
        title: as a reader knows it.
        figure: the metric on the test part.
        training_seconds: of one run.
        seconds_per_epoch: of training steps; None for a baseline.
        step_seconds: median time of one streaming step; None where it was not measured.
        parameters: trained numbers.
        file_bytes: size of the model's files; None where it was not measured.
        kernels: what ran its recurrent layers.
        baseline: it is no recurrent network.
        streams: whether it can run step by step; a network that reads from both ends cannot.
        learning: how the training of each run ended.
        seeds: how many of its runs finished; None of a baseline.
        lost: how many did not.
    """

    name: str
    title: str
    figure: Range
    training_seconds: float
    seconds_per_epoch: float | None
    step_seconds: float | None = None
    parameters: int | None = None
    file_bytes: float | None = None
    kernels: tuple[str, ...] = ()
    baseline: bool = False
    streams: bool = True
    learning: tuple[Learning, ...] = ()
    seeds: int | None = None
    lost: int = 0

    @property
    def time(self) -> float:
        """Seconds per epoch, or of the whole training where there are no epochs."""
        return self.training_seconds if self.seconds_per_epoch is None else self.seconds_per_epoch

    @property
    def inside(self) -> str:
        """The title inside a sentence: a baseline that is a plain word loses its capital.

        Example:
            >>> ModelFigures("persistence", "Persistence", Range(1, 1, 1), 0.0, None, baseline=True).inside
            'persistence'
            >>> ModelFigures("tfidf", "TF-IDF", Range(1, 1, 1), 0.0, None, baseline=True).inside
            'TF-IDF'
        """
        first, _, rest = self.title.partition(" ")
        plain = self.baseline and first.isalpha() and first[1:].islower()
        return f"{first.lower()} {rest}".strip() if plain else self.title


@dataclass(frozen=True)
class Pair:
    """Two models on the same examples.

    Args:
        first: name of a model.
        second: name of another.
        difference: figure of the first minus that of the second, with its interval.
        adjusted_p: p value of "no difference", corrected for all pairs (Holm).
        equivalent: the difference is shown to lie within the margin.
        seeds_needed: seeds of each with which a difference of this size would be found; None: not known or too many.
        blocks: how many independent blocks the test examples are; None: they are independent.
    """

    first: str
    second: str
    difference: Range
    adjusted_p: float
    equivalent: bool = False
    seeds_needed: int | None = None
    blocks: float | None = None

    @property
    def enough(self) -> bool:
        """Whether there are enough independent blocks to claim anything."""
        return enough_blocks(self.blocks)

    @property
    def differs(self) -> bool:
        """Whether the difference is more than chance explains, at the 5 % level; of too few blocks it is not said."""
        return self.enough and self.adjusted_p < SIGNIFICANCE

    @property
    def turned(self) -> Pair:
        """The same pair in the other order."""
        return replace(self, first=self.second, second=self.first, difference=self.difference.turned)


@dataclass(frozen=True)
class Facts:
    """Models in order of quality, and every pair in either order.

    Attributes:
        cells: the recurrent models, the best first; of those that lost seeds, only where every cell did.
        incomplete: the cells that lost seeds, the best first. What is left of their seeds is no fair sample: those that
            fail may be the bad ones.
        baseline: the best baseline.
        table: pairs by the two names.
        scale: the metric's direction and how it is written.
        margin: differences within it make no difference in practice.
        times: ratios that were measured in turns; without one no cell counts as faster than another.
        budgets: by cell, what it took of the time that it was given.
        groups: of test examples, over which intervals are; None: they are over the examples.
        group_words: what these are, in the plural.
    """

    cells: tuple[ModelFigures, ...]
    incomplete: tuple[ModelFigures, ...]
    baseline: ModelFigures | None
    table: Mapping[tuple[str, str], Pair]
    scale: Scale
    margin: float
    times: TimeTable = field(default_factory=TimeTable)
    budgets: Mapping[str, TimeBudget] = field(default_factory=dict)
    groups: int | None = None
    group_words: str = "groups of test examples"

    def over(self, groups: tuple[int, str] | None) -> Facts:
        """The same facts with intervals over groups of test examples: how many, and what they are."""
        return self if groups is None else replace(self, groups=groups[0], group_words=groups[1])

    @classmethod
    def of(
        cls,
        models: Sequence[ModelFigures],
        pairs: Iterable[Pair],
        scale: Scale,
        margin: float,
        times: Iterable[TimeRatio] = (),
        budgets: Mapping[str, TimeBudget] | None = None,
    ) -> Facts:
        """Sort models and pairs."""
        order = sorted(models, key=lambda model: scale.gain(0.0, model.figure.estimate))
        table: dict[tuple[str, str], Pair] = {}
        for pair in pairs:
            table[pair.first, pair.second] = pair
            table[pair.second, pair.first] = pair.turned
        baseline = next((model for model in order if model.baseline), None)
        cells = tuple(model for model in order if not model.baseline)
        whole, lost = (tuple(cell for cell in cells if bool(cell.lost) == some) for some in (False, True))
        return cls(whole or cells, lost, baseline, table, scale, margin, TimeTable.of(times), budgets or {})

    def between(self, first: ModelFigures, second: ModelFigures) -> Pair:
        """The pair in this order."""
        return self.table[first.name, second.name]

    def gain(self, first: ModelFigures, second: ModelFigures) -> float:
        """By how much the first is better."""
        return self.scale.gain(self.between(first, second).difference.estimate, 0.0)

    def gain_range(self, first: ModelFigures, second: ModelFigures) -> Range:
        """By how much the first is better, with its interval: positive means better, whatever the metric."""
        difference = self.between(first, second).difference
        return difference if self.scale.higher_is_better else difference.turned

    @property
    def single(self) -> bool:
        """Whether no cell was trained more than once, so that only its one network can be spoken of."""
        return bool(self.cells) and all(cell.seeds == 1 for cell in self.cells)

    @property
    def unfinished(self) -> tuple[ModelFigures, ...]:
        """The cells whose training was stopped while they were still improving, the best first."""
        return tuple(cell for cell in self.cells if unfinished(cell.learning, self.margin))

    @property
    def smaller_baseline(self) -> ModelFigures | None:
        """The best baseline, where it has fewer parameters than every cell."""
        sizes = [cell.parameters for cell in self.cells if cell.parameters is not None]
        baseline = self.baseline
        if baseline is None or baseline.parameters is None or not sizes:
            return None
        return baseline if baseline.parameters < min(sizes) else None

    @property
    def everyone(self) -> tuple[ModelFigures, ...]:
        """The cells, and the best baseline if there is one."""
        return self.cells if self.baseline is None else (*self.cells, self.baseline)

    def beats(self, model: ModelFigures, trivial: float) -> bool:
        """Whether a model's interval lies wholly on the better side of knowing nothing."""
        worst = model.figure.low if self.scale.higher_is_better else model.figure.high
        return self.scale.gain(worst, trivial) > 0

    def none_beats(self, trivial: float) -> bool:
        """Whether no model, the best baseline among them, is shown to be better than knowing nothing."""
        return not any(self.beats(model, trivial) for model in self.everyone)

    @property
    def foremost(self) -> ModelFigures:
        """The model with the best figure, a cell or the best baseline."""
        return max(self.everyone, key=lambda model: self.scale.gain(model.figure.estimate, 0.0))

    @property
    def pairs(self) -> int:
        """How many pairs were looked at."""
        return len(self.table) // 2

    @property
    def tied(self) -> tuple[ModelFigures, ...]:
        """The best cell and those that do not differ from it."""
        best = self.cells[0]
        return (best, *(cell for cell in self.cells[1:] if not self.between(best, cell).differs))

    @property
    def behind(self) -> tuple[ModelFigures, ...]:
        """The cells that differ from the best."""
        return tuple(cell for cell in self.cells if cell not in self.tied)

    @property
    def against_best(self) -> tuple[Pair, ...]:
        """The best cell with every other one."""
        return tuple(self.between(self.cells[0], cell) for cell in self.cells[1:])

    @property
    def against_baseline(self) -> tuple[Pair, ...]:
        """Every cell with the best baseline."""
        return () if self.baseline is None else tuple(self.between(cell, self.baseline) for cell in self.cells)

    @property
    def decisive(self) -> tuple[Pair, ...]:
        """All pairs of cells, and the best cell with the best baseline."""
        chosen = [(first, second) for place, first in enumerate(self.cells) for second in self.cells[place + 1 :]]
        if self.baseline is not None and self.cells:
            chosen.append((self.cells[0], self.baseline))
        return tuple(self.between(first, second) for first, second in chosen)

    def undecided(self) -> tuple[Pair, ...]:
        """Pairs of cells, and of the best cell and the best baseline, neither different nor shown to be equivalent."""
        return tuple(pair for pair in self.decisive if not pair.differs and not pair.equivalent)

    def cheapest(self, tied: Sequence[ModelFigures]) -> ModelFigures:
        """The tied cell to take: the best, or one within the margin of it that is shown to train faster."""
        taken = tied[0]
        for model in tied[1:]:
            if self.times.faster(model.name, taken.name) and self.gain(tied[0], model) <= self.margin:
                taken = model
        return taken

    def least(self, value: Callable[[ModelFigures], float | None]) -> tuple[list[ModelFigures], list[ModelFigures]]:
        """The cells with the least of something (5 % more counts as the same), and the others; the better first."""
        known = {cell.name: value(cell) for cell in self.cells}
        numbers = [number for number in known.values() if number is not None]
        if not numbers:
            return [], []
        limit = (1 + SAME_COST) * min(numbers)
        least = [cell for cell in self.cells if (number := known[cell.name]) is not None and number <= limit]
        return least, [cell for cell in self.cells if cell not in least and known[cell.name] is not None]

    def title(self, name: str) -> str:
        """A model's title inside a sentence, by its name."""
        return next((model.inside for model in self.everyone if model.name == name), name)


def looks_factor(look: int) -> int:
    """What p values are multiplied by at the k-th look.

    Example:
        >>> [looks_factor(look) for look in (1, 2, 3)]
        [1, 6, 12]
    """
    return 1 if look == 1 else look * (look + 1)
