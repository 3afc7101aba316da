"""The CRF is the sum over all sequences: brute force, pytorch-crf, gradcheck, ragged = trimmed, batch = its rows."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from gatewise.errors import ShapeError
from gatewise.kinds.tagging.chains import Logarithms, Scaled, chain
from gatewise.kinds.tagging.crf import ConditionalRandomField, log_partition, marginals, path_score, viterbi
from gatewise.kinds.tagging.schemes import allowed_moves, scheme_tags

CHAINS = (Scaled, Logarithms)


def problem(
    steps: int, batch: int, count: int, seed: int = 0, size: float = 1.0, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Emissions with NaN past each row's end, weights, and lengths of which one is T and one is 1."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64).to(dtype) * size

    lengths = torch.randint(1, steps + 1, (batch,), generator=generator)
    lengths[0] = steps
    lengths[-1] = 1 if batch > 1 else steps
    emissions = draw(steps, batch, count)
    emissions[torch.arange(steps)[:, None] >= lengths] = torch.nan
    return emissions, draw(count, count), draw(count), draw(count), lengths


def paths(case: tuple[Tensor, ...], row: int) -> dict[tuple[int, ...], float]:
    """Every sequence of one row with its score, by the definition."""
    emissions, moves, start, end, lengths = case
    scores = {}
    for path in itertools.product(range(emissions.shape[2]), repeat=int(lengths[row])):
        score = float(start[path[0]] + end[path[-1]])
        score += sum(float(emissions[at, row, tag]) for at, tag in enumerate(path))
        scores[path] = score + sum(float(moves[a, b]) for a, b in itertools.pairwise(path))
    return scores


@pytest.mark.parametrize("kind", CHAINS)
@pytest.mark.parametrize(("steps", "batch", "count"), [(1, 1, 3), (4, 3, 3), (6, 2, 2), (3, 4, 5), (5, 2, 1)])
def test_sums_and_marginals_are_those_of_all_sequences(kind: Any, steps: int, batch: int, count: int) -> None:
    case = problem(steps, batch, count, seed=steps)
    run = kind(*case)
    weights = torch.arange(1.0, batch + 1, dtype=torch.float64)
    tags, moves, first, last = run.expectations(weights)
    expected = [torch.zeros_like(each) for each in (tags, moves, first, last)]
    for row in range(batch):
        scores = paths(case, row)
        values = torch.tensor(list(scores.values()), dtype=torch.float64)
        whole = values.logsumexp(dim=0)
        torch.testing.assert_close(run.log_partition[row], whole, rtol=1e-12, atol=1e-12)
        for path, share in zip(scores, ((values - whole).exp() * weights[row]).tolist(), strict=True):
            for at, tag in enumerate(path):
                expected[0][at, row, tag] += share
            for a, b in itertools.pairwise(path):
                expected[1][a, b] += share
            expected[2][path[0]] += share
            expected[3][path[-1]] += share
    for ours, right in zip((tags, moves, first, last), expected, strict=True):
        torch.testing.assert_close(ours, right, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize(("steps", "batch", "count"), [(1, 1, 3), (4, 3, 3), (6, 2, 2), (3, 4, 5)])
def test_the_best_sequence_is_the_best_of_all(steps: int, batch: int, count: int) -> None:
    case = problem(steps, batch, count, seed=10 + steps)
    tags, scores = viterbi(*case)
    for row in range(batch):
        every, length = paths(case, row), int(case[4][row])
        best = max(every, key=lambda path: every[path])
        assert tuple(tags[:length, row].tolist()) == best and not tags[length:, row].any()
        assert float(scores[row]) == pytest.approx(every[best], abs=1e-12)
    emissions, *weights, lengths = case
    torch.testing.assert_close(path_score(emissions, tags, *weights, lengths), scores)


def test_gradients_are_derivatives() -> None:
    emissions, *weights, lengths = problem(5, 3, 4)
    leaves = [each.requires_grad_() for each in (emissions.nan_to_num(0.3), *weights)]
    assert torch.autograd.gradcheck(lambda *values: log_partition(*values, lengths), leaves)
    tags = torch.randint(4, (5, 3))

    def likelihood(*values: Tensor) -> Tensor:
        return log_partition(*values, lengths) - path_score(values[0], tags, *values[1:], lengths)

    assert torch.autograd.gradcheck(likelihood, leaves)
    assert torch.autograd.gradcheck(lambda *values: log_partition(*[each * 200 for each in values], lengths), leaves)


@pytest.mark.parametrize("masked", [False, True])
def test_the_module_agrees_with_pytorch_crf(masked: bool) -> None:
    torchcrf = pytest.importorskip("torchcrf")
    names = scheme_tags(["X", "Y"], "iob2")
    field = ConditionalRandomField(len(names), *(allowed_moves(names, "iob2") if masked else ())).double()
    other = torchcrf.CRF(len(names)).double()
    with torch.no_grad():
        for weight in field.parameters():
            weight.normal_()
        transitions, start, end = (each.clamp_min(-1e4) for each in field.weights())
        other.transitions.copy_(transitions)
        other.start_transitions.copy_(start)
        other.end_transitions.copy_(end)
    emissions, _, _, _, lengths = problem(9, 6, len(names), seed=3)
    emissions = emissions.nan_to_num(0.0)
    mask = torch.arange(9)[:, None] < lengths
    tags = field.decode(emissions, lengths)
    assert other.decode(emissions, mask) == [tags[:n, row].tolist() for row, n in enumerate(lengths.tolist())]
    ours, theirs = emissions.clone().requires_grad_(), emissions.clone().requires_grad_()
    loss = field(ours, tags, lengths)
    torch.testing.assert_close(loss, -other(theirs, tags, mask, reduction="none"))
    loss.sum().backward()
    (-other(theirs, tags, mask, reduction="sum")).backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
    allowed = field.weights()[0] > -torch.inf
    torch.testing.assert_close(
        field.transitions.grad, other.transitions.grad.where(allowed, torch.tensor(0.0).double())
    )
    torch.testing.assert_close(field.start.grad[allowed[0]], other.start_transitions.grad[allowed[0]])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("steps", "size"), [(40, 0.1), (40, 3.0), (1_000, 1.0), (1_000, 6.0), (60, 40.0), (60, 1e4)])
def test_long_and_extreme_rows_are_safe(dtype: torch.dtype, steps: int, size: float) -> None:
    case = problem(steps, 3, 5, seed=steps, size=size, dtype=dtype)
    wide = Logarithms(*[each.double() for each in case[:4]], case[4])
    run = chain(*case)
    tolerance = 2e-6 if dtype == torch.float32 else 1e-11
    torch.testing.assert_close(run.log_partition.double(), wide.log_partition, rtol=tolerance, atol=1e-6)
    ones = torch.ones(3, dtype=dtype)
    for ours, right in zip(run.expectations(ones), wide.expectations(ones), strict=True):
        torch.testing.assert_close(ours.double(), right, rtol=tolerance * 20, atol=tolerance * 20)
    _, scores = viterbi(*case)
    assert (scores <= run.log_partition * (1 + 1e-6) + 1e-3).all()


def test_paths_that_scaling_would_lose_are_found() -> None:
    # the first word wants tag 1 by e^60, the second tag 0 by e^60, and the move from 1 to 0 is forbidden
    emissions = torch.tensor([[[0.0, 60.0]], [[60.0, 0.0]], [[0.0, 0.0]]])
    moves = torch.tensor([[0.0, -80.0], [-torch.inf, 0.0]])
    case = (emissions, moves, torch.zeros(2), torch.zeros(2), torch.tensor([3]))
    run = chain(*case)
    expected = torch.tensor([*paths(case, 0).values()], dtype=torch.float64).logsumexp(dim=0)
    torch.testing.assert_close(run.log_partition[0].double(), expected, rtol=1e-6, atol=0)
    assert isinstance(run, Logarithms) and isinstance(chain(*problem(9, 3, 4, dtype=torch.float32)), Scaled)


def test_a_batch_is_its_rows_and_padding_is_never_read() -> None:
    emissions, *weights, lengths = problem(8, 5, 4, dtype=torch.float32)
    together = log_partition(emissions, *weights, lengths)
    shares, (tags, _) = marginals(emissions, *weights, lengths), viterbi(emissions, *weights, lengths)
    for row, length in enumerate(lengths.tolist()):
        alone = (emissions[:length, row : row + 1], *weights, lengths[row : row + 1])
        torch.testing.assert_close(log_partition(*alone), together[row : row + 1])
        torch.testing.assert_close(marginals(*alone)[:, 0], shares[:length, row])
        assert torch.equal(viterbi(*alone)[0][:, 0], tags[:length, row])
        torch.testing.assert_close(shares[:length, row].sum(dim=1), torch.ones(length))
    assert not shares[lengths.argmin() + 0].isnan().any() and not tags[1:, -1].any()
    leaf = emissions.clone().requires_grad_()
    log_partition(leaf, *weights, lengths).sum().backward()
    assert leaf.grad is not None and leaf.grad.isfinite().all()
    assert not leaf.grad[torch.arange(8)[:, None] >= lengths].any()


@pytest.mark.parametrize("scheme", ["iob2", "iobes"])
def test_answers_keep_to_the_scheme(scheme: str) -> None:
    names = scheme_tags(["X", "Y"], scheme)
    moves, starts, ends = allowed_moves(names, scheme)
    field = ConditionalRandomField(len(names), moves, starts, ends)
    emissions, _, _, _, lengths = problem(12, 40, len(names), size=5, dtype=torch.float32)
    tags = field.decode(emissions, lengths)
    for row, length in enumerate(lengths.tolist()):
        path = tags[:length, row].tolist()
        assert starts[path[0]] and ends[path[-1]] and all(moves[a, b] for a, b in itertools.pairwise(path))
    loss = field(emissions, tags, lengths)
    loss.sum().backward()
    assert (loss > 0).all() and all(each.grad is not None and each.grad.isfinite().all() for each in field.parameters())
    assert field.transitions.grad is not None and not field.transitions.grad[~torch.as_tensor(moves)].any()
    shares = field.marginals(emissions, lengths)
    assert not shares[0][:, ~torch.as_tensor(starts)].any()
    assert set(field.state_dict()) == {"transitions", "start", "end"}


def test_emissions_of_half_precision_are_widened() -> None:
    emissions, _, _, _, lengths = problem(6, 3, 4, dtype=torch.bfloat16)
    field = ConditionalRandomField(4)
    tags = field.decode(emissions, lengths)
    assert torch.equal(tags, field.decode(emissions.float(), lengths))
    assert torch.equal(field(emissions, tags, lengths), field(emissions.float(), tags, lengths))
    assert field.marginals(emissions, lengths).dtype == torch.float32


def test_inputs_that_do_not_fit_are_refused() -> None:
    field = ConditionalRandomField(3)
    with pytest.raises(ShapeError, match="does not fit"):
        field.decode(torch.zeros(2, 1, 4), torch.tensor([1]))
    with pytest.raises(ShapeError, match="does not fit"):
        field.decode(torch.zeros(0, 1, 3), torch.tensor([1]))
    with pytest.raises(ShapeError, match="another shape"):
        ConditionalRandomField(3, moves=torch.ones(2, 2).numpy())


@pytest.mark.parametrize("number", range(4))
def test_a_second_derivative_is_refused_also_past_log_z(number: int) -> None:
    """Where emissions or weights also reach the loss by another way, half of it would be a wrong number."""
    *given, lengths = problem(4, 1, 3)
    leaves = [each.requires_grad_() for each in given]
    loss = log_partition(*leaves, lengths).sum() + torch.stack([each.pow(3).sum() for each in leaves]).sum()
    plain = torch.autograd.grad(loss, leaves, retain_graph=True)
    first = torch.autograd.grad(loss, leaves, create_graph=True)
    assert all(map(torch.equal, plain, first))
    with pytest.raises(RuntimeError, match="log Z has no second derivative"):
        torch.autograd.grad(first[0].sum(), leaves[number])
