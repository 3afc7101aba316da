"""``gatewise evaluate RUN`` without a file: the test part of the data that the network was trained on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gatewise.errors import DataError, OptionError, RunError
from gatewise.screen import say

if TYPE_CHECKING:
    from gatewise.drawing.page import FigureWords
    from gatewise.statistics.measure import Measure
    from gatewise.training.kind import Dataset, Kind
    from gatewise.training.problem import Evaluation

__all__ = ["evaluate_part", "file_or_part"]


def file_or_part(run: Path, file: Path | None, settings: Mapping[str, Any]) -> Path | None:
    """The file to measure on; None where the test part is meant: no file, or the known data set of the run.

    Args:
        run: a run folder, a comparison, or an exported model.
        file: as it was given.
        settings: that say how a file is read.

    Raises:
        OptionError: settings without a file, an exported model without one, or a known data set of another run.
    """
    from gatewise.export.to_onnx.places import model_at
    from gatewise.training.registry import known_names
    from gatewise.training.run_place import checked_run, find_run

    exported = model_at(run) is not None
    if file is not None and not exported and not file.exists() and str(file) in known_names():
        trained: Any = checked_run(find_run(run))[1].data
        if trained.data != str(file):
            raise OptionError(
                f"{file} is a known data set, and not that of the run",
                expected=f"a file, or nothing: then the test part of {trained.data} is measured",
                fix=f"gatewise evaluate {run}",
            )
        file = None
    if file is None and exported:
        raise OptionError("an exported model is measured on a file", fix=f"gatewise evaluate {run} FILE")
    if file is None and settings:
        from gatewise.training.checks import flag

        raise OptionError(
            f"{flag(next(iter(settings)))} says how a file is read, and there is none",
            fix="name a file behind RUN, or omit the option to measure on the test part of the training's data",
        )
    return file


def evaluate_part(run: Path, imports: Iterable[str], *, as_json: bool, download: bool = False) -> None:
    """Print the figures of the test part, as `train` and `compare` measure it.

    Args:
        run: a run folder, or a comparison.
        imports: modules that register cells or kinds.
        as_json: one JSON object.
        download: whether the data set may be fetched where it is not in the cache.

    Raises:
        RunError: no finished, undamaged run.
        DataError: the data are not there any more, or have changed since the training.
    """
    from gatewise.cli.opening import note
    from gatewise.record import plain
    from gatewise.statistics import estimate_figure
    from gatewise.training.registry import import_modules, kind_of
    from gatewise.training.run_place import checked_run, find_run
    from gatewise.training.trained import load_data, load_run

    import_modules(imports)
    place = find_run(run, say=note)
    folder, spec = checked_run(place)
    kind = kind_of(spec.task)
    dataset = load_data(place, spec, download=download)
    _check_unchanged(place, folder.path, dataset)
    found = load_run(place).test(dataset)
    measure = kind.measure(dataset)
    interval = None
    if len(found.contributions) > 1:
        import numpy as np

        interval = estimate_figure(found.contributions, measure, np.random.default_rng(0)).interval
    if as_json:
        record = {
            "data": getattr(spec.data, "data", None),
            "part": "test",
            "examples": dataset.sizes["test"],
            "interval": None if interval is None else [interval.low, interval.high],
            **found.metrics,
        }
        typer.echo(json.dumps(plain(record), ensure_ascii=False))
        return
    for line in _lines(str(getattr(spec.data, "data", "the data")), dataset, kind, measure, found, interval):
        say(line)


def _check_unchanged(run: Path, folder: Path, dataset: Dataset) -> None:
    from gatewise.files import read_json

    environment = read_json(folder / "environment.json")
    kept = environment.get("data", {}).get("fingerprint") if isinstance(environment, dict) else None
    if kept is None:
        raise RunError(f"{run} does not say what it was trained on", fix=f"name a file: gatewise evaluate {run} FILE")
    if kept != dataset.fingerprint:
        raise DataError(
            f"the data of {run} have changed since the training",
            expected=f"data with the fingerprint {kept[:16]}",
            got=dataset.fingerprint[:16],
            fix=f"restore them, or name a file that the network has not seen: gatewise evaluate {run} FILE",
        )


def _lines(
    data: str, dataset: Dataset, kind: Kind, measure: Measure, found: Evaluation, interval: Any
) -> Iterable[str]:
    """The figure, then all others, called and written as the report of a comparison does."""
    from gatewise.drawing.page import FigureWords
    from gatewise.grammar import plural
    from gatewise.reports.kind_report import kind_report
    from gatewise.words import Scale

    value = float(found.metrics[measure.name])
    scale = Scale.of(measure.to_dict(), value)
    sure = "" if interval is None else f" (95 % interval {scale.interval(interval.low, interval.high)})"
    examples = plural(dataset.sizes["test"], kind.unit.removesuffix("s"), kind.unit)
    yield f"Test part of {data}, {examples}: {measure.title} {scale.value(value)}{sure}"
    spoken = kind_report(kind.name).figures(None)
    for name, other in found.metrics.items():
        said = spoken.get(name) or FigureWords(name.replace("_", " "))
        if name not in (measure.name, "n") and isinstance(other, (int, float)):
            yield f"  {said.title}: {_written(other, said)}{_ends(found.metrics, name, said)}{_meaning(said)}"
        elif isinstance(other, dict) and other and all(isinstance(each, (int, float)) for each in other.values()):
            yield f"  {said.title}: " + ", ".join(f"{key} {_written(each, said)}" for key, each in other.items())


def _meaning(said: FigureWords) -> str:
    """What a title of one word stands for."""
    return "" if said.meaning is None or " " in said.title else f"   ({said.meaning})"


def _written(value: float, said: FigureWords) -> str:
    """A further figure: a fraction as everywhere else in percent, any other with four digits."""
    from gatewise.reports.columns import figure_words

    return figure_words(value, percent=True, sign=said.percent_sign) if said.percent else f"{value:.4g}"


def _ends(metrics: Mapping[str, Any], name: str, said: FigureWords) -> str:
    """The interval of a further figure, where the kind gives one."""
    ends = (metrics.get("intervals") or {}).get(name)
    if ends is None:
        return ""
    low, high = (f"{100 * end:.1f}" if said.percent else f"{end:.4g}" for end in ends)
    return f" (95 % interval {low}–{high})"
