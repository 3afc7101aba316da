"""Which texts a network was trained on, or chosen by: eight bytes of each in the run folder, and no text."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from gatewise import words
from gatewise.data.duplicates import Keys, word_keys
from gatewise.errors import RunError
from gatewise.files import refuse_newer

__all__ = ["SEEN_FILE", "Overlap", "Seen"]

SEEN_FILE = "seen.json"
_FORMAT_VERSION = 1


class Overlap(NamedTuple):
    """What a file shares with the data that a network was made from.

    Attributes:
        training: (N,) which texts were trained on.
        validation: (N,) which of the others decided when to stop.
    """

    training: npt.NDArray[np.bool_]
    validation: npt.NDArray[np.bool_]

    @property
    def others(self) -> npt.NDArray[np.int64]:
        """The places of the texts that were in neither."""
        return np.flatnonzero(~(self.training | self.validation))

    @property
    def found(self) -> bool:
        """Whether there are any that are not new."""
        return bool((self.training | self.validation).any())

    def sentence(self, noun: str, of_others: Callable[[], str]) -> str:
        """What has to be said before the figure.

        Args:
            noun: what an example is, in the singular.
            of_others: the figure of the others, in words; asked where there are any.

        Example:
            >>> overlap = Overlap(np.array([True, False, False]), np.array([False, True, False]))
            >>> overlap.sentence("text", lambda: "accuracy 50.0 %")
            '1 of 3 texts was in the training part and 1 in the validation part (word for word): the figure may be too
            good. Of the 1 other text alone: accuracy 50.0 %.'
        """
        total, trained, chosen = len(self.training), int(self.training.sum()), int(self.validation.sum())
        others = len(self.others)
        both = [(trained, "training"), (chosen, "validation")]
        parts = " and ".join(f"{count:,} in the {name} part" for count, name in both if count)
        first, _, rest = parts.partition(" ")
        verb = "was" if int(first.replace(",", "")) == 1 else "were"
        said = f"{first} of {words.plural(total, noun)} {verb} {rest} (word for word): the figure may be too good."
        if not others:
            return f"{said} There is no other {noun} in the file."
        return f"{said} Of the {others:,} other {noun}{'' if others == 1 else 's'} alone: {of_others()}."


@dataclass(frozen=True, eq=False)
class Seen:
    """Hashes of the words of a run's texts (`gatewise.data.duplicates.word_keys`), without case, spacing and signs.

    Args:
        training: of the training part.
        validation: of the part that decided when to stop.

    Example:
        >>> seen = Seen.of(["a fine film"], ["a poor one"])
        >>> overlap = Seen.from_dict(seen.to_dict()).overlap(["A fine film!", "a poor one", "another film"])
        >>> overlap.training.tolist(), overlap.validation.tolist(), overlap.others.tolist()
        ([True, False, False], [False, True, False], [2])
    """

    training: Keys
    validation: Keys

    @classmethod
    def of(cls, training: Sequence[Any], validation: Sequence[Any]) -> Seen:
        """Of the two parts' texts, or of lists of words."""
        return cls(np.unique(word_keys(training)), np.unique(word_keys(validation)))

    def overlap(self, texts: Sequence[Any]) -> Overlap:
        """Which of some texts, or lists of words, are among them."""
        keys = word_keys(texts)
        trained = np.isin(keys, self.training)
        return Overlap(trained, np.isin(keys, self.validation) & ~trained)

    def to_dict(self) -> dict[str, Any]:
        """A dictionary, ready for JSON: eight bytes of each text, in base 64."""
        parts = {"training": self.training, "validation": self.validation}
        written = {name: base64.b64encode(keys.astype("<u8").tobytes()).decode() for name, keys in parts.items()}
        return {"format_version": _FORMAT_VERSION, "hash": "BLAKE2b of the words, 8 bytes each", **written}

    @classmethod
    def from_dict(cls, record: Mapping[str, Any], place: str = SEEN_FILE) -> Seen:
        """Read what `to_dict` gave.

        Raises:
            RunError: it is damaged or from a newer version.
        """
        refuse_newer(record, _FORMAT_VERSION, place)
        try:
            parts = [base64.b64decode(record[name], validate=True) for name in ("training", "validation")]
            return cls(*(np.frombuffer(part, dtype="<u8").astype(np.uint64) for part in parts))
        except (KeyError, TypeError, ValueError, binascii.Error) as error:
            raise RunError(f"{place} is damaged", expected="training and validation: hashes in base 64") from error
