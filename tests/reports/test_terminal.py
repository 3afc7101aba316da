"""The tables fit the terminal and show what decides."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from gatewise.comparison.verdict.changes import changes
from gatewise.record import Comparison, comparison_from
from gatewise.reports import print_changes, print_comparison, render_page
from gatewise.reports.kind_report import kind_report
from gatewise.statistics import Bleu, ChrF
from gatewise.words import Scale
from made_up_comparison import made_up_forecast, made_up_language, made_up_probe, made_up_record

CELLS = {"baseline": 0.9, "rnn": 0.86, "lstm": 0.88, "gru": 0.885}


def _printed(width: int, record: Comparison | None = None, *, terminal: bool = False) -> str:
    stream = io.StringIO()
    print_comparison(
        record or made_up_record(CELLS, seeds=2),
        Console(file=stream, width=width, force_terminal=terminal, color_system="truecolor" if terminal else None),
    )
    return stream.getvalue()


@pytest.mark.parametrize("width", [80, 108, 120, 200])
def test_nothing_is_cut_off(width: int) -> None:
    for record in (None, made_up_language({"kneser-ney-5": 141.0, "gru": 98.0}), made_up_forecast({"gru": 0.02})):
        text = _printed(width, record)
        assert "…" not in text
        assert all(len(line) <= width for line in text.splitlines())
        for figure in ("GRU", "2.69 M", "34.", "µs (", "31.", "(5.0 to ", "fused"):
            assert figure in text


def test_wide_is_one_table_and_narrow_several() -> None:
    assert _printed(80).count("model ") >= 2
    assert _printed(200).count("model ") == 1


def test_no_column_stands_alone_and_no_cell_is_continued() -> None:
    short = made_up_record({"gru": 0.88}, seeds=2)  # whose name is shorter than the head of its column
    names = {title.split()[0] for model in short.models for title in [model.title]}
    for width in range(60, 200, 4):
        lines = [line.strip() for line in _printed(width, short).splitlines()]
        heads = [place for place, line in enumerate(lines) if line.startswith("model ")]
        assert heads and ["model", "kernel"] not in [lines[place].split() for place in heads]
        for place in heads:
            rows = lines[place + 2 : place + 2 + len(short.models)]
            assert [row.split()[0] in names for row in rows] == [True] * len(short.models)
            assert lines[place + 2 + len(short.models)] == ""


def test_bleu_is_written_without_the_sign_of_percent() -> None:
    """It was 33.0 % in the table and the log of training, and 33.0 where a translator is measured."""
    content = made_up_record(CELLS, seeds=2).to_dict()
    measured = Bleu().to_dict()
    content["metric"] |= {name: measured[name] for name in ("title", "percent", "percent_sign")}
    record = comparison_from(content)
    shown = f"{100 * record.model('gru').figure.estimate:.1f}"
    row = next(line for line in _printed(200, record).splitlines() if line.strip().startswith("GRU "))
    assert row.split()[:2] == ["GRU", shown] and row.split()[2] != "%"
    table = render_page(record).partition("<table")[2].partition("</table>")[0]
    words = " ".join(re.sub(r"<[^>]+>", " ", table).split())
    assert re.search(rf"GRU {re.escape(shown)} (?!%)", words)
    for measure in (Bleu(), ChrF()):
        assert Scale.of(measure, 0.33).value(0.33) == Scale.of(measure.to_dict(), 0.33).value(0.33) == "33.0"
    for task in ("translation", "captioning"):
        for name, said in kind_report(task).figures(record).items():
            assert said.percent_sign is not any(known in name for known in ("bleu", "chrf")), name


def test_colour_only_where_there_is_a_terminal() -> None:
    assert "\x1b[" not in _printed(80)
    assert "\x1b[" in _printed(80, terminal=True)


def test_the_verdict_failures_and_caveats_are_said() -> None:
    record = made_up_record(CELLS, failed=[f"rnn-seed{number}" for number in range(1, 9)])
    text = " ".join(_printed(120, record).split())
    assert record.verdict.headline in text
    for sentence in (*record.verdict.following, *(caveat.sentence for caveat in record.verdict.caveats)):
        assert sentence in text
    assert "Failed: rnn-seed1: the loss is not finite" in text and "3 more runs failed" in text


def test_a_probe_has_a_column_per_length() -> None:
    text = _printed(100, made_up_probe({"rnn": 50, "lstm": 200}, lengths=(50, 200)))
    assert "length" in text and " 200" in text


def test_a_memory_that_does_not_fade_within_the_lags_is_a_lower_bound() -> None:
    content = made_up_record(CELLS).to_dict()
    lags = len(content["models"][1]["memory"]["lags"])
    content["models"][1]["runs"][0]["memory"]["trained"]["norms"] = [1.0] * lags
    assert f"> {(lags - 1) / 2:.0f}" in _printed(200, comparison_from(content))


def test_an_older_record_with_a_half_life_opens_and_shows_the_median_lag() -> None:
    """It measured one run of a cell, and said the half-life of the exponential that fitted best."""
    content = made_up_record(CELLS, seeds=3).to_dict()
    for model in content["models"]:
        model.pop("median_lag")
        for run in model["runs"][1:]:
            run["memory"] = None
        for owner in (model, *model["runs"]):
            for part in ("initialisation", "trained") if owner["memory"] else ():
                owner["memory"][part]["half_life"] = 11.0
                for name in ("median_lag", "settled"):
                    owner["memory"][part].pop(name)
    for pair in content["differences"]:
        pair.pop("blocks")
    record = comparison_from(content)
    assert all(model.median_lag is None for model in record.models)
    printed = _printed(200, record)
    assert "median lag" in printed.lower() and "11.0" not in printed


def test_nothing_finished_is_no_error() -> None:
    text = _printed(80, made_up_record({}, failed=["gru-seed0"]))
    assert "No recurrent model finished training" in text and "gru-seed0" in text


def test_changes_are_printed() -> None:
    stream = io.StringIO()
    old, new = made_up_record(CELLS, seeds=2), made_up_record({**CELLS, "gru": 0.7}, seeds=2)
    print_changes(changes(old, new), Console(file=stream, width=100))
    text = " ".join(stream.getvalue().split())
    assert "Against the comparison of 2026-11-21" in text and "GRU (88." in text and "worse than before" in text
