"""A folder belongs to one comparison: what it holds, and whether it can continue with this plan. Imports no torch."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gatewise.comparison.plan.plan import Plan
from gatewise.comparison.run.locking import LOCK_FILE
from gatewise.errors import GatewiseError, RunError
from gatewise.files import make_folder, read_json, refuse_newer, write_json
from gatewise.training.assembly import PARTS, path_settings, setting_fields, settings_in
from gatewise.training.checks import flag, option_of
from gatewise.training.registry import kind_of
from gatewise.training.run_spec import RunSpec

__all__ = ["FORMAT_VERSION", "PLAN_FILE", "as_held", "claim_folder", "held_plan"]

FORMAT_VERSION = 2
PLAN_FILE = "plan.json"
_MAY_GROW = ("cells", "seeds")
_MAY_CHANGE = ("search", "imports", "download")


def claim_folder(folder: Path, plan: Plan, *, fingerprint: Mapping[str, str], code: str) -> bool:
    """Claim ``folder`` for this plan, or confirm that it already holds it.

    A plan may grow: with more cells, seeds, or values in the grid or on the axis, finished runs are reused.

    Args:
        folder: the folder, which need not exist.
        plan: what is to be compared.
        fingerprint: of the data, by point of the axis.
        code: of the code that trains, see `gatewise.comparison.run.trials.code_version`.

    Returns:
        Whether the folder already held this plan or a smaller one, so that its finished runs are reused.

    Raises:
        RunError: the folder holds another comparison, a single run, other files, or is damaged or too new; or data or
            code changed since it was begun.
        StorageError: it cannot be written.
    """
    path = folder / PLAN_FILE
    wanted = {"format_version": FORMAT_VERSION, "fingerprint": dict(fingerprint), "code": code, **plan.to_dict()}
    if not path.exists():
        _refuse_other_content(folder)
        make_folder(folder)
        write_json(path, wanted)
        return False
    present = _read_plan(path)
    _refuse_difference(folder, present, wanted)
    if wanted != present:
        write_json(path, wanted)
    return True


def as_held(plan: Plan, held: Mapping[str, Any] | None, fingerprint: Mapping[str, str], dataset: Any) -> Plan:
    """The plan with the settings as the folder's comparison has them, where they come to the same.

    A column that was found in the data and is now named, or the other way round, is no difference, nor is any setting
    that only says how a file is read: of data with the same fingerprint. Nor is what is derived the same for all cells.

    Args:
        plan: what is to be compared.
        held: the plan that the folder holds; None: none.
        fingerprint: of the data, by point of the axis.
        dataset: the data, at the last point.
    """
    if held is None or held.get("task") != plan.task:
        return plan
    prints = held.get("fingerprint") or {}
    shared = prints.keys() & fingerprint.keys()
    if not shared or any(prints[point] != fingerprint[point] for point in shared):
        return plan
    kind, wanted = kind_of(plan.task), plan.to_dict()
    earlier = _earlier_settings(held, wanted)

    def runs(asked: Plan) -> list[RunSpec]:
        return [kind.settled(asked.spec(cell, 0, None, plan.points[-1]), dataset) for cell in plan.cells]

    for part in ("data", "model"):
        there = {**earlier, **(held.get(part) or {})}
        for name, value in wanted[part].items():
            if name not in there or there[name] == value or settings_in(kind, part)[name].is_path:
                continue
            with contextlib.suppress(GatewiseError):  # a value that this version refuses
                candidate = replace(plan, settings={**plan.settings, name: there[name]})
                if runs(candidate) == runs(plan):
                    plan = candidate
    return plan


def held_plan(folder: Path) -> dict[str, Any] | None:
    """The plan that a folder holds, as it was written; None where there is none."""
    path = folder / PLAN_FILE
    return _read_plan(path) if path.exists() else None


def _refuse_other_content(folder: Path) -> None:
    try:
        content = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise RunError(f"{folder} cannot be read", got=str(error), fix="choose another folder with --out") from error
    content = [name for name in content if not name.startswith(LOCK_FILE)]
    if content:
        what = "a single run" if "spec.json" in content else "other files"
        raise RunError(
            f"{folder} is not empty: it holds {what}",
            expected="a new or empty folder, or one with the same comparison",
            got=", ".join(content[:3]) + (", ..." if len(content) > 3 else ""),
            fix=f"choose another folder, for example --out {_free_name(folder)}",
        )


def _read_plan(path: Path) -> dict[str, Any]:
    present = read_json(path)
    version = present.get("format_version") if isinstance(present, dict) else None
    if not isinstance(version, int):
        raise RunError(f"{path} is damaged", expected="a format_version", fix="choose another folder with --out")
    refuse_newer(present, FORMAT_VERSION, path)
    if version < FORMAT_VERSION:
        raise RunError(
            f"{path} is from an older Gatewise, whose comparisons cannot be continued",
            expected=f"format {FORMAT_VERSION}",
            got=f"format {version}",
            fix=f"choose another folder, for example --out {_free_name(path.parent)}",
        )
    return dict(present)


def _refuse_difference(folder: Path, present: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    another = f"choose another folder, for example --out {_free_name(folder)}"
    found = _differences(present, wanted)
    for name, there, asked in found:
        if name == "code":
            raise RunError(
                f"the code that trains changed since the comparison in {folder} was begun",
                expected=f"code {there}",
                got=f"code {asked}",
                fix=f"{another}; or add --old-code to reuse what the older code trained",
            )
        if name == "fingerprint":
            raise RunError(
                f"{folder} holds another comparison, with other data",
                expected="the data of that comparison, as they were",
                got="other data, or data that changed since",
                fix=another,
            )
        kept = _kept(found, str(wanted["task"]))
        raise RunError(
            f"{folder} holds another comparison, with other {name}",
            expected=f"{name} {_word(there)}",
            got=f"{name} {_word(asked)}",
            fix=f"{kept} to continue it, or {another}" if kept else another,
        )


def _kept(found: Sequence[tuple[str, Any, Any]], task: str) -> str:
    """The options that say all settings as the folder's comparison has them; empty: one has no option."""
    omitted: list[str] = []
    given: list[str] = []
    for name, there, asked in found:
        if name == "code":
            given.append("--old-code")
        elif name != "fingerprint":
            option = _seeds_kept(there, asked) if name == "seeds" else _kept_by(name, there, task)
            if not option:
                return ""
            (omitted if option.startswith("omit ") else given).append(option.removeprefix("omit "))
    parts = ([f"omit {' and '.join(omitted)}"] if omitted else []) + ([" ".join(given)] if given else [])
    return ", add ".join(parts)


def _seeds_kept(there: list[int], asked: list[int]) -> str:
    """The options that say the folder's seeds, which follow each other."""
    first = f" --seed {there[0]}" if there[0] != asked[0] else ""
    return f"--seeds {len(there)}{first}"


def _kept_by(name: str, there: Any, task: str) -> str:
    """The option that says a setting as the folder's comparison has it; empty: none does."""
    if name == "cells" and isinstance(there, list):
        return f"--cells {','.join(map(str, there))}"
    if name == "match":
        return f"--match {there}"
    if not any(name in setting_fields(task, part) for part in PARTS) or isinstance(there, (list, dict)):
        return ""
    return f"omit {flag(name)}" if there is None else option_of(name, there)


def _differences(present: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """Differences that forbid continuing; renamed data with the same content are no difference.

    Settings of the data come first, which explain other data, then other data, then all else, the code last.
    """
    there, asked = {**_earlier_settings(present, wanted), **_flatten(present)}, _flatten(wanted)
    prints, wanted_prints = there.get("fingerprint") or {}, asked.get("fingerprint") or {}
    shared = prints.keys() & wanted_prints.keys()
    same_data = bool(shared) and all(prints[point] == wanted_prints[point] for point in shared)
    paths = {name for name in path_settings() if name in setting_fields(str(wanted["task"]), "data")}
    found = []
    for name in dict.fromkeys([*asked, *there]):
        old, new = there.get(name), asked.get(name)
        if old == new or name in _MAY_CHANGE:
            continue
        if name in paths and isinstance(old, str) and isinstance(new, str):
            one, other = (Path(each).expanduser().resolve() for each in (old, new))
            if one == other or (name == "data" and same_data):
                continue
        if name in _MAY_GROW and isinstance(old, list) and set(old) <= set(new or ()):
            continue
        if name == "fingerprint" and all(
            (new or {}).get(point, value) == value for point, value in (old or {}).items()
        ):
            continue
        if name == "axis" and old and new and old["name"] == new["name"] and set(old["values"]) <= set(new["values"]):
            continue
        found.append((name, old, new))
    of_data = {"task", *setting_fields(str(wanted["task"]), "data")}

    def order(name: str) -> int:
        return 0 if name in of_data else {"fingerprint": 1, "code": 3}.get(name, 2)

    return sorted(found, key=lambda each: order(each[0]))


def _earlier_settings(present: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a plan that an older one cannot have, with the values that its runs have."""
    kind = kind_of(str(wanted["task"]))
    found: dict[str, Any] = {}
    for part in PARTS:
        asked, there = wanted.get(part), present.get(part)
        if isinstance(asked, Mapping) and isinstance(there, Mapping):
            for name, entry in settings_in(kind, part).items():
                if name in asked and name not in there:
                    found[name] = entry.before
    return found


def _flatten(record: Mapping[str, Any]) -> dict[str, Any]:
    """Settings by name, without the part of the spec."""
    flat: dict[str, Any] = {}
    for name, value in record.items():
        flat.update(value if name in ("data", "model", "training", "pretraining") and value else {name: value})
    return flat


def _word(value: Any) -> str:
    if value is None:
        return "not given"
    return ", ".join(map(str, value)) if isinstance(value, list) else repr(value)


def _free_name(folder: Path) -> Path:
    number = 2
    while (candidate := folder.with_name(f"{folder.name}-{number}")).exists():
        number += 1
    return candidate
