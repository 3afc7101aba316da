"""Progress on the terminal: bars that move, or plain lines where the output goes to a file or a pipe."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from gatewise import words
from gatewise.training.events import EpochDone, Event, RunStarted, StepDone

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

    from gatewise.statistics.measure import Measure
    from gatewise.training.kind import Dataset

__all__ = ["TrainingDisplay", "clock", "data_lines"]

_PLAIN_SECONDS = 15.0


class TrainingDisplay:
    """Shows one training run.

    Args:
        screen: where to.

    A terminal shows a bar for the current epoch and a line for each finished one; elsewhere a line is written at
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
        self.metric: Measure | None = None
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

    def data(self, dataset: Dataset, unit: str) -> None:
        """Print where the records came from and how they were split; they are counted in ``unit``."""
        for line in data_lines(dataset, unit):
            self.say(line)
        for note in dataset.notes:
            self.say(f"Note: {note}", "dim")

    def begin(self, title: str, step: str = "", metric: Measure | None = None) -> None:
        """Start the display of a model; its epochs are reported in ``metric``."""
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
        self.epochs, self.unit, self.phase = event.epochs, event.unit, event.title
        kernel = event.kernel.get("implementation", "")
        size = f"{words.count(event.parameters)} parameters, {words.plural(event.steps_per_epoch, 'step')} per epoch"
        line = f"{self.title}{self.phase}: {size}, kernel {kernel}"
        if event.resumed_from_epoch is not None:
            line += f", resumed in epoch {event.resumed_from_epoch}"
        self.say(line)
        for note in event.notes:
            self.say(f"Note: {note}", "dim")

    def _step(self, event: StepDone) -> None:
        speed = f"{event.examples_per_second:,.0f} {self.unit}/s"
        rate = f"loss {event.loss:.3f} · {speed} · {clock(event.seconds_left)} left"
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


def data_lines(dataset: Dataset, unit: str) -> list[str]:
    """Where the records came from, how many ``texts`` or ``windows`` each part has, and what the test part is."""
    train, validation, test = (dataset.sizes[part] for part in ("train", "validation", "test"))
    return [
        f"Data: {dataset.source}",
        f"{words.units(train, unit)} to learn from, {validation:,} to validate, {test:,} to test",
        f"Test part: {dataset.split_note}",
    ]


def clock(seconds: float) -> str:
    """A time as minutes and seconds.

    Example:
        >>> clock(75.4), clock(4000)
        ('1:15', '1:06:40')
    """
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
