"""Comparisons on several data sets as one page, and on a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from gatewise import words
from gatewise.drawing.charts import Series, line_chart
from gatewise.drawing.styles import series_style
from gatewise.drawing.templates import render, shared_css
from gatewise.drawing.ticks import nice_ticks, percent_words
from gatewise.files import write_text
from gatewise.record import DataSetModel, DataSetPart, Overall, PairOverall, Several, Splits, read_several

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["print_several", "render_several", "write_several_report"]

_TEMPLATES = Path(__file__).parent / "templates"
_SPLIT_HEADS = (
    *("Against", "Difference", "A run of the first wins", "Corrected p"),
    *("Seeds", "Test examples", "Both", "Splits", "Reading"),
)
_PAIR_HEADS = ("Against", "A run of the first wins", "p (ranks)", "Better", "Same", "Worse", "Reading")


def write_several_report(folder: str | Path) -> Path:
    """Make `report.html` from the `comparisons.json` in a folder.

    Raises:
        RunError: there is none, it is damaged, or from another version.
        StorageError: the page cannot be written.
    """
    return write_text(Path(folder) / "report.html", render_several(read_several(folder)))


def render_several(record: Several) -> str:
    """The page as HTML; nothing in it comes from anywhere else."""
    models = {model.name: model.title for part in record.parts for model in part.models}
    baselines = {model.name for part in record.parts for model in part.models if model.kind == "baseline"}
    overall = record.overall
    if overall is not None:
        models |= {model.name: model.title for model in overall.models}
        baselines |= {model.name for model in overall.models if model.kind == "baseline"}
    styles = series_style(models, baselines)
    return render(
        _TEMPLATES,
        "several.html",
        record=record,
        overall=overall,
        styles=styles,
        titles=models,
        strip=None if overall is None else _strip(overall),
        profile=None if overall is None else _profile(overall, styles),
        pair_heads=[(head, head in ("Against", "Reading")) for head in _PAIR_HEADS],
        pair_rows=[] if overall is None else _pair_rows(overall),
        split_rows=[] if record.splits is None else _split_rows(record.splits, record.parts[0]),
        split_heads=[(head, head in ("Against", "Reading")) for head in _SPLIT_HEADS],
        parts=[(part, _part_heads(part), _part_rows(part)) for part in record.parts],
        css=shared_css(),
    )


def print_several(record: Several, screen: Console) -> None:
    """Show figures and scores of each data set, and what they say together, on a terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    for part in record.parts:
        table = Table(title=Text(part.title), box=box.SIMPLE_HEAD, pad_edge=False, title_justify="left")
        table.add_column("model")
        for head, _ in _part_heads(part):
            table.add_column(Text(head), justify="right")
        titles = {model.name: model.title for model in part.models}
        for name, cells in _part_rows(part):
            table.add_row(Text(titles[name]), *(Text(cell) for cell in cells))
        screen.print(table)
    screen.print(Text(record.headline, style="bold"))
    for sentence in record.sentences:
        screen.print(Text(sentence))
    for caveat in record.caveats:
        screen.print(Text(caveat, style="dim"))


def score_words(value: float | None) -> str:
    """A score: the share of the best baseline's error that is saved, with its sign.

    Example:
        >>> score_words(0.1234), score_words(-0.5), score_words(None)
        ('+12.3 %', '−50.0 %', '–')
    """
    return "–" if value is None else f"{words.points(value)} %"


def _part_heads(part: DataSetPart) -> list[tuple[str, bool]]:
    metric = part.metric.title
    return [(f"Test {metric}", False), ("95 % interval", False), ("Error saved", False), ("Runs", False)]


def _part_rows(part: DataSetPart) -> list[tuple[str, list[str]]]:
    """A data set's models, the best first."""
    scale = words.Scale.of(part.metric, max((abs(model.figure.estimate) for model in part.models), default=0.0))
    ordered = sorted(part.models, key=lambda model: model.figure.estimate, reverse=part.metric.higher_is_better)
    return [(model.name, _cells(model, scale)) for model in ordered]


def _cells(model: DataSetModel, scale: words.Scale) -> list[str]:
    figure = model.figure
    runs = "–" if model.kind == "baseline" else str(figure.seeds) + (f" ({model.lost} lost)" if model.lost else "")
    return [scale.value(figure.estimate), scale.interval(figure.low, figure.high), score_words(model.score), runs]


def _pair_rows(overall: Overall) -> list[tuple[str, list[str]]]:
    titles = {model.name: model.title for model in overall.models}
    return [(pair.first, _pair_cells(pair, titles, overall)) for pair in overall.pairs]


def _pair_cells(pair: PairOverall, titles: dict[str, str], overall: Overall) -> list[str]:
    chance = pair.improvement
    wins = f"{words.percent(chance.estimate, 0)} ({100 * chance.low:.0f}–{100 * chance.high:.0f})"
    reading = "too few data sets" if not overall.enough else "ranks better" if pair.differs else "no difference shown"
    shares = [_probability(share) if overall.enough else "–" for share in (pair.better, pair.same, pair.worse)]
    p_value = words.p_value(pair.p_value) if overall.enough else "–"
    return [titles[pair.second], wins, p_value, *shares, reading]


def _probability(value: float) -> str:
    """A probability that was simulated, never written as certainty.

    Example:
        >>> _probability(0.5), _probability(1.0), _probability(0.0)
        ('50 %', '> 99 %', '< 1 %')
    """
    return "< 1 %" if value < 0.01 else words.confidence(value)


def _split_rows(found: Splits, part: DataSetPart) -> list[tuple[str, list[str]]]:
    """Every pair over all splits: mean difference, how often a run wins, and the shares of its variance."""
    scale = words.Scale.of(part.metric, max((abs(model.figure.estimate) for model in part.models), default=0.0))
    titles = {model.name: model.title for model in part.models}
    rows = []
    for pair in found.pairs:
        gap, wins = pair.difference, pair.improvement
        whole = sum(pair.shares.values()) or 1.0
        shares = [words.percent(pair.shares[name] / whole, 0) for name in ("seeds", "examples", "both", "splits")]
        cells = [
            titles.get(pair.second, pair.second),
            f"{scale.signed(gap.estimate)} ({scale.interval(gap.low, gap.high, signed=True)})",
            f"{words.percent(wins.estimate, 0)} ({100 * wins.low:.0f}–{100 * wins.high:.0f})",
            words.p_value(pair.adjusted_p_value),
            *(["–", shares[1], "–", shares[3]] if part.seeds == 1 else shares),
            "differ" if pair.differs else "no difference shown",
        ]
        rows.append((pair.first, cells))
    return rows


def _strip(overall: Overall) -> dict[str, Any]:
    """Places, in percent of the width, of each model's score on one axis."""
    low = min(0.0, *(model.score.low for model in overall.models))
    high = max(0.0, *(model.score.high for model in overall.models))
    ticks = nice_ticks(low, high, 4)

    def place(value: float) -> float:
        return round(100 * (value - ticks[0]) / (ticks[-1] - ticks[0]), 2)

    bars = {
        model.name: {
            "left": place(model.score.low),
            "width": round(place(model.score.high) - place(model.score.low), 2),
            "dot": place(model.score.estimate),
            "words": score_words(model.score.estimate),
        }
        for model in overall.models
    }
    return {"ticks": list(zip(percent_words(ticks), map(place, ticks), strict=True)), "places": bars}


def _profile(overall: Overall, styles: dict[str, int]) -> Markup:
    """The share of runs above each score, a line per model with its band."""
    series = [
        Series(
            model.title,
            styles[model.name],
            (model.profile,),
            band=None if model.kind == "baseline" else (model.profile_low, model.profile_high),
        )
        for model in overall.models
    ]
    return line_chart(
        series,
        title="Share of runs with a score above the one below, a line per model",
        unit=percent_words,
        x_title="share of the best baseline's error that is saved, at least",
        x_values=overall.thresholds,
        x_unit=percent_words,
        limits=(0.0, 1.0),
    )
