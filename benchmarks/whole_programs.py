"""Where a whole training spends its time: the recurrence, and everything that is not.

python benchmarks/whole_programs.py [--programs ptb,etth1,...] [--threads 1] [--cell gru] [--json FILE]

Each program is ``gatewise train`` on a small part of its data, in this process, with clocks around the parts of a step.
Shares are of the steps' time, and of validation's; processor time of the process, so that other programs beside this
one matter little. What came before the first step (imports, loading, drawing the network) and what the run folder costs
stands in seconds, since it does not grow with the steps.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STARTED = time.process_time()

PROGRAMS = {
    "rotten-tomatoes": ["rotten-tomatoes", "--examples", "2000", "--epochs", "2"],
    "ptb": ["ptb", "--epochs", "1", "--training-steps", "60"],
    "etth1": ["etth1", "--epochs", "1", "--training-steps", "120"],
    "tagging": ["conll2003", "--epochs", "1", "--training-steps", "120"],
}
STEP = (
    "recurrence",
    "softmax over words",
    "rest of the network",
    "rest of its gradient",
    "clipping",
    "optimizer",
    "rest of the step",
)


class Clocks:
    """Processor seconds by part; a part inside another counts for itself only."""

    def __init__(self) -> None:
        self.seconds: dict[tuple[str, str], float] = defaultdict(float)
        self.phase = "before"
        self._inner = [0.0]

    def around(self, owner: Any, name: str, part: str, phase: str | None = None, static: bool = False) -> None:
        """Put a clock around a function; with ``phase`` its parts are counted under that name."""
        function = getattr(owner, name)

        def timed(*arguments: Any, **named: Any) -> Any:
            before, self.phase = self.phase, phase or self.phase
            self._inner.append(0.0)
            began = time.process_time()
            try:
                return function(*arguments, **named)
            finally:
                spent = time.process_time() - began
                self.seconds[self.phase, part] += spent - self._inner.pop()
                self._inner[-1] += spent
                self.phase = before

        setattr(owner, name, staticmethod(timed) if static else timed)


def clocked() -> Clocks:
    """Clocks in all places that a training step passes."""
    import torch

    from gatewise.kernels.fused import eager, sequence, stack
    from gatewise.nn.softmax import loss
    from gatewise.training import loop, optimisation, run_folder

    clocks = Clocks()
    for owner, names in ((stack, ("_forward", "_backward")), (eager, ("forward", "backward"))):
        for name in names:
            clocks.around(owner, name, "recurrence")
    sequence.forward = eager.forward
    function = loss._ChunkedCrossEntropy
    for name in ("forward", "backward"):
        clocks.around(function, name, "softmax over words", static=True)
    clocks.around(loss, "token_losses", "softmax over words")
    clocks.around(torch.Tensor, "backward", "rest of its gradient")
    for name in ("clip_grad_norm_", "get_total_norm", "clip_grads_with_norm_"):
        clocks.around(torch.nn.utils, name, "clipping")
    make = optimisation._optimizer

    def optimizer(*arguments: Any) -> torch.optim.Optimizer:
        made = make(*arguments)
        clocks.around(made, "step", "optimizer")
        return made

    optimisation._optimizer = optimizer
    clocks.around(optimisation.Optimisation, "step", "rest of the step")
    begin = loop._begin

    def begin_run(*arguments: Any, **named: Any) -> Any:
        run = begin(*arguments, **named)
        clocks.around(run.problem, "loss", "rest of the network")
        clocks.around(run.problem, "validate", "rest of validation", "validation")
        return run

    loop._begin = begin_run
    clocks.around(loop._Run, "_train_epoch", "rest of the step", "steps")
    for name in ("save_weights", "save_checkpoint", "append_metrics", "finish", "begin"):
        clocks.around(run_folder.RunFolder, name, "run folder", "run folder")
    return clocks


def run(words: list[str], clocks: Clocks) -> dict[str, float]:
    """Train once; seconds by part."""
    from typer.main import get_command

    from gatewise.cli.app import app

    clocks.seconds.clear()
    began = time.process_time()
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()), quiet():
        get_command(app).main(["train", *words, "--out", str(Path(folder) / "run")], standalone_mode=False)
    clocks.seconds["whole", "whole"] = time.process_time() - began
    return {f"{phase}: {part}": spent for (phase, part), spent in clocks.seconds.items()}


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without the terminal's progress, which is for people."""
    with contextlib.redirect_stderr(io.StringIO()):
        yield


def report(program: str, seconds: dict[str, float]) -> list[str]:
    """The lines of one program."""
    steps = {part: seconds.get(f"steps: {part}", 0.0) for part in STEP}
    all_steps = sum(steps.values()) or 1e-9
    lines = [f"{program}: {all_steps:.2f} s of steps, of that"]
    lines += [f"  {part:<24}{100 * spent / all_steps:5.1f} %" for part, spent in steps.items()]
    validation = {part: spent for part, spent in seconds.items() if part.startswith("validation: ")}
    inside = seconds.get("validation: recurrence", 0.0)
    share = 100 * inside / max(sum(validation.values()), 1e-9)
    folder = seconds.get("run folder: run folder", 0.0)
    others = seconds["whole: whole"] - all_steps - sum(validation.values()) - folder
    lines.append(
        f"  validation {sum(validation.values()):.2f} s (recurrence {share:.0f} %), run folder {folder:.2f} s,"
    )
    lines.append(f"  loading, preparing, testing and all else {others:.2f} s")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--programs", default=",".join(PROGRAMS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--cell", default="gru")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    clocks = clocked()
    print(f"imports: {time.process_time() - STARTED:.2f} s of processor time", flush=True)
    run([*PROGRAMS["etth1"][:3], "--training-steps", "3"], clocks)  # what is imported at first use
    found = {}
    for program in arguments.programs.split(","):
        words = [*PROGRAMS[program], "--cell", arguments.cell, "--threads", str(arguments.threads)]
        found[program] = run(words, clocks)
        print("\n".join(report(program, found[program])), flush=True)
    if arguments.json:
        from gatewise.files import write_json

        write_json(arguments.json, found)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
