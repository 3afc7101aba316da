"""`gatewise train` says when always naming the most frequent class explains its figure."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace

import pytest

from commands import ran
from gatewise import words as words_of_numbers
from gatewise.cli.train import _ending, _why_kept
from gatewise.statistics import Mean
from gatewise.training.keeping import best_of
from gatewise.training.spec import TrainingSpec
from small_data import FLAGS, write_reviews


def _train(words, capsys):
    code, out, err = ran(words, capsys)
    assert code == 0, err
    return " ".join(out.split())


def test_99_to_1_is_a_warning(tmp_path, capsys):
    path = tmp_path / "rare.csv"
    rows = [f"text {n} {'abcdefg'[n % 7]},{'rare' if n % 100 == 0 else 'usual'}" for n in range(1000)]
    path.write_text("\n".join(["text,label", *rows]) + "\n")
    said = _train(["train", path, *FLAGS, "--out", tmp_path / "run"], capsys)
    assert "Warning: this is not clearly better than always predicting 'usual', which reaches 99.0 %" in said
    assert "95 % interval" in said


def test_what_was_learnt_is_no_warning(tmp_path, capsys):
    path = write_reviews(tmp_path / "reviews.csv", rows=600)
    columns = ["--text", "review", "--label", "mood"]
    said = _train(["train", path, *columns, *FLAGS, "--epochs", "6", "--out", tmp_path / "run"], capsys)
    assert "Warning" not in said and "test accuracy" in said


def test_the_end_says_why_it_came(tmp_path, capsys):
    path = write_reviews(tmp_path / "reviews.csv", rows=120)
    words = ["train", path, "--text", "review", "--label", "mood", *FLAGS]
    said = _train([*words, "--epochs", "40", "--patience", "1", "--lr", "0.02", "--out", tmp_path / "long"], capsys)
    ended = re.search(r"Training ended after epoch (\d+): no better validation figure in the last epoch", said)
    assert ended and len((tmp_path / "long" / "metrics.jsonl").read_text().splitlines()) == int(ended[1]) < 40
    said = _train([*words, "--epochs", "1", "--out", tmp_path / "short"], capsys)
    assert "The last epoch was the best; the size of this data calls for up to" in said
    result = json.loads((tmp_path / "short" / "result.json").read_text())
    times = [result["seconds"] + result["validation_seconds"], result["preparation_seconds"]]
    trained, prepared = map(words_of_numbers.duration, times)
    assert f"trained in {trained}, after {prepared} of preparing." in said
    assert re.search(r"up to \d+ epochs, of which 1 was trained", said)
    # too high a rate, so that the last epoch is not the best
    said = _train([*words, "--epochs", "3", "--lr", "1e-9", "--out", tmp_path / "still"], capsys)
    assert "The size of this data calls for up to" in said and "of which 3 were trained" in said


TO_THE_END = (
    "The learning rate falls over all 8 epochs that --epochs allows and was not at its end: "
    "--patience 8 trains them all."
)


@pytest.mark.parametrize(
    ("given", "end"),
    [
        ({"epochs": 8}, f" {TO_THE_END}"),
        ({"epochs": 8, "patience": 3}, ""),
        ({"epochs": 8, "schedule": "constant"}, ""),
        ({}, ""),
    ],
)
def test_where_patience_cuts_a_schedule_that_was_asked_for_the_way_to_its_end_is_said(given, end):
    result = SimpleNamespace(stopped="patience", epochs=[None] * 5, derived_epochs=6)
    idle = "no better validation figure in the last 3 epochs, after the best one, 2"
    assert _ending(result, 2, TrainingSpec(**given)) == f"Training ended after epoch 5: {idle} (--patience).{end}"


def _epoch(number, accuracy, loss):
    return SimpleNamespace(epoch=number, validation={"accuracy": accuracy, "loss": loss})


@pytest.mark.parametrize(
    ("accuracies", "kept", "why", "ending"),
    [
        ((0.7, 0.9, 0.8, 0.8), 2, "", "in the last 2 epochs, after the best one, 2 (--patience)"),
        ((0.7, 0.9, 0.9, 0.8), 3, " (the last with the best figure, which epoch 2 has too)", "after the best one, 2 "),
        (
            (0.7, 0.9, 0.89, 0.8),
            3,
            " (the last within a standard error of the best, epoch 2)",
            "after the best one, 2 ",
        ),
        ((0.7, 0.8, 0.9, 0.8), 3, "", "in the last epoch (--patience)"),
    ],
)
def test_the_kept_epoch_and_the_end_agree(accuracies, kept, why, ending):
    """`Epoch 59 kept. ... no better figure in the last 68 epochs` of 98 was true and puzzling."""
    metric, epochs = (
        Mean("accuracy", "accuracy", higher_is_better=True),
        [_epoch(n, each, n) for n, each in enumerate(accuracies, 1)],
    )
    result = SimpleNamespace(
        epochs=epochs, best_epoch=kept, best=epochs[kept - 1], stopped="patience", derived_epochs=None
    )
    top = best_of(metric, epochs)
    assert _why_kept(metric, result, top) == why
    assert ending in _ending(result, top.epoch, TrainingSpec())


def test_of_equal_figures_the_one_with_less_loss_is_the_best_that_patience_counts_from():
    epochs = [_epoch(1, 0.9, 0.5), _epoch(2, 0.9, 0.4), _epoch(3, 0.9, 0.6)]
    assert best_of(Mean("accuracy", "accuracy", higher_is_better=True), epochs).epoch == 2
