"""`gatewise evaluate` of a language model: figures by hand, documents, unknown words, the same as the test part."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from commands import exit_code
from gatewise import load_run
from gatewise.errors import DataError
from gatewise.kinds.language_modelling.estimator import LanguageModel
from gatewise.kinds.language_modelling.evaluating import documents_of
from gatewise.kinds.language_modelling.kind import LanguageModellingKind
from small_text import LANGUAGE_SETTINGS, small_text, write_text_file


@pytest.fixture(scope="module")
def fitted() -> LanguageModel:
    return LanguageModel("gru", **{**LANGUAGE_SETTINGS, "epochs": 2}).fit(small_text(200))


def test_the_figures_by_hand(fitted: LanguageModel) -> None:
    text = small_text(30, seed=9)
    found = fitted.evaluate(text)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    losses = fitted._trained.losses(fitted.vocabulary_.encode(lines))
    assert found.tokens == len(losses) and found.documents == 30 and found.document == "line"
    assert found.characters == sum(len(line) + 1 for line in lines)
    assert found.perplexity == pytest.approx(fitted.perplexity(text))
    assert found.bits_per_character == pytest.approx(losses.sum() / math.log(2) / found.characters)
    assert found.bits_per_token == pytest.approx(math.log2(found.perplexity))
    assert found.perplexity_interval is not None and found.bits_per_character_interval is not None
    assert found.perplexity_interval[0] < found.perplexity < found.perplexity_interval[1]
    low, high = found.bits_per_character_interval
    assert low < found.bits_per_character < high
    # the interval is about that of the delta method over lines
    counts = np.array([len(fitted.vocabulary_.encode([line])) for line in lines])
    sums = np.array([part.sum() for part in np.split(losses, np.cumsum(counts)[:-1])])
    spread = (sums - losses.mean() * counts).std(ddof=1) / math.sqrt(30) / counts.mean()
    width = math.log(found.perplexity_interval[1] / found.perplexity_interval[0])
    assert 0.8 < width / (2 * 2.045 * spread) < 1.25
    assert fitted.evaluate(text) == found


def test_unknown_words_are_counted_and_named(fitted: LanguageModel) -> None:
    found = fitted.evaluate("the zebra is on the zebra\nthe gnu is in the sky\n")
    assert found.unknown_share == pytest.approx(3 / 14) and found.unknown == ("zebra", "gnu")
    assert found.perplexity_interval is None
    notes = " ".join(found.notes)
    assert "2 lines are fewer than 10 documents" in notes and "21.4% of the tokens are unknown words" in notes
    known = fitted.evaluate(small_text(12, seed=1))
    assert known.unknown_share == 0 and known.unknown == () and known.notes == ()


def test_documents() -> None:
    lines = ["", "a", "b", "", "", "c", ""]
    assert documents_of(lines, blank=False) == ([["a", "b"], ["c"]], "paragraph")
    assert documents_of(lines, blank=True) == ([["", "a", "b", "", ""], ["c", ""]], "paragraph")
    assert documents_of(["a", "b", ""], blank=False) == ([["a"], ["b"]], "line")
    assert documents_of(["a", "b", ""], blank=True) == ([["a"], ["b"], [""]], "line")


@pytest.mark.parametrize("tokens", ["word", "character", "bpe"])
def test_the_test_part_gives_the_figures_of_the_test(
    tmp_path: Path, tokens: str, capsys: pytest.CaptureFixture[str]
) -> None:
    data, run = write_text_file(tmp_path / "text.txt", 150), tmp_path / "run"
    given = ["--cell", "gru", "--hidden", "8", "--epochs", "1", "--threads", "1", "--batch-size", "4"]
    size = ["--vocabulary-size", "300"]
    assert exit_code(["train", data, "--tokens", tokens, *given, *size, "--out", run]) == 0
    trained = load_run(run)
    corpus = LanguageModellingKind().load(trained.spec.data)
    expected = trained.test(corpus).metrics
    (tmp_path / "test.txt").write_text("\n".join(corpus.test_lines) + "\n")
    capsys.readouterr()
    assert exit_code(["evaluate", run, tmp_path / "test.txt", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["perplexity"] == pytest.approx(expected["perplexity"]) and found["tokens"] == expected["tokens"]
    assert found["metric"] == "perplexity"
    assert exit_code(["evaluate", run, tmp_path / "test.txt"]) == 0
    said = capsys.readouterr().out
    assert "bits per character" in said and "unknown tokens" in said and "lines" in said


def test_bad_texts(fitted: LanguageModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match="no token"):
        fitted.evaluate(" \n ")
    with pytest.raises(DataError, match="does not exist"):
        fitted.evaluate(tmp_path / "none.txt")
    run = fitted.save(tmp_path / "run")
    (tmp_path / "empty.txt").write_text("\n")
    assert exit_code(["evaluate", run, tmp_path / "empty.txt"]) == 2
    assert "is empty" in " ".join(capsys.readouterr().err.split())
    assert exit_code(["evaluate", run, tmp_path / "empty.txt", "--text", "x"]) == 2
    assert "--text does not go with language-modelling" in " ".join(capsys.readouterr().err.split())
