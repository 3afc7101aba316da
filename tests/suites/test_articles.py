"""The articles' experiment: its table, its claims, its page, on comparisons built by the real record code."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

import browser
from gatewise.data.records import DatasetInfo
from gatewise.errors import OptionError, RunError
from gatewise.record import compact_json, read_suite
from gatewise.reports.suite import UNPUBLISHED, suite_figure, suite_markdown, suite_page, table_rows, write_suite_report
from gatewise.statistics import holm
from gatewise.suites.articles import PUBLISHED, Claim, articles_claims, articles_parts
from gatewise.suites.findings import judge, suite_record
from gatewise.suites.run import _at_hand, run_suite, suite_command
from gatewise.training import kind_of, registry
from gatewise.training.assembly import make_spec
from made_up_comparison import made_up_forecast, made_up_language, made_up_record
from made_up_times import made_up_times


def three_records():
    accuracies = {"baseline": 0.9, "rnn": 0.7, "lstm": 0.88, "gru": 0.88}
    return {
        "imdb": made_up_record(accuracies, seeds=2),
        "stocks": made_up_forecast({"persistence": 0.9, "rnn": 1.3, "lstm": 1.0, "gru": 1.0}, seeds=2),
        "ptb": made_up_language({"kneser-ney-5": 145.0, "rnn": 140.0, "lstm": 108.0, "gru": 112.0}),
    }


@pytest.fixture(scope="module")
def suite():
    # the made-up forecast carries other figures than the real one: its table shows what it has
    parts = {part.name: part for part in articles_parts() if not part.further}
    parts["stocks"] = replace(parts["stocks"], figures={"mean_absolute_error": "mean absolute error"})
    records = three_records()
    return suite_record({name: (parts[name], records[name]) for name in parts}, command="gatewise suite", quick=False)


def findings(suite, about, part):
    return {
        (claim.better, claim.worse): claim.finding
        for claim in suite.claims
        if (claim.about, claim.part) == (about, part)
    }


def test_claims_are_judged_by_the_paired_differences(suite):
    quality = findings(suite, "quality", "imdb")
    assert quality[("lstm", "rnn")] == "holds"
    assert quality[("lstm", "gru")] == "undecided"
    assert findings(suite, "quality", "ptb")[("gru", "rnn")] == "holds"


def test_one_seed_and_lost_seeds_judge_no_claim_on_quality():
    claim = next(claim for claim in articles_claims() if (claim.part, claim.about) == ("imdb", "quality"))
    assert (claim.better, claim.worse) == ("lstm", "rnn")
    accuracies = {"baseline": 0.9, "rnn": 0.7, "lstm": 0.88, "gru": 0.88}
    one = judge(claim, made_up_record(accuracies, seeds=1))
    assert (one.finding, one.evidence) == ("untested", "not judged: one seed says nothing of a cell")
    lost = judge(claim, made_up_record(accuracies, seeds=3, failed=["rnn-seed2"]))
    assert (lost.finding, lost.evidence) == ("untested", "not judged: RNN lost seeds")
    assert judge(claim, made_up_record(accuracies, seeds=3)).finding == "holds"


def test_direction_follows_the_metric(suite):
    """On perplexity lower is better: the gain of LSTM over RNN is positive although its figure is smaller."""
    claim = next(c for c in suite.claims if (c.part, c.better, c.worse) == ("ptb", "lstm", "rnn"))
    assert 20 < claim.gain.estimate < 45
    assert claim.gain.low <= claim.gain.estimate <= claim.gain.high
    assert claim.evidence.startswith("better by")


def test_a_claim_that_is_the_wrong_way_round_fails():
    record = three_records()["imdb"]
    assert judge(Claim("RNN beats LSTM", "imdb", "quality", "rnn", "lstm"), record).finding == "fails"


def test_time_and_size_are_compared_as_measured(suite):
    assert findings(suite, "time", "imdb") == {
        ("rnn", "gru"): "holds",
        ("rnn", "lstm"): "holds",
        ("gru", "lstm"): "holds",
    }
    record = three_records()["imdb"]
    found = judge(Claim("GRU is smaller", "imdb", "size", "gru", "lstm"), record)
    assert found.evidence.endswith("the same within 5 %")


def test_times_that_are_the_same_or_not_measured_decide_nothing():
    """The page said by times of single epochs that the RNN is slower, which a quiet machine turned round."""
    claim = Claim("RNN trains faster than GRU", "imdb", "time", "rnn", "gru")
    accuracies = {"baseline": 0.9, "rnn": 0.7, "gru": 0.88}
    found = {}
    for name, seconds in (("same", 20.0), ("slower", 30.0), ("faster", 10.0)):
        times = made_up_times({"training_step": {"rnn": seconds, "gru": 20.0}})
        found[name] = judge(claim, made_up_record(accuracies, seeds=2, times=times))
    assert [found[name].finding for name in ("same", "slower", "faster")] == ["undecided", "fails", "holds"]
    assert found["same"].evidence.endswith("the same within 5 %") and "95 % interval" in found["slower"].evidence
    noisy = made_up_times({"training_step": {"rnn": 18.0, "gru": 20.0}}, noise=0.5)
    assert "no difference beyond 5 % shown" in judge(claim, made_up_record(accuracies, seeds=2, times=noisy)).evidence
    assert judge(claim, made_up_record(accuracies, seeds=2, times=None)).finding == "untested"


def test_sizes_less_than_five_percent_apart_are_the_same():
    record = three_records()["imdb"]
    models = {model.name: model for model in record.models}
    parameters = models["lstm"].cost.parameters
    for share, finding in ((0.98, "undecided"), (0.9, "holds"), (1.1, "fails")):
        cost = replace(models["gru"].cost, parameters=share * parameters)
        changed = replace(record, models=(models["lstm"], replace(models["gru"], cost=cost)))
        assert judge(Claim("GRU is smaller", "imdb", "size", "gru", "lstm"), changed).finding == finding


def test_p_values_are_corrected_for_all_claims_of_the_suite(suite):
    """Not for the pairs of one comparison: eighteen claims on quality and time are looked at together."""
    records = three_records()
    tested = [claim for claim in suite.claims if claim.about != "size"]
    assert len(tested) == 18 and all(claim.adjusted_p_value is not None for claim in tested)
    raw = []
    for claim in tested:
        record = records[claim.part]
        pairs = record.differences if claim.about == "quality" else record.times.ratios
        quantity = ("training_step", None)
        raw += [
            pair.p_value
            for pair in pairs
            if {pair.first, pair.second} == {claim.better, claim.worse} and getattr(pair, "quantity", None) in quantity
        ]
    assert [claim.adjusted_p_value for claim in tested] == holm(raw)
    assert max(raw) < 1 and any(claim.adjusted_p_value > value for claim, value in zip(tested, raw, strict=True))


def test_the_page_prints_the_rules(suite):
    markdown, page = suite_markdown(suite), suite_page(suite)
    assert "after correction for all claims" in markdown and "after correction for all claims" in page


def test_a_cell_that_failed_leaves_its_claims_untested():
    record = made_up_record({"baseline": 0.9, "lstm": 0.88, "gru": 0.87}, failed=["rnn-seed0"])
    assert judge(Claim("LSTM beats RNN", "imdb", "quality", "lstm", "rnn"), record).finding == "untested"


def test_every_published_table_makes_seven_claims():
    for part in PUBLISHED:
        claims = [claim for claim in articles_claims() if claim.part == part]
        assert [claim.about for claim in claims].count("quality") == 3
        assert len(claims) == 7
    assert all(
        (first > second) == (claim.part == "imdb")
        for claim in articles_claims()
        if claim.about == "quality"
        for first, second in [claim.published]
    )


def test_table_has_published_beside_measured(suite):
    imdb = next(part for part in suite.parts if part.name == "imdb")
    rows = {row.title: row for row in table_rows(imdb)}
    assert rows["LSTM"].published == "85.7 %, 150 min"
    assert rows["LSTM"].figures[0].startswith("87.7 % (")
    assert rows["TF-IDF + logistic regression"].published == "–"


@pytest.mark.slow
def test_page_picture_and_markdown(suite, tmp_path):
    (tmp_path / "suite.json").write_text(compact_json(suite))
    page = write_suite_report(tmp_path)
    text = page.read_text()
    assert "LSTM is better than RNN on film reviews" in text
    assert "http://" not in text.replace("http://www.w3.org", "") and "<script" not in text
    assert (tmp_path / "suite.png").read_bytes().startswith(b"\x89PNG")
    markdown = (tmp_path / "suite.md").read_text()
    assert "| GRU | " in markdown and "holds" in markdown
    assert suite_markdown(read_suite(tmp_path)) == markdown and suite_page(read_suite(tmp_path)) == text


def test_the_page_is_made_for_narrow_screens_too(suite):
    """Two pictures, of which the page shows one; their parts have names of their own, and tables become blocks."""
    page = suite_page(suite)
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids)) and page.count("<svg") == 2
    used = re.findall(r'(?:url\(#|href="#)([^)"]+)', page)
    assert used and set(used) <= set(ids)
    assert page.count('class="figures cards"') == 3 and 'class="key k3"' in page
    assert len(suite_figure(suite, stacked=True).axes) == 3


def test_a_figure_and_its_interval_have_as_many_decimals(suite):
    for part in suite.parts:
        names = [column.name for column in part.columns]
        for row in table_rows(part):
            shown = row.figures[names.index(part.metric.name)]
            decimals = {len(number.partition(".")[2]) for number in re.findall(r"[\d.]+", shown)}
            assert len(decimals) == 1, shown


@pytest.mark.slow
@pytest.mark.skipif(browser.PROGRAM is None, reason="needs chromium")
def test_the_page_fits_every_width(suite, tmp_path):
    page = tmp_path / "suite.html"
    page.write_text(suite_page(suite), encoding="utf-8")
    scrolls = "[...document.querySelectorAll('.scroll')].filter(each => each.scrollWidth > each.clientWidth + 1).length"
    with browser.Browser() as window:
        for width in (390, 768, 1280):
            window.open(page, width=width)
            assert window.value("document.documentElement.scrollWidth <= innerWidth"), width
            assert window.value(scrolls) == 0, width


def test_each_panel_shows_every_cell(suite):
    panels = suite_figure(suite).axes
    assert [[label.get_text() for label in axes.get_yticklabels()] for axes in panels] == [["RNN", "LSTM", "GRU"]] * 3


@pytest.mark.parametrize(
    ("content", "message"),
    [('{"format_version": 99, "parts": [], "claims": [], "command": ""}', "newer"), ("[]", "damaged")],
)
def test_bad_suite_file(tmp_path, content, message):
    (tmp_path / "suite.json").write_text(content)
    with pytest.raises(RunError, match=message):
        read_suite(tmp_path)


def test_unknown_part():
    with pytest.raises(OptionError, match="no part 'imbd'") as caught:
        run_suite("articles", parts=["imbd"])
    assert "imdb" in caught.value.fix


def test_command_repeats_the_suite(tmp_path):
    command = suite_command("articles", tmp_path, parts=["imdb"], quick=False, seeds=3, threads=None)
    assert command == f"gatewise suite articles --parts imdb --out {tmp_path}"


@pytest.mark.slow
def test_uses_without_a_published_figure_say_so(tmp_path):
    """Tagging, translation, speech and captions are named by the articles and have no figure there, nor a claim."""
    further = [part for part in articles_parts() if part.further]
    assert not {part.name for part in further} & set(PUBLISHED) and len(further) == 4
    assert not {claim.part for claim in articles_claims()} & {part.name for part in further}
    accuracies = {"baseline": 0.9, "rnn": 0.7, "lstm": 0.88, "gru": 0.88}
    records = {part.name: (replace(part, figures={"accuracy": "accuracy"}), made_up_record(accuracies, seeds=2))
               for part in articles_parts()}  # fmt: skip
    suite = suite_record(records, command="gatewise suite", quick=False, left_out=["Names: left out."])
    assert [part.published for part in suite.parts] == [True] * 3 + [False] * 4
    markdown, page = suite_markdown(suite), suite_page(suite)
    assert markdown.count(UNPUBLISHED) == page.count(UNPUBLISHED) == 4
    assert "Names: left out." in markdown and "Names: left out." in page
    panels = suite_figure(suite).axes
    assert len(panels) == 7 and len({round(axes.get_position().y0, 2) for axes in panels}) == 3
    (tmp_path / "suite.json").write_text(compact_json(suite))
    assert read_suite(tmp_path).left_out == ("Names: left out.",)


def test_every_part_is_a_run_that_its_kind_accepts():
    for part in articles_parts():
        task = registry.task_of(part.name)
        for more in ({}, part.quick):
            spec = make_spec(task, part.name, {**part.settings, **more, "cell": "gru"})
            kind_of(task).check(spec)  # raises where it does not
            assert spec.task == task and spec.data.data == part.name


def test_data_that_are_not_at_hand_leave_a_further_use_out_unless_it_was_asked_for(monkeypatch):
    infos = [
        DatasetInfo(part.name, "x", "", part.name in ("imdb", "scenes"), "", "put it there")
        for part in articles_parts()
    ]
    monkeypatch.setattr(registry, "datasets", lambda: infos)
    run, left_out = _at_hand(articles_parts(), asked=False)
    assert [part.name for part in run] == ["imdb", "stocks", "ptb", "scenes"] and len(left_out) == 3
    assert left_out[0].endswith("the data set conll2003 is not at hand: put it there")
    assert _at_hand(articles_parts(), asked=True) == (articles_parts(), ())
