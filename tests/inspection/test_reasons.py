"""Reasons against networks whose reasons are known, against Captum, and against taking them away."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from readable import EVERYDAY, RUNS, Runs
from torch import Tensor

from gatewise.errors import DataError, OptionError
from gatewise.inspection.reasons import METHODS, Stopped, most_gradients, reasons, removal
from gatewise.training.reader import Reader, ReadInput, Step

EACH = [pytest.param(name, marks=() if name in EVERYDAY else pytest.mark.slow) for name in RUNS]


class Formula(Reader):
    """A function of (T, B, I) in place of a network."""

    def __init__(self, function: Any, x: Tensor, base: Tensor | None = None, columns: tuple[str, ...] = ()) -> None:
        self.function, self.x, self.columns = function, x, columns
        self.base = torch.zeros_like(x) if base is None else base
        self.names, self.answers = ("value",), "values"

    def embed(self, read: ReadInput) -> Tensor:
        return self.x

    def baseline(self, read: ReadInput) -> Tensor:
        return self.base

    def answer(self, read: ReadInput, embedded: Tensor) -> Tensor:
        found: Tensor = self.function(embedded)[:, None]
        return found

    def input_columns(self, read: ReadInput) -> tuple[str, ...]:
        return self.columns

    examples = parse = prefixes = stacks = None  # type: ignore[assignment]


def _of(formula: Formula, **options: Any) -> Any:
    given = ReadInput(tuple(Step(str(place)) for place in range(len(formula.x))), np.zeros(len(formula.x)))
    return reasons(formula, given, **options)


def test_all_methods_agree_on_a_sum() -> None:
    torch.manual_seed(0)
    x, weight, base = torch.randn(6, 1, 3).double(), torch.randn(6, 1, 3).double(), torch.randn(6, 1, 3).double()
    expected = ((x - base) * weight)[:, 0].numpy()
    for method in METHODS:
        formula = Formula(lambda z: (z * weight).sum(dim=(0, 2)), x, base, ("a", "b", "c"))
        found = _of(formula, method=method)
        assert found.values == pytest.approx(expected, abs=1e-9) and found.completeness_error < 1e-9
        assert found.columns == ("a", "b", "c") and found.complete
        formula.columns = ()
        assert _of(formula, method=method).values == pytest.approx(expected.sum(axis=1), abs=1e-9)


def test_a_product_is_shared_and_more_gradients_are_taken_where_it_is_sharp() -> None:
    """x * y from zero: each gets half. A steep sigmoid needs more than the first sixteen nodes."""
    x = torch.tensor([[[3.0]], [[2.0]]], dtype=torch.float64)
    found = _of(Formula(lambda z: z[0, :, 0] * z[1, :, 0], x))
    assert found.values == pytest.approx([3.0, 3.0]) and found.steps_used == 16
    sharp = _of(Formula(lambda z: torch.sigmoid(300 * (z.sum(dim=(0, 2)) - 1.7)), x))
    assert sharp.complete and 48 <= sharp.steps_used <= 400
    assert sharp.values.sum() == pytest.approx(1.0, abs=0.01)
    step = _of(Formula(lambda z: (z.sum(dim=(0, 2)) > 1.7) + 0.0 * z.sum(dim=(0, 2)), x))
    # one part is halved at a time, the one with the jump in it
    assert not step.complete and step.steps_used == 16 + 2 * 16 * 32 and step.completeness_error == pytest.approx(1)


def test_long_inputs_take_fewer_gradients() -> None:
    x = torch.full((3000, 1, 1), 1e-3, dtype=torch.float64)
    jumps = _of(Formula(lambda z: torch.round(40 * z.sum(dim=(0, 2))) + 0.0 * z.sum(dim=(0, 2)), x), with_removal=False)
    assert most_gradients(3000) == 133 and 64 <= jumps.steps_used <= 133 + 2 * 16 and not jumps.complete
    assert most_gradients(390) == most_gradients(1) == 1024 and most_gradients(10**6) == 64


def test_removal_follows_the_order() -> None:
    """Four steps worth 4, 2, -1, -3: the curves are their cumulative sums."""
    x = torch.tensor([4.0, -1.0, 2.0, -3.0])[:, None, None]
    formula = Formula(lambda z: z.sum(dim=(0, 2)), x)
    curve = _of(formula).removal
    assert curve.removed.tolist() == [0, 1, 2, 3, 4]
    assert curve.by_reasons == pytest.approx([2, -2, -4, -3, 0])
    assert curve.against == pytest.approx([2, 5, 6, 4, 0])
    assert curve.random[0] == pytest.approx(2) and curve.random[-1] == pytest.approx(0)
    assert (curve.random >= curve.by_reasons - 1e-9).all() and (curve.random <= curve.against + 1e-9).all()
    given = ReadInput(tuple(Step("") for _ in range(4)), np.zeros(4))
    again = removal(formula, given, np.array([4.0, -1, 2, -3]), target=0, seed=1)
    assert again.by_reasons == pytest.approx(curve.by_reasons) and (again.random != curve.random).any()


@pytest.mark.parametrize("name", EACH)
def test_integrated_gradients_are_complete(name: str, runs: Runs) -> None:
    trained, dataset = runs(name)
    reader = trained.reader(dataset)
    for each in reader.examples(2):
        found = reasons(reader, each)
        change = found.score_at_input - found.score_at_baseline
        assert found.complete and abs(found.values.sum() - change) <= 0.01 * max(abs(change), 1e-3)
        assert found.values.shape == ((len(each.steps), len(found.columns)) if found.columns else (len(each.steps),))
        assert np.ptp(found.values) > 0
        curve = found.removal
        assert curve is not None
        ends = (found.score_at_input, found.score_at_baseline)
        for course in (curve.by_reasons, curve.random, curve.against):
            assert course[[0, -1]] == pytest.approx(ends, rel=1e-4, abs=1e-4)


@pytest.mark.parametrize(
    "name",
    [
        "reviews",
        pytest.param("series, everything", marks=pytest.mark.slow),
        pytest.param("translations", marks=pytest.mark.slow),
    ],
)
def test_captum_says_the_same(name: str, runs: Runs) -> None:
    attr = pytest.importorskip("captum.attr")
    trained, dataset = runs(name)
    reader = trained.reader(dataset)
    given = reader.examples(1)[0]
    x, base = reader.embed(given), reader.baseline(given)

    def score(rows: Tensor) -> Tensor:
        return reader.score(reader.answer(given, rows.transpose(0, 1)), 1)

    ours = {method: reasons(reader, given, target=1, method=method, with_removal=False).values for method in METHODS}
    rows, bases = x.transpose(0, 1), base.transpose(0, 1)

    def shaped(found: Tensor) -> np.ndarray:
        values = found[0].detach().double().numpy()
        return values if ours[METHODS[0]].ndim == 2 else values.sum(axis=1)

    theirs = attr.IntegratedGradients(score).attribute(rows, bases, n_steps=128, method="gausslegendre")
    largest = np.abs(ours[METHODS[0]]).max()
    assert ours["integrated-gradients"] == pytest.approx(
        shaped(theirs), abs=0.03 * largest
    )  # max pooling is not smooth
    gradient = attr.Saliency(score).attribute(rows, abs=False)
    assert ours["gradient-x-input"] == pytest.approx(shaped((rows - bases) * gradient), abs=1e-5)
    mask = torch.arange(rows.shape[1])[None, :, None].expand_as(rows)
    if ours["occlusion"].ndim == 2:
        mask = torch.arange(rows[0].numel()).view(1, *rows.shape[1:])
    ablated = attr.FeatureAblation(score).attribute(rows, bases, feature_mask=mask)
    values = ablated[0].double().numpy()
    expected = values if ours["occlusion"].ndim == 2 else values[:, 0]
    assert ours["occlusion"] == pytest.approx(expected, abs=1e-4)


def test_reasons_can_be_stopped_and_refused(runs: Runs) -> None:
    trained, dataset = runs("reviews")
    reader = trained.reader(dataset)
    given = reader.examples(1)[0]
    looks = iter([False, False, True])
    with pytest.raises(Stopped):
        reasons(reader, given, stop=lambda: next(looks))
    with pytest.raises(OptionError, match="no method 'shap'"):
        reasons(reader, given, method="shap")
    with pytest.raises(DataError, match="no answer 7"):
        reasons(reader, given, target=7)
