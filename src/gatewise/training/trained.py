"""Opens a finished run, whatever its kind. Imports no torch; opening does."""

from __future__ import annotations

import re
import shlex
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.errors import DataError, OptionError, RunError
from gatewise.screen import say
from gatewise.training.registry import kind_of
from gatewise.training.run_place import checked_run, find_run

if TYPE_CHECKING:
    from gatewise.training.kind import Dataset, Trained
    from gatewise.training.run_spec import RunSpec

__all__ = ["load_data", "load_run", "load_run_of"]

_ADVICE = re.compile(r"(?<!omit )(?:give |add )?--download")


def load_run(folder: str | Path) -> Trained:
    """Open a finished run.

    Args:
        folder: the run folder.

    Returns:
        The trained network of its kind, each with its own methods.

    Raises:
        RunError: no run, an unfinished one, one that is damaged or was changed since, or one from a newer version.

    Example:
        >>> load_run("nowhere")
        Traceback (most recent call last):
        gatewise.errors.RunError: nowhere is not a run folder; fix: name the folder given to --out when training
    """
    run, spec = checked_run(folder)
    return kind_of(spec.task).open(run)


def load_run_of(task: str, folder: Path, *, needed: str, fix: str) -> Trained:
    """Open the run of a task that a command of this task is for; of a comparison, say on standard error which.

    Args:
        task: name of a kind.
        folder: a run folder, or a comparison; see `gatewise.training.run_place.find_run`.
        needed: the message about a run of another task: what is needed.
        fix: how to get one.

    Raises:
        RunError: it is of another task; see also `load_run`.
    """
    place = find_run(folder, say=partial(say, err=True))
    opened, spec = checked_run(place)
    if spec.task != task:
        raise RunError(needed, expected=f"a run of the task {task}", got=spec.task, fix=fix)
    return kind_of(task).open(opened)


def load_data(folder: str | Path, spec: RunSpec, *, download: bool = False) -> Dataset:
    """The data that a run was trained on, also from another working directory than the one of its training.

    A path that does not exist from here is looked for from where the training was started.

    Args:
        folder: the run folder.
        spec: the run.
        download: whether a known data set may be fetched where it is not in the cache.

    Raises:
        DataError: the data are not there any more, or cannot be used.
        OptionError: they cannot be downloaded.
    """
    import dataclasses

    from gatewise.files import read_json
    from gatewise.training.registry import known_names
    from gatewise.training.settings import settings_of

    data: Any = spec.data
    environment = read_json(Path(folder) / "environment.json")
    found = environment.get("data", {}) if isinstance(environment, dict) else {}
    home = found.get("directory") if isinstance(found, dict) else None
    changes: dict[str, Any] = {}
    if download:
        if data.data not in known_names() or "download" not in settings_of(type(data)):
            raise OptionError(
                "--download fetches a known data set, and the run was trained on other data",
                expected=", ".join(known_names()),
                got=str(data.data),
                fix="omit --download",
            )
        changes["download"] = True
    for name in (entry.name for entry in settings_of(type(data)).values() if entry.is_path):
        value = getattr(data, name)
        if not isinstance(value, str) or not isinstance(home, str) or (name == "data" and value in known_names()):
            continue
        if not Path(value).expanduser().exists() and (Path(home) / value).exists():
            changes[name] = str(Path(home) / value)
    try:
        return kind_of(spec.task).load(dataclasses.replace(data, **changes))
    except DataError as error:
        if download or error.fix is None or _ADVICE.search(error.fix) is None:
            raise
        fix = _ADVICE.sub(f"gatewise evaluate {shlex.quote(str(folder))} --download", error.fix)
        raise DataError(error.message, expected=error.expected, got=error.got, fix=fix) from error
