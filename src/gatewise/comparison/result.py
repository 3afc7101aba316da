"""A finished comparison in Python's hands."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise.comparison.verdict.record import FORMAT_VERSION
from gatewise.errors import OptionError, RunError, did_you_mean
from gatewise.files import read_json

if TYPE_CHECKING:
    import pandas as pd

    from gatewise.training.kind import Trained

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

    def verdict(self) -> str:
        """The outcome in one or two sentences that the numbers allow."""
        return " ".join(self.record["verdict"]["sentences"])

    def table(self) -> pd.DataFrame:
        """One row per model: the metric with its interval, further figures of the test part, cost; times in seconds."""
        import pandas as pd

        metric = self.record["metric"]["name"]
        rows = [
            {
                "model": model["name"],
                f"test_{metric}": model["figure"]["estimate"],
                f"{metric}_low": model["figure"]["low"],
                f"{metric}_high": model["figure"]["high"],
                "deviation": model["figure"]["deviation"],
                **{f"test_{name}": value for name, value in model["figures"].items() if name != metric},
                **{name: value for name, value in model["cost"].items() if not isinstance(value, dict)},
                "kernel": model["kernel"]["implementation"],
                "seeds": model["figure"]["seeds"],
            }
            for model in self.record["models"]
        ]
        return pd.DataFrame(rows).set_index("model")

    def differences(self) -> pd.DataFrame:
        """One row per pair of models: figure of the first minus the second, interval, p values."""
        import pandas as pd

        return pd.DataFrame(self.record["differences"]).set_index(["first", "second"])

    def best(self, cell: str | None = None) -> Trained:
        """The trained model that is best on the *validation* part, ready to predict; the test part has no say.

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
        metric = self.record["metric"]
        sign = 1.0 if metric["higher_is_better"] else -1.0
        if not runs:
            raise RunError(
                f"no run of {cell or 'any cell'} was finished", fix="see the record's `failed` for the reasons"
            )
        chosen = max(runs, key=lambda run: sign * run["epochs"][run["best_epoch"] - 1]["validation"][metric["name"]])
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
