"""What is compared: cells x seeds on one data set, under one budget. Imports no torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gatewise.errors import OptionError, RunError, did_you_mean
from gatewise.files import make_folder, read_json, write_json
from gatewise.training.run_spec import RunSpec
from gatewise.training.spec import DataSpec, ModelSpec, TrainingSpec

__all__ = ["FORMAT_VERSION", "Plan", "PlannedRun", "claim_folder", "default_folder", "make_plan", "setting_names"]

FORMAT_VERSION = 1
_PLAN_FILE = "plan.json"
_FREE_TO_GROW = ("cells", "seeds")


@dataclass(frozen=True)
class PlannedRun:
    """One training run of a plan and the name of its folder."""

    cell: str
    seed: int
    spec: RunSpec

    @property
    def name(self) -> str:
        """Cell and seed in one word, as in the folder's name.

        Example:
            >>> PlannedRun("gru", 2, RunSpec()).name
            'gru-seed2'
        """
        return f"{self.cell}-seed{self.seed}"


@dataclass(frozen=True)
class Plan:
    """Cells and seeds, and all that they have in common.

    Args:
        data: the records.
        cells: names of the cells, in the order of the tables.
        seeds: the seeds with which each cell is trained.
        model: the network; its ``cell`` is replaced by each of ``cells``.
        training: the budget; its ``seed`` is replaced by each of ``seeds``.

    Example:
        >>> [run.name for run in make_plan("imdb", cells=["lstm", "gru"], seeds=1).runs()]
        ['lstm-seed0', 'gru-seed0']
    """

    data: DataSpec
    cells: tuple[str, ...]
    seeds: tuple[int, ...]
    model: ModelSpec
    training: TrainingSpec

    def runs(self) -> Iterator[PlannedRun]:
        """Every run, cell by cell."""
        for cell in self.cells:
            for seed in self.seeds:
                model, training = replace(self.model, cell=cell), replace(self.training, seed=seed)
                yield PlannedRun(cell, seed, RunSpec(data=self.data, model=model, training=training))

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, ready for JSON; what differs between the runs stands once, under cells and seeds."""
        model, training = dataclasses.asdict(self.model), dataclasses.asdict(self.training)
        del model["cell"], training["seed"]
        return {
            "cells": list(self.cells),
            "seeds": list(self.seeds),
            "data": dataclasses.asdict(self.data),
            "model": model,
            "training": training,
        }


def make_plan(
    data: str = "imdb",
    *,
    cells: Iterable[str] = ("rnn", "lstm", "gru"),
    seeds: int = 1,
    text: str | None = None,
    label: str | None = None,
    test: str | None = None,
    download: bool = False,
    **settings: Any,
) -> Plan:
    """Check and freeze what is to be compared.

    Args:
        data: registry name or path.
        cells: names of the cells.
        seeds: how many seeds per cell: ``seed``, ``seed + 1``, ...
        text: column of the texts.
        label: column of the labels.
        test: second file, used only for testing.
        download: whether the registry may fetch the data.
        **settings: any field of `ModelSpec` (but ``cell``) and `TrainingSpec` by its name.

    Raises:
        OptionError: an unknown cell or setting, no cell, a cell named twice, a number out of range.

    Example:
        >>> make_plan("imdb", cells=["gru"], hiden_size=64)
        Traceback (most recent call last):
        gatewise.errors.OptionError: there is no setting 'hiden_size'; fix: did you mean 'hidden_size'?
    """
    names = _checked_cells(cells)
    if not isinstance(seeds, int) or isinstance(seeds, bool) or seeds < 1:
        raise OptionError(
            "seeds is out of range",
            expected="a whole number of at least 1",
            got=repr(seeds),
            fix="give --seeds the number of times each cell is to be trained",
        )
    model_fields, training_fields = setting_names()
    for name in settings:
        if name not in (*model_fields, *training_fields):
            known = [*model_fields, *training_fields]
            fix = "name the cells with cells=" if name == "cell" else did_you_mean(name, known)
            raise OptionError(f"there is no setting {name!r}", fix=fix)
    model = {name: value for name, value in settings.items() if name in model_fields}
    training = TrainingSpec(**{name: value for name, value in settings.items() if name in training_fields})
    for name in names:
        ModelSpec(cell=name, **model)
    return Plan(
        data=DataSpec(str(data), text=text, label=label, test=test, download=download),
        cells=names,
        seeds=tuple(range(training.seed, training.seed + seeds)),
        model=ModelSpec(cell=names[0], **model),
        training=training,
    )


def setting_names() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the settings that all runs of a comparison share: those of the model, those of the training.

    Example:
        >>> model, training = setting_names()
        >>> "hidden_size" in model, "cell" in model, "epochs" in training
        (True, False, True)
    """
    model = tuple(entry.name for entry in dataclasses.fields(ModelSpec) if entry.name != "cell")
    return model, tuple(entry.name for entry in dataclasses.fields(TrainingSpec))


def default_folder(data: str, suffix: str = "") -> Path:
    """Where a result goes if nobody says: ``runs/`` and the data's name.

    Example:
        >>> default_folder("imdb").as_posix(), default_folder("/tmp/my reviews.csv", "-gru").as_posix()
        ('runs/imdb', 'runs/my-reviews-gru')
    """
    name = Path(data).name
    for ending in (".tar.gz", ".csv", ".tsv", ".jsonl", ".parquet"):
        name = name.removesuffix(ending)
    words = "".join(letter if letter.isalnum() or letter in "-_." else "-" for letter in name).strip("-.")
    return Path("runs") / f"{words or 'data'}{suffix}"


def claim_folder(folder: Path, plan: Plan, fingerprint: str) -> bool:
    """Make ``folder`` the place of this plan, or find that it already is.

    A plan may grow: the same settings with more cells or seeds reuse what is there.

    Args:
        folder: the folder, which need not exist.
        plan: what is to be compared.
        fingerprint: of the data set.

    Returns:
        Whether the folder already held this plan or a smaller one, so that its finished runs are reused.

    Raises:
        RunError: the folder holds another comparison, a single run, other files, or is damaged or too new.
        StorageError: it cannot be written.
    """
    path = folder / _PLAN_FILE
    wanted = {"format_version": FORMAT_VERSION, "fingerprint": fingerprint, **plan.to_dict()}
    if not path.exists():
        _refuse_other_content(folder)
        make_folder(folder)
        write_json(path, wanted)
        return False
    present = _read_plan(path)
    differing = _first_difference(present, wanted)
    if differing is not None:
        name, there, asked = differing
        raise RunError(
            f"{folder} holds another comparison: {name} differs",
            expected=f"{name} {there}",
            got=f"{name} {asked}",
            fix=f"choose another folder, for example --out {_free_name(folder)}",
        )
    if wanted != present:
        write_json(path, wanted)
    return True


def _checked_cells(cells: Iterable[str]) -> tuple[str, ...]:
    given = cells.split(",") if isinstance(cells, str) else list(cells)
    names = tuple(str(name).strip().lower() for name in given)
    if not names or not all(names):
        raise OptionError("no cell is named", expected="one or more of rnn, lstm, gru", fix="use --cells rnn,lstm,gru")
    for name in names:
        if names.count(name) > 1:
            raise OptionError(f"the cell {name!r} is named twice", fix="name each cell once; use --seeds for repeats")
        ModelSpec(cell=name)
    return names


def _refuse_other_content(folder: Path) -> None:
    try:
        content = sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []
    except OSError as error:
        raise RunError(f"{folder} cannot be read", got=str(error), fix="choose another folder with --out") from error
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
    if version > FORMAT_VERSION:
        raise RunError(
            f"{path} is from a newer Gatewise",
            expected=f"format {FORMAT_VERSION} or older",
            got=f"format {version}",
            fix="update Gatewise: pip install --upgrade gatewise",
        )
    return dict(present)


def _first_difference(present: Mapping[str, Any], wanted: Mapping[str, Any]) -> tuple[str, Any, Any] | None:
    there, asked = _flatten(present), _flatten(wanted)
    for name in dict.fromkeys([*asked, *there]):
        old, new = there.get(name), asked.get(name)
        if name in _FREE_TO_GROW:
            if isinstance(old, list) and set(old) <= set(new or ()):
                continue
        elif old == new or name == "download":
            continue
        words = "data" if name == "fingerprint" else name
        return (words, "as it was", "changed since") if name == "fingerprint" else (words, _word(old), _word(new))
    return None


def _flatten(record: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in record.items():
        flat.update(value if isinstance(value, dict) else {name: value})
    return flat


def _word(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else repr(value)


def _free_name(folder: Path) -> Path:
    number = 2
    while (candidate := folder.with_name(f"{folder.name}-{number}")).exists():
        number += 1
    return candidate
