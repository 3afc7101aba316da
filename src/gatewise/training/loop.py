"""The training loop: epochs, validation, early stopping, checkpoints, interruption."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from gatewise.errors import OptionError, RunError
from gatewise.training.amount import derived_epochs, resolved, total_steps
from gatewise.training.checkpoints import load_checkpoint, save_checkpoint
from gatewise.training.context import RunContext
from gatewise.training.environment import describe_environment
from gatewise.training.events import EpochDone, EpochRecord, Listener, RunFinished, RunResult, RunStarted, StepDone
from gatewise.training.interruption import Interrupted, StopSignal
from gatewise.training.keeping import is_kept, reason_to_stop
from gatewise.training.kind import Dataset
from gatewise.training.launched import joined
from gatewise.training.locking import hold_training
from gatewise.training.machine import more_threads, prepared_machine, threads_of
from gatewise.training.memory import build, memory_errors
from gatewise.training.optimisation import Optimisation, divergence, learning_rate, seed_step
from gatewise.training.part import Part
from gatewise.training.phase import Phase, Rates, phase_key
from gatewise.training.problem import Problem, StepLoss
from gatewise.training.processes import leading
from gatewise.training.progress import NOTHING_SPENT, Progress, Spent
from gatewise.training.registry import kind_of
from gatewise.training.rounding import probed_kernel, rounded
from gatewise.training.run_folder import RunFolder
from gatewise.training.run_spec import RunSpec

if TYPE_CHECKING:
    from gatewise.training.team import Team
    from gatewise.training.weights import Weights

__all__ = ["follow", "train_run"]

CHECKPOINT_SECONDS = 30.0


def train_run(
    spec: RunSpec,
    dataset: Dataset,
    out: str | Path,
    *,
    on_event: Listener | None = None,
    pretrained: str | Path | None = None,
) -> RunResult:
    """Train one network and leave a run folder.

    Earlier phases of a run (`gatewise.training.phase.Phase`) are trained first, in run folders of their own.

    A folder that holds this run unfinished is resumed from its last checkpoint and ends in the same bits as a run that
    was never stopped; a finished one is returned at once.

    Where ``spec.training.processes`` is N > 1, N - 1 further processes are started, or those of torchrun are joined,
    and each takes a part of every batch; of torchrun's, only the first one writes files and emits events.

    Args:
        spec: the run.
        dataset: its data, as the kind of problem loads it.
        out: the run folder; made if missing.
        on_event: called with every event, in the training thread; those of an earlier phase say so in ``phase``.
        pretrained: a folder in which runs share earlier phases by all that these depend on; None: ``out``/its name.

    Returns:
        The finished run; its weights are those with the best figure on the validation part (then the lowest loss), or
        those of the last epoch within a standard error of it (see `Problem.validation_error`).

    Raises:
        RunError: the folder holds another run, is damaged, or another process trains in it.
        OptionError: the network is too large for this machine's memory, or too few cores for its processes.
        TrainingError: a process ended.
        StorageError: the folder cannot be written, or the disk is full.
        DivergenceError: loss or gradient became NaN or infinite; weights that diverged are never saved as best.
        Interrupted: Ctrl-C; the state is saved.

    Example:
        >>> import tempfile
        >>> from gatewise.kinds.classification import DataSpec, ModelSpec
        >>> from gatewise.kinds.classification.loading import load_text
        >>> from gatewise.training import TrainingSpec
        >>> path = Path(tempfile.mkdtemp()) / "moods.csv"
        >>> rows = [f"{word} {n},{mood}" for n in range(10) for word, mood in (("fine", "glad"), ("poor", "sad"))]
        >>> _ = path.write_text("text,label\\n" + "\\n".join(rows) + "\\n")
        >>> spec = RunSpec(
        ...     data=DataSpec(str(path)),
        ...     model=ModelSpec(cell="gru", hidden_size=4, embedding_size=4),
        ...     training=TrainingSpec(epochs=2, threads=1),
        ... )
        >>> train_run(spec, load_text(path), path.parent / "run").stopped
        'epochs'
    """
    with joined(spec, dataset.fingerprint) as team:
        if team is not None and not team.leads:
            return follow(spec, dataset, out, team)
        return _lead(spec, dataset, RunFolder(out), on_event or (lambda event: None), pretrained, team)


def _lead(
    spec: RunSpec, dataset: Dataset, folder: RunFolder, emit: Listener, pretrained: str | Path | None, team: Team | None
) -> RunResult:
    """Train as the only or the first process, unless the folder holds the finished run."""
    folder.claim(spec, dataset.fingerprint, partial(kind_of(spec.task).settled, dataset=dataset))
    finished = folder.result()
    if finished is None:
        try:
            with hold_training(folder.path):
                # another process may have finished it meanwhile
                finished = folder.result()
                if finished is None:
                    threads = threads_of(spec.training, team)
                    train = partial(_train, spec, dataset, folder.path, threads, emit, pretrained)
                    return leading(spec, dataset, threads, team, train)
        except OptionError:
            with contextlib.suppress(OSError):  # only an empty folder goes
                folder.path.rmdir()
            raise
    if team is not None:
        team.share(finished.to_dict())
    return finished


def follow(spec: RunSpec, dataset: Dataset, out: str | Path, team: Team) -> RunResult:
    """Train as a further process of several: compute what the first one asks for, and write nothing.

    Args:
        spec: the run.
        dataset: its data.
        out: the run folder of the first process.
        team: all processes.

    Returns:
        The run as the first process finished it.
    """
    finished = team.share()
    if finished is None:
        threads = threads_of(spec.training, team)
        _train(spec, dataset, Path(out), threads, lambda event: None, None, team)
        finished = team.share()
    return RunResult.from_dict(finished, Path(out), spec)


def _train(
    spec: RunSpec,
    dataset: Dataset,
    out: Path,
    threads: int,
    emit: Listener,
    pretrained: str | Path | None,
    team: Team | None,
) -> RunResult | None:
    """Train the phases that are not finished; the result is known to the first process."""
    with prepared_machine(spec.training.device, threads), StopSignal() as stop:
        context = RunContext(dataset, out, threads, emit, stop, team)
        *earlier, last = kind_of(spec.task).phases(spec, dataset)
        start: RunFolder | None = None
        spent = NOTHING_SPENT
        for phase in earlier:
            start = _earlier(phase, start, context, pretrained)
            if context.leads:
                spent = spent.after(_finished(start))
        return _begin(last, start, RunFolder(out), context, earlier=spent).run()


def _earlier(phase: Phase, start: RunFolder | None, context: RunContext, shared: str | Path | None) -> RunFolder:
    """Train an earlier phase in a run folder of its own, or return the finished one."""
    place = context.out / phase.name
    if shared is not None:
        place = Path(shared) / phase_key(phase, context.dataset, context.threads)
    folder = RunFolder(place)
    done = False
    if context.leads:
        folder.claim(phase.spec, context.dataset.fingerprint)
        done = folder.result() is not None
    if not context.shared(done):
        _begin(phase, start, folder, context).run()
    elif context.leads:
        folder.verify()
    return folder


def _begin(
    phase: Phase, start: RunFolder | None, folder: RunFolder, context: RunContext, *, earlier: Spent = NOTHING_SPENT
) -> _Run:
    """Draw a phase's network and give it the weights that it starts from."""
    began = time.perf_counter()
    seed_step(phase.spec.training.seed, 0, 0)
    problem = build(phase.spec, phase.problem, 1 if context.team is None else context.team.local)
    if phase.start is not None and start is not None and context.leads:
        phase.start(start.weights(), problem.model, start.path)
    weights = None
    if context.team is not None:
        problem.part = Part(context.team.rank, context.team.processes)
        weights = context.team.same_weights(problem.model)
    rates = None if phase.rates is None else phase.rates(dict(problem.model.named_parameters()))
    earlier = replace(earlier, preparation=earlier.preparation + time.perf_counter() - began)
    return _Run(phase, problem, folder, context, rates=rates, earlier=earlier, weights=weights)


def _finished(folder: RunFolder) -> RunResult:
    result = folder.result()
    if result is None:
        raise RunError(f"{folder.path} is not finished", fix="delete the folder and train again")
    return result


class _Run:
    """The training of one phase."""

    def __init__(
        self,
        phase: Phase,
        problem: Problem,
        folder: RunFolder,
        context: RunContext,
        *,
        rates: Rates | None = None,
        earlier: Spent = NOTHING_SPENT,
        weights: Weights | None = None,
    ) -> None:
        self.phase, self.spec = phase, phase.spec
        self.training = resolved(phase.spec.training, kind_of(phase.spec.task).amount, problem.steps_per_epoch)
        self.epochs = self.training.epochs or 1
        self.problem, self.folder, self.context = problem, folder, context
        self.emit, self.stop, self.team = context.emit, context.stop, context.team
        self.earlier = earlier
        self.steps = problem.steps_per_epoch
        self.all_steps = total_steps(self.training, self.steps)
        self.optimisation = Optimisation(problem.model, self.training, self.all_steps, rates, weights)
        self.progress = Progress()
        self.saved_at = time.monotonic()

    def run(self) -> RunResult | None:
        """Train to the end, and finish the folder; None in a further process."""
        with memory_errors(lambda: f"epoch {self.progress.epoch}, step {self.progress.step + 1}"):
            return self._run()

    def _run(self) -> RunResult | None:
        resumed = self._resume()
        kernel = probed_kernel(self.problem, self.training)
        if resumed is None and self.context.leads:
            environment = describe_environment(
                self.spec, self.context.dataset, threads=self.context.threads, kernel=kernel
            )
            self.folder.begin(self.spec, environment, self.problem.files())
        parameters = sum(value.numel() for value in self.problem.model.parameters())
        self.emit(
            RunStarted(
                parameters,
                self.steps,
                self.epochs,
                kernel,
                resumed,
                self.problem.unit,
                self.phase.name,
                self.phase.title,
                self.problem.notes,
            )
        )
        stopped = self._reason()
        while stopped is None:
            self._train_epoch()
            self._close_epoch()
            stopped = self._reason()
        if not self.context.leads:
            return None
        progress = self.progress
        result = RunResult(
            folder=self.folder.path,
            spec=self.spec,
            epochs=tuple(progress.records),
            best_epoch=progress.best_epoch,
            parameters=parameters,
            seconds=self.earlier.steps + sum(record.seconds for record in progress.records),
            pretraining_seconds=self.earlier.steps,
            preparation_seconds=self.earlier.preparation,
            validation_seconds=self.earlier.validation + sum(record.validation_seconds for record in progress.records),
            kernel=kernel,
            stopped=stopped,
            derived_epochs=derived_epochs(kind_of(self.spec.task).amount, self.steps),
        )
        self.folder.add(self.problem.closing_files(self.folder.weights))
        self.folder.finish(result)
        if self.context.out == self.folder.path:
            self.emit(RunFinished(result))
        return result

    def _resume(self) -> int | None:
        """Load the checkpoint, if there is one; returns the epoch to resume."""
        progress = load_checkpoint(self.folder, self.context, self.problem, self.optimisation)
        if progress is None:
            return None
        self.progress = progress
        return progress.epoch

    def _train_epoch(self) -> None:
        progress, training = self.progress, self.training
        self.problem.begin_epoch(progress.epoch, progress.step)
        self.problem.model.train()
        seen, began, earlier, begun_at = 0, time.perf_counter(), progress.seconds, progress.step
        last = min(self.steps, self.all_steps - (progress.epoch - 1) * self.steps)
        while progress.step < last:
            place = f"epoch {progress.epoch}, step {progress.step + 1} of {last}"
            seed_step(training.seed, progress.epoch, progress.step + 1, self.problem.part.rank)
            with rounded(training):
                outcome = self.problem.loss(progress.step)
            if self.team is not None:
                outcome = self._of_all(outcome, self.team)
            loss = self.optimisation.step(outcome, place)
            progress.add(loss, outcome.examples, {name: float(value) for name, value in outcome.sums.items()})
            seen += outcome.examples
            spent = time.perf_counter() - began
            progress.seconds = earlier + spent
            self._emit_step(loss, seen / spent, spent / (progress.step - begun_at))
            self._save_if_due()

    def _emit_step(self, loss: float, rate: float, seconds_per_step: float) -> None:
        progress = self.progress
        steps_left = self.all_steps - (progress.epoch - 1) * self.steps - progress.step
        self.emit(StepDone(progress.epoch, progress.step, self.steps, loss, rate, steps_left * seconds_per_step))

    def _of_all(self, outcome: StepLoss, team: Team) -> StepLoss:
        """The loss of the whole batch, whose gradient the weights then have."""
        part = self.problem.part
        if not part.used:
            raise OptionError(
                f"problems of {self.spec.task} do not divide their batches among processes",
                fix="--processes 1, or let its Problem.loss use the rows that self.part.rows(rows) returns",
            )
        return team.differentiated(outcome, self.problem.model, part, stop=self.stop.asked, save=self._save_is_due())

    def _save_is_due(self) -> bool:
        return time.monotonic() - self.saved_at >= CHECKPOINT_SECONDS

    def _save_if_due(self) -> None:
        team = self.team
        # of several processes the first one has decided before the step
        stop, save = (self.stop.asked, self._save_is_due()) if team is None else (team.stop, team.save)
        if stop:
            self._save()
            raise Interrupted(self.context.out, self.progress.epoch, self.progress.step)
        if save:
            self._save()

    def _close_epoch(self) -> None:
        """Validate, keep the weights if none so far is clearly better, write the epoch's line, checkpoint."""
        progress = self.progress
        weights = self.optimisation.weights_to_keep()
        record = EpochRecord(**self.context.shared(self._record(weights).to_dict() if self.context.leads else None))
        progress.records.append(record)
        if is_kept(self.problem, progress.records):
            progress.best_epoch = progress.epoch
            if self.context.leads:
                self.folder.save_weights(weights)
        if self.context.leads:
            self.folder.append_metrics(record)
        self.optimisation.observe([each.validation["loss"] for each in progress.records])
        progress.begin_epoch()
        self._save()
        self.emit(EpochDone(record))
        if self.context.shared(self.stop.asked) and self._reason() is None:
            raise Interrupted(self.context.out, progress.epoch, 0)

    def _record(self, weights: Mapping[str, Tensor]) -> EpochRecord:
        """Measure the validation part; the other processes of this machine wait, so their cores are used."""
        progress = self.progress
        began = time.perf_counter()
        with more_threads(self.context.local_threads):
            validation = self.problem.validate(weights)
        validating = time.perf_counter() - began
        if not all(math.isfinite(value) for value in validation.values()):
            raise divergence("validation loss", validation["loss"], f"epoch {progress.epoch}")
        return EpochRecord(
            epoch=progress.epoch,
            training=progress.training(),
            validation=validation,
            seconds=progress.seconds,
            examples_per_second=progress.examples / max(progress.seconds, 1e-9),
            learning_rate=learning_rate(self.training, self.optimisation.done - 1, self.optimisation.steps),
            phase=self.phase.name,
            validation_seconds=validating,
            steps=progress.step,
        )

    def _reason(self) -> str | None:
        return reason_to_stop(self.problem, self.progress.records, self.epochs, self.training.patience)

    def _save(self) -> None:
        save_checkpoint(self.folder, self.context, self.problem, self.optimisation, self.progress)
        self.saved_at = time.monotonic()
