"""Which run folder a person means: a run's own, or one of a comparison's. Imports no torch."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from gatewise.errors import RunError, did_you_mean
from gatewise.files import read_json
from gatewise.training.own_modules import cell_code

if TYPE_CHECKING:
    from gatewise import record as records
    from gatewise.training.run_folder import RunFolder
    from gatewise.training.run_spec import RunSpec

__all__ = ["best_run", "checked_run", "find_run", "is_run_folder", "names_a_file"]

_PLAN, _RECORD, _RUNS, _EXPORT = "plan.json", "comparison.json", "runs", "export.json"


def is_run_folder(text: str) -> bool:
    """Whether a text is the path of a finished run; also of texts that no path can be, as they are too long.

    Example:
        >>> is_run_folder("хорошо " * 30)
        False
    """
    return _is_file(text, "result.json")


def names_a_file(text: str) -> bool:
    """Whether a text is the path of a file, with an ending.

    Example:
        >>> names_a_file("хорошо " * 30 + ".txt")
        False
    """
    return bool(Path(text).suffix) and _is_file(text)


def _is_file(text: str, inside: str = "") -> bool:
    try:
        return (Path(text) / inside).is_file()
    except (OSError, ValueError):  # longer than names may be: 255 bytes, which are 127 letters of Cyrillic
        return False


def find_run(place: str | Path, *, say: Callable[[str], object] | None = None) -> Path:
    """The run folder that a person means by a path.

    - a run folder: itself;
    - the folder of a comparison: the run that is best on the validation part, of all cells;
    - in it, the name of a cell (``result/gru``): the best run of this cell; or of a run, without the hash
      (``result/gru-seed1`` or ``result/runs/gru-seed1``): this one.

    Args:
        place: as it was given.
        say: is called with a sentence where a run was chosen among several.

    Raises:
        RunError: there is no such folder or run, or no run of the comparison is finished.

    Example:
        >>> find_run("nowhere")
        Traceback (most recent call last):
        gatewise.errors.RunError: there is no run folder nowhere; fix: train one: gatewise train imdb --out nowhere
    """
    place = Path(place)
    if place.is_dir():
        if (place / _EXPORT).is_file() and not (place / "spec.json").exists():
            raise _is_export(place)
        alone = (place / _PLAN).exists() or (place / "spec.json").exists()
        if not alone and (parts := sorted(each.parent.name for each in place.glob(f"*/{_PLAN}"))):
            raise RunError(
                f"{place} holds several comparisons",
                got=", ".join(parts),
                fix=f"name one of them, or a cell in it: {place / parts[0]}, {place / parts[0] / 'gru'}",
            )
        whole = place.parent if place.name == _RUNS and not (place / _PLAN).exists() else place
        return _of_comparison(whole, None, say) if (whole / _PLAN).exists() else place
    for folder in (place.parent, place.parent.parent if place.parent.name == _RUNS else None):
        if folder is not None and (folder / _PLAN).exists():
            return _of_comparison(folder, place.name, say)
    if place.is_file() and (place.suffix.lower() == ".onnx" or (place.parent / _EXPORT).is_file()):
        raise _is_export(place)
    if place.exists():
        raise RunError(f"{place} is not a run folder", fix="name the folder given to --out when training")
    raise RunError(f"there is no run folder {place}", fix=f"train one: gatewise train imdb --out {place}")


def _is_export(place: Path) -> RunError:
    """The error for an exported model where a run is wanted; its description names the run that it was made of."""
    try:
        about = read_json((place if place.is_dir() else place.parent) / _EXPORT)
    except RunError:
        about = None
    about = about if isinstance(about, dict) else {}
    run = about.get("run")
    if about.get("target") == "c":
        folder = place if place.is_dir() else place.parent
        return RunError(
            f"{place} is a model exported to C, which is compiled and run by itself",
            expected="a run folder, or a model exported to ONNX",
            fix=f"see {folder / 'README.md'}; or name a run folder"
            + (f": that of the run that was exported is {run}" if isinstance(run, str) else ""),
        )
    return RunError(
        f"{place} is an exported model, not a run folder",
        expected="a run folder, with its weights and data",
        fix="name the run that was exported" + (f": {run}" if isinstance(run, str) else ""),
    )


def checked_run(folder: str | Path) -> tuple[RunFolder, RunSpec]:
    """A finished run whose files are those that its training left, and its spec.

    Raises:
        RunError: no run, an unfinished one, a damaged or changed one, or one from a newer version.
    """
    from gatewise.training.run_folder import RunFolder

    path = Path(folder)
    if not path.is_dir():
        raise RunError(f"{path} is not a run folder", fix="name the folder given to --out when training")
    run = RunFolder(path)
    spec = run.spec()
    if run.result() is None:
        raise RunError(f"the run in {path} is not finished", fix="run its training command again to resume it")
    run.verify()
    _warn_of_changed_cell(path, getattr(spec.model, "cell", None))
    return run, spec


def _warn_of_changed_cell(folder: Path, cell: object) -> None:
    """Warn where a cell of one's own is not what it was when the run was trained."""
    environment = read_json(folder / "environment.json")
    before = environment.get("cell_code") if isinstance(environment, dict) else None
    now = None if before is None else cell_code(cell)
    if now is not None and now != before:
        warnings.warn(
            f"the cell {cell!r} changed since {folder} was trained: what follows is of its weights in the changed cell",
            stacklevel=3,
        )


def best_run(record: records.Comparison, name: str | None = None) -> records.Run | None:
    """The run of a comparison that is best on its *validation* part; the test part has no say.

    Args:
        record: the comparison.
        name: of a cell as it was compared, or of a run; None: of all cells.

    Returns:
        The run; None where no finished one has this name.
    """
    metric = record.metric
    sign = 1.0 if metric.higher_is_better else -1.0

    def quality(run: records.Run) -> float:
        figure = run.validation.get(metric.name)
        return -math.inf if figure is None else sign * figure

    runs = [run for model in record.cells for run in model.runs if name in (None, model.name, run.cell, run.name)]
    return max(runs, key=quality, default=None)


def _of_comparison(folder: Path, name: str | None, say: Callable[[str], object] | None) -> Path:
    """The run of a comparison by the name of a cell or run; None: the best of all."""
    if not (folder / _RECORD).exists():
        return _of_unfinished(folder, name)
    from gatewise.record import read_comparison

    record = read_comparison(folder)
    chosen = best_run(record, name)
    if chosen is None or chosen.folder is None:
        runs = [run for model in record.cells for run in model.runs]
        raise _no_such(folder, name, [model.name for model in record.cells], [run.name for run in runs])
    if say is not None and name != chosen.name:
        among = f"the runs of {name}" if name is not None else "all runs"
        say(f"Run: {chosen.name} in {folder}, the best of {among} on the validation part")
    return folder / chosen.folder


def _of_unfinished(folder: Path, name: str | None) -> Path:
    finished = sorted(path.parent for path in (folder / _RUNS).glob("*/result.json"))
    matching = [path for path in finished if name is not None and path.name.rpartition("-")[0] == name]
    if len(matching) == 1:
        return matching[0]
    names = [path.name.rpartition("-")[0] for path in finished]
    if name is None and finished:
        raise RunError(
            f"the comparison in {folder} is not finished and has no best run yet",
            got=", ".join(names),
            fix=f"run the same `gatewise compare` again, or name a run: {folder / names[0]}",
        )
    raise _no_such(folder, name, [], names)


def _no_such(folder: Path, name: str | None, cells: Sequence[str], runs: Iterable[str]) -> RunError:
    names = [*dict.fromkeys(cells), *dict.fromkeys(runs)]
    if not names or name is None:
        return RunError(
            f"the comparison in {folder} has no finished run", fix="run the same `gatewise compare` again to resume it"
        )
    return RunError(
        f"the comparison in {folder} has no run {name!r}", got=", ".join(names), fix=did_you_mean(name, names)
    )
