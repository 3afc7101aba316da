"""A translation explained: every word of it, what it looked at, and how it came to be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from readable import Runs

from gatewise.cli import main
from gatewise.errors import DataError
from gatewise.inspection.explaining import explanation_of
from gatewise.inspection.gates import gate_maps
from gatewise.inspection.reading import read
from gatewise.inspection.reasons import METHODS, reasons
from gatewise.inspection.writing import writing
from gatewise.kinds.translation.reader import MOST_TOKENS
from gatewise.reports.explaining import save_explanation_picture

SENTENCE = "we say two  four one."


@pytest.fixture(scope="module")
def translator(runs: Runs) -> tuple[Any, Any]:
    trained, dataset = runs("translations")
    return trained, trained.reader(dataset)


def test_what_is_written_is_the_networks_own_translation(translator: tuple[Any, Any]) -> None:
    trained, reader = translator
    given = reader.parse(SENTENCE)
    found = writing(reader, given, method="occlusion")
    (own,) = trained.translate([SENTENCE])
    assert found.drafts[-1] == own and len(found.drafts) == len(given.steps)
    assert found.drafts[0] == trained.translate(["we"])[0], "after the first word the translation of it alone"
    text = own + " "
    assert [text[step.start : step.end] or "∎" for step in given.written] == list(found.labels)
    assert given.text == "we say two four one." and given.steps[-1].label == "∎"
    assert "".join(given.text[step.start : step.end] for step in given.steps) == given.text.replace(" ", "")
    attention = trained.attention(SENTENCE)
    assert attention is not None and found.attention == pytest.approx(attention.weights, abs=1e-6)
    assert found.chances[0] == pytest.approx(reader.prefixes(replace(given, place=0))[-1][given.extra["target"][0]])
    assert found.agreement == pytest.approx(float((found.attention.argmax(1) == found.table.argmax(1)).mean()))


@pytest.mark.parametrize("method", METHODS)
def test_reasons_are_of_the_chosen_word(translator: tuple[Any, Any], method: str) -> None:
    _, reader = translator
    given = reader.parse(SENTENCE)
    found = writing(reader, given, method=method)
    assert found.table.shape == (len(given.written), len(given.steps))
    alone = reasons(reader, replace(given, place=1), method=method)
    assert found.table[1] == pytest.approx(alone.per_step, abs=1e-6)
    assert np.ptp(found.table, axis=1).min() > 0 and not np.allclose(found.table[0], found.table[1])
    assert alone.target == reader.names[given.extra["target"][1]]
    if method == "integrated-gradients":
        assert all(each.complete for each in found.reasons) and found.completeness_error <= 0.01
    # the word by its name, wherever it stands
    assert reader.at(given, alone.target).place == [reader.names[n] for n in given.extra["target"]].index(alone.target)
    assert reader.at(given, "no such word").place == given.place


def test_the_chance_after_each_word_is_that_of_the_sentence_cut_there(translator: tuple[Any, Any]) -> None:
    _, reader = translator
    given = replace(reader.parse(SENTENCE), place=0)
    cut = replace(reader.parse("we say two"), place=0)
    place = [step.end for step in given.steps].index(len("we say two"))
    assert reader.prefixes(given)[place] == pytest.approx(reader.prefixes(cut)[-1], abs=1e-6)


def test_encoder_and_decoder_show_their_gates(translator: tuple[Any, Any], runs: Runs) -> None:
    trained, reader = translator
    given = reader.parse(SENTENCE)
    reading = read(reader, given, trained=trained)
    rows = {(gate.stack, gate.direction): (len(gate.values), gate.stride) for gate in reading.gates}
    source, target = (len(given.steps), 1), (len(given.written), 0)
    assert rows == {
        ("encoder", "forward"): source,
        ("encoder", "backward"): source,
        ("decoder", "forward"): target,
        ("above the attention", "forward"): target,
    }
    # the decoder's states are those that the translation was made with: they give its chances again
    maps = gate_maps(reader.stacks(given))
    upper = next(each for each in maps if each.stack == "above the attention" and each.name == "hidden").values
    model, goals = trained.model, given.extra["target"]
    with torch.no_grad():
        inputs = reader._inputs(given, len(goals))
        inner = reader._source(reader.embed(given))
        lower = next(each for each in maps if each.stack == "decoder" and each.name == "hidden").values
        context, _ = model._attended(inner, torch.from_numpy(lower)[:, None])
        embedded = model._embedded(model.target, inputs)
        read_out = model._read_out(torch.from_numpy(upper)[:, None], context, embedded)
        scores = torch.nn.functional.linear(read_out, model._weight, model.bias).softmax(dim=2)
    chances = scores[torch.arange(len(goals)), 0, torch.from_numpy(goals)].double().numpy()
    assert chances == pytest.approx(writing(reader, given, method="gradient-x-input").chances, abs=1e-5)


def test_what_cannot_be_translated_is_refused_and_what_is_too_long_is_cut(translator: tuple[Any, Any]) -> None:
    _, reader = translator
    for wrong, said in (("  \n", "has no word"), (7, "reads a text")):
        with pytest.raises(DataError, match=said):
            reader.parse(wrong)
    long = reader.parse("we say two. " * 60)
    assert len(long.steps) == MOST_TOKENS and f"the first {MOST_TOKENS - 1} of" in long.notes[0]
    odd = reader.parse("<b>两 👩‍👩‍👧 e\u0301 \u202eab</b>")
    assert "".join(odd.text[step.start : step.end] for step in odd.steps) == odd.text.replace(" ", "")
    starts = [step.start for step in odd.steps]
    assert starts == sorted(starts)


def test_the_command_writes_every_word_with_its_reasons(
    translator: tuple[Any, Any], runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained, reader = translator
    place = str(runs.place("translations"))
    (own,) = trained.translate([SENTENCE])
    with pytest.raises(SystemExit) as left:
        main(["explain", place, SENTENCE, "--text", "--method", "gradient-x-input"])
    out = capsys.readouterr().out
    assert not left.value.code and f"Writes      {own}" in out and "(looks at" in out and "As it reads" in out
    assert "decoder" in out.split("Gates")[1].splitlines()[0], "the decoder's gates beside the encoder's"
    with pytest.raises(SystemExit) as left:
        main(["explain", place, SENTENCE, "--target", "Hund"])
    assert left.value.code == 2 and "what it writes here (" in capsys.readouterr().err
    found = explanation_of(trained, reader, reader.parse(SENTENCE), method="gradient-x-input")
    assert own in found._repr_html_() and found._repr_html_().count("<span") == len(found.reading.input.steps)
    record = found.to_dict(gates=True)
    written = json.loads(json.dumps(record, allow_nan=False))["written"]
    assert np.array(written["reasons"]).shape == np.array(written["attention"]).shape
    assert written["drafts"][-1] == own and record["input"]["place"] is None
    picture = save_explanation_picture([record], tmp_path / "why.svg").read_text(encoding="utf-8")
    assert "attention" in picture and "reasons of every word written" in picture
    # units stand by similarity, so that the axis has to name them
    gates = next(each for each in record["gates"] if each["name"] == "update" and each["direction"] == "forward")
    assert gates["order"] != sorted(gates["order"])
    labels = [str(unit) for unit in gates["order"]]
    axis = _axis_labels(record)
    assert axis == labels


def _axis_labels(record: dict[str, Any]) -> list[str]:
    from gatewise.drawing.pictures import new_figure
    from gatewise.reports.explaining import _draw_gate

    figure = new_figure(6, 3)
    axes = figure.add_subplot()
    _draw_gate(figure, axes, record, "gru")
    return [each.get_text() for each in axes.get_yticklabels()]
