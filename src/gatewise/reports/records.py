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

_FIGURE = {"estimate": float, "low": float, "high": float, "level": float}
_MODEL: dict[str, Any] = {
    "name": str,
    "title": str,
    "kind": str,
    "reason?": (str,),
    "figure": {**_FIGURE, "seeds": int, "deviation": (float,)},
    "figures": {"*": (float,)},
    "settings": dict,
    "skill?": ({"value": float},),
    "cost": {
        "parameters": (float,),
        "seconds_per_epoch": (float,),
        "training_seconds": float,
        "time_to_target?": ({"target?": (float,), "seconds?": (float,)},),
        **{
            f"{name}?": (float,)
            for name in (
                *("multiply_adds_per_step", "training_memory_bytes", "step_p50", "step_p99", "one_example"),
                *("per_example_in_batch", "file_bytes", "energy_joules"),
            )
        },
    },
    "memory": (
        {
            "lags": [float],
            "trained": {"norms": [float], "half_life": (float,)},
            "initialisation?": ({"norms": [float]},),
        },
    ),
    "details": (
        {
            "samples?": [{"prompt": str, "text": str}],
            "next_tokens?": {"prompt": str, "tokens": [{"token": str, "probability": float}]},
        },
    ),
    "kernel": {"implementation": str, "reason": str},
    "runs": [
        {
            "name": str,
            "epochs": [{"training": {"*": (float,)}, "validation": {"*": (float,)}}],
            "test": {"by_horizon?": ([float],), "coverage?": ({"*": float},), "confusion?": [[int]]},
            "kernel": {"implementation": str},
            "predictions?": {
                "predicted?": [int],
                "confidence?": [float],
                "truth_probability?": [float],
                "tokens?": [str],
                "nats?": [float],
                "fans?": [
                    {
                        "series": str,
                        "target": str,
                        "past": [float],
                        "truth": [float],
                        "forecast": [float],
                        "quantiles": {"*": [float]},
                    }
                ],
            },
        }
    ],
}
_PARTS: dict[str, Any] = {
    "created": str,
    "command": str,
    "task": str,
    "unit": str,
    "metric": {
        "name": str,
        "title": str,
        "higher_is_better": bool,
        "percent": bool,
        "transform": str,
        "contribution": str,
    },
    "margin": float,
    "plan": {"cells": list},
    "data": {
        "name": str,
        "source": str,
        "split_note": str,
        "notes": [str],
        "fingerprint": str,
        "sizes": {"train": int, "validation": int, "test": int},
        "label_names?": [str],
        "majority?": {"label": str, "accuracy": (float,)},
    },
    "environment": dict,
    "verdict": {
        "headline": str,
        "sentences": [str],
        "answers": {"*": {"models": [str], "sentence": str}},
        "caveats": [str],
        "leaders": [str],
        "recommended": (str,),
    },
    "models": [_MODEL],
    "differences": [
        {
            "first": str,
            "second": str,
            **_FIGURE,
            "adjusted_p_value": float,
            "significance": float,
            "differs": bool,
            "equivalent": bool,
            "seeds_needed": (int,),
            "superiority": (float,),
            "method": str,
        }
    ],
    "failed": [{"name": str, "error": str}],
    "tuning": [{"cell": str, "settings": dict, "validation": ({"*": (float,)},), "error?": (str,)}],
    "axis": (
        {
            "name": str,
            "title": str,
            "points": [{"value": None, "models": [{"name": str, "title": str, "figure": _FIGURE}]}],
            "reach": dict,
        },
    ),
    "truth?": [int],
    "examples?": [{"index": int, "truth": int, "text": str}],
}
"""The parts that a report needs: a type; None for anything; an object's parts ("*": every part, "name?": may be
missing); a list of what every entry is; (x,) for x or null."""
_CLASSIFICATION: dict[str, Any] = {
    "data": {"label_names": [str]},
    "models": [
        {"runs": [{"predictions": {"predicted": [int], "confidence": [float], "truth_probability": [float]}}]},
    ],
    "truth": [int],
    "examples": [dict],
}
_LOOKED_AT = 100


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
    missing = _missing(record, _PARTS, "")
    if missing is None and record["task"] == "classification":
        missing = _missing(record, _CLASSIFICATION, "")
    if missing is not None:
        raise RunError(
            f"{place} is damaged",
            expected="all parts of a comparison",
            got=f"without {missing}",
            fix="run the same `gatewise compare` again; finished runs are reused",
        )
    return dict(record)


def _missing(value: Any, wanted: Any, name: str) -> str | None:
    """The name of the first part that is missing or of another kind, ``models.cost`` for one; None: all is there."""
    if isinstance(wanted, tuple):
        return None if value is None else _missing(value, wanted[0], name)
    if wanted is None:
        return None
    if isinstance(wanted, list):
        if not isinstance(value, list):
            return name
        plain = isinstance(wanted[0], type)  # of thousands of predictions a look at the first will do
        found = (_missing(entry, wanted[0], name) for entry in (value[:_LOOKED_AT] if plain else value))
        return next((part for part in found if part is not None), None)
    if isinstance(wanted, dict):
        return _missing_in(value, wanted, name) if isinstance(value, dict) else name
    kinds = (int, float) if wanted is float else wanted
    right = isinstance(value, kinds) and (wanted is bool or not isinstance(value, bool))
    return None if right else name


def _missing_in(value: dict[str, Any], wanted: dict[str, Any], name: str) -> str | None:
    for key, inner in wanted.items():
        for place in value if key == "*" else [key.removesuffix("?")]:
            part = f"{name}.{place}" if name else place
            if place in value:
                lost = _missing(value[place], inner, part)
            else:
                lost = None if key.endswith("?") else part
            if lost is not None:
                return lost
    return None


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
