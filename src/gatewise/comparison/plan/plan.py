"""What is compared: cells x settings x seeds on one data set, under one budget. Imports no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gatewise.comparison.plan.grid import Space, count_combinations, parse_grid, read_space, space_record
from gatewise.comparison.plan.variants import check_precision, checked_variants, variant_settings
from gatewise.errors import OptionError, did_you_mean
from gatewise.training.assembly import PARTS, aliases, make_spec, setting_fields, settings_in
from gatewise.training.checks import check_choice, check_whole
from gatewise.training.registry import import_modules, kind_of, task_of
from gatewise.training.run_spec import RunSpec

__all__ = [
    "DEFAULT_SEEDS",
    "MATCHES",
    "METHODS",
    "Axis",
    "Plan",
    "Search",
    "default_folder",
    "make_plan",
]

METHODS = ("grid", "random", "tpe")
MATCHES = ("hidden", "parameters", "time")
DEFAULT_SEEDS = 3
_TUNING_SEED = 1_000_000
_DEFAULT_SPACE = {"learning_rate": "3e-4..1e-2", "hidden_size": "32..256", "dropout": "0..0.6"}


@dataclass(frozen=True)
class Search:
    """How each cell's settings are chosen before the comparison: the same budget of trials for every cell.

    Args:
        method: ``grid`` tries every combination; ``random`` and ``tpe`` (tree-structured Parzen estimator: Bergstra et
            al., 2011) try ``trials`` of them.
        trials: per cell (and point of the axis), and per baseline that has settings to choose from.
        space: what may vary.
        metric: figure on the validation part by which the winner is chosen; None: the task's own.
        seed: with which every trial is trained; none of the comparison's own seeds.
        repeat: whether each seed of the comparison has a search of its own.
    """

    method: str
    trials: int
    space: Space
    metric: str | None
    seed: int
    repeat: bool = False

    def seeds(self, finals: Sequence[int]) -> list[tuple[int | None, int]]:
        """The searches of a cell: for which seed of the comparison (None: for all of them), and with which seed.

        Args:
            finals: the comparison's seeds.

        Example:
            >>> search = Search("random", 5, {}, None, 1_000_000)
            >>> search.seeds([0, 1]), dataclasses.replace(search, repeat=True).seeds([0, 1])
            ([(None, 1000000)], [(0, 1000000), (1, 1000001)])
        """
        if not self.repeat:
            return [(None, self.seed)]
        return [(final, self.seed + final - finals[0]) for final in finals]

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, ready for JSON."""
        return {**dataclasses.asdict(self), "space": space_record(self.space)}


@dataclass(frozen=True)
class Axis:
    """A setting with several values, at each of which every cell is trained, such as the length of a probe."""

    name: str
    values: tuple[Any, ...]

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, ready for JSON."""
        return {"name": self.name, "values": list(self.values)}


@dataclass(frozen=True)
class Plan:
    """Cells, seeds and the settings that all runs share.

    Args:
        task: the kind of problem.
        data: registry name or path.
        cells: names of cells and variants, in the order of the tables.
        seeds: the seeds with which each cell is trained.
        settings: those given, by name; all others have the defaults of the task's specs.
        search: how each cell's other settings are chosen; None: no search.
        axis: a setting that varies besides cell and seed.
        match: what the cells have in common: ``hidden`` width, number of ``parameters`` or training ``time``.
        imports: modules to import wherever a trial runs, because they register cells.

    Example:
        >>> plan = make_plan("imdb", cells=["lstm", "bigru"], seeds=2)
        >>> plan.spec("bigru", seed=1).model.bidirectional, plan.trainings
        (True, 4)
    """

    task: str
    data: str
    cells: tuple[str, ...]
    seeds: tuple[int, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    search: Search | None = None
    axis: Axis | None = None
    match: str = "hidden"
    imports: tuple[str, ...] = ()

    @property
    def points(self) -> tuple[Any, ...]:
        """The values of the axis; (None,) where there is none."""
        return (None,) if self.axis is None else self.axis.values

    @property
    def trainings(self) -> int:
        """How many networks are trained, those of the search included."""
        tried = 0 if self.search is None else self.search.trials * len(self.search.seeds(self.seeds))
        return len(self.cells) * len(self.points) * (tried + len(self.seeds))

    def spec(self, cell: str, seed: int, chosen: Mapping[str, Any] | None = None, point: Any = None) -> RunSpec:
        """One run of the plan.

        Args:
            cell: one of `cells`.
            seed: start of its random numbers.
            chosen: settings that the search, or the match, chose.
            point: value of the axis.
        """
        at = {} if self.axis is None or point is None else {self.axis.name: point}
        variant = variant_settings(cell, self.task)
        local = {"download": False} if "download" in self.settings else {}
        return make_spec(
            self.task, self.data, {**self.settings, **local, **(chosen or {}), **at, **variant, "seed": seed}
        )

    def base(self, point: Any = None) -> RunSpec:
        """The spec that all runs share, without cell, seed and searched settings; the data may be downloaded."""
        at = {} if self.axis is None else {self.axis.name: point if point is not None else self.axis.values[0]}
        return make_spec(self.task, self.data, {**self.settings, **at})

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, ready for JSON; cells and seeds, which differ between the runs, are listed once."""
        base = self.base()
        parts = {part: dataclasses.asdict(getattr(base, part)) for part in PARTS if getattr(base, part) is not None}
        del parts["model"]["cell"], parts["training"]["seed"]
        parts["data"].pop("download", None)
        if self.axis is not None:
            for part in parts.values():
                part.pop(self.axis.name, None)
        return {
            "task": self.task,
            "cells": list(self.cells),
            "seeds": list(self.seeds),
            **parts,
            "search": None if self.search is None else self.search.to_dict(),
            "axis": None if self.axis is None else self.axis.to_dict(),
            "match": self.match,
            "imports": list(self.imports),
        }


def make_plan(
    data: str = "imdb",
    *,
    cells: Iterable[str] | str = ("rnn", "lstm", "gru"),
    seeds: int = DEFAULT_SEEDS,
    task: str | None = None,
    grid: Mapping[str, Any] | Sequence[str] | None = None,
    search: str | None = None,
    trials: int | None = None,
    metric: str | None = None,
    repeat_tuning: bool = False,
    match: str = "hidden",
    imports: Iterable[str] = (),
    **settings: Any,
) -> Plan:
    """Check and freeze what is to be compared.

    Args:
        data: registry name or path.
        cells: names of cells and variants: ``gru``, ``bilstm``, ``gru*2``.
        seeds: how many seeds per cell: ``seed``, ``seed + 1``, ...
        task: the kind of problem; None: derived from the data.
        grid: values of settings to choose from, by name: ``{"hidden_size": [64, 128]}``; or words ``hidden=64,128``.
        search: ``grid``, ``random`` or ``tpe``; None: ``grid`` where there is one.
        trials: how many combinations are tried per cell and baseline, for ``random`` and ``tpe``.
        metric: figure by which is chosen and compared, where the task has several; or ``loss``, by which only settings
            are chosen; None: the task's own.
        repeat_tuning: each seed gets a search of its own, so that the intervals include what another search would
            have chosen.
        match: ``hidden``, ``parameters`` or ``time``.
        imports: modules that register cells.
        **settings: any setting of the task's data, model and training by its name. One of them may be a list: then
            every cell is trained at each of its values, and the report shows it as the axis.

    Raises:
        OptionError: an unknown cell or setting, no cell, a cell named twice, a number out of range.

    Example:
        >>> make_plan("imdb", cells=["gru"], hiden_size=64)
        Traceback (most recent call last):
        gatewise.errors.OptionError: there is no setting 'hiden_size'; fix: did you mean 'hidden_size'?
    """
    modules = import_modules(imports)
    if "cell" in settings:
        raise OptionError("there is no setting 'cell'", fix="name the cells with cells=")
    named = {aliases().get(name, name): value for name, value in settings.items() if value is not None}
    found = task_of(str(data), task=task, given=tuple(named))
    names = checked_variants(cells, found)
    check_whole("seeds", seeds, minimum=1)
    check_choice("match", match, MATCHES)
    metric, measured = _measured_by(found, metric, named)
    fixed, axis = _axis(found, measured)
    plan = Plan(found, str(data), names, (0,), fixed, axis=axis, match=match, imports=modules)
    for cell in names:
        for point in plan.points:
            plan.spec(cell, seed=0, point=point)
    for precision in {plan.spec(names[0], seed=0, point=point).training.precision for point in plan.points}:
        check_precision(names, found, precision)
    first = plan.base().training.seed
    chosen = _search(found, str(data), fixed, grid, search, trials, metric, match, tuning_seed=first + _TUNING_SEED)
    if repeat_tuning:
        if chosen is None:
            raise OptionError(
                "there is no search to repeat", fix="name settings with --grid, or use --search tpe --trials 30"
            )
        chosen = dataclasses.replace(chosen, repeat=True)
    _check_match(match, () if chosen is None else chosen.space)
    _check_variants(names, found, chosen)
    fixed = {name: value for name, value in fixed.items() if name != "seed"}
    return dataclasses.replace(plan, seeds=tuple(range(first, first + seeds)), settings=fixed, search=chosen)


def _check_match(match: str, searched: Collection[str]) -> None:
    """Refuse a search over what makes the cells equal."""
    if match == "parameters" and "hidden_size" in searched:
        raise OptionError(
            "--match parameters decides the hidden sizes itself, by the first cell's",
            got="a search over hidden_size, after which every cell would have another number of parameters",
            fix="omit hidden_size in --grid, and set the first cell's with --hidden-size",
        )
    if match == "time" and "epochs" in searched:
        raise OptionError("--match time decides the epochs itself", got="a grid of epochs", fix="omit epochs in --grid")


def default_folder(data: str, suffix: str = "") -> Path:
    """The default folder of a result: ``runs/`` and the data's name.

    Example:
        >>> default_folder("imdb").as_posix(), default_folder("/tmp/my reviews.csv", "-gru").as_posix()
        ('runs/imdb', 'runs/my-reviews-gru')
    """
    name = Path(data).name
    for ending in (".tar.gz", ".csv", ".tsv", ".jsonl", ".parquet"):
        name = name.removesuffix(ending)
    words = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name).strip("-.")
    return Path("runs") / f"{words or 'data'}{suffix}"


def _measured_by(task: str, metric: str | None, settings: Mapping[str, Any]) -> tuple[str | None, Mapping[str, Any]]:
    """A metric that is a setting of the task goes to the settings; any other one is for the search alone."""
    return (None, {**settings, "metric": metric}) if metric in _metrics(task) else (metric, settings)


def _metrics(task: str) -> tuple[str, ...]:
    """The metrics among which a task lets one choose."""
    known = settings_in(kind_of(task), "data").get("metric")
    return () if known is None else known.known_choices()


def _unknown_metric(task: str, metric: str) -> OptionError:
    choices = _metrics(task)
    if not choices:
        return OptionError(f"{task} has one metric alone", got=f"--metric {metric}", fix="omit --metric")
    return OptionError(
        f"there is no metric {metric!r}",
        expected=", ".join(choices),
        fix=did_you_mean(metric, choices) or "omit --metric, or choose one of these",
    )


def _axis(task: str, settings: Mapping[str, Any]) -> tuple[dict[str, Any], Axis | None]:
    """Separate the settings with one value from the one with several."""
    if settings.get("processes", 1) != 1:
        raise OptionError(
            "a comparison trains each network in one process",
            got=f"--processes {settings['processes']}",
            fix="use --jobs N to train N networks at the same time",
        )
    several = {name: value for name, value in settings.items() if isinstance(value, (list, tuple))}
    if len(several) > 1:
        raise OptionError(
            "more than one setting has several values",
            got=", ".join(several),
            fix="keep one of them as the axis, and choose the others with --grid",
        )
    fixed = {name: value for name, value in settings.items() if name not in several}
    if not several:
        return fixed, None
    ((name, values),) = several.items()
    if not values:
        raise OptionError(f"{name} has no value", expected="at least one value", got=repr(values))
    if name in ("seed", "threads", "device", "download"):
        raise OptionError(f"{name} cannot be the axis", fix="use --seeds for repeats")
    rising = tuple(sorted(dict.fromkeys(values)))
    return (fixed, Axis(name, rising)) if len(rising) > 1 else ({**fixed, name: rising[0]}, None)


def _search(
    task: str,
    data: str,
    settings: Mapping[str, Any],
    grid: Mapping[str, Any] | Sequence[str] | None,
    method: str | None,
    trials: int | None,
    metric: str | None,
    match: str,
    *,
    tuning_seed: int,
) -> Search | None:
    if method is not None:
        check_choice("search", method, METHODS)
    given: Mapping[str, Any] | None = grid if isinstance(grid, Mapping) or grid is None else parse_grid(grid)
    if given is not None and not given:
        raise OptionError("the grid is empty", expected="NAME=VALUE,VALUE", fix="omit --grid, or name a setting")
    if given is None and method in (None, "grid"):
        if metric is not None and metric != "loss":
            raise _unknown_metric(task, metric)
        if method is not None or trials is not None or metric is not None:
            raise OptionError(
                "there is nothing to search", fix="name settings with --grid, or use --search tpe --trials 30"
            )
        return None
    method = method or ("grid" if trials is None else "random")
    if given is None:
        known = setting_fields(task, "model") | setting_fields(task, "training")
        fixed = {*settings, *(("hidden_size",) if match == "parameters" else ())}
        given = {name: values for name, values in _DEFAULT_SPACE.items() if name in known and name not in fixed}
    space = read_space(task, data, given, settings)
    size = count_combinations(space)
    if method == "grid":
        if size is None:
            raise OptionError("a grid has no ranges", fix="write values with commas, or use --search tpe --trials 30")
        if trials is not None:
            raise OptionError(
                "a grid tries every combination", got=f"trials {trials}", fix="use --search random or tpe"
            )
        trials = size
    elif trials is None:
        raise OptionError(f"--search {method} needs a budget", expected="--trials N", fix="for example --trials 30")
    check_whole("trials", trials, minimum=1)
    return Search(method, trials, space, metric, tuning_seed)


def _check_variants(cells: Sequence[str], task: str, search: Search | None) -> None:
    for cell in cells if search is not None else ():
        taken = set(variant_settings(cell, task)) & set(search.space if search is not None else ())
        if taken:
            raise OptionError(
                f"the cell {cell!r} fixes {', '.join(sorted(taken))}, which the grid varies",
                fix="name the plain cell, or remove the setting from the grid",
            )
