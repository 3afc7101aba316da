"""Writes the trials of a search into an Optuna storage: a journal in the folder, or a shared database.

The folder's measurements are authoritative; the storage is a copy that `optuna-dashboard` can show and from which a
comparison on another machine reuses trials.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gatewise.comparison.run.cache import save_measurement, saved_measurement
from gatewise.comparison.run.search import Place, SettingsSearch, distributions
from gatewise.comparison.run.trials import Trial
from gatewise.errors import RunError, StorageError
from gatewise.record import Failure, Run, plain, run_from

__all__ = ["JOURNAL_FILE", "TuningLog"]

JOURNAL_FILE = "tuning.journal"
_KEY, _ENTRY = "gatewise_key", "gatewise_entry"


class TuningLog:
    """One Optuna study for each search: of a cell, a baseline, or, where the search is repeated, a cell and a seed.

    Args:
        folder: the comparison's.
        url: of a database, as SQLAlchemy reads it: ``sqlite:///trials.db``, ``postgresql://...``; None: the journal.
        name: beginning of the studies' names.
        wanted: whether the plan has a search.

    Raises:
        StorageError: the database does not answer.
    """

    def __init__(self, folder: Path, url: str | None, name: str, *, wanted: bool) -> None:
        self.folder, self.url, self.name = folder, url, name
        self._open: Any = None
        self._found: dict[str, Run | Failure] = {}
        if wanted:
            self._open = self._storage()
            self._read()

    def fetch(self, folder: Path, trial: Trial) -> None:
        """Save a trial's result from the storage, if it has one and the folder has none."""
        entry = self._found.get(trial.key)
        if entry is not None and saved_measurement(folder, trial) is None:
            save_measurement(folder, trial, entry)

    def write(
        self,
        place: Place,
        search: SettingsSearch,
        trials: Sequence[Trial],
        results: Mapping[str, Run | Failure],
    ) -> None:
        """Add a generation of trials, each once."""
        import optuna

        study = optuna.create_study(
            storage=self._open,
            study_name=self._study_name(place),
            direction="maximize" if search.higher_is_better else "minimize",
            load_if_exists=True,
        )
        there = {trial.user_attrs.get(_KEY) for trial in study.get_trials(deepcopy=False)}
        spaces = distributions(search.space)
        begun = len(search.figures) - len(trials)
        for number, trial in enumerate(trials, start=begun):
            figure, entry = search.figures[number], results[trial.folder]
            if trial.key in there:
                continue
            there.add(trial.key)
            failed = figure is None
            study.add_trial(
                optuna.trial.create_trial(
                    state=optuna.trial.TrialState.FAIL if failed else optuna.trial.TrialState.COMPLETE,
                    value=figure,
                    params=search.asked[number],
                    distributions=spaces,
                    user_attrs={_KEY: trial.key, _ENTRY: None if failed else json.dumps(plain(entry))},
                )
            )

    def _study_name(self, place: Place) -> str:
        at = "" if place.point is None else f" at {place.point}"
        return f"{self.name}: {place.model}{at}" + ("" if place.for_seed is None else f" for seed {place.for_seed}")

    def _read(self) -> None:
        """Read the storage's finished trials, by key."""
        for study in self._open.get_all_studies():
            for trial in self._open.get_all_trials(study._study_id, deepcopy=False):
                entry = trial.user_attrs.get(_ENTRY)
                if entry is not None:
                    with contextlib.suppress(ValueError, RunError):
                        self._found[trial.user_attrs[_KEY]] = run_from(json.loads(entry))

    def _storage(self) -> Any:
        import optuna
        from optuna.storages.journal import JournalFileBackend

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        if self.url is not None:
            try:
                return optuna.storages.RDBStorage(self.url)
            except Exception as error:
                raise StorageError(
                    f"the storage {self.url} cannot be opened",
                    expected="a database as SQLAlchemy names it, such as sqlite:///trials.db or postgresql://host/name",
                    got=str(error).splitlines()[0],
                ) from error
        place = self.folder / JOURNAL_FILE
        self._mend(place)
        return optuna.storages.JournalStorage(JournalFileBackend(str(place)))

    def _mend(self, place: Path) -> None:
        """Remove what a killed process left: its lock and an incomplete last line."""
        place.with_name(place.name + ".lock").unlink(missing_ok=True)
        if place.exists():
            content = place.read_bytes()
            whole = content[: content.rfind(b"\n") + 1]
            if whole != content:
                place.write_bytes(whole)
