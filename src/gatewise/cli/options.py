"""Options that several commands share: every setting of any kind of problem is a flag, derived from the specs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import typer

from gatewise.training.assembly import PARTS, PRETRAIN, setting_fields, setting_of, settings_in, typed_value
from gatewise.training.checks import flag
from gatewise.training.kind import Kind
from gatewise.training.registry import kind_names, kinds
from gatewise.training.settings import Setting

__all__ = [
    "ImportsOption",
    "RecipeOption",
    "RunArgument",
    "SeveralDataArgument",
    "TaskOption",
    "typed_settings",
    "with_imports",
    "with_prediction_settings",
    "with_reading_settings",
    "with_settings",
]

_METAVARS = {False: {int: "N", float: "X"}, True: {int: "N[,N]", float: "X[,X]"}}
_PANELS = {"data": "Data", "model": "Model", "training": "Training", "pretraining": "Pre-training"}

RunArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="Run folder, or a comparison: its best run; DIR/gru: its best GRU.")
]
ImportsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--import",
        metavar="MODULE",
        help="Module, by name or path, that registers cells or kinds of problems of your own (register_cell, "
        "register_kind).",
    ),
]
SeveralDataArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="DATA...",
        help="Registry name (see `gatewise datasets`), a file, a plan.toml, or several; then also folders of finished "
        "comparisons. (default imdb)",
    ),
]
RecipeOption = Annotated[
    str | None,
    typer.Option("--recipe", metavar="NAME", help="Start from a recipe (see `gatewise recipes`) or a .toml file."),
]
TaskOption = Annotated[
    str | None,
    typer.Option(
        "--task", metavar="NAME", help=f"{', '.join(kind_names())}; derived from DATA and its options if not given."
    ),
]


def with_settings(*, several: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command one flag per setting of any kind of problem; it receives those that were given as ``settings``.

    Args:
        several: a number may be several, separated by commas.

    Numbers are words for `typed_settings`, whose errors name the setting, the value and what is expected.
    """
    return _with(_parameters(several=several))


def reading_settings() -> dict[str, list[tuple[Kind, Setting]]]:
    """The settings for reading a file, by name, each with the kinds that have it."""
    return {name: found for name, found in _settings("data").items() if any(entry.reads for _, entry in found)}


def with_reading_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command one flag per setting for reading a file; see `with_settings`."""
    return _with([_parameter(name, found, "data") for name, found in reading_settings().items()])(command)


def with_prediction_settings(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command one flag per setting with which a kind's predictions read a file; see `with_settings`."""
    found: dict[str, list[tuple[Kind, Setting]]] = {}
    for kind in kinds():
        for name in kind.prediction_settings:
            found.setdefault(name, []).append((kind, settings_in(kind, "data")[name]))
    return _with([_parameter(name, entries, "data") for name, entries in found.items()])(command)


def with_imports(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a kind's own command ``--import``, so that it opens runs with a cell of one's own."""

    @wraps(command)
    def called(imports: list[str] | None, **given: Any) -> Any:
        from gatewise.training.registry import import_modules

        import_modules(imports or ())
        return command(**given)

    own = list(inspect.signature(command, eval_str=True).parameters.values())
    if "imports" in {entry.name for entry in own}:
        return command
    added = inspect.Parameter("imports", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=ImportsOption)
    return _shown_as(called, [*own, added])


def _shown_as(command: Callable[..., Any], parameters: list[inspect.Parameter]) -> Callable[..., Any]:
    """A command with the parameters that typer shall see: it reads the signature and the annotations."""
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {entry.name: entry.annotation for entry in parameters}
    del command.__wrapped__  # type: ignore[attr-defined]
    return command


def _with(parameters: list[inspect.Parameter]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Add flags to a command, but for those it has itself; it receives those that were given as ``settings``."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        taken = set(inspect.signature(command).parameters)
        added = [entry for entry in parameters if entry.name not in taken]
        names = {entry.name for entry in added}

        @wraps(command)
        def called(**given: Any) -> Any:
            settings = {name: given.pop(name) for name in list(given) if name in names}
            return command(**given, settings={name: value for name, value in settings.items() if value is not None})

        own = [
            entry for entry in inspect.signature(command, eval_str=True).parameters.values() if entry.name != "settings"
        ]
        return _shown_as(called, [*own, *added])

    return decorate


def typed_settings(task: str, settings: Mapping[str, Any], *, several: bool = False) -> dict[str, Any]:
    """Settings as the kind has them: numbers, and flags whose type differs between kinds, are words.

    Args:
        task: name of the kind.
        settings: by name.
        several: numbers separated by commas become a list.

    Raises:
        OptionError: a word does not fit the setting's type in this kind, or the kind has no such setting.
    """

    def typed(name: str, value: Any) -> Any:
        if not isinstance(value, str) or setting_of(task, name).kind is str:
            return value
        words = [word for word in value.split(",") if word.strip()] if several else [value]
        found = [typed_value(task, name, word) for word in words]
        return found[0] if len(found) == 1 else found

    return {name: typed(name, value) for name, value in settings.items()}


def _settings(part: str) -> dict[str, list[tuple[Kind, Setting]]]:
    """The settings of a part by name, each with the kinds that have it."""
    found: dict[str, list[tuple[Kind, Setting]]] = {}
    for kind in kinds():
        for name, entry in settings_in(kind, part).items():
            found.setdefault(name, []).append((kind, entry))
    return found


def _parameters(*, several: bool) -> list[inspect.Parameter]:
    """A flag for each setting that any kind has, those of the first kind first."""
    taken = {"data", "cell"}
    found = []
    settings = {part: _settings(part) for part in PARTS}
    for part in PARTS:
        for name in settings[part]:
            if name not in taken:
                taken.add(name)
                # a setting of the data in one kind may be one of the network in another
                entries = [entry for each in PARTS for entry in settings[each].get(name, ())]
                found.append(_parameter(name, entries, part, several=several))
    return found


def _mixed(entries: Sequence[tuple[Kind, Setting]]) -> bool:
    return len({entry.kind for _, entry in entries}) > 1


def _parameter(
    name: str, entries: Sequence[tuple[Kind, Setting]], part: str, *, several: bool | None = None
) -> inspect.Parameter:
    """A flag whose value is None where it was not given; the help shows the defaults."""
    first = entries[0][1]
    number = several is not None and first.kind in (int, float)
    wanted = str if _mixed(entries) or number else first.kind
    # some are true by default, so each can be switched off, too
    switch = wanted is bool and name != PRETRAIN.name
    aliases = dict.fromkeys(alias for _, entry in entries for alias in entry.aliases)
    flags = (f"{flag(name)}/--no-{flag(name)[2:]}",) if switch else (flag(name), *map(flag, aliases))
    option = typer.Option(
        *flags,
        help=_help(entries) + _default(name),
        metavar=_METAVARS[bool(several)].get(first.kind) if number else _word(entries),
        show_default=False,
        rich_help_panel=_PANELS[part],
    )
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Annotated[wanted | None, option]
    )


def _word(entries: Sequence[tuple[Kind, Setting]]) -> str | None:
    """What the help calls a value that is no number; None: a switch has none."""
    first = entries[0][1]
    return "FILE" if first.is_path else None if first.kind is bool else "NAME" if first.choices else "TEXT"


def _help(entries: Sequence[tuple[Kind, Setting]]) -> str:
    """The setting's help; where it differs between kinds, that of each."""
    kinds_by_help: dict[str, list[str]] = {}
    for kind, entry in entries:
        kinds_by_help.setdefault(entry.help, []).append(kind.name)
    if len(kinds_by_help) == 1:
        return next(iter(kinds_by_help))
    return " ".join(f"{', '.join(names)}: {help}" for help, names in kinds_by_help.items())


def _default(name: str) -> str:
    """The default as text, with the kinds where not all have the setting or they differ."""
    names = kind_names()
    defaults = {
        task: fields[name] for task in names for part in PARTS if name in (fields := setting_fields(task, part))
    }
    if all(isinstance(value, bool) or value is None or value == "" for value in defaults.values()):
        return "" if len(defaults) == len(names) else f" ({', '.join(defaults)})"
    if len(set(defaults.values())) == 1:
        only = "" if len(defaults) == len(names) else f"{', '.join(defaults)}; "
        return f" ({only}default {next(iter(defaults.values()))})"
    values = [f"{'automatic' if value is None else value} for {task}" for task, value in defaults.items()]
    return f" (default {', '.join(values)})"
