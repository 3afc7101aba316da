"""The help of a command: every option written out in full, whatever the width of the terminal."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from typer.core import TyperCommand

from gatewise.screen import console

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

__all__ = ["Command"]

_INDENT = 28
_WIDEST = 120


class Command(TyperCommand):
    """A command whose help lists its options by group: names in full, their meaning beside or below them."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print usage, purpose and options; nothing is left for the formatter."""
        from rich.markdown import Markdown
        from rich.padding import Padding
        from rich.text import Text

        screen = console()
        screen.width = min(screen.width, _WIDEST)
        screen.print(Text(self.get_usage(ctx), style="bold"))
        screen.print()
        if self.help:
            text = inspect.cleandoc(self.help).partition("\f")[0]
            screen.print(Padding(Markdown(text, justify="left"), (0, 0, 0, 2)))
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                own = "Arguments" if parameter.param_type_name == "argument" else "Options"
                groups.setdefault(getattr(parameter, "rich_help_panel", None) or own, []).append(record)
        for name in sorted(groups, key=lambda name: ("Arguments", "Options").index(name) if name in _FIRST else 2):
            screen.print()
            screen.print(Text(name, style="bold"))
            for flags, meaning in groups[name]:
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
