"""A finished comparison in Python's hands."""

from __future__ import annotations

import importlib
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise import record as records
from gatewise.errors import OptionError, RunError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from gatewise.training.kind import Trained

__all__ = ["Comparison", "load_comparison"]

_NO_NUMBERS = ("time_to_target",)


class Comparison:
    """Table, verdict and trained models of a finished comparison.

    Args:
        folder: where it lies.
        record: content of its `comparison.json`.

    Attributes:
        folder: where it lies.
        record: everything measured, typed and frozen; ``record.to_dict()`` gives plain dictionaries, as documented in
            docs/comparison-schema.md.
    """

    def __init__(self, folder: Path, record: records.Comparison) -> None:
        self.folder = folder
        self.record = record

    @property
    def headline(self) -> str:
        """The outcome in a few words."""
        return self.record.verdict.headline

    def verdict(self) -> str:
        """The outcome in one or two sentences that the numbers allow."""
        return self.record.verdict.text

    def table(self) -> pd.DataFrame:
        """One row per model: the metric with its interval, further figures of the test part, cost; times in seconds."""
        import pandas as pd

        metric = self.record.metric.name
        measured = [
            entry.name
            for entry in fields(records.Cost)
            if entry.name not in _NO_NUMBERS
            and any(getattr(model.cost, entry.name) is not None for model in self.record.models)
        ]
        rows = [
            {
                "model": model.name,
                f"test_{metric}": model.figure.estimate,
                f"{metric}_low": model.figure.low,
                f"{metric}_high": model.figure.high,
                "deviation": model.figure.deviation,
                **{f"test_{name}": value for name, value in model.figures.items() if name != metric},
                **{name: getattr(model.cost, name) for name in measured},
                "kernel": model.kernel.implementation,
                "seeds": model.figure.seeds,
            }
            for model in self.record.models
        ]
        return pd.DataFrame(rows).set_index("model")

    def differences(self) -> pd.DataFrame:
        """One row per pair of models: figure of the first minus the second, interval, p values."""
        import pandas as pd

        return pd.DataFrame(records.plain(self.record.differences)).set_index(["first", "second"])

    def best(self, cell: str | None = None) -> Trained:
        """The trained model that is best on the *validation* part, ready to predict; the test part has no say.

        Args:
            cell: choose among the runs of this cell only.

        Raises:
            OptionError: the cell was not compared.
            RunError: its run folder is missing or damaged.
        """
        from gatewise.training.trained import load_run

        return load_run(self.folder / str(self._best(cell).folder))

    def _best(self, cell: str | None) -> records.Run:
        from gatewise.training.run_place import best_run

        recurrent = {model.name: model for model in self.record.cells}
        if cell is not None and cell not in recurrent:
            raise OptionError(f"the cell {cell!r} was not compared", fix=did_you_mean(cell, recurrent))
        chosen = best_run(self.record, cell)
        if chosen is None:
            raise RunError(
                f"no run of {cell or 'any cell'} was finished", fix="see the record's `failed` for the reasons"
            )
        return chosen

    def best_estimator(self, cell: str | None = None) -> Any:
        """The model of `best` as an estimator in scikit-learn's manner: `TextClassifier`, `Forecaster`, ...

        Args:
            cell: choose among the runs of this cell only.

        Raises:
            OptionError: the cell was not compared, or the kind of problem has no estimator.
            RunError: its run folder is missing or damaged.
        """
        from gatewise.training.registry import kind_of

        homes = kind_of(self.record.task).estimators
        if not homes:
            raise OptionError(f"{self.record.task} has no estimator", fix="use best(), the trained network itself")
        name, home = next(iter(homes.items()))
        return getattr(importlib.import_module(home), name).load(self.folder / str(self._best(cell).folder))

    def __repr__(self) -> str:
        return f"<Comparison in {self.folder}: {self.headline}>"


def load_comparison(folder: str | Path) -> Comparison:
    """Read a finished comparison.

    Raises:
        RunError: the folder holds none, or it is damaged or from another version.

    Example:
        >>> load_comparison("nowhere")
        Traceback (most recent call last):
        gatewise.errors.RunError: there is no folder nowhere; fix: name the folder given to `gatewise compare --out`
    """
    return Comparison(Path(folder), records.read_comparison(folder))
