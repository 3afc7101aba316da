"""Measurements of finished trials, one file each, looked up by the trial's key."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gatewise.comparison.run.trials import Trial
from gatewise.errors import RunError
from gatewise.files import read_json, write_bytes, write_text
from gatewise.record import FORMAT_VERSION, Failure, Run, check_version, compact_json, run_from

__all__ = ["contributions_in", "forget_failures", "load_contributions", "save_measurement", "saved_measurement"]

_FORMAT = "gatewise.measurement"


def save_measurement(
    folder: Path, trial: Trial, entry: Run | Failure, contributions: npt.NDArray[np.floating] | None = None
) -> None:
    """Save a trial's result: the contributions of the examples first, the entry last, each file whole or not at all.

    Args:
        folder: the comparison's.
        trial: the trial.
        entry: its result.
        contributions: (N,) or (N, K), what each test example contributes to the metric, kept as float32.
    """
    if contributions is not None:
        import safetensors.numpy

        table = {"contributions": np.ascontiguousarray(contributions, dtype=np.float32)}
        write_bytes(_place(folder, trial, "safetensors"), safetensors.numpy.save(table))
    kept = {"format": _FORMAT, "format_version": FORMAT_VERSION, "key": trial.key, "run": entry}
    write_text(_place(folder, trial, "json"), compact_json(kept) + "\n")


def saved_measurement(folder: Path, trial: Trial) -> Run | Failure | None:
    """The saved result of this trial; None where it is missing, damaged, or lacks its contributions."""
    place = _place(folder, trial, "json")
    if not place.exists():
        return None
    try:
        kept = read_json(place)
        check_version(kept, _FORMAT, FORMAT_VERSION, place, older="run the same `gatewise compare` again")
        if kept["key"] != trial.key:
            return None
        entry = run_from(kept["run"], place)
        if isinstance(entry, Run):
            if trial.phase != "tuning":
                load_contributions(folder, trial)
            if trial.run_folder is not None and trial.phase == "final":
                read_json(folder / trial.run_folder / "result.json")
    except (RunError, KeyError):
        return None
    # the same training may have another name in a plan that was changed
    return replace(entry, name=trial.name, settings=dict(trial.settings))


def load_contributions(folder: Path, trial: Trial) -> npt.NDArray[np.float32]:
    """(N,) or (N, K), what each test example contributes to the metric.

    Raises:
        RunError: the file is missing or damaged.
    """
    return contributions_in(_place(folder, trial, "safetensors"))


def contributions_in(place: Path) -> npt.NDArray[np.float32]:
    """The contributions of one file.

    Raises:
        RunError: the file is missing or damaged.
    """
    import safetensors
    import safetensors.numpy

    try:
        found: npt.NDArray[np.float32] = safetensors.numpy.load(place.read_bytes())["contributions"]
    except (OSError, KeyError, safetensors.SafetensorError) as error:
        raise RunError(f"{place} is missing or damaged", fix="run the same `gatewise compare` again") from error
    return found


def forget_failures(folder: Path, trial: Trial) -> None:
    """Delete a failed result so that the trial is repeated; one that diverged would diverge again and is kept."""
    entry = saved_measurement(folder, trial)
    if isinstance(entry, Failure) and entry.error_kind != "DivergenceError":
        _place(folder, trial, "json").unlink(missing_ok=True)


def _place(folder: Path, trial: Trial, ending: str) -> Path:
    return folder / "measurements" / f"{trial.folder}.{ending}"
