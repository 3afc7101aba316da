"""Span F1 is conlleval's and strict seqeval's; contributions give the figure back; the gradient is its derivative."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewise.errors import OptionError, ShapeError
from gatewise.kinds.tagging.figures import (
    confusion,
    figure,
    gradient,
    span_contributions,
    span_figures,
    tag_accuracy,
    tag_accuracy_gradient,
    tag_contributions,
)
from gatewise.kinds.tagging.schemes import scheme_tags, spans, spans_as_conlleval, to_tags

Pair = tuple[list[list[str]], list[list[str]]]
BILOU = pytest.param("bilou", marks=pytest.mark.slow)  # IOBES with other letters


@st.composite
def tagged(draw: st.DrawFn, scheme: str, well_formed: bool = False) -> Pair:
    lengths = draw(st.lists(st.integers(1, 9), min_size=1, max_size=5))
    tags = st.sampled_from(scheme_tags(["X", "Y", "Z-z"], scheme))
    rows = [[draw(st.lists(tags, min_size=n, max_size=n)) for n in lengths] for _ in range(2)]
    if draw(st.booleans()):  # random tags agree too rarely to test the matches
        rows[1] = [
            [draw(st.sampled_from([a, a, b])) for a, b in zip(*pair, strict=True)] for pair in zip(*rows, strict=True)
        ]
    if well_formed:
        rows = [[to_tags(spans_as_conlleval(row), len(row), scheme) for row in side] for side in rows]
    return rows[0], rows[1]


def check_against_seqeval(pair: Pair, lenient: bool, ours_scheme: str, /, **options: Any) -> None:
    metrics = pytest.importorskip("seqeval.metrics")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        by_type = [
            each(*pair, average=None, **options)
            for each in (metrics.precision_score, metrics.recall_score, metrics.f1_score)
        ]
        overall = [
            each(*pair, average="micro", **options)
            for each in (metrics.precision_score, metrics.recall_score, metrics.f1_score)
        ]
    ours = span_figures(*pair, ours_scheme, lenient=lenient)
    np.testing.assert_allclose([ours.overall.precision, ours.overall.recall, ours.overall.f1], overall, atol=1e-12)
    np.testing.assert_allclose([score.precision for score in ours.types.values()], by_type[0], atol=1e-12)
    np.testing.assert_allclose([score.recall for score in ours.types.values()], by_type[1], atol=1e-12)
    np.testing.assert_allclose([score.f1 for score in ours.types.values()], by_type[2], atol=1e-12)
    assert ours.token_accuracy == pytest.approx(metrics.accuracy_score(*pair))


@pytest.mark.parametrize("scheme", ["iob2", "iobes", BILOU])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_strict_figures_are_seqevals_on_any_tags(scheme: str, data: st.DataObject) -> None:
    oracle = pytest.importorskip("seqeval.scheme")
    names = {"iob2": oracle.IOB2, "iobes": oracle.IOBES, "bilou": oracle.BILOU}
    pair = data.draw(tagged(scheme))
    check_against_seqeval(pair, False, scheme, mode="strict", scheme=names[scheme])


@settings(max_examples=150, deadline=None)
@given(pair=tagged("iob1", well_formed=True))
def test_iob1_figures_are_seqevals_on_well_formed_tags(pair: Pair) -> None:
    pytest.importorskip("seqeval.metrics")
    check_against_seqeval(pair, False, "iob1")


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["iob2", "iobes"])
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_lenient_figures_are_conllevals_on_any_tags(scheme: str, data: st.DataObject) -> None:
    # seqeval's default mode is a port of conlleval's startOfChunk and endOfChunk
    check_against_seqeval(data.draw(tagged(scheme)), True, scheme)


def conlleval(tags: list[str]) -> list[tuple[int, int, str]]:
    """The rules as conlleval's manual states them: a chunk begins and ends by the pair of tags."""
    found, start = [], None
    padded = ["O", *tags, "O"]
    for at in range(1, len(padded)):
        (before, kind), (after, other) = ([*tag.split("-", 1), ""][:2] for tag in padded[at - 1 : at + 1])
        ends = before != "O" and (after in ("O", "B", "S") or before in ("E", "S") or kind != other)
        begins = after != "O" and (after in ("B", "S") or before in ("O", "E", "S") or kind != other)
        if ends and start is not None:
            found.append((start, at - 1, kind))
            start = None
        if begins:
            start = at - 1
    return found


@pytest.mark.parametrize("scheme", ["iob1", "iob2", "iobes"])
@given(data=st.data())
def test_runs_are_those_of_conlleval(scheme: str, data: st.DataObject) -> None:
    for row in data.draw(tagged(scheme))[0]:
        assert [tuple(span) for span in spans_as_conlleval(row)] == conlleval(row)


@pytest.mark.parametrize("scheme", ["iob1", "iob2", "iobes", BILOU])
@given(data=st.data())
def test_both_readings_agree_on_well_formed_tags(scheme: str, data: st.DataObject) -> None:
    pair = data.draw(tagged(scheme, well_formed=True))
    strict, lenient = (span_contributions(*pair, scheme, lenient=choice) for choice in (False, True))
    np.testing.assert_array_equal(strict, lenient)
    assert float(figure(strict.mean(axis=0))) == pytest.approx(span_figures(*pair, scheme).overall.f1)


@given(st.lists(st.floats(0.0, 5.0), min_size=3, max_size=3))
def test_gradients_are_derivatives(means: list[float]) -> None:
    point, step = np.array(means) + 0.1, 1e-6
    for function, derivative, size in ((figure, gradient, 3), (tag_accuracy, tag_accuracy_gradient, 2)):
        moved = point[:size] + step * np.concatenate([np.eye(size), -np.eye(size)])
        values = function(moved)
        np.testing.assert_allclose(
            derivative(point[:size]), (values[:size] - values[size:]) / (2 * step), rtol=1e-4, atol=1e-6
        )


def test_nothing_at_all_gives_zero_and_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert float(figure([0.0, 0.0, 0.0])) == 0.0 and gradient([0.0] * 3).tolist() == [0.0, 0.0, 0.0]
        assert float(tag_accuracy([0.0, 0.0])) == 0.0 and tag_accuracy_gradient([0.0] * 2).tolist() == [0.0, 0.0]
        empty = span_figures([["O"]], [["O"]], "iob2")
        assert (empty.overall.f1, empty.overall.precision, empty.types) == (0.0, 0.0, {})
    assert span_contributions([], [], "iob2").shape == (0, 3) and tag_contributions([], []).shape == (0, 2)


@pytest.mark.parametrize("scheme", ["iob2", "iobes"])
@given(data=st.data())
def test_confusion_counts_every_span_once(scheme: str, data: st.DataObject) -> None:
    true, predicted = data.draw(tagged(scheme))
    pairs = confusion(true, predicted, scheme)
    both = pairs.same_borders.total() + pairs.other_borders.total()
    totals = span_contributions(true, predicted, scheme).sum(axis=0)
    assert totals[0] == both + pairs.missed.total()
    assert totals[1] == both + pairs.invented.total()
    assert totals[2] == sum(count for (one, other), count in pairs.same_borders.items() if one == other)


def test_confusion_pairs_by_borders_then_by_shared_words() -> None:
    true = [["B-A", "I-A", "I-A", "O", "B-B", "O", "B-C", "O"]]
    answer = [["B-X", "B-A", "I-A", "O", "B-C", "O", "O", "B-Y"]]
    pairs = confusion(true, answer, "iob2")
    assert pairs.same_borders == {("B", "C"): 1} and pairs.other_borders == {("A", "A"): 1}
    assert pairs.missed == {"C": 1} and pairs.invented == {"X": 1, "Y": 1}


def test_unequal_rows_and_schemes_are_refused() -> None:
    with pytest.raises(ShapeError, match="different sentences"):
        span_contributions([["O"]], [], "iob2")
    with pytest.raises(ShapeError, match="sentence 0"):
        tag_contributions([["O"]], [["O", "O"]])
    with pytest.raises(OptionError):
        span_contributions([["O"]], [["O"]], "plain")
    assert spans(["I-X"], "iob2") == []
