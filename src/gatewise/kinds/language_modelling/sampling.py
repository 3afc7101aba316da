"""How tokens are drawn. Imports no torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

from gatewise.errors import OptionError

__all__ = ["Sampling"]


@dataclass(frozen=True)
class Sampling:
    """How a token is drawn from the distribution.

    Args:
        temperature: the scores are divided by it before the softmax: below 1 likely tokens become likelier, above 1
            less likely; towards 0 the likeliest token is always drawn.
        top_k: draw among this many likeliest tokens; None: all (Fan et al., 2018).
        top_p: draw among the fewest likeliest tokens that have this probability together (Holtzman et al., 2020).
        seed: start of the random numbers; None: others each time.
        unknown: whether the unknown token may be drawn.

    Raises:
        OptionError: a value out of range.

    Example:
        >>> Sampling(temperature=0.0)
        Traceback (most recent call last):
        gatewise.errors.OptionError: temperature is out of range; expected: a number above 0; got: 0.0; fix: ...
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    seed: int | None = None
    unknown: bool = False

    def __post_init__(self) -> None:
        if not math.isfinite(self.temperature) or self.temperature <= 0:
            raise OptionError(
                "temperature is out of range",
                expected="a number above 0",
                got=repr(self.temperature),
                fix="for the likeliest token every time give --top-k 1",
            )
        if self.top_k is not None and self.top_k < 1:
            raise OptionError(
                "top_k is out of range",
                expected="a whole number of at least 1",
                got=self.top_k,
                fix="omit --top-k",
            )
        if not 0 < self.top_p <= 1:
            raise OptionError(
                "top_p is out of range",
                expected="a probability above 0 and at most 1",
                got=self.top_p,
                fix="omit --top-p",
            )
