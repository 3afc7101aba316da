"""The commands `predict` and `evaluate` of a text classifier."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from gatewise import words
from gatewise.data.labelled_lines import LABEL_SEPARATOR, holds_labelled_lines, holds_several_labels
from gatewise.data.tables import Table
from gatewise.errors import DataError, OptionError
from gatewise.kinds.classification.calibration import calibration_sentence
from gatewise.kinds.classification.folders import read_labelled
from gatewise.kinds.classification.label_advice import advising, separated_otherwise
from gatewise.kinds.classification.label_sets import label_table, number_labels, parse_labels
from gatewise.kinds.classification.labelling import check_out, label
from gatewise.kinds.classification.rare_labels import known_alone
from gatewise.screen import say
from gatewise.training.overlap import overlap_record, print_overlap
from gatewise.training.run_place import is_run_folder, names_a_file

if TYPE_CHECKING:
    from gatewise.kinds.classification.exported import ExportedClassifier
    from gatewise.kinds.classification.trained import TrainedClassifier
    from gatewise.training.kind import Request

__all__ = ["check_predict", "evaluate", "predict"]

_NARROW = 72


def predict(classifier: TrainedClassifier, request: Request) -> None:
    """Label the texts of a request, the rows or lines of a file, or lines of standard input as they come.

    Raises:
        DataError: there is no text, or the file cannot be used.
        OptionError: options that do not go together, or a run folder where a text is meant.
    """
    label(classifier, request)


def evaluate(classifier: TrainedClassifier | ExportedClassifier, request: Request) -> None:
    """Print accuracy, loss, F1, calibration and confusion on a labelled file; of several labels F1 of each.

    Raises:
        DataError: the file cannot be used, or has a label that the network does not know.
    """
    assert request.file is not None
    given, trained = request.settings, classifier.spec.data
    separator = given.get("separator") or (classifier.separator if classifier.multi_label else None)
    if separator is not None and not classifier.multi_label:
        raise OptionError(
            "the network gives one label a text",
            got=f"--separator {separator}",
            fix="omit --separator, or train with it",
        )
    named = (trained.text, trained.label)
    if request.file.expanduser().is_dir():
        named = (None, None)  # nor have folders
    elif holds_labelled_lines(request.file):
        named = (None, None)  # its lines have no columns
        separator = given.get("separator") or _separator_of_lines(request.file, several=classifier.multi_label)
    table = read_labelled(
        request.file.expanduser(),
        given.get("text") or named[0],
        given.get("label") or named[1],
        given.get("encoding"),
        trained.encoding,
        separator,
    )
    names = classifier.label_names
    if trained.drop_labels_below is not None:
        table = known_alone(table, names, separator)
    for note in table.notes:
        say(f"Note: {note}", err=True)
    labels = _known_labels(table, names) if separator is None else _known_sets(table, names, separator)
    found = classifier.evaluate(table.texts, labels)
    metrics = found.to_dict()
    overlap = None if classifier.seen is None else classifier.seen.overlap(table.texts)
    others: Mapping[str, Any] | None = None
    if overlap is not None and overlap.found and len(overlap.others):
        texts = [table.texts[place] for place in overlap.others]
        others = classifier.evaluate(texts, labels[overlap.others]).to_dict()
    if request.as_json:
        record = {**metrics, "label_names": list(names), **overlap_record(overlap, others)}
        typer.echo(json.dumps(record, ensure_ascii=False))
        return
    print_overlap(overlap, "text", lambda: _figure(others or {}))
    (_print_labels if classifier.multi_label else _print)(metrics, names)
    of = "labels" if classifier.multi_label else "answers"
    say(calibration_sentence(found.reliability, what="The network", of=of))


def _separator_of_lines(path: Path, *, several: bool) -> str | None:
    """What separates joined labels of fastText's lines; None: a network that gives one label is measured."""
    if several:
        return LABEL_SEPARATOR
    if holds_several_labels(path):
        raise DataError(
            f"{path} has texts with several labels",
            expected="one label a text, as the network gives",
            fix="train on texts with several labels, or name a file whose texts have one",
        )
    return None


def _figure(metrics: Mapping[str, Any]) -> str:
    name, title = ("accuracy", "accuracy") if "accuracy" in metrics else ("micro_f1", "micro-F1")
    return f"{title} {words.percent(metrics[name])}"


def check_predict(request: Request) -> None:
    """Refuse what can be refused before the network is loaded.

    Raises:
        DataError: a text is empty.
        OptionError: a run folder where a text is meant, or ``--out`` is the input.
        StorageError: ``--out`` cannot be written.
    """
    _check_texts(request.inputs)
    if request.out is not None:
        check_out(request.out, request.file)


def _check_texts(texts: Sequence[str]) -> None:
    """Refuse empty texts and run folders, which shell patterns or empty variables produce; say what names a file."""
    for text in texts:
        if not text.strip():
            raise DataError("a text is empty", fix="omit it")
        if is_run_folder(text):
            raise OptionError(f"{text} is a run folder, not a text", expected="one run folder", fix="name one run only")
    named = [text for text in texts if names_a_file(text)]
    if named:
        fix = f"to label what is in it: --file {shlex.quote(named[0])}"
        say(f"Note: the text {named[0]!r} is the name of a file, and is itself labelled; {fix}", err=True)


def _known_labels(table: Table, names: tuple[str, ...]) -> Any:
    return number_labels(table, names, "the network does not know the label {}")


def _known_sets(table: Table, names: tuple[str, ...], separator: str) -> Any:
    sets = [parse_labels(written, separator) for written in table.labels]
    places = [f"{table.path}, {table.unit} {line}" for line in table.lines]
    with advising(separated_otherwise(table.labels, separator)):
        return label_table(sets, names, places, known_by="the network's labels")


def _print_labels(metrics: dict[str, Any], names: tuple[str, ...]) -> None:
    from rich import box
    from rich.table import Table as Grid
    from rich.text import Text

    from gatewise.screen import console

    screen = console()
    screen.print(
        f"micro-F1 {words.percent(metrics['micro_f1'])}   macro-F1 {words.percent(metrics['macro_f1'])}   "
        f"exact match {words.percent(metrics['exact_match'])}   AUROC {metrics['auroc']:.4f}   "
        f"loss {metrics['loss']:.4f}   n {metrics['n']:,}",
        style="bold",
    )
    _print_calibration(screen, metrics)
    table = Grid(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=_padding(screen))
    table.add_column("label")
    for head in ("texts", "threshold", "predicted", "precision", "recall", "F1"):
        table.add_column(head, justify="right")
    for name in names:
        each = metrics["per_label"][name]
        shares = (words.percent(each[key]) for key in ("precision", "recall", "f1"))
        limit = words.percent(each["threshold"])
        table.add_row(Text(name), f"{each['true']:,}", limit, f"{each['predicted']:,}", *shares)
    screen.print(table)


def _padding(screen: Any) -> tuple[int, int, int, int]:
    """Space beside the columns of a table: less where the screen is narrow."""
    return (0, 1, 0, 1) if screen.width >= _NARROW else (0, 0, 0, 0)


def _print_calibration(screen: Any, metrics: dict[str, Any]) -> None:
    screen.print(
        f"expected calibration error {words.percent(metrics['expected_calibration_error'])}   "
        f"Brier score {metrics['brier_score']:.4f}"
    )


def _ordered(metrics: Mapping[str, Any]) -> str:
    """The figures of labels that are numbers, with their intervals."""
    found = []
    for name, title in (
        ("mean_absolute_error", "mean absolute error"),
        ("quadratic_kappa", "quadratic weighted kappa"),
    ):
        ends = (metrics.get("intervals") or {}).get(name)
        sure = "" if ends is None else f" ({ends[0]:.3f}–{ends[1]:.3f})"
        found.append(f"{title} {metrics[name]:.3f}{sure}")
    return "   ".join(found)


def _print(metrics: dict[str, Any], names: tuple[str, ...]) -> None:
    from rich import box
    from rich.table import Table as Grid
    from rich.text import Text

    from gatewise.screen import console

    screen = console()
    screen.print(
        f"accuracy {words.percent(metrics['accuracy'])}   loss {metrics['loss']:.4f}   "
        f"macro-F1 {words.percent(metrics['macro_f1'])}   AUROC {metrics['auroc']:.4f}   n {metrics['n']:,}",
        style="bold",
    )
    if "mean_absolute_error" in metrics:
        screen.print(_ordered(metrics))
    _print_calibration(screen, metrics)
    table = Grid(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold", padding=_padding(screen))
    table.add_column(Text("true ↓ predicted →"))
    for name in (*names, "F1"):
        table.add_column(Text(name), justify="right")
    for name, row in zip(names, metrics["confusion"], strict=True):
        table.add_row(Text(name), *(f"{number:,}" for number in row), words.percent(metrics["f1_per_class"][name]))
    screen.print(table)
