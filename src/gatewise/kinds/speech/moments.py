"""The frames of a speaker taken together. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from gatewise.kinds.speech.endpoints import loud_part
from gatewise.kinds.speech.features import Frames, Moments, Normaliser, Sums
from gatewise.kinds.speech.recordings import Recording

__all__ = ["TOGETHER", "Company", "Products", "speaker_moments"]

TOGETHER = (
    "all recordings of a speaker are normalised together, without their transcripts, those of the test part too: a "
    "single recording of a stranger is normalised by itself and heard less well than the test figure says"
)
"""What the default normalisation means for the figures."""


def speaker_moments(
    recordings: Sequence[Recording], frames: Sequence[Frames], normaliser: Normaliser
) -> list[Moments | None]:
    """For each recording the moments of all features of its speaker; None where the speaker is not known."""
    found: dict[str, Moments] = {}
    for each, rows in zip(recordings, frames, strict=True):
        if each.speaker is not None:
            own = Moments.of(normaliser.features(rows))
            found[each.speaker] = found[each.speaker].plus(own) if each.speaker in found else own
    return [None if each.speaker is None else found[each.speaker] for each in recordings]


class Products(NamedTuple):
    """Number, sum and sum of products of log energies, (), (M,), (M, M): they give those of any linear map.

    Example:
        >>> frames = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
        >>> matrix, offset = np.array([[1.0, 0.5], [0.0, 0.5], [0.0, 0.0]]), np.array([1.0, 2.0])
        >>> found, true = Products.of(frames).mapped(matrix, offset), Moments.of(frames @ matrix + offset)
        >>> bool(np.allclose(found.moments.sums, true.sums) and np.allclose(found.moments.squares, true.squares))
        True
    """

    number: float
    sums: Sums
    products: Sums

    @classmethod
    def of(cls, frames: Frames) -> Products:
        """Of frames (T, M)."""
        wide = frames.astype(np.float64)
        return cls(float(len(frames)), wide.sum(axis=0), wide.T @ wide)

    def mapped(self, matrix: Sums | Frames | None = None, offset: Sums | Frames | None = None) -> Products:
        """Of frames times a matrix (M, K), plus an offset (K,)."""
        number, sums, products = self
        if matrix is not None:
            sums, products = sums @ matrix, matrix.T @ products @ matrix
        if offset is not None:
            cross = np.outer(sums, offset)
            products = products + cross + cross.T + number * np.outer(offset, offset)
            sums = sums + number * offset
        return Products(number, sums, products)

    @property
    def moments(self) -> Moments:
        """Of each by itself."""
        return Moments(self.number, self.sums, np.diagonal(self.products).copy())


@dataclass(frozen=True, eq=False)
class Company:
    """The products of each speaker's recordings, of which a random number accompany another one.

    The recording itself, as it was recorded, may be among them.
    A network that is trained with groups of one recording up to many knows how little the mean of a single word says,
    and hears single recordings of strangers nearly as well as many together.

    Args:
        most: recordings in a group, at most; 0: all of the speaker.
        packed: of each speaker (N, 1 + M + M * M): number, sums and products of each recording.
        cut: the same of recordings whose ends are cut so many nats under their loudest frame.

    Example:
        >>> said = [("ann", np.ones((4, 2), np.float32))] * 5
        >>> company = Company.of(3, said)
        >>> sizes = {company.drawn("ann", 2, np.random.default_rng(seed)).number for seed in range(30)}
        >>> sorted(sizes), company.drawn("bob", 2, np.random.default_rng(0)).number
        ([0.0, 4.0, 8.0], 0.0)
        >>> Company.of(0, said).drawn("ann", 2, np.random.default_rng(0), own=Products.of(said[0][1])).number
        16.0
    """

    most: int
    packed: Mapping[str, Sums]
    cut: Mapping[float, Mapping[str, Sums]] = field(default_factory=dict)

    @classmethod
    def of(cls, most: int, spoken: Iterable[tuple[str | None, Frames]], levels: Sequence[float] = ()) -> Company:
        """Of speakers with the frames (T, M) of a recording each; what no known speaker says is in no group."""
        known = [(name, frames) for name, frames in spoken if name is not None]
        cut = {
            level: _packed(most, [(name, frames[slice(*loud_part(frames, level))]) for name, frames in known])
            for level in levels
        }
        return cls(most, _packed(most, known), cut)

    def drawn(
        self,
        speaker: str | None,
        bins: int,
        generator: np.random.Generator,
        cut_at: float | None = None,
        own: Products | int = 0,
    ) -> Products:
        """Of up to ``most`` - 1 recordings: the size of the group is uniform in its logarithm.

        Args:
            speaker: whose; of one who is not known there are none.
            bins: M, filters.
            generator: of the number and the choice.
            cut_at: nats under their loudest frame at which their ends are cut; None: they are whole.
            own: of the recording that is accompanied, as it is among the speaker's, or how many of their frames it is:
                it does not accompany itself where all others do.
        """
        packed = self.packed if cut_at is None else self.cut[cut_at]
        size = int(np.exp(generator.uniform(0, np.log(self.most + 1)))) if self.most else 2
        rows = None if speaker is None else packed.get(speaker)
        if rows is None or size == 1:
            return Products(0.0, np.zeros(bins), np.zeros((bins, bins)))
        total = rows[generator.integers(0, len(rows), size - 1)].sum(axis=0)
        if not self.most:
            total = total - _row(own) if isinstance(own, Products) else total * max(0.0, 1 - own / total[0])
        return Products(float(total[0]), total[1 : 1 + bins], total[1 + bins :].reshape(bins, bins))


def _row(given: Products) -> Sums:
    """(1 + M + M * M,)."""
    return np.concatenate([[given.number], given.sums, given.products.reshape(-1)])


def _packed(most: int, spoken: Iterable[tuple[str, Frames]]) -> dict[str, Sums]:
    found: dict[str, list[Sums]] = {}
    for name, frames in spoken:
        found.setdefault(name, []).append(_row(Products.of(frames)))
    rows = {name: np.stack(each) for name, each in found.items()}
    return rows if most else {name: each.sum(axis=0)[None] for name, each in rows.items()}
