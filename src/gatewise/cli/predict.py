"""``gatewise predict``: labels and probabilities for texts."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gatewise.errors import DataError, OptionError

if TYPE_CHECKING:
    from gatewise.training import Trained, TrainedClassifier

__all__ = ["predict"]

_BATCH = 256


def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run folder of a trained network.")],
    texts: Annotated[
        list[str] | None, typer.Argument(metavar="[TEXT]...", help="Texts; without any, lines of standard input.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="Read the texts from a file, one a line."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Write forecasts here (CSV); standard output if not given."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line: label, probability, probabilities.")
    ] = False,
) -> None:
    """Label texts, or continue series, with a trained network.

    Examples:

        gatewise predict my-run "The movie was not only interesting but also profoundly moving"

        gatewise predict my-run --file reviews.txt --json > labels.jsonl

        gatewise predict my-forecaster --file new.csv --out forecast.csv
    """
    if texts and file is not None:
        raise OptionError("texts and --file exclude each other", fix="give the texts either way, not both")
    from gatewise.cli.runs import as_classifier, open_run

    trained = open_run(run)
    if trained.spec.task == "forecasting":
        _forecast(trained, texts, file, out)
        return
    if out is not None:
        raise OptionError("--out is for forecasts", fix="redirect standard output instead: > FILE")
    classifier = as_classifier(trained, "predict")
    _check_texts(texts or ())
    lines: Iterator[str] = iter(texts) if texts else _lines(file)
    if not texts and file is None and sys.stdin.isatty():
        typer.echo("Reading texts from standard input, one a line; end with Ctrl-D.", err=True)
    count = 0
    for batch in _batches(lines, 1 if sys.stdin.isatty() and not texts and file is None else _BATCH):
        _show(classifier, batch, as_json)
        count += len(batch)
    if count == 0:
        raise DataError("there is no text to label", fix="give texts after the run folder, --file, or standard input")


def _check_texts(texts: Sequence[str]) -> None:
    """Refuse what a shell's pattern or an empty variable leaves among the texts."""
    for text in texts:
        if not text.strip():
            raise DataError("a text is empty", fix="leave it out")
        if len(text) < 250 and (Path(text) / "result.json").exists():
            raise OptionError(f"{text} is a run folder, not a text", expected="one run folder", fix="name one run only")


def _forecast(trained: Trained, texts: Sequence[str] | None, file: Path | None, out: Path | None) -> None:
    from gatewise.cli.forecast_files import forecast_file

    if texts or file is None:
        raise OptionError(
            "a forecast continues a table of series",
            expected="--file with the same columns as the training data",
            got="texts" if texts else "nothing",
            fix="gatewise predict RUN --file new.csv",
        )
    forecast_file(trained, file, out)


def _show(classifier: TrainedClassifier, texts: Sequence[str], as_json: bool) -> None:
    names = classifier.label_names
    width = max(len(name) for name in names)
    for text, row in zip(texts, classifier.predict_proba(list(texts)), strict=True):
        best = int(row.argmax())
        if as_json:
            shares = {name: float(share) for name, share in zip(names, row, strict=True)}
            answer = {"label": names[best], "probability": float(row[best]), "probabilities": shares}
            typer.echo(json.dumps(answer, ensure_ascii=False))
        else:
            typer.echo(f"{names[best]:<{width}}  {100 * row[best]:5.1f} %  {_short(text)}")


def _lines(file: Path | None) -> Iterator[str]:
    """Texts of a file or of standard input, one a line; blank lines are left out."""
    if file is None or str(file) == "-":
        source = sys.stdin.buffer
        name = "standard input"
    else:
        if not file.is_file():
            raise DataError(
                f"there is no file {file}" if not file.exists() else f"{file} is not a file",
                fix="name a text file with one text a line",
            )
        source, name = file.open("rb"), str(file)
    with source:
        for number, line in enumerate(source, start=1):
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{name}, line {number} is not UTF-8", got=str(error), fix="convert it, for example with iconv"
                ) from error
            if text:
                yield text


def _batches(lines: Iterator[str], size: int) -> Iterator[list[str]]:
    batch: list[str] = []
    for line in lines:
        batch.append(line)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else line[:79] + "…"
