"""From a pilot comparison to a planned one: how many seeds and test examples find which difference."""

from __future__ import annotations

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gatewise.comparison.verdict.facts import SIGNIFICANCE
from gatewise.errors import OptionError, RunError
from gatewise.record import Comparison, Difference
from gatewise.statistics.components import Components
from gatewise.statistics.planning import detectable, examples_needed, seeds_needed
from gatewise.statistics.serial import enough_blocks

__all__ = ["PairPlan", "SizePlan", "plan_sizes", "planned_command"]

_SEEDS = (3, 5, 10, 20, 40)
_TIMES = (1.0, 2.0, 4.0, 8.0)


@dataclass(frozen=True)
class PairPlan:
    """What one pair of models needs.

    Attributes:
        first: title of a model.
        second: title of another.
        found: the difference that the pilot found, first minus second.
        detectable: the smallest one that it would have found with the power asked for.
        seeds: of each that find the difference asked for, on as many test examples as the pilot had; None: no number
            would do.
        examples: test examples that find it with the seeds asked for; None: no number would do.
        seeds_of_found: seeds that find a difference as large as the pilot's; None: no number would do.
    """

    first: str
    second: str
    found: float
    detectable: float
    seeds: int | None
    examples: int | None
    seeds_of_found: int | None


@dataclass(frozen=True)
class SizePlan:
    """Seeds and test examples for a difference.

    Attributes:
        difference: to be found, in the metric's unit.
        power: probability of finding it.
        level: at which each pair is tested: 0.05 by the number of pairs, the hardest step of Holm's correction.
        seeds: of the pilot, or as asked for.
        examples: of the pilot's test part.
        pairs: what each needs.
        table_seeds: numbers of seeds of the table.
        table_examples: numbers of test examples of the table.
        table: by seeds and examples, the smallest difference that is found in every pair with the power.
    """

    difference: float
    power: float
    level: float
    seeds: int
    examples: int
    pairs: tuple[PairPlan, ...]
    table_seeds: tuple[int, ...]
    table_examples: tuple[int, ...]
    table: tuple[tuple[float, ...], ...]

    @property
    def enough_seeds(self) -> int | None:
        """Seeds that find the difference in every pair; None: more test examples are needed, too."""
        known = [pair.seeds for pair in self.pairs]
        return None if any(seeds is None for seeds in known) else max(seeds for seeds in known if seeds is not None)


def plan_sizes(
    record: Comparison,
    *,
    difference: float | None = None,
    power: float = 0.8,
    seeds: int | None = None,
) -> SizePlan:
    """Plan a comparison by the variance components of a pilot.

    A pair is found different where its p value is below 0.05 after Holm's correction; planned for is the hardest step
    of it, 0.05 by the number of pairs. Two seeds hardly tell how far seeds lie apart, and so do not plan well;
    the components of any pilot are estimates, see docs/statistics.md.

    Args:
        record: of the pilot.
        difference: that shall be found, in the metric's unit; None: the pilot's margin.
        power: probability of finding it.
        seeds: with which the examples are planned; None: the pilot's.

    Raises:
        OptionError: a difference or power out of range.
        RunError: the pilot has one seed, no pair, too few independent blocks, or is from an older version.

    Example:
        >>> from gatewise.record import read_comparison
        >>> plan_sizes(read_comparison("runs/imdb"), difference=0.01).enough_seeds  # doctest: +SKIP
        9
    """
    wanted = record.margin if difference is None else difference
    if not (wanted > 0 and math.isfinite(wanted)):
        raise OptionError("a difference is out of range", expected="above 0", got=wanted, fix="for example 0.01")
    had = len(record.plan.get("seeds", ()))
    if seeds is not None and seeds < 2:
        raise OptionError("too few seeds to plan with", expected="at least 2", got=seeds, fix="for example --seeds 5")
    parts = [(pair, _components(pair, had)) for pair in _usable(record)]
    with_seeds = had if seeds is None else seeds
    titles = {model.name: model.title for model in record.models}
    level, count = SIGNIFICANCE / len(parts), record.data.sizes.test
    how = {"significance": level, "power": power}
    pairs = []
    for pair, found in parts:
        times = examples_needed(found.with_seeds(with_seeds), wanted, **how)
        pairs.append(
            PairPlan(
                titles[pair.first],
                titles[pair.second],
                pair.estimate,
                detectable(found, **how),
                seeds_needed(found, wanted, **how),
                None if times is None else max(2, math.ceil(times * count)),
                seeds_needed(found, pair.estimate, **how),
            )
        )
    table_seeds = tuple(sorted({*_SEEDS, had} - {1}))
    table = tuple(
        tuple(
            max(detectable(found.with_seeds(number).with_examples(times), **how) for _, found in parts)
            for times in _TIMES
        )
        for number in table_seeds
    )
    sizes = tuple(round(times * count) for times in _TIMES)
    return SizePlan(wanted, power, level, with_seeds, count, tuple(pairs), table_seeds, sizes, table)


def planned_command(record: Comparison, folder: Path, seeds: int) -> str:
    """The command of the planned comparison: its seeds are none of the pilot's, and its folder is another.

    Example:
        >>> planned_command(pilot, Path("runs/imdb"), 9)  # doctest: +SKIP
        'gatewise compare imdb --seeds 9 --seed 3 --out runs/imdb-planned'
    """
    words = _without(shlex.split(record.command), ("--seeds", "--seed", "--out"))
    first = max(record.plan["seeds"]) + 1
    out = folder.with_name(f"{folder.name}-planned")
    return shlex.join([*words, "--seeds", str(seeds), "--seed", str(first), "--out", str(out)])


def _without(words: Sequence[str], flags: Sequence[str]) -> list[str]:
    kept, skip = [], False
    for word in words:
        if skip:
            skip = False
        elif word in flags:
            skip = True
        else:
            kept.append(word)
    return kept


def _usable(record: Comparison) -> list[Difference]:
    """The pairs whose variance is known."""
    if not record.differences:
        raise RunError("the pilot compared nothing", fix="see its record's `failed` for the reasons")
    if len(record.plan.get("seeds", ())) < 2:
        raise RunError(
            "a pilot with one seed does not tell how far seeds lie apart",
            expected="at least two, better three seeds",
            fix="run the same `gatewise compare` again with --seeds 3; the finished run is reused",
        )
    if any(pair.variance is None for pair in record.differences):
        raise RunError(
            "the pilot's record does not hold the parts of its variance",
            fix="run the same `gatewise compare` again; finished runs are reused",
        )
    if not all(enough_blocks(pair.blocks) for pair in record.differences):
        raise RunError(
            "the pilot's test examples count as too few independent blocks to plan with",
            fix="compare on a longer test part",
        )
    return list(record.differences)


def _components(pair: Difference, seeds: int) -> Components:
    """The parts as recorded. With a baseline, which has no seeds, the number of seeds is the cell's."""
    known = pair.variance
    assert known is not None
    return Components(
        seed=known.seed,
        example=known.example,
        rest=known.rest,
        seeds=known.seeds if known.seeds > 1 else seeds,
        example_degrees=known.example_degrees,
        least=known.least,
        seed_degrees=known.seed_degrees,
    )
