"""Texts without labels, for pre-training: one a line, none of them in the validation or test part."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from gatewise.data.duplicates import token_key
from gatewise.data.labelled_lines import holds_labelled_lines, without_labels
from gatewise.data.records import TextDataset
from gatewise.data.text_files import read_text_file
from gatewise.errors import DataError

__all__ = ["read_unlabelled", "with_unlabelled"]


def read_unlabelled(path: str | Path) -> list[str]:
    """The lines of a UTF-8 file, one text each; empty ones are skipped, and labels of fastText's lines.

    Raises:
        DataError: the file is missing, a folder, empty, binary or not UTF-8.
    """
    place = Path(path).expanduser()
    text_of = without_labels if holds_labelled_lines(place) else str.strip
    return [text for line in read_text_file(place).splitlines() if (text := text_of(line))]


def with_unlabelled(dataset: TextDataset, texts: Sequence[str], source: str) -> TextDataset:
    """Add texts without labels to a data set.

    A text that is in any part already is left out: one of the training part would count twice, one of the others
    would leak validation or test data. Repeated texts count once.

    Args:
        dataset: checked, split texts.
        texts: further texts.
        source: where they came from, for notes and messages.

    Raises:
        DataError: no text is left.

    Example:
        >>> import numpy as np
        >>> from gatewise.data.records import Split
        >>> part = Split(("b",), np.array([0]))
        >>> dataset = TextDataset("letters", "here", "-", ("v", "c"), Split(("a",), np.array([0])), part, part, "0")
        >>> with_unlabelled(dataset, ["a new text", "b"], "the desk").unlabelled
        ('a new text',)
    """
    known = {token_key(text) for part in (dataset.train, dataset.validation, dataset.test) for text in part.texts}
    found: dict[str, str] = {}
    for text in texts:
        if key := token_key(text):
            found.setdefault(key, text)
    kept = tuple(text for key, text in found.items() if key not in known)
    if not kept:
        raise DataError(
            f"{source} has no text that is not in {dataset.name} already",
            expected="texts other than those of the data set",
            fix="name another file with --unlabelled, or omit it",
        )
    digest = hashlib.sha256(dataset.fingerprint.encode())
    for text in kept:
        content = text.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "little") + content)
    left_out = len(found) - len(kept)
    note = f"{len(kept):,} {'text' if len(kept) == 1 else 'texts'} without labels from {source}, to pre-train on"
    if left_out:
        note += f"; {left_out:,} that are in the data set already were left out"
    return replace(dataset, unlabelled=kept, fingerprint=digest.hexdigest(), notes=(*dataset.notes, note))
