"""Whether the cells were trained long enough to be judged. In words: docs/verdict.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.record import Learning, Run
from gatewise.statistics import Measure, late_progress, paired_error
from gatewise.training.kind import Judgement

__all__ = ["LEAST_NOISE", "LEAST_SHARE", "learning_of", "still_improving", "unfinished"]

LEAST_SHARE = 0.1
LEAST_NOISE = 2.0


def still_improving(run: Learning, margin: float) -> bool:
    """Whether a training was stopped by its budget while its validation figure still became better.

    With less than half of the epochs that the size of the data calls for, a best epoch that is the last one suffices,
    by the figure or by the loss: before a network writes its first words its error rate rises while its loss falls.

    Args:
        run: how it ended.
        margin: differences within it make no difference in practice.

    Example:
        >>> ended = Learning(run="gru-seed0", epochs=2, best_epoch=2, stopped="epochs", left=0.4, first_epoch=1,
        ...                  gain=0.12, noise=0.02, share=1.0)
        >>> still_improving(ended, margin=0.005)
        True
    """
    if run.stopped != "epochs" or run.left <= margin:
        return False
    if run.first_epoch is None or run.gain is None or run.noise is None or run.share is None:
        return True
    if run.derived_epochs is not None and 2 * run.epochs < run.derived_epochs:
        return run.least_loss_epoch == run.epochs or (run.gain > 0 and run.best_epoch == run.epochs)
    grows = run.gain > max(margin, LEAST_NOISE * run.noise) and run.share > LEAST_SHARE
    return grows and run.best_epoch > run.first_epoch


def unfinished(runs: Sequence[Learning], margin: float) -> bool:
    """Whether a cell was: at least half of its runs were.

    Example:
        >>> unfinished([], margin=0.005)
        False
    """
    return bool(runs) and 2 * sum(still_improving(run, margin) for run in runs) >= len(runs)


def learning_of(
    runs: Sequence[Run],
    contributions: Mapping[str, npt.NDArray[np.floating]],
    measure: Measure,
    judgement: Judgement,
    validation: int,
) -> dict[str, Learning]:
    """How the training of every run of a cell ended, by the run's name.

    The noise of a difference between two epochs is taken from two networks of the comparison: from their paired
    difference on the test part, at the size of the validation part; the median over neighbours in the list.

    Args:
        runs: the finished ones, of all cells.
        contributions: (N,) or (N, K), what each test example contributes, by the run's name.
        measure: what they contribute to.
        judgement: what is trivial.
        validation: examples of the validation part.
    """
    trained = [run for run in runs if not run.baseline and run.epochs and run.best_epoch and run.stopped]
    error = _error([np.asarray(contributions[run.name], dtype=np.float64) for run in trained], measure, validation)
    trivial = None if judgement.trivial is None else judgement.trivial[1]
    found = {}
    for run in trained:
        figures = [epoch.validation.get(measure.name) for epoch in run.epochs]
        known = [figure for figure in figures if figure is not None]
        if len(known) < len(figures):
            continue
        rates = [epoch.learning_rate for epoch in run.epochs]
        late = late_progress(known, rates, measure, error=error, trivial=trivial)
        assert run.stopped is not None
        # not the epoch that was kept: that may be a later one within the standard error of the best
        best = max(range(len(known)), key=lambda place: known[place] if measure.higher_is_better else -known[place])
        found[run.name] = Learning(
            run=run.name,
            epochs=len(known),
            best_epoch=best + 1,
            stopped=run.stopped,
            derived_epochs=run.derived_epochs,
            left=abs(measure.perfect - known[best]),
            least_loss_epoch=_least([epoch.validation.get("loss") for epoch in run.epochs]),
            **({} if late is None else _numbers(late)),
        )
    return found


def _least(losses: Sequence[float | None]) -> int | None:
    """The last epoch with the least loss; None where one is not known."""
    known = [loss for loss in losses if loss is not None]
    if len(known) < len(losses):
        return None
    return max(place for place, loss in enumerate(known) if loss == min(known)) + 1


def _numbers(late: Any) -> dict[str, Any]:
    return {"first_epoch": late.first_epoch, "gain": late.gain, "noise": late.noise, "share": late.share}


def _error(tables: Sequence[npt.NDArray[np.float64]], measure: Measure, validation: int) -> float:
    """Standard error of the difference of two networks' figures on the validation part."""
    if not tables:
        return 0.0
    if len(tables) == 1:
        return paired_error(tables[0], None, measure, examples=validation)
    return float(np.median([paired_error(one, two, measure, examples=validation) for one, two in pairwise(tables)]))
