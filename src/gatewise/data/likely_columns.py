"""Options that name the columns of a table whose names leave them undecided: the likeliest, by their values."""

from __future__ import annotations

import shlex

from gatewise.data.rows import Rows
from gatewise.data.text_or_label import are_labels, are_texts, filled
from gatewise.data.usual_names import known_column
from gatewise.errors import DataError

__all__ = ["UndecidedError", "likely_options"]


class UndecidedError(DataError):
    """The names of the columns do not say which hold texts and labels."""

    def with_options(self, options: str | None) -> DataError:
        """The error for a person, with options that read the table; None: there are none to name."""
        fix = self.fix if options is None else f"{self.fix}; for example: {options}"
        return DataError(self.message, expected=self.expected, got=self.got, fix=fix)


def likely_options(rows: Rows, text: str | None, label: str | None, group: str | None = None) -> str | None:
    """The options that read a table, with the columns that are given or have usual names, else the likeliest.

    The texts are the longest values that differ, the labels those that repeat with the fewest different ones.

    Args:
        rows: of the table.
        text: the column that was asked for; None: none.
        label: likewise.
        group: likewise; it holds neither.

    Returns:
        The options of texts and labels; None: the values do not show any.

    Example:
        >>> from pathlib import Path
        >>> values = [[str(n), f"der Satz {n}", "Tier" if n % 2 else "Ding"] for n in range(8)]
        >>> likely_options(Rows(Path("my file.csv"), ("nr", "satz", "art"), values, list(range(8))), None, None)
        '--text satz --label art'
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
    return shlex.join(["--text", found["text"], "--label", found["label"]])
