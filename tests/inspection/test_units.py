"""What units do, how gradients flow, and where the same state occurs: against courses that are known."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from readable import Runs
from torch import Tensor

from gatewise.errors import OptionError, ShapeError
from gatewise.inspection import flow, memory_curve
from gatewise.inspection.flow import gradient_flow
from gatewise.inspection.gates import GateMap, gate_maps
from gatewise.inspection.neighbours import States, store_states
from gatewise.inspection.units import kept_shares, saturation, unit_memory, unit_roles
from gatewise.kernels.dispatch import force, forced_kernel
from gatewise.nn import Recurrent
from gatewise.statistics import median_lag
from gatewise.training.kind import RecurrentInputs


def test_noise_and_slow_waves_have_no_role() -> None:
    time = np.arange(120)
    chance = np.random.default_rng(0)
    noise = chance.uniform(-1, 1, (120, 30))
    assert unit_roles(noise) == () and unit_roles(chance.normal(size=(120, 30))) == ()
    assert unit_roles(np.stack([np.sin(time / 9), 1e-3 * time], axis=1)) == ()
    flickering = np.where(time % 2, 0.9, -0.9)[:, None]
    assert unit_roles(flickering) == () and unit_roles(flickering[:15]) == ()
    with pytest.raises(OptionError, match=r"\(T, H\)"):
        unit_roles(time)


def test_saturation_counts_steps_and_units() -> None:
    values = np.array([[0.05, 0.95, 0.5], [0.05, 0.5, 0.95]], dtype=np.float32)
    order = np.arange(3)
    maps = [
        GateMap("recurrent", 0, "forward", "update", "gate", values, 0, 1, order),
        GateMap("recurrent", 0, "forward", "hidden", "state", values, -1, 1, order),
    ]
    (found,) = saturation(maps)
    assert (found.shut, found.open) == pytest.approx((1 / 3, 1 / 3))
    assert (found.always_shut, found.always_open) == pytest.approx((1 / 3, 0.0))


@pytest.mark.parametrize("options", [{"update": "keep"}, {"update": "replace"}])
def test_a_constant_gate_has_the_half_life_of_its_value(options: dict[str, str]) -> None:
    """Zero weights: every gate is sigmoid(bias), here 0.8 and 0.99 kept."""
    layers = Recurrent("gru", 2, 2, cell_options=options).eval()
    kept = torch.tensor([0.8, 0.99])
    bias = torch.logit(kept if options["update"] == "keep" else 1 - kept)
    with torch.no_grad():
        for parameter in layers.parameters():
            parameter.zero_()
        layers.bias_ih_l0[2:4] = bias
    given = RecurrentInputs(layers, torch.randn(20, 1, 2), None)
    maps = gate_maps({"recurrent": given})
    assert kept_shares(layers, 0, maps) == pytest.approx(np.tile(kept.numpy(), (20, 1)), abs=1e-6)
    (memory,) = unit_memory(given, maps)
    assert memory.half_lives == pytest.approx(np.log(2) / -np.log(kept.double().numpy()), rel=1e-4)
    plain = RecurrentInputs(Recurrent("rnn", 2, 2).eval(), torch.randn(5, 1, 2), None)
    assert unit_memory(plain, gate_maps({"r": plain}))[0].half_lives is None


def test_lags_of_long_sequences_are_those_of_their_last_steps() -> None:
    torch.manual_seed(2)
    layers = Recurrent("gru", 2, 3).eval()
    x = torch.randn(1300, 1, 2)
    both = [RecurrentInputs(layers, given, None) for given in (x, x[-1000:])]
    long, short = (unit_memory(given, gate_maps({"recurrent": given}))[0].gradient_lags for given in both)
    assert long is not None and short is not None and long.tolist() == short.tolist()


def test_units_lags_add_up_to_the_memory_curve() -> None:
    """A single unit's gradient lag is the median lag of the curve of a network that shows that unit alone."""
    torch.manual_seed(1)
    layers = Recurrent("lstm", 3, 4).eval()
    given = RecurrentInputs(layers, torch.randn(40, 1, 3), None)
    (memory,) = unit_memory(given, gate_maps({"recurrent": given}))
    whole = memory_curve(given, projections=None, lags=39)["trained"]["median_lag"]
    assert memory.gradient_lags is not None
    assert memory.gradient_lags.min() - 0.01 <= whole <= memory.gradient_lags.max() + 0.01
    x = given.inputs.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(layers(x)[0][-1, 0, 2], x)
    own = median_lag(gradient[:, 0].norm(dim=1).numpy()[::-1])
    assert memory.gradient_lags[2] == pytest.approx(own, rel=1e-4)
    assert memory.agreement is not None and -1 <= memory.agreement <= 1


def test_the_flow_is_the_gradient_of_the_states(runs: Runs) -> None:
    """By hand: the same GRU step by step, its states kept in the graph."""
    trained, dataset = runs("reviews")
    reader = trained.reader(dataset)
    given = reader.examples(1)[0]
    kept = {name: value.clone() for name, value in trained.model.state_dict().items()}
    flow = gradient_flow(reader, given)
    assert all(torch.equal(value, kept[name]) for name, value in trained.model.state_dict().items())
    assert flow.target == given.truth
    layers, x = trained.model.recurrent, reader.embed(given)
    states: list[Tensor] = []
    hidden = None
    for step in range(len(x)):
        _, hidden = layers(x[step : step + 1], hidden)
        hidden.retain_grad()
        states.append(hidden)
    output = torch.cat(states)
    from gatewise.kinds.classification.network import pool

    pooled = pool(output, torch.tensor([len(x)]), trained.model.pooling)
    target = reader.names.index(flow.target)
    (-trained.model.head(pooled).log_softmax(dim=1)[0, target]).backward()
    expected = [float(state.grad.norm()) for state in states if state.grad is not None]
    assert flow.after.layers[0].norms == pytest.approx(np.array(expected), rel=1e-4)
    total = np.sqrt(sum(float(p.grad.square().sum()) for p in trained.model.parameters() if p.grad is not None))
    assert flow.after.parameter_norm == pytest.approx(total, rel=1e-4)
    trained.model.zero_grad()
    assert flow.after.clipped(total / 4) == pytest.approx(0.25, rel=1e-3)
    assert (flow.before.layers[0].norms != flow.after.layers[0].norms).any()


def test_both_directions_flow_from_their_ends(runs: Runs) -> None:
    trained, dataset = runs("reviews, both directions")
    reader = trained.reader(dataset)
    given = reader.examples(1)[0]
    layers = gradient_flow(reader, given).after.layers
    assert [(each.layer, each.direction) for each in layers] == [
        (layer, direction) for layer in (0, 1) for direction in ("forward", "backward")
    ]
    assert all(len(each.norms) == len(given.steps) and each.norms.all() for each in layers)
    again = gradient_flow(reader, given)
    assert np.array_equal(again.before.layers[0].norms, gradient_flow(reader, given).before.layers[0].norms)


def test_other_threads_keep_their_kernel_during_a_flow(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    trained, dataset = runs("reviews")
    reader = trained.reader(dataset)
    usual, seen, honest = forced_kernel(), [], flow._flow

    def watched(*arguments: Any) -> flow.Flow:
        with ThreadPoolExecutor(1) as pool:
            seen.append((forced_kernel(), pool.submit(forced_kernel).result()))
        return honest(*arguments)

    monkeypatch.setattr(flow, "_flow", watched)
    gradient_flow(reader, reader.examples(1)[0])
    assert seen == [("reference", usual)] * 2 and forced_kernel() == usual
    with force("torch"), ThreadPoolExecutor(1) as pool:
        assert pool.submit(forced_kernel).result() == "torch"  # as before for all threads
        with force("reference", this_thread=True), force("torch"):
            assert (forced_kernel(), pool.submit(forced_kernel).result()) == ("reference", "torch")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["reviews, several labels", "series, recursive", "text", "tags", "parity", "pictures"])
def test_every_kind_has_a_flow(name: str, runs: Runs) -> None:
    trained, dataset = runs(name)
    reader = trained.reader(dataset)
    given = reader.examples(1)[0]
    flow = gradient_flow(reader, given)
    first = next(iter(reader.stacks(given).values())).recurrent
    assert len(flow.after.layers) >= first.num_layers * first.directions
    assert flow.after.parameter_norm > 0 and flow.after.layers[0].norms.max() > 0


def test_neighbours_are_the_nearest(runs: Runs) -> None:
    trained, dataset = runs("reviews")
    reader = trained.reader(dataset)
    examples = list(reader.examples(30))
    stored = store_states(reader, examples)
    state = stored.values[4]
    found = stored.nearest(state, count=6, without=0)
    distances = np.linalg.norm(stored.values - state, axis=1)
    distances[stored.examples == 0] = np.inf
    best = [distances[stored.examples == number].min() for number in range(1, 30)]
    assert [each.distance for each in found] == pytest.approx(sorted(best)[:6], rel=1e-4)
    assert all(
        distances[(stored.examples == each.example) & (stored.steps == each.step)][0] == pytest.approx(each.distance)
        for each in found
    )
    one = stored.nearest(state, units=[2], count=1, without=0)[0]
    others = stored.examples != 0
    assert one.distance == pytest.approx(np.abs(stored.values[others, 2] - state[2]).min(), abs=1e-6)
    few = store_states(reader, examples, limit=10)
    assert len(few.values) == 10 and few.left_out == len(stored.values) - 10
    with pytest.raises(OptionError, match="units from 0 to 5"):
        stored.nearest(state, units=[6])
    with pytest.raises(ShapeError, match="another width"):
        stored.nearest(state[:3])
    with pytest.raises(OptionError, match="nothing to store"):
        store_states(reader, [])
    with pytest.raises(OptionError, match="there is no"):
        store_states(reader, examples, place=("recurrent", 3, "forward"))
    assert isinstance(stored, States)
