"""One thing or several: nouns with their numbers, and lists, as a sentence has them."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["join", "listed", "plural", "singular", "units"]

_IRREGULAR = {"epoch": "epochs", "series": "series"}


def plural(number: float, word: str, several: str | None = None) -> str:
    """A number with its noun, in the singular for one.

    Args:
        number: how many.
        word: the noun in the singular.
        several: its plural; None: with an s, or as grammar has it.

    Example:
        >>> plural(1, "seed"), plural(3, "seed"), plural(12_000, "step"), plural(2, "class"), plural(1, "series")
        ('1 seed', '3 seeds', '12,000 steps', '2 classes', '1 series')
        >>> plural(0, "query"), plural(1, "example of it", "examples of it")
        ('0 queries', '1 example of it')
    """
    return f"{number:,} {word if number == 1 else several or _plural(word)}"


def singular(word: str) -> str:
    """The singular of a unit that is known in the plural, as ``texts`` of a kind of problem.

    Example:
        >>> singular("texts"), singular("series"), singular("classes"), singular("queries"), singular("glass")
        ('text', 'series', 'class', 'query', 'glass')
    """
    if word in _IRREGULAR.values() or not word.endswith("s") or word.endswith("ss"):
        return word
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-2] if word.endswith(("sses", "xes", "ches", "shes")) else word[:-1]


def units(number: float, word: str) -> str:
    """A number with its unit, which is known in the plural.

    Example:
        >>> units(1, "sentences"), units(2, "sentences")
        ('1 sentence', '2 sentences')
    """
    return f"{number:,} {singular(word) if number == 1 else word}"


def _plural(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("y") and word[-2:-1] not in "aeiou":
        return f"{word[:-1]}ies"
    return f"{word}es" if word.endswith(("s", "x", "ch", "sh")) else f"{word}s"


def join(parts: Sequence[str], last: str = "and") -> str:
    """A list of words as a sentence has it.

    Example:
        >>> join(["RNN"]), join(["RNN", "LSTM", "GRU"])
        ('RNN', 'RNN, LSTM and GRU')
    """
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {last} {parts[-1]}"


def listed(word: str) -> str:
    """A word as a list of several has it: what holds no letter and no digit stands in quotation marks.

    Example:
        >>> ", ".join(listed(word) for word in ["film", ",", "(", "3rd"])
        "film, ',', '(', 3rd"
    """
    return word if any(sign.isalnum() for sign in word) else f"'{word}'"
