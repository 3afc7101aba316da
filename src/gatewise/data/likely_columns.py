"""A command that names the columns of a table whose names leave them undecided: the likeliest, by their values."""

from __future__ import annotations

import shlex

from gatewise.data.rows import Rows
from gatewise.data.text_or_label import are_labels, are_texts, filled
from gatewise.data.usual_names import known_column
from gatewise.errors import DataError

__all__ = ["EXAMPLE", "UndecidedError", "ready_command"]

EXAMPLE = "for example: gatewise train "
"""What such a command begins with; `gatewise compare` puts its own name in its place."""


class UndecidedError(DataError):
    """The names of the columns do not say which hold texts and labels."""

    def with_command(self, command: str | None) -> DataError:
        """The error for a person, with a command that reads the table; None: there is none to name."""
        fix = self.fix if command is None else f"{self.fix}; {command}"
        return DataError(self.message, expected=self.expected, got=self.got, fix=fix)


def ready_command(
    rows: Rows, text: str | None, label: str | None, group: str | None = None, separator: str | None = None
) -> str | None:
    """The command that reads a table, with the columns that are given or have usual names, else the likeliest.

    The texts are the longest values that differ, the labels those that repeat with the fewest different ones.

    Args:
        rows: of the table.
        text: the column that was asked for; None: none.
        label: likewise.
        group: likewise; it holds neither.
        separator: of several labels, where it was given.

    Returns:
        The command after the words "for example"; None: the values do not show any.

    Example:
        >>> from pathlib import Path
        >>> values = [[str(n), f"der Satz {n}", "Tier" if n % 2 else "Ding"] for n in range(8)]
        >>> ready_command(Rows(Path("my file.csv"), ("nr", "satz", "art"), values, list(range(8))), None, None)
        "for example: gatewise train 'my file.csv' --text satz --label art"
    """
    names = rows.columns
    free = [place for place, name in enumerate(names) if names.count(name) == 1 and name != group]
    asked = {"text": text, "label": label}
    found = {role: names[place] for role in asked if (place := known_column(names, role)) is not None}
    found |= {role: name for role, name in asked.items() if name is not None}
    if "text" not in found:
        texts = [place for place in free if names[place] != found.get("label") and are_texts(filled(rows, place))]
        if not texts:
            return None
        found["text"] = names[max(texts, key=lambda place: sum(len(str(each)) for each in filled(rows, place)))]
    if "label" not in found:
        labels = [place for place in free if names[place] != found["text"] and are_labels(filled(rows, place))]
        if not labels:
            return None
        found["label"] = names[min(labels, key=lambda place: len({str(each) for each in filled(rows, place)}))]
    options = [("--text", found["text"]), ("--label", found["label"]), ("--group", group), ("--separator", separator)]
    words = [word for option, value in options if value is not None for word in (option, shlex.quote(value))]
    return f"{EXAMPLE}{shlex.quote(str(rows.path))} {' '.join(words)}"
