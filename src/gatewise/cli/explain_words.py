"""What the words of an explanation mean: footnotes for those that it used."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["footnotes"]

_WORDS = (
    (
        "log-odds",
        "ln(p / (1 - p)) of an answer's probability p: 0 at 50 %, 2.2 at 90 %, -2.2 at 10 %; a reason of +1 makes the "
        "odds 2.7 times as large",
    ),
    (
        "padding word",
        "stands for no word and fills short texts up; a reason says what the word that stands here changes against it",
    ),
    ("integrated gradients", "reasons that add up to the change of the score from the baseline to this input"),
    ("completeness error", "by how much the sum of the reasons misses that change"),
    ("most in favour", "the reasons are checked by taking steps away: the score has to fall faster than at random"),
    ("open", "a gate near 1 lets everything through, a shut one, near 0, nothing"),
    ("keep half", "what a unit of the network holds fades away as fast as its gates say"),
    ("rank correlation", "+1: gates and gradients order the units alike; 0: the one says nothing of the other"),
    ("clipping", "training shrinks a gradient that is longer than this"),
    ("Lyapunov", "below 0 the network forgets where it began, above 0 small differences grow"),
)


def footnotes(said: Iterable[str]) -> list[tuple[str, str]]:
    """The words that need explaining and occur in what was said, each with its meaning.

    Args:
        said: sentences of an explanation.

    Example:
        >>> [word for word, _ in footnotes(["of the answer's log-odds; completeness error 0.3 %"])]
        ['log-odds', 'completeness error']
    """
    text = " ".join(said)
    return [(word, meaning) for word, meaning in _WORDS if word in text]
