"""A running comparison: a live table on a terminal, plain lines where the output goes to a file or a pipe."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from gatewise import words
from gatewise.cli.progress import clock, data_lines
from gatewise.comparison.plan.titles import title_of
from gatewise.comparison.run.events import (
    BaselineTrials,
    ComparisonEvent,
    DataReady,
    FittingBaseline,
    Measuring,
    PlanReady,
    TrialDone,
    TrialStatus,
    TuningDone,
)
from gatewise.screen import given_width
from gatewise.training.registry import kind_of

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from gatewise.comparison.plan.plan import Plan
    from gatewise.statistics.measure import Measure

__all__ = ["ComparisonDisplay"]

_PLAIN_SECONDS = 15.0
# of shorter plans most of the time is what they do not estimate: process starts, baselines, the report
_WORTH_COMPARING = 30.0


class ComparisonDisplay:
    """Shows which trials run, how fast, the time left, and the best so far of every cell.

    Args:
        screen: where to. A terminal shows a table that changes, and a line for each finished trial; elsewhere a line
            is written for each finished trial, and at least every 15 seconds.
    """

    def __init__(self, screen: Console) -> None:
        from rich.live import Live

        self.screen = screen
        self.live = Live(console=screen, transient=True, auto_refresh=False) if screen.is_terminal else None
        self.plan: Plan | None = None
        self.metric: Measure | None = None
        self.running: dict[str, TrialStatus] = {}
        self.best: dict[str, float] = {}
        self.finished: dict[str, int] = {}
        self.done, self.total, self.jobs = 0, 0, 1
        self.seconds: list[float] = []
        self.first: dict[str, TrialDone] = {}
        self.first_shown = False
        self.noted: set[str] = set()
        self.begun = self.spoke = time.monotonic()
        self.estimate: float | None = None
        self.planned = 0.0
        self._turn = threading.Lock()

    def __enter__(self) -> ComparisonDisplay:
        if self.live is not None:
            self.live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.live is not None:
            self.live.stop()

    def say(self, line: str, style: str = "") -> None:
        """Print a line that stays."""
        self.screen.print(line, style=style, markup=False, soft_wrap=self.live is None and given_width() is None)
        self.spoke = time.monotonic()

    def elapsed(self) -> str:
        """How long it took since the data were read, and how often that is the plan's estimate."""
        took = time.monotonic() - self.begun
        said = f"Took {words.duration(took)} in all"
        if self.planned < _WORTH_COMPARING:
            return f"{said}."
        return f"{said}, {words.ratio(took / self.planned)} the plan's {words.duration(self.planned)}."

    def __call__(self, event: ComparisonEvent) -> None:
        """Show an event of the comparison; several threads may call this at the same time."""
        with self._turn:
            if isinstance(event, DataReady):
                self._data(event)
            elif isinstance(event, FittingBaseline):
                self.say(f"Fitting {event.title}, to estimate its {words.plural(event.trials, 'trial')} ...")
            elif isinstance(event, PlanReady):
                self._planned(event)
            elif isinstance(event, TrialStatus):
                self._status(event)
            elif isinstance(event, TrialDone):
                self._trial_done(event)
            elif isinstance(event, TuningDone):
                self._tuned(event)
            elif isinstance(event, Measuring):
                self.running.clear()
                cells = words.plural(event.runs, "cell")
                self.say(f"Measuring memory and reach of {cells}, each alone, then their times in turns ...")
            if self.live is not None:
                self.live.update(self._table(), refresh=True)

    def _data(self, event: DataReady) -> None:
        self.plan, self.metric = event.plan, event.metric
        self.running, self.best, self.finished, self.seconds = {}, {}, {}, []
        self.done = self.total = 0
        self.first, self.first_shown = {}, False
        self.begun = time.monotonic()
        dataset = event.dataset
        for line in data_lines(dataset, kind_of(event.plan.task).unit):
            self.say(line)
        for note in dataset.notes:
            self.say(f"Note: {note}", "dim")
        if event.resumed:
            self.say(f"{event.folder} holds this comparison already: what is finished is reused.", "bold")

    def _planned(self, event: PlanReady) -> None:
        plan = event.plan
        self.jobs, self.estimate = event.jobs, event.seconds
        self.planned = (event.seconds or 0.0) + event.measuring + event.finishing
        for line in plan_lines(plan, event):
            self.say(line)
        if len(plan.seeds) == 1:
            self.say("One seed per cell: no cell will be judged, only these networks; --seeds 3 judges the cells.")

    def _status(self, event: TrialStatus) -> None:
        held = self.running.get(event.name)
        self.running[event.name] = event
        if event.phase != "begun" and (held is None or held.phase != event.phase):
            begun = f"{event.name}: {words.count(event.parameters)} parameters, kernel {event.kernel}"
            self.say(begun + ("" if event.resumed is None else f", resumed in epoch {event.resumed}"), "dim")
            for note in event.notes:
                if note not in self.noted:
                    self.noted.add(note)
                    self.say(f"Note: {note}", "dim")
        if self.live is None and event.loss is not None and time.monotonic() - self.spoke > _PLAIN_SECONDS:
            for status in self.running.values():
                self.say(f"  {_place(status)}: {_speed(status)}")
            self.say(f"  {self._progress()}")

    def _trial_done(self, event: TrialDone) -> None:
        trial = event.trial
        self.running.pop(trial.name, None)
        self.done, self.total = event.number, event.total
        self.finished[trial.cell] = self.finished.get(trial.cell, 0) + 1
        if not event.reused and event.training_seconds is not None and trial.seed is not None:
            self.seconds.append(event.training_seconds)
        if event.validation is not None and self.metric is not None:
            held = self.best.get(trial.cell)
            if held is None or self.metric.better(event.validation, held):
                self.best[trial.cell] = event.validation
        self.say(self._line(event), "red" if event.error else "")
        self._first_seed(event)

    def _first_seed(self, event: TrialDone) -> None:
        """After the last cell's first seed, where more follow: its figures, without a judgement."""
        plan, trial = self.plan, event.trial
        if plan is None or plan.axis is not None or len(plan.seeds) == 1 or trial.phase == "tuning":
            return
        if trial.phase == "baseline" or trial.seed == plan.seeds[0]:
            self.first[trial.cell] = event
        if trial.phase == "baseline" or not set(plan.cells) <= set(self.first) or self.first_shown:
            return
        self.first_shown = True
        if all(each.reused for each in self.first.values()):
            return
        self.say(
            f"After one seed of {len(plan.seeds)} ({self._title()} on the test part; too early for a judgement):",
            "bold",
        )
        for cell, each in self.first.items():
            figure = "failed" if each.test is None else self._figure(each.test)
            self.say(f"  {title_of(cell) if each.trial.phase != 'baseline' else cell}: {figure}{_took(each)}")

    def _line(self, event: TrialDone) -> str:
        name = f"[{event.number}/{event.total}] {event.trial.name}"
        if event.error is not None:
            return f"{name} failed: {event.error}"
        figures = [
            f"{part} {self._title()} {self._figure(value)}"
            for part, value in (("validation", event.validation), ("test", event.test))
            if value is not None
        ]
        reused = " (finished before, reused)" if event.reused else ""
        return f"{name}: {', '.join(figures)}{_took(event)}{reused}"

    def _tuned(self, event: TuningDone) -> None:
        at = "" if event.point is None or self.plan is None or self.plan.axis is None else f" at {event.point}"
        chosen = ", ".join(f"{name} {_value(value)}" for name, value in event.settings.items())
        at += "" if event.for_seed is None else f" for seed {event.for_seed}"
        title = event.title or title_of(event.cell)
        self.say(f"{title}{at}: chosen among {words.plural(event.trials, 'trial')}: {chosen}", "bold")

    def _table(self) -> RenderableType:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        if self.plan is None or (self.total == 0 and not self.running):
            return Text("")
        under_way = Table(box=None, padding=(0, 2, 0, 0))
        for head in ("trial", "epoch", "rate", f"validation {self._title()}", "left"):
            under_way.add_column(Text(head, style="dim"), no_wrap=True)
        for status in list(self.running.values()):
            under_way.add_row(*map(Text, self._row(status)))
        return Group(under_way, self._cells(), Text(self._progress(), style="cyan"))

    def _row(self, status: TrialStatus) -> tuple[str, ...]:
        if status.phase == "begun":
            return (status.name, "", "", "", "")
        part = status.step / max(1, status.steps)
        phase = "" if status.phase == "training" else f" ({status.phase})"
        return (
            status.name + phase,
            f"{status.epoch}/{status.epochs} {100 * part:3.0f} %",
            "" if status.rate is None else f"{status.rate:,.0f} {status.unit}/s",
            "" if status.figure is None else self._figure(status.figure),
            "" if status.seconds_left is None else clock(status.seconds_left),
        )

    def _cells(self) -> Table:
        from rich.table import Table
        from rich.text import Text

        table = Table(box=None, padding=(0, 2, 0, 0))
        for head in ("cell", "done", "best so far on validation"):
            table.add_column(Text(head, style="dim"), no_wrap=True)
        for cell in self.plan.cells if self.plan is not None else ():
            best = self.best.get(cell)
            shown = "–" if best is None else self._figure(best)
            table.add_row(Text(title_of(cell)), Text(str(self.finished.get(cell, 0))), Text(shown))
        return table

    def _progress(self) -> str:
        left = self._seconds_left()
        ending = "" if left is None else f", about {clock(left)} left"
        return f"{self.done} of {self.total or '?'} done after {clock(time.monotonic() - self.begun)}{ending}"

    def _seconds_left(self) -> float | None:
        """The remaining time of running trials, and the mean training time for each one to come."""
        running = sum(status.seconds_left or 0.0 for status in self.running.values())
        if not self.seconds:
            spent = time.monotonic() - self.begun
            return None if self.estimate is None else max(running / self.jobs, self.estimate - spent)
        to_come = max(0, self.total - self.done - len(self.running))
        return (running + to_come * sum(self.seconds) / len(self.seconds)) / self.jobs

    def _title(self) -> str:
        return "" if self.metric is None else self.metric.title

    def _figure(self, value: float) -> str:
        return str(value) if self.metric is None else words.Scale.of(self.metric.to_dict(), value).value(value)


def _took(event: TrialDone) -> str:
    """The time of a trial, under another name than the table's training time, to which preparing belongs."""
    if event.training_seconds is None:
        return ""
    time = words.duration(event.training_seconds)
    return f", fitted in {time}" if event.trial.phase == "baseline" else f", {time} of training and validation"


def plan_lines(plan: Plan, ready: PlanReady) -> list[str]:
    """The frozen plan as text: cells, search, seeds, and how long it takes."""
    cells = ", ".join(title_of(cell) for cell in plan.cells)
    lines = [f"Plan: {cells}; {words.plural(len(plan.seeds), 'seed')}{' each' if len(plan.cells) > 1 else ''}"]
    if plan.axis is not None:
        lines.append(f"  at {plan.axis.name} {', '.join(map(str, plan.axis.values))}")
    if plan.search is not None:
        space = "; ".join(
            f"{name} {', '.join(map(_value, values)) if isinstance(values, tuple) else values}"
            for name, values in plan.search.space.items()
        )
        tried = words.plural(plan.search.trials, "trial")
        each = "cell and seed" if plan.search.repeat else "cell"
        lines.append(
            f"  settings chosen on the validation part, {plan.search.method} search, {tried} per {each}: {space}"
        )
        lines += [_baseline_line(baseline) for baseline in ready.baselines]
    if plan.match == "parameters":
        widths = ", ".join(f"{title_of(cell)} {width}" for cell, width in ready.widths.items())
        lines.append(f"  the same number of parameters, by hidden size: {widths}")
    elif plan.match == "time":
        lines.append("  the same training time, by number of steps")
    if ready.epochs is not None:
        epochs = words.plural(ready.epochs, "epoch") + (" each" if ready.trainings > 1 else "")
        lines.append(f"  {epochs} at most, derived from the size of the training part; --epochs overrules")
    took = "nothing left to train"
    if ready.seconds == 0:
        took = "how long cannot be estimated"
    elif ready.seconds is not None:
        included = ", the baselines' trials included," if any(each.trials for each in ready.baselines) else ""
        took = f"about {words.duration(ready.seconds)} of training and validation{included} if none stops early"
    threads, each = words.plural(ready.threads, "thread"), " each" if ready.trainings > 1 else ""
    trainings = words.plural(ready.trainings, "training")
    lines.append(f"  {trainings} {ready.where}, {threads}{each}: {took}")
    further = []
    if ready.measuring:
        alone = f"about {words.duration(ready.measuring)} to measure what each cell costs"
        further.append(f"{alone} (--no-cost omits that)")
    if ready.finishing:
        further.append(f"about {words.duration(ready.finishing)} for the test part and the report")
    if further:
        fitting = "" if ready.baselines or ready.seconds is None else "; fitting the baselines is not estimated"
        lines.append(f"  on top of that: {' and '.join(further)}{fitting}")
    return lines


def _baseline_line(baseline: BaselineTrials) -> str:
    """How a baseline's settings are chosen."""
    if not baseline.trials:
        return f"  {baseline.title}: no settings to choose"
    space = "; ".join(f"{name} {', '.join(map(_value, values))}" for name, values in baseline.space.items())
    return f"  {baseline.title}: {words.plural(baseline.trials, 'trial')}, its defaults among them: {space}"


def _place(status: TrialStatus) -> str:
    return f"{status.name}, epoch {status.epoch}/{status.epochs}, step {status.step}/{status.steps}"


def _speed(status: TrialStatus) -> str:
    rate = "" if status.rate is None else f", {status.rate:,.0f} {status.unit}/s"
    left = "" if status.seconds_left is None else f", {clock(status.seconds_left)} left"
    return f"loss {status.loss:.3f}{rate}{left}"


def _value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
