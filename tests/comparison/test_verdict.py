"""The verdict says what the numbers allow, and no more."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import pytest

from gatewise.comparison.verdict.facts import Range
from gatewise.comparison.verdict.rules import apply_again
from gatewise.comparison.verdict.verdict import ModelFigures, Pair, Trivial, decide
from gatewise.record import TimeRatio, Verdict
from gatewise.words import Scale
from made_up_comparison import made_up_forecast, made_up_language, made_up_probe, made_up_record
from made_up_times import made_up_ratios

TIMES = {"rnn": 20.0, "lstm": 40.0, "gru": 31.2, "mingru": 10.0}
PARAMETERS = {"rnn": 100_000, "lstm": 400_000, "gru": 300_000, "mingru": 200_000}
ACCURACY = Scale("accuracy", True, True, 1)
PERPLEXITY = Scale("perplexity", False, False, 1)
Pairs = set[frozenset[str]]


def _decide(
    figures: dict[str, float],
    *,
    differ: bool | Pairs,
    seeds: int = 3,
    scale: Scale = ACCURACY,
    equivalent: Pairs | None = None,
    needed: int | None = 12,
    trivial: Trivial | None = None,
    skill: bool = False,
    reach: float = 0.005,
    lost: tuple[str, ...] = (),
    looks: tuple[int, ...] = (),
) -> Verdict:
    """A verdict on given figures; ``differ`` says which pairs are significant."""
    models = [
        ModelFigures(
            name,
            "the baseline" if name == "baseline" else name.upper(),
            Range(value, value - reach, value + reach),
            20.0 if name == "baseline" else 3 * TIMES[name],
            TIMES.get(name),
            step_seconds=TIMES.get(name, 0.0) / 1e6 or None,
            parameters=PARAMETERS.get(name, 50_000),
            kernels=("fused",),
            baseline=name == "baseline",
            seeds=None if name == "baseline" else seeds - (name in lost),
            lost=int(name in lost),
        )
        for name, value in figures.items()
    ]
    pairs = []
    for one, two in combinations(models, 2):
        both = frozenset((one.name, two.name))
        gap = one.figure.estimate - two.figure.estimate
        p = 0.001 if (differ if isinstance(differ, bool) else both in differ) else 0.4
        pairs.append(
            Pair(one.name, two.name, Range(gap, gap - reach, gap + reach), p, both in (equivalent or set()), needed)
        )
    margin = 0.005 if scale.percent else 1.0
    return decide(
        models,
        pairs,
        scale,
        seeds=seeds,
        margin=margin,
        looks=looks,
        trivial=trivial,
        skill=skill,
        times=_times(models),
    )


def _times(models: Sequence[ModelFigures]) -> tuple[TimeRatio, ...]:
    cells = sorted((model for model in models if not model.baseline), key=lambda cell: cell.name)
    return made_up_ratios({cell.name: cell.time for cell in cells}, {cell.name: cell.step_seconds for cell in cells})


def _but(names: dict[str, float], *without: tuple[str, str]) -> Pairs:
    """All pairs but some."""
    return {frozenset(pair) for pair in combinations(names, 2)} - {frozenset(pair) for pair in without}


def test_one_cell_leads() -> None:
    verdict = _decide({"rnn": 0.86, "lstm": 0.89, "gru": 0.88, "baseline": 0.85}, differ=True)
    assert verdict.outcome == "cell"
    assert verdict.headline == "LSTM has the highest accuracy: 89.0 %, 1.0 points above GRU"
    assert verdict.leaders == ("lstm",) and verdict.recommended == "lstm"
    quality = verdict.answers["quality"].sentence
    assert "1.0 points above GRU (95 % interval 0.5 to 1.5) and 3.0 points above RNN" in quality
    assert "it takes 1.3 times (1.28 to 1.29) GRU's time per epoch" in quality
    baseline = verdict.answers["baseline"].sentence
    assert "LSTM beats it by 4.0 points (95 % interval 3.5 to 4.5) for about 6 times its training time" in baseline
    assert "undecided" not in verdict.answers


def test_lower_is_better_where_the_metric_says_so() -> None:
    figures = {"rnn": 124.0, "lstm": 98.2, "gru": 102.3, "baseline": 141.0}
    verdict = _decide(figures, differ=True, scale=PERPLEXITY, reach=2.0)
    assert verdict.headline == "LSTM has the lowest perplexity: 98.2, 4.1 below GRU"
    assert "4.1 below GRU (95 % interval 2.1 to 6.1)" in verdict.answers["quality"].sentence
    assert "LSTM beats it by 42.8 (95 % interval 40.8 to 44.8)" in verdict.answers["baseline"].sentence
    assert "points" not in verdict.text and "%" not in verdict.text.replace("95 %", "")


def test_a_tie_goes_to_the_cheaper_cell() -> None:
    figures = {"baseline": 0.85, "rnn": 0.86, "lstm": 0.886, "gru": 0.885}
    verdict = _decide(figures, differ=_but(figures, ("lstm", "gru")))
    assert verdict.outcome == "tie"
    assert verdict.headline == "LSTM and GRU: no difference found in accuracy"
    assert verdict.leaders == ("lstm", "gru") and verdict.recommended == "gru"
    assert (
        "GRU takes 0.78 times (0.77 to 0.78) LSTM's time per epoch, so take GRU." in verdict.answers["quality"].sentence
    )
    assert verdict.undecided == (("lstm", "gru"),)
    assert verdict.answers["undecided"].sentence == (
        "Undecided: LSTM and GRU (about 12 seeds would detect a difference of this size)."
    )


def test_a_cheaper_cell_beyond_the_margin_is_not_taken() -> None:
    """No difference was found, but the estimate lies 2 points lower: nobody should be sent there."""
    verdict = _decide({"lstm": 0.886, "mingru": 0.866}, differ=False)
    assert verdict.outcome == "tie" and verdict.recommended == "lstm"
    assert "but is 2.0 points worse than LSTM (which may be chance)" in verdict.answers["speed"].sentence
    assert "take LSTM for quality, MINGRU for time." in verdict.answers["quality"].sentence


def test_equivalence_is_said_as_such() -> None:
    figures = {"lstm": 0.886, "gru": 0.885}
    verdict = _decide(figures, differ=False, equivalent={frozenset(figures)})
    assert verdict.headline == "LSTM and GRU: the same accuracy within 0.5 points"
    assert "are the same within 0.5 points" in verdict.answers["quality"].sentence
    assert verdict.undecided == () and "undecided" not in verdict.answers


def test_the_baseline_may_win() -> None:
    verdict = _decide({"baseline": 0.906, "rnn": 0.86, "lstm": 0.889, "gru": 0.88}, differ=True)
    assert verdict.outcome == "baseline"
    assert verdict.headline == "the baseline beats every recurrent cell"
    assert verdict.recommended == "baseline"
    sentence = verdict.answers["baseline"].sentence
    assert "better than LSTM by 1.7 points (95 % interval 1.2 to 2.2)" in sentence
    assert "no recurrent cell is worth its time" in sentence
    assert "so take" not in verdict.text


def test_the_best_cell_may_not_be_shown_to_beat_the_baseline() -> None:
    verdict = _decide({"baseline": 0.885, "rnn": 0.86, "lstm": 0.887, "gru": 0.88}, differ=False)
    assert verdict.outcome == "undecided"
    assert verdict.headline == "LSTM is not shown to beat the baseline"
    assert "no difference from LSTM found" in verdict.answers["baseline"].sentence
    assert verdict.recommended == "baseline"
    equal = _decide({"baseline": 0.887, "lstm": 0.887}, differ=False).answers["baseline"].sentence
    assert "(the two are equal, 95 % interval −0.5 to +0.5)" in equal and "0.0 points" not in equal


@pytest.mark.parametrize(
    ("baseline", "differ", "headline", "words"),
    [
        (0.020, False, "No skill beyond the baseline is shown", "no skill beyond it is shown"),
        (0.018, True, "No skill beyond the baseline, which beats every cell", "the cells have no skill beyond it"),
        (0.030, True, "LSTM has the lowest mean absolute error: 0.0200, 0.0050 below GRU", "LSTM beats it by 0.0100"),
    ],
)
def test_a_forecast_is_asked_for_skill(baseline: float, differ: bool, headline: str, words: str) -> None:
    scale = Scale("mean absolute error", False, False, 4)
    figures = {"baseline": baseline, "lstm": 0.02, "gru": 0.025}
    verdict = _decide(figures, differ=differ, scale=scale, skill=True, reach=0.001)
    assert verdict.headline == headline
    assert words in verdict.answers["baseline"].sentence


def test_nothing_was_learned() -> None:
    trivial = Trivial("always answering 'neg'", 0.5)
    verdict = _decide({"baseline": 0.503, "gru": 0.501}, differ=True, trivial=trivial)
    assert verdict.outcome == "nothing"
    assert verdict.headline == "No model is shown to beat always answering 'neg'"
    assert verdict.leaders == () and verdict.recommended is None
    assert "the best, the baseline, reaches 50.3 %" in verdict.text, "a baseline may be the best of them"
    assert verdict.text.endswith("Train longer or on more data, or test on more.")
    below = _decide({"baseline": 0.48, "gru": 0.49}, differ=True, trivial=trivial)
    assert below.text.endswith("Train longer or on more data.")
    assert verdict.answers["quality"].models == ("baseline",)
    assert _decide({"baseline": 0.503, "gru": 0.51}, differ=True, trivial=trivial).outcome == "cell"


def test_one_cell_alone() -> None:
    verdict = _decide({"baseline": 0.85, "gru": 0.88}, differ=True)
    assert verdict.headline == "GRU reaches 88.0 % accuracy"
    assert "speed" not in verdict.answers and "size" not in verdict.answers
    assert _decide({"gru": 98.0}, differ=True, scale=PERPLEXITY).headline == "GRU reaches a perplexity of 98.0"


def test_no_cell_at_all() -> None:
    verdict = _decide({"baseline": 0.85}, differ=True)
    assert verdict.outcome == "failed" and verdict.sentences == ()


def test_speed_and_size_say_what_they_cost() -> None:
    verdict = _decide({"rnn": 0.86, "lstm": 0.89, "gru": 0.88, "mingru": 0.87}, differ=True)
    assert verdict.answers["speed"].models == ("mingru",)
    assert verdict.answers["speed"].sentence == (
        "MINGRU trains fastest, 10 s per epoch, 0.25 times LSTM's time (95 % interval 0.25 to 0.25) and 0.50 times "
        "RNN's (0.50 to 0.50), but is 2.0 points worse than LSTM; a streaming step is quickest with MINGRU (10 µs, "
        "0.25 times LSTM's, 95 % interval 0.25 to 0.25)."
    )
    assert verdict.answers["size"].models == ("rnn",)
    assert "RNN is smallest, 100 k parameters, 0.25 times LSTM's size" in verdict.answers["size"].sentence


def test_a_baseline_that_is_smaller_than_every_cell_is_named() -> None:
    verdict = _decide({"baseline": 0.85, "rnn": 0.86, "lstm": 0.89}, differ=True)
    sentence = verdict.answers["size"].sentence
    assert "RNN is the smallest cell" in sentence
    assert sentence.endswith("The baseline the baseline is smaller still, 50 k parameters.")
    inputs = verdict.answers["size"].inputs
    again = apply_again("size-smallest", inputs)
    assert again is not None and again.models == ("rnn",)


def test_with_groups_more_groups_would_decide_it() -> None:
    models = [
        ModelFigures(name, name.upper(), Range(0.88, 0.87, 0.89), 20.0, 3.0, parameters=1000, seeds=3)
        for name in ("gru", "lstm")
    ]
    pairs = [Pair("gru", "lstm", Range(0.001, -0.01, 0.012), 0.6, seeds_needed=None)]
    for groups, words in (
        ((30, "groups of test texts by film"), "(more groups of test texts by film would decide it"),
        (None, "(more test examples"),
    ):
        verdict = decide(models, pairs, ACCURACY, seeds=3, margin=0.005, groups=groups)
        assert words in verdict.answers["undecided"].sentence


def test_what_would_decide_several_pairs_is_said_once() -> None:
    verdict = _decide({"lstm": 0.886, "gru": 0.885, "rnn": 0.884}, differ=False, needed=None)
    sentence = verdict.answers["undecided"].sentence
    assert sentence.endswith(" (more test examples would decide each, more seeds alone would not).")
    assert sentence.count("more test examples") == 1 and sentence.count(";") == 2


@pytest.mark.parametrize(("seeds", "words"), [(2, "Two seeds"), (3, None)])
def test_few_seeds_are_said(seeds: int, words: str | None) -> None:
    caveats = _decide({"baseline": 0.85, "gru": 0.88}, differ=True, seeds=seeds).caveats
    assert caveats == () if words is None else caveats[0].sentence.startswith(words)


def test_one_seed_is_a_statement_about_networks_and_none_about_cells() -> None:
    verdict = _decide({"baseline": 0.85, "lstm": 0.86, "gru": 0.88}, differ=True, seeds=1)
    assert (verdict.outcome, verdict.leaders, verdict.recommended, verdict.undecided) == ("single", (), None, ())
    assert verdict.headline == "Not judged: one seed says nothing of a cell"
    assert list(verdict.answers) == ["training", "baseline", "speed", "size"]
    sentence = verdict.answers["training"].sentence
    assert "Of these 2 networks the GRU has the highest accuracy, 88.0 %" in sentence
    assert "2.0 points above the LSTM network" in sentence and "--seeds 3" in sentence
    for words in ("beats", "better", "worth", "take"):
        assert words not in verdict.text, words
    alone = _decide({"gru": 0.88}, differ=True, seeds=1).answers["training"].sentence
    assert "This GRU network reaches 88.0 %" in alone


def test_a_cell_that_lost_seeds_is_not_judged() -> None:
    """What is left of its seeds may be the good ones: it neither leads nor hides who does."""
    figures = {"rnn": 0.8, "lstm": 0.86, "gru": 0.9}
    verdict = _decide(figures, differ=True, lost=("gru",))
    assert (verdict.outcome, verdict.leaders, verdict.recommended) == ("cell", ("lstm",), "lstm")
    (caveat,) = verdict.caveats
    assert caveat.rule == "lost-seeds" and caveat.sentence.startswith("GRU lost 1 of 3 seeds, so its figure is that of")
    assert "GRU" not in verdict.text
    none = _decide(figures, differ=True, lost=("rnn", "lstm", "gru"))
    assert (none.outcome, none.leaders, none.recommended) == ("incomplete", (), None)
    assert "1 of 3 runs of GRU" in none.answers["training"].sentence


def test_looking_twice_is_said() -> None:
    (caveat,) = _decide({"lstm": 0.86, "gru": 0.9}, differ=True, seeds=10, looks=(3, 5)).caveats
    assert caveat.sentence == (
        "Judged before with 3 and 5 seeds, now with 10: for this third look p values are multiplied by 12."
    )


@pytest.mark.parametrize(
    ("needed", "seeds", "words"),
    [
        (12, 3, "(about 12 seeds would detect"),
        (2, 3, "(more than 3 seeds would detect"),
        (170, 3, "(more than 100 seeds would detect"),
        (None, 3, "(more test examples would decide it, more seeds alone would not)"),
        (12, 2, "how many seeds would decide it cannot be said from two"),
    ],
)
def test_what_would_decide_is_said(needed: int | None, seeds: int, words: str) -> None:
    verdict = _decide({"lstm": 0.886, "gru": 0.885}, differ=False, needed=needed, seeds=seeds)
    assert words in verdict.answers["undecided"].sentence


def test_the_order_of_a_pair_does_not_matter() -> None:
    forward = _decide({"lstm": 0.89, "gru": 0.88, "baseline": 0.85}, differ=True)
    backward = _decide({"baseline": 0.85, "gru": 0.88, "lstm": 0.89}, differ=True)
    assert forward == backward


def test_every_sentence_is_whole() -> None:
    """Over many worlds: a sentence starts with a capital and ends with a full stop, and numbers are finite."""
    worlds = [
        made_up_record({"baseline": base, "rnn": 0.88 - gap, "lstm": 0.88, "gru": 0.88 - gap / 2}, seeds=seeds)
        for seeds, gap, base in ((1, 0.0, 0.8), (2, 0.01, 0.88), (3, 0.03, 0.93))
    ]
    worlds += [
        made_up_forecast({"persistence": 0.02, "lstm": 0.02, "gru": 0.018}, windows=300),
        made_up_language({"kneser-ney-5": 141.0, "lstm": 98.0, "gru": 140.0}, tokens=400),
        made_up_probe({"rnn": 50, "lstm": 200}, lengths=(50, 200)),
    ]
    for record in worlds:
        sentences = record.verdict.sentences
        assert 3 <= len(sentences) <= 6
        for sentence in sentences:
            assert sentence[0].isupper() or sentence.startswith("min")
            assert sentence.endswith(".") and ".." not in sentence and "nan" not in sentence


def test_different_kernels_are_said() -> None:
    record = made_up_record({"baseline": 0.8, "lstm": 0.88, "gru": 0.88}, seeds=3)
    assert record.verdict.caveats == ()
    record = made_up_record({"baseline": 0.8, "lstm": 0.88, "gru": 0.88}, seeds=3, kernels={"gru": "reference"})
    assert "GRU: reference" in record.verdict.caveats[0].sentence
    assert "LSTM: fused" in record.verdict.caveats[0].sentence
