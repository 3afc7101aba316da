"""Which epoch's weights are kept, and when training ends."""

from __future__ import annotations

from collections.abc import Sequence

from gatewise.statistics import Measure
from gatewise.training.events import EpochRecord
from gatewise.training.problem import Problem

__all__ = ["best_of", "is_kept", "reason_to_stop"]


def best_of(metric: Measure, records: Sequence[EpochRecord]) -> EpochRecord:
    """The first epoch with the best figure, of equal ones that with the least loss."""

    def rank(record: EpochRecord) -> tuple[float, float]:
        figure = record.validation[metric.name]
        return (figure if metric.higher_is_better else -figure), -record.validation["loss"]

    return max(records, key=rank)


def is_kept(problem: Problem, records: Sequence[EpochRecord]) -> bool:
    """Whether the last epoch is the best so far, or not worse by more than the standard error of the best one."""
    record, best, name = records[-1], best_of(problem.metric, records), problem.metric.name
    error = problem.validation_error(best.validation[name])
    return record is best or (error > 0 and abs(best.validation[name] - record.validation[name]) <= error)


def reason_to_stop(problem: Problem, records: Sequence[EpochRecord], epochs: int, patience: int | None) -> str | None:
    """Why training ends after these epochs: ``epochs`` or ``patience``; None: it does not."""
    done = len(records)
    if done >= epochs:
        return "epochs"
    if done and done - best_of(problem.metric, records).epoch >= (patience or done + 1):
        return "patience"
    return None
