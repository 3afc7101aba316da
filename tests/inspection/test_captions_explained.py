"""A caption explained: every word of it over the picture, and where the layers that wrote it begin."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from readable import Runs

from gatewise.cli import main
from gatewise.errors import ConversionError, DataError, RunError
from gatewise.inspection import memory_curve
from gatewise.inspection.explaining import explanation_of
from gatewise.inspection.looks import three_readings
from gatewise.inspection.neighbours import alike
from gatewise.inspection.reading import read
from gatewise.inspection.reasons import METHODS, reasons
from gatewise.inspection.writing import writing
from gatewise.reports.explaining import _walked, save_explanation_picture
from gatewise.training.kind import RecurrentInputs, Trained


@pytest.fixture(scope="module")
def captioner(runs: Runs) -> tuple[Any, Any]:
    trained, dataset = runs("pictures")
    return trained, trained.reader(dataset)


def test_the_patches_are_the_picture(captioner: tuple[Any, Any]) -> None:
    trained, reader = captioner
    given = reader.examples(1)[0]
    look = trained.look
    assert look.size % reader.grid, "patches of this size differ, which the padding is for"
    scaled = (given.encoded / 255 - look.mean) / look.spread
    assert reader._joined(reader.embed(given))[0].numpy() == pytest.approx(scaled, abs=1e-6)
    assert len(given.steps) == given.picture.rows * given.picture.columns == reader.grid**2
    shown = np.asarray(Image.open(io.BytesIO(given.picture.png)))
    assert np.array_equal(shown.transpose(2, 0, 1), given.encoded)
    # one patch of another colour changes that patch and nothing else, and it is the one of its name
    changed = given.encoded.copy()
    changed[:, -1, 0] = 255 - changed[:, -1, 0]
    moved = (reader.embed(reader.parse(changed)) - reader.embed(given)).abs().sum(dim=2)[:, 0]
    assert [given.steps[int(step)].label for step in moved.nonzero()] == [f"row {reader.grid} column 1"]
    ground = reader._joined(reader.baseline(given))[0]
    assert float((ground - ground[:, :1, :1]).abs().max()) == 0 and len(set(ground[:, 0, 0].tolist())) > 1


def test_what_the_detectors_say_has_its_part_in_what_is_explained(
    captioner: tuple[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, reader = captioner
    pixels = np.stack([each.encoded for each in reader.examples(12)])
    before = reader._searched(pixels)
    assert trained.model.detectors is not None
    monkeypatch.setattr(trained.model, "evidence", 3.0)
    found = reader._searched(pixels)
    assert [trained.subwords.decode(tokens) for tokens in found] == trained.caption(pixels) and found != before


def test_what_is_written_is_the_networks_own_caption(captioner: tuple[Any, Any]) -> None:
    trained, reader = captioner
    given = reader.examples(2)[1]
    found = writing(reader, given, method="occlusion")
    (own,) = trained.caption(given.encoded[None])
    assert found.drafts[-1] == own and len(found.drafts) == len(given.steps)
    text = own + " "
    assert [text[step.start : step.end] or "∎" for step in given.written] == list(found.labels)
    # covered past the first patch, the picture is one of its own
    half = reader._joined(reader._uncovered(given, np.array([0])))[0].numpy()
    look = trained.look
    pixels = np.rint((half * look.spread + look.mean) * 255).astype(np.uint8)
    assert found.drafts[0] == trained.caption(pixels[None])[0]
    first = replace(given, place=0)
    assert reader.prefixes(first)[0] == pytest.approx(
        reader.prefixes(replace(reader.parse(pixels), place=0))[-1], abs=1e-3
    )
    attention = trained.attention(given.encoded, own)
    assert found.attention.sum(axis=1) == pytest.approx(1)
    assert found.attention[-1].reshape(reader.grid, -1) == pytest.approx(attention.weights[-1], abs=1e-6)
    # the likeliest words at each place, and the chance of the one that was written
    for place, (following, chance) in enumerate(zip(found.following, found.chances, strict=True)):
        chances = dict(following)
        assert list(chances.values()) == sorted(chances.values(), reverse=True) and len(chances) == 5
        at = reader.prefixes(replace(given, place=place))[-1]
        assert chances == pytest.approx({name: at[reader.names.index(name)] for name in chances}, abs=1e-6)
        assert chance == pytest.approx(at[given.extra["target"][place]], abs=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_reasons_of_every_word_lie_on_the_picture(captioner: tuple[Any, Any], method: str) -> None:
    _, reader = captioner
    given = reader.examples(1)[0]
    found = writing(reader, given, method=method)
    assert found.table.shape == (len(given.written), len(given.steps)) and np.ptp(found.table, axis=1).min() > 0
    assert not np.allclose(found.table[0], found.table[1])
    if method == "integrated-gradients":
        for each in found.reasons:  # contours and group norm turn steeply: what does not add up is said
            change = each.score_at_input - each.score_at_baseline
            missing = abs(float(each.values.sum()) - change) / max(abs(change), 1e-3)
            assert each.completeness_error == pytest.approx(missing, abs=1e-3, rel=1e-3)
            assert each.complete == (each.completeness_error <= 0.01)
        assert any(each.complete for each in found.reasons)
    if method == "occlusion":  # by hand: the patch in the picture's ground
        x, base = reader.embed(given), reader.baseline(given)
        covered = x.clone()
        covered[3] = base[3]
        place = replace(given, place=1)
        with torch.no_grad():
            scores = reader.score(reader.answer(place, torch.cat([x, covered], dim=1)), int(given.extra["target"][1]))
        assert found.table[1][3] == pytest.approx(float(scores[0] - scores[1]), abs=1e-5)
    curve = reasons(reader, given, method=method).removal
    assert curve is not None and curve.removed[-1] == len(given.steps)


def test_states_of_the_caption_and_their_neighbours(captioner: tuple[Any, Any]) -> None:
    trained, reader = captioner
    examples = reader.examples(5)
    reading = read(reader, examples[0], trained=trained)
    assert {(gate.stack, len(gate.values), gate.stride) for gate in reading.gates} == {
        (name, len(examples[0].written), 0) for name in ("decoder", "above the attention")
    }
    found = alike(reader, examples[0], 1)
    assert found.found and all(each.example > 1 for each in found.found), "its own picture is left out, others are not"
    assert all(each.step < len(examples[each.example - 1].written) for each in found.found if each.example <= 5)
    assert three_readings(trained, reader.dataset) == {}, "patches are no row of words for a report"


@pytest.mark.parametrize("method", METHODS)
def test_a_plain_picture_has_no_reasons(
    captioner: tuple[Any, Any], runs: Runs, method: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, reader = captioner
    plain = reader.parse(np.full((3, 17, 17), 90, dtype=np.uint8))
    found = writing(reader, plain, method=method)
    assert not found.table.any() and found.agreement is None
    assert reasons(reader, plain, method=method).removal is None, "there is nothing to remove"
    # where only a part is of the ground, that part counts for nothing, and the rest does
    half = np.full((3, 17, 17), 90, dtype=np.uint8)
    half[:, :4, :4] = 200
    values = reasons(reader, reader.parse(half), method=method, with_removal=False).values
    ground = (reader.embed(reader.parse(half)) == reader.baseline(reader.parse(half))).all(dim=2)[:, 0].numpy()
    assert ground.any() and not values[ground].any() and values[~ground].any()
    Image.new("L", (90, 30), 99).save(tmp_path / "grey.png")
    with pytest.raises(SystemExit) as left:
        main(["explain", str(runs.place("pictures")), str(tmp_path / "grey.png"), "--text", "--method", method])
    out = capsys.readouterr().out
    assert not left.value.code and "no reasons" in out and "column 1 +0" not in out and "e-0" not in out


def test_what_is_no_picture_is_refused(captioner: tuple[Any, Any], tmp_path: Path) -> None:
    _, reader = captioner
    (tmp_path / "text.png").write_text("no picture")
    for wrong, said in (
        (tmp_path / "none.png", "none.png does not exist"),
        (str(tmp_path / "text.png"), "text.png is no picture"),
        (b"GIF8", "the picture is no picture"),
        (np.zeros((3, 4, 4), np.uint8), "do not fit the network"),
        (7, "reads a picture"),
    ):
        with pytest.raises(DataError, match=said):
            reader.parse(wrong)
    Image.new("L", (90, 30), 99).save(tmp_path / "grey.jpg")
    assert reader.parse(tmp_path / "grey.jpg").title == "grey.jpg"
    assert "one colour only" in reader.parse(tmp_path / "grey.jpg").notes[-1], "all of it and the ground have one"
    assert len(reader.examples(1)[0].notes) == 1
    assert reader.parse((tmp_path / "grey.jpg").read_bytes()).encoded.shape == (3, 17, 17)


@pytest.mark.slow
def test_the_command_shows_the_picture_and_every_word(
    captioner: tuple[Any, Any], runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained, reader = captioner
    place, picture = str(runs.place("pictures")), runs.folder / "pictures" / "red-left-1.png"
    own = trained.caption(trained.read(picture, "x")[None])[0]
    with pytest.raises(SystemExit) as left:
        main(["explain", place, str(picture), "--text", "--method", "gradient-x-input", "--flow"])
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert not left.value.code and f"Writes      {own}" in out and "(looks at row" in out
    top = next(number for number, line in enumerate(lines) if line.startswith("  reasons"))
    shown = lines[top + 1 : top + 1 + reader.grid]
    assert all(line.count("▕") == line.count("▏") == 2 and len(line) == len(shown[0]) for line in shown)
    assert "0 back" in out and "in written words" in out and "patchs" not in out
    assert "█" in "".join(shown) and "Uncovered   … row 1 column 1:" in out and "else" in out
    assert explanation_of(trained, reader, reader.parse(picture)).reasons.method == reader.method == "occlusion"
    found = explanation_of(trained, reader, reader.parse(picture), method="gradient-x-input", with_flow=True)
    shown_there = found._repr_html_()
    assert shown_there.count("<span") == len(found.reading.input.steps) and "data:image/png;base64," in shown_there
    record = json.loads(json.dumps(found.to_dict(gates=True), allow_nan=False))
    grid = record["input"]["picture"]
    assert base64.b64decode(grid["png"]) == found.reading.input.picture.png and grid["rows"] == reader.grid
    drawn = save_explanation_picture([record], tmp_path / "why.svg").read_text(encoding="utf-8")
    assert "attention" in drawn and "reasons of every word written" in drawn and "covered past each patch" in drawn


def test_a_map_of_segments_or_words_has_its_axis_named() -> None:
    record = {"input": {"steps": [{"label": str(step)} for step in range(7)]}}
    assert _walked(record, {"first": 1, "stride": 3, "values": [0, 0]}) == ["1", "4"]
    assert _walked(record, {"first": 0, "stride": 0, "values": [0, 0]}) == ["+1", "+2"]
    assert _walked({**record, "written": {"steps": ["a", "∎"]}}, {"first": 0, "stride": 0, "values": [0, 0]})[1] == "∎"


@pytest.mark.parametrize(
    "name", ["pictures", "translations", pytest.param("series, everything", marks=pytest.mark.slow)]
)
def test_the_memory_of_a_decoder_is_measured_from_where_it_begins(name: str, runs: Runs) -> None:
    trained, dataset = runs(name)
    stacks = trained.stacks(dataset, 3, 20)
    stack = stacks["decoder"]
    assert stack.state is not None
    parts = stack.state if isinstance(stack.state, tuple) else (stack.state,)
    assert all(part.shape[1] == stack.inputs.shape[1] and bool(part.any()) for part in parts)
    # the state is the reader's for the same example
    if name == "pictures":
        reader = trained.reader(dataset)
        given = reader.examples(1)[0]
        own = reader.stacks(given)["decoder"].state
        assert float((own[:, 0] - parts[0][:, 0]).abs().max()) < 1e-5
    begun = memory_curve(stack, projections=None)["trained"]["norms"]
    zero = memory_curve(RecurrentInputs(stack.recurrent, stack.inputs, stack.lengths), projections=None)
    assert not np.allclose(begun, zero["trained"]["norms"], rtol=1e-3)


def test_refusals_are_in_a_users_words() -> None:
    class Silent(Trained):
        spec: Any = type("Spec", (), {"task": "weighing"})()
        test = predictor = stacks = lambda *_: None  # type: ignore[assignment]

    for ask, error in ((lambda: Silent().reader(), RunError), (lambda: Silent().graph(), ConversionError)):  # type: ignore[abstract]
        with pytest.raises(error) as caught:
            ask()
        said = str(caught.value)
        assert "weighing cannot be" in said and "docs/ex" in said
        assert not [word for word in ("Silent", "Trained", "graph()", "reader(", "graph_examples") if word in said]
