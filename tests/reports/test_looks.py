"""What a reader sees: colours that stay, names and numbers that do not cover each other, no empty part, no clipping."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import browser
from gatewise.drawing.charts import Mark, Series, line_chart, scatter_chart
from gatewise.drawing.labels import spread, text_width
from gatewise.drawing.styles import STYLES, series_style, shape
from gatewise.drawing.ticks import nice_ticks, percent_words, tick_words, time_words
from gatewise.kinds.forecasting.examples import _times
from gatewise.kinds.forecasting.fans import Fan, fan_chart, fan_title
from gatewise.record import Comparison, comparison_from
from gatewise.reports import render_page
from gatewise.reports.plots import curves_figure
from made_up_comparison import (
    made_up_dataset,
    made_up_forecast,
    made_up_language,
    made_up_probe,
    made_up_record,
    made_up_tagging,
)

CELLS = {"baseline": 0.9, "rnn": 0.86, "lstm": 0.88, "gru": 0.885}
LONG = tuple(f"{word} and everything that belongs to it" for word in "abcdefghijkl")
MANY = tuple(f"class {number}" for number in range(20))
TEXT = re.compile(r'<text class="([^"]*)" x="([-\d.]+)" y="([-\d.]+)">([^<]*)</text>')


def _boxes(chart: str, style: str) -> list[tuple[float, float, float, float]]:
    """Left, top, right and bottom of the words of a class."""
    found = []
    for names, x, y, words in TEXT.findall(chart):
        if style in names.split():
            wide = text_width(words)
            left = float(x) - (wide if "end" in names.split() else wide / 2 if "middle" in names.split() else 0)
            found.append((left, float(y) - 11, left + wide, float(y) + 3))
    assert found
    return found


def _apart(boxes: list[tuple[float, float, float, float]]) -> bool:
    pairs = [(a, b) for place, a in enumerate(boxes) for b in boxes[:place]]
    return all(a[0] >= b[2] or b[0] >= a[2] or a[1] >= b[3] - 1 or b[1] >= a[3] - 1 for a, b in pairs)


def test_a_cell_has_one_colour_everywhere() -> None:
    assert (
        series_style(["gru", "lstm", "rnn"], ())
        == {"gru": 3, "lstm": 2, "rnn": 1}
        == series_style(["rnn", "lstm", "gru"], ())
    )
    for cells in ({"gru": 0.9, "rnn": 0.8}, {"lstm": 0.8, "mingru": 0.9, "gru": 0.85}):
        page = render_page(made_up_record({"baseline": 0.7, **cells}))
        assert re.search(r'key k3" aria-hidden="true"></span>GRU<', page)
    own = series_style(["my_cell", "rnn"], ())["my_cell"]
    assert own == series_style(["rnn", "lstm", "gru", "bilstm", "my_cell"], ())["my_cell"] > 3


def test_many_models_have_colours_of_their_own() -> None:
    names = ["rnn", "lstm", "gru", "mingru", "minlstm", "birnn", "bilstm", "bigru", "gru*2", "lstm*2", "own", "another"]
    styles = series_style([*names, "tfidf"], {"tfidf"})
    assert len(set(styles.values())) == len(names) + 1 and styles["tfidf"] == 0
    assert series_style([*names, "tfidf"][::-1], {"tfidf"}) == styles
    assert max(styles.values()) <= STYLES
    assert shape(styles["gru"]) == shape(styles["bigru"]) == "triangle"


def test_a_share_never_passes_100_percent() -> None:
    assert percent_words(nice_ticks(1.0, 1.0, limits=(0.0, 1.0)))[-1] == "100.0 %"
    record = made_up_record({"baseline": 1.0, "rnn": 1.0, "gru": 1.0}, seeds=2)
    content = record.to_dict()
    for model in content["models"]:
        for run in model["runs"]:
            for epoch in run["epochs"]:
                epoch["validation"]["accuracy"] = 1.0
    record = comparison_from(content)
    ticks = [float(number) for number in re.findall(r">([\d.]+) %</text>", render_page(record))]
    assert ticks and max(ticks) == 100
    assert curves_figure(record).axes[1].get_ylim()[1] <= 101


def test_numbers_along_an_axis_are_alike() -> None:
    assert tick_words([0.6, 0.65, 0.7]) == ["0.60", "0.65", "0.70"]
    assert tick_words([-0.05, 0.0, 0.025], signed=True) == ["−0.050", "0", "+0.025"]
    assert time_words([0.0, 0.5, 1.0]) == ["0", "0.5 s", "1.0 s"]
    assert time_words([1.0, 60.0, 3600.0]) == ["1 s", "1 min", "1 h"]


@pytest.mark.parametrize("ends", [(0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1), (0.0, 1.0, 0.5, 0.51, 0.52, 0.0, 1.0, 0.3)])
def test_names_of_curves_are_apart_and_inside(ends: tuple[float, ...]) -> None:
    titles = [
        "GRU",
        "Bi-LSTM, 3 layers",
        "TF-IDF + logistic regression",
        "LSTM",
        "a_cell_of_my_own_with_a_long_name",
        "RNN",
        "minGRU",
        "W" * 40,
    ]
    lines = [
        Series(title, 1 + place, ((0.5, end), (0.5,)))
        for place, (title, end) in enumerate(zip(titles, ends, strict=True))
    ]
    chart = line_chart(lines, title="-", unit=tick_words, x_title="epoch")
    boxes = _boxes(chart, "label")
    assert len(boxes) >= len(titles) and _apart(boxes)
    assert all(box[0] >= 0 and box[2] <= 480 and box[1] >= -8 and box[3] <= 300 for box in boxes)


def test_names_stay_near_the_ends_of_their_lines() -> None:
    generator = np.random.default_rng(0)
    for _ in range(50):
        wanted = generator.uniform(20, 250, 6)
        placed = spread(list(wanted), [15.0] * 6, 6.0, 262.0)
        order = np.argsort(wanted, kind="stable")
        assert np.all(np.diff(np.array(placed)[order]) >= 15 - 1e-9)
        assert min(placed) >= 13.5 - 1e-9 and max(placed) <= 254.5 + 1e-9
        # no sum of squares over any shift of all of them is smaller
        cost = [np.sum((np.array(placed) + shift - wanted) ** 2) for shift in (-1.0, 0.0, 1.0)]
        assert cost[1] <= min(cost) + 1e-6 or min(placed) < 14 or max(placed) > 254


def test_names_of_points_are_apart_and_inside() -> None:
    titles = ["GRU", "LSTM", "RNN", "Bi-LSTM", "TF-IDF + logistic regression"]
    marks = [
        Mark(title, place, 4.4 + 0.15 * place, 0.8 - 0.003 * place, 0.75, 0.85) for place, title in enumerate(titles)
    ]
    for seconds in (1.0, 1e-6, 700.0):
        crowd = [replace(mark, x=mark.x * seconds) for mark in marks]
        chart = scatter_chart(
            crowd, title="-", unit=percent_words, x_unit=time_words, x_title="time", higher_is_better=True
        )
        boxes = _boxes(chart, "label")
        assert len(boxes) == len(titles) and _apart(boxes)
        assert all(box[0] >= 0 and box[2] <= 481 for box in boxes)


@pytest.mark.parametrize(
    "times", [(1e-4, 0.3, 0.5), (1.7, 2.2, 1.8), (5e-6, 4e-6, 4.4e-6), (0.2, 5000.0, 40000.0), (90.0, 400.0)]
)
def test_numbers_below_an_axis_are_apart(times: tuple[float, ...]) -> None:
    marks = [Mark(f"model {place}", 1, time, 0.5, 0.4, 0.6) for place, time in enumerate(times)]
    chart = scatter_chart(marks, title="-", unit=tick_words, x_unit=time_words, x_title="", higher_is_better=True)
    boxes = [box for box in _boxes(chart, "tick") if 265 < box[1] + 11 < 285]
    assert len(boxes) >= 2 and _apart(boxes) and max(box[2] for box in boxes) <= 480


def test_a_forecast_is_named_by_what_is_there() -> None:
    fan = Fan((1.0, 2.0), (3.0,), (2.5,), target="close", origin="2021-05-13T00:00:00")
    assert fan_title(fan) == "close, from 2021-05-13"
    assert fan_title(replace(fan, series="AAPL")) == "AAPL, close, from 2021-05-13"
    content = made_up_forecast({"persistence": 0.02, "gru": 0.02}).to_dict()
    for model in content["models"]:
        for run in model["runs"]:
            for entry in (run["predictions"] or {}).get("fans", []):
                entry["series"] = ""
    captions = re.findall(r"<figcaption>([^<]*)<", render_page(comparison_from(content)))
    assert "close, from 2020-03-02" in captions and not any(caption.startswith(",") for caption in captions)


def test_a_forecast_shows_dates_where_there_are_dates() -> None:
    days = np.datetime64("2021-01-01", "us") + np.arange(100) * np.timedelta64(1, "D")
    times = _times(days, 60, 40, 5)
    assert times["0"].startswith("2021-03-02") and all(-40 < int(step) <= 5 for step in times)
    fan = Fan(tuple(range(40)), tuple(range(5)), tuple(range(5)), origin="2021-03-02", times=times)
    chart = fan_chart(fan, 3)
    assert "2021-03-02" in chart and "steps" not in chart
    assert "steps" in fan_chart(replace(fan, times={}), 3)
    assert _times(np.arange(100.0), 60, 40, 5) == {}


def test_one_step_ahead_needs_no_table_of_steps() -> None:
    content = made_up_forecast({"persistence": 0.02, "gru": 0.02}).to_dict()
    assert "How far ahead" in render_page(comparison_from(content))
    for model in content["models"]:
        for run in model["runs"]:
            run["test"]["by_horizon"] = run["test"]["by_horizon"][:1]
    assert "How far ahead" not in render_page(comparison_from(content))


@pytest.mark.parametrize("labels", [("negative", "positive"), LONG, MANY])
def test_models_without_a_mistake_have_no_table_of_them(labels: tuple[str, ...]) -> None:
    data = made_up_dataset(labels=labels)
    perfect = render_page(made_up_record({"baseline": 1.0, "gru": 1.0}, dataset=data))
    assert "What gets mistaken for what" not in perfect and "<tbody></tbody>" not in perfect
    mixed = render_page(made_up_record({"baseline": 0.8, "gru": 1.0}, dataset=data))
    assert "What gets mistaken for what" in mixed and "No mistake: GRU" in mixed
    assert "of GRU" not in mixed and "<tbody></tbody>" not in mixed


def test_taggers_without_mistakes_have_no_section_of_them() -> None:
    assert "What gets mistaken for what" not in render_page(made_up_tagging({"most-frequent-tag": 0.9, "gru": 1.0}))


def test_long_class_names_are_numbered() -> None:
    page = render_page(made_up_record(CELLS, dataset=made_up_dataset(labels=LONG)))
    assert page.count('class="matrix') == 4 and page.count("matrix m3 dense") == 1
    assert f"<b>12</b> <span>{LONG[11]}</span>" in page and "In percent of the texts with the label" in page
    assert "1 more model<" in page


def test_costs_are_two_tables_with_plain_heads() -> None:
    page = render_page(made_up_record(CELLS))
    training, _, use = page.partition("<caption>To train</caption>")[2].partition("<caption>To use</caption>")
    assert "Kernel" in training and "Time to 85.0\u00a0% on validation" in training and "validated" not in page
    assert "One step, p50" in use and "Median lag (steps back)" in use


def _long_record() -> Comparison:
    cells = {
        "baseline": 0.9,
        "rnn": 0.85,
        "bilstm": 0.88,
        "gru*2": 0.87,
        "bilstm*3": 0.86,
        "a_cell_of_my_own_with_a_long_name": 0.84,
    }
    record = made_up_record(cells, seeds=2, dataset=made_up_dataset(labels=LONG))
    name = "customer-requests-of-the-second-quarter-of-2026-export-final-version-3.csv"
    return replace(
        record, data=replace(record.data, name=name, source=f"the file {name}"), command=f"gatewise compare {name}"
    )


PAGES: dict[str, Callable[[], Comparison]] = {
    "classification": lambda: made_up_record(CELLS, seeds=2),
    "long names": _long_record,
    "many classes": lambda: made_up_record(CELLS, dataset=made_up_dataset(labels=MANY)),
    "forecasting": lambda: made_up_forecast({"persistence": 0.02, "lstm": 0.02, "gru": 0.0205}),
    "language": lambda: made_up_language({"kneser-ney-5": 141.0, "lstm": 108.0, "gru": 98.0}),
    "tagging": lambda: made_up_tagging({"most-frequent-tag": 0.8, "gru": 0.9}),
    "probe": lambda: made_up_probe({"rnn": 50, "lstm": 200}),
}
CUT = """[...document.querySelectorAll('main *')].filter(each => {
  if (each.closest('.unseen, details:not([open])') || each.closest('thead')) return false;
  const box = each.getBoundingClientRect();
  return box.width > 0 && (box.left < -0.5 || box.right > innerWidth + 0.5);
}).map(each => each.outerHTML.slice(0, 120))"""
SCROLLS = "[...document.querySelectorAll('.scroll')].filter(each => each.scrollWidth > each.clientWidth + 1).length"


@pytest.mark.slow
@pytest.mark.skipif(browser.PROGRAM is None, reason="needs chromium")
def test_pages_fit_every_width(tmp_path: Path) -> None:
    """Nothing is cut or has to be scrolled sideways, on a phone, a tablet and a desk; no name leaves its chart."""
    with browser.Browser() as window:
        for name, make in PAGES.items():
            page = tmp_path / f"{name}.html"
            page.write_text(render_page(make()), encoding="utf-8")
            for width in (390, 768, 1280):
                window.open(page, width=width)
                assert window.value("document.documentElement.scrollWidth <= innerWidth"), (name, width)
                assert window.value(CUT) == [], (name, width)
                assert window.value(SCROLLS) == 0, (name, width)
