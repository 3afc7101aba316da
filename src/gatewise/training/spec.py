"""How any run is trained: one frozen, serialisable record. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass

from gatewise.errors import OptionError
from gatewise.training.settings import Spec, setting

__all__ = ["OPTIMIZERS", "PRECISIONS", "SCHEDULES", "TrainingSpec"]

PRECISIONS = ("float32", "bf16")
SCHEDULES = ("constant", "linear", "cosine")
OPTIMIZERS = ("adam", "sgd", "nt-asgd")


@dataclass(frozen=True)
class TrainingSpec(Spec):
    """How the network is trained.

    The optimizers are Adam (Kingma and Ba, 2015), with ``weight_decay`` decoupled from the gradient (Loshchilov and
    Hutter, 2019); plain stochastic gradient descent; and ``nt-asgd``, which keeps the mean of SGD's weights from the
    epoch on whose validation loss is no better than the best one more than five epochs before (Merity et al., 2018).

    Example:
        >>> TrainingSpec(epochs=0)
        Traceback (most recent call last):
        gatewise.errors.OptionError: epochs is out of range; expected: a whole number of at least 1; got: 0; fix: ...
    """

    epochs: int | None = setting(
        None, "Passes over the training part, at most; derived from its size if not given.", minimum=1
    )
    training_steps: int | None = setting(
        None, "Training steps, at most, over all epochs; the last epoch may be cut short.", minimum=1
    )
    batch_size: int = setting(32, "Sequences per training step.", minimum=1)
    optimizer: str = setting("adam", "adam, sgd or nt-asgd.", choices=OPTIMIZERS)
    learning_rate: float = setting(
        2e-3, "The optimizer's learning rate at its height.", minimum=0.0, open_minimum=True, aliases=("lr",)
    )
    warm_up: float = setting(
        0.0, "Fraction of all steps in which the rate climbs to its height.", minimum=0.0, below=1.0
    )
    weight_decay: float = setting(
        0.0, "Pull of the weights towards zero, a fraction of the rate, decoupled from the gradient.", minimum=0.0
    )
    schedule: str = setting("linear", "Learning rate over the run: constant, linear or cosine.", choices=SCHEDULES)
    clip_norm: float = setting(
        1.0, "Largest Euclidean norm of the gradient of all parameters.", minimum=0.0, open_minimum=True
    )
    averaging: float = setting(
        0.0, "Decay per step of the averaged weights that are kept; 0 for none.", minimum=0.0, below=1.0
    )
    patience: int | None = setting(
        None,
        "Stop after this many epochs without a better figure on the validation part; derived if not given.",
        minimum=1,
    )
    seed: int = setting(0, "Start of all random numbers.", minimum=0)
    threads: int | None = setting(None, "CPU threads of a process; all cores if not given.", minimum=1)
    processes: int = setting(1, "Processes that share each step's batch (data parallel training).", minimum=1)
    device: str = setting("cpu", "cpu, cuda, cuda:0 ...")
    precision: str = setting(
        "float32",
        "What the recurrent layers and a large softmax multiply while training: float32, or bf16, quicker with AMX.",
        choices=PRECISIONS,
    )

    def check_together(self) -> None:
        """Refuse two ways of averaging, unknown devices, bf16 off the CPU, and processes that cannot share a batch."""
        if self.averaging and self.optimizer == "nt-asgd":
            raise OptionError(
                "nt-asgd averages the weights in its own way", got=f"averaging {self.averaging}", fix="--averaging 0"
            )
        if self.device.split(":")[0] not in ("cpu", "cuda", "mps"):
            raise OptionError(
                "the device is not known", expected="cpu, cuda, cuda:N or mps", got=repr(self.device), fix="use cpu"
            )
        if self.precision != "float32" and self.device != "cpu":
            raise OptionError(
                "rounded products train on the CPU alone",
                expected="--device cpu",
                got=f"--device {self.device} with --precision {self.precision}",
                fix="--precision float32",
            )
        if self.processes > 1 and self.device != "cpu":
            raise OptionError(
                "several processes share a batch on the CPU alone",
                expected="--device cpu",
                got=f"--device {self.device} with {self.processes} processes",
                fix="--processes 1",
            )
        if self.processes > self.batch_size:
            raise OptionError(
                "there are more processes than a batch has sequences",
                expected=f"at most {self.batch_size} processes",
                got=self.processes,
                fix="lower --processes, or raise --batch-size",
            )
