"""The table for a paper or a README: `table.md` and `table.tex`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from gatewise.errors import OptionError, did_you_mean
from gatewise.files import write_text
from gatewise.record import Comparison, ModelEntry
from gatewise.reports.columns import Column, cost_columns, quality_columns, scale_of, sorted_models
from gatewise.reports.kind_report import read_comparison

__all__ = ["FORMATS", "latex_table", "markdown_table", "write_tables"]

FORMATS = {"markdown": "table.md", "latex": "table.tex"}
_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "−": "$-$",
    "–": "--",
    "µ": r"\textmu{}",
    "±": r"$\pm$",
}


def write_tables(
    folder: str | Path, formats: Iterable[str] = tuple(FORMATS), *, record: Comparison | None = None
) -> list[Path]:
    """Write the tables of the comparison in a folder beside its `comparison.json`.

    Args:
        folder: of a finished comparison.
        formats: ``markdown``, ``latex``.
        record: the checked content of its `comparison.json`; None: it is read.

    Returns:
        The files written.

    Raises:
        OptionError: there is no such format.
        RunError: there is no finished comparison, it is damaged, or from another version.
        StorageError: a file cannot be written.

    Example:
        >>> write_tables("nowhere", ["latx"])
        Traceback (most recent call last):
        gatewise.errors.OptionError: there is no table format 'latx'; expected: markdown, latex; fix: did you mean ...
    """
    chosen = list(formats)
    for name in chosen:
        if name not in FORMATS:
            raise OptionError(
                f"there is no table format {name!r}", expected=", ".join(FORMATS), fix=did_you_mean(name, FORMATS)
            )
    record = read_comparison(folder) if record is None else record
    makers = {"markdown": markdown_table, "latex": latex_table}
    return [write_text(Path(folder) / FORMATS[name], makers[name](record)) for name in chosen]


def markdown_table(record: Comparison) -> str:
    """Headline, quality and cost, and the command, as Markdown.

    Args:
        record: a comparison.
    """
    verdict, models = record.verdict, sorted_models(record)
    parts = [f"**{_markdown(verdict.headline)}.**", " ".join(_markdown(text) for text in verdict.following)]
    for columns in (quality_columns(record), cost_columns(record)) if models else ():
        heads = ["model", *(column.head for column in columns)]
        rows = [[_markdown(cell) for cell in _row(model, columns)] for model in models]
        sides = [":--", *(":--" if column.left else "--:" for column in columns)]
        parts.append("\n".join(_line(cells) for cells in (heads, sides, *rows)))
    notes = [f"Test part: {record.data.split_note}.", *(caveat.sentence for caveat in verdict.caveats)]
    notes += [f"Failed: {failure.name}: {failure.error}." for failure in record.failed]
    parts.append(" ".join(_markdown(note) for note in notes))
    fence = "````" if "```" in record.command else "```"
    parts.append(f"{fence}\n{record.command}\n{fence}")
    return "\n\n".join(part for part in parts if part) + "\n"


def latex_table(record: Comparison) -> str:
    """One table for a paper, in the style of the package booktabs: figure with interval, and what it costs.

    Args:
        record: a comparison.
    """
    models, scale = sorted_models(record), scale_of(record)
    wanted = ("parameters", "per epoch", "training time", "one step, p50")
    quality = quality_columns(record)[:2]
    columns = [*quality, *(column for column in cost_columns(record) if column.head in wanted)]
    best = set(record.verdict.leaders)
    lines = [
        f"% {record.command}".replace("\n", " "),
        "% needs \\usepackage{booktabs} and, for µ, \\usepackage{textcomp}",
        r"\begin{table}",
        r"  \centering",
        f"  \\caption{{{_latex(_caption(record, scale.title))}}}",
        f"  \\begin{{tabular}}{{l{'r' * len(columns)}}}",
        r"    \toprule",
        "    " + " & ".join(_latex(head) for head in ["model", *(column.head for column in columns)]) + r" \\",
        r"    \midrule",
    ]
    for model in models:
        cells = [_latex(cell) for cell in _row(model, columns)]
        if model.name in best:
            cells[1] = f"\\textbf{{{cells[1]}}}"
        lines.append("    " + " & ".join(cells) + r" \\")
    return "\n".join([*lines, r"    \bottomrule", r"  \end{tabular}", r"\end{table}"]) + "\n"


def _caption(record: Comparison, title: str) -> str:
    data, models = record.data, record.models
    seeds = max((model.figure.seeds for model in models), default=0)
    over = "test examples" if seeds == 1 else f"{seeds} seeds and test examples"
    bold = "in bold: the leader, and what does not differ from it" if record.verdict.leaders else ""
    text = f"Test {title} on {data.name} ({data.sizes.test:,} {record.unit}), 95 % intervals over {over}"
    return f"{text}; {bold}." if bold else f"{text}."


def _row(model: ModelEntry, columns: Sequence[Column]) -> list[str]:
    return [str(model.title), *(column.make(model) for column in columns)]


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _markdown(words: str) -> str:
    """Words without what Markdown or HTML would take for signs of their own.

    Example:
        >>> _markdown("my_cell | <b>*x*</b>")
        'my\\\\_cell \\\\| &lt;b&gt;\\\\*x\\\\*&lt;/b&gt;'
    """
    escaped = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\\", "\\\\")
    for sign in "|*_`[]":
        escaped = escaped.replace(sign, f"\\{sign}")
    return " ".join(escaped.split())


def _latex(words: str) -> str:
    """Words with LaTeX's own signs escaped.

    Example:
        >>> _latex("88.6 % of my_cell, −0.4")
        '88.6 \\\\% of my\\\\_cell, $-$0.4'
    """
    return "".join(_LATEX.get(letter, letter) for letter in words)
