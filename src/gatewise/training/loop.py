"""The training loop: epochs, validation, early stopping, checkpoints, interruption."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from gatewise.errors import OptionError, RunError
from gatewise.training.amount import derived_epochs, resolved, total_steps
from gatewise.training.environment import describe_environment, usable_cores
from gatewise.training.events import (
    EpochDone,
    EpochRecord,
    Listener,
    RunFinished,
    RunResult,
    RunStarted,
    StepDone,
)
from gatewise.training.interruption import Interrupted, StopSignal
from gatewise.training.kind import Dataset
from gatewise.training.locking import hold_training
from gatewise.training.memory import build, memory_errors
from gatewise.training.optimisation import Optimisation, divergence, learning_rate, seed_step
from gatewise.training.own_modules import cell_code
from gatewise.training.phase import Phase, Rates, phase_key
from gatewise.training.problem import Problem
from gatewise.training.progress import NOTHING_SPENT, Progress, Spent
from gatewise.training.registry import kind_of
from gatewise.training.run_folder import RunFolder
from gatewise.training.run_spec import RunSpec

__all__ = ["train_run"]

CHECKPOINT_SECONDS = 30.0
_CARRIED = "carried."


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

    Args:
        spec: the run.
        dataset: its data, as the kind of problem loads it.
        out: the run folder; made if missing.
        on_event: called with every event, in the training thread; those of an earlier phase say so in ``phase``.
        pretrained: a folder in which several runs share their earlier phases, each found by all that it depends on;
            None: a run keeps its own, in a folder named after the phase inside ``out``.

    Returns:
        The finished run; its weights are those with the best figure on the validation part (then the lowest loss), or
        those of the last epoch within a standard error of it (see `Problem.validation_error`).

    Raises:
        RunError: the folder holds another run, is damaged, or another process trains in it.
        OptionError: the network is too large for this machine's memory.
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
    folder = RunFolder(out)
    folder.claim(spec, dataset.fingerprint)
    if (finished := folder.result()) is not None:
        return finished
    threads = spec.training.threads or usable_cores()
    try:
        with hold_training(folder.path):
            # another process may have finished it meanwhile
            return folder.result() or _train(spec, dataset, folder, threads, on_event, pretrained)
    except OptionError:
        with contextlib.suppress(OSError):  # only an empty folder goes
            folder.path.rmdir()
        raise


def _train(
    spec: RunSpec,
    dataset: Dataset,
    folder: RunFolder,
    threads: int,
    on_event: Listener | None,
    pretrained: str | Path | None,
) -> RunResult:
    """Train the phases that are not finished."""
    with _machine(spec.training.device, threads), StopSignal() as stop:
        context = _Context(dataset, folder.path, threads, on_event or (lambda event: None), stop)
        *earlier, last = kind_of(spec.task).phases(spec, dataset)
        start: RunFolder | None = None
        spent = NOTHING_SPENT
        for phase in earlier:
            start = _earlier(phase, start, context, pretrained)
            spent = spent.after(_finished(start))
        return _begin(last, start, folder, context, earlier=spent).run()


@dataclass(frozen=True)
class _Context:
    """What all phases of a run share."""

    dataset: Any
    out: Path
    threads: int
    emit: Listener
    stop: StopSignal


def _earlier(phase: Phase, start: RunFolder | None, context: _Context, shared: str | Path | None) -> RunFolder:
    """Train an earlier phase in a run folder of its own, or return the finished one."""
    place = context.out / phase.name
    if shared is not None:
        place = Path(shared) / phase_key(phase, context.dataset, context.threads)
    folder = RunFolder(place)
    folder.claim(phase.spec, context.dataset.fingerprint)
    if folder.result() is None:
        _begin(phase, start, folder, context).run()
    else:
        folder.verify()
    return folder


def _begin(
    phase: Phase, start: RunFolder | None, folder: RunFolder, context: _Context, *, earlier: Spent = NOTHING_SPENT
) -> _Run:
    """Draw a phase's network and give it the weights that it starts from."""
    began = time.perf_counter()
    seed_step(phase.spec.training.seed, 0, 0)
    problem = build(phase.spec, phase.problem)
    if phase.start is not None and start is not None:
        phase.start(start.weights(), problem.model, start.path)
    rates = None if phase.rates is None else phase.rates(dict(problem.model.named_parameters()))
    earlier = replace(earlier, preparation=earlier.preparation + time.perf_counter() - began)
    return _Run(phase, problem, folder, context, rates=rates, earlier=earlier)


def _finished(folder: RunFolder) -> RunResult:
    result = folder.result()
    if result is None:
        raise RunError(f"{folder.path} is not finished", fix="delete the folder and train again")
    return result


@contextmanager
def _machine(device: str, threads: int) -> Iterator[None]:
    """Set the threads and keep torch's random state and thread count as the caller had them."""
    if not device.startswith("cpu") and not getattr(torch, device.split(":")[0]).is_available():
        raise OptionError(f"the device {device!r} is not available here", fix="omit --device to use the CPU")
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.set_num_threads(before)


class _Run:
    """The training of one phase."""

    def __init__(
        self,
        phase: Phase,
        problem: Problem,
        folder: RunFolder,
        context: _Context,
        *,
        rates: Rates | None = None,
        earlier: Spent = NOTHING_SPENT,
    ) -> None:
        self.phase, self.spec = phase, phase.spec
        self.training = resolved(phase.spec.training, kind_of(phase.spec.task).amount, problem.steps_per_epoch)
        self.epochs = self.training.epochs or 1
        self.problem, self.folder, self.context = problem, folder, context
        self.emit, self.stop = context.emit, context.stop
        self.earlier = earlier
        self.steps = problem.steps_per_epoch
        self.all_steps = total_steps(self.training, self.steps)
        self.optimisation = Optimisation(problem.model, self.training, self.all_steps, rates)
        self.progress = Progress()
        self.saved_at = time.monotonic()

    def run(self) -> RunResult:
        """Train to the end, and finish the folder."""
        with memory_errors(lambda: f"epoch {self.progress.epoch}, step {self.progress.step + 1}"):
            return self._run()

    def _run(self) -> RunResult:
        resumed = self._resume()
        kernel = self._kernel()
        if resumed is None:
            environment = describe_environment(
                self.context.dataset, threads=self.context.threads, device=self.training.device, kernel=kernel
            ) | {"cell_code": cell_code(getattr(self.spec.model, "cell", None))}
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
        stopped = self._stopped()
        while stopped is None:
            self._train_epoch()
            self._close_epoch()
            stopped = self._stopped()
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
        self.folder.finish(result)
        if self.context.out == self.folder.path:
            self.emit(RunFinished(result))
        return result

    def _resume(self) -> int | None:
        """Load the checkpoint, if there is one; returns the epoch to resume."""
        saved = self.folder.checkpoint()
        if saved is None:
            return None
        tensors, state = saved
        try:
            progress = Progress.from_dict(state)
            carried = {name: value for name, value in tensors.items() if name.startswith(_CARRIED)}
            self.problem.load_carried({name.removeprefix(_CARRIED): value for name, value in carried.items()})
            self.optimisation.load_state(tensors, (progress.epoch - 1) * self.steps + progress.step)
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise RunError(
                f"the checkpoint in {self.folder.path} does not fit its spec ({error})",
                fix="delete the folder and train again",
            ) from error
        self.progress = progress
        self.folder.rewrite_metrics(progress.records)
        return progress.epoch

    def _kernel(self) -> dict[str, str]:
        """Which kernel computes a training step, as the layers report it."""
        self.problem.model.train()
        self.problem.probe()
        return self.problem.kernel

    def _train_epoch(self) -> None:
        progress, training = self.progress, self.training
        self.problem.begin_epoch(progress.epoch, progress.step)
        self.problem.model.train()
        seen, began, earlier, begun_at = 0, time.perf_counter(), progress.seconds, progress.step
        last = min(self.steps, self.all_steps - (progress.epoch - 1) * self.steps)
        while progress.step < last:
            place = f"epoch {progress.epoch}, step {progress.step + 1} of {last}"
            seed_step(training.seed, progress.epoch, progress.step + 1)
            outcome = self.problem.loss(progress.step)
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

    def _save_if_due(self) -> None:
        if self.stop.asked:
            self._save()
            raise Interrupted(self.context.out, self.progress.epoch, self.progress.step)
        if time.monotonic() - self.saved_at >= CHECKPOINT_SECONDS:
            self._save()

    def _close_epoch(self) -> None:
        """Validate, keep the weights if none so far is clearly better, write the epoch's line, checkpoint."""
        progress = self.progress
        weights = self.optimisation.weights_to_keep()
        began = time.perf_counter()
        validation = self.problem.validate(weights)
        validating = time.perf_counter() - began
        if not all(math.isfinite(value) for value in validation.values()):
            raise divergence("validation loss", validation["loss"], f"epoch {progress.epoch}")
        record = EpochRecord(
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
        progress.records.append(record)
        if self._to_keep(record):
            progress.best_epoch = progress.epoch
            self.folder.save_weights(weights)
        self.folder.append_metrics(record)
        self.optimisation.observe([each.validation["loss"] for each in progress.records])
        progress.begin_epoch()
        self._save()
        self.emit(EpochDone(record))
        if self.stop.asked and self._stopped() is None:
            raise Interrupted(self.context.out, progress.epoch, 0)

    def _to_keep(self, record: EpochRecord) -> bool:
        """Whether an epoch is the best so far, or not worse by more than the standard error of the best one."""
        best = self._best()
        name = self.problem.metric.name
        error = self.problem.validation_error(best.validation[name])
        return record is best or (error > 0 and abs(best.validation[name] - record.validation[name]) <= error)

    def _best(self) -> EpochRecord:
        """The first epoch with the best figure, of equal ones that with the least loss."""
        return max(self.progress.records, key=self._rank)

    def _rank(self, record: EpochRecord) -> tuple[float, float]:
        metric = self.problem.metric
        figure = record.validation[metric.name]
        return (figure if metric.higher_is_better else -figure), -record.validation["loss"]

    def _stopped(self) -> str | None:
        """Why the run ended, or None."""
        done = len(self.progress.records)
        if done >= self.epochs:
            return "epochs"
        if done and done - self._best().epoch >= (self.training.patience or done + 1):
            return "patience"
        return None

    def _save(self) -> None:
        carried = {_CARRIED + name: value.cpu().contiguous() for name, value in self.problem.carried().items()}
        self.folder.save_checkpoint({**self.optimisation.state(), **carried}, self.progress.to_dict())
        self.saved_at = time.monotonic()
