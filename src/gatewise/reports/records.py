"""Reads what a comparison left; the format is documented in docs/comparison-schema.md."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gatewise.errors import RunError
from gatewise.files import read_json

__all__ = ["FORMAT_VERSION", "RECORD_FILE", "Record", "check_record", "read_comparison"]

FORMAT_VERSION = 1
RECORD_FILE = "comparison.json"
Record = dict[str, Any]

_TOP = ("created", "command", "plan", "data", "environment", "verdict", "models", "differences", "examples", "truth")
_MODEL = (
    "name",
    "title",
    "kind",
    "accuracy",
    "loss",
    "macro_f1",
    "parameters",
    "seconds_per_epoch",
    "training_seconds",
    "latency",
    "kernel",
    "runs",
)


def read_comparison(folder: str | Path) -> Record:
    """Read and check `comparison.json` of a folder.

    Raises:
        RunError: it is missing, damaged, or from a newer version.

    Example:
        >>> read_comparison("nowhere")
        Traceback (most recent call last):
        gatewise.errors.RunError: nowhere holds no finished comparison; expected: comparison.json in it; fix: ...
    """
    place = Path(folder) / RECORD_FILE
    if not place.exists():
        raise RunError(
            f"{folder} holds no finished comparison",
            expected=f"{RECORD_FILE} in it",
            fix="name the folder given to `gatewise compare --out`; if it was stopped, run the same command again",
        )
    return check_record(read_json(place), str(place))


def check_record(record: Any, place: str) -> Record:
    """Make sure that a record has the parts a report needs.

    Args:
        record: what the file holds.
        place: where it came from, for messages.

    Raises:
        RunError: a part is missing, or the version is newer than this one.

    Example:
        >>> check_record({"format_version": 9}, "a.json")
        Traceback (most recent call last):
        gatewise.errors.RunError: a.json is from a newer Gatewise; expected: format 1 or older; got: format 9; fix: ...
    """
    version = record.get("format_version") if isinstance(record, dict) else None
    if not isinstance(version, int) or version < 1:
        raise RunError(f"{place} is damaged", expected="a comparison with a format_version", got=repr(version))
    if version > FORMAT_VERSION:
        raise RunError(
            f"{place} is from a newer Gatewise",
            expected=f"format {FORMAT_VERSION} or older",
            got=f"format {version}",
            fix="update Gatewise: pip install --upgrade gatewise",
        )
    missing = [name for name in _TOP if name not in record]
    models = record.get("models")
    if not missing and (not isinstance(models, list) or not models):
        missing = ["models"]
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
