"""The values among which settings are chosen: lists for a grid, ranges for a search. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from gatewise.errors import OptionError
from gatewise.training.assembly import PARTS, aliases, make_spec, setting_fields, typed_value

__all__ = [
    "Choices",
    "Range",
    "Space",
    "combinations",
    "count_combinations",
    "parse_grid",
    "read_space",
    "space_record",
]

_FIXED = {
    "cell": "name the cells with --cells",
    "seed": "use --seeds for repeats",
    "threads": "threads change how long a training takes, not what the network learns",
    "processes": "a comparison trains each network in one process; use --jobs N to train N networks at the same time",
    "device": "the device changes how long a training takes, not what the network learns",
    "pretrain": "run one comparison with it and one without, and name the first with --against",
}


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included; searched on a logarithmic scale where they span a factor of ten.

    Example:
        >>> Range(1e-4, 1e-2).logarithmic, Range(0.0, 0.5).logarithmic
        (True, False)
    """

    low: float
    high: float

    @property
    def logarithmic(self) -> bool:
        """Whether equal factors are searched equally often."""
        return self.low > 0 and self.high >= 10 * self.low

    def __str__(self) -> str:
        """As it is written on the command line."""
        return f"{self.low}..{self.high}"


Choices = tuple[Any, ...]
Space = dict[str, Choices | Range]


def parse_grid(words: Iterable[str]) -> dict[str, str]:
    """Split ``hidden=64,128`` words into names and values.

    Args:
        words: each ``NAME=VALUES``; one string may hold several, separated by spaces.

    Raises:
        OptionError: a word without ``=``, or a name given twice.

    Example:
        >>> parse_grid(["hidden=64,128 lr=1e-3", "dropout=0..0.5"])
        {'hidden_size': '64,128', 'learning_rate': '1e-3', 'dropout': '0..0.5'}
    """
    found: dict[str, str] = {}
    for word in (part for words_given in words for part in words_given.split()):
        name, equals, values = word.partition("=")
        name = aliases().get(name.strip(), name.strip().replace("-", "_"))
        if not equals or not name:
            raise OptionError(
                "the grid cannot be read", expected="NAME=VALUE,VALUE", got=repr(word), fix="for example: hidden=64,128"
            )
        if name in found:
            raise OptionError(f"the grid names {name} twice", fix=f"write all its values once: {name}=a,b,c")
        found[name] = values
    return found


def read_space(task: str, data: str, given: Mapping[str, Any], settings: Mapping[str, Any]) -> Space:
    """Check and type the values of each setting.

    Args:
        task: name of a kind of problem.
        data: the data's name, for the check of each value in its spec.
        given: by setting: a string ``"64,128"`` or ``"1e-4..1e-2"``, a sequence of values, or a `Range`.
        settings: those that all runs share; none of them may vary.

    Raises:
        OptionError: an unknown setting, one that cannot vary, no value, a value out of its range or type.

    Example:
        >>> read_space("classification", "imdb", {"hidden": [64, 128], "lr": "1e-4..1e-2"}, {})
        {'hidden_size': (64, 128), 'learning_rate': Range(low=0.0001, high=0.01)}
        >>> read_space("classification", "imdb", {"hidden_size": "64,wide"}, {})
        Traceback (most recent call last):
        gatewise.errors.OptionError: hidden_size has the wrong type; expected: a whole number; got: 'wide'; ...
    """
    space: Space = {}
    for asked, values in given.items():
        name = aliases().get(asked, asked)
        _check_name(task, name, settings)
        found = _range(task, name, values) or _choices(task, name, values)
        tried = (
            (_of_type(task, name, found.low), _of_type(task, name, found.high)) if isinstance(found, Range) else found
        )
        for value in tried:
            make_spec(task, data, {**settings, name: value})
        space[name] = found
    return space


def combinations(space: Mapping[str, Choices | Range]) -> Iterator[dict[str, Any]]:
    """Every combination of a grid, the last setting changing fastest.

    Example:
        >>> list(combinations({"hidden_size": (64, 128), "dropout": (0.0,)}))
        [{'hidden_size': 64, 'dropout': 0.0}, {'hidden_size': 128, 'dropout': 0.0}]
    """
    lists = [values for values in space.values() if not isinstance(values, Range)]
    for values in product(*lists):
        yield dict(zip(space, values, strict=True))


def count_combinations(space: Mapping[str, Choices | Range]) -> int | None:
    """How many combinations there are; None where a range makes them infinitely many.

    Example:
        >>> count_combinations({"hidden_size": (64, 128), "dropout": (0.0, 0.2, 0.5)})
        6
    """
    if any(isinstance(values, Range) for values in space.values()):
        return None
    return math.prod(len(values) for values in space.values() if not isinstance(values, Range))


def space_record(space: Mapping[str, Choices | Range]) -> dict[str, Any]:
    """A space for JSON: lists, and ranges as they are written.

    Example:
        >>> space_record({"hidden_size": (64, 128), "dropout": Range(0.0, 0.5)})
        {'hidden_size': [64, 128], 'dropout': '0.0..0.5'}
    """
    return {name: str(values) if isinstance(values, Range) else list(values) for name, values in space.items()}


def _check_name(task: str, name: str, settings: Mapping[str, Any]) -> None:
    typed_value(task, name, "none") if name not in _known(task) else None
    if name in _FIXED:
        raise OptionError(f"{name} cannot be in the grid", fix=_FIXED[name])
    if name in setting_fields(task, "data"):
        raise OptionError(
            f"{name} cannot be in the grid",
            expected="a setting of the model or of the training",
            got=f"{name}, which changes the data",
            fix="models can only be compared on the same examples; start a comparison for each value",
        )
    if name in {aliases().get(given, given) for given in settings}:
        raise OptionError(f"{name} is given once for all runs and again in the grid", fix=f"omit --{name}")


def _known(task: str) -> set[str]:
    return {name for part in PARTS for name in setting_fields(task, part)}


def _range(task: str, name: str, values: Any) -> Range | None:
    if isinstance(values, Range):
        found = values
    elif isinstance(values, str) and ".." in values:
        words = values.split("..")
        if len(words) != 2:
            raise OptionError(f"the range of {name} cannot be read", expected="LOW..HIGH", got=repr(values))
        low, high = (typed_value(task, name, word) for word in words)
        if not all(isinstance(end, (int, float)) and not isinstance(end, bool) for end in (low, high)):
            raise OptionError(f"{name} has no range", expected="values separated by commas", got=repr(values))
        found = Range(low, high)
    else:
        return None
    if not found.low < found.high:
        raise OptionError(f"the range of {name} is empty", expected="LOW..HIGH with LOW below HIGH", got=str(found))
    return found


def _choices(task: str, name: str, values: Any) -> Choices:
    if isinstance(values, str):
        words: Sequence[Any] = [word.strip() for word in values.split(",") if word.strip()]
    elif isinstance(values, (bool, int, float)) or values is None:
        words = [values]
    else:
        words = list(values)
    if not words:
        raise OptionError(
            f"the grid of {name} is empty", expected="at least one value", got=repr(values), fix=f"write {name}=a,b"
        )
    typed = [_of_type(task, name, word) for word in words]
    return tuple(dict.fromkeys(typed))


def _of_type(task: str, name: str, value: Any) -> Any:
    """A value of the type in the spec; whole numbers become real ones where the setting is real."""
    if isinstance(value, str):
        return typed_value(task, name, value)
    default = next(fields[name] for part in PARTS if name in (fields := setting_fields(task, part)))
    whole = isinstance(value, int) and not isinstance(value, bool)
    return float(value) if isinstance(default, float) and whole else value
