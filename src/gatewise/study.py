"""`compare` in Python: from data to a finished, reported comparison."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from gatewise.comparison import Comparison, load_comparison, make_plan, run_plan
from gatewise.comparison.plan.plan import DEFAULT_SEEDS, default_folder
from gatewise.errors import OptionError

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from gatewise.comparison.run.events import ComparisonListener
    from gatewise.record import Several

__all__ = ["Studies", "Study", "compare", "load_study"]


class Study(Comparison):
    """A finished comparison with its report and pictures.

    `table`, `differences`, `verdict`, `headline`, `best`, `best_estimator` and `record` are those of
    `gatewise.comparison.Comparison`.
    """

    @property
    def report(self) -> Path:
        """The page `report.html`, made anew from the record if it is not there."""
        from gatewise.reports import write_report

        place = self.folder / "report.html"
        return place if place.exists() else write_report(self.folder)

    def plot(self) -> Figure:
        """Loss and the metric over epochs, every cell in its colour: the figure of `curves.png`."""
        from gatewise.reports.plots import curves_figure

        return curves_figure(self.record)

    def __repr__(self) -> str:
        return f"<Study in {self.folder}: {self.headline}>"


class Studies:
    """Finished comparisons on several data sets, with what they say together.

    Args:
        folder: where they lie.
        record: content of its `comparisons.json`.
    """

    def __init__(self, folder: Path, record: Several) -> None:
        self.folder = folder
        self.record = record

    @property
    def report(self) -> Path:
        """The page `report.html`, made anew from the record if it is not there."""
        from gatewise.reports.several import write_several_report

        place = self.folder / "report.html"
        return place if place.exists() else write_several_report(self.folder)

    @property
    def headline(self) -> str:
        """The outcome in one line."""
        return self.record.headline

    def verdict(self) -> str:
        """What the data sets allow to say together."""
        return " ".join(self.record.sentences)

    def study(self, name: str) -> Study:
        """The comparison on one data set, by the name of its part.

        Raises:
            OptionError: there is no such part.
            RunError: its folder is missing or damaged.
        """
        for part in self.record.parts:
            if part.name == name:
                return load_study(self.folder / part.folder)
        known = [part.name for part in self.record.parts]
        raise OptionError(f"no data set {name!r} was compared", expected=", ".join(known))

    def table(self) -> pd.DataFrame:
        """One row per model and data set: figure with its interval, and score on the common scale."""
        import pandas as pd

        rows = [
            {
                "data": part.name,
                "model": model.name,
                "metric": part.metric.name,
                "figure": model.figure.estimate,
                "low": model.figure.low,
                "high": model.figure.high,
                "score": model.score,
            }
            for part in self.record.parts
            for model in part.models
        ]
        return pd.DataFrame(rows).set_index(["data", "model"])

    def __repr__(self) -> str:
        return f"<Studies in {self.folder}: {self.headline}>"


@overload
def compare(data: str | Path = ..., **options: Any) -> Study: ...
@overload
def compare(data: list[str | Path] | list[str] | tuple[str | Path, ...], **options: Any) -> Studies: ...
def compare(
    data: str | Path | Sequence[str | Path] = "imdb",
    *,
    cells: Iterable[str] | str = ("rnn", "lstm", "gru"),
    seeds: int = DEFAULT_SEEDS,
    out: str | Path | None = None,
    task: str | None = None,
    grid: Mapping[str, Any] | Sequence[str] | None = None,
    search: str | None = None,
    trials: int | None = None,
    metric: str | None = None,
    repeat_tuning: bool = False,
    resplit: int | None = None,
    match: str = "hidden",
    imports: Iterable[str] = (),
    jobs: int = 1,
    cluster: str | None = None,
    storage: str | None = None,
    margin: float | None = None,
    cost: bool = True,
    yes: bool = False,
    old_code: bool = False,
    on_event: ComparisonListener | None = None,
    **settings: Any,
) -> Study | Studies:
    """Train every cell under the same budget, with honest baselines beside them, and say what the numbers allow.

    Args:
        data: registry name (``imdb``, ``stocks``, ``ptb``, ``adding``) or path of a file, folder or archive. Or a list
            of several, among which may be plan files (``.toml``) and folders of finished comparisons.
        cells: names of cells and variants: ``gru``, ``bilstm``, ``gru*2``, or a registered cell of one's own.
        seeds: how many times each is trained.
        out: folder for runs, `comparison.json` and `report.html`; None: ``runs/`` and the data's name. A folder that
            holds the same comparison is continued, its finished runs are reused; one that holds anything else is
            refused.
        task: the kind of problem; None: found from the data and the settings given.
        grid: values from which each cell's settings are chosen on the validation part, by name:
            ``{"hidden_size": [64, 128], "learning_rate": "1e-4..1e-2"}``.
        search: ``grid``, ``random`` or ``tpe``.
        trials: how many combinations are tried per cell and per baseline, for ``random`` and ``tpe``.
        metric: figure by which is chosen and compared: for classification ``accuracy``, ``macro-f1``, ``auroc``,
            ``log-loss``, of labels that are numbers ``mean-absolute-error``, ``quadratic-kappa``; or ``loss``, by which
            only settings are chosen; None: the task's own.
        repeat_tuning: give each seed a search of its own, so that the intervals include what another search would have
            chosen.
        resplit: compare on so many splits of the data, and say the share of each source of variance.
        match: what the cells have in common: ``hidden`` width, number of ``parameters`` or training ``time``.
        imports: modules that register cells of one's own, for the other processes; a cell defined in an imported module
            is found without.
        jobs: trials at the same time, each in a process of its own.
        cluster: address of a Dask scheduler whose workers carry the trials out.
        storage: URL of a database that keeps the search's trials; None: a journal in the folder.
        margin: differences within it make no difference in practice, in the metric's unit; None: 0.5 points, or 1 %.
        cost: measure, after the trials and alone, what one run of each cell costs and how far back it remembers.
        yes: go on even if it would take longer than a week.
        old_code: count what an older version of the code trained in this folder as the same.
        on_event: is called with every step, see `gatewise.comparison.run.events`.
        **settings: any setting of the task's data, model and training by its name: ``epochs``, ``hidden_size`` ... One
            of them may be a list: every cell meets each of its values, and the report shows it as the axis.

    Returns:
        The finished study; its report lies in its folder. Of several data sets `Studies`.

    Raises:
        OptionError: an unknown cell or setting, a number out of range, a plan longer than a week.
        DataError: the data cannot be used.
        RunError: the folder holds something else.
        StorageError: it cannot be written.

    Example:
        >>> compare("imdb", cells=["lstn"])
        Traceback (most recent call last):
        gatewise.errors.OptionError: there is no cell 'lstn'; expected: ...; fix: did you mean 'lstm'?; ...
    """
    from gatewise.reports import write_report

    planned: dict[str, Any] = {"cells": cells, "seeds": seeds, "task": task, "grid": grid, "search": search}
    planned |= {"trials": trials, "metric": metric, "repeat_tuning": repeat_tuning, "match": match, "imports": imports}
    how: dict[str, Any] = {"jobs": jobs, "cluster": cluster, "storage": storage, "yes": yes, "old_code": old_code}
    how |= {"margin": margin, "cost": cost}
    entries = [_data_name(each) for each in _named(data)]
    if len(entries) != 1 or resplit is not None:
        return _compare_several(entries, planned | how | settings, out, on_event, resplit)
    data = entries[0]
    plan = make_plan(data, **planned, **settings)
    place = Path(out) if out is not None else default_folder(data)
    done = run_plan(plan, place, on_event=on_event, **how)
    write_report(done.folder)
    return Study(done.folder, done.record)


def _compare_several(
    entries: list[str],
    asked: Mapping[str, Any],
    out: str | Path | None,
    on_event: ComparisonListener | None,
    splits: int | None,
) -> Studies:
    """Several data sets; options that were not given leave a plan file's own in force."""
    from inspect import signature

    from gatewise.studies import default_folder_of, plan_several, plan_splits, run_several, several_command

    if not entries:
        raise OptionError("no data set is named", fix='for example compare(["imdb", "sst2"])')
    usual = {name: entry.default for name, entry in signature(compare).parameters.items()}
    given = {name: value for name, value in asked.items() if name not in usual or value != usual[name]}
    folder = Path(out) if out is not None else default_folder_of(entries)
    if splits is not None and len(entries) > 1:
        raise OptionError("resplit is for one data set", got=", ".join(entries), fix="compare the others on their own")
    parts = plan_several(entries, given) if splits is None else plan_splits(entries[0], given, splits)
    command = several_command(entries, given if splits is None else {"resplit": splits, **given}, folder)
    return Studies(folder, run_several(parts, folder, command, on_event=on_event, splits=splits is not None))


def _named(data: Any) -> list[str | Path]:
    """The names that were given as data, one or several; a table itself is refused."""
    given = [data] if isinstance(data, (str, Path)) else data
    if hasattr(data, "columns") or not isinstance(given, Iterable):
        given = [None]
    entries = list(given)
    for entry in entries:
        if not isinstance(entry, (str, Path)):
            raise OptionError(
                "data are given by name",
                expected="a data set's name, the path of a file, or a list of them",
                got=type(data if entry is None else entry).__name__,
                fix="write it into a file and name that: frame.to_csv('data.csv', index=False)",
            )
    return entries


def _data_name(data: str | Path) -> str:
    """The name of the data as the command line has it; a `Path` always means a file or folder."""
    from gatewise.training.registry import known_names

    return f"./{data}" if isinstance(data, Path) and str(data) in known_names() else str(data)


def load_study(folder: str | Path) -> Study:
    """Open a finished study again.

    Raises:
        RunError: the folder holds none, or it is damaged or from another version.

    Example:
        >>> load_study("nowhere")
        Traceback (most recent call last):
        gatewise.errors.RunError: there is no folder nowhere; fix: name the folder given to `gatewise compare --out`
    """
    done = load_comparison(folder)
    return Study(done.folder, done.record)
