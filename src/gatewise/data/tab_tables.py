"""Text files whose lines are rows of a table, with tabs between the columns: labels and texts, words and main forms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

__all__ = ["columns_note", "holds_tab_table"]

_SUFFIXES = (".txt", ".text")
_READ = 50_000
_LEAST = 10
_WORDS_OF_A_TEXT = 3.0
_WORDS_OF_A_LABEL = 3
_DISTINCT_LABELS = 0.2
_DISTINCT_TEXTS = 0.7
_ALIKE = 0.95


def holds_tab_table(path: Path) -> bool:
    """Whether a text file is a table of texts and labels: in its beginning each line that is not blank has one tab.

    On one side of it stand texts (three words and more, seven of ten different), on the other at most a fifth as many
    different labels as lines, of at most three words each.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "messages.txt"
        >>> _ = path.write_text("".join(f"{'spam' if n % 3 else 'ham'}\\tcall me at number {n}\\n" for n in range(30)))
        >>> holds_tab_table(path)
        True
    """
    if path.suffix.lower() not in _SUFFIXES or not path.is_file():
        return False
    with path.open("rb") as file:
        start = file.read(_READ)
    lines = [line for line in start.decode("utf-8-sig", "ignore").splitlines() if line.strip()]
    lines = lines[:-1] if len(start) == _READ else lines
    if len(lines) < _LEAST or any(line.count("\t") != 1 for line in lines):
        return False
    first, second = zip(*(line.split("\t") for line in lines), strict=True)
    return any(_are_texts(texts) and _are_labels(labels) for texts, labels in ((first, second), (second, first)))


def columns_note(name: str, lines: Sequence[str]) -> list[str]:
    """A note on running text whose lines look like rows of a table, and how it is read as one.

    Args:
        name: of the file.
        lines: all its lines.

    Example:
        >>> columns_note("lemmas.txt", [f"word{n}\\tform{n}" for n in range(20)])[0][:53]
        'the lines of lemmas.txt look like 2 columns with tabs'
        >>> columns_note("novel.txt", ["a line without a tab"] * 20)
        []
    """
    filled = [line for line in lines if line.strip()]
    if len(filled) < _LEAST:
        return []
    tabs, count = Counter(line.strip().count("\t") for line in filled).most_common(1)[0]
    if tabs == 0 or count < _ALIKE * len(filled):
        return []
    return [
        f"the lines of {name} look like {tabs + 1} columns with tabs between them, and are read as running text; as "
        "pairs of which one is written for the other (a word and its main form, a sentence and its translation): "
        "--task translation; as a word and its tag a line, with a blank line after each sentence: --task tagging; as "
        "texts and labels: rename it .tsv, with a first line that names the columns"
    ]


def _are_texts(values: tuple[str, ...]) -> bool:
    words = sum(len(value.split()) for value in values)
    return words >= _WORDS_OF_A_TEXT * len(values) and len(set(values)) >= _DISTINCT_TEXTS * len(values)


def _are_labels(values: tuple[str, ...]) -> bool:
    short = all(0 < len(value.split()) <= _WORDS_OF_A_LABEL for value in values)
    return short and 2 <= len(set(values)) <= max(2, _DISTINCT_LABELS * len(values))
