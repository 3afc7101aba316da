"""Columns whose names have commas, beside columns that are named with commas between them."""

from __future__ import annotations

from collections.abc import Collection

__all__ = ["one_column_note"]


def one_column_note(name: str, columns: Collection[str]) -> list[str]:
    """A note where words mean one column, and could mean several: each part between commas is one, too.

    Args:
        name: of the column that is read.
        columns: all that there are.

    Example:
        >>> print(*one_column_note("a,b", ["a", "b", "a,b"]))
        'a,b' is read as the column of this name, not as the columns 'a' and 'b': for these write 'a, b'
        >>> one_column_note("a,b", ["a", "a,b"])
        []
    """
    parts = [part.strip() for part in name.split(",")]
    if len(parts) == 1 or not all(part in columns for part in parts):
        return []
    listed = f"{', '.join(map(repr, parts[:-1]))} and {parts[-1]!r}"
    forms = (", ".join(parts), ",".join(parts), ", ".join(reversed(parts)), ",".join(reversed(parts)))
    several = next((form for form in forms if not _joins(form, columns)), None)
    instead = f"for these write {several!r}" if several else "for these rename it"
    return [f"{name!r} is read as the column of this name, not as the columns {listed}: {instead}"]


def _joins(form: str, columns: Collection[str]) -> bool:
    """Whether a column has the name of some of the parts with their commas."""
    parts = form.split(",")
    spans = ((start, end) for start in range(len(parts)) for end in range(start + 2, len(parts) + 1))
    return any(",".join(parts[start:end]).strip() in columns for start, end in spans)
