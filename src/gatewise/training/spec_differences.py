"""In which settings two runs differ, and the options that keep those of one."""

from __future__ import annotations

from gatewise.training.assembly import PARTS, setting_fields
from gatewise.training.checks import option_of
from gatewise.training.run_spec import RunSpec

__all__ = ["differences", "options_that_keep"]


def differences(wanted: RunSpec, held: RunSpec, which: int) -> str:
    """The fields in which two specs differ, with the values of one of them.

    Args:
        wanted: one spec.
        held: the other.
        which: 0: the values of the first; 1: those of the second.

    Example:
        >>> from gatewise.kinds.classification.spec import DataSpec, ModelSpec
        >>> gru, lstm = (RunSpec(DataSpec("imdb"), ModelSpec(cell=cell)) for cell in ("gru", "lstm"))
        >>> differences(gru, lstm, 0), options_that_keep(lstm, gru)
        ('cell gru', ': --cell lstm')
    """
    if wanted.task != held.task:
        return f"task {(wanted, held)[which].task}"
    words = [f"{name} {values[which]}" for name, *values in _different(wanted, held)]
    return ", ".join(words) or f"format_version {(wanted, held)[which].to_dict()['format_version']}"


def options_that_keep(held: RunSpec, wanted: RunSpec) -> str:
    """The options of a held run that were not given, as words behind a sentence; empty where others differ too.

    Args:
        held: what the run was begun with.
        wanted: what is asked for now.
    """
    differing = [] if wanted.task != held.task else _different(wanted, held)
    usual = {name: value for part in PARTS for name, value in setting_fields(wanted.task, part).items()}
    # what has its default was not given
    if any(value not in (None, usual.get(name)) or "not set" in (value, kept) for name, value, kept in differing):
        return ""
    words = " ".join(option_of(name, kept) for name, _, kept in differing if kept is not None)
    return words and f": {words}"


def _different(wanted: RunSpec, held: RunSpec) -> list[tuple[str, object, object]]:
    """The settings in which two specs of one task differ: name, value of the one and of the other."""
    pair = wanted.to_dict(), held.to_dict()
    found = []
    for part in ("data", "model", "training", "pretraining"):
        one, other = (record[part] or {} for record in pair)
        for name in dict.fromkeys((*one, *other)):
            if one.get(name) != other.get(name):
                found.append((name, one.get(name, "not set"), other.get(name, "not set")))
    return found
