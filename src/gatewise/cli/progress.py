"""Progress on the terminal: bars that move, or plain lines where the output goes to a file or a pipe."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gatewise import words
from gatewise.comparison.events import ComparisonEvent, DataReady, ModelDone, ModelStarted, RunProgress
from gatewise.training.events import EpochDone, Event, RunStarted, StepDone

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

    from gatewise.tasks.problem import Metric
    from gatewise.training.kinds import Dataset

__all__ = ["ComparisonDisplay", "TrainingDisplay", "console"]

_PLAIN_SECONDS = 15.0
_PHASES = {"pretraining": ", as a language model first"}
_BASELINE_STEP = "fitting on single words and word pairs"


def console() -> Console:
    """The console of standard output; a pipe or file gets lines of any length without colour."""
    import sys

    from rich.console import Console

    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(highlight=False, width=120, no_color=True)


class TrainingDisplay:
    """Shows one training run; the base of the comparison's display.

    Args:
        screen: where to.

    A terminal shows a bar for the epoch under way and a line for each finished one; elsewhere a line is written at
    least every 15 seconds of training.
    """

    def __init__(self, screen: Console) -> None:
        from rich.progress import BarColumn, Progress, TextColumn

        self.screen = screen
        self.live = screen.is_terminal
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=None, complete_style="cyan", finished_style="cyan", pulse_style="cyan"),
            TextColumn("{task.fields[words]}"),
            console=screen,
            transient=True,
            expand=True,
            disable=not self.live,
        )
        self.epoch_bar: TaskID | None = None
        self.title = ""
        self.epochs = 0
        self.unit, self.phase = "examples", ""
        self.metric: Metric | None = None
        self.spoke = time.monotonic()

    def __enter__(self) -> TrainingDisplay:
        self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bars.stop()

    def say(self, line: str, style: str = "") -> None:
        """Print a line that stays."""
        self.screen.print(line, style=style, markup=False, soft_wrap=not self.live)
        self.spoke = time.monotonic()

    def data(self, dataset: Dataset) -> None:
        """Say where the records came from and how they were split."""
        self.say(f"Data: {dataset.source}")
        sizes = dataset.sizes
        self.say(
            f"{sizes['train']:,} examples to learn from, {sizes['validation']:,} to validate, {sizes['test']:,} to test"
        )
        self.say(f"Test part: {dataset.split_note}")
        for note in dataset.notes:
            self.say(f"Note: {note}", "dim")

    def begin(self, title: str, step: str = "", metric: Metric | None = None) -> None:
        """A model is about to be trained; its epochs are told in the figures of ``metric``."""
        self.title = title
        self.metric = metric or self.metric
        self._end_bar()
        if self.live:
            self.epoch_bar = self.bars.add_task(title, total=None, words=step)
        elif step:
            self.say(f"{title}: {step}")

    def training(self, event: Event) -> None:
        """Show an event of the run."""
        if isinstance(event, RunStarted):
            self._started(event)
        elif isinstance(event, StepDone):
            self._step(event)
        elif isinstance(event, EpochDone):
            self._epoch(event)

    def _started(self, event: RunStarted) -> None:
        self.epochs, self.unit, self.phase = event.epochs, event.unit, _PHASES.get(event.phase, "")
        kernel = event.kernel.get("implementation", "")
        size = f"{words.count(event.parameters)} parameters, {event.steps_per_epoch} steps per epoch"
        line = f"{self.title}{self.phase}: {size}, kernel {kernel}"
        if event.resumed_from_epoch is not None:
            line += f", resumed in epoch {event.resumed_from_epoch}"
        self.say(line)

    def _step(self, event: StepDone) -> None:
        speed = f"{event.examples_per_second:,.0f} {self.unit}/s"
        rate = f"loss {event.loss:.3f} · {speed} · {_clock(event.seconds_left)} left"
        if self.epoch_bar is not None:
            description = f"{self.title}{self.phase} epoch {event.epoch}/{self.epochs}"
            self.bars.update(
                self.epoch_bar, description=description, total=event.steps, completed=event.step, words=rate
            )
        elif time.monotonic() - self.spoke > _PLAIN_SECONDS:
            self.say(f"  epoch {event.epoch}/{self.epochs}, step {event.step}/{event.steps}: {rate}")

    def _epoch(self, event: EpochDone) -> None:
        record = event.record
        line = f"  epoch {record.epoch}/{self.epochs}: loss {record.training['loss']:.3f}, "
        if "perplexity" in record.validation and record.phase == "pretraining":
            line += f"validation perplexity {record.validation['perplexity']:.1f}"
        elif self.metric is None:
            line += f"validation loss {record.validation['loss']:.3f}"
        else:
            figure = record.validation[self.metric.name]
            scale = words.Scale.of(self.metric.to_dict(), figure)
            line += f"validation {self.metric.title} {scale.value(figure)}"
        self.say(f"{line}, {words.duration(record.seconds)}")

    def _end_bar(self) -> None:
        if self.epoch_bar is not None:
            self.bars.remove_task(self.epoch_bar)
            self.epoch_bar = None


class ComparisonDisplay(TrainingDisplay):
    """Shows a whole comparison: every model's result as it comes, and the time until all are trained."""

    def __init__(self, screen: Console) -> None:
        super().__init__(screen)
        self.all_bar: TaskID | None = None

    def __enter__(self) -> ComparisonDisplay:
        super().__enter__()
        return self

    def __call__(self, event: ComparisonEvent) -> None:
        """Show an event of the comparison."""
        if isinstance(event, DataReady):
            self._data_ready(event)
        elif isinstance(event, ModelStarted):
            self._model_started(event)
        elif isinstance(event, RunProgress):
            self._run_progress(event)
        else:
            self._model_done(event)

    def _data_ready(self, event: DataReady) -> None:
        self.data(event.dataset)
        runs = len(event.plan.cells) * len(event.plan.seeds)
        what = f"{', '.join(event.plan.cells)} with {_plural(len(event.plan.seeds), 'seed')} each"
        self.say(f"Comparing {what} ({_plural(runs, 'run')}) beside a linear baseline; result in {event.folder}")
        if event.resumed:
            self.say("The folder holds this comparison already: what is finished is reused.", "bold")

    def _model_started(self, event: ModelStarted) -> None:
        self.begin(_title(event), _BASELINE_STEP if event.seed is None and not event.reused else "")
        if self.live:
            if self.all_bar is not None:
                self.bars.remove_task(self.all_bar)
            self.all_bar = self.bars.add_task(
                "All models", total=event.total, completed=event.number - 1, words=f"{event.number} of {event.total}"
            )

    def _run_progress(self, event: RunProgress) -> None:
        self.training(event.event)
        if self.all_bar is not None and event.seconds_left is not None and isinstance(event.event, StepDone):
            started = event.started
            step = event.event
            part = (step.epoch - 1 + step.step / step.steps) / max(1, self.epochs)
            left = f"{started.number} of {started.total} · about {_clock(event.seconds_left)} left"
            self.bars.update(self.all_bar, completed=started.number - 1 + part, words=left)

    def _model_done(self, event: ModelDone) -> None:
        self._end_bar()
        reused = " (finished before, reused)" if event.started.reused else ""
        self.say(
            f"{_title(event.started)}: test accuracy {words.percent(event.accuracy)}, "
            f"trained in {words.duration(event.training_seconds)}{reused}",
            "bold",
        )


def _title(event: ModelStarted) -> str:
    from gatewise.comparison.record import title_of

    title = title_of(event.name)
    return title if event.seed is None else f"{title}, seed {event.seed}"


def _clock(seconds: float) -> str:
    """Minutes and seconds.

    Example:
        >>> _clock(75.4), _clock(4000)
        ('1:15', '1:06:40')
    """
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _plural(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
