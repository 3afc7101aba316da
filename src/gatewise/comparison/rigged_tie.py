"""A rigged tie: one cell under two names, trained and judged as the comparison was. Nothing should be found."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from gatewise import words
from gatewise.comparison.audit import Check
from gatewise.comparison.plan.plan import Plan, make_plan
from gatewise.comparison.plan.variants import variant_settings
from gatewise.comparison.run.cache import contributions_in
from gatewise.comparison.run.claim import held_plan
from gatewise.comparison.run.run import run_plan
from gatewise.comparison.run.trials import code_version
from gatewise.comparison.verdict.figures import difference_entries
from gatewise.errors import OptionError, RunError, did_you_mean
from gatewise.record import Comparison, ModelEntry
from gatewise.training.registry import import_modules, kind_of

if TYPE_CHECKING:
    from gatewise.comparison.run.events import ComparisonListener

__all__ = ["RiggedTie", "rigged_tie", "tie_check"]

FOLDER = "rigged-tie"
_MOST_SPLITS = 200
_SURE = 0.001
Table = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RiggedTie:
    """What the statistics say of one cell under two names.

    Attributes:
        title: of the cell.
        seeds: of each name.
        estimate: the first name's figure minus the second's.
        low: of its 95 % interval.
        high: of its 95 % interval.
        p_value: of "no difference".
        differs: whether it is called one.
        equivalent: whether the two are shown to be the same within the comparison's margin.
        splits: other ways of giving the same runs two names, this one included.
        called: how many of them are called different.
    """

    title: str
    seeds: int
    estimate: float
    low: float
    high: float
    p_value: float
    differs: bool
    equivalent: bool
    splits: int
    called: int


def rigged_tie(
    record: Comparison, folder: Path, *, cell: str | None = None, on_event: ComparisonListener | None = None
) -> RiggedTie:
    """Train a cell again with as many new seeds, and compare it with itself.

    The runs that the comparison has are the first name's, where the code that trained them is still the same; else both
    names' are trained. Seeds, settings, data and statistics are the comparison's. The new runs lie in
    ``rigged-tie`` in its folder, and are reused.

    Args:
        record: of a finished comparison.
        folder: where it lies.
        cell: which; None: the one that trains fastest.
        on_event: is called with every step, see `gatewise.comparison.run.events`.

    Raises:
        OptionError: the cell was not compared.
        RunError: no cell has all its seeds, there are fewer than two, or measurements are missing.
        DataError: the data are no longer those of the comparison.
    """
    import_modules(record.plan.get("imports", ()))
    model, seeds = _model(record, cell), record.plan["seeds"]
    held = held_plan(folder) or {}
    cells = [variant_settings(name, record.task)["cell"] for name in record.plan["cells"]]
    kept = held.get("code") == code_version(cells, record.task, _imports(record))
    plan = _plan(record, model, len(seeds) if kept else 2 * len(seeds))
    done = run_plan(plan, folder / FOLDER, cost=False, on_event=on_event)
    if done.record.data.fingerprint != record.data.fingerprint:
        raise RunError(
            "the data are no longer those of the comparison",
            expected=f"fingerprint {record.data.fingerprint[:12]}",
            got=done.record.data.fingerprint[:12],
        )
    again = done.record.model(model.name)
    if len(again.runs) < len(plan.seeds):
        raise RunError("not every run of the rigged tie finished", fix="see its record's `failed` for the reasons")
    rows = [*(_table(folder, model) if kept else []), *_table(folder / FOLDER, again)]
    dataset = kind_of(record.task).load(plan.base().data)
    measure = kind_of(record.task).measure(dataset)
    return _judged(model.title, np.stack(rows), measure, record.margin)


def tie_check(found: RiggedTie, record: Comparison) -> Check:
    """What an audit says of a rigged tie."""
    scale = words.Scale.of(record.metric, record.models[0].figure.estimate)
    said = (
        f"{found.title} against itself with other seeds: {scale.gap(abs(found.estimate))} apart "
        f"(95 % interval {scale.interval(found.low, found.high, signed=True)}, p {words.p_value(found.p_value)})"
    )
    ways = (
        f"; of {found.splits} ways to give these {2 * found.seeds} runs two names, {found.called} "
        f"{'is' if found.called == 1 else 'are'} called different."
    )
    if not found.differs:
        return Check("rigged-tie", "passed", f"{said}: no difference found, as it should be{ways}")
    if found.p_value >= _SURE:
        advice = "In one of twenty rigged ties this happens by chance; more seeds would tell."
        return Check("rigged-tie", "warning", f"{said}: called different{ways}", advice)
    advice = "Look at what differs between runs beside the seed: the machine, the data's order, a damaged measurement."
    return Check("rigged-tie", "failed", f"{said}: called different{ways}", advice)


def _model(record: Comparison, cell: str | None) -> ModelEntry:
    planned = len(record.plan["seeds"])
    if planned < 2:
        raise RunError(
            "a rigged tie takes two seeds at least", got="a comparison with one", fix="compare with --seeds 3"
        )
    known = {model.name: model for model in record.cells}
    if cell is not None and cell not in known:
        raise OptionError(f"the cell {cell!r} was not compared", fix=did_you_mean(cell, known))
    whole = [model for model in known.values() if len(model.runs) == planned and cell in (None, model.name)]
    if not whole:
        raise RunError("no cell has all its seeds", fix="run the same `gatewise compare` again")
    return min(whole, key=lambda model: model.cost.training_seconds or 0.0)


def _imports(record: Comparison) -> list[str]:
    return list(record.plan.get("imports", ()))


def _plan(record: Comparison, model: ModelEntry, seeds: int) -> Plan:
    """The comparison's own settings for one cell, with seeds that it did not use."""
    known = record.plan
    settings: dict[str, Any] = {}
    for part in ("data", "model", "training", "pretraining"):
        settings |= {name: value for name, value in (known.get(part) or {}).items() if value is not None}
    if record.axis is not None:
        settings[record.axis.name] = record.axis.points[-1].value
    settings |= dict(model.runs[0].settings)
    data = settings.pop("data")
    for name in (*variant_settings(model.name, record.task), "cell", "seed"):
        settings.pop(name, None)
    first = max(known["seeds"]) + 1
    return make_plan(
        data, cells=[model.name], seeds=seeds, task=record.task, imports=_imports(record), seed=first, **settings
    )


def _table(folder: Path, model: ModelEntry) -> list[Table]:
    """What each test example contributed in each run."""
    places = [folder / "measurements" / f"{Path(str(run.folder)).name}.safetensors" for run in model.runs]
    return [contributions_in(place).astype(np.float64) for place in places]


def _judged(title: str, rows: Table, measure: Any, margin: float) -> RiggedTie:
    """The tie as it is named, and all other ways of naming the same runs (at most 200, drawn at random)."""
    half = len(rows) // 2
    pair = _pair(rows[:half], rows[half:], measure, margin)
    ways = _ways(len(rows), half)
    called = 0
    for way in ways:
        rest = [place for place in range(len(rows)) if place not in way]
        called += bool(_pair(rows[list(way)], rows[rest], measure, margin)["differs"])
    return RiggedTie(
        title,
        half,
        float(pair["estimate"]),
        float(pair["low"]),
        float(pair["high"]),
        float(pair["p_value"]),
        differs=bool(pair["differs"]),
        equivalent=bool(pair["equivalent"]),
        splits=len(ways),
        called=called,
    )


def _ways(count: int, half: int) -> list[tuple[int, ...]]:
    """The runs that have the first name in each way.

    The first run keeps its name: the other half would be the same ways once more.
    """
    if math.comb(count - 1, half - 1) <= _MOST_SPLITS:
        return [(0, *others) for others in combinations(range(1, count), half - 1)]
    generator, found = np.random.default_rng(0), dict[tuple[int, ...], None]()
    while len(found) < _MOST_SPLITS:
        drawn = generator.choice(np.arange(1, count), half - 1, replace=False)
        found[0, *sorted(map(int, drawn))] = None
    return list(found)


def _pair(first: Table, second: Table, measure: Any, margin: float) -> Mapping[str, Any]:
    (pair,) = difference_entries({"one": first, "other": second}, measure, [], margin=margin)
    return pair
