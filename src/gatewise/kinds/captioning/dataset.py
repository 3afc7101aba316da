"""From a data spec to pictures that are split without leaks, with the subwords of their captions. Imports no torch."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from gatewise import words
from gatewise.data.parts import FEWEST, check_fewest, held_groups
from gatewise.data.records import DatasetInfo
from gatewise.data.subwords import Subwords
from gatewise.errors import DataError, did_you_mean
from gatewise.kinds.captioning.figures import usual_metric
from gatewise.kinds.captioning.folders import find_table, read_folder
from gatewise.kinds.captioning.images import in_channels
from gatewise.kinds.captioning.pictures import Appearance, Pictures
from gatewise.kinds.captioning.spec import KNOWN, CaptionDataSpec
from gatewise.kinds.captioning.tables import read_names

__all__ = ["CaptioningDataset", "caption_infos", "captioning_dataset", "hold_out", "load_captions"]

_DEFAULT = {"scenes": "truth", "glyph-names": "exact"}
_KNOWN_SIZE, _OWN_SIZE = 32, 64
_TEST_SHARE, _TEST_MOST = 0.1, 1_000
_VALIDATION_SHARE, _VALIDATION_MOST = 0.1, 1_000
_PATTERN_LEAST, _PATTERN_SHARE = 4, 0.1


@dataclass(frozen=True, eq=False)
class CaptioningDataset:
    """Checked, split pictures with captions.

    Attributes:
        name: registry name, or name of the folder or table.
        source: where the pictures came from, in a sentence.
        split_note: what the test part is, in a sentence.
        subwords: of the captions of the training part.
        train: the part that subwords and weights are fitted on.
        validation: the part that decides when to stop and which weights to keep.
        test: the part that only the final figures see.
        fingerprint: SHA-256 of all pixels, captions and parts, in order.
        notes: what was detected, left out or matters for the figures, a sentence each.
        metric: the figure by which is chosen and compared.
    """

    name: str
    source: str
    split_note: str
    subwords: Subwords
    train: Pictures
    validation: Pictures
    test: Pictures
    fingerprint: str
    notes: tuple[str, ...] = ()
    metric: str = "bleu"

    @property
    def sizes(self) -> dict[str, int]:
        """Pictures of each part."""
        return {name: len(getattr(self, name)) for name in ("train", "validation", "test")}

    @property
    def shape(self) -> tuple[int, int]:
        """Channels and pixels of a side."""
        return self.train.pixels.shape[1], self.train.pixels.shape[2]


def caption_infos() -> list[DatasetInfo]:
    """The pictures that are known by name; both are drawn, and neither is photographs."""
    descriptions = {
        "scenes": "drawn shapes and true sentences about how they stand; no photographs",
        "glyph-names": "characters of the font DejaVu Sans and their Unicode names; no photographs",
    }
    return [DatasetInfo(name, "captioning", descriptions[name], True, "drawn when needed", "") for name in KNOWN]


def load_captions(data: CaptionDataSpec) -> CaptioningDataset:
    """Load or draw, check and split pictures.

    Raises:
        DataError: the name is unknown, a file cannot be used, or too little of it is left.

    Example:
        >>> dataset = load_captions(CaptionDataSpec("scenes", examples=20, image_size=16))
        >>> dataset.sizes["train"], dataset.metric, dataset.shape
        (20, 'truth', (3, 16))
    """
    if data.data == "scenes":
        return _scenes(data)
    if data.data == "glyph-names":
        return _glyphs(data)
    path = Path(data.data).expanduser()
    if not path.exists() and path.suffix == "" and path.parent == Path():
        raise DataError(
            f"there is neither a known data set nor a folder called {data.data!r}",
            expected=f"{', '.join(KNOWN)}, or the path of a folder of pictures",
            fix=did_you_mean(data.data, KNOWN),
        )
    return _own(path, data)


def _scenes(data: CaptionDataSpec) -> CaptioningDataset:
    from gatewise.kinds.captioning.scenes import HELD_OUT, make_scenes

    parts = make_scenes(data.image_size or _KNOWN_SIZE, data.split, data.examples)
    note = (
        f"{words.plural(len(parts['test']), 'scene')}; every true caption of each names one of "
        f"{len(HELD_OUT['test'])} pairs of colour and shape that no training scene has"
    )
    said = ["drawn shapes, no photographs: what holds here need not hold for photographs"]
    return captioning_dataset("scenes", "drawn shapes with true captions", note, parts, data, said)


def _glyphs(data: CaptionDataSpec) -> CaptioningDataset:
    from PIL import features

    from gatewise.kinds.captioning.glyphs import glyph_split, load_glyphs

    whole, notes = load_glyphs(data.image_size or _KNOWN_SIZE)
    rows = glyph_split([names[0] for names in whole.captions], data.split)
    parts = {part: whole.take(places) for part, places in rows.items()}
    known = {word for (name,) in parts["train"].captions for word in name.split()}
    within = sum(set(name.split()) <= known for (name,) in parts["test"].captions)
    note = (
        f"{words.plural(len(parts['test']), 'character')}, none of a name that but for case and form a training "
        "character has"
    )
    said = [
        *notes,
        "characters of a font, no photographs: what holds here need not hold for photographs",
        f"of the {len(parts['test']):,} test names {within:,} consist of words that training names have; no other can "
        "be expected to be found",
        f"drawn by FreeType {features.version('freetype2')}",
    ]
    return captioning_dataset("glyph-names", "DejaVu Sans and the Unicode names", note, parts, data, said)


def _own(path: Path, data: CaptionDataSpec) -> CaptioningDataset:
    size = data.image_size or _OWN_SIZE
    table, folder = find_table(path, data.captions)
    whole, notes = read_folder(table, folder, data, size)
    parts: dict[str, Pictures] = {}
    for part, given in (("test", data.test), ("validation", data.validation)):
        if given is None:
            continue
        place = Path(given).expanduser()
        place = place if place.is_file() else folder / given
        names = read_names(place)
        parts[part], said = read_folder(table if names is not None else place, folder, data, size, names)
        notes += said
    rest = whole
    if "test" in parts and "validation" in parts:
        parts["validation"] = _without(parts["validation"], [parts["test"]], "validation", notes)
    if parts:
        rest = _without(whole, list(parts.values()), "training", notes)
    note = "" if data.test is None else f"the {words.plural(len(parts['test']), 'picture')} of {Path(data.test).name}"
    if "test" not in parts:
        parts["test"], rest = hold_out(rest, _TEST_SHARE, _TEST_MOST, data.split)
        count = words.plural(len(parts["test"]), "picture")
        note = f"{count} held out of {path.name}, the same ones every time"
    if "validation" not in parts:
        share = _VALIDATION_SHARE / (1 - _TEST_SHARE)
        parts["validation"], rest = hold_out(rest, share, _VALIDATION_MOST, data.split)
    parts["train"] = _without_equal(rest, [parts["test"], parts["validation"]], notes)
    return captioning_dataset(path.name or str(path), f"the pictures of {path}", note, parts, data, notes)


def captioning_dataset(
    name: str,
    source: str,
    split_note: str,
    parts: dict[str, Pictures],
    data: CaptionDataSpec,
    notes: Sequence[str] = (),
) -> CaptioningDataset:
    """Fit the subwords on the training part, and leave out what is too long or too much.

    Args:
        name: of the data set.
        source: where the pictures came from.
        split_note: what the test part is.
        parts: ``train``, ``validation`` and ``test``.
        data: sizes.
        notes: of the reader.

    Raises:
        DataError: too few pictures to train on.
    """
    said = list(notes)
    train = parts["train"]
    check_fewest(len(train), name, "pictures")
    channels = max(part.pixels.shape[1] for part in parts.values() if len(part))
    parts = {part: _in_channels(pictures, channels) for part, pictures in parts.items()}
    train = _limited(parts["train"], data.examples)
    subwords = Subwords.fit(
        [text for texts in train.captions for text in texts], data.vocabulary_size, digits=data.separate_digits
    )
    train = _without_long(train, subwords, data.max_tokens, said)
    digest = hashlib.sha256()
    for part in (train, parts["validation"], parts["test"]):
        digest.update(part.pixels.tobytes())
        for texts in part.captions:
            digest.update("\0".join(texts).encode("utf-8", "surrogatepass") + b"\1")
        digest.update(b"\2")
    metric = data.metric or _DEFAULT.get(data.data) or usual_metric(train)
    if data.metric is None and metric == "chrf":
        said.append("most captions have fewer than five words, of which BLEU is 0: chrF chooses and compares")
    return CaptioningDataset(
        name,
        source,
        split_note,
        subwords,
        train,
        parts["validation"],
        parts["test"],
        digest.hexdigest(),
        tuple(dict.fromkeys(said)),
        metric,
    )


def hold_out(pictures: Pictures, share: float, most: int, number: int = 0) -> tuple[Pictures, Pictures]:
    """A share of the pictures by content, and the others; pictures that look alike from afar stay together.

    What decides are their `appearances`, so that other sizes of the same pictures give the same parts.

    Args:
        pictures: to be split.
        share: of them.
        most: held out at most.
        number: of the split.

    Raises:
        DataError: nothing would be left.
    """
    appearances = pictures.appearances
    groups = _alike(appearances)
    ranks: dict[int, bytes] = {}
    for group, each in zip(groups.tolist(), appearances, strict=True):
        key = hashlib.sha256(f"{number}\n{each.digest}".encode()).digest()
        ranks[group] = min(key, ranks.get(group, key))
    chosen, others = held_groups(groups.tolist(), ranks, max(1, round(min(share * len(pictures), most))))
    if not others:
        raise DataError("nothing is left to train on", expected=f"at least {FEWEST} pictures that differ")
    return pictures.take(chosen), pictures.take(others)


def _alike(pictures: Sequence[Appearance]) -> npt.NDArray[np.int64]:
    """The group of each picture: those whose 8 x 8 differences of neighbouring areas have the same signs.

    What more than a tenth of all have in common is a pattern, as a plain ground is, and no sign of a copy.
    """
    numbers: dict[bytes, int] = {}
    groups = np.array([numbers.setdefault(each.signs, len(numbers)) for each in pictures], dtype=np.int64)
    common = np.bincount(groups)[groups] > max(_PATTERN_LEAST, _PATTERN_SHARE * len(groups))
    return np.where(common, len(groups) + np.arange(len(groups)), groups)


def _without(pictures: Pictures, others: Sequence[Pictures], part: str, notes: list[str]) -> Pictures:
    """Pictures that are in no other part, by name and by content; nor do they look like one there from afar."""
    names = {name for other in others for name in other.names}
    found, known = pictures.appearances, [each for other in others for each in other.appearances]
    digests = {each.digest for each in known}
    groups = _alike([*found, *known]).tolist()
    looks = set(groups[len(pictures) :])
    rows, same = [], 0
    for row, name in enumerate(pictures.names):
        if name in names or found[row].digest in digests:
            same += 1
        elif groups[row] not in looks:
            rows.append(row)
    alike = len(pictures) - len(rows) - same
    for count, why in ((same, "in another part"), (alike, "very like one in another part")):
        if count:
            notes.append(f"{words.plural(count, 'picture')} left out of the {part} part: {why}")
    return pictures.take(rows)


def _without_equal(train: Pictures, others: Sequence[Pictures], notes: list[str]) -> Pictures:
    """Training pictures without those that are another part's at the size that the network reads."""
    channels = max(each.pixels.shape[1] for each in (train, *others))
    held = {digest for other in others for digest in _in_channels(other, channels).digests}
    digests = _in_channels(train, channels).digests
    rows = [row for row, digest in enumerate(digests) if digest not in held]
    if len(rows) == len(train):
        return train
    count = words.plural(len(train) - len(rows), "picture")
    notes.append(f"{count} left out of the training part: at this --image-size the same as one in another part")
    return train.take(rows)


def _in_channels(pictures: Pictures, channels: int) -> Pictures:
    if not len(pictures) or pictures.pixels.shape[1] == channels:
        return pictures
    return replace(pictures, pixels=in_channels(pictures.pixels, channels))


def _limited(train: Pictures, examples: int | None) -> Pictures:
    """At most so many pictures, chosen by content, in their order."""
    if examples is None or examples >= len(train):
        return train
    digests = [each.digest for each in train.seen] or train.digests
    ranked = sorted(range(len(train)), key=lambda row: hashlib.sha256(digests[row].encode()).digest())
    return train.take(sorted(ranked[:examples]))


def _without_long(train: Pictures, subwords: Subwords, most: int, notes: list[str]) -> Pictures:
    """Training pictures with their captions of at most so many subwords."""
    flat = [text for texts in train.captions for text in texts]
    long = {text for text, row in zip(flat, subwords.encode(flat), strict=True) if len(row) > most}
    if not long:
        return train
    kept = [tuple(text for text in texts if text not in long) for texts in train.captions]
    rows = [row for row, texts in enumerate(kept) if texts]
    notes.append(
        f"{words.plural(len(long), 'training caption')} of more than {most} subwords left out (--max-tokens), and with "
        f"them {words.plural(len(kept) - len(rows), 'picture')}"
    )
    if len(rows) < FEWEST:
        raise DataError(
            f"too few pictures have a caption of at most {most} subwords",
            expected=f"at least {FEWEST}",
            got=str(len(rows)),
            fix="give a larger --max-tokens",
        )
    chosen = train.take(rows)
    return replace(chosen, captions=tuple(kept[row] for row in rows))
