"""The training loop: epochs, validation, early stopping, checkpoints, interruption."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatewise.data import TextDataset, shuffled_batches
from gatewise.errors import OptionError, RunError
from gatewise.tasks.classification import SequenceClassifier
from gatewise.tasks.metrics import classification_metrics
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
from gatewise.training.optimisation import Optimisation, learning_rate, seed_step
from gatewise.training.prediction import build_model, predict_probabilities
from gatewise.training.preparation import PreparedTexts, prepare_texts
from gatewise.training.run_folder import RunFolder
from gatewise.training.spec import RunSpec

__all__ = ["train_run"]

CHECKPOINT_SECONDS = 30.0


def train_run(spec: RunSpec, dataset: TextDataset, out: str | Path, *, on_event: Listener | None = None) -> RunResult:
    """Train one network and leave a run folder.

    A folder that holds this run unfinished is taken up where its last checkpoint stands, and ends in the same bits as
    a run that was never stopped; a finished one is returned at once.

    Args:
        spec: the run.
        dataset: its data, see `gatewise.data.load_text`.
        out: the run folder; made if missing.
        on_event: called with every event, in the training thread.

    Returns:
        The finished run; its best weights are those with the highest validation accuracy (then the lowest loss).

    Raises:
        RunError: the folder holds another run, or is damaged.
        StorageError: the folder cannot be written, or the disk is full.
        DivergenceError: loss or gradient became NaN or infinite; nothing of it is saved as best.
        Interrupted: Ctrl-C; the state is saved.

    Example:
        >>> import tempfile
        >>> from gatewise.data import load_text
        >>> from gatewise.training import DataSpec, ModelSpec, TrainingSpec
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
    finished = folder.result()
    if finished is not None:
        return finished
    threads = spec.training.threads or usable_cores()
    with _machine(spec.training.device, threads), StopSignal() as stop:
        run = _Run(spec, dataset, folder, threads, on_event or (lambda event: None), stop)
        return run.go()


@contextmanager
def _machine(device: str, threads: int) -> Iterator[None]:
    """Set the threads and keep torch's random state and thread count as the caller had them."""
    if not device.startswith("cpu") and not getattr(torch, device.split(":")[0]).is_available():
        raise OptionError(f"the device {device!r} is not available here", fix="leave --device away to use the CPU")
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.set_num_threads(before)


@dataclass
class _Progress:
    """Where the run stands: all that a checkpoint keeps besides the tensors."""

    epoch: int = 1
    step: int = 0
    loss_sum: float = 0.0
    right: int = 0
    seconds: float = 0.0
    best_epoch: int = 0
    records: list[EpochRecord] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        return {**self.__dict__, "records": [record.to_dict() for record in self.records]}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> _Progress:
        return cls(**{**record, "records": [EpochRecord(**entry) for entry in record["records"]]})

    def begin_epoch(self) -> None:
        self.epoch, self.step, self.loss_sum, self.right, self.seconds = self.epoch + 1, 0, 0.0, 0, 0.0


class _Run:
    """One run under way."""

    def __init__(
        self, spec: RunSpec, dataset: TextDataset, folder: RunFolder, threads: int, emit: Listener, stop: StopSignal
    ) -> None:
        self.spec, self.training, self.folder, self.emit, self.stop = spec, spec.training, folder, emit, stop
        self.dataset = dataset
        self.threads = threads
        self.texts: PreparedTexts = prepare_texts(dataset, spec.model.vocabulary_size, spec.model.max_tokens)
        seed_step(self.training.seed, 0, 0)
        self.model: SequenceClassifier = build_model(
            spec.model, len(self.texts.vocabulary), len(dataset.label_names)
        ).to(self.training.device)
        self.train_labels = torch.from_numpy(self.texts.train_labels)
        self.steps = -(-len(self.texts.train) // self.training.batch_size)
        self.optimisation = Optimisation(self.model, self.training, self.steps * self.training.epochs)
        self.progress = _Progress()
        self.saved_at = time.monotonic()

    def go(self) -> RunResult:
        resumed = self._take_up()
        kernel = self._kernel()
        if resumed is None:
            environment = describe_environment(
                self.dataset, threads=self.threads, device=self.training.device, kernel=kernel
            )
            self.folder.begin(self.spec, environment, self.texts.vocabulary, self.dataset.label_names)
        parameters = sum(value.numel() for value in self.model.parameters())
        self.emit(RunStarted(parameters, self.steps, self.training.epochs, kernel, resumed))
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
            seconds=sum(record.seconds for record in progress.records),
            kernel=kernel,
            stopped=stopped,
        )
        self.folder.finish(result)
        self.emit(RunFinished(result))
        return result

    def _take_up(self) -> int | None:
        """Load the checkpoint, if there is one; the epoch to go on with."""
        saved = self.folder.checkpoint()
        if saved is None:
            return None
        tensors, state = saved
        try:
            progress = _Progress.from_dict(state)
            self.optimisation.load_state(tensors, (progress.epoch - 1) * self.steps + progress.step)
        except (KeyError, TypeError, RuntimeError) as error:
            raise RunError(
                f"the checkpoint in {self.folder.path} does not fit its spec ({error})",
                fix="delete the folder and train again",
            ) from error
        self.progress = progress
        self.folder.rewrite_metrics(progress.records)
        return progress.epoch

    def _kernel(self) -> dict[str, str]:
        """Which kernel computes a training step, asked of the layers themselves."""
        batch = self.texts.train.batch(np.arange(min(self.training.batch_size, len(self.texts.train))))
        self.model.train()
        self.model(self._on_device(batch.tokens), torch.from_numpy(batch.lengths))
        return self.model.kernel

    def _train_epoch(self) -> None:
        progress, training = self.progress, self.training
        order = shuffled_batches(self.texts.train, training.batch_size, training.seed, progress.epoch)
        texts_seen, began = 0, time.perf_counter()
        earlier = progress.seconds
        while progress.step < self.steps:
            batch = self.texts.train.batch(order[progress.step])
            place = f"epoch {progress.epoch}, step {progress.step + 1} of {self.steps}"
            seed_step(training.seed, progress.epoch, progress.step + 1)
            labels = self.train_labels[torch.from_numpy(batch.rows)].to(training.device)
            outcome = self.optimisation.step(
                self._on_device(batch.tokens), torch.from_numpy(batch.lengths), labels, place
            )
            progress.step += 1
            progress.loss_sum += outcome.loss * outcome.texts
            progress.right += outcome.right
            texts_seen += outcome.texts
            spent = time.perf_counter() - began
            progress.seconds = earlier + spent
            self._tell_step(outcome.loss, texts_seen / spent)
            self._save_if_due()

    def _tell_step(self, loss: float, rate: float) -> None:
        progress = self.progress
        steps_left = (self.training.epochs - progress.epoch + 1) * self.steps - progress.step
        left = steps_left * self.training.batch_size / rate
        self.emit(StepDone(progress.epoch, progress.step, self.steps, loss, rate, left))

    def _save_if_due(self) -> None:
        if self.stop.asked:
            self._save()
            raise Interrupted(self.folder.path, self.progress.epoch, self.progress.step)
        if time.monotonic() - self.saved_at >= CHECKPOINT_SECONDS:
            self._save()

    def _close_epoch(self) -> None:
        """Validate, keep the weights if they are the best so far, write the epoch's line, checkpoint."""
        progress = self.progress
        weights = self.optimisation.weights_to_keep()
        probabilities = predict_probabilities(self.model, self.texts.validation, weights, self.training.device)
        names = self.dataset.label_names
        validation = classification_metrics(probabilities, self.texts.validation_labels, names)
        count = len(self.texts.train)
        record = EpochRecord(
            epoch=progress.epoch,
            training_loss=progress.loss_sum / count,
            training_accuracy=progress.right / count,
            validation_loss=validation.loss,
            validation_accuracy=validation.accuracy,
            seconds=progress.seconds,
            examples_per_second=count / max(progress.seconds, 1e-9),
            learning_rate=learning_rate(self.training, self.optimisation.done - 1, self.optimisation.steps),
        )
        progress.records.append(record)
        best = progress.records[progress.best_epoch - 1] if progress.best_epoch else None
        if best is None or _rank(record) > _rank(best):
            progress.best_epoch = progress.epoch
            self.folder.save_weights(weights)
        self.folder.append_metrics(record)
        progress.begin_epoch()
        self._save()
        self.emit(EpochDone(record))
        if self.stop.asked and self._stopped() is None:
            raise Interrupted(self.folder.path, progress.epoch, 0)

    def _stopped(self) -> str | None:
        """Why the run is over, or None."""
        done = len(self.progress.records)
        if done >= self.training.epochs:
            return "epochs"
        if done and done - self.progress.best_epoch >= self.training.patience:
            return "patience"
        return None

    def _save(self) -> None:
        self.folder.save_checkpoint(self.optimisation.state(), self.progress.to_dict())
        self.saved_at = time.monotonic()

    def _on_device(self, tokens: np.ndarray[Any, np.dtype[np.int64]]) -> Tensor:
        return torch.from_numpy(tokens).to(self.training.device)


def _rank(record: EpochRecord) -> tuple[float, float]:
    return record.validation_accuracy, -record.validation_loss
