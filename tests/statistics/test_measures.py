"""Figures of several numbers per example: known values, gradients, errors, borders."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewise.errors import OptionError, ShapeError
from gatewise.statistics import (
    Bleu,
    Mean,
    Measure,
    Ratio,
    SpanF1,
    estimate_figure,
    mcnemar,
    paired_difference,
    wilson_interval,
)
from gatewise.statistics.estimates import unit_error
from gatewise.statistics.measure import linearised

Table = npt.NDArray[np.float64]
WORD_ERRORS = Ratio("word_error_rate", "word error rate", higher_is_better=False, percent=True)
WORD_ACCURACY = Ratio("word_accuracy", "word accuracy", higher_is_better=True, percent=True)
COUNTS: list[Measure] = [SpanF1(), WORD_ERRORS, WORD_ACCURACY, Bleu(), Bleu(order=2)]
EVERY = [
    Mean("mean", "mean", higher_is_better=True),
    Mean("perplexity", "perplexity", higher_is_better=False, transform="exp"),
    Mean("root", "root", higher_is_better=False, transform="sqrt"),
    *COUNTS,
]


def _name(measure: Measure) -> str:
    return f"{measure.name}{measure.numbers}"


def _draws(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def _table(measure: Measure, examples: int, seeds: int = 1, seed: int = 0, quality: float = 0.8) -> Table:
    """(S, N, K) counts of sentences that differ in length and difficulty."""
    draws = _draws(seed)
    length = draws.integers(0 if isinstance(measure, SpanF1) else 4, 20, size=examples)
    ease = np.clip(draws.normal(quality, 0.1, examples), 0.02, 0.98)
    right = draws.binomial(length, ease, size=(seeds, examples))
    length = np.broadcast_to(length, right.shape)
    if isinstance(measure, SpanF1):
        columns = [length, right + draws.binomial(length, 0.15, size=right.shape), right]
    elif isinstance(measure, Ratio):
        columns = [right if measure.higher_is_better else length - right, length]
    else:
        assert isinstance(measure, Bleu)
        matches, totals = [right], [length]
        for order in range(1, measure.order):
            totals.append(length - order)
            matches.append(draws.binomial(np.minimum(matches[-1], totals[-1]), 0.7))
        columns = [*matches, *totals, length, length + draws.integers(-1, 4, size=length.shape)]
    return np.stack(columns, axis=-1).astype(np.float64)


def _resampled(tables: list[Table], measure: Measure, resamples: int = 4000) -> list[Table]:
    """Figures of corpora drawn with replacement from the same examples."""
    examples = len(tables[0])
    drawn = _draws(99).multinomial(examples, np.full(examples, 1 / examples), size=resamples) / examples
    return [measure.sized(examples).figure(drawn @ table) for table in tables]


def test_figures_by_hand() -> None:
    assert SpanF1().of([[3, 2, 2], [1, 2, 1]]) == pytest.approx(6 / 8)
    assert WORD_ERRORS.of([[3, 2], [0, 8]]) == pytest.approx(0.3)
    assert SpanF1().of([[0, 0, 0], [0, 0, 0]]) == WORD_ERRORS.of([[0, 0], [0, 0]]) == 0.0
    assert Bleu(order=2).of([[3, 1, 4, 3, 4, 6]]) == pytest.approx(math.sqrt(3 / 4 * 1 / 3) * math.exp(1 - 6 / 4))
    assert Bleu(order=2).of([[3, 0, 4, 3, 4, 4]]) == 0.0
    assert Bleu(order=2, smoothing="exp").of([[3, 0, 4, 3, 4, 4]]) == pytest.approx(math.sqrt(3 / 4 * 0.5 / 3))
    assert [measure.perfect for measure in EVERY] == [1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0]


def test_span_f1_is_that_of_seqeval() -> None:
    seqeval = pytest.importorskip("seqeval.metrics")
    from seqeval.metrics.sequence_labeling import get_entities

    draws = _draws(1)
    tags = np.array(["O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC"])
    truth = [tags[draws.integers(0, 6, 12)].tolist() for _ in range(80)]
    found = [[tag if draws.random() < 0.8 else "O" for tag in sentence] for sentence in truth]
    rows = []
    for one, two in zip(truth, found, strict=True):
        spans = set(get_entities(one)), set(get_entities(two))
        rows.append([len(spans[0]), len(spans[1]), len(spans[0] & spans[1])])
    assert SpanF1().of(rows) == pytest.approx(seqeval.f1_score(truth, found))


@pytest.mark.parametrize("smoothing", ["none", "exp"])
@pytest.mark.parametrize(("words", "longest", "sentences"), [(5, 14, 60), (40, 9, 30), (400, 9, 30), (3, 3, 8)])
def test_bleu_is_that_of_sacrebleu(smoothing: Any, words: int, longest: int, sentences: int) -> None:
    """Also where no 4-gram matches, where sentences are too short to have one, and where nothing matches."""
    sacrebleu = pytest.importorskip("sacrebleu")
    for seed in range(6):
        draws = _draws(seed)
        truth = [
            [f"w{word}" for word in draws.integers(0, words, draws.integers(1, longest))] for _ in range(sentences)
        ]
        found = [[word for word in sentence if draws.random() < 0.8] + ["x"] for sentence in truth]
        if seed == 5:
            found = [["y"] * len(sentence) for sentence in truth]
        theirs = sacrebleu.corpus_bleu(
            [" ".join(each) for each in found],
            [[" ".join(each) for each in truth]],
            smooth_method=smoothing,
            tokenize="none",
        )
        rows = [_bleu_counts(one, two) for one, two in zip(found, truth, strict=True)]
        assert 100 * Bleu(smoothing=smoothing).of(rows) == pytest.approx(theirs.score, abs=1e-9)
        assert (theirs.score == 0.0) >= (seed == 5)


def _bleu_counts(found: list[str], truth: list[str]) -> list[int]:
    matches, totals = [], []
    for length in range(1, 5):
        ours, theirs = (
            Counter(tuple(each[start : start + length]) for start in range(len(each) - length + 1))
            for each in (found, truth)
        )
        matches.append((ours & theirs).total())
        totals.append(ours.total())
    return [*matches, *totals, len(found), len(truth)]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(EVERY), st.integers(0, 10_000), st.floats(0.2, 0.95))
def test_gradients_are_those_of_numerical_differentiation(measure: Measure, seed: int, quality: float) -> None:
    if measure.numbers == 1:
        means = np.asarray(quality * 3)
        steps = [np.asarray(1e-6)]
    else:
        means = _table(measure, 30, seed=seed, quality=quality).mean(axis=(0, 1))
        steps = list(1e-6 * np.eye(measure.numbers))
    numeric = [(measure.figure(means + step) - measure.figure(means - step)) / 2e-6 for step in steps]
    np.testing.assert_allclose(np.ravel(measure.gradient(means)), numeric, rtol=1e-4, atol=1e-6)


def test_the_gradient_of_smoothed_bleu_leaves_missing_orders_out() -> None:
    measure = Bleu(smoothing="exp").sized(50)
    means = np.array([6.0, 2.0, 0.0, 0.0, 9.0, 8.0, 7.0, 6.0, 9.0, 10.0])
    found = measure.gradient(means)
    for place in (0, 1, *range(4, 10)):
        step = 1e-6 * np.eye(10)[place]
        numeric = (measure.figure(means + step) - measure.figure(means - step)) / 2e-6
        assert found[place] == pytest.approx(numeric, rel=1e-5)
    assert found[2] == found[3] == 0.0
    assert (Bleu().gradient(means) == 0).all()


@pytest.mark.parametrize("measure", COUNTS, ids=_name)
def test_linearised_errors_are_those_of_a_bootstrap_over_examples(measure: Measure) -> None:
    """4,000 resamples tell an error to within 2.2 % (two standard errors)."""
    one, two = _table(measure, 400, seed=3), _table(measure, 400, seed=3, quality=0.7)
    alone, other = _resampled([one[0], two[0]], measure)
    means = one.mean(axis=(0, 1))
    spread = linearised(one, means, measure).std(ddof=1) / math.sqrt(400)
    assert spread == pytest.approx(alone.std(), rel=0.06)
    found = paired_difference(one, two, _draws(), measure=measure)
    assert found.components is not None
    assert found.components.error == pytest.approx((alone - other).std(), rel=0.06)
    assert found.components.error < 0.95 * math.hypot(alone.std(), other.std())  # lengths and ease are shared
    ends = np.quantile(alone, [0.025, 0.975])
    interval = estimate_figure(one, measure, _draws()).interval
    assert (interval.low, interval.high) == pytest.approx(tuple(ends), abs=0.15 * (ends[1] - ends[0]))


@pytest.mark.parametrize("measure", COUNTS, ids=_name)
def test_seeds_add_their_spread(measure: Measure) -> None:
    """Runs of clearly different quality: the interval is at least about Student's of the runs' own figures."""
    table = np.concatenate([_table(measure, 400, seed=5, quality=each) for each in (0.6, 0.7, 0.8)])
    found = estimate_figure(table, measure, _draws())
    assert found.per_seed == pytest.approx([measure.of(row) for row in table])
    assert found.deviation == pytest.approx(np.std(found.per_seed, ddof=1))
    assert found.interval.estimate == pytest.approx(float(measure.figure(table.mean(axis=(0, 1)))))
    assert found.over == "seeds and examples"
    assert found.interval.half_width > 0.9 * 4.30 * found.deviation / math.sqrt(3) or found.interval.low == 0.0
    order = paired_difference(table, table[::-1] * 1.0, _draws(), measure=measure)
    assert order.run_superiority == 0.5 and order.interval.estimate == pytest.approx(0.0, abs=1e-12)


def test_right_and_wrong_words_one_by_one_are_an_accuracy() -> None:
    """K = 2 with one word in each example says what K = 1 says, with one disagreement more in the error."""
    one, two = ((_draws(seed).random((1, 800)) < 0.9).astype(float) for seed in (6, 7))
    words = [np.stack([each, np.ones_like(each)], axis=-1) for each in (one, two)]
    accuracy = Mean("accuracy", "accuracy", higher_is_better=True)
    plain, found = (
        paired_difference(one, two, _draws(), measure=accuracy),
        paired_difference(*words, _draws(), measure=WORD_ACCURACY),
    )
    assert plain.components is not None and found.components is not None
    assert found.interval.estimate == pytest.approx(plain.interval.estimate)
    assert found.components.error == pytest.approx(math.hypot(plain.components.error, 1 / 802))
    assert found.p_value == pytest.approx(mcnemar(one[0], two[0]), abs=0.05)
    interval, share = estimate_figure(words[0], WORD_ACCURACY, _draws()).interval, wilson_interval(one.sum(), 800)
    assert (interval.low, interval.high) == pytest.approx((share.low, share.high), abs=0.004)


def _units(measure: Measure, right: int, wrong: int, examples: int = 50) -> Table:
    """So many units in every example, the same in each."""
    units = measure.units()
    assert units is not None
    return np.tile(right * units[0] + wrong * units[1], (examples, 1))


@pytest.mark.parametrize("seeds", [1, 3])
@pytest.mark.parametrize("measure", COUNTS, ids=_name)
def test_at_the_border_nothing_is_certain(measure: Measure, seeds: int) -> None:
    """All right, all wrong, nothing there at all: finite, inside the bounds, and an interval with a width."""
    lowest, highest = measure.bounds
    for right, wrong in ((3, 0), (0, 3), (0, 0)):
        table = np.repeat(_units(measure, right, wrong)[None], seeds, axis=0)
        found = estimate_figure(table, measure, _draws()).interval
        assert lowest <= found.low <= found.estimate <= found.high <= highest
        assert found.high - found.low > 0.005 and math.isfinite(found.high)
        same = paired_difference(table, table, _draws(), measure=measure)
        assert (same.interval.estimate, same.p_value, same.superiority) == (0.0, 1.0, 0.5)
        assert same.interval.low < -0.005 and same.interval.high > 0.005
        assert same.components is not None and same.components.error > 0.0
        other = paired_difference(table, _units(measure, 3, 3)[None], _draws(), measure=measure)
        assert math.isfinite(other.p_value) and other.interval.low < other.interval.high


def test_the_border_is_wilsons_and_the_floor_agresti_and_mins() -> None:
    perfect = _units(SpanF1(), 3, 0)  # 150 spans in 50 sentences
    z2 = 2.0096**2  # Student's, 49 degrees of freedom
    found = estimate_figure(perfect, SpanF1(), _draws()).interval
    assert (found.low, found.high) == (pytest.approx(150 / (150 + z2), abs=1e-4), 1.0)
    none = estimate_figure(_units(WORD_ERRORS, 4, 0), WORD_ERRORS, _draws()).interval
    assert (none.low, none.high) == (0.0, pytest.approx(z2 / (200 + z2), abs=1e-4))
    nothing = estimate_figure(np.zeros((50, 3)), SpanF1(), _draws()).interval
    assert (nothing.low, nothing.high) == (0.0, 1.0)
    assert unit_error(SpanF1(), perfect.mean(axis=0), 50) == pytest.approx(1 / 152)
    assert unit_error(SpanF1(), np.zeros(3), 50) == pytest.approx(1 / 2)


@pytest.mark.parametrize("more", range(1, 8))
def test_few_disagreements_are_judged_as_by_mcnemar(more: int) -> None:
    """One model has some words wrong that the other has right, and never the other way round: five are needed."""
    one, two = _units(WORD_ACCURACY, 2, 0, examples=100), _units(WORD_ACCURACY, 2, 0, examples=100)
    two[:more] -= [1.0, 0.0]
    found = paired_difference(one, two, _draws(), measure=WORD_ACCURACY)
    right = np.ones(200)
    exact = mcnemar(right, np.where(np.arange(200) < more, 0.0, right))
    assert (found.p_value < 0.05) == (exact < 0.05) == (more >= 5)
    assert found.interval.holds(0.0) == (more < 5)


@pytest.mark.parametrize("examples", [40, 200, 5000])
@pytest.mark.parametrize("more", range(1, 8))
def test_few_disagreements_of_several_seeds_are_judged_alike(more: int, examples: int) -> None:
    """Every run of one model is right everywhere, a baseline is wrong on some texts: two of forty were a difference."""
    accuracy = Mean("accuracy", "accuracy", higher_is_better=True, percent=True)
    right = np.ones((2, examples))
    wrong = np.where(np.arange(examples) < more, 0.0, 1.0)[None]
    found = paired_difference(right, wrong, _draws(), measure=accuracy, seedless=(False, True))
    assert (found.p_value < 0.05) == (more >= 5)
    assert found.interval.holds(0.0) == (more < 5)


def test_a_few_mistakes_do_not_narrow_the_interval_to_nothing() -> None:
    """One of 300 spans missed: Clopper and Pearson's interval of that share reaches from 98.2 to 99.99 %."""
    table = _units(WORD_ACCURACY, 3, 0, examples=100)
    table[7] -= [1.0, 0.0]
    found = estimate_figure(table, WORD_ACCURACY, _draws()).interval
    assert found.low < 0.986 and found.high > 0.999


@pytest.mark.parametrize("measure", COUNTS, ids=_name)
def test_a_baseline_without_seeds_and_other_numbers_of_seeds(measure: Measure) -> None:
    three, five = _table(measure, 200, seeds=3, seed=8), _table(measure, 200, seeds=5, seed=8, quality=0.7)
    ours = paired_difference(three, five[:1], _draws(), measure=measure)
    repeated = paired_difference(three, np.repeat(five[:1], 3, axis=0), _draws(), measure=measure)
    assert ours.interval.estimate == pytest.approx(repeated.interval.estimate) and ours.over == "seeds and examples"
    assert ours.interval.half_width == pytest.approx(repeated.interval.half_width, rel=0.5)
    welch = paired_difference(three, five, _draws(), measure=measure)
    better = welch.interval.estimate > 0 if measure.higher_is_better else welch.interval.estimate < 0
    assert better and welch.p_value < 0.01 and welch.superiority > 0.99 and welch.run_superiority == 1.0
    assert welch.equivalence(1.0).shown and welch.ratio is None


def test_neighbours_that_resemble_each_other_widen_the_interval() -> None:
    draws = _draws(9)
    share = np.clip(0.85 + np.convolve(draws.normal(0, 0.1, 639), np.ones(40) / 8, "valid"), 0.0, 1.0)
    table = np.stack([draws.binomial(10, share), np.full(600, 10)], axis=-1)
    plain = estimate_figure(table, WORD_ACCURACY, _draws())
    serial = estimate_figure(table, replace(WORD_ACCURACY, dependence="serial", overlap=40), _draws())
    assert serial.interval.half_width > 1.5 * plain.interval.half_width and "moving-block" in serial.method


@pytest.mark.parametrize("shape", [(50,), (50, 2), (2, 50, 4), (1, 1, 3), (2, 2, 50, 3)])
def test_other_numbers_of_contributions_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="table of seeds and examples"):
        estimate_figure(np.ones(shape), SpanF1(), _draws())


def test_options_out_of_range_are_refused() -> None:
    for options in ({"order": 0}, {"examples": 0}):
        with pytest.raises(OptionError, match="at least 1"):
            Bleu(**options)  # type: ignore[arg-type]


def test_a_diverged_count_is_refused_by_place() -> None:
    table = np.ones((2, 5, 3))
    table[1, 3, 2] = np.nan
    with pytest.raises(ShapeError, match="seed 1, example 3"):
        estimate_figure(table, SpanF1(), _draws())


def test_the_record_keeps_its_keys() -> None:
    keys = [
        "name",
        "title",
        "higher_is_better",
        "percent",
        "percent_sign",
        "transform",
        "dependence",
        "contribution",
        "overlap",
        "documents",
    ]
    assert all(list(measure.to_dict()) == keys for measure in EVERY)
    forms = ["mean", "exp", "sqrt", "span-f1", "ratio", "ratio", "bleu", "bleu"]
    assert [measure.to_dict()["transform"] for measure in EVERY] == forms
