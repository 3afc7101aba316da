"""Weights that processes of one machine hold together: here the processes are threads."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gatewise.errors import DivergenceError, TrainingError
from gatewise.training import TrainingSpec
from gatewise.training.layout import FIGURES, Layout
from gatewise.training.optimisation import Optimisation
from gatewise.training.phase import Rates
from gatewise.training.problem import StepLoss
from gatewise.training.shared_memory import Barrier, SharedMemory, shared_memory
from gatewise.training.shares import SharedWeights, can_share

STEPS = 4


def together(processes: int, act: Callable[[int], Any]) -> list[Any]:
    """What each of so many threads gives; their first error."""
    found: list[Any] = [None] * processes
    errors: list[BaseException] = []

    def run(rank: int) -> None:
        try:
            found[rank] = act(rank)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(processes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if errors:
        raise errors[0]
    return found


class Gathering:
    """Gathers bytes of threads, as `Team.gather` does of processes."""

    def __init__(self, processes: int) -> None:
        self._meeting, self._held = threading.Barrier(processes, timeout=30), [b""] * processes

    def __call__(self, rank: int, content: bytes) -> list[bytes]:
        self._held[rank] = content
        self._meeting.wait()
        every = list(self._held)
        self._meeting.wait()
        return every


def memories(processes: int, size: int) -> list[SharedMemory | None]:
    gather = Gathering(processes)
    return together(processes, lambda rank: shared_memory(rank, processes, size, partial(gather, rank), 30.0))


def test_nobody_goes_on_before_all_have_made_their_copies() -> None:
    """Of a checkpoint's average, restored by the first process, nothing may be written over by a later copy."""
    layout = Layout(list(nn.Linear(2, 3).parameters()), 2)
    held, copied = memories(2, layout.size), threading.Event()

    def run(rank: int) -> bool:
        memory = held[rank]
        assert memory is not None
        weights = SharedWeights(nn.Linear(2, 3), layout, memory.content, rank, memory.barrier.wait)
        if rank:
            time.sleep(0.1)
            copied.set()
        weights.copies()
        return copied.is_set()

    assert together(2, run) == [True, True]


# ----------------------------------------------------------------------------------------------- memory and barrier


@pytest.mark.parametrize("processes", [1, 2, 3, 5, 8])
def test_nobody_passes_a_barrier_before_all_have_come(processes: int) -> None:
    held, come = memories(processes, 64), [0] * processes

    def run(rank: int) -> list[int]:
        least = []
        for turn in range(20):
            come[rank] = turn + 1
            held[rank].barrier.wait()  # type: ignore[union-attr]
            least.append(min(come))
            held[rank].barrier.wait()  # type: ignore[union-attr]
        return least

    assert together(processes, run) == [list(range(1, 21))] * processes


def test_memory_is_one_and_zero_at_first_and_has_no_name() -> None:
    first, second = memories(2, 4096)
    assert first is not None and second is not None
    assert len(first.content) == 4096 and not any(first.content)
    first.content[7] = 9
    assert second.content[7] == 9
    lines = [line for line in Path("/proc/self/maps").read_text().splitlines() if "memfd:gatewise" in line]
    assert len(lines) >= 2 and all(line.split()[5] == "/memfd:gatewise" and "(deleted)" in line for line in lines)


@pytest.mark.parametrize("processes", [2, 3, 4])
def test_who_leaves_is_noticed(processes: int) -> None:
    held = memories(processes, 64)

    def run(rank: int) -> None:
        barrier = held[rank].barrier  # type: ignore[union-attr]
        barrier.wait()
        if rank == 1:
            barrier.close()
            return
        try:
            with pytest.raises(ConnectionError):
                barrier.wait()
        finally:
            barrier.close()

    together(processes, run)


def test_who_is_silent_for_too_long_counts_as_ended() -> None:
    first, second = Barrier(0, 2, 0.05), Barrier(1, 2, 0.05)
    for each in (first, second):
        each.connect([first.ends, second.ends])
    for each in (first, second):
        each.begin()
    with pytest.raises(ConnectionError, match="silent"):
        first.wait()
    second.wait()  # the first one had come
    for each in (first, second):
        each.close()


@pytest.mark.parametrize("what", ["memfd_create", "open", "pipe"])
def test_where_one_cannot_have_it_nobody_has(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original, failing = getattr(os, what), threading.local()

    def refused(*given: Any) -> Any:
        if getattr(failing, "here", False):
            raise PermissionError("not here")
        return original(*given)

    monkeypatch.setattr(os, what, refused)
    gather, before = Gathering(2), len(list(Path("/proc/self/fd").iterdir()))

    def run(rank: int) -> SharedMemory | None:
        failing.here = rank == (0 if what == "memfd_create" else 1)
        return shared_memory(rank, 2, 64, partial(gather, rank), 30.0)

    assert together(2, run) == [None, None]
    assert len(list(Path("/proc/self/fd").iterdir())) == before


# --------------------------------------------------------------------------------------------- the update of weights


class Network(nn.Module):
    """Two tables, one read by rows and one used as a whole, and weights that only some processes have gradients of."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.read = nn.Embedding(2700, 100, padding_idx=0)
        self.tied = nn.Embedding(2651, 100)
        self.odd = nn.Parameter(torch.randn(7, 3, 5))
        self.bias = nn.Parameter(torch.randn(11))
        self.seldom = nn.Parameter(torch.randn(13))
        self.never = nn.Parameter(torch.randn(2))

    def loss(self, rank: int, step: int) -> Tensor:
        chance = torch.Generator().manual_seed(10 * step + rank)
        words = torch.randint(0, 2700, (40,), generator=chance)
        others = torch.randint(0, 2651, (9,), generator=chance)
        wish = torch.randn(9, 2651, generator=chance)
        loss = (self.read(words).sin() * torch.randn(40, 100, generator=chance)).mean()
        loss = loss + ((self.tied(others) @ self.tied.weight.T - wish) ** 2).mean() * 0.01
        loss = loss + (self.odd * torch.randn(7, 3, 5, generator=chance)).mean() + (self.bias**2).mean() * (rank + 1)
        if rank == 1 and step % 2:
            loss = loss + (self.seldom**3).mean()
        return loss


def alone(spec: TrainingSpec, processes: int, steps: int = STEPS, rates: Rates | None = None) -> Optimisation:
    """One process that trains on what several would."""
    model = Network()
    optimisation = Optimisation(model, spec, 10, rates)
    for step in range(steps):
        losses = [model.loss(rank, step) for rank in range(processes)]
        weights = [2.0 + rank for rank in range(processes)]
        loss = sum(each * weight for each, weight in zip(losses, weights, strict=True)) / sum(weights)
        optimisation.step(StepLoss(loss, loss, 1), f"step {step}")
        optimisation.observe([1.0, *[2.0] * 6] if step == 1 else [])
    return optimisation


def shared(
    spec: TrainingSpec,
    processes: int,
    state: tuple[dict[str, Tensor], int] | None = None,
    until: int = STEPS,
    rates: Rates | None = None,
) -> list[Optimisation]:
    """Several threads that train together, from a checkpoint or the beginning."""
    models = [Network() for _ in range(processes)]
    with torch.no_grad():
        for model in models[1:]:
            model.bias += 1  # the first one's weights count
    layout = Layout(list(models[0].parameters()), processes)
    held = memories(processes, layout.size)

    def run(rank: int) -> Optimisation:
        memory, model = held[rank], models[rank]
        assert memory is not None
        weights = SharedWeights(model, layout, memory.content, rank, memory.barrier.wait)
        optimisation = Optimisation(model, spec, 10, rates, weights)
        if state is not None:
            optimisation.load_state(*state)
        for step in range(optimisation.done, until):
            weights.forget()
            loss, weight = model.loss(rank, step), 2.0 + rank
            (loss * weight).backward()
            total, value = weights.summed([weight, float(loss.detach()) * weight])
            mean = torch.tensor(value / total)
            optimisation.step(StepLoss(mean, mean, 1), f"step {step}")
            optimisation.observe([1.0, *[2.0] * 6] if step == 1 else [])
        weights.leave()
        memory.barrier.wait()
        return optimisation

    return together(processes, run)


SPECS = {
    "adam": {},
    "clipped": {"clip_norm": 1e-3},
    "free": {"clip_norm": 1e9},
    "decay": {"weight_decay": 0.01},
    "averaging": {"averaging": 0.9},
    "sgd": {"optimizer": "sgd", "learning_rate": 0.5},
    "nt-asgd": {"optimizer": "nt-asgd", "learning_rate": 0.5},
}


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize("name", SPECS)
def test_the_same_update_as_one_process(name: str, processes: int) -> None:
    spec = TrainingSpec(**{"schedule": "linear", **SPECS[name]})
    one, several = alone(spec, processes), shared(spec, processes)
    expected = one.state()
    for each in several:
        state = each.state()
        assert state.keys() == expected.keys()
        for key, value in expected.items():
            assert state[key].shape == value.shape and state[key].dtype == value.dtype, key
            assert torch.allclose(state[key], value, rtol=1e-5, atol=1e-6), key
    kept = [each.weights_to_keep() for each in several]
    assert all(torch.equal(one[key], kept[0][key]) for one in kept for key in one)
    assert not torch.equal(kept[0]["odd"], Network().odd) and torch.equal(kept[0]["never"], Network().never)
    assert not any(module.sparse for each in several for module in (each.model.read, each.model.tied))


@pytest.mark.parametrize("name", ["adam", "averaging", "nt-asgd"])
def test_continued_from_a_checkpoint_to_the_same_bits(name: str) -> None:
    """Checkpoints of one process and of several are alike."""
    spec = TrainingSpec(**{"schedule": "linear", **SPECS[name]})
    whole = shared(spec, 2)[0].state()
    half = shared(spec, 2, until=2)[0]
    state = {key: value.clone() for key, value in half.state().items()}
    rest = shared(spec, 2, (state, 2))
    for each in rest:
        assert all(torch.equal(each.state()[key], value) for key, value in whole.items())
    taken = alone(spec, 2, steps=0)
    taken.load_state(state, 2)
    assert all(torch.equal(taken.state()[key], value) for key, value in state.items())
    by_one = alone(spec, 2, steps=2).state()
    other = shared(spec, 2, (by_one, 2))[0].state()
    assert all(torch.allclose(other[key], value, rtol=1e-5, atol=1e-6) for key, value in whole.items())


def test_rates_of_layers_are_those_of_one_process() -> None:
    names = [name for name, _ in Network().named_parameters()]
    rates = SimpleNamespace(layers=[names[:2], names[2:]], factors=lambda epochs: [0.1, 1.0])
    spec = TrainingSpec(schedule="constant")
    expected = alone(spec, 2, rates=rates).state()
    found = shared(spec, 2, rates=rates)[1].state()
    assert all(torch.allclose(found[key], value, rtol=1e-5, atol=1e-6) for key, value in expected.items())


def test_tiny_gradients_of_rows_count() -> None:
    """No square of them is above 0; the table's gradient comes whole here."""
    weights = [nn.Parameter(torch.zeros(3000, 100)) for _ in range(2)]
    layout = Layout([weights[0]], 2)
    held = memories(2, layout.size)

    def run(rank: int) -> tuple[Tensor, float]:
        model, memory = nn.Module(), held[rank]
        assert memory is not None
        model.table = weights[rank]
        shares = SharedWeights(model, layout, memory.content, rank, memory.barrier.wait)
        (model.table[[5, 2000 + rank]] * 1e-30 * (rank + 1)).sum().backward()
        shares.summed([4.0])
        assert shares.clip(1.0) == 0
        (piece,) = shares.pieces("table")
        assert piece.grad is not None
        return piece.grad.view(1500, 100)

    expected = torch.zeros(3000, 100)
    expected[5], expected[2000], expected[2001] = 3e-30 / 8, 1e-30 / 8, 2e-30 / 8
    assert torch.allclose(torch.cat(together(2, run)) * 1e30, expected * 1e30)


def test_a_gradient_that_is_not_finite_ends_all_and_leaves_the_weights() -> None:
    models, before = [Network(), Network()], Network()
    layout = Layout(list(models[0].parameters()), 2)
    held = memories(2, layout.size)

    def run(rank: int) -> bool:
        memory, model = held[rank], models[rank]
        assert memory is not None
        weights = SharedWeights(model, layout, memory.content, rank, memory.barrier.wait)
        optimisation = Optimisation(model, TrainingSpec(), 10, None, weights)
        loss = model.loss(rank, 0)
        (loss * (torch.nan if rank else 1)).backward()
        weights.summed([1.0])
        with pytest.raises(DivergenceError, match="norm became nan"):
            optimisation.step(StepLoss(torch.tensor(1.0), torch.tensor(1.0), 1), "step 1")
        return all(torch.equal(one, two) for one, two in zip(model.parameters(), before.parameters(), strict=True))

    assert together(2, run) == [True, True]


def test_what_cannot_be_shared() -> None:
    tied = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    tied[1].weight.data = tied[0].weight.data
    assert can_share(Network()) and not can_share(tied) and not can_share(Network().double())
    (memory,) = memories(1, Layout([torch.zeros(2, 2), torch.zeros(2)], 1).size)
    assert memory is not None
    model = nn.Linear(2, 2)
    weights = SharedWeights(model, Layout(list(model.parameters()), 1), memory.content, 0, memory.barrier.wait)
    with pytest.raises(TrainingError, match=f"{FIGURES} figures at most; got: {FIGURES + 1}"):
        weights.summed([1.0] * (FIGURES + 1))
