"""What comparisons, runs and suites leave on disk: typed, frozen records, one format version, one reader.

What a kind of problem puts into a record stays open, as a mapping in one place each: `Data.details`, `Run.test`,
`Run.predictions`, `Run.details`, `ModelEntry.details` and `Comparison.details`; the kind's report module checks its
own.
"""

from gatewise.record.changes import Changes, ModelChange, Named, SettingChange
from gatewise.record.comparison import (
    FORMAT_VERSION,
    Axis,
    AxisFigure,
    AxisPoint,
    Comparison,
    Data,
    ModelEntry,
    ReachDecision,
    Sizes,
    Tuning,
)
from gatewise.record.figures import Difference, Figure, Interval, Metric, Skill
from gatewise.record.reading import (
    RECORD_FILE,
    SUITE_FILE,
    check_version,
    comparison_from,
    part_from,
    read_comparison,
    read_suite,
    run_from,
    suite_from,
)
from gatewise.record.rules import RULES, RULES_PAGE
from gatewise.record.run import (
    Cost,
    Epoch,
    Failure,
    GradientNorms,
    Kernel,
    Learning,
    MedianLag,
    Memory,
    Run,
    TimeToTarget,
)
from gatewise.record.suite import Column, Finding, Suite, SuitePart, SuiteRow
from gatewise.record.times import TimeBudget, TimeRatio, Times
from gatewise.record.verdict import NOT_JUDGED, Answer, Caveat, Statement, Verdict
from gatewise.record.writing import compact_json, plain

__all__ = [
    "FORMAT_VERSION",
    "NOT_JUDGED",
    "RECORD_FILE",
    "RULES",
    "RULES_PAGE",
    "SUITE_FILE",
    "Answer",
    "Axis",
    "AxisFigure",
    "AxisPoint",
    "Caveat",
    "Changes",
    "Column",
    "Comparison",
    "Cost",
    "Data",
    "Difference",
    "Epoch",
    "Failure",
    "Figure",
    "Finding",
    "GradientNorms",
    "Interval",
    "Kernel",
    "Learning",
    "MedianLag",
    "Memory",
    "Metric",
    "ModelChange",
    "ModelEntry",
    "Named",
    "ReachDecision",
    "Run",
    "SettingChange",
    "Sizes",
    "Skill",
    "Statement",
    "Suite",
    "SuitePart",
    "SuiteRow",
    "TimeBudget",
    "TimeRatio",
    "TimeToTarget",
    "Times",
    "Tuning",
    "Verdict",
    "check_version",
    "compact_json",
    "comparison_from",
    "part_from",
    "plain",
    "read_comparison",
    "read_suite",
    "run_from",
    "suite_from",
]
