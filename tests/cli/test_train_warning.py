"""`gatewise train` says when always naming the most frequent class explains its figure."""

from __future__ import annotations

import json
import re

import pytest

from gatewise import words as words_of_numbers
from gatewise.cli import main
from small_data import FLAGS, write_reviews


def _train(words, capsys):
    with pytest.raises(SystemExit) as leave:
        main([str(word) for word in words])
    assert not leave.value.code
    return " ".join(capsys.readouterr().out.split())


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
    whole = sum(result[part] for part in ("preparation_seconds", "seconds", "validation_seconds"))
    assert f"trained in {words_of_numbers.duration(whole)}." in said
    assert re.search(r"up to \d+ epochs, of which 1 was trained", said)
    # too high a rate, so that the last epoch is not the best
    said = _train([*words, "--epochs", "3", "--lr", "1e-9", "--out", tmp_path / "still"], capsys)
    assert "The size of this data calls for up to" in said and "of which 3 were trained" in said
