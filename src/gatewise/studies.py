"""Comparisons on several data sets as one experiment: a plan for each, then one record and one page."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise import words
from gatewise.comparison import make_plan, run_plan
from gatewise.comparison.plan.plan import default_folder
from gatewise.comparison.plan.plan_file import read_plan_file
from gatewise.comparison.several.analysis import several_record, splits_record
from gatewise.errors import OptionError
from gatewise.files import make_folder, write_text
from gatewise.record import RECORD_FILE, SEVERAL_FILE, Comparison, Several, compact_json, read_comparison
from gatewise.reports import write_report
from gatewise.reports.several import write_several_report
from gatewise.training.assembly import setting_of
from gatewise.training.checks import check_whole
from gatewise.training.registry import import_modules, kind_of, kinds, task_of

if TYPE_CHECKING:
    from gatewise.comparison.plan.plan import Plan
    from gatewise.comparison.run.events import ComparisonListener

__all__ = ["Part", "default_folder_of", "plan_several", "plan_splits", "run_several", "several_command"]

_RUN = ("jobs", "cluster", "storage", "margin", "cost", "yes", "old_code")
_PLAN = ("cells", "seeds", "task", "grid", "search", "trials", "metric", "repeat_tuning", "match", "imports")
Typed = Callable[[str, Mapping[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Part:
    """One data set of several.

    Attributes:
        name: of its folder and in the tables.
        data: as it was named.
        plan: what is to be compared; None: it is a finished comparison, whose folder ``data`` is.
        options: where and how it runs.
    """

    name: str
    data: str
    plan: Plan | None
    options: Mapping[str, Any]


def plan_several(
    entries: Sequence[str], asked: Mapping[str, Any], *, typed: Typed = lambda task, settings: dict(settings)
) -> tuple[Part, ...]:
    """Plan a comparison for each data set, all before the first is begun.

    Args:
        entries: names of data sets, files, plan files (``.toml``) with settings of their own, and folders of finished
            comparisons.
        asked: options and settings for all of them, by name.
        typed: makes settings that were given in words what the kind of problem has.

    Raises:
        OptionError: a data set is named twice, an option holds for one comparison alone, or a setting is not known to
            the kind of problem of each.
        DataError: there is no such data set or file.

    Example:
        >>> [part.name for part in plan_several(["imdb", "stocks"], {"cells": ["gru"], "seeds": 2})]
        ['imdb', 'stocks']
    """
    if "against" in asked:
        raise OptionError("--against is for one data set", fix="compare each data set with its older comparison")
    twice = sorted({entry for entry in entries if entries.count(entry) > 1})
    if twice:
        raise OptionError(f"{twice[0]} is named twice", expected="different data sets")
    import_modules(asked.get("imports", ()))  # kinds of problems may be among what they register
    names: dict[str, str] = {}
    parts = []
    for entry in entries:
        stem = Path(entry).stem if entry.endswith(".toml") else default_folder(entry).name
        name = next(free for free in _numbered(stem) if free not in names)
        names[name] = entry
        parts.append(_part(name, entry, asked, typed))
    tasks = {part.plan.task for part in parts if part.plan is not None}
    if "margin" in asked and len(tasks) > 1:
        raise OptionError(
            "--margin is in the unit of one metric",
            got=", ".join(sorted(tasks)),
            fix="give each a plan.toml with margin",
        )
    return tuple(parts)


def plan_splits(
    entry: str, asked: Mapping[str, Any], splits: int, *, typed: Typed = lambda task, settings: dict(settings)
) -> tuple[Part, ...]:
    """Plan a comparison on each of several splits of one data set.

    Args:
        entry: name of a data set, file or plan file.
        asked: options and settings, by name.
        splits: how many, at least two.
        typed: see `plan_several`.

    Raises:
        OptionError: the kind of problem has one split alone, or fewer than two are asked for.

    Example:
        >>> [part.plan.settings["split"] for part in plan_splits("rotten-tomatoes", {"cells": ["gru"]}, 2)]
        [0, 1]
    """
    check_whole("resplit", splits, minimum=2)
    if "against" in asked:
        raise OptionError("--against does not go with --resplit", fix="omit one of them")
    import_modules(asked.get("imports", ()))
    first = _part("split0", entry, asked, typed)
    if first.plan is None:
        raise OptionError(f"{entry} is a finished comparison", expected="data", fix="name its data to split them anew")
    kind = kind_of(first.plan.task)
    if kind.resplit is None:
        raise OptionError(
            f"--resplit does not go with {kind.name}, whose parts follow from the data",
            expected=words.join([each.name for each in kinds() if each.resplit is not None], "or"),
            fix="use --seeds for repeats",
        )
    start = int(first.plan.settings.get(kind.resplit) or 0)
    return tuple(
        _part(f"split{number}", entry, {**asked, kind.resplit: number}, typed)
        for number in range(start, start + splits)
    )


def _part(name: str, entry: str, asked: Mapping[str, Any], typed: Typed) -> Part:
    if (Path(entry) / RECORD_FILE).exists():
        return Part(name, entry, None, {})
    data, given = read_plan_file(Path(entry), asked) if entry.endswith(".toml") else (entry, dict(asked))
    options = {option: given.pop(option) for option in _RUN if option in given}
    own = {option: given.pop(option) for option in _PLAN if option in given}
    for unused in ("out", "against"):  # a plan file's own: its part lies in the folder of all
        given.pop(unused, None)
    own["task"] = task_of(data, task=own.get("task"), given=tuple(given))
    for setting in given:
        try:
            setting_of(own["task"], setting)
        except OptionError as error:
            raise OptionError(
                f"{entry}: {error.message}",
                expected=error.expected,
                got=error.got,
                fix=f"{error.fix}; a setting of one data set alone stands in a plan.toml, named in the data's place",
            ) from error
    plan = make_plan(data, **own, **typed(own["task"], given))
    return Part(name, entry, plan, options)


def run_several(
    parts: Sequence[Part],
    folder: Path,
    command: str,
    *,
    on_part: Callable[[Part], None] | None = None,
    on_event: ComparisonListener | None = None,
    splits: bool = False,
) -> Several:
    """Run every comparison, or continue it, and write what they say together.

    Args:
        parts: of `plan_several`.
        folder: for the record and the page; each comparison gets a folder in it.
        command: the command that repeats it.
        on_part: is called with each comparison that begins.
        on_event: is called with every step, see `gatewise.comparison.run.events`.
        splits: the parts are splits of one data set, of `plan_splits`.

    Raises:
        DataError: a data set cannot be used.
        RunError: a folder holds something else.
        StorageError: it cannot be written.
    """
    for part in parts[1:]:  # what cannot be read is said before anything is trained
        if part.plan is not None:
            kind_of(part.plan.task).load(part.plan.base(part.plan.points[0]).data)
    make_folder(folder)
    done: dict[str, tuple[str, Comparison]] = {}
    for part in parts:
        if part.plan is None:
            done[part.name] = (_way(folder, Path(part.data)), read_comparison(part.data))
            continue
        if on_part is not None:
            on_part(part)
        result = run_plan(part.plan, folder / part.name, on_event=on_event, **part.options)
        write_report(result.folder)
        done[part.name] = (part.name, result.record)
    created = datetime.now(UTC).isoformat(timespec="seconds")
    if splits:
        setting = kind_of(next(record.task for _, record in done.values())).resplit or ""
        record = splits_record(done, setting, command=command, created=created)
    else:
        record = several_record(done, command=command, created=created)
    write_text(folder / SEVERAL_FILE, compact_json(record) + "\n")
    write_several_report(folder)
    return record


def several_command(entries: Sequence[str], asked: Mapping[str, Any], folder: Path) -> str:
    """The command that repeats a comparison of several data sets.

    Example:
        >>> several_command(["imdb", "ptb"], {"seeds": 3, "cost": False, "grid": {"lr": [0.001, 0.01]}}, Path("runs/a"))
        'gatewise compare imdb ptb --seeds 3 --no-cost --grid lr=0.001,0.01 --out runs/a'
    """
    said = ["gatewise", "compare", *entries]
    for name, value in asked.items():
        flag = "--" + ("import" if name == "imports" else name.replace("_", "-"))
        if value is None:
            continue
        if isinstance(value, bool):
            said.append(flag if value else "--no-" + flag[2:])
        elif name in ("grid", "imports") and not isinstance(value, str):
            pairs = [f"{key}={_listed(each)}" for key, each in value.items()] if isinstance(value, Mapping) else value
            said += [part for each in pairs for part in (flag, str(each))]
        else:
            said += [flag, _listed(value)]
    return shlex.join([*said, "--out", str(folder)])


def default_folder_of(entries: Sequence[str]) -> Path:
    """The default folder of a comparison of several data sets.

    Example:
        >>> default_folder_of(["imdb", "ptb"]).as_posix(), default_folder_of(["a", "b", "c", "d"]).as_posix()
        ('runs/imdb-and-ptb', 'runs/a-and-3-others')
    """
    first = default_folder(entries[0].removesuffix(".toml")).name
    if len(entries) == 1:
        return Path("runs") / f"{first}-splits"
    if len(entries) == 2:
        return Path("runs") / f"{first}-and-{default_folder(entries[1].removesuffix('.toml')).name}"
    return Path("runs") / f"{first}-and-{len(entries) - 1}-others"


def _listed(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, Iterable) and not isinstance(value, str) else str(value)


def _numbered(stem: str) -> Iterable[str]:
    yield stem
    number = 2
    while True:
        yield f"{stem}-{number}"
        number += 1


def _way(folder: Path, place: Path) -> str:
    """The way from one folder to another, as a page's link has it."""
    import os

    return Path(os.path.relpath(place, folder)).as_posix()
