"""Greedy and prefix-beam search against all paths, and CTC's loss where it has none."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict

import numpy as np
import pytest
import torch

from gatewise.kinds.speech.ctc import ctc_loss, least_steps
from gatewise.kinds.speech.listen_command import _show
from gatewise.kinds.speech.search import BeamSearch, GreedySearch, best_path, merged


def _random(steps: int, classes: int, seed: int, sharp: float = 1.0) -> np.ndarray:
    values = torch.randn(steps, classes, generator=torch.Generator().manual_seed(seed)) * sharp
    return values.double().log_softmax(dim=1).numpy()


def _all_units(rows: np.ndarray) -> dict[tuple[int, ...], float]:
    """The probability of every sequence of units, from every path."""
    found: dict[tuple[int, ...], float] = defaultdict(float)
    for path in itertools.product(range(rows.shape[1]), repeat=len(rows)):
        found[tuple(merged(path))] += math.exp(sum(rows[step, each] for step, each in enumerate(path)))
    return found


@pytest.mark.parametrize(("steps", "classes"), [(1, 2), (3, 3), (5, 3), (4, 4), (6, 2)])
@pytest.mark.parametrize("seed", range(6))
def test_a_beam_that_holds_all_prefixes_is_exact(steps: int, classes: int, seed: int) -> None:
    rows = _random(steps, classes, seed)
    chances = _all_units(rows)
    best = max(chances.values())
    search = BeamSearch(width=5_000)
    search.accept(rows)
    assert math.exp(search.log_probability) == pytest.approx(best, rel=1e-9)
    assert chances[tuple(search.units)] == pytest.approx(best, rel=1e-9)


@pytest.mark.parametrize("seed", range(6))
def test_the_best_path_is_the_best_of_all_paths(seed: int) -> None:
    rows = _random(5, 3, seed)
    paths = itertools.product(range(3), repeat=5)
    best = max(paths, key=lambda path: sum(rows[step, each] for step, each in enumerate(path)))
    assert best_path(rows) == merged(best)


def test_a_narrow_beam_never_finds_more_than_there_is_and_one_of_one_is_no_path() -> None:
    rows = _random(6, 3, 9)
    exact = max(_all_units(rows).values())
    for width in (1, 2, 4, 8):
        search = BeamSearch(width)
        search.accept(rows)
        assert math.exp(search.log_probability) <= exact * (1 + 1e-9)


@pytest.mark.parametrize("cut", [1, 2, 3, 7])
def test_streams_give_what_the_whole_gives(cut: int) -> None:
    rows = _random(40, 5, 3, sharp=3.0)
    greedy, beam, whole = GreedySearch(), BeamSearch(8), BeamSearch(8)
    whole.accept(rows)
    for start in range(0, len(rows), cut):
        greedy.accept(rows[start : start + cut])
        beam.accept(rows[start : start + cut])
    assert greedy.units == best_path(rows)
    assert beam.units == whole.units and beam.log_probability == whole.log_probability


@pytest.mark.parametrize("units", [[], [1], [1, 1], [1, 2, 1], [2, 2, 2]])
def test_the_loss_is_the_sum_over_all_paths_and_finite_exactly_where_one_exists(units: list[int]) -> None:
    for steps in range(1, 6):
        rows = _random(steps, 3, steps)
        chance = _all_units(rows)[tuple(units)]
        found = ctc_loss(torch.from_numpy(rows)[:, None], torch.tensor([steps]), [units])
        assert (chance > 0) == (least_steps(units) <= steps)
        assert torch.isfinite(found.loss)
        if units and chance > 0:
            assert found.loss.item() * len(units) == pytest.approx(-math.log(chance), rel=1e-9)
            assert (found.rows, found.too_short) == (1, 0)
        else:
            assert (found.rows, found.too_short) == (0, 1 if units else 0)


def test_rows_without_an_alignment_give_no_gradient_and_do_not_touch_the_others() -> None:
    values = torch.randn(4, 3, 3, dtype=torch.float64, requires_grad=True)
    lengths, targets = torch.tensor([4, 2, 3]), [[1, 2], [1, 1], [2]]
    found = ctc_loss(values.log_softmax(dim=2), lengths, targets)
    found.loss.backward()
    assert (found.rows, found.units, found.too_short) == (2, 3, 1)
    assert values.grad is not None and torch.isfinite(values.grad).all() and (values.grad[:, 1] == 0).all()
    alone = ctc_loss(values.detach()[:, [0, 2]].log_softmax(dim=2), lengths[[0, 2]], [[1, 2], [2]])
    assert alone.loss.item() == pytest.approx(found.loss.item())
    nothing = ctc_loss(values.log_softmax(dim=2)[:1, :1], torch.tensor([1]), [[1, 1]])
    assert nothing.loss.item() == 0 and nothing.too_short == 1


def test_a_line_that_corrects_an_earlier_one_is_marked(capsys: pytest.CaptureFixture[str]) -> None:
    _show("", "one to", 0.5)
    _show("one to", "one to three", 0.9)
    _show("one to three", "one two three", 1.25)
    assert capsys.readouterr().out.splitlines() == [
        "   0.50 s  one to",
        "   0.90 s  three",
        "   1.25 s  corrected: one two three",
    ]


def test_the_blank_is_less_probable_than_in_training() -> None:
    from gatewise.kinds.speech.network import Recogniser

    torch.manual_seed(0)
    output = torch.randn(4, 2, 6)
    plain, penalised = (
        Recogniser(3, 5, cell="gru", hidden_size=6, dropout=0.0, blank_penalty=nats) for nats in (0.0, 1.5)
    )
    penalised.load_state_dict(plain.state_dict())
    trained, used = penalised.train().log_probabilities(output), penalised.eval().log_probabilities(output)
    assert torch.equal(used, plain.train().log_probabilities(output))
    odds = [each[..., 0] - each[..., 1] for each in (trained, used)]
    assert torch.allclose(odds[0] - odds[1], torch.full((4, 2), 1.5), atol=1e-5)
    assert torch.allclose(trained[..., 2] - trained[..., 1], used[..., 2] - used[..., 1], atol=1e-5)
    assert torch.allclose(trained.exp().sum(dim=-1), torch.ones(4, 2), atol=1e-5)
