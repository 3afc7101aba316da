"""Checks that the specs share; each error names the setting as the command line does. Imports no torch."""

from __future__ import annotations

import math
import os
import shlex
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from gatewise.errors import GatewiseError, OptionError, RunError, did_you_mean

__all__ = [
    "check_boolean",
    "check_choice",
    "check_optional_string",
    "check_real",
    "check_string",
    "check_threads",
    "check_whole",
    "flag",
    "known_cells",
    "option_of",
    "out_of_range",
    "own_registered",
    "real_words",
    "refuse_for_known",
    "refuse_unknown",
    "threads_of_each",
    "usable_cores",
    "whole_words",
]

_BUILT_IN_CELLS = ("rnn", "lstm", "gru", "mingru", "minlstm")


MANY_THREADS = 64
"""More threads than this are a mistake on a machine with fewer cores."""


def refuse_unknown(record: Mapping[str, Any], known: Iterable[str], place: str) -> None:
    """Refuse keys that no field of the spec has; ``place`` names the record."""
    known = list(known)
    for key in record:
        if key not in known:
            raise RunError(f"{place} has the unknown key {key!r}", fix=did_you_mean(str(key), known))


def known_cells() -> tuple[str, ...]:
    """The built-in names and, once `gatewise.nn` is loaded, every registered cell."""
    layers = sys.modules.get("gatewise.nn")
    registered = getattr(layers, "cells", None)
    names = tuple(registered()) if callable(registered) else ()
    return tuple(dict.fromkeys((*_BUILT_IN_CELLS, *names)))


def flag(name: str) -> str:
    """The setting as the command line spells it."""
    return "--" + name.replace("_", "-")


def option_of(name: str, value: object) -> str:
    """A setting with its value, as the command line spells it.

    Example:
        >>> option_of("hidden_size", 64), option_of("bidirectional", False), option_of("time", "a day")
        ('--hidden-size 64', '--no-bidirectional', "--time 'a day'")
    """
    if isinstance(value, bool):
        return flag(name) if value else f"--no-{flag(name)[2:]}"
    return f"{flag(name)} {shlex.quote(str(value))}"


def refuse_for_known(data: str, given: Mapping[str, object], what: str = "file") -> None:
    """Refuse settings that describe a file where a known data set is named.

    Args:
        data: its name.
        given: settings by name; None: not given.
        what: a person gives instead: a file, a table.

    Raises:
        OptionError: naming the first that is given.

    Example:
        >>> refuse_for_known("imdb", {"text": None, "source_column": "review"})
        Traceback (most recent call last):
        gatewise.errors.OptionError: --source-column does not go with the known data set 'imdb'; expected: a file of ...
    """
    for name, value in given.items():
        if value is not None:
            raise OptionError(
                f"{flag(name)} does not go with the known data set {data!r}",
                expected=f"a {what} of your own",
                fix=f"omit {flag(name)}, or give the path of a {what}",
            )


def out_of_range(name: str, expected: str, value: object) -> GatewiseError:
    """The error for a value outside its range, which ``expected`` says."""
    return OptionError(
        f"{name} is out of range", expected=expected, got=repr(value), fix=f"give {flag(name)} {expected}"
    )


def whole_words(minimum: int) -> str:
    """The values of a whole number."""
    return f"a whole number of at least {minimum}"


def real_words(minimum: float, below: float = math.inf, *, open_minimum: bool = False) -> str:
    """The values of a number.

    Example:
        >>> real_words(0.0), real_words(0.0, 1.0), real_words(0.0, open_minimum=True)
        ('a number of at least 0', 'a number from 0 to below 1', 'a number above 0')
    """
    if open_minimum:
        words = f"a number above {minimum:g}"
        return words if below == math.inf else f"{words} and below {below:g}"
    return f"a number of at least {minimum:g}" if below == math.inf else f"a number from {minimum:g} to below {below:g}"


def check_whole(name: str, value: object, minimum: int) -> None:
    """Refuse anything but a whole number of at least ``minimum``."""
    if not isinstance(value, int) or isinstance(value, bool) or value < minimum:
        raise out_of_range(name, whole_words(minimum), value)


def check_threads(value: object) -> None:
    """Refuse numbers of threads that only slow down: above the machine's cores, and above what other machines have.

    A few more than there are cores are allowed, because only the same number of threads repeats another machine's run
    bit for bit. A spec is not checked: a run of a larger machine opens everywhere.
    """
    cores = usable_cores()
    if isinstance(value, int) and value > max(cores, MANY_THREADS):
        raise OptionError(
            f"threads is {value:,}, but this machine has {cores} core{'' if cores == 1 else 's'}",
            expected=f"at most {max(cores, MANY_THREADS)}",
            got=value,
            fix=f"--threads {cores}, or omit it: all cores are used",
        )


def threads_of_each(threads: int | None, processes: int) -> int:
    """The CPU threads of each of several processes of this machine: as many as given, else its share of the cores.

    Raises:
        OptionError: all of them together would have more threads than there are cores; one process may.

    Example:
        >>> threads_of_each(None, 1) == usable_cores(), threads_of_each(3, 1)
        (True, 3)
    """
    cores = usable_cores()
    each = threads or max(1, cores // processes)
    if processes > 1 and processes * each > cores:
        raise OptionError(
            f"{processes} processes of {each} thread{'s' * (each > 1)} are more than this machine's cores",
            expected=f"at most {cores} thread{'s' * (cores > 1)} over all processes",
            got=processes * each,
            fix=f"--processes {processes} --threads {cores // processes}"
            if processes <= cores
            else f"--processes {cores}"
            if cores > 1
            else "omit --processes",
        )
    return each


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def check_real(
    name: str, value: object, minimum: float, below: float = math.inf, *, open_minimum: bool = False
) -> None:
    """Refuse anything but a finite number from ``minimum`` (or above it) to below ``below``."""
    usable = isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
    if not usable or not (minimum < value if open_minimum else minimum <= value) or not value < below:  # type: ignore[operator]
        raise out_of_range(name, real_words(minimum, below, open_minimum=open_minimum), value)


def check_boolean(name: str, value: object) -> None:
    """Refuse anything but true and false."""
    if not isinstance(value, bool):
        raise OptionError(f"{name} has the wrong type", expected="true or false", got=repr(value))


def check_choice(name: str, value: object, known: Iterable[str]) -> None:
    """Refuse a value that is not among the known ones."""
    known = list(known)
    if value not in known:
        several = name.endswith("s") and not name.endswith("ss")
        raise OptionError(
            f"{name} cannot be {value!r}" if several else f"there is no {name} {value!r}",
            expected=", ".join(known),
            fix=did_you_mean(str(value), known) + (f"; {own_registered(name)}" if name in _OWN else ""),
        )


_OWN = {"cell": "cell", "task": "kind of problem"}
"""What a person can register, by the setting that names it."""


def own_registered(name: str) -> str:
    """The advice on a cell or a kind of problem of one's own.

    Example:
        >>> own_registered("task")
        'a kind of problem of your own has to be registered: --import its module'
    """
    return f"a {_OWN[name]} of your own has to be registered: --import its module"


def check_optional_string(name: str, value: object) -> None:
    """Refuse anything but a string that is not empty, or None."""
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise OptionError(f"{name} has the wrong type", expected="a string or none", got=repr(value))


def check_string(name: str, value: object) -> None:
    """Refuse anything but a string; the name of the data must not be empty."""
    if name == "data" and (not isinstance(value, str) or not value.strip()):
        raise OptionError(
            "the data has no name",
            expected="a registry name or a path",
            got=repr(value),
            fix="name the data, for example: imdb",
        )
    if not isinstance(value, str):
        raise OptionError(f"{name} has the wrong type", expected="a string", got=repr(value))
