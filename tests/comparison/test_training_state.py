"""Cells that were not trained long enough are not judged, and cells that were are: curves measured on real data."""

from __future__ import annotations

import dataclasses
import html
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from gatewise.comparison.verdict.facts import Range
from gatewise.comparison.verdict.training import learning_of, still_improving, unfinished
from gatewise.comparison.verdict.verdict import ModelFigures, Pair, Trivial, decide
from gatewise.record import Epoch, Kernel, Learning, Run, compact_json, comparison_from
from gatewise.reports.page import render_page
from gatewise.reports.terminal import print_comparison
from gatewise.reports.text_tables import markdown_table
from gatewise.statistics import Mean, late_progress, paired_error
from gatewise.suites.articles import Claim
from gatewise.suites.findings import judge
from gatewise.training.kind import Judgement
from gatewise.words import Scale
from made_up_comparison import made_up_probe, made_up_record

ACCURACY = Mean("accuracy", "accuracy", higher_is_better=True, percent=True)
PERPLEXITY = Mean("perplexity", "perplexity", higher_is_better=False, transform="exp")
TRIVIAL = Judgement(trivial=("always predicting 'neg'", 0.5))


def _linear(epochs: int, height: float = 2e-3) -> list[float]:
    """The rate at the end of each epoch, falling linearly to zero."""
    return [height * (1 - (number + 1) / epochs) for number in range(epochs)]


def _run(name: str, figures: list[float], *, stopped: str = "epochs", rates: list[float] | None = None) -> Run:
    epochs = [
        Epoch(
            epoch=number,
            training={"loss": 0.5},
            validation={"accuracy": figure, "loss": 0.5},
            seconds=1.0,
            examples_per_second=100.0,
            learning_rate=rate,
        )
        for number, (figure, rate) in enumerate(zip(figures, rates or _linear(len(figures)), strict=True), start=1)
    ]
    return Run(
        name=name,
        cell=name.split("-")[0],
        seed=0,
        parameters=100,
        kernel=Kernel(implementation="reference", reason="a test"),
        training_seconds=1.0,
        epochs=tuple(epochs),
        best_epoch=1 + int(np.argmax(figures)),
        stopped=stopped,
    )


def _judged(
    curves: dict[str, list[float]], *, validation: int, agreement: float = 0.8, stopped: str = "epochs"
) -> bool:
    """Whether none of the curves counts as still improving; the networks agree on so many of 2,000 test examples."""
    generator = np.random.default_rng(0)
    runs = [_run(name, figures, stopped=stopped) for name, figures in curves.items()]
    right = generator.random(2000) < 0.7
    contributions = {run.name: np.where(generator.random(2000) < agreement, right, ~right) * 1.0 for run in runs}
    found = learning_of(runs, contributions, ACCURACY, TRIVIAL, validation)
    return not unfinished(list(found.values()), 0.005)


FILM_SENTENCES_2 = {"gru-seed0": [0.5, 0.6338], "gru-seed1": [0.5012, 0.6209]}
FILM_SENTENCES_4 = {"gru-seed0": [0.5, 0.6397, 0.6784, 0.7007], "gru-seed1": [0.5, 0.6221, 0.6948, 0.7007]}
FILM_SENTENCES_8 = {
    "gru-seed0": [0.5, 0.6491, 0.6937, 0.7218, 0.7183, 0.7312, 0.73, 0.7336],
    "gru-seed1": [0.5, 0.6549, 0.6995, 0.7218, 0.7183, 0.7371, 0.7254, 0.7277],
}
REVIEWS_2 = {"lstm-seed0": [0.8775, 0.89], "gru-seed0": [0.887, 0.8975], "rnn-seed0": [0.863, 0.871]}


def test_a_run_of_two_epochs_on_little_data_is_not_judged() -> None:
    """2,000 sentences of rotten-tomatoes by --epochs 2: 61 % where 70 can be had."""
    assert not _judged(FILM_SENTENCES_2, validation=852)
    assert not _judged(FILM_SENTENCES_4, validation=852)


def test_the_same_cell_trained_on_is_judged() -> None:
    assert _judged(FILM_SENTENCES_8, validation=852)


def test_the_full_size_demo_is_judged_after_two_epochs() -> None:
    """The 17,904 reviews of imdb: the second epoch brings one point of the forty that were learned."""
    assert _judged(REVIEWS_2, validation=2000, agreement=0.95)
    assert _judged(REVIEWS_2, validation=200_000, agreement=0.99)  # also where a point is far beyond the noise


def test_a_run_that_ended_by_patience_is_judged() -> None:
    assert _judged(FILM_SENTENCES_2, validation=852, stopped="patience")


def test_a_rise_within_the_noise_of_a_small_validation_part_is_no_rise() -> None:
    assert _judged({"gru-seed0": [0.55, 0.58], "gru-seed1": [0.55, 0.58]}, validation=50)


def test_a_curve_that_fell_after_its_best_epoch_is_judged() -> None:
    assert _judged({"gru-seed0": [0.5, 0.6, 0.74, 0.7, 0.69, 0.68, 0.67, 0.66]}, validation=852)


def test_a_constant_rate_counts_the_last_quarter_of_the_epochs() -> None:
    late = late_progress([0.5, 0.6, 0.65, 0.66, 0.67, 0.68, 0.69, 0.70], [1e-3] * 8, ACCURACY, error=0.001, trivial=0.5)
    assert late is not None and late.first_epoch == 6 and late.gain == pytest.approx(0.02)
    falling = late_progress([0.5, 0.6, 0.65, 0.66, 0.67, 0.68, 0.69, 0.70], _linear(8), ACCURACY, error=0.001)
    assert falling is not None and falling.first_epoch == 4


def test_a_perplexity_is_counted_in_nats() -> None:
    late = late_progress([133.0, 121.0], _linear(2), PERPLEXITY, error=0.5, trivial=286.0)
    assert late is not None and late.gain == pytest.approx(12.0)
    assert late.share == pytest.approx(np.log(133 / 121) / np.log(286 / 121))


def test_a_single_epoch_says_nothing_unless_the_figure_is_perfect() -> None:
    ended = Learning(run="gru-seed0", epochs=1, best_epoch=1, stopped="epochs", left=0.1)
    assert still_improving(ended, 0.005)
    assert not still_improving(replace(ended, left=0.0), 0.005)


def test_the_noise_of_two_epochs_shrinks_with_the_validation_part() -> None:
    generator = np.random.default_rng(0)
    one, two = (generator.random(1000) < 0.8 for _ in range(2))
    small, large = (paired_error(one, two, ACCURACY, examples=count) for count in (100, 10_000))
    assert small == pytest.approx(10 * large) and large == pytest.approx(np.std(one * 1.0 - two) / 100, rel=0.01)


def test_nothing_is_concluded_from_cells_that_still_improve() -> None:
    record = made_up_record({"baseline": 0.9, "rnn": 0.86, "lstm": 0.88, "gru": 0.885}, seeds=3, rising=["lstm"])
    verdict = record.verdict
    assert verdict.outcome == "unfinished" and verdict.headline.startswith("Not judged: LSTM was still improving")
    assert verdict.sentences[0].startswith("Not judged: LSTM was still improving when training stopped: after 4 epochs")
    assert "--epochs 8" in verdict.sentences[0]
    assert verdict.leaders == () and verdict.recommended is None and verdict.undecided == ()
    assert "quality" not in verdict.answers and "undecided" not in verdict.answers
    assert "worth" not in verdict.text and "worse" not in verdict.text and "take" not in verdict.text
    assert "so far GRU, with 88.2 %, is 1.6 points below it" in verdict.answers["baseline"].sentence
    assert ", of the networks as they are now)." in verdict.answers["baseline"].sentence, "of cells nothing is said"
    assert verdict.answers["training"].models == ("lstm",)


def test_cells_that_learned_nothing_are_not_judged() -> None:
    verdict = made_up_record({"baseline": 0.8, "rnn": 0.5, "gru": 0.51}, seeds=3).verdict
    assert verdict.outcome == "unlearned" and verdict.recommended is None
    assert verdict.sentences[0].startswith("Not judged: no cell is shown to be better than always answering 'negative'")
    assert "more data" in verdict.sentences[0] and "no recurrent cell" not in verdict.text
    verdict = made_up_record({"baseline": 0.6, "rnn": 0.5, "gru": 0.9}, seeds=3).verdict
    assert verdict.outcome == "cell"
    assert [caveat.rule for caveat in verdict.caveats] == ["cell-unlearned"]
    assert verdict.caveats[0].sentence.startswith("RNN is not shown to be better than always answering 'negative'")


@pytest.mark.parametrize(("accuracy", "change"), [(0.51, "more test examples or longer training"), (0.45, "longer")])
def test_what_might_show_a_cell_to_be_better_than_nothing(accuracy: float, change: str) -> None:
    verdict = made_up_record({"baseline": 0.6, "rnn": accuracy, "gru": 0.9}, seeds=3).verdict
    assert f"than always answering 'negative'; {change}" in verdict.caveats[0].sentence


def test_cells_that_still_improve_are_not_as_good_where_no_model_knows_more_than_the_classes_shares() -> None:
    record = made_up_record({"baseline": 0.5, "gru": 0.49}, seeds=3, rising=["gru"])
    assert record.verdict.outcome == "unfinished"
    said = "So far no model is shown to be better than always answering 'negative', which reaches"
    assert said in record.verdict.answers["training"].sentence
    above = made_up_record({"baseline": 0.9, "gru": 0.49}, seeds=3, rising=["gru"]).verdict
    assert above.outcome == "unfinished" and "So far no model" not in above.text


def test_a_single_epoch_is_called_one() -> None:
    ended = Learning(run="gru-seed0", epochs=1, best_epoch=1, stopped="epochs", left=0.1)
    gru = ModelFigures("gru", "GRU", Range(0.8, 0.79, 0.81), 3.0, 3.0, learning=(ended,))
    verdict = decide([gru], [], Scale.of(ACCURACY.to_dict(), 0.8), seeds=1, margin=0.005)
    assert verdict.headline == "Not judged: GRU was trained for a single epoch"
    assert "still improving" not in verdict.text and "--epochs 4" in verdict.text


def test_what_the_headline_says_is_not_said_again_below_it() -> None:
    rising = made_up_record({"baseline": 0.9, "rnn": 0.86, "lstm": 0.88}, seeds=3, rising=["lstm"])
    unlearned = made_up_record({"baseline": 0.8, "rnn": 0.5, "gru": 0.51}, seeds=3)
    single = made_up_record({"baseline": 0.8, "rnn": 0.7, "gru": 0.75}, seeds=1)
    probe = made_up_probe({"rnn": 50, "lstm": 200}, lengths=(50, 200), rising=["rnn"])
    for record in (rising, unlearned, single, probe):
        headline = record.verdict.headline
        assert headline.startswith("Not judged: ") and headline in record.verdict.text
        out = io.StringIO()
        print_comparison(record, Console(file=out, width=10_000))
        page = html.unescape(render_page(record).partition("<h1>")[2].partition("<table")[0])
        for shown in (out.getvalue(), markdown_table(record), page):
            assert shown.count(headline.removeprefix("Not judged: ")) == 1
    assert rising.verdict.following[0].startswith("After 4 epochs its validation accuracy had risen by")
    assert probe.verdict.following[0].startswith("At sequence length 200: after 4 epochs")


def test_what_stands_below_the_headline_is_a_whole_sentence() -> None:
    for gain, fell in ((0.02, ""), (-0.1, ", and the validation loss fell to the end")):
        short = Learning(
            run="gru-seed0", epochs=3, best_epoch=3, least_loss_epoch=3, stopped="epochs", left=0.1, gain=gain,
            share=0.2, derived_epochs=41, first_epoch=1,
        )  # fmt: skip
        gru = ModelFigures("gru", "GRU", Range(0.8, 0.79, 0.81), 3.0, 3.0, learning=(short,))
        verdict = decide([gru], [], Scale.of(ACCURACY.to_dict(), 0.8), seeds=1, margin=0.005)
        said = f"nly 3 of the 41 epochs that the size of this data calls for were trained{fell}, so the figures say"
        assert verdict.headline == "Not judged: GRU was still improving when training stopped"
        assert verdict.following[0].startswith(f"O{said}") and f"{verdict.headline}: o{said}" in verdict.text
    incomplete = made_up_record({"rnn": 0.6, "gru": 0.9}, seeds=3, failed=["rnn-seed0", "gru-seed2"]).verdict
    assert incomplete.following[0].startswith(
        "1 of 3 runs of GRU and 1 of 3 runs of RNN did not finish, and those that"
    )


def test_no_claim_is_judged_on_cells_that_still_improve() -> None:
    accuracies = {"rnn": 0.6, "lstm": 0.9}
    claims = {
        about: Claim(f"LSTM is better than RNN in {about}", "imdb", about, "lstm", "rnn")
        for about in ("quality", "time", "size")
    }
    finished, stopped = made_up_record(accuracies, seeds=3), made_up_record(accuracies, seeds=3, rising=["rnn"])
    assert judge(claims["quality"], finished).finding == "holds"
    assert {judge(claims[about], stopped).finding for about in ("quality", "time")} == {"untested"}
    assert judge(claims["size"], stopped).finding == "undecided", "of sizes something is said: the same within 5 %"


def test_no_reach_is_claimed_of_cells_that_still_improve() -> None:
    record = made_up_probe({"rnn": 50, "lstm": 200}, lengths=(50, 200))
    assert "reach" in record.verdict.answers
    raised = made_up_probe({"rnn": 50, "lstm": 200}, lengths=(50, 200), rising=["rnn"])
    assert raised.verdict.outcome == "unfinished" and "reach" not in raised.verdict.answers
    assert raised.verdict.sentences[0].startswith("At sequence length 200: Not judged")


def test_an_older_record_without_the_state_of_training_is_read() -> None:
    content = json.loads(compact_json(made_up_record({"baseline": 0.8, "gru": 0.85}, seeds=2)))
    for model in content["models"]:
        del model["learning"]
    del content["verdict"]["inputs"]["learning"]
    older = comparison_from(content)
    assert all(model.learning == () for model in older.models)


def test_a_pair_needs_the_verdicts_own_words() -> None:
    """The better one is named first in the sentence and in its reasons."""
    trivial = Trivial("always answering 'neg'", 0.5)
    base = ModelFigures("tfidf", "TF-IDF", Range(0.885, 0.88, 0.89), 5.0, None, baseline=True)
    gru = ModelFigures("gru", "GRU", Range(0.88, 0.875, 0.885), 30.0, 10.0)
    pair = Pair("gru", "tfidf", Range(-0.005, -0.015, 0.005), 0.4, seeds_needed=9)
    verdict = decide([base, gru], [pair], Scale.of(ACCURACY.to_dict(), 0.8), seeds=3, margin=0.005, trivial=trivial)
    assert "(TF-IDF is 0.5 points better, 95 % interval −0.5 to +1.5)" in verdict.answers["baseline"].sentence


def test_the_best_epoch_counts_not_the_one_that_was_kept():
    """The weights kept may be of the last epoch within a standard error of the best: that is no improvement."""
    figures = [0.5, 0.7, 0.8, 0.74, 0.7, 0.76, 0.79]
    run = dataclasses.replace(_run("gru-seed0", figures, rates=[1e-3] * 7), best_epoch=7)
    (found,) = learning_of([run], {run.name: np.ones(2000)}, ACCURACY, TRIVIAL, 2000).values()
    assert (found.best_epoch, found.left) == (3, pytest.approx(0.2))
    assert found.gain > 0.05 and not still_improving(found, 0.005)
    assert still_improving(dataclasses.replace(found, best_epoch=7), 0.005)


@pytest.mark.parametrize(
    ("change", "improving"),
    [
        ({}, True),
        ({"derived_epochs": 4}, False),
        ({"derived_epochs": None}, False),
        ({"best_epoch": 1}, False),
        ({"gain": -0.1}, False),
        ({"stopped": "patience"}, False),
        ({"left": 0.001}, False),
        ({"gain": -0.1, "best_epoch": 1, "least_loss_epoch": 2}, True),
        ({"gain": -0.1, "best_epoch": 1, "least_loss_epoch": 1}, False),
        ({"gain": -0.1, "best_epoch": 1, "least_loss_epoch": 2, "derived_epochs": 4}, False),
    ],
)
def test_a_training_cut_short_by_its_epochs_is_unfinished_while_its_last_epoch_is_the_best(change, improving) -> None:
    """A language model of a short novel after 2 epochs of the 14 that its size calls for: 48.4 to 42.3, later 23.8."""
    ended = Learning(
        run="gru-seed0",
        epochs=2,
        best_epoch=2,
        stopped="epochs",
        left=41.3,
        first_epoch=1,
        gain=6.1,
        noise=5.0,
        share=0.05,
        derived_epochs=14,
    )
    assert still_improving(replace(ended, **change), margin=0.4) is improving


@pytest.mark.parametrize(
    ("losses", "least"), [([2.0, 1.5, 1.5], 3), ([1.0, 1.2, 1.4], 1), ([2.0, None, 1.0], None), ([3.0, 2.0, 1.0], 3)]
)
def test_a_recogniser_whose_loss_falls_is_not_judged_after_a_few_epochs(losses, least) -> None:
    """Its error rate rises while it begins to write letters: so in three epochs of the ten that its data call for."""
    curve = _run("gru-seed0", [0.5, 0.4, 0.3], rates=[1e-3] * 3)
    epochs = [
        dataclasses.replace(epoch, validation={"accuracy": epoch.validation["accuracy"], "loss": loss})
        for epoch, loss in zip(curve.epochs, losses, strict=True)
    ]
    run = dataclasses.replace(curve, epochs=tuple(epochs), derived_epochs=10)
    (found,) = learning_of([run], {run.name: np.ones(2000)}, ACCURACY, TRIVIAL, 2000).values()
    assert found.least_loss_epoch == least
    assert still_improving(found, 0.005) is (least == 3)
