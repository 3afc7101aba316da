"""A finished comparison in Python's hands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.comparison.record import FORMAT_VERSION
from gatewise.errors import OptionError, RunError, did_you_mean
from gatewise.files import read_json

if TYPE_CHECKING:
    import pandas as pd

    from gatewise.training import TrainedClassifier

__all__ = ["RECORD_FILE", "Comparison", "load_comparison"]

RECORD_FILE = "comparison.json"


class Comparison:
    """Table, verdict and trained models of a finished comparison.

    Args:
        folder: where it lies.
        record: content of its `comparison.json`.

    Attributes:
        folder: where it lies.
        record: everything measured, as documented in docs/comparison-schema.md.
    """

    def __init__(self, folder: Path, record: dict[str, Any]) -> None:
        self.folder = folder
        self.record = record

    @property
    def headline(self) -> str:
        """The outcome in a few words."""
        return str(self.record["verdict"]["headline"])

    @property
    def verdict(self) -> str:
        """The outcome in one or two sentences that the numbers allow."""
        return " ".join(self.record["verdict"]["sentences"])

    def table(self) -> pd.DataFrame:
        """One row per model: quality, size, time; shares in [0, 1], times in seconds."""
        import pandas as pd

        rows = [
            {
                "model": model["name"],
                "test_accuracy": model["accuracy"]["estimate"],
                "accuracy_low": model["accuracy"]["low"],
                "accuracy_high": model["accuracy"]["high"],
                "test_loss": model["loss"],
                "macro_f1": model["macro_f1"],
                "parameters": model["parameters"],
                "seconds_per_epoch": model["seconds_per_epoch"],
                "training_seconds": model["training_seconds"],
                "latency_one_text": model["latency"]["one_text"],
                "latency_in_batch": model["latency"]["per_text_in_batch"],
                "kernel": model["kernel"]["implementation"],
                "seeds": len(model["runs"]),
            }
            for model in self.record["models"]
        ]
        return pd.DataFrame(rows).set_index("model")

    def differences(self) -> pd.DataFrame:
        """One row per pair of models: accuracy of the first minus the second, interval, p values."""
        import pandas as pd

        return pd.DataFrame(self.record["differences"]).set_index(["first", "second"])

    def best(self, cell: str | None = None) -> TrainedClassifier:
        """The trained model with the best *validation* accuracy, ready to predict; the test part has no say in it.

        Args:
            cell: choose among the runs of this cell only.

        Raises:
            OptionError: the cell was not compared.
            RunError: its run folder is missing or damaged.
        """
        from gatewise.training import load_run

        recurrent = {model["name"]: model for model in self.record["models"] if model["kind"] == "recurrent"}
        if cell is not None and cell not in recurrent:
            raise OptionError(f"the cell {cell!r} was not compared", fix=did_you_mean(cell, recurrent))
        runs = [run for name, model in recurrent.items() if cell in (None, name) for run in model["runs"]]
        chosen = max(runs, key=lambda run: run["epochs"][run["best_epoch"] - 1]["validation_accuracy"])
        return load_run(self.folder / chosen["folder"])

    def __repr__(self) -> str:
        return f"<Comparison in {self.folder}: {self.headline}>"


def load_comparison(folder: str | Path) -> Comparison:
    """Read a finished comparison.

    Raises:
        RunError: the folder holds none, or it is damaged or from a newer version.

    Example:
        >>> load_comparison("nowhere")
        Traceback (most recent call last):
        gatewise.errors.RunError: nowhere/comparison.json is missing; fix: name the folder of a finished ...
    """
    place = Path(folder) / RECORD_FILE
    record = read_json(place)
    version = record.get("format_version") if isinstance(record, dict) else None
    if not isinstance(version, int) or "models" not in record:
        raise RunError(f"{place} is damaged", expected="a comparison with a format_version and models")
    if version > FORMAT_VERSION:
        raise RunError(
            f"{place} is from a newer Gatewise",
            expected=f"format {FORMAT_VERSION} or older",
            got=f"format {version}",
            fix="update Gatewise: pip install --upgrade gatewise",
        )
    return Comparison(Path(folder), record)
