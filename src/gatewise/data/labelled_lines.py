"""Lines of labels and text as fastText has them: ``__label__sport __label__politics the minister opened the match``."""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path

from gatewise.data.rows import Rows, is_table
from gatewise.data.text_files import lines_of, read_content

__all__ = ["LABEL_SEPARATOR", "holds_labelled_lines", "holds_several_labels", "read_labelled_lines", "without_labels"]

LABEL_SEPARATOR = " "
"""What separates several labels of such a line, once they are joined: none of them can hold it."""
_LABEL = re.compile(r"(?:^|(?<=\s))__label__(\S+)\s*")
_SEVERAL = re.compile(rb"(?:^|\s)__label__\S[^\r\n]*\s__label__\S")
_LOOKED_AT, _CHARACTERS = 20, 1 << 16
_SHARE = 0.5


def holds_labelled_lines(path: Path) -> bool:
    """Whether a text file, gzip or not, has labels that begin with ``__label__`` in most of its first lines.

    A table by its suffix must begin with one, which is then no header; a text of JSON may hold one, too.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "train.txt"
        >>> _ = path.write_text("__label__good a fine film\\n__label__bad a dull one\\n")
        >>> holds_labelled_lines(path)
        True
    """
    if not path.is_file():
        return False
    try:
        with (gzip.open if path.suffix.lower() == ".gz" else open)(path, "rb") as file:
            start = file.read(_CHARACTERS)
    except (OSError, EOFError, zlib.error):
        return False
    lines = [line for line in start.decode("utf-8-sig", "ignore").splitlines() if line.strip()][:_LOOKED_AT]
    found = [_LABEL.search(line) for line in lines]
    if sum(each is not None for each in found) <= _SHARE * len(lines):
        return False
    first = found[0]
    return not is_table(path) or (first is not None and first.start() == 0 and "," not in first.group(1))


def holds_several_labels(path: Path) -> bool:
    """Whether any line of such a file has several labels.

    Raises:
        DataError: the file cannot be read.
    """
    return any(_SEVERAL.search(line) for line in read_content(path, "a text a line").splitlines())


def read_labelled_lines(path: Path, content: str, *, blank: bool = False) -> Rows:
    """A table of texts and labels, a row for each line that is not blank.

    The label of a row is the name behind ``__label__``; of a line with several a list of them, with none ``""``.

    Args:
        path: of the file.
        content: its text.
        blank: a row for each blank line, too, with neither text nor label.

    Example:
        >>> read_labelled_lines(Path("a.txt"), "__label__good a film\\n\\n__label__a __label__b two\\nnone\\n").values
        [['a film', 'good'], ['two', ['a', 'b']], ['none', '']]
    """
    values: list[list[object]] = []
    numbers = []
    for number, line in enumerate(lines_of(content), start=1):
        if blank or line.strip():
            names = _LABEL.findall(line)
            values.append([without_labels(line), names if len(names) > 1 else "".join(names)])
            numbers.append(number)
    several = sum(isinstance(label, list) for _, label in values)
    note = f"{path.name} is read as texts whose labels begin with __label__, as fastText has them"
    if several:
        note += f"; {several:,} of {len(values):,} lines have several"
    return Rows(path, ("text", "label"), values, numbers, notes=[note])


def without_labels(line: str) -> str:
    """The text of a line.

    Example:
        >>> without_labels("__label__a __label__b a my__label__c film __label__d")
        'a my__label__c film'
    """
    return _LABEL.sub("", line).strip()
