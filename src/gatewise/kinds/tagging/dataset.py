"""From files to sentences that are split without leaks, with their vocabulary and tags."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gatewise.data.cache import Remote, cache_folder, check_file
from gatewise.data.duplicates import NEAR_WORDS, copies_in, near_duplicates
from gatewise.data.records import DatasetInfo
from gatewise.data.word_vectors import WordVectors, read_vectors
from gatewise.errors import DataError, OptionError
from gatewise.kinds.tagging.reading import read_tagged
from gatewise.kinds.tagging.sentences import ColumnsRead, Sentence, TaggedSentences, many
from gatewise.kinds.tagging.spec import TaggingDataSpec, column
from gatewise.kinds.tagging.tag_set import TagSet
from gatewise.kinds.tagging.vocabulary import WordVocabulary, normalise
from gatewise.words import share

__all__ = ["TaggingDataset", "TaggingPart", "hold_out", "load_tagging", "tagging_dataset", "tagging_infos"]

Numbers = npt.NDArray[np.int64]
_CONLL = {
    "train": ("train.txt", "20d0e0b801f2e6e0dd674ac381c4804f9294c7839d73234d5c43affc5df531d9"),
    "validation": ("valid.txt", "a80eb0886f28c26241e34c6a1c44f0409a9937970ac5169eaf1ad0fe721ea0b1"),
    "test": ("test.txt", "652c0a397cf4397a7fdb10ad042c50580a8f9ab87d91ed93737bcd57b42f47bb"),
}
_FILES = {part: Remote("", f"conll2003/{name}", f"sha256:{checksum}") for part, (name, checksum) in _CONLL.items()}
_TEST_SHARE, _VALIDATION_SHARE = 0.2, 0.1
_FEWEST = 10


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
    found = [remote.cached_path(cache) for remote in _FILES.values()]
    at_hand = all(path is not None for path in found)
    names = ", ".join(Path(remote.path).name for remote in _FILES.values())
    return [
        DatasetInfo(
            "conll2003",
            "tagging",
            "English news with persons, organisations, locations and others (Tjong Kim Sang and De Meulder, 2003)",
            at_hand,
            str(found[0].parent) if found[0] is not None and at_hand else "",
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
    parts: dict[str, TaggedSentences] = {}
    for name, given in (("test", data.test), ("validation", data.validation)):
        if given is not None:
            parts[name] = _read(Path(given).expanduser(), data, like=whole)
            notes += [f"{Path(given).name}: {note}" for note in parts[name].notes]
    if data.test is not None and data.validation is not None:
        parts["validation"] = _without(parts["validation"], [parts["test"]], notes)
        if not len(parts["validation"]):
            raise DataError(
                f"every sentence of {data.validation} is in the test file too",
                expected="a validation file of other sentences",
                fix="omit --validation: a part of the training file is held out instead",
            )
    rest = _without(whole, parts.values(), notes)
    if not len(rest):
        raise DataError(
            f"every sentence of {path} is in the test or validation file too",
            expected="other sentences to train on",
            fix="omit --test and --validation: parts of the file are held out instead",
        )
    test_note = "" if data.test is None else f"the {many(len(parts['test']), 'sentence')} of {Path(data.test).name}"
    if "test" not in parts:
        parts["test"], rest = hold_out(rest, _TEST_SHARE, "test", notes)
        test_note = f"{many(len(parts['test']), 'sentence')} held out of {path.name}, the same ones every time"
    if "validation" not in parts:
        parts["validation"], rest = hold_out(rest, _VALIDATION_SHARE / (1 - _TEST_SHARE), "validation")
    parts["train"] = rest
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
    train = _limited(parts["train"], data.examples)
    if len(train) < _FEWEST:
        raise DataError(
            f"{name} has too few sentences to train on",
            expected=f"at least {_FEWEST} in the training part",
            got=f"{len(train)}",
            fix="add sentences; if the file is one long sentence, put a blank line after each",
        )
    said = list(notes)
    whole = parts["train"] if tags_from is None else tags_from
    tag_set, found = TagSet.fit(whole, scheme=data.scheme)
    said += [*found, *_unseen(tag_set, train)]
    numbered: dict[str, TaggingPart] = {}
    for part, read in {**parts, "train": train}.items():
        tags, repairs = tag_set.encode(read)
        said += repairs
        numbered[part] = TaggingPart(read.sentences, tuple(tags))
    vocabulary = WordVocabulary.fit(train)
    digest = hashlib.sha256("\0".join(tag_set.tags).encode())
    for part in ("train", "validation", "test"):
        for sentence, tags_of in zip(numbered[part].sentences, numbered[part].tags, strict=True):
            digest.update("\0".join(sentence.words).encode("utf-8", "surrogatepass") + b"\1" + tags_of.tobytes())
        digest.update(b"\2")
    vectors = None
    if data.embeddings == "cooccurrence":
        raise OptionError(
            "word vectors from co-occurrences are for classifiers",
            expected="random, or a text file of word vectors",
            got="--embeddings cooccurrence",
            fix="omit --embeddings",
        )
    if data.embeddings is not None and data.embeddings != "random":
        vectors = read_vectors(Path(data.embeddings).expanduser(), vocabulary.words, normalise)
        said.append(vectors.note)
        digest.update(vectors.numbers.tobytes() + vectors.vectors.tobytes())
    dataset = TaggingDataset(
        name,
        source,
        split_note,
        tag_set,
        vocabulary,
        numbered["train"],
        numbered["validation"],
        numbered["test"],
        digest.hexdigest(),
        tuple(dict.fromkeys(said)),
        vectors,
        whole.columns,
    )
    unknown = dataset.unknown_share()
    if not unknown:
        return dataset
    words = f"{share(unknown)} of the test words are not among the training words"
    return replace(dataset, notes=(*dataset.notes, f"{words}; their characters and shapes are read all the same"))


def _unseen(tag_set: TagSet, train: TaggedSentences) -> list[str]:
    """A note on tags (types of spans) that no training sentence has."""
    known, _ = TagSet.fit(train, scheme=tag_set.scheme)
    names = [name for name in tag_set.names if name not in known.names]
    if not names:
        return []
    shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
    return [f"{many(len(names), 'tag')} ({shown}) too rare to be in the training part: never predicted rightly"]


def _load_conll(data: TaggingDataSpec, cache: str | Path | None) -> TaggingDataset:
    """The official parts; the third column of the files is constant."""
    parts = {}
    for part, remote in _FILES.items():
        path = remote.cached_path(cache)
        if path is None:
            raise DataError(
                "the data set 'conll2003' is not available",
                expected=f"{remote.path} in {cache_folder(cache)}",
                fix=tagging_infos(cache)[0].how_to_get,
            )
        check_file(path, remote)
        parts[part] = replace(read_tagged(path, words=1, tags=2), notes=())
    note = f"the official test part (testb) of {many(len(parts['test']), 'sentence')}"
    shared = sum(_near(parts["test"].sentences, parts["train"].sentences))
    notes = [
        f"{shared:,} of its {len(parts['test']):,} test sentences have near duplicates ({NEAR_WORDS}) in the training "
        "part; the official parts are left as they are"
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
    digest = hashlib.sha256("\0".join(sentence.words).encode("utf-8", "surrogatepass")).digest()
    return int.from_bytes(digest[:8], "little")


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
    distinct = sorted(set(keys))
    held = set(distinct[: max(1, round(share * len(distinct)))])
    chosen = tuple(sentence for sentence, key in zip(read.sentences, keys, strict=True) if key in held)
    others = tuple(sentence for sentence, key in zip(read.sentences, keys, strict=True) if key not in held)
    if not others:
        alone = len(read) == 1
        raise DataError(
            f"{read.place} is too small: nothing is left beside the {part} part",
            expected=f"at least {_FEWEST} different sentences",
            got=f"one sentence of {many(read.word_count, 'word')}"
            if alone
            else many(len(set(keys)), "different sentence"),
            fix="put a blank line after each sentence" if alone else "add sentences",
        )
    return replace(read, sentences=chosen, notes=()), replace(read, sentences=others, notes=())


def _group_keys(read: TaggedSentences, notes: list[str] | None) -> list[int]:
    """For each sentence a key that equal sentences and near duplicates share: the least of theirs."""
    keys = [_key(sentence) for sentence in read.sentences]
    first = dict(zip(reversed(keys), reversed(range(len(keys))), strict=True))
    distinct = [read.sentences[place] for place in first.values()]
    groups = near_duplicates([sentence.words for sentence in distinct]).groups.tolist()
    least: dict[int, int] = {}
    for key, group in zip(first, groups, strict=True):
        least[group] = min(key, least.get(group, key))
    copies = copies_in(np.array(groups))
    if copies and notes is not None:
        notes.append(
            f"{many(copies, 'sentence')} are near duplicates of others ({NEAR_WORDS}): each is in one part with its "
            "copies"
        )
    of_key = {key: least[group] for key, group in zip(first, groups, strict=True)}
    return [of_key[key] for key in keys]


def _without(read: TaggedSentences, others: Iterable[TaggedSentences], notes: list[str]) -> TaggedSentences:
    """Sentences that are in no other part, nor near duplicates of such."""
    rest = [sentence for other in others for sentence in other.sentences]
    if not rest:
        return read
    known = {_key(sentence) for sentence in rest}
    near = _near(read.sentences, rest)
    equal = sum(_key(sentence) in known for sentence in read.sentences)
    kept = tuple(
        sentence
        for sentence, alike in zip(read.sentences, near, strict=True)
        if not alike and _key(sentence) not in known
    )
    if equal:
        notes.append(f"{many(equal, 'sentence')} of {read.place} are in another part too and were left out")
    if lost := len(read) - len(kept) - equal:
        notes.append(
            f"{many(lost, 'sentence')} of {read.place} have near duplicates ({NEAR_WORDS}) in another part and were "
            "left out"
        )
    return replace(read, sentences=kept, notes=())


def _near(sentences: Sequence[Sentence], others: Sequence[Sentence]) -> list[bool]:
    """Which sentences have the words of others, or nearly so."""
    groups = near_duplicates([sentence.words for sentence in (*sentences, *others)]).groups
    found: list[bool] = np.isin(groups[: len(sentences)], groups[len(sentences) :]).tolist()
    return found


def _limited(read: TaggedSentences, count: int | None) -> TaggedSentences:
    """At most so many sentences, chosen by content, in the file's order."""
    if count is None or len(read) <= count:
        return read
    order = sorted(range(len(read)), key=lambda row: (_key(read.sentences[row]), row))
    return replace(read, sentences=tuple(read.sentences[row] for row in sorted(order[:count])))
