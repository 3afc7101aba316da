"""The verdict says what the numbers allow, and no more."""

from __future__ import annotations

from itertools import combinations

import pytest

from gatewise.comparison.statistics import Difference, Interval
from gatewise.comparison.verdict import ModelFigures, Pair, Verdict, decide
from made_up_comparison import made_up_record

TIMES = {"rnn": 20.0, "lstm": 40.0, "gru": 31.2}


def _decide(accuracies: dict[str, float], *, differ: bool | set[frozenset[str]], seeds: int = 3) -> Verdict:
    """A verdict on given accuracies; ``differ`` says which pairs are significant."""
    models = [
        ModelFigures(
            name,
            "the baseline" if name == "baseline" else name.upper(),
            Interval(share, share - 0.006, share + 0.006),
            20.0 if name == "baseline" else 3 * TIMES[name],
            TIMES.get(name),
            baseline=name == "baseline",
        )
        for name, share in accuracies.items()
    ]
    pairs = []
    for one, two in combinations(models, 2):
        gap = one.accuracy.estimate - two.accuracy.estimate
        significant = differ if isinstance(differ, bool) else frozenset((one.name, two.name)) in differ
        p = 0.001 if significant else 0.4
        pairs.append(Pair(one.name, two.name, Difference(Interval(gap, gap - 0.005, gap + 0.005), p, ""), p))
    return decide(models, pairs, seeds=seeds, majority=0.5, majority_label="neg")


def test_one_cell_leads() -> None:
    verdict = _decide({"rnn": 0.86, "lstm": 0.89, "gru": 0.88, "baseline": 0.85}, differ=True)
    assert verdict.outcome == "cell"
    assert verdict.headline == "LSTM is the most accurate cell"
    assert verdict.leaders == ("lstm",)
    assert verdict.recommended == "lstm"
    assert "leads GRU by 1.0 points (95 % interval 0.5 to 1.5) and RNN by 3.0 points" in verdict.text
    assert "it takes 1.3 times GRU's time per epoch" in verdict.text
    assert "LSTM beats it by 4.0 points" in verdict.text


def test_a_tie_goes_to_the_cheaper_cell() -> None:
    rest = {frozenset(pair) for pair in combinations(("rnn", "lstm", "gru", "baseline"), 2)} - {
        frozenset(("lstm", "gru"))
    }
    verdict = _decide({"baseline": 0.85, "rnn": 0.86, "lstm": 0.886, "gru": 0.885}, differ=rest)
    assert verdict.outcome == "tie"
    assert verdict.headline == "LSTM and GRU: no difference found"
    assert verdict.leaders == ("lstm", "gru")
    assert verdict.recommended == "gru"
    assert "GRU takes 0.78 of LSTM's time per epoch, so take GRU." in verdict.text


def test_the_baseline_may_win() -> None:
    verdict = _decide({"baseline": 0.906, "rnn": 0.86, "lstm": 0.889, "gru": 0.88}, differ=True)
    assert verdict.outcome == "baseline"
    assert verdict.headline == "the baseline beats every recurrent cell"
    assert verdict.recommended == "baseline"
    assert "1.7 points (95 % interval 1.2 to 2.2) more than LSTM" in verdict.text
    assert "take" not in verdict.text.replace("it takes", "")


def test_the_best_cell_may_not_be_shown_to_beat_the_baseline() -> None:
    verdict = _decide({"baseline": 0.885, "rnn": 0.86, "lstm": 0.887, "gru": 0.88}, differ=False)
    assert verdict.outcome == "undecided"
    assert verdict.headline == "LSTM is not shown to beat the baseline"
    assert "no difference from LSTM found" in verdict.text
    assert verdict.recommended == "baseline"


def test_nothing_was_learned() -> None:
    verdict = _decide({"baseline": 0.503, "gru": 0.501}, differ=True)
    assert verdict.outcome == "nothing"
    assert "always answering 'neg'" in verdict.headline
    assert verdict.leaders == () and verdict.recommended is None


def test_one_cell_alone() -> None:
    verdict = _decide({"baseline": 0.85, "gru": 0.88}, differ=True)
    assert verdict.headline == "GRU is right in 88.0 %"
    assert "GRU beats it by 3.0 points" in verdict.text


@pytest.mark.parametrize(("seeds", "words"), [(1, "One seed per cell"), (2, "Two seeds"), (3, None)])
def test_few_seeds_are_said(seeds: int, words: str | None) -> None:
    caveats = _decide({"baseline": 0.85, "gru": 0.88}, differ=True, seeds=seeds).caveats
    assert caveats == () if words is None else caveats[0].startswith(words)


def test_the_order_of_a_pair_does_not_matter() -> None:
    forward = _decide({"lstm": 0.89, "gru": 0.88, "baseline": 0.85}, differ=True)
    backward = _decide({"baseline": 0.85, "gru": 0.88, "lstm": 0.89}, differ=True)
    assert forward == backward


def test_every_sentence_is_whole() -> None:
    """Over many worlds: a sentence starts with a capital and ends with a full stop, and there are at most two."""
    for seed, gap in enumerate((0.0, 0.002, 0.01, 0.03)):
        for base in (0.8, 0.88, 0.93):
            accuracies = {"baseline": base, "rnn": 0.88 - gap, "lstm": 0.88, "gru": 0.88 - gap / 2}
            sentences = made_up_record(accuracies, generator_seed=seed)["verdict"]["sentences"]
            assert 1 <= len(sentences) <= 2
            assert all(sentence[0].isupper() and sentence.endswith(".") for sentence in sentences)


def test_different_kernels_are_said() -> None:
    record = made_up_record({"baseline": 0.8, "lstm": 0.88, "gru": 0.88}, seeds=3)
    assert record["verdict"]["caveats"] == []
    record = made_up_record({"baseline": 0.8, "lstm": 0.88, "gru": 0.88}, seeds=3, kernels={"gru": "reference"})
    assert "GRU: reference" in record["verdict"]["caveats"][0]
    assert "LSTM: torch" in record["verdict"]["caveats"][0]
