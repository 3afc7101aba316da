"""``gatewise train``: one network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from gatewise.cli.options import DataArgument, with_settings

__all__ = ["train"]


@with_settings()
def train(
    data: DataArgument = "imdb",
    cell: Annotated[str, typer.Option("--cell", metavar="NAME", help="Recurrent cell: rnn, lstm, gru.")] = "gru",
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Run folder. (default runs/ and the names of data and cell)"),
    ] = None,
    *,
    data_options: dict[str, Any],
    settings: dict[str, Any],
) -> None:
    """Train one recurrent network and keep it in a run folder.

    The weights of the epoch with the best validation accuracy are kept. The same command again continues a run that
    was stopped.

    Examples:

        gatewise train imdb --cell lstm --out my-run

        gatewise predict my-run "The movie was not only interesting but also profoundly moving"
    """
    from gatewise.cli.interruption import resumable
    from gatewise.comparison.command import train_command
    from gatewise.comparison.plan import default_folder, setting_names
    from gatewise.training.run_spec import RunSpec
    from gatewise.training.spec import DataSpec, ModelSpec, TrainingSpec

    model, training = setting_names()
    spec = RunSpec(
        data=DataSpec(data, **data_options),
        model=ModelSpec(cell=cell, **{name: value for name, value in settings.items() if name in model}),
        training=TrainingSpec(**{name: value for name, value in settings.items() if name in training}),
    )
    folder = out or default_folder(data, f"-{cell}")
    with resumable(folder, train_command(spec, folder)):
        _train(spec, folder)


def _train(spec: Any, folder: Path) -> None:
    from gatewise import words
    from gatewise.cli.progress import TrainingDisplay, console

    screen = console()
    with TrainingDisplay(screen) as display:
        display.say(f"Reading {spec.data.data} ...")
        from gatewise.data import load_text
        from gatewise.training import load_run, train_run

        wanted = spec.data
        dataset = load_text(
            wanted.data, text=wanted.text, label=wanted.label, test=wanted.test, download=wanted.download
        )
        display.data(dataset)
        display.begin(spec.model.cell.upper())
        result = train_run(spec, dataset, folder, on_event=display.training)
        metrics = load_run(folder).evaluate(list(dataset.test.texts), dataset.test.labels)
    best = result.best
    screen.print()
    screen.print(
        f"Best epoch {result.best_epoch}: validation accuracy {words.percent(best.validation_accuracy)}, "
        f"test accuracy {words.percent(metrics.accuracy)} on {metrics.n:,} texts; "
        f"trained in {words.duration(result.seconds)}.",
        style="bold",
    )
    screen.print(f'Use it: gatewise predict {folder} "a text"', soft_wrap=True, markup=False)
