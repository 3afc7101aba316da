"""Random masks: the compiled and the plain way make the same ones, and their statistics are those of a coin."""

import pytest
import torch

from gatewise.kernels.fused.library import available_variants, load
from gatewise.kernels.fused.mask import _compiled, hashed_mask, random_mask

CPU = torch.device("cpu")


@pytest.mark.parametrize("variant", available_variants())
@pytest.mark.parametrize("shape", [(0,), (1,), (3, 5, 7), (70, 31, 33)])
@pytest.mark.parametrize("threads", [1, 3])
def test_compiled_equals_plain(variant, shape, threads):
    library, _ = load(variant)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for seeds in ([0, 0], [-1, 7], [2**31 - 1, -(2**31)]):
            pair = torch.tensor(seeds, dtype=torch.int32)
            for p in (0.0, 0.1, 0.5, 0.999):
                threshold = round(p * 2**32)
                assert torch.equal(_compiled(library, shape, pair, threshold), hashed_mask(shape, pair, threshold))
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("p", [0.01, 0.1, 0.5, 0.9])
def test_share_and_independence(p):
    """The share of ones, and of pairs of ones at several distances, within five standard deviations."""
    torch.manual_seed(3)
    mask = random_mask((400_000,), p, CPU).double()
    assert abs(mask.mean() - p) < 5 * (p * (1 - p) / mask.numel()) ** 0.5
    for distance in (1, 2, 16, 128, 4096):
        both = (mask[distance:] * mask[:-distance]).mean()
        assert abs(both - p * p) < 6 * (p * p / mask.numel()) ** 0.5 + 1e-5


def test_other_draws_are_independent_and_seeds_repeat():
    torch.manual_seed(5)
    first, second = random_mask((100_000,), 0.5, CPU), random_mask((100_000,), 0.5, CPU)
    assert abs((first == second).double().mean() - 0.5) < 0.01
    torch.manual_seed(5)
    assert torch.equal(first, random_mask((100_000,), 0.5, CPU))


def test_functions_of_torch_follow_the_draw():
    """vmap draws each of several, torch.compile needs no break of its graph, and a seed gives what it gives outside."""
    for randomness, alike in (("same", True), ("different", False)):
        first, second = torch.func.vmap(lambda each: each * random_mask((300,), 0.5, CPU), randomness=randomness)(
            torch.ones(2, 1)
        )
        assert torch.equal(first, second) == alike

    def drawn():
        torch.manual_seed(5)
        return random_mask((300,), 0.5, CPU)

    outside = drawn()
    torch.manual_seed(5)
    traced = torch.compile(lambda x: x * random_mask((300,), 0.5, CPU), backend="eager", fullgraph=True)
    assert torch.equal(traced(torch.ones(1)), outside.float())
