"""The part of the report that a kind of problem gives, found by name at run time.

A kind names a module in `gatewise.training.kind.Kind.report`. It imports no torch and may have:

- ``sections(page) -> Sequence[Markup]``: sections of the page, rendered by `gatewise.drawing.templates.render` from
  the kind's own template; they stand below the memory curves, before the tuning.
- ``notes(page) -> Sequence[str]``: sentences below the table of figures.
- ``figures(comparison) -> Mapping[str, FigureWords]``: how the kind's figures are called and written; of no comparison
  (None), those that every run of the kind has.
- ``check(comparison, place)``: raises a `RunError` where the kind's part of a record is damaged.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from markupsafe import Markup

from gatewise import record as records
from gatewise.drawing.page import FigureWords, Page
from gatewise.errors import OptionError
from gatewise.record import RECORD_FILE, Comparison
from gatewise.training.registry import kind_of

__all__ = ["KindReport", "checked", "kind_report", "read_comparison"]


@dataclass(frozen=True)
class KindReport:
    """What a kind of problem adds to the report; the usual values add nothing."""

    sections: Callable[[Page], Sequence[Markup]] = lambda page: []
    notes: Callable[[Page], Sequence[str]] = lambda page: []
    figures: Callable[[Comparison | None], Mapping[str, FigureWords]] = lambda comparison: {}
    check: Callable[[Comparison, object], None] = lambda comparison, place: None


def kind_report(task: str) -> KindReport:
    """The report's part of a kind; one that adds nothing where the kind gives none, or is not installed.

    Example:
        >>> kind_report("a-kind-of-another-package").figures.__name__
        '<lambda>'
    """
    try:
        home = kind_of(task).report
    except OptionError:
        return KindReport()
    if home is None:
        return KindReport()
    module = importlib.import_module(home)
    return KindReport(**{name: vars(module)[name] for name in KindReport.__dataclass_fields__ if name in vars(module)})


def read_comparison(folder: str | Path) -> Comparison:
    """Read the `comparison.json` of a folder, the kind's part of it too.

    Raises:
        RunError: there is none, it is damaged, or from another version.
    """
    return checked(records.read_comparison(folder), Path(folder) / RECORD_FILE)


def checked(comparison: Comparison, place: object = RECORD_FILE) -> Comparison:
    """The comparison, if the kind finds its part of it whole.

    Raises:
        RunError: naming the part that is damaged.
    """
    kind_report(comparison.task).check(comparison, place)
    return comparison
