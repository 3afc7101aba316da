"""``gatewise train``: one network."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gatewise.cli.options import ImportsOption, RecipeOption, TaskOption, typed_settings, with_settings

if TYPE_CHECKING:
    from gatewise.statistics import Measure
    from gatewise.training.events import EpochRecord, RunResult
    from gatewise.training.problem import Evaluation
    from gatewise.training.run_spec import RunSpec
    from gatewise.training.spec import TrainingSpec
    from gatewise.words import Scale

__all__ = ["train"]


@with_settings()
def train(
    data: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help="Registry name (see `gatewise datasets`) or a file. (default imdb)"),
    ] = None,
    cell: Annotated[
        str | None, typer.Option("--cell", metavar="NAME", help="Recurrent cell: rnn, lstm, gru ... (default gru)")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Run folder. (default runs/ and the names of data and cell)"),
    ] = None,
    task: TaskOption = None,
    recipe: RecipeOption = None,
    imports: ImportsOption = None,
    *,
    settings: dict[str, Any],
) -> None:
    """Train one recurrent network and keep it in a run folder.

    The weights of the epoch with the best figure on the validation part are kept. The same command again resumes an
    interrupted run.

    Examples:

        gatewise train imdb --cell lstm --out my-run

        gatewise predict my-run "The movie was not only interesting but also profoundly moving"

        gatewise train prices.csv --time date --target close --horizon 5

        gatewise train novel.txt --tokens character

        gatewise train reviews.csv --pretrain --unlabelled more.txt

        gatewise train --recipe ptb-articles --cell lstm

        gatewise train imdb --batch-size 128 --processes 4
    """
    from gatewise.cli.interruption import resumable
    from gatewise.comparison.plan.command import import_words, train_command
    from gatewise.comparison.plan.plan import default_folder
    from gatewise.training import task_of
    from gatewise.training.assembly import make_spec
    from gatewise.training.checks import threads_of_each
    from gatewise.training.launched import follows, launched_processes
    from gatewise.training.registry import import_modules

    modules = import_modules(imports or ())
    if recipe is not None:
        from gatewise.training.recipes import load_recipe

        known = load_recipe(recipe)
        task, data = task or known.task, data or known.data
        settings = {**known.settings, **settings}
    name = data or "imdb"
    settings = settings if cell is None else {**settings, "cell": cell}
    found = task_of(name, task=task, given=tuple(settings))
    if "processes" not in settings and launched_processes() > 1:
        settings = {**settings, "processes": launched_processes()}
    chosen = typed_settings(found, settings)
    if launched_processes() == 1:  # before the spec, whose limit is the batch
        threads_of_each(chosen.get("threads"), chosen.get("processes") or 1)
    spec = make_spec(found, name, chosen)
    suffix = f"-{spec.model.cell}" + ("" if spec.pretraining is None else "-pretrained")
    folder = out or default_folder(name, suffix)
    with resumable(folder, None if follows(spec.training.processes) else train_command(spec, folder, modules)):
        _train(spec, folder, import_words(modules))


def _train(spec: RunSpec, folder: Path, importing: list[str]) -> None:
    from gatewise import words
    from gatewise.cli.progress import TrainingDisplay
    from gatewise.grammar import plural
    from gatewise.screen import console
    from gatewise.training.launched import follows

    following = follows(spec.training.processes)
    screen = console(quiet=following)
    with TrainingDisplay(screen) as display:
        display.say(f"Reading {spec.data.data} ...")
        from gatewise.training.registry import kind_of

        kind = kind_of(spec.task)
        dataset = kind.load(spec.data)
        display.data(dataset, kind.unit)
        from gatewise.training import load_run, train_run
        from gatewise.training.keeping import best_of

        display.begin(spec.model.cell.upper(), metric=kind.measure(dataset))
        result = train_run(spec, dataset, folder, on_event=display.training)
        if following:
            return  # the first process reports
        test = load_run(folder).test(dataset)
    metric = kind.measure(dataset)
    tested = test.metrics[metric.name]
    scale = words.Scale.of(metric.to_dict(), tested)
    screen.print()
    unit = kind.unit.removesuffix("s")
    top = best_of(metric, result.epochs)
    screen.print(
        f"Epoch {result.best_epoch} kept{_why_kept(metric, result, top)}: validation {metric.title} "
        f"{scale.value(result.best.validation[metric.name])}, test {metric.title} {scale.value(tested)} "
        f"on {plural(dataset.sizes['test'], unit, kind.unit)}; trained in {_times(result)}.",
        style="bold",
    )
    ending = _ending(result, top.epoch, spec.training)
    if ending is not None:
        screen.print(ending)
    warning = _no_better_than_trivial(kind.judgement(dataset).trivial, metric, test, scale)
    if warning is not None:
        screen.print(warning, style="yellow", markup=False)
    use = " ".join([kind.use(folder), *map(shlex.quote, importing)])
    screen.print(f"Use it: {use}", soft_wrap=True, markup=False)


def _times(result: RunResult) -> str:
    """How long the training took, and apart from that what came before its first step."""
    from gatewise.words import duration

    whole = duration(result.training_seconds - result.preparation_seconds)
    return f"{whole}, after {duration(result.preparation_seconds)} of preparing"


def _why_kept(metric: Measure, result: RunResult, top: EpochRecord) -> str:
    """Why an epoch is kept that is not the best one; empty where it is."""
    if result.best_epoch == top.epoch:
        return ""
    if metric.better(top.validation[metric.name], result.best.validation[metric.name]):
        return f" (the last within a standard error of the best, epoch {top.epoch})"
    return f" (the last with the best figure, which epoch {top.epoch} has too)"


def _ending(result: RunResult, best: int, training: TrainingSpec) -> str | None:
    """Why the training ended when it did, where the number of epochs does not say so."""
    from gatewise.words import plural

    done, derived = len(result.epochs), result.derived_epochs
    if result.stopped == "patience":
        idle = "the last epoch"
        if done - best > 1:
            idle = f"the last {plural(done - best, 'epoch')}, after the best one, {best}"
        said = f"Training ended after epoch {done}: no better validation figure in {idle} (--patience)."
        if training.epochs is None or training.patience is not None or training.schedule == "constant":
            return said
        falling = (
            f"The learning rate falls over all {training.epochs} epochs that --epochs allows and was not at its end"
        )
        return f"{said} {falling}: --patience {training.epochs} trains them all."
    if derived is not None and 2 * done < derived:
        was = "was" if done == 1 else "were"
        calls = f"the size of this data calls for up to {derived} epochs, "
        calls += f"of which {done} {was} trained (--epochs {derived})"
        return f"The last epoch was the best; {calls}." if best == done else f"{calls[0].upper()}{calls[1:]}."
    return None


def _no_better_than_trivial(
    trivial: tuple[str, float] | None, metric: Measure, test: Evaluation, scale: Scale
) -> str | None:
    """A sentence if the test figure's interval does not lie above what knowing nothing reaches, as `compare` judges."""
    import numpy as np

    from gatewise.statistics import estimate_figure

    if trivial is None or len(test.contributions) < 2:
        return None
    words, value = trivial
    interval = estimate_figure(test.contributions, metric, np.random.default_rng(0)).interval
    least, most = (interval.low, interval.high) if metric.higher_is_better else (interval.high, interval.low)
    if scale.gain(least, value) > 0:
        return None
    how = "clearly worse" if scale.gain(most, value) < 0 else "not clearly better"
    return (
        f"Warning: this is {how} than {words}, which reaches {scale.value(value)}: the test "
        f"{metric.title} of {scale.value(interval.estimate)} has the 95 % interval "
        f"{scale.interval(interval.low, interval.high)}."
    )
