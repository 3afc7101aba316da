"""Several comparisons as one experiment: what `suite.json` holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gatewise.record.figures import Figure, Interval, Metric

__all__ = ["SUITE_FORMAT", "SUITE_VERSION", "Column", "Finding", "Suite", "SuitePart", "SuiteRow"]

SUITE_FORMAT = "gatewise.suite"
SUITE_VERSION = 2


@dataclass(frozen=True, kw_only=True)
class Column:
    """A figure of a part's table: its name in the record, its title, and how it is written (see `Metric`)."""

    name: str
    title: str
    percent: bool = False
    percent_sign: bool = True


@dataclass(frozen=True, kw_only=True)
class SuiteRow:
    """One model of a part.

    Attributes:
        name: the model's.
        title: as a reader knows it.
        kind: ``recurrent`` or ``baseline``.
        figure: the comparison's metric.
        figures: the table's figures by name.
        parameters: trained numbers.
        minutes: of training one run.
        kernel: what ran the recurrent layers.
        published: what the articles printed, by name; None: nothing.
    """

    name: str
    title: str
    kind: Literal["recurrent", "baseline"]
    figure: Figure
    figures: Mapping[str, float | None]
    parameters: float | None
    minutes: float
    kernel: str
    published: Mapping[str, float] | None = None


@dataclass(frozen=True, kw_only=True)
class SuitePart:
    """One comparison of the suite.

    Attributes:
        name: of its folder.
        title: in words.
        report: path of its own page.
        command: that repeats it.
        source: which place the data came from.
        split_note: what the test part is.
        environment: versions, processor, threads.
        seeds: of each cell.
        metric: the comparison's.
        columns: of the table.
        verdict: its sentences.
        rows: one per model.
    """

    name: str
    title: str
    report: str
    command: str
    source: str
    split_note: str
    environment: Mapping[str, Any]
    seeds: int
    metric: Metric
    columns: tuple[Column, ...]
    verdict: tuple[str, ...]
    rows: tuple[SuiteRow, ...]

    @property
    def published(self) -> bool:
        """Whether the articles print a figure of it."""
        return any(row.published for row in self.rows)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What becomes of a claim.

    Attributes:
        sentence: the claim.
        part: the comparison that can decide it.
        about: ``quality``, ``time`` or ``size``.
        better: the cell that is said to be better, faster or smaller.
        worse: the other one.
        finding: ``holds``, ``fails``, ``undecided`` or ``untested``.
        evidence: in words.
        published: the two cells' published figures.
        gain: by how much the first is better in quality.
        adjusted_p_value: of "no difference" in quality or time, corrected for all claims of the suite (Holm, 1979).
        ratio: of times or sizes.
    """

    sentence: str
    part: str
    about: str
    better: str
    worse: str
    finding: Literal["holds", "fails", "undecided", "untested"]
    evidence: str
    published: tuple[float, float] | None = None
    gain: Interval | None = None
    adjusted_p_value: float | None = None
    ratio: float | None = None


@dataclass(frozen=True, kw_only=True)
class Suite:
    """Everything that a suite measured.

    Attributes:
        suite: its name.
        command: that repeats it.
        quick: whether it is the version with few epochs.
        parts: one per comparison.
        claims: one per claim.
        left_out: sentences on parts whose data are not at hand.
    """

    suite: str
    command: str
    quick: bool
    parts: tuple[SuitePart, ...]
    claims: tuple[Finding, ...]
    left_out: tuple[str, ...] = ()
    format: str = SUITE_FORMAT
    format_version: int = SUITE_VERSION

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries and lists, ready for JSON: the content of `suite.json`."""
        from gatewise.record.writing import plain

        content: dict[str, Any] = plain(self)
        first = {name: content.pop(name) for name in ("format", "format_version")}
        return first | content
