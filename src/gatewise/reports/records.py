"""Reads what a comparison left; the format is documented in docs/comparison-schema.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gatewise.errors import RunError
from gatewise.files import read_json

__all__ = ["FORMAT_VERSION", "RECORD_FILE", "Record", "check_record", "read_comparison"]

FORMAT_VERSION = 2
RECORD_FILE = "comparison.json"
Record = dict[str, Any]

_TOP = (
    "created",
    "command",
    "task",
    "unit",
    "metric",
    "margin",
    "plan",
    "data",
    "environment",
    "verdict",
    "models",
    "differences",
    "failed",
    "tuning",
    "axis",
)
_MODEL = ("name", "title", "kind", "figure", "figures", "settings", "cost", "memory", "details", "kernel", "runs")


def read_comparison(folder: str | Path) -> Record:
    """Read and check `comparison.json` of a folder.

    Raises:
        RunError: it is missing, damaged, or from another version.

    Example:
        >>> read_comparison("nowhere")
        Traceback (most recent call last):
        gatewise.errors.RunError: there is no folder nowhere; fix: name the folder given to `gatewise compare --out`
    """
    place = Path(folder) / RECORD_FILE
    if not place.exists():
        raise _nothing_to_read(Path(folder))
    return check_record(read_json(place), str(place))


def check_record(record: Any, place: str) -> Record:
    """Make sure that a record has the parts a report needs.

    Args:
        record: what the file holds.
        place: where it came from, for messages.

    Raises:
        RunError: a part is missing, or the version is another one than this.

    Example:
        >>> check_record({"format_version": 9}, "a.json")
        Traceback (most recent call last):
        gatewise.errors.RunError: a.json is from a newer Gatewise; expected: format 2; got: format 9; fix: ...
    """
    version = record.get("format_version") if isinstance(record, dict) else None
    if not isinstance(version, int) or version < 1:
        raise RunError(f"{place} is damaged", expected="a comparison with a format_version", got=repr(version))
    if version > FORMAT_VERSION:
        raise RunError(
            f"{place} is from a newer Gatewise",
            expected=f"format {FORMAT_VERSION}",
            got=f"format {version}",
            fix="update Gatewise: pip install --upgrade gatewise",
        )
    if version < FORMAT_VERSION:
        raise RunError(
            f"{place} is from an older Gatewise",
            expected=f"format {FORMAT_VERSION}",
            got=f"format {version}",
            fix="compare again into a new folder; the record's `command` says how",
        )
    missing = [name for name in _TOP if name not in record]
    models = record.get("models")
    for name, kind in (("models", list), ("differences", list), ("verdict", dict), ("metric", dict), ("plan", dict)):
        if not missing and not isinstance(record[name], kind):
            missing = [name]
    for model in models if not missing else []:
        missing += [f"models.{name}" for name in _MODEL if not isinstance(model, dict) or name not in model]
    if missing:
        raise RunError(
            f"{place} is damaged",
            expected="all parts of a comparison",
            got=f"without {', '.join(dict.fromkeys(missing))}",
            fix="run the same `gatewise compare` again; finished runs are reused",
        )
    return dict(record)


def _nothing_to_read(folder: Path) -> RunError:
    """Why a folder has no comparison to report."""
    if not folder.exists():
        return RunError(f"there is no folder {folder}", fix="name the folder given to `gatewise compare --out`")
    if (folder / "plan.json").exists():
        runs = len(list(folder.glob("runs/*/result.json")))
        return RunError(
            f"{folder} holds no finished comparison",
            expected=f"{RECORD_FILE} in it",
            got=f"a plan, and {runs} finished run{'' if runs == 1 else 's'}",
            fix="run the same `gatewise compare` again: it goes on where it was stopped",
        )
    if (folder / "spec.json").exists():
        return RunError(
            f"{folder} holds a single run, not a comparison",
            expected=f"{RECORD_FILE} in it",
            fix=f"`gatewise evaluate {folder}` measures a single run",
        )
    return RunError(
        f"{folder} holds no finished comparison",
        expected=f"{RECORD_FILE} in it",
        fix="name the folder given to `gatewise compare --out`; if it was stopped, run the same command again",
    )
