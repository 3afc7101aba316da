"""Times that were measured in turns: exact where theory says what comes out, and honest on machines that disturb."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import wilcoxon

from gatewise.errors import OptionError
from gatewise.statistics.times import LEAST_ROUNDS, paired_times, rounds_needed, signed_rank, typical_time


@pytest.mark.parametrize("rounds", [6, 12, 25, 60])
def test_the_p_value_is_wilcoxons(rounds: int) -> None:
    generator = np.random.default_rng(rounds)
    for shift in (0.0, 0.3, -1.0):
        values = generator.normal(shift, 1.0, rounds)
        found = signed_rank(values)
        assert found is not None
        assert found.p_value == pytest.approx(wilcoxon(values, method="exact").pvalue, rel=1e-9)


def test_the_interval_holds_what_the_test_does_not_refuse() -> None:
    values = np.random.default_rng(3).normal(0.4, 1.0, 20)
    found = signed_rank(values)
    assert found is not None
    for centre, inside in ((found.low + 1e-9, True), (found.high - 1e-9, True), (found.low - 1e-9, False)):
        again = signed_rank(values - centre)
        assert again is not None and (again.p_value > 0.05) is inside
    assert found.low < found.estimate < found.high


def test_equal_values_and_few_rounds() -> None:
    same = signed_rank(np.zeros(12))
    assert same is not None and (same.estimate, same.low, same.high, same.p_value) == (0.0, 0.0, 0.0, 1.0)
    assert signed_rank([0.1] * 5) is None and signed_rank([]) is None
    assert typical_time([1.0] * 5) is None and typical_time([1.0, 2.0, 3.0], of_sum=True) is None
    with pytest.raises(OptionError, match="finite"):
        signed_rank([0.1, float("nan")])
    with pytest.raises(OptionError, match="cannot be paired"):
        paired_times({"step": {"gru": [1.0, 2.0], "rnn": [1.0]}})


def test_many_rounds_are_as_exact_rounds() -> None:
    values = np.random.default_rng(1).normal(0.2, 1.0, 61)
    one, two = signed_rank(values), signed_rank(values[:60])
    assert one is not None and two is not None
    assert one.low == pytest.approx(two.low, abs=0.08) and one.high == pytest.approx(two.high, abs=0.08)


def test_enough_rounds_pass_the_correction_for_all_pairs() -> None:
    for cells in (2, 3, 10):
        pairs = 4 * cells * (cells - 1) // 2
        rounds = rounds_needed(pairs)
        assert rounds >= LEAST_ROUNDS
        rising = np.linspace(1.0, 1.1, rounds)
        samples = {str(cell): (rising * 1.5**cell).tolist() for cell in range(cells)}
        found = paired_times(dict.fromkeys(("a", "b", "c", "d"), samples))
        assert len(found) == pairs and {pair.reading for pair in found} == {"faster"}


@pytest.mark.parametrize("machine", ["spikes", "bursts", "first in the round"])
def test_identical_cells_are_called_different_in_one_of_twenty_studies_at_most(machine: str) -> None:
    """A single timing of three identical cells called one of them the fastest in most studies on such machines."""
    generator = np.random.default_rng(0)
    studies, claims, single = 400, 0, 0
    for _ in range(studies):
        slots = _slots(machine, generator)
        times = np.stack([row[generator.permutation(3)] for row in slots])
        pairs = paired_times({"step": {str(cell): times[:, cell].tolist() for cell in range(3)}})
        claims += any(pair.reading in ("faster", "slower") for pair in pairs)
        least, second = np.sort(times[0])[:2]
        single += second > 1.05 * least
    # 5 % and two and a half standard errors of the simulation
    assert claims / studies <= 0.05 + 2.5 * np.sqrt(0.05 * 0.95 / studies)
    assert single / studies > 0.1 or machine == "first in the round"


def _slots(machine: str, generator: np.random.Generator, rounds: int = 14) -> np.ndarray:
    times = np.exp(generator.normal(0, 0.03, (rounds, 3)))
    if machine == "spikes":
        return times * (1 + (generator.random(times.shape) < 0.3) * generator.pareto(1.5, times.shape))
    if machine == "bursts":
        busy = np.repeat(generator.integers(0, 2, rounds), 3).reshape(rounds, 3)
        return times * (1 + np.roll(busy.ravel(), 1).reshape(rounds, 3))
    times[:, 0] *= 1.3
    return times


def test_a_cell_that_is_faster_is_found_and_its_ratio_covered() -> None:
    generator = np.random.default_rng(5)
    covered, found, studies = 0, 0, 300
    for _ in range(studies):
        batch = np.exp(generator.normal(0, 0.5, 14))
        first, second = (batch * np.exp(generator.normal(0, 0.05, 14)) for _ in range(2))
        (pair,) = paired_times({"step": {"rnn": (0.8 * first).tolist(), "gru": second.tolist()}})
        covered += pair.low <= 0.8 <= pair.high
        found += pair.reading == "faster"
    assert 0.92 <= covered / studies <= 0.99 and found / studies > 0.95
