"""From files to sentence pairs that are split without leaks, with their subwords."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from gatewise.data.cache import Remote, folder_at_hand, known_path
from gatewise.data.duplicates import NEAR_WORDS, copies_in, near_duplicates, near_others
from gatewise.data.parts import (
    FEWEST,
    check_fewest,
    content_number,
    held_groups,
    kept_by_content,
    least_of_groups,
    note_on_given_parts,
    split,
)
from gatewise.data.records import DatasetInfo
from gatewise.data.subwords import Subwords
from gatewise.errors import DataError, did_you_mean
from gatewise.kinds.translation.pairs import SentencePairs
from gatewise.kinds.translation.reading import read_pairs, sibling
from gatewise.kinds.translation.spec import TranslationDataSpec
from gatewise.words import plural

__all__ = ["TranslationDataset", "hold_out", "load_translation", "translation_dataset", "translation_infos"]

_ADDRESS = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw/"
_CHECKSUMS = {
    "train.en": "460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6",
    "train.de": "2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72",
    "val.en": "1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227",
    "val.de": "660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660",
    "test_2016_flickr.en": "399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182",
    "test_2016_flickr.de": "4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16",
}
_FILES = {
    name: Remote(f"{_ADDRESS}{name}.gz", f"multi30k/{name}.gz", f"sha256:{checksum}", "1 MB in all")
    for name, checksum in _CHECKSUMS.items()
}
_PARTS = {"train": "train", "validation": "val", "test": "test_2016_flickr"}
_SIZES = {"test": (0.1, 2_000), "validation": (0.1 / (1 - 0.1), 1_000)}
"""Share of what is left when the part is cut, and at most so many."""


@dataclass(frozen=True, eq=False)
class TranslationDataset:
    """Checked, split sentence pairs.

    Attributes:
        name: registry name or file name.
        source: where the records came from, in a sentence.
        split_note: what the test part is, in a sentence.
        source_subwords: of the language that is read, from the training part.
        target_subwords: of the language that is written; the same object where they share one vocabulary.
        train: the part that subwords and weights are fitted on.
        validation: the part that decides when to stop and which weights to keep.
        test: the part that only the final figures see.
        fingerprint: SHA-256 of all sentences, in order.
        notes: what was detected, skipped or matters for the figures, a sentence each.
        metric: the figure by which is chosen and compared, as ``--metric`` has it.
    """

    name: str
    source: str
    split_note: str
    source_subwords: Subwords
    target_subwords: Subwords
    train: SentencePairs
    validation: SentencePairs
    test: SentencePairs
    fingerprint: str
    notes: tuple[str, ...] = ()
    metric: str = "bleu"

    @property
    def sizes(self) -> dict[str, int]:
        """Pairs of each part."""
        return {name: len(getattr(self, name)) for name in ("train", "validation", "test")}

    @property
    def shared(self) -> bool:
        """Whether both languages have one vocabulary."""
        return self.source_subwords is self.target_subwords


def translation_infos(cache: str | Path | None = None) -> list[DatasetInfo]:
    """The sentence pairs that are known by name, and whether each is available.

    Example:
        >>> [info.name for info in translation_infos()]
        ['multi30k']
    """
    place = folder_at_hand(_FILES.values(), cache)
    return [
        DatasetInfo(
            "multi30k",
            "translation",
            "captions of photographs, English and German (Elliott et al., 2016)",
            bool(place),
            place,
            f"--download (1 MB from {_ADDRESS})",
        )
    ]


def load_translation(data: TranslationDataSpec, cache: str | Path | None = None) -> TranslationDataset:
    """Load, check and split sentence pairs.

    Args:
        data: which.
        cache: the cache folder; None: ``GATEWISE_DATA``, else the platform's.

    Raises:
        DataError: the name is unknown, a file cannot be used, or too little of it is left.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "numbers.tsv"
        >>> names = [(f"house {n} is large", f"das Haus {n} ist gross") for n in range(40)]
        >>> _ = path.write_text("\\n".join("\\t".join(pair) for pair in names) + "\\n")
        >>> dataset = load_translation(TranslationDataSpec(str(path), vocabulary_size=300))
        >>> sum(dataset.sizes.values()), dataset.train.targets[0].startswith("das Haus")
        (40, True)
    """
    if data.data == "multi30k":
        return _load_multi30k(data, cache)
    path = Path(data.data).expanduser()
    if not path.exists() and path.suffix == "" and path.parent == Path():
        raise DataError(
            f"there is neither a known data set nor a file called {data.data!r}",
            expected="multi30k, or the path of a file",
            fix=did_you_mean(data.data, ["multi30k"]),
        )
    whole = _read(path, data.translations, data)
    notes = list(whole.notes)
    if data.translations is None and not (data.source_column or data.target_column):
        notes.append(
            "as --reverse asks, the network translates from the translations to the sentences"
            if data.reverse
            else "--reverse translates the other way round; --source-column and --target-column name the columns"
        )
    given: dict[str, SentencePairs] = {}
    for name, file, translations in (
        ("test", data.test, data.test_translations),
        ("validation", data.validation, data.validation_translations),
    ):
        if file is not None:
            given[name] = _read_further(Path(file).expanduser(), translations, name, path, data)
            notes += given[name].notes
    parts = split(
        whole,
        given,
        without=partial(_without, notes=notes),
        hold_out=lambda rest, part: hold_out(rest, *_SIZES[part], part, notes if part == "test" else None),
    )
    tested = plural(len(parts["test"]), "pair")
    if data.test is not None:
        test_note = f"the {tested} of {Path(data.test).name}"
    else:
        test_note = f"{tested} held out of {path.name}, the same ones every time"
    return translation_dataset(path.name, f"the file {path}", test_note, parts, data, notes)


def translation_dataset(
    name: str,
    source: str,
    split_note: str,
    parts: dict[str, SentencePairs],
    data: TranslationDataSpec,
    notes: Sequence[str] = (),
) -> TranslationDataset:
    """Turn the parts round where asked, and fit the subwords on the training part.

    Args:
        name: of the data set.
        source: where the records came from.
        split_note: what the test part is.
        parts: ``train``, ``validation`` and ``test``, not turned round.
        data: sizes and direction.
        notes: of the reader.

    Raises:
        DataError: too few pairs to train on.
    """
    if data.reverse:
        parts = {part: pairs.reversed() for part, pairs in parts.items()}
    said = list(notes)
    train = _limited(parts["train"], data.examples)
    check_fewest(len(train), name, "sentence pairs", "add pairs")
    if data.shared_vocabulary:
        ours = theirs = Subwords.fit([*train.sources, *train.targets], data.vocabulary_size, lowercase=data.lowercase)
    else:
        ours = Subwords.fit(train.sources, data.vocabulary_size, lowercase=data.lowercase)
        theirs = Subwords.fit(train.targets, data.vocabulary_size, lowercase=data.lowercase)
    train = _without_long(train, ours, theirs, data.max_tokens, said)
    digest = hashlib.sha256()
    for part in (train, parts["validation"], parts["test"]):
        for pair in zip(part.sources, part.targets, strict=True):
            digest.update("\0".join(pair).encode("utf-8", "surrogatepass") + b"\1")
        digest.update(b"\2")
    return TranslationDataset(
        name,
        source,
        split_note,
        ours,
        theirs,
        train,
        parts["validation"],
        parts["test"],
        digest.hexdigest(),
        tuple(dict.fromkeys(said)),
        data.metric,
    )


def _load_multi30k(data: TranslationDataSpec, cache: str | Path | None) -> TranslationDataset:
    """The official parts: English to German, unless turned round."""
    how_to_get = translation_infos(cache)[0].how_to_get
    parts = {}
    for part, stem in _PARTS.items():
        places = []
        for language in ("en", "de"):
            remote = _FILES[f"{stem}.{language}"]
            places.append(known_path(remote, "multi30k", how_to_get, cache, download=data.download))
        parts[part] = read_pairs(places[0], places[1])
    sides = [part.targets if data.reverse else part.sources for part in (parts["test"], parts["train"])]
    notes = [note_on_given_parts(*sides)]
    direction = "German to English" if data.reverse else "English to German"
    note = f"the {plural(len(parts['test']), 'pair')} of test_2016_flickr, {direction}"
    return translation_dataset("multi30k", f"Multi30k, task 1, {direction}", note, parts, data, notes)


def _read(path: Path, translations: str | None, data: TranslationDataSpec) -> SentencePairs:
    other = None if translations is None else Path(translations).expanduser()
    return read_pairs(path, other, source=data.source_column, target=data.target_column)


def _read_further(
    path: Path, translations: str | None, part: str, training: Path, data: TranslationDataSpec
) -> SentencePairs:
    """A test or validation file, with translations in a second file where the training part has such."""
    if translations is None and data.translations is not None:
        found = sibling(path, training, Path(data.translations).expanduser())
        if found is None:
            raise DataError(
                f"the translations of {path} are not known",
                expected=f"a file that is named like it as {Path(data.translations).name} like {training.name}",
                fix=f"name it with --{part}-translations",
            )
        translations = str(found)
    return _read(path, translations, data)


def hold_out(
    pairs: SentencePairs, share: float, most: int, part: str, notes: list[str] | None = None
) -> tuple[SentencePairs, SentencePairs]:
    """A share of the pairs by content, and the others; near duplicates of either side stay together.

    So the parts are the same in both directions, and neither a sentence nor its translation is in two of them.

    Args:
        pairs: to be split.
        share: of the distinct ones.
        most: held out at most.
        part: what is held out, for the message.
        notes: is added how many near duplicates there are.

    Raises:
        DataError: nothing would be left.
    """
    groups = _alike(pairs.sources, pairs.targets)
    copies = copies_in(groups)
    if copies and notes is not None:
        notes.append(
            f"{plural(copies, 'pair')} of {pairs.place} are near duplicates of others on either side ({NEAR_WORDS}): "
            "each is in one part with its copies"
        )
    least = least_of_groups([content_number(source, "") for source in pairs.sources], groups.tolist())
    chosen, others = held_groups(groups.tolist(), least, max(1, round(min(share * len(pairs), most))))
    if not others:
        raise DataError(
            f"too little in {pairs.place}: nothing is left beside the {part} part",
            expected=f"at least {FEWEST} different sentences",
            got=plural(len(least), "different sentence"),
            fix="add pairs",
        )
    return pairs.take(chosen), pairs.take(others)


def _without(pairs: SentencePairs, others: Sequence[SentencePairs], part: str, notes: list[str]) -> SentencePairs:
    """Pairs of whose two sentences none is in another part, nor a near duplicate of one there.

    Raises:
        DataError: there are none.
    """
    part = "training" if part == "train" else part
    near = near_others(pairs.sources, [source for other in others for source in other.sources])
    near_targets = near_others(pairs.targets, [target for other in others for target in other.targets])
    kept = [row for row, alike in enumerate(zip(near, near_targets, strict=True)) if not any(alike)]
    if lost := len(pairs) - len(kept):
        notes.append(
            f"{plural(lost, 'pair')} of {pairs.place} left out of the {part} part: a side is in another part, or "
            f"a near duplicate of one ({NEAR_WORDS})"
        )
    if not kept:
        raise DataError(
            f"every sentence of {pairs.place} is in another part too",
            expected=f"other sentences in the {part} part",
            fix="name other files, or omit --test and --validation: parts are held out instead",
        )
    return pairs.take(kept)


def _alike(sources: Sequence[str], targets: Sequence[str]) -> npt.NDArray[np.int64]:
    """The group of each pair: pairs with near duplicates on either side are in one."""
    count = len(sources)
    sides = [near_duplicates(side).groups for side in (sources, targets)]
    places = np.concatenate([count + sides[0], 2 * count + sides[1]])
    links = coo_array((np.ones(2 * count), (np.tile(np.arange(count), 2), places)), shape=(3 * count, 3 * count))
    found = connected_components(links, directed=False)[1][:count]
    return np.unique(found, return_inverse=True)[1].astype(np.int64)


def _limited(pairs: SentencePairs, count: int | None) -> SentencePairs:
    """At most so many pairs, chosen by content, in the file's order."""
    rows = range(len(pairs))
    return pairs.take(kept_by_content(rows, count, lambda row: content_number(pairs.sources[row], pairs.targets[row])))


def _without_long(pairs: SentencePairs, ours: Subwords, theirs: Subwords, most: int, notes: list[str]) -> SentencePairs:
    """Training pairs of at most so many subwords on each side."""
    sides = ((pairs.sources, ours), (pairs.targets, theirs))
    lengths = np.array([[len(row) for row in subwords.encode(texts)] for texts, subwords in sides])
    long = lengths.max(axis=0) > most
    if not long.any():
        return pairs
    kept = np.flatnonzero(~long).tolist()
    notes.append(
        f"{plural(int(long.sum()), 'training pair')} with more than {most} subwords left out (--max-tokens); the "
        f"longest has {int(lengths.max()):,}"
    )
    if len(kept) < FEWEST:
        raise DataError(
            f"{pairs.place} has too few pairs of at most {most} subwords",
            expected=f"at least {FEWEST}",
            got=f"{len(kept)}",
            fix="give a larger --max-tokens, or a sentence a row",
        )
    return pairs.take(kept)
