"""What a reader says is what the network answers, at every step and of every kind."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from readable import EVERYDAY, RUNS, Runs

from gatewise.data.subwords import END
from gatewise.errors import DataError, OptionError, RunError
from gatewise.inspection.equation import equation
from gatewise.inspection.gates import gate_maps, similar_order
from gatewise.inspection.reading import read, unit_orders
from gatewise.kinds.forecasting.series.records import Windows
from gatewise.kinds.translation.encoding import encode_sources
from gatewise.nn import Recurrent
from gatewise.training.kind import RecurrentInputs, Trained
from gatewise.training.prefixes import prefix_summaries

EACH = [pytest.param(name, marks=() if name in EVERYDAY else pytest.mark.slow) for name in RUNS]


def own_answer(name: str, trained: Any, dataset: Any, reader: Any, read: Any, number: int) -> np.ndarray:
    """What the network itself predicts, by the way that `predict` takes."""
    task = RUNS[name][0]
    if task == "classification":
        return trained.predict_proba([read.text])[0]
    if task == "forecasting":
        windows, shown = dataset.windows("test"), 3
        place = (2 * number + 1) * len(windows.origins) // (2 * shown)
        values, _ = trained._values(dataset.series, Windows(windows.series[[place]], windows.origins[[place]]))
        chosen = values[0][[step - 1 for step in reader.horizons]].T.ravel()
        return chosen[: len(reader.names)]
    if task == "language-modelling":
        likely = dict(trained.next_tokens(read.text, len(reader.names)))
        return np.array([likely[token] for token in reader.names])
    if task == "tagging":
        chances = trained.model.probabilities(read.extra["batch"])[read.place, 0].double().numpy()
        assert trained.tag_set.inside == "iobes" and reader.names == ("O", "B-LOC", "I-LOC"), "as the file has them"
        return np.array([chances[0], chances[1] + chances[4], chances[2] + chances[3]])
    if task in ("translation", "captioning"):
        return own_word(trained, read)
    with torch.no_grad():
        found = trained.model(reader.embed(read))[-1]
    return reader.shares(found)[0]


def own_word(trained: Any, read: Any) -> np.ndarray:
    """The distribution of a written word, by the decoder that the search uses, one word after the other."""
    taken: list[torch.Tensor] = []
    step = trained.model.step

    def forced(tokens: Any, state: Any) -> Any:
        scores, state = step(tokens, state)
        taken.append(scores[0].exp())
        goal = read.extra["target"][len(taken) - 1] if len(taken) <= len(read.written) else END
        return torch.full_like(scores, -1e9).index_fill(1, torch.tensor([int(goal)]), 0.0), state

    trained.model.step = forced
    try:
        if read.picture is not None:
            trained.model.caption(torch.from_numpy(read.encoded)[None], 40)
        else:
            source = encode_sources([read.text], trained.source_subwords).batch([0])
            lengths = torch.from_numpy(source.lengths)
            trained.model.translate(torch.from_numpy(source.values), lengths, torch.tensor([40]))
    finally:
        del trained.model.step
    return taken[read.place].double().numpy()


@pytest.mark.parametrize("name", EACH)
def test_the_last_step_is_the_networks_own_answer(name: str, runs: Runs) -> None:
    trained, dataset = runs(name)
    reader = trained.reader(dataset)
    examples = reader.examples(3)
    assert len(examples) == 3
    for number, each in enumerate(examples):
        reading = read(reader, each, trained=trained)
        after = reader.prefixes(each)
        own = own_answer(name, trained, dataset, reader, each, number)
        last = after[each.answer_step]
        assert last == pytest.approx(own, abs=1e-5 * max(1.0, float(np.abs(own).max())))
        with torch.no_grad():
            again = reader.shares(reader.answer(each, reader.embed(each))[0])
        assert again == pytest.approx(own, abs=1e-5 * max(1.0, float(np.abs(own).max())))
        assert len(after) == len(each.steps) and len(reading.names) == reading.after.shape[1]
        assert np.ptp(after) > 0 and reading.kind == RUNS[name][0]
        assert len(reader.baseline(each)) == len(reader.embed(each)) == len(each.steps)
        for gate in reading.gates:
            assert sorted(gate.order) == list(range(gate.values.shape[1]))
            if gate.stride == 1:
                assert len(gate.values) == len(each.steps)


@pytest.mark.parametrize("name", ["reviews", "reviews, both directions"])
def test_every_step_is_the_answer_to_the_beginning(name: str, runs: Runs) -> None:
    trained, _ = runs(name)
    reader = trained.reader()
    given = reader.parse("a wonderful film but the plot was dreadful and the music hollow")
    after = reader.prefixes(given)
    for step, place in enumerate(given.steps):
        assert given.text is not None
        own = trained.predict_proba([given.text[: place.end]])[0]
        assert after[step] == pytest.approx(own, abs=1e-5)
    assert reader.turned(given, np.array([[0.6, 0.4], [0.4, 0.6], [0.3, 0.7], [0.9, 0.1]]), 0) == (1, 3)


@pytest.mark.slow
def test_a_forecast_is_made_at_every_step_as_if_the_window_ended_there(runs: Runs) -> None:
    """With no normalisation, filling up with the first value is a window like any other."""
    trained, dataset = runs("series")
    reader = trained.reader(dataset)
    given = reader.examples(1)[0]
    after = reader.prefixes(given)
    rows = np.asarray(given.values)
    for step in (0, 5, 11):
        filled = np.concatenate([np.repeat(rows[:1], 11 - step, axis=0), rows[: step + 1]])
        again = reader.prefixes(reader.parse(filled))[-1]
        assert after[step] == pytest.approx(again, rel=1e-5)


def test_tokens_stand_where_the_text_has_them(runs: Runs) -> None:
    trained, _ = runs("reviews")
    reader = trained.reader()
    text = "A WONDERFUL film!!<br />Über 😀 زائد <script>alert(1)</script> film"
    given = reader.parse(text)
    labels = [step.label for step in given.steps]
    assert labels == ["A", "WONDERFUL", "film", "!!", "Über", "😀", "زائد", "alert", "(", "1", ")", "film"]
    assert all(text[step.start : step.end] == step.label for step in given.steps)
    assert given.encoded.tolist() == trained.vocabulary.encode([text], 400).row(0).tolist()
    assert not given.steps[4].known and "not known" in given.notes[-1]
    empty = reader.parse(" \n ")
    assert len(empty.steps) == 1 and reader.prefixes(empty).shape == (1, 2)
    long = reader.parse("film " * 10_000)
    assert len(long.steps) == trained.max_tokens and "its middle is not read" in long.notes[0]
    for wrong in (3, None, ["a"]):
        with pytest.raises(DataError, match="reads a text"):
            reader.parse(wrong)
    with pytest.raises(DataError, match=r"no answer 'happy'; expected: glad, sad"):
        read(reader, given, target="happy")
    assert read(reader, given, target="sad").target == 1


@pytest.mark.slow
def test_other_inputs_are_refused_with_what_would_fit(runs: Runs, tmp_path: Any) -> None:
    reader = runs("series")[0].reader()
    with pytest.raises(DataError, match=r"\(T, 3\) finite numbers: a, b, wind"):
        reader.parse(np.zeros((20, 2)))
    with pytest.raises(DataError, match="at least 12 rows"):
        reader.parse(np.zeros((11, 3)))
    with pytest.raises(DataError, match="does not exist"):
        reader.parse(str(tmp_path / "none.csv"))
    file = reader.parse(str(runs.folder / "series.csv"))
    assert file.steps[-1].label == "2021-05-20" and len(file.steps) == 12
    assert reader.parse(np.asarray(file.values)).encoded.shape == (12, 3)
    parity = runs("parity")[0].reader()
    assert [step.label for step in parity.parse("0110").steps] == list("0110")
    with pytest.raises(DataError, match="symbols of 01"):
        parity.parse("012")
    adding = runs("adding")[0].reader()
    assert adding.parse("0.3 0.5* 0.1*").encoded.tolist() == pytest.approx(np.array([[0.3, 0], [0.5, 1], [0.1, 1]]))
    for wrong in ("a b", "", np.zeros((3, 3)), "nan"):
        with pytest.raises(DataError, match="a star marks two"):
            adding.parse(wrong)
    with pytest.raises(DataError, match="has no word"):
        runs("tags")[0].reader().parse("  ")


def test_a_word_of_a_sentence_can_be_chosen(runs: Runs) -> None:
    trained, dataset = runs("tags")
    reader = trained.reader(dataset)
    given = reader.parse("she went to Oslo .")
    moved = replace(given, place=1)
    first, second = (read(reader, each, target="O").final for each in (given, moved))
    inside = trained.model.probabilities(given.extra["batch"])[:, 0].double().numpy()
    chances = np.stack([inside[:, 0], inside[:, 1] + inside[:, 4], inside[:, 2] + inside[:, 3]], axis=1)
    assert first == pytest.approx(chances[given.place], abs=1e-6)
    assert second == pytest.approx(chances[1], abs=1e-6)


def test_a_decoder_begins_in_the_state_that_the_encoder_leaves(runs: Runs) -> None:
    """Its gates and states are those of the forecast itself, from the first step on."""
    trained, dataset = runs("series, everything")
    reader = trained.reader(dataset)
    given = reader.examples(1)[0]
    outputs: list[torch.Tensor] = []
    hook = trained.model.decoder.register_forward_hook(lambda module, given, found: outputs.append(found[0]))
    with torch.no_grad():
        trained.model(given.extra["past"], given.extra["ahead"])
    hook.remove()
    maps = [each for each in read(reader, given).gates if each.stack == "decoder"]
    hidden = next(each for each in maps if each.name == "hidden")
    assert hidden.values == pytest.approx(outputs[0][:, 0].numpy(), abs=1e-6)
    assert hidden.before is not None and np.abs(hidden.before).max() > 1e-3
    # and the equation of the first step has the state before it
    lines = equation(reader.stacks(given)["decoder"], maps, 0, "forward", 0, 2)
    assert f"{hidden.before[2]:.2f}" in lines[-1] and abs(hidden.before[2]) > 0.005


def test_a_kind_that_says_nothing_is_refused() -> None:
    class Silent(Trained):
        spec: Any = type("Spec", (), {"task": "weighing"})()
        test = predictor = stacks = lambda *_: None  # type: ignore[assignment]

    with pytest.raises(RunError, match="weighing cannot be explained"):
        Silent().reader()  # type: ignore[abstract]


CELLS = [
    ("rnn", {}),
    ("rnn", {"cell_options": {"nonlinearity": "relu"}, "num_layers": 2, "residual": True}),
    ("lstm", {"num_layers": 2, "bidirectional": True, "learned_initial_state": True}),
    ("lstm", {"cell_options": {"coupled": True, "proj_size": 3}}),
    ("lstm", {"cell_options": {"peephole": True}}),
    ("lstm", {"layer_norm": True}),
    ("gru", {"bidirectional": True}),
    ("gru", {"cell_options": {"reset": "before", "update": "replace"}, "zoneout": 0.2}),
    ("mingru", {"num_layers": 2}),
    ("minlstm", {"bidirectional": True}),
]


@pytest.mark.parametrize(("cell", "options"), CELLS)
def test_gates_are_those_of_the_trace(cell: str, options: dict[str, Any]) -> None:
    """All steps at once, from the kernels' states, as one after the other by the reference."""
    torch.manual_seed(3)
    layers = Recurrent(cell, 4, 5 if not options.get("residual") else 4, **options).eval()
    if options.get("learned_initial_state"):
        with torch.no_grad():
            for name, parameter in layers.named_parameters():
                if name.startswith("initial"):
                    parameter.normal_()
    x = torch.randn(17, 1, 4)
    trace = layers.trace(x)
    maps = gate_maps({"recurrent": RecurrentInputs(layers, x, None)})
    assert {(each.layer, each.direction) for each in maps} == {(d.layer, d.direction) for d in trace.directions}
    for each in maps:
        expected = trace[each.layer, each.direction][each.name][:, 0].detach().numpy()
        assert np.abs(each.values - expected).max() < 1e-5, each.name


@pytest.mark.parametrize(("cell", "options"), [case for case in CELLS if "layer_norm" not in case[1]])
def test_an_equation_comes_out_right(cell: str, options: dict[str, Any]) -> None:
    """The numbers of each line, put in, give its result: to the two digits that are shown."""
    torch.manual_seed(4)
    layers = Recurrent(cell, 4, 5 if not options.get("residual") else 4, **options).eval()
    given = RecurrentInputs(layers, torch.randn(6, 1, 4), None)
    maps = gate_maps({"recurrent": given})
    directions = ("forward", "backward") if options.get("bidirectional") else ("forward",)
    for direction in directions:
        for step in (0, 3, 5):
            lines = equation(given, maps, layers.num_layers - 1, direction, step, 1)
            assert len(lines) >= 1 + (cell != "rnn")
            for line in lines:
                _check_line(line, zoned=bool(options.get("zoneout")))


def _check_line(line: str, *, zoned: bool) -> None:
    if "kept (zoneout)" in line or "projection" in line or "divided by their sum" in line:
        return
    left, _, right = line.partition("   (g")[0].rpartition(" = ")
    call = left.split(" = ")[-1]
    if "r *" in call or "r * the state" in call or "1 - f" in call or (zoned and line.startswith("hidden")):
        return
    code = re.sub(r" from the (input|state|cell)| from r \* the state", "", call)
    names = {
        "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
        "tanh": np.tanh,
        "max": max,
        "g": lambda x: x + 0.5 if x >= 0 else 1 / (1 + np.exp(-x)),
    }
    assert eval(code, {"__builtins__": {}}, names) == pytest.approx(float(right), abs=0.03), line


def test_an_equation_of_ones_own_cell_names_its_gates(runs: Runs) -> None:
    given = RecurrentInputs(Recurrent("gru", 2, 3, layer_norm=True).eval(), torch.randn(5, 1, 2), None)
    maps = gate_maps({"recurrent": given})
    lines = equation(given, maps, 0, "forward", 2, 1)
    assert [line.split()[0] for line in lines] == ["reset", "update", "candidate", "hidden"]
    for wrong in ((1, "forward", 0, 0), (0, "backward", 0, 0), (0, "forward", 5, 0), (0, "forward", 0, 3)):
        with pytest.raises(OptionError, match="there is no"):
            equation(given, maps, *wrong)


def test_units_stay_in_place_while_the_text_grows(runs: Runs) -> None:
    trained, dataset = runs("reviews")
    reader = trained.reader(dataset)
    orders = unit_orders(reader, list(reader.examples(5)))
    short, long = (read(reader, reader.parse(text), orders=orders) for text in ("a film", "a film and a plot"))
    assert all((a.order == b.order).all() for a, b in zip(short.gates, long.gates, strict=True))
    assert similar_order(np.zeros((4, 3))).tolist() == [0, 1, 2]


def test_beginnings_of_both_directions_are_read_again() -> None:
    torch.manual_seed(0)
    layers = Recurrent("lstm", 3, 4, num_layers=2, bidirectional=True).eval()
    x = torch.randn(9, 1, 3)
    found = prefix_summaries(layers, x)
    for end in range(1, 10):
        assert found[end - 1] == pytest.approx(layers(x[:end])[0][-1, 0].detach(), abs=1e-6)
