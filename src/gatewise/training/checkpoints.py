"""Checkpoints of one phase of a run: the first process writes and reads them, all processes continue from them."""

from __future__ import annotations

from gatewise.errors import RunError
from gatewise.training.context import RunContext
from gatewise.training.optimisation import Optimisation
from gatewise.training.problem import Problem
from gatewise.training.progress import Progress
from gatewise.training.run_folder import RunFolder

__all__ = ["load_checkpoint", "save_checkpoint"]

_CARRIED = "carried."


def load_checkpoint(
    folder: RunFolder, context: RunContext, problem: Problem, optimisation: Optimisation
) -> Progress | None:
    """Continue from the checkpoint, if there is one.

    Args:
        folder: of the phase.
        context: of the run.
        problem: gets what it carries from step to step, each process its own.
        optimisation: gets weights and state.

    Returns:
        The progress when it was saved; None: there is none.

    Raises:
        RunError: it does not fit the spec.
    """
    saved = folder.checkpoint() if context.leads else None
    if context.team is not None:
        saved = context.team.share_checkpoint(saved)
    if saved is None:
        return None
    if context.leads:
        folder.check_contents(problem.files(), problem.later)
    tensors, state = saved
    try:
        progress = Progress.from_dict(state)
        carried = {name.removeprefix(_CARRIED): tensors[name] for name in tensors if name.startswith(_CARRIED)}
        problem.load_carried(carried if context.team is None else context.team.own_tensors(carried))
        optimisation.load_state(tensors, (progress.epoch - 1) * problem.steps_per_epoch + progress.step)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise RunError(
            f"the checkpoint in {folder.path} does not fit its spec ({error})",
            fix="delete the folder and train again",
        ) from error
    if context.leads:
        folder.rewrite_metrics(progress.records)
    return progress


def save_checkpoint(
    folder: RunFolder, context: RunContext, problem: Problem, optimisation: Optimisation, progress: Progress
) -> None:
    """Write a checkpoint; every process has to call it.

    Args:
        folder: of the phase.
        context: of the run.
        problem: what it carries from step to step is saved, of every process.
        optimisation: weights and state.
        progress: so far.
    """
    carried = problem.carried()
    if context.team is not None:
        carried = context.team.gather_tensors(carried)
    if context.leads:
        named = {_CARRIED + name: value.cpu().contiguous() for name, value in carried.items()}
        folder.save_checkpoint({**optimisation.state(), **named}, progress.to_dict())
