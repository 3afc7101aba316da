"""Captioning from files to answers: training, resuming, commands, the estimator, the report."""

from __future__ import annotations

import base64
import json
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.base import clone

from commands import exit_code
from gatewise.cli import main
from gatewise.errors import DataError, OptionError, RunError
from gatewise.kinds.captioning.estimator import Captioner
from gatewise.kinds.captioning.trained import Look
from gatewise.training import kind_of, load_run, train_run
from gatewise.training.assembly import make_spec
from gatewise.training.events import StepDone
from gatewise.training.interruption import Interrupted
from gatewise.training.trained import load_data
from small_pictures import write_pictures

SMALL = {
    "hidden_size": 16,
    "embedding_size": 16,
    "channels": 4,
    "image_size": 12,
    "vocabulary_size": 300,
    "epochs": 30,
    "batch_size": 8,
    "learning_rate": 0.01,
    "dropout": 0.0,
    "threads": 1,
}


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("bars") / "own", each=8)


@pytest.fixture(scope="module")
def run(table: Path) -> Path:
    spec = make_spec("captioning", str(table.parent), SMALL)
    return train_run(spec, kind_of("captioning").load(spec.data), table.parent.parent / "run").folder


def test_it_learns_captions_of_pictures_it_has_not_seen(run: Path) -> None:
    trained = load_run(run)
    dataset = load_data(run, trained.spec)
    found = trained.test(dataset)
    assert found.metrics["exact"] > 0.8 and found.metrics["bleu"] > 0.8 and "truth" not in found.metrics
    measure = kind_of("captioning").measure(dataset)
    assert measure.of(found.contributions) == pytest.approx(found.metrics[measure.name])
    assert len(found.predictions["captions"]) == len(dataset.test)
    with pytest.raises(DataError, match=r"do not fit the network; expected: uint8 \(N, 3, 12, 12\)"):
        trained.caption(dataset.test.pixels[:, :1])
    graph = trained.graph()
    assert graph.writer is not None and [each.steps for each in graph.inputs] == [144]


def test_it_answers_pictures_in_base_64(run: Path, table: Path) -> None:
    trained = load_run(run)
    content = (table.parent / "blue-top-3.png").read_bytes()
    coded = base64.b64encode(content).decode()
    answers = trained.answer([coded, f"data:image/png;base64,{coded}"])
    assert trained.answer([content]) == answers[:1] and "image/png".startswith(trained.body_types)
    assert answers[0] == answers[1] == {"caption": trained.caption(trained.read(content, "x")[None])[0]}
    for given, message in ((5, "input 2 is no picture"), ("§", "input 2 is no base 64"), ("QUJD", "input 2 is no pic")):
        with pytest.raises(DataError, match=message):
            trained.answer([coded, given])


def test_maps_and_stacks_fit_the_pictures(run: Path) -> None:
    trained = load_run(run)
    dataset = load_data(run, trained.spec)
    found = trained.attention(dataset.test.pixels[0], "a red bar at the left")
    assert found.words == ("a", "red", "bar", "at", "the", "left", "∎") and found.weights.shape == (7, 6, 6)
    assert np.allclose(found.weights.sum(axis=(1, 2)), 1)
    json.dumps(trained.details(dataset))
    stacks = trained.stacks(dataset, 3, 4)
    assert list(stacks) == ["decoder", "above the attention"]
    for stack in stacks.values():
        assert stack.inputs.shape[:2] == (4, 3) and int(stack.lengths.max()) <= 4


@pytest.mark.slow
def test_a_resumed_training_ends_in_the_same_bits(table: Path, tmp_path: Path) -> None:
    settings = {**SMALL, "epochs": 2, "dropout": 0.2, "word_noise": 0.2, "shift": 1, "feeding": "input"}
    spec = make_spec("captioning", str(table), settings)
    dataset = kind_of("captioning").load(spec.data)
    whole = train_run(spec, dataset, tmp_path / "whole")

    def stop(event: object) -> None:
        if isinstance(event, StepDone) and (event.epoch, event.step) == (2, 3):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        train_run(spec, dataset, tmp_path / "parts", on_event=stop)
    again = train_run(spec, dataset, tmp_path / "parts")
    assert [each.validation for each in whole.epochs] == [each.validation for each in again.epochs]
    weights = [load_run(result.folder).model.state_dict() for result in (whole, again)]
    assert all(bool((weights[0][name] == weights[1][name]).all()) for name in weights[0])


def test_the_commands_of_a_captioner(
    run: Path, table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = table.parent / "red-right-2.png"
    before = table.read_bytes()
    for out, words in ((table, "is the input file"), (tmp_path / "x.pdf", "cannot be written")):
        with pytest.raises(SystemExit) as leave:
            main(["caption", str(run), str(table.parent), "--out", str(out)])
        assert leave.value.code == 2 and words in capsys.readouterr().err
    assert table.read_bytes() == before
    trained = load_run(run)
    expected = trained.caption(trained.read(picture, "x")[None])[0]
    assert exit_code(["caption", run, picture, "--attention"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == expected and "█" in "".join(shown) and shown[-7].strip() == "∎"
    own = tmp_path / "new"
    own.mkdir()
    Image.new("L", (40, 10), 99).save(own / "grey.jpg")
    shutil.copy(picture, own / "one, two.png")
    (own / "broken.png").write_bytes(picture.read_bytes()[:80])
    assert exit_code(["caption", run, own, "--out", tmp_path / "out.csv"]) == 0
    assert "1 picture is left out: damaged or cut off" in capsys.readouterr().err
    written = (tmp_path / "out.csv").read_text(encoding="utf-8").splitlines()
    assert written[0] == "image,caption" and written[2] == f'"{own / "one, two.png"}",{expected}'
    several = [str(picture), str(own / "broken.png"), str(own / "missing.png")]
    assert exit_code(["caption", run, *several, "--json"]) == 2
    found = capsys.readouterr()
    assert [json.loads(line)["caption"] for line in found.out.splitlines()] == [expected, None, None]
    assert f"Note: {several[1]} is damaged or cut off" in found.err and "no answer there" in found.err
    assert f"Note: {several[2]} does not exist: no answer there" in found.err and "Traceback" not in found.err
    for words in (["caption", run], ["predict", run]):
        assert exit_code([*words, *several, "--out", tmp_path / "several.csv"]) == 2
        capsys.readouterr()
        rows = (tmp_path / "several.csv").read_text(encoding="utf-8").splitlines()
        assert len(rows) == 4 and rows[1].endswith(f",{expected}") and rows[3] == f"{several[2]},"
    assert exit_code(["caption", run, *several]) == 2
    assert capsys.readouterr().out.splitlines()[1].endswith("–  (cannot be read)")
    assert exit_code(["predict", run, picture, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"image": str(picture), "caption": expected}
    assert exit_code(["evaluate", run, table, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["pictures"] == 72 and record["in_training"] > 45 and 0.8 < record["exact"] <= 1
    assert record["bleu_interval"][0] <= record["bleu"] <= record["bleu_interval"][1]
    refused = [
        (["caption", str(run), str(picture), "--beam", "0"], "beam is out of range"),
        (["caption", str(run), str(tmp_path / "none.png")], "none.png does not exist"),
        (["caption", str(run), str(own / "broken.png")], "broken.png is damaged or cut off"),
        (["caption", str(run), str(picture), "--out", str(picture)], "is the input file"),
        (["evaluate", str(run), str(own)], "has no table of captions"),
        (["predict", str(run)], "there is no picture"),
        (["evaluate", str(run), str(picture)], "is a single picture"),
        (["explain", str(run), str(own)], "fix: name a picture in it"),
    ]
    for words, message in refused:
        assert exit_code(words) != 0
        assert message in capsys.readouterr().err


@pytest.mark.slow
def test_a_comparison_shows_pictures_captions_and_attention(table: Path, tmp_path: Path) -> None:
    words = ["compare", str(table.parent), "--cells", "gru", "--seeds", "1", "--no-cost", "--yes"]
    for name, value in {**SMALL, "epochs": 2}.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    out = tmp_path / "result"
    assert exit_code([*words, "--out", out]) == 0
    record = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    assert {model["name"] for model in record["models"]} == {"gru", "nearest-neighbour", "most-frequent"}
    assert record["metric"]["name"] == "bleu" and len(record["details"]["pictures"]) == 7
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Pictures and their captions" in page and "Where they look" in page
    assert record["details"]["pictures"][0]["png"] in page and "no photographs" not in page
    right = [model["runs"][0]["predictions"]["right"] for model in record["models"]]
    assert 0 < sum(map(sum, right)) == page.count('<span class="muted">✓</span>')
    # a record whose picture or map is damaged is refused by name
    from gatewise.record import read_comparison
    from gatewise.reports.kind_report import kind_report

    for change, message in (
        (lambda each: each["details"]["pictures"][0].update(png="<script>"), r"pictures\[0\]\.png"),
        (lambda each: each["models"][0]["runs"][0]["predictions"].update(captions=[]), "predictions.captions"),
    ):
        broken = json.loads(json.dumps(record))
        change(broken)
        (tmp_path / "broken").mkdir(exist_ok=True)
        (tmp_path / "broken" / "comparison.json").write_text(json.dumps(broken), encoding="utf-8")
        with pytest.raises(RunError, match=message):
            kind_report("captioning").check(read_comparison(tmp_path / "broken"), "the record")


def test_settings_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(OptionError, match="needs an attention"):
        make_spec("captioning", "scenes", {"attention": "none", "feeding": "input"})
    with pytest.raises(OptionError, match=r"--evidence 0.4 with --detection 0; fix: omit --evidence"):
        make_spec("captioning", "scenes", {"evidence": 0.4, "detection": 0.0})
    for data, settings, message in (
        ("scenes", {"captions": "x.csv"}, "--captions does not go with the known data set"),
        ("glyph-names", {"metric": "truth"}, "truth is known of scenes alone"),
        ("photographs", {"metric": "truth"}, "truth is known of scenes alone"),
    ):
        with pytest.raises(OptionError, match=message):
            kind_of("captioning").check(make_spec("captioning", data, settings))


def test_the_estimator_in_scikit_learns_manner(table: Path, tmp_path: Path) -> None:
    paths = sorted(table.parent.glob("*.png"))
    texts = [f"a {path.name.split('-')[0]} bar" for path in paths]
    captioner = clone(Captioner("rnn", **{**SMALL, "epochs": 2}, metric="exact", attention="none"))
    with pytest.raises(DataError, match="do not fit"):
        captioner.fit(paths, texts[:-1])
    with pytest.raises(DataError, match="training picture 1 has no caption"):
        captioner.fit(paths[:2], ["a", " "])
    with pytest.raises(DataError, match=r"picture 0 is no picture.*got: float64 \(4, 4\)"):
        captioner.fit([np.zeros((4, 4))], ["a"])
    captioner.fit(paths, [[text, f"{text} there"] for text in texts])
    assert 0 <= captioner.score(paths, texts) <= 1
    answers = captioner.predict([Image.open(path) for path in paths[:5]])
    assert answers == captioner.predict([np.asarray(Image.open(path)) for path in paths[:5]])
    again = Captioner.load(captioner.save(tmp_path / "saved"))
    assert again.predict(paths[:5]) == answers and again.metric == "exact"
    assert captioner.attention_map(paths[0]) is None and captioner.predict([]) == []


def test_a_damaged_file_of_a_run_is_named() -> None:
    look = Look(3, 16, 0.4, 0.2, 12)
    assert Look.from_dict(json.loads(json.dumps(look.to_dict()))) == look
    for change in ({"size": "wide"}, {"mean": None}):
        with pytest.raises(RunError, match=r"here\.json is damaged"):
            Look.from_dict({**look.to_dict(), **change}, "here.json")
    with pytest.raises(RunError, match="newer"):
        Look.from_dict({**look.to_dict(), "format_version": 99}, "here.json")
