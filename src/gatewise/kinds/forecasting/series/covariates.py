"""Covariates of series: columns that are known for the future too, and columns that are constant in a series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gatewise.errors import RunError

__all__ = ["Covariate", "Covariates"]

Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Covariate:
    """One column and how it is encoded.

    Args:
        name: of the column.
        categories: its texts, each of which is a column of zeros and ones; empty: it holds numbers.
        mean: subtracted from a constant number.
        deviation: by which a constant number is divided.
        relative: of a known column, whether it is read relative to the window: numbers are, zeros and ones are not.
            None: not decided; networks of before read numbers absolutely.

    Example:
        >>> Covariate("holiday", ("Easter", "New Year")).encoded(["", "Easter"]).tolist()
        [[0.0, 0.0], [1.0, 0.0]]
    """

    name: str
    categories: tuple[str, ...] = ()
    mean: float = 0.0
    deviation: float = 1.0
    relative: bool | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Of the encoded columns."""
        return tuple(f"{self.name}={category}" for category in self.categories) or (self.name,)

    def encoded(self, values: Sequence[Any]) -> Array:
        """Texts or numbers as (N, columns); a text without a column is all zeros."""
        if not self.categories:
            return (np.asarray(values, dtype=np.float64)[:, None] - self.mean) / self.deviation
        places = {category: place for place, category in enumerate(self.categories)}
        found = np.zeros((len(values), len(places)))
        for row, value in enumerate(values):
            if value in places:
                found[row, places[value]] = 1.0
        return found


@dataclass(frozen=True)
class Covariates:
    """All covariates of a data set.

    Attributes:
        known: columns whose values are known for the future too.
        static: columns that are constant in a series.

    Example:
        >>> Covariates((Covariate("promotion"), Covariate("holiday", ("Easter",)))).known_names
        ('promotion', 'holiday=Easter')
    """

    known: tuple[Covariate, ...] = ()
    static: tuple[Covariate, ...] = ()

    @property
    def known_names(self) -> tuple[str, ...]:
        """Of the encoded columns that are known for the future."""
        return tuple(name for each in self.known for name in each.names)

    @property
    def static_names(self) -> tuple[str, ...]:
        """Of the encoded columns that are constant."""
        return tuple(name for each in self.static for name in each.names)

    @property
    def relative(self) -> tuple[bool, ...]:
        """Of the encoded known columns: which are read relative to the window."""
        return tuple(bool(each.relative) for each in self.known for _ in each.names)

    @property
    def flags(self) -> tuple[bool, ...] | None:
        """Of the encoded known columns: which hold zeros and ones; None where that was not decided."""
        if any(each.relative is None for each in self.known):
            return None
        return tuple(not each for each in self.relative)

    def columns(self, which: str) -> tuple[str, ...]:
        """The columns as a file has them.

        Args:
            which: ``known`` or ``static``.
        """
        return tuple(each.name for each in getattr(self, which))

    def to_dict(self) -> dict[str, Any]:
        """A plain dictionary, ready for JSON; empty where there are none."""
        found = {which: [_entry(each) for each in getattr(self, which)] for which in ("known", "static")}
        return {which: entries for which, entries in found.items() if entries}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], place: str) -> Covariates:
        """Read what `to_dict` gave.

        Raises:
            RunError: it is damaged.
        """
        try:
            return cls(*(tuple(_covariate(entry) for entry in record.get(which, ())) for which in ("known", "static")))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise RunError(f"{place} is damaged", expected="the known and the static columns") from error


def _entry(covariate: Covariate) -> dict[str, Any]:
    return {name: value for name, value in asdict(covariate).items() if value is not None}


def _covariate(entry: Mapping[str, Any]) -> Covariate:
    mean, deviation = float(entry["mean"]), float(entry["deviation"])
    if not np.isfinite(mean) or not np.isfinite(deviation) or deviation <= 0:
        raise ValueError("not finite")
    relative = entry.get("relative")
    if relative not in (None, False, True):
        raise ValueError("neither true nor false")
    return Covariate(str(entry["name"]), tuple(str(each) for each in entry["categories"]), mean, deviation, relative)
