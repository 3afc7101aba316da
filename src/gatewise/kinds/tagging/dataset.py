"""From files to sentences that are split without leaks, with their vocabulary and tags."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gatewise.data.cache import Remote, cache_folder, folder_at_hand, known_path
from gatewise.data.duplicates import NEAR_WORDS, copies_in, near_duplicates, near_others
from gatewise.data.parts import (
    FEWEST,
    check_fewest,
    content_number,
    kept_by_content,
    least_of_groups,
    least_share,
    note_on_given_parts,
    split,
)
from gatewise.data.records import DatasetInfo
from gatewise.data.word_vectors import WordVectors, read_vectors
from gatewise.errors import DataError, OptionError
from gatewise.kinds.tagging.reading import read_tagged
from gatewise.kinds.tagging.sentences import ColumnsRead, Sentence, TaggedSentences
from gatewise.kinds.tagging.spec import TaggingDataSpec, column
from gatewise.kinds.tagging.tag_set import TagSet
from gatewise.kinds.tagging.vocabulary import WordVocabulary, normalise
from gatewise.words import plural, share

__all__ = ["TaggingDataset", "TaggingPart", "hold_out", "load_tagging", "tagging_dataset", "tagging_infos"]

Numbers = npt.NDArray[np.int64]
_CONLL = {
    "train": ("train.txt", "20d0e0b801f2e6e0dd674ac381c4804f9294c7839d73234d5c43affc5df531d9"),
    "validation": ("valid.txt", "a80eb0886f28c26241e34c6a1c44f0409a9937970ac5169eaf1ad0fe721ea0b1"),
    "test": ("test.txt", "652c0a397cf4397a7fdb10ad042c50580a8f9ab87d91ed93737bcd57b42f47bb"),
}
_FILES = {part: Remote("", f"conll2003/{name}", f"sha256:{checksum}") for part, (name, checksum) in _CONLL.items()}
_SHARES = {"test": 0.2, "validation": 0.1 / (1 - 0.2)}
"""Of what is left when the part is cut."""


@dataclass(frozen=True, eq=False)
class TaggingPart:
    """Sentences with the numbers of their tags: N of each."""

    sentences: tuple[Sentence, ...]
    tags: tuple[Numbers, ...]

    def __len__(self) -> int:
        return len(self.sentences)

    @property
    def words(self) -> list[tuple[str, ...]]:
        """The words of each sentence."""
        return [sentence.words for sentence in self.sentences]

    @property
    def word_count(self) -> int:
        """Words of all sentences."""
        return sum(len(sentence) for sentence in self.sentences)


@dataclass(frozen=True, eq=False)
class TaggingDataset:
    """Checked, split sentences.

    Attributes:
        name: registry name or file name.
        source: where the records came from, in a sentence.
        split_note: what the test part is, in a sentence.
        tag_set: scheme and tags of the training file.
        vocabulary: words and characters, from the training part.
        train: the part that vocabulary, tags and weights are fitted on.
        validation: the part that decides when to stop and which weights to keep.
        test: the part that only the final figures see.
        fingerprint: SHA-256 of all words and tags, in order.
        notes: what was decided, dropped or repaired, a sentence each.
        vectors: word vectors to start from; None: the network draws them.
        columns: of words and tags in the training file; None for JSON lines and sentences in memory.
    """

    name: str
    source: str
    split_note: str
    tag_set: TagSet
    vocabulary: WordVocabulary
    train: TaggingPart
    validation: TaggingPart
    test: TaggingPart
    fingerprint: str
    notes: tuple[str, ...] = ()
    vectors: WordVectors | None = None
    columns: ColumnsRead | None = None

    @property
    def sizes(self) -> dict[str, int]:
        """Sentences of each part."""
        return {name: len(getattr(self, name)) for name in ("train", "validation", "test")}

    def unknown_share(self, part: str = "test") -> float:
        """Share of a part's words that are not in the vocabulary."""
        words = [word for row in getattr(self, part).words for word in row]
        return float(np.mean([self.vocabulary.number(word) == 1 for word in words])) if words else 0.0


def tagging_infos(cache: str | Path | None = None) -> list[DatasetInfo]:
    """The tagged sentences that are known by name, and whether each is available.

    Example:
        >>> [info.name for info in tagging_infos()]
        ['conll2003']
    """
    place = folder_at_hand(_FILES.values(), cache)
    names = ", ".join(Path(remote.path).name for remote in _FILES.values())
    return [
        DatasetInfo(
            "conll2003",
            "tagging",
            "English news with persons, organisations, locations and others (Tjong Kim Sang and De Meulder, 2003)",
            bool(place),
            place,
            f"licensed text: put {names} (columns: word, tag, 0) into {cache_folder(cache) / 'conll2003'}",
        )
    ]


def load_tagging(data: TaggingDataSpec, cache: str | Path | None = None) -> TaggingDataset:
    """Load, check and split sentences.

    Args:
        data: which.
        cache: the cache folder; None: ``GATEWISE_DATA``, else the platform's.

    Raises:
        DataError: the name is unknown, a file cannot be used, or too little of it is left.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "towns.conll"
        >>> _ = path.write_text("".join(f"to O\\nTown{n} B-LOC\\n\\n" for n in range(40)))
        >>> dataset = load_tagging(TaggingDataSpec(str(path)))
        >>> dataset.tag_set.scheme, sum(dataset.sizes.values())
        ('iob2', 40)
    """
    if data.data == "conll2003":
        return _load_conll(data, cache)
    path = Path(data.data).expanduser()
    whole = _read(path, data)
    notes = [f"{path.name}: {note}" if data.test or data.validation else note for note in whole.notes]
    given: dict[str, TaggedSentences] = {}
    for name, file in (("test", data.test), ("validation", data.validation)):
        if file is not None:
            given[name] = _read(Path(file).expanduser(), data, like=whole)
            notes += [f"{Path(file).name}: {note}" for note in given[name].notes]
    parts = split(
        whole,
        given,
        without=partial(_without, notes=notes),
        hold_out=lambda rest, part: hold_out(rest, _SHARES[part], part, notes if part == "test" else None),
    )
    tested = plural(len(parts["test"]), "sentence")
    if data.test is not None:
        test_note = f"the {tested} of {Path(data.test).name}"
    else:
        test_note = f"{tested} held out of {path.name}, the same ones every time"
    return tagging_dataset(path.name, f"the file {path}", test_note, parts, data, notes, tags_from=whole)


def tagging_dataset(
    name: str,
    source: str,
    split_note: str,
    parts: dict[str, TaggedSentences],
    data: TaggingDataSpec,
    notes: Sequence[str] = (),
    *,
    tags_from: TaggedSentences | None = None,
) -> TaggingDataset:
    """Fit the vocabulary on the training part and number all parts.

    Args:
        name: of the data set.
        source: where the records came from.
        split_note: what the test part is.
        parts: ``train``, ``validation`` and ``test``.
        data: scheme, size and word vectors.
        notes: of the reader.
        tags_from: the sentences that a file's parts were cut from: a rare tag may be in one part only; None: the
            training part.

    Raises:
        DataError: see `TagSet.fit` and `TagSet.encode`; too few sentences to train on.
    """
    train = parts["train"]
    train = replace(train, sentences=kept_by_content(train.sentences, data.examples, _key))
    fix = "add sentences; if the file is one long sentence, put a blank line after each"
    check_fewest(len(train), name, "sentences", fix)
    said = list(notes)
    whole = parts["train"] if tags_from is None else tags_from
    tag_set, found = TagSet.fit(whole, scheme=data.scheme)
    said += [*found, *_unseen(tag_set, train)]
    kept = {"train": train, **{part: read for part, read in parts.items() if part != "train"}}
    tags, repairs = tag_set.encode_parts(kept)
    said += repairs
    numbered = {part: TaggingPart(read.sentences, tuple(tags[part])) for part, read in kept.items()}
    vocabulary = WordVocabulary.fit(train)
    vectors = _vectors(data.embeddings, vocabulary)
    if vectors is not None:
        said.append(vectors.note)
    dataset = TaggingDataset(
        name,
        source,
        split_note,
        tag_set,
        vocabulary,
        numbered["train"],
        numbered["validation"],
        numbered["test"],
        _fingerprint(tag_set, numbered, vectors),
        tuple(dict.fromkeys(said)),
        vectors,
        whole.columns,
    )
    unknown = dataset.unknown_share()
    if not unknown:
        return dataset
    words = f"{share(unknown)} of the test words are not among the training words"
    return replace(dataset, notes=(*dataset.notes, f"{words}; their characters and shapes are read all the same"))


def _vectors(embeddings: str | None, vocabulary: WordVocabulary) -> WordVectors | None:
    """The word vectors of a file, of the words that are known; None: the network draws them."""
    if embeddings == "cooccurrence":
        raise OptionError(
            "word vectors from co-occurrences are for classifiers",
            expected="random, or a text file of word vectors",
            got="--embeddings cooccurrence",
            fix="omit --embeddings",
        )
    if embeddings is None or embeddings == "random":
        return None
    return read_vectors(Path(embeddings).expanduser(), vocabulary.words, normalise)


def _fingerprint(tag_set: TagSet, numbered: dict[str, TaggingPart], vectors: WordVectors | None) -> str:
    """SHA-256 of all words, tags and word vectors, in order."""
    digest = hashlib.sha256("\0".join(tag_set.tags).encode())
    for part in ("train", "validation", "test"):
        for sentence, tags in zip(numbered[part].sentences, numbered[part].tags, strict=True):
            digest.update("\0".join(sentence.words).encode("utf-8", "surrogatepass") + b"\1" + tags.tobytes())
        digest.update(b"\2")
    if vectors is not None:
        digest.update(vectors.numbers.tobytes() + vectors.vectors.tobytes())
    return digest.hexdigest()


def _unseen(tag_set: TagSet, train: TaggedSentences) -> list[str]:
    """A note on tags (types of spans) that no training sentence has."""
    known, _ = TagSet.fit(train, scheme=tag_set.scheme)
    names = [name for name in tag_set.names if name not in known.names]
    if not names:
        return []
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return [f"{plural(len(names), 'tag')} ({shown}) too rare to be in the training part: never predicted rightly"]


def _load_conll(data: TaggingDataSpec, cache: str | Path | None) -> TaggingDataset:
    """The official parts; the third column of the files is constant."""
    how_to_get = tagging_infos(cache)[0].how_to_get
    parts = {}
    for part, remote in _FILES.items():
        path = known_path(remote, "conll2003", how_to_get, cache)
        parts[part] = replace(read_tagged(path, words=1, tags=2), notes=())
    note = f"the official test part (testb) of {plural(len(parts['test']), 'sentence')}"
    notes = [
        note_on_given_parts(*([sentence.words for sentence in parts[part].sentences] for part in ("test", "train")))
    ]
    return tagging_dataset("conll2003", "the English part of the CoNLL-2003 shared task", note, parts, data, notes)


def _read(path: Path, data: TaggingDataSpec, like: TaggedSentences | None = None) -> TaggedSentences:
    """A file of one's own; further files are read with the columns of the first."""
    if not path.exists():
        raise DataError(f"{path} does not exist", fix="check the path")
    columns = None if like is None else like.columns
    return read_tagged(path, words=column(data.words), tags=column(data.tags), like=columns)


def _key(sentence: Sentence) -> int:
    """A hash of the words, so that equal sentences come into the same part."""
    return content_number(*sentence.words)


def hold_out(
    read: TaggedSentences, share: float, part: str, notes: list[str] | None = None
) -> tuple[TaggedSentences, TaggedSentences]:
    """A share of the sentences by content, and the others; equal sentences and near duplicates stay together.

    Args:
        read: the sentences.
        share: of the distinct ones.
        part: what is held out, for the message.
        notes: is added how many near duplicates there are.

    Raises:
        DataError: nothing would be left.
    """
    keys = _group_keys(read, notes)
    held = least_share(keys, share)
    chosen = tuple(sentence for sentence, key in zip(read.sentences, keys, strict=True) if key in held)
    others = tuple(sentence for sentence, key in zip(read.sentences, keys, strict=True) if key not in held)
    if not others:
        alone = len(read) == 1
        raise DataError(
            f"too little in {read.place}: nothing is left beside the {part} part",
            expected=f"at least {FEWEST} different sentences",
            got=f"one sentence of {plural(read.word_count, 'word')}"
            if alone
            else plural(len(set(keys)), "different sentence"),
            fix="put a blank line after each sentence" if alone else "add sentences",
        )
    return replace(read, sentences=chosen, notes=()), replace(read, sentences=others, notes=())


def _group_keys(read: TaggedSentences, notes: list[str] | None) -> list[int]:
    """For each sentence a key that equal sentences and near duplicates share: the least of theirs."""
    keys = [_key(sentence) for sentence in read.sentences]
    first = dict(zip(reversed(keys), reversed(range(len(keys))), strict=True))
    distinct = [read.sentences[place] for place in first.values()]
    groups = near_duplicates([sentence.words for sentence in distinct]).groups.tolist()
    least = least_of_groups(list(first), groups)
    copies = copies_in(np.array(groups))
    if copies and notes is not None:
        notes.append(
            f"{plural(copies, 'sentence')} are near duplicates of others ({NEAR_WORDS}): each is in one part with its "
            "copies"
        )
    of_key = {key: least[group] for key, group in zip(first, groups, strict=True)}
    return [of_key[key] for key in keys]


def _without(read: TaggedSentences, others: Sequence[TaggedSentences], part: str, notes: list[str]) -> TaggedSentences:
    """Sentences that are in no other part, nor near duplicates of such.

    Raises:
        DataError: there are none.
    """
    rest = [sentence for other in others for sentence in other.sentences]
    if not rest:
        return read
    known = {_key(sentence) for sentence in rest}
    near = near_others([sentence.words for sentence in read.sentences], [sentence.words for sentence in rest])
    equal = sum(_key(sentence) in known for sentence in read.sentences)
    kept = tuple(
        sentence
        for sentence, alike in zip(read.sentences, near, strict=True)
        if not alike and _key(sentence) not in known
    )
    if equal:
        notes.append(f"{plural(equal, 'sentence')} of {read.place} are in another part too and were left out")
    if lost := len(read) - len(kept) - equal:
        notes.append(
            f"{plural(lost, 'sentence')} of {read.place} have near duplicates ({NEAR_WORDS}) in another part and were "
            "left out"
        )
    if not kept:
        raise _nothing_left(read.place, part)
    return replace(read, sentences=kept, notes=())


def _nothing_left(place: str, part: str) -> DataError:
    if part == "validation":
        return DataError(
            f"every sentence of {place} is in the test file too",
            expected="a validation file of other sentences",
            fix="omit --validation: a part of the training file is held out instead",
        )
    return DataError(
        f"every sentence of {place} is in the test or validation file too",
        expected="other sentences to train on",
        fix="omit --test and --validation: parts of the file are held out instead",
    )
