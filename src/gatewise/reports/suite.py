"""The experiment of several comparisons as one page, one Markdown file and one picture."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatewise import words
from gatewise.errors import RunError
from gatewise.files import read_json, write_bytes, write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from rich.console import Console

__all__ = [
    "SUITE_FILE",
    "print_suite",
    "read_suite",
    "suite_figure",
    "suite_markdown",
    "suite_page",
    "suite_summary",
    "write_suite_report",
]

SUITE_FILE = "suite.json"
FORMAT_VERSION = 1
FINDINGS = {"holds": "holds", "fails": "fails", "undecided": "not told apart", "untested": "not tested"}
_TEMPLATES = Path(__file__).parent / "templates"
_COLOURS = {"rnn": "#0b6e99", "lstm": "#c8501c", "gru": "#00805f"}
_OTHER = "#6b665d"
_INK, _MUTED, _RULE = "#1c1b19", "#625d54", "#ddd8cd"
Record = Mapping[str, Any]


def read_suite(folder: str | Path) -> dict[str, Any]:
    """Read and check `suite.json` of a folder.

    Raises:
        RunError: it is missing, damaged, or from a newer version.

    Example:
        >>> read_suite("nowhere")
        Traceback (most recent call last):
        gatewise.errors.RunError: nowhere holds no finished suite; expected: suite.json in it; fix: ...
    """
    place = Path(folder) / SUITE_FILE
    if not place.exists():
        raise RunError(
            f"{folder} holds no finished suite",
            expected=f"{SUITE_FILE} in it",
            fix="name the folder given to `gatewise suite --out`; if it was stopped, run the same command again",
        )
    record = read_json(place)
    version = record.get("format_version") if isinstance(record, dict) else None
    if not isinstance(version, int) or not all(name in record for name in ("parts", "claims", "command")):
        raise RunError(f"{place} is damaged", expected="a suite with parts and claims", fix="run the suite again")
    if version > FORMAT_VERSION:
        raise RunError(
            f"{place} is from a newer Gatewise",
            expected=f"format {FORMAT_VERSION} or older",
            got=f"format {version}",
            fix="update Gatewise: pip install --upgrade gatewise",
        )
    return dict(record)


def write_suite_report(folder: str | Path) -> Path:
    """Make `suite.html`, `suite.md`, `suite.png` and `suite.svg` from the `suite.json` in a folder.

    Returns:
        The path of the page.
    """
    record = read_suite(folder)
    place = Path(folder)
    for kind in ("png", "svg"):
        write_bytes(place / f"suite.{kind}", _drawn(record, kind))
    write_text(place / "suite.md", suite_markdown(record))
    return write_text(place / "suite.html", suite_page(record))


def suite_markdown(record: Record) -> str:
    """The tables and findings as Markdown."""
    lines = ["# The articles' experiment, measured", "", suite_summary(record), ""]
    lines += [f"Command: `{record['command']}`", ""]
    if record["quick"]:
        lines += ["A quick version with few epochs: it shows that everything runs, not what the cells can do.", ""]
    for part in record["parts"]:
        head = ["model", *(column["title"] for column in part["columns"]), "published", "parameters", "minutes"]
        lines += [f"## {part['title']}", "", _row(head), _row(["---"] + ["---:"] * (len(head) - 1))]
        for row in table_rows(part):
            lines.append(_row([row["title"], *row["figures"], row["published"], row["parameters"], row["minutes"]]))
        lines += ["", *(f"{words.sentence(sentence)}" for sentence in part["verdict"]), ""]
    lines += ["## What the articles claim", "", _row(["claim", "finding", "evidence"]), _row(["---"] * 3)]
    for claim in record["claims"]:
        lines.append(_row([claim["sentence"], FINDINGS[claim["finding"]], claim["evidence"]]))
    return "\n".join(lines) + "\n"


def suite_page(record: Record) -> str:
    """The page as HTML; nothing in it comes from anywhere else."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    parts = [{**part, "table": table_rows(part)} for part in record["parts"]]
    groups = [(name, [claim for claim in record["claims"] if claim["finding"] == name]) for name in FINDINGS]
    picture = _drawn(record, "svg").decode("utf-8")
    # the picture's own description of itself only names addresses that a page without network does not need
    picture = re.sub(r"<metadata>.*?</metadata>", "", picture, flags=re.DOTALL)
    return environment.get_template("suite.html").render(
        record=record,
        parts=parts,
        summary=suite_summary(record),
        groups=[(FINDINGS[name], claims) for name, claims in groups if claims],
        picture=picture[picture.index("<svg") :],
        css=(_TEMPLATES / "report.css").read_text(encoding="utf-8"),
        sentence=words.sentence,
    )


def suite_summary(record: Record) -> str:
    """How many of the claims hold, in a sentence.

    Example:
        >>> suite_summary({"claims": [{"finding": "holds"}, {"finding": "undecided"}, {"finding": "holds"}]})
        'Of 3 claims 2 hold and 1 cannot be told apart from noise.'
    """
    verbs = {"holds": "hold", "fails": "fail", "undecided": "cannot be told apart from noise", "untested": "untested"}
    counts = {name: sum(claim["finding"] == name for claim in record["claims"]) for name in verbs}
    told = [f"{number} {verbs[name]}" for name, number in counts.items() if number]
    return f"Of {len(record['claims'])} claims {words.join(told)}." if told else "No claim was tested."


def table_rows(part: Record) -> list[dict[str, Any]]:
    """The rows of a part's table in words.

    Args:
        part: an entry of ``parts``.

    Returns:
        For each model: ``title``, ``kind``, ``figures`` (one a column), ``published``, ``parameters``, ``minutes``.
    """
    rows = []
    for row in part["rows"]:
        published = row["published"] or {}
        told = [_figure(name, published[name]) for name in (c["name"] for c in part["columns"]) if name in published]
        if "minutes" in published:
            told.append(f"{published['minutes']:g} min")
        figures = []
        for column in part["columns"]:
            text = _figure(column["name"], row["figures"][column["name"]])
            if column["name"] == part["metric"]["name"]:
                scale = words.Scale.of(part["metric"], row["figure"]["estimate"])
                text += f" ({scale.interval(row['figure']['low'], row['figure']['high'])})"
            figures.append(text)
        rows.append(
            {
                "title": row["title"],
                "kind": row["kind"],
                "figures": figures,
                "published": ", ".join(told) or "–",
                "parameters": words.count(row["parameters"]),
                "minutes": f"{row['minutes']:.1f}" if row["kind"] != "baseline" else "–",
            }
        )
    return rows


def _figure(name: str, value: float | None) -> str:
    if value is None:
        return "–"
    if name.endswith("accuracy"):
        return words.percent(value)
    return f"{value:.1f}" if value >= 10 else f"{value:.2g}"


def suite_figure(record: Record) -> Figure:
    """One panel per comparison: each cell's figure with its interval, the published one hollow, baselines as lines."""
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1, wspace=0.06)
    figure = Figure(figsize=(10.0, 3.4), layout=layout)
    panels = figure.subplots(1, len(record["parts"]), squeeze=False)[0]
    for axes, part in zip(panels, record["parts"], strict=True):
        _panel(axes, part)
    return figure


def _drawn(record: Record, kind: str) -> bytes:
    """The picture as the content of a file."""
    import matplotlib

    stream = io.BytesIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "gatewise", "font.size": 10}):
        metadata = {"Date": None} if kind == "svg" else {}
        suite_figure(record).savefig(stream, format=kind, dpi=160, metadata=metadata, facecolor="#fdfcf9")
    return stream.getvalue()


def _panel(axes: Axes, part: Record) -> None:
    metric = part["metric"]
    size = 100.0 if metric["percent"] else 1.0
    cells = [row for row in part["rows"] if row["kind"] != "baseline"]
    for place, row in enumerate(cells):
        colour = _COLOURS.get(row["name"], _OTHER)
        value, low, high = (size * row["figure"][name] for name in ("estimate", "low", "high"))
        axes.plot([low, high], [place, place], color=colour, linewidth=5, alpha=0.35, solid_capstyle="round")
        axes.plot([value], [place], "o", color=colour, markersize=9)
        told = (row["published"] or {}).get(metric["name"])
        if told is not None:
            axes.plot([size * told], [place], "D", markerfacecolor="white", markeredgecolor=colour, markersize=8)
    baselines = [row for row in part["rows"] if row["kind"] == "baseline"]
    for row in baselines[:1]:
        at = size * row["figure"]["estimate"]
        axes.axvline(at, color=_OTHER, linestyle=(0, (4, 3)), linewidth=1.2)
        axes.text(at, -0.62, f" {row['title']}", color=_MUTED, fontsize=8, va="center", ha=_side(axes, at))
    axes.set_yticks(range(len(cells)), [str(row["title"]) for row in cells])
    axes.set_ylim(len(cells) - 0.5, -0.85)
    axes.set_facecolor("none")
    axes.set_title(part["title"], loc="left", fontsize=10.5, color=_INK)
    axes.set_xlabel(metric["title"] + (" (%)" if metric["percent"] else ""), color=_MUTED)
    axes.grid(axis="x", color=_RULE, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_MUTED, length=0)
    axes.locator_params(axis="x", nbins=5)
    for edge in ("top", "right", "left"):
        axes.spines[edge].set_visible(False)
    axes.spines["bottom"].set_color(_RULE)


def _side(axes: Axes, at: float) -> str:
    """On which side of a line its words have room."""
    low, high = axes.get_xlim()
    return "right" if at > (low + high) / 2 else "left"


def _row(cells: list[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in cells) + " |"


def print_suite(record: Record, screen: Console) -> None:
    """Show the tables and findings on a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    for part in record["parts"]:
        table = Table(title=part["title"], box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
        table.add_column("model")
        for title in (*(column["title"] for column in part["columns"]), "published", "parameters", "minutes"):
            table.add_column(Text(title), justify="right")
        for row in table_rows(part):
            told = (*row["figures"], row["published"], row["parameters"], row["minutes"])
            table.add_row(Text(row["title"]), *(Text(text) for text in told))
        screen.print(table)
    for claim in record["claims"]:
        screen.print(f"{claim['sentence']}: {FINDINGS[claim['finding']]}. {claim['evidence']}", markup=False)
