"""`compare`: the one function behind the command of the same name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gatewise.comparison.command import compare_command
from gatewise.comparison.events import ComparisonEvent, ComparisonListener, DataReady
from gatewise.comparison.execution import execute
from gatewise.comparison.plan import Plan, claim_folder, default_folder, make_plan
from gatewise.comparison.record import build_record, compact_json
from gatewise.comparison.result import RECORD_FILE, Comparison
from gatewise.files import read_json, write_text

__all__ = ["compare", "run_plan"]


def compare(
    data: str | Path = "imdb",
    *,
    cells: Iterable[str] = ("rnn", "lstm", "gru"),
    seeds: int = 1,
    out: str | Path | None = None,
    text: str | None = None,
    label: str | None = None,
    test: str | None = None,
    download: bool = False,
    on_event: ComparisonListener | None = None,
    **settings: Any,
) -> Comparison:
    """Train every cell under the same budget, with the linear baseline beside them, and say what the numbers allow.

    Args:
        data: registry name (``imdb``, ``rotten-tomatoes``) or path of a file, folder or archive.
        cells: names of the cells to compare.
        seeds: how many times each is trained.
        out: folder for runs and `comparison.json`; None: ``runs/`` and the data's name. A folder that holds the same
            comparison is continued, its finished runs are reused; one that holds anything else is refused.
        text: column of the texts.
        label: column of the labels.
        test: second file, used only for testing.
        download: whether the registry may fetch the data from the network.
        on_event: is told of every step, see `gatewise.comparison.events`.
        **settings: any field of `ModelSpec` and `TrainingSpec` by its name: ``epochs``, ``hidden_size`` ...

    Returns:
        The finished comparison; `gatewise.reports.write_report` makes a page of its folder.

    Raises:
        OptionError: an unknown cell or setting, a number out of range.
        DataError: the data cannot be used.
        RunError: the folder holds something else.
        StorageError: it cannot be written.

    Example:
        >>> compare("imdb", cells=["lstn"])
        Traceback (most recent call last):
        gatewise.errors.OptionError: there is no cell 'lstn'; expected: ...; fix: did you mean 'lstm'?
    """
    plan = make_plan(
        str(data), cells=cells, seeds=seeds, text=text, label=label, test=test, download=download, **settings
    )
    return run_plan(plan, Path(out) if out is not None else default_folder(str(data)), on_event=on_event)


def run_plan(plan: Plan, folder: Path, *, on_event: ComparisonListener | None = None) -> Comparison:
    """Carry a plan out in a folder; see `compare`."""
    import numpy as np

    from gatewise.data import load_text
    from gatewise.training.kinds.classification import ClassificationKind

    def told(event: ComparisonEvent) -> None:
        if on_event is not None:
            on_event(event)

    spec = plan.data
    dataset = load_text(spec.data, text=spec.text, label=spec.label, test=spec.test, download=spec.download)
    # How the data came here is no part of what is compared: the fingerprint says whether it is the same.
    plan = replace(plan, data=replace(plan.data, download=False))
    resumed = claim_folder(folder, plan, dataset.fingerprint)
    told(DataReady(plan, dataset, folder, resumed))
    runs = execute(plan, dataset, folder, told)
    entries = [entry for measured in runs.values() for entry in measured]
    right = {
        entry["name"]: (np.asarray(entry["predictions"]["predicted"]) == dataset.test.labels).astype(np.float64)
        for entry in entries
    }
    record = build_record(
        plan.to_dict(),
        ClassificationKind(),
        dataset,
        entries,
        right,
        environment=_environment(folder, runs),
        command=compare_command(plan, folder),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    write_text(folder / RECORD_FILE, compact_json(record) + "\n")
    return Comparison(folder, record)


def _environment(folder: Path, runs: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """Versions, threads and processor as the first run noted them."""
    first = next(entry for entries in runs.values() for entry in entries if entry["folder"] is not None)
    noted = read_json(folder / first["folder"] / "environment.json")
    return {name: value for name, value in dict(noted).items() if name in ("versions", "machine", "threads", "device")}
