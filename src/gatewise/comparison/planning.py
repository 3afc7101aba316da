"""From a pilot comparison to a planned one: how many seeds and test examples find which difference."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gatewise.comparison.verdict.facts import SIGNIFICANCE
from gatewise.comparison.verdict.needs import MOST_SEEDS
from gatewise.errors import OptionError, RunError
from gatewise.grammar import plural
from gatewise.record import NOT_JUDGED, Comparison, Difference
from gatewise.statistics.components import Components
from gatewise.statistics.planning import detectable, examples_needed, seeds_needed
from gatewise.statistics.serial import LEAST_BLOCKS, enough_blocks

__all__ = [
    "NextStep",
    "PairPlan",
    "SizePlan",
    "found_difference",
    "needed_seeds",
    "next_step",
    "plan_sizes",
    "planned_command",
]

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
    folder: Path | None = None,
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
        folder: of the pilot, for the commands in messages.

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
    parts = [(pair, _components(pair, had)) for pair in _usable(record, folder)]
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
                detectable(found.with_seeds(had), **how),
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


@dataclass(frozen=True)
class NextStep:
    """What to do after a plan: a sentence, and the command that does it."""

    sentence: str
    command: str


def next_step(record: Comparison, folder: Path, plan: SizePlan, unit: str, gap: Callable[[float], str]) -> NextStep:
    """What to do after a plan, in every case with a command that runs.

    Args:
        record: of the pilot.
        folder: of the pilot.
        plan: made of it.
        unit: what the test part has: ``windows``.
        gap: a difference in words.

    Example:
        >>> next_step(pilot, Path("runs/imdb"), plan_sizes(pilot), "texts", str).command  # doctest: +SKIP
        'gatewise compare imdb --seeds 9 --seed 3 --out runs/imdb-planned'
    """
    if record.verdict.outcome in ("unfinished", "unlearned"):
        why = (
            f"The pilot is not judged ({NOT_JUDGED[record.verdict.outcome]}), so its networks plan badly. First longer:"
        )
        return NextStep(why, _longer_command(record, folder))
    look = "Planned beforehand, and with seeds that the pilot did not use, they are one look:"
    enough = plan.enough_seeds
    if enough is not None and enough <= MOST_SEEDS:
        return NextStep(
            f"Enough for every pair: {plural(enough, 'seed')}. {look}", planned_command(record, folder, enough)
        )
    within = [pair for pair in plan.pairs if pair.seeds is not None and pair.seeds <= MOST_SEEDS]
    if within:
        most = max(pair.seeds for pair in within if pair.seeds is not None)
        left = [f"{pair.first} and {pair.second}" for pair in plan.pairs if pair not in within]
        other = "the other pair" if len(left) == 1 else f"the other {len(left)}"
        return NextStep(
            f"{plural(most, 'seed')} are enough for {len(within)} of {len(plan.pairs)} pairs; {other} ({left[0]}"
            f"{', ...' if len(left) > 1 else ''}) would take more {unit} in the test part. {look}",
            planned_command(record, folder, most),
        )
    seeds = next(number for number in plan.table_seeds if number >= min(_REACHABLE, plan.table_seeds[-1]))
    size = _rounded_up(plan.table[plan.table_seeds.index(seeds)][0])
    words = ["gatewise", "plan", str(folder), "--difference", f"{size:g}"]
    words += [] if plan.power == 0.8 else ["--power", f"{plan.power:g}"]
    return NextStep(
        f"No number of seeds up to {MOST_SEEDS} finds it in any pair: it takes more {unit} in the test part. "
        f"With these, {plural(seeds, 'seed')} would find {gap(size)} in every pair; the plan for that:",
        shlex.join(words),
    )


_REACHABLE = 10


def _rounded_up(size: float) -> float:
    """A number of two digits, no smaller.

    Example:
        >>> _rounded_up(0.0123), _rounded_up(0.2)
        (0.013, 0.2)
    """
    digits = 1 - math.floor(math.log10(size))
    rounded = round(size, digits)
    return rounded if rounded >= size else round(rounded + 10.0**-digits, digits)


def _longer_command(record: Comparison, folder: Path) -> str:
    """The pilot's command with more epochs: as many as the data call for where it had fewer, else twice as many."""
    words = shlex.split(record.command)
    kept = _without(words, ("--epochs", "--out"))
    if "--epochs" not in words:
        trained = max((run.epochs for model in record.cells for run in model.learning), default=10)
        kept += ["--epochs", str(2 * trained)]
    return shlex.join([*kept, "--out", str(folder.with_name(f"{folder.name}-longer"))])


def found_difference(record: Comparison, pair: Difference, power: float = 0.8) -> float | None:
    """The smallest difference of a pair that as many seeds and test examples find, as `plan_sizes` says it.

    Args:
        record: of a comparison.
        pair: one of its differences.
        power: probability of finding it.

    Returns:
        The difference in the metric's unit; None: one seed, or a record of an older version, does not tell.
    """
    had = len(record.plan.get("seeds", ()))
    if had < 2 or pair.variance is None:
        return None
    level = SIGNIFICANCE / len(record.differences)
    return detectable(_components(pair, had).with_seeds(had), significance=level, power=power)


def needed_seeds(record: Comparison, pair: Difference, difference: float, power: float = 0.8) -> int | None:
    """Seeds with which a pair's difference is found on as many test examples, as in `plan_sizes`; None: no number."""
    level = SIGNIFICANCE / len(record.differences)
    parts = _components(pair, len(record.plan.get("seeds", ())))
    return seeds_needed(parts, difference, significance=level, power=power)


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


def _usable(record: Comparison, folder: Path | None) -> list[Difference]:
    """The pairs whose variance is known.

    Raises:
        RunError: there are none; the fix is a command that runs.
    """
    again = f"run it again, finished runs are reused: {record.command}"
    if not record.differences:
        raise RunError("the pilot compared nothing", got=_failures(record), fix=again)
    if len(record.plan.get("seeds", ())) < 2:
        words = _without(shlex.split(record.command), ("--seeds",))
        raise RunError(
            "a pilot with one seed does not tell how far seeds lie apart",
            expected="at least two, better three seeds",
            fix=f"train two more, the finished run is reused: {shlex.join([*words, '--seeds', '3'])}",
        )
    if any(pair.variance is None for pair in record.differences):
        raise RunError("the pilot's record does not hold the parts of its variance", fix=again)
    if not all(enough_blocks(pair.blocks) for pair in record.differences):
        raise RunError(
            "the pilot's test examples count as too few independent blocks to plan with",
            fix=f"compare on a longer test part; {_of_few_blocks(record, folder)}",
        )
    return list(record.differences)


def _failures(record: Comparison) -> str:
    return "; ".join(f"{failure.name}: {failure.error}" for failure in record.failed[:2]) or "no pair of models"


def _of_few_blocks(record: Comparison, folder: Path | None) -> str:
    """A command that helps where the test part is too short: forecasts of fewer steps overlap less; else the audit."""
    horizon = (record.plan.get("data") or {}).get("horizon")
    place = Path("DIR") if folder is None else folder
    if not isinstance(horizon, int) or horizon < 2:
        return f"what else an expert would doubt: {shlex.join(['gatewise', 'audit', str(place)])}"
    least = min(pair.blocks for pair in record.differences if pair.blocks is not None)
    shorter = max(1, math.floor(horizon * least / LEAST_BLOCKS))
    shorter = min(shorter, horizon - 1)
    words = _without(shlex.split(record.command), ("--horizon", "--out"))
    out = place.with_name(f"{place.name}-horizon{shorter}")
    return f"or forecast fewer steps: {shlex.join([*words, '--horizon', str(shorter), '--out', str(out)])}"


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
