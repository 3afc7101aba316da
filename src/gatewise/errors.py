"""Every error that Gatewise raises deliberately.

::

    GatewiseError
    ├── DataError       (ValueError)    a file, column, row, label or archive cannot be used
    ├── OptionError     (ValueError)    an option, size or name is unknown, out of range, or excludes another
    │   └── UnknownOptionError          (TypeError too) a layer has no such option
    ├── ShapeError      (ValueError)    a tensor has the wrong rank, size, dtype or device
    ├── ConversionError (ValueError)    weights have no exact form in the convention asked for
    ├── RunError        (ValueError)    a run folder is damaged, newer than this version, or holds another run
    ├── TrainingError   (RuntimeError)  training cannot continue
    │   └── DivergenceError             the loss became NaN or infinite
    ├── KernelError     (RuntimeError)  a kernel requested by name is not available, or rejects the call
    └── StorageError    (OSError)       a file or folder cannot be written

Each message names the place, what was expected, what was found, and the fix. At the command line such an error is
printed without a traceback and the exit code is 2.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ConversionError",
    "DataError",
    "DivergenceError",
    "GatewiseError",
    "KernelError",
    "OptionError",
    "RunError",
    "ShapeError",
    "StorageError",
    "TrainingError",
    "UnknownOptionError",
    "did_you_mean",
]


class GatewiseError(Exception):
    """Base of all errors that Gatewise raises deliberately.

    Args:
        message: what is wrong and where, in one sentence.
        expected: what would be valid.
        got: what was found instead.
        fix: what the user can do about it.

    Example:
        >>> raise DataError("column 'reveiw' is not in reviews.csv", got="review, label", fix="use --text review")
        Traceback (most recent call last):
        gatewise.errors.DataError: column 'reveiw' is not in reviews.csv; got: review, label; fix: use --text review
    """

    def __init__(self, message: str, *, expected: object = None, got: object = None, fix: str | None = None) -> None:
        self.message = message
        self.expected = expected
        self.got = got
        self.fix = fix
        super().__init__(message, expected, got, fix)

    def __str__(self) -> str:
        """The message, expected, got and fix, in that order."""
        parts = [self.message]
        if self.expected is not None:
            parts.append(f"expected: {self.expected}")
        if self.got is not None:
            parts.append(f"got: {self.got}")
        if self.fix is not None:
            parts.append(f"fix: {self.fix}")
        return "; ".join(parts)

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle all four parts, for errors that cross processes."""
        return (_rebuild, (type(self), self.message, self.expected, self.got, self.fix))


def _rebuild(kind: type[GatewiseError], message: str, expected: object, got: object, fix: str | None) -> GatewiseError:
    return kind(message, expected=expected, got=got, fix=fix)


class DataError(GatewiseError, ValueError):
    """A file, column, row, label or archive cannot be used."""


class OptionError(GatewiseError, ValueError):
    """An option, size or name is unknown, out of range, or excludes another."""


class UnknownOptionError(OptionError, TypeError):
    """A layer has no option of this name; Python's own error for that is a TypeError."""


class ShapeError(GatewiseError, ValueError):
    """A tensor has the wrong rank, size, dtype or device."""


class ConversionError(GatewiseError, ValueError):
    """Weights have no exact form in the convention asked for."""


class RunError(GatewiseError, ValueError):
    """A run folder is damaged, newer than this version, or holds another run."""


class TrainingError(GatewiseError, RuntimeError):
    """Training cannot continue."""


class DivergenceError(TrainingError):
    """The loss became NaN or infinite."""


class KernelError(GatewiseError, RuntimeError):
    """A kernel requested by name is not available, or rejects the call.

    Attributes:
        request: the `gatewise.kernels.dispatch.Request` that it was asked for; None: it came to none.
    """

    request: object = None


class StorageError(GatewiseError, OSError):
    """A file or folder cannot be written."""


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Suggest the nearest known name, else list all of them.

    Args:
        name: what the user wrote.
        known: the names that would have been accepted.

    Returns:
        A sentence fit for the ``fix`` of an error.

    Example:
        >>> did_you_mean("gur", ["rnn", "lstm", "gru"])
        "did you mean 'gru'?"
        >>> did_you_mean("transformer", ["rnn", "lstm", "gru"])
        'use one of: rnn, lstm, gru'
    """
    names = list(known)
    folded = {str(candidate).casefold(): candidate for candidate in reversed(names)}
    near = difflib.get_close_matches(str(name).casefold(), list(folded), n=1, cutoff=0.6)
    if near:
        return f"did you mean {folded[near[0]]!r}?"
    return "use one of: " + ", ".join(names)
