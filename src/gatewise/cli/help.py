"""The help of commands: all in one form, every option written out in full, whatever the width of the terminal."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand, TyperGroup

from gatewise.screen import console

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["Command", "Commands"]

_INDENT = 28
_WIDEST = 120
_TYPES = {
    "bool": "",
    "str": " TEXT",
    "path": " FILE",
    "int": " N",
    "int range": " N",
    "float": " X",
    "float range": " X",
}
"""What stands behind an option whose value has no name of its own, by the name of its type."""
_LAST = ("--import", "--install-completion", "--show-completion", "--version", "--help", "-h")
"""Options that every command has, in this order, at the end."""


class Command(TyperCommand):
    """A command whose help lists its options by group: names in full, their meaning beside or below them."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print usage, purpose and options; nothing is left for the formatter."""
        screen = _begun(self, ctx)
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = _record(parameter, ctx)
            if record is not None:
                own = "Arguments" if parameter.param_type_name == "argument" else "Options"
                groups.setdefault(getattr(parameter, "rich_help_panel", None) or own, []).append(record)
        for name in sorted(groups, key=lambda name: ("Arguments", "Options").index(name) if name in _FIRST else 2):
            _print_group(screen, name, groups[name])


class Commands(TyperGroup):
    """All commands; their help is as that of each."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print usage, purpose, commands and options; nothing is left for the formatter."""
        screen = _begun(self, ctx)
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        _print_group(screen, "Commands", [(name, _purpose(each)) for name, each in found if each and not each.hidden])
        records = [record for each in self.get_params(ctx) if (record := _record(each, ctx)) is not None]
        _print_group(screen, "Options", records)


def _begun(command: Any, ctx: Any) -> Console:
    """Print usage and purpose; the screen."""
    from rich.markdown import Markdown
    from rich.padding import Padding
    from rich.text import Text

    screen = console()
    screen.width = min(screen.width, _WIDEST)
    words = [_argument(each) for each in command.get_params(ctx) if each.param_type_name == "argument"]
    words = ["Usage:", ctx.command_path, "[OPTIONS]", *words, *(["COMMAND"] if isinstance(command, TyperGroup) else [])]
    screen.print(Text(" ".join(words), style="bold"))
    screen.print()
    if command.help:
        text = inspect.cleandoc(command.help).partition("\f")[0]
        screen.print(Padding(Markdown(text, justify="left"), (0, 0, 0, 2)))
    return screen


def _purpose(command: Any) -> str:
    """The first paragraph of a command's help."""
    return " ".join(inspect.cleandoc(command.help or "").partition("\n\n")[0].split())


def _argument(parameter: Any) -> str:
    """An argument as manuals write it: ``RUN``, ``[DATA]``, ``RUN...``."""
    given = parameter.metavar or parameter.name.upper()
    if " " in given:  # several of different meaning
        return str(given)
    name = re.sub(r"[\[\].]", "", given)
    return (name if parameter.required else f"[{name}]") + ("..." if parameter.nargs == -1 else "")


def _record(parameter: Any, ctx: Any) -> tuple[str, str] | None:
    """Names and meaning of a parameter; None: it is hidden."""
    record = parameter.get_help_record(ctx)
    if record is None:
        return None
    flags, meaning = record
    argument = parameter.param_type_name == "argument"
    if argument:
        return _argument(parameter), _said(meaning, parameter.required)
    flags = re.sub(r"\s*<([a-z\[\] ]+)>", lambda found: _TYPES.get(found[1], " NAME"), flags)
    if " / --no-" in flags:
        meaning = meaning.replace("[default: ", "[default: --")
    return flags, _said(meaning, False)


def _said(meaning: str, shown: bool) -> str:
    """A meaning with its default and bounds as the other settings say them: ``(default 3, at least 1)``.

    Args:
        meaning: with what typer added in brackets.
        shown: whether the usage shows that it is required.

    Example:
        >>> _said("Steps.  [default: 101; x>=2]", False), _said("Seconds. (default 9)  [x>=0.0]", False)
        ('Steps. (default 101, at least 2)', 'Seconds. (default 9, at least 0)')
    """
    added = re.search(r"\s*\[((?:default: |required|-?[\d.]*<?=?x[<>]).*)\]$", meaning)
    if added is None:
        return meaning
    text, parts = meaning[: added.start()], []
    for part in added[1].split("; "):
        bound = re.fullmatch(r"x>=(-?[\d.]+?)(?:\.0)?", part)
        if part != "required" or not shown:
            parts.append(f"at least {bound[1]}" if bound else part.replace("default: ", "default ", 1))
    if not parts:
        return text
    if text.endswith(")") and "(default " in text:
        return f"{text[:-1]}, {', '.join(parts)})"
    return f"{text} ({', '.join(parts)})"


def _print_group(screen: Console, name: str, records: list[tuple[str, str]]) -> None:
    """A heading, and each entry; what every command has comes last."""
    from rich.text import Text

    screen.print()
    screen.print(Text(name, style="bold"))
    places = {flag: place for place, flag in enumerate(_LAST, 1)}
    for flags, meaning in sorted(records, key=lambda record: places.get(record[0].split()[0].rstrip(","), 0)):
        _print_option(screen, flags, meaning)


_FIRST = ("Arguments", "Options")


def _print_option(screen: Console, flags: str, meaning: str) -> None:
    """The names, and the meaning beside them or, where they are too long, below."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    names = Text(flags.replace(" / ", ", "), style="cyan", overflow="fold")
    if len(names) > _INDENT - 4:
        screen.print(Padding(names, (0, 0, 0, 2)))
        screen.print(Padding(_meaning(meaning), (0, 0, 0, _INDENT)))
        return
    row = Table.grid(padding=0)
    row.add_column(width=_INDENT - 2)
    row.add_column(overflow="fold")
    row.add_row(names, _meaning(meaning))
    screen.print(Padding(row, (0, 0, 0, 2)))


def _meaning(text: str) -> Text:
    """The meaning; what stands between backticks is set apart."""
    from rich.text import Text

    found = Text(overflow="fold")
    for place, part in enumerate(text.split("`")):
        found.append(part, style="cyan" if place % 2 else "")
    return found
