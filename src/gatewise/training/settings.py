"""Settings of specs, each defined once: default, help, choices and range are in the field's metadata.

Command-line flags, estimator signatures, documentation, checks and save/load derive from them. Imports no torch.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gatewise.errors import OptionError
from gatewise.training.checks import (
    check_boolean,
    check_choice,
    check_optional_string,
    check_real,
    check_string,
    check_whole,
    flag,
    real_words,
    whole_words,
)

__all__ = ["RESERVED", "Setting", "Spec", "setting", "setting_value", "settings_of"]

Choices = Iterable[str] | Callable[[], Iterable[str]]
_KEY = "gatewise"
# fmt: off
RESERVED = frozenset((
    "cells", "seeds", "out", "task", "grid", "search", "trials", "match", "margin", "jobs", "cluster",
    "storage", "imports", "against", "cost", "yes", "old_code", "recipe", "run", "file", "texts", "as_json", "json",
    "settings", "hidden", "lr", "pretrain",
))
# fmt: on
"""Names that commands use themselves, and aliases: no setting may have one."""


@dataclass(frozen=True)
class Setting:
    """One field of a spec.

    Attributes:
        name: of the field; the flag is ``--name-with-dashes``, the Python argument and the JSON key are the name.
        hint: its type, ``int | None`` for one.
        default: its value where none is given.
        help: what it is, in one sentence.
        choices: its values, or a function that returns them.
        minimum: least value; ``open_minimum``: exclusive.
        below: exclusive upper bound.
        is_path: it names a file, so that plans and other processes make it absolute.
        words: of a path, values that name no file, whatever files there are.
        reads: it describes how a file is read; `gatewise evaluate` has it too.
        aliases: further names on the command line.
        earlier: its value in records of before the setting existed; the default where not given.
        added: it came after its spec: hashes of runs leave it out where it has the value that runs before it had.
    """

    name: str
    hint: Any
    default: Any
    help: str
    choices: Choices | None = None
    minimum: float | None = None
    open_minimum: bool = False
    below: float | None = None
    is_path: bool = False
    words: tuple[str, ...] = ()
    reads: bool = False
    aliases: tuple[str, ...] = ()
    earlier: Any = ...
    added: bool = False

    @property
    def kind(self) -> type[Any]:
        """The type without None."""
        kinds = [kind for kind in (typing.get_args(self.hint) or (self.hint,)) if kind is not type(None)]
        found: type[Any] = kinds[0]
        return found

    @property
    def before(self) -> Any:
        """The value that runs of before the setting existed have.

        Example:
            >>> from gatewise.kinds.classification import ModelSpec
            >>> settings_of(ModelSpec)["recurrent_start"].before, settings_of(ModelSpec)["dropout"].before
            (1.0, 0.5)
        """
        return self.default if self.earlier is ... else self.earlier

    @property
    def optional(self) -> bool:
        """Whether None is a value."""
        return type(None) in typing.get_args(self.hint)

    def known_choices(self) -> tuple[str, ...]:
        """Its values; empty where they are not a list of words."""
        choices = self.choices() if callable(self.choices) else self.choices
        return () if choices is None else tuple(choices)

    def file(self, value: object) -> Path | None:
        """The existing file or folder that a value names; None where it names none.

        Example:
            >>> from gatewise.kinds.classification import ModelSpec
            >>> settings_of(ModelSpec)["embeddings"].file("random") is None
            True
        """
        if not self.is_path or not isinstance(value, str) or value in self.words:
            return None
        place = Path(value).expanduser()
        return place if place.exists() else None

    @property
    def values(self) -> str:
        """The values of a number or a yes or no, in words."""
        if self.kind is bool:
            return "true or false"
        if self.kind is int:
            return whole_words(int(self.minimum or 0))
        below = float("inf") if self.below is None else self.below
        return real_words(self.minimum or 0.0, below, open_minimum=self.open_minimum)

    def spelled(self, value: object) -> object:
        """A number as the word that it is among the choices: 0.5 for ``0.5``; anything else as it is."""
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        return str(value) if number and self.kind is str and str(value) in self.known_choices() else value

    def check(self, value: object) -> None:
        """Refuse a value of another type or out of range.

        Raises:
            OptionError: the message names the setting as the command line does.
        """
        if value is None and self.optional:
            return
        if self.choices is not None:
            check_choice(self.name, value, self.known_choices())
        elif self.kind is bool:
            check_boolean(self.name, value)
        elif self.kind is int:
            check_whole(self.name, value, int(self.minimum or 0))
        elif self.kind is float:
            below = float("inf") if self.below is None else self.below
            check_real(self.name, value, self.minimum or 0.0, below, open_minimum=self.open_minimum)
        elif self.optional:
            check_optional_string(self.name, value)
        elif self.kind is str:
            check_string(self.name, value)


def setting(
    default: Any,
    help: str,
    *,
    choices: Choices | None = None,
    minimum: float | None = None,
    open_minimum: bool = False,
    below: float | None = None,
    is_path: bool = False,
    words: tuple[str, ...] = (),
    reads: bool = False,
    aliases: tuple[str, ...] = (),
    earlier: Any = ...,
    added: bool = False,
) -> Any:
    """A field of a spec with its metadata; the arguments are those of `Setting`.

    Example:
        >>> @dataclass(frozen=True)
        ... class Oven(Spec):
        ...     degrees: int = setting(200, "How hot it gets.", minimum=50)
        >>> Oven(degrees=20)
        Traceback (most recent call last):
        gatewise.errors.OptionError: degrees is out of range; expected: a whole number of at least 50; got: 20; ...
    """
    said = {
        "help": help,
        "choices": choices,
        "minimum": minimum,
        "open_minimum": open_minimum,
        "below": below,
        "is_path": is_path,
        "words": words,
        "reads": reads,
        "aliases": aliases,
        "earlier": earlier,
        "added": added,
    }
    return dataclasses.field(default=default, metadata={_KEY: MappingProxyType(said)})


@dataclass(frozen=True)
class Spec:
    """A frozen record of settings; each is checked when it is made, and subclasses check several together."""

    def __post_init__(self) -> None:
        for name, entry in settings_of(type(self)).items():
            given = getattr(self, name)
            value = entry.spelled(given)
            if value is not given:
                object.__setattr__(self, name, value)
            entry.check(value)
        self.check_together()

    def check_together(self) -> None:
        """Refuse incompatible settings."""


def settings_of(spec: type[Any]) -> Mapping[str, Setting]:
    """The settings of a spec by name, in the order of its fields.

    Example:
        >>> from gatewise.training.spec import TrainingSpec
        >>> settings_of(TrainingSpec)["epochs"].minimum
        1
    """
    if spec not in _known:
        _known[spec] = MappingProxyType(_read(spec))
    return _known[spec]


_known: dict[type[Any], Mapping[str, Setting]] = {}


def _read(spec: type[Any]) -> dict[str, Setting]:
    hints = typing.get_type_hints(spec)
    found = {}
    for entry in dataclasses.fields(spec):
        said = entry.metadata.get(_KEY)
        if said is None:
            raise TypeError(f"{spec.__name__}.{entry.name} is no setting: define it with `setting`")
        found[entry.name] = Setting(entry.name, hints[entry.name], entry.default, **said)
    return found


def setting_value(entry: Setting, word: str) -> Any:
    """A setting's value from a word, as a grid or a flag gives it.

    Raises:
        OptionError: the word does not fit its type.

    Example:
        >>> from gatewise.training.spec import TrainingSpec
        >>> setting_value(settings_of(TrainingSpec)["threads"], "none") is None
        True
    """
    text = word.strip()
    if entry.optional and text.lower() == "none":
        return None
    try:
        if entry.kind is bool:
            return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}[text.lower()]
        if entry.kind in (int, float):
            return entry.kind(text)
    except (KeyError, ValueError) as error:
        words = {bool: "true or false", int: "a whole number", float: "a number"}
        raise OptionError(
            f"{entry.name} has the wrong type",
            expected=words[entry.kind],
            got=repr(word),
            fix=f"give {flag(entry.name)} one value; `gatewise compare` takes several numbers"
            if "," in word
            else f"give {flag(entry.name)} {entry.values}",
        ) from error
    return text
