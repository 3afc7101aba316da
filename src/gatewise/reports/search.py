"""The report's part on a search: quality against budget, and which setting matters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from gatewise import words
from gatewise.drawing.charts import Series, line_chart
from gatewise.drawing.ticks import tick_words
from gatewise.record import Comparison, ModelSearch
from gatewise.reports.pictures import ticks_of

__all__ = ["SearchSection", "SettingBars", "search_section"]

_LITTLE = 0.1


@dataclass(frozen=True)
class SettingBars:
    """How much of a model's figures its settings explain.

    Attributes:
        title: of the model.
        style: number of its colour.
        bars: words of a setting, its share in words, and the width in percent; none where the trials do not tell.
        note: how far that can be relied on.
    """

    title: str
    style: int
    bars: tuple[tuple[str, str, float], ...]
    note: str


@dataclass(frozen=True)
class SearchSection:
    """What the page shows of a search.

    Attributes:
        metric: by which was chosen, in words.
        chart: the best figure expected against the number of trials.
        note: below the chart.
        settings: of every model with enough trials.
    """

    metric: str
    chart: Markup
    note: str
    settings: tuple[SettingBars, ...]


def search_section(record: Comparison, styles: Mapping[str, int], scale: words.Scale) -> SearchSection | None:
    """Quality against budget, and which setting matters; None where nothing is known."""
    found = record.search
    if found is None:
        return None
    own = found.metric == record.metric.name
    models = [model for model in found.models if len(model.best) > 1]
    title = scale.title if own else found.metric.replace("_", " ")
    chart = line_chart(
        [Series(model.title, styles[model.name], (model.best,)) for model in models],
        title=f"Best validation {title} expected of so many trials, a line per model",
        unit=ticks_of(scale) if own else tick_words,
        x_title="trials",
        limits=(0.0, 1.0) if own and scale.percent else None,
    )
    order = "in the order in which they were tried" if found.in_order else "in random order"
    note = f"The best validation figure that the first n trials are expected to find, {order} (Dodge et al. 2019)."
    if found.in_order and any(model.kind == "baseline" for model in models):
        note += " Baselines’ trials are random ones."
    return SearchSection(title, chart, note, tuple(_bars(model, styles) for model in found.models if model.shares))


def _bars(model: ModelSearch, styles: Mapping[str, int]) -> SettingBars:
    trials = words.plural(model.trials * model.searches, "trial")
    known = model.explained or 0.0
    if known <= _LITTLE:
        note = f"{trials} do not tell: their settings do not predict the figure of a trial that was left out."
        return SettingBars(model.title, styles[model.name], (), note)
    bars = [(name.replace("_", " "), words.percent(share, 0), 100 * share) for name, share in model.shares.items()]
    rest = max(0.0, 1 - sum(model.shares.values()))
    bars.append(("together only", words.percent(rest, 0), 100 * rest))
    note = f"{trials}; settings explain {words.percent(known, 0)} of the variation among trials that were left out."
    return SettingBars(model.title, styles[model.name], tuple(bars), note)
