"""The page: whole, self-contained, escaped; the pictures are real files."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from gatewise.comparison.verdict.changes import changes
from gatewise.drawing.styles import series_style
from gatewise.drawing.ticks import nice_ticks
from gatewise.record import Comparison, compact_json, comparison_from
from gatewise.reports import render_page, write_report
from gatewise.reports.columns import _COSTS, _USE, scale_of
from gatewise.reports.sections import tiles
from gatewise.training.registry import kind_of
from made_up_comparison import made_up_dataset, made_up_forecast, made_up_language, made_up_probe, made_up_record
from made_up_runs import made_up_trials

CELLS = {"baseline": 0.9, "rnn": 0.86, "lstm": 0.88, "gru": 0.885}
HOSTILE = "<script>alert(1)</script>"


class _Reader(HTMLParser):
    """Collects tags, addresses and text, and insists that tags close in order."""

    void = frozenset({"meta", "br", "hr", "img", "link", "input", "path", "circle", "rect", "polyline", "polygon"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action")]
        assert not [name for name, _ in attrs if name.startswith("on")]
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _read(page: str) -> _Reader:
    reader = _Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


def _folder(path: Path, record: Comparison | dict[str, Any]) -> Path:
    (path / "comparison.json").write_text(compact_json(record), encoding="utf-8")
    return path


def _text(page: str) -> str:
    return " ".join(" ".join(_read(page).text).split()).replace("\u00a0", " ")


def test_the_page_shows_what_was_measured(tmp_path: Path) -> None:
    record = made_up_record(CELLS, seeds=2)
    page = write_report(_folder(tmp_path, record)).read_text(encoding="utf-8")
    text = _text(page)
    assert record.verdict.headline in text
    for sentence in record.verdict.sentences:
        assert sentence in text
    for model in record.models:
        assert f"{100 * model.figure.estimate:.1f} %" in text
    assert record.command in text
    assert "600 texts held out of reviews.csv" in text
    reader = _read(page)
    assert reader.tags.count("svg") == 6
    assert reader.tags.count("h1") == 1
    assert text.count("Labelled") >= 5
    for heading in ("Best cell", "Fastest to train", "Smallest", "What each costs", "Who beats whom"):
        assert heading in text
    for name in ("table.md", "table.tex", "curves.png", "curves.svg"):
        assert (tmp_path / name).stat().st_size > 0


@pytest.mark.parametrize(("rnn", "beside"), [(0.9, "no cell's figure is better"), (0.89, "worse than the best cell's")])
def test_a_cheap_cell_without_a_difference_is_not_called_no_worse(rnn: float, beside: str) -> None:
    record = made_up_record({"baseline": 0.9, "rnn": rnn, "lstm": 0.895, "gru": 0.88}, seeds=2)
    leaders = record.verdict.answers["quality"].models
    assert len(leaders) > 1 and "rnn" in leaders
    cards = {card["question"]: card["beside"] for card in tiles(record, scale_of(record))}
    assert beside in cards["Fastest to train"]


def test_a_figure_and_its_unit_stay_on_one_line() -> None:
    cells = re.findall(r'<td role="cell"[^>]*>(.*?)</td>', render_page(made_up_record(CELLS)))
    assert any("\u00a0%" in cell for cell in cells) and not [cell for cell in cells if re.search(r"\d (%|ms|MB)", cell)]


def test_a_model_of_which_nothing_was_measured_has_no_empty_row() -> None:
    record = made_up_record(CELLS)
    use = [name for name, _, _ in _COSTS if name in _USE]
    bare = dict.fromkeys(use)
    models = [replace(m, memory=None, cost=m.cost if m.is_baseline else replace(m.cost, **bare)) for m in record.models]
    page = render_page(replace(record, models=tuple(models)))
    assert "To use (not measured: " in _text(page) and "To train (" not in _text(page)
    rows = re.findall(r'<tr role="row"><th scope="row".*?</tr>', page, re.DOTALL)
    assert rows and not [row for row in rows if set(re.findall(r"<td[^>]*>(.*?)</td>", row)) == {"–"}]


def test_every_pair_has_its_place() -> None:
    record = made_up_record(CELLS, seeds=3)
    text = _text(render_page(record))
    assert len(re.findall(r" over ", text)) >= len(record.differences) == 6
    for pair in record.differences:
        titles = [record.model(name).title for name in (pair.first, pair.second)]
        better = titles if pair.estimate >= 0 else titles[::-1]
        assert f"{better[0]} over {better[1]}" in text


@pytest.mark.slow
def test_of_very_many_pairs_the_best_cells_come_first() -> None:
    cells = ["rnn", "lstm", "gru", "bilstm", "bigru", "mingru", "gru*2"]
    record = made_up_record({"baseline": 0.7, **{cell: 0.8 + 0.01 * place for place, cell in enumerate(cells)}})
    text = _text(render_page(record))
    shown, hidden = text.split("21 more pairs")
    assert len(record.differences) == 28
    assert shown.count("GRU, 2 layers over ") == 7 and "GRU, 2 layers over" not in hidden


def test_a_forecast_shows_horizon_skill_and_coverage() -> None:
    record = made_up_forecast({"persistence": 0.02, "lstm": 0.02, "gru": 0.0205})
    text = _text(render_page(record))
    assert "No skill beyond persistence is shown" in text
    assert "Test mean absolute error at each step of the horizon" in text
    assert "should be 10 %" in text and "12.0 %" in text and "Skill" in text
    assert "What GRU forecast" in text or "What LSTM forecast" in text
    assert "AAPL, close, from 2020-03-02" in text and "MASE: mean absolute scaled error" in text
    assert render_page(record).count("<polygon") == 3
    for step in record.models[0].runs[0].test["by_horizon"]:
        assert f"{step:.5f}" in text
    assert "What gets mistaken" not in text and "Confidently wrong" not in text


def test_a_language_model_shows_samples_and_lower_is_better() -> None:
    text = _text(render_page(made_up_language({"kneser-ney-5": 141.0, "lstm": 98.0, "gru": 102.0})))
    assert "it will <unk> its shares" in text and "the company said" in text
    assert "lower is better" in text and "Down and to the left is better" in text
    assert "Bits per token" in text and "said 31.0 %" in text and "What surprises LSTM" in text
    content = made_up_language({"gru": 4.0}).to_dict()
    content["data"]["details"]["tokenisation"] = "character"
    assert "Bits per character" in _text(render_page(comparison_from(content)))


def test_a_probe_shows_its_lengths() -> None:
    record = made_up_probe({"rnn": 50, "lstm": 200}, lengths=(50, 200, 400))
    page = render_page(record)
    text = _text(page)
    assert record.verdict.headline in text and "By sequence length" in text
    assert "Learnt up to" in text
    assert _read(page).tags.count("svg") == 6


def test_a_cell_that_failed_at_the_last_length_is_shown_at_the_others() -> None:
    content = made_up_probe({"rnn": 50, "lstm": 200}, lengths=(50, 200)).to_dict()
    content["models"] = [model for model in content["models"] if model["name"] != "rnn"]
    content["differences"] = [pair for pair in content["differences"] if "rnn" not in (pair["first"], pair["second"])]
    content["axis"]["points"][1]["models"] = content["axis"]["points"][1]["models"][:1]
    text = _text(render_page(comparison_from(content)))
    assert re.search(r"RNN 0\.00\d+ – 50", text)


def test_memory_curves_are_solid_and_dashed() -> None:
    page = render_page(made_up_record(CELLS))
    assert "How far back they remember" in page
    assert len(re.findall(r'class="line dashed s\d"', page)) == 3
    content = made_up_record(CELLS).to_dict()
    for model in content["models"]:
        model["memory"] = None
    assert "How far back they remember" not in render_page(comparison_from(content))


def test_failures_trials_and_changes_are_shown() -> None:
    trials = made_up_trials(["lstm", "gru"], "accuracy", [0.86, 0.88])
    old = made_up_record({"baseline": 0.9, "lstm": 0.7, "gru": 0.885})
    new = made_up_record(CELLS, failed=["rnn-seed3"], tuning=trials)
    found = changes(old, new)
    text = _text(render_page(new, changes=found))
    assert "1 run failed and is not counted" in text and "the loss is not finite in epoch 2" in text
    assert "LSTM: 2 trials" in text and "learning rate 0.01" in text and "chosen" in text
    assert "What changed since 2026-11-21" in text and found.sentences[0] in text
    assert "What changed" not in render_page(new)


def test_a_baselines_trials_and_repeated_searches_are_shown() -> None:
    first, second, *_ = made_up_trials(["gru"], "accuracy", [0.86, 0.88])
    name = next(model.name for model in made_up_record(CELLS).models if model.is_baseline)
    of_baseline = [
        dataclasses.replace(trial, cell=name, seed=None, settings={"inverse_regularisation": 10.0 / place})
        for place, trial in enumerate((first, second), start=1)
    ]
    once = made_up_record(CELLS, tuning=[*of_baseline, first, second])
    text = _text(render_page(once))
    assert f"{once.model(name).title}: 2 trials" in text and "inverse regularisation 5" in text
    assert "The search was made once" in text and "the defaults among them" in text
    repeated = [dataclasses.replace(trial, for_seed=seed) for seed in (0, 1) for trial in (first, second)]
    text = _text(render_page(made_up_record(CELLS, seeds=2, tuning=repeated)))
    assert "GRU, seed 0: 2 trials" in text and "GRU, seed 1: 2 trials" in text
    assert "Each seed has a search of its own" in text and "The search was made once" not in text


def test_a_comparison_in_which_all_failed_has_a_page() -> None:
    text = _text(render_page(made_up_record({}, failed=["gru-seed0", "gru-seed1"])))
    assert "No recurrent model finished training" in text and "gru-seed1" in text


def test_a_baseline_alone_or_a_cell_alone_has_a_page() -> None:
    for name in ("baseline", "gru"):
        record = made_up_record({name: 0.8})
        text = _text(render_page(record))
        assert f"{100 * record.models[0].figure.estimate:.1f} %" in text
        assert "Who beats whom" not in text


def test_the_page_needs_nothing_else() -> None:
    page = render_page(made_up_record(CELLS))
    reader = _read(page)
    assert reader.addresses == []
    assert not {"script", "link", "img", "iframe", "object"} & set(reader.tags)
    assert "url(" not in page and "@import" not in page and "http" not in page.replace("http-equiv", "")
    assert "default-src 'none'" in page
    assert "prefers-color-scheme: dark" in page
    assert "width=device-width" in page


def test_hostile_texts_and_labels_are_escaped() -> None:
    dataset = made_up_dataset(300, labels=(HOSTILE, "b&w\"'>", "plain"), texts=(f"good {HOSTILE} <img src=x>",))
    content = made_up_record({"baseline": 0.7, "gru": 0.75}, dataset=dataset).to_dict()
    content["data"]["name"] = content["data"]["source"] = HOSTILE
    content["command"] = f"gatewise compare '{HOSTILE}'"
    content["models"][1]["title"] = HOSTILE
    page = render_page(comparison_from(content))
    reader = _read(page)
    assert not {"script", "img"} & set(reader.tags)
    assert HOSTILE in "".join(reader.text)
    assert "<script" not in page


@pytest.mark.parametrize("seeds", [1, 3])
def test_the_curves_are_those_of_the_runs(seeds: int) -> None:
    page = render_page(made_up_record({"baseline": 0.8, "lstm": 0.85, "gru": 0.86}, seeds=seeds))
    thin = len(re.findall(r'class="line thin s\d"', page))
    assert thin == (0 if seeds == 1 else 3 * 2 * seeds), "loss, validation, memory"
    assert len(re.findall(r'<polyline class="line s[23]"', page)) == 2 * 2 + 2 + 2
    assert ("Thin lines are single seeds" in page) == (seeds > 1)


def test_runs_that_stopped_early_are_drawn() -> None:
    content = made_up_record({"baseline": 0.8, "gru": 0.85}, seeds=2).to_dict()
    run = content["models"][1]["runs"][0]
    run["epochs"] = run["epochs"][:1]
    assert "<polyline" in render_page(comparison_from(content))


def test_many_classes_are_listed_by_their_mistakes() -> None:
    labels = tuple(f"class {number}" for number in range(20))
    page = render_page(made_up_record({"baseline": 0.7, "gru": 0.75}, dataset=made_up_dataset(800, labels=labels)))
    assert "most frequent mistakes" in page
    assert 'class="matrix' not in page


def test_nothing_wrong_leaves_no_section() -> None:
    record = made_up_record({"baseline": 1.0, "gru": 1.0})
    assert record.details["examples"] == []
    assert "Confidently wrong" not in render_page(record)


def test_the_pictures_are_drawn(tmp_path: Path) -> None:
    from PIL import Image

    write_report(_folder(tmp_path, made_up_record(CELLS, seeds=2)))
    with Image.open(tmp_path / "curves.png") as picture:
        assert picture.size[0] > 1000
        assert len(picture.convert("RGB").getcolors(1_000_000) or []) > 50
    root = ElementTree.parse(tmp_path / "curves.svg").getroot()
    words = "".join(root.itertext())
    assert "Training loss" in words and "Validation accuracy" in words and "LSTM" in words


@pytest.mark.slow
def test_drawing_again_gives_the_same_bytes(tmp_path: Path) -> None:
    folder = _folder(tmp_path, made_up_record(CELLS))
    names = ("report.html", "curves.svg")
    write_report(folder)
    first = [(folder / name).read_bytes() for name in names]
    write_report(folder)
    assert [(folder / name).read_bytes() for name in names] == first


def test_a_kind_without_a_report_has_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    record = made_up_record(CELLS)
    for task, home in (("classification", None), ("a-kind-that-is-not-installed", "nowhere")):
        monkeypatch.setattr(type(kind_of("classification")), "report", home)
        text = _text(render_page(replace(record, task=task)))
        assert record.verdict.headline in text and "macro f1" in text.lower()
        assert "Confidently wrong" not in text and "What gets mistaken" not in text


def test_models_keep_their_colour() -> None:
    record = made_up_record(CELLS)
    names = [model.name for model in record.models]
    assert series_style(names, {"tfidf-logistic-regression"}) == {
        "tfidf-logistic-regression": 0,
        "rnn": 1,
        "lstm": 2,
        "gru": 3,
    }


@pytest.mark.parametrize(("low", "high"), [(0.82, 0.89), (0.0, 1e-6), (3.0, 3.0), (0.0, 0.0), (-5.0, 1234.0)])
def test_ticks_enclose_the_range(low: float, high: float) -> None:
    ticks = nice_ticks(low, high)
    assert ticks[0] <= low and ticks[-1] >= high
    assert 2 <= len(ticks) <= 9
    assert ticks == sorted(set(ticks))


def test_reports_import_no_torch(tmp_path: Path) -> None:
    folder = _folder(tmp_path, made_up_record({"baseline": 0.8, "gru": 0.85}))
    code = (
        "import sys; from gatewise.reports import write_report; "
        f"write_report({str(folder)!r}); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_a_pair_from_too_few_independent_blocks_is_not_read_as_a_difference() -> None:
    errors = {"persistence": 0.02, "lstm": 0.04, "gru": 0.01}
    few, enough = (render_page(made_up_forecast(errors, windows=301, overlap=overlap)) for overlap in (75, 30))
    assert few.count("not judged: too few independent blocks") == 3
    assert "fewer than the 8 that a claim needs" in few and "GRU is better" not in few
    assert "too few independent blocks" not in enough and "GRU is better" in enough
