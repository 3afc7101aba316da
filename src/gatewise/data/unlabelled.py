"""Texts without labels, for pre-training: one a line, and none that is validated or tested with."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

from gatewise.data.records import TextDataset
from gatewise.data.splits import content_key
from gatewise.data.text_files import read_text_file
from gatewise.errors import DataError

__all__ = ["with_unlabelled"]


def with_unlabelled(dataset: TextDataset, path: str | Path) -> TextDataset:
    """Add the lines of a text file to a data set as texts without labels.

    A line that is a text of any part already is left out: one of the training part would count twice, one of the
    others would leak what is measured with. Repeated lines count once.

    Args:
        dataset: checked, split texts.
        path: a UTF-8 file with one text a line; empty lines are skipped.

    Raises:
        DataError: the file is missing, a folder, empty, binary or not UTF-8, or no line is left.

    Example:
        >>> import tempfile, numpy as np
        >>> from gatewise.data.records import Split
        >>> path = Path(tempfile.mkdtemp()) / "more.txt"
        >>> _ = path.write_text("a new text\\n\\nb\\n")
        >>> part = Split(("b",), np.array([0]))
        >>> dataset = TextDataset("letters", "here", "-", ("v", "c"), Split(("a",), np.array([0])), part, part, "0")
        >>> with_unlabelled(dataset, path).unlabelled
        ('a new text',)
    """
    place = Path(path).expanduser()
    lines = [line.strip() for line in read_text_file(place).splitlines()]
    known = {content_key(text) for part in (dataset.train, dataset.validation, dataset.test) for text in part.texts}
    found: dict[str, str] = {}
    for line in lines:
        if line:
            found.setdefault(content_key(line), line)
    texts = tuple(text for key, text in found.items() if key not in known)
    if not texts:
        raise DataError(
            f"{place} has no text that is not in {dataset.name} already",
            expected="one text a line, other than those of the data set",
            fix="name another file with --unlabelled, or leave it away",
        )
    digest = hashlib.sha256(dataset.fingerprint.encode())
    for text in texts:
        content = text.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "little") + content)
    left_out = len(found) - len(texts)
    note = f"{len(texts):,} texts without labels from {place.name}, to pre-train on"
    if left_out:
        note += f"; {left_out:,} that are in the data set already were left out"
    return replace(dataset, unlabelled=texts, fingerprint=digest.hexdigest(), notes=(*dataset.notes, note))
