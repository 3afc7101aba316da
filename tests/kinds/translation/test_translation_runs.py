"""Translation from files to answers: training, resuming, commands, the estimator, the report."""

from __future__ import annotations

import io
import itertools
import json
import signal
from pathlib import Path

import numpy as np
import pytest
import sacrebleu
from sklearn.base import clone

from commands import exit_code
from gatewise.errors import DataError, OptionError, RunError
from gatewise.export.gaps import LIMIT
from gatewise.export.runs import export_run
from gatewise.export.to_onnx.writer import OnnxWriter
from gatewise.kinds.translation.estimator import Translator
from gatewise.kinds.translation.exported import ExportedTranslator
from gatewise.training import kind_of, load_run, task_of, train_run
from gatewise.training.assembly import make_spec
from gatewise.training.events import StepDone
from gatewise.training.interruption import Interrupted
from gatewise.training.trained import load_data

WORDS = dict(zip(("one", "two", "three", "four"), ("uno", "due", "tre", "quattro"), strict=True))
PAIRS = [
    (f"we say {' '.join(row)}.", f"diciamo {' '.join(WORDS[word] for word in row)}.")
    for row in itertools.product(WORDS, repeat=3)
]
TEXT = "we say two one three."
SMALL = {
    "hidden_size": 16,
    "embedding_size": 16,
    "vocabulary_size": 300,
    "epochs": 30,
    "batch_size": 8,
    "learning_rate": 0.01,
    "dropout": 0.0,
    "threads": 1,
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("numbers") / "numbers.tsv"
    path.write_text("source\ttarget\n" + "\n".join("\t".join(pair) for pair in PAIRS) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def run(file: Path) -> Path:
    spec = make_spec("translation", str(file), SMALL)
    return train_run(spec, kind_of("translation").load(spec.data), file.parent / "run").folder


def test_it_learns_to_translate_sentences_it_has_not_seen(run: Path) -> None:
    trained = load_run(run)
    dataset = load_data(run, trained.spec)
    found = trained.test(dataset)
    answers = trained.translate(dataset.test.sources)
    assert found.metrics["bleu"] > 0.5 and answers[0] == dataset.test.targets[0]
    expected = sacrebleu.corpus_bleu(answers, [list(dataset.test.targets)]).score
    assert 100 * found.metrics["bleu"] == pytest.approx(expected)
    assert kind_of("translation").measure(dataset).of(found.contributions) == pytest.approx(found.metrics["bleu"])
    assert trained.translate(["", "we say  two one three."], beam=1) == ["", trained.translate([TEXT], beam=1)[0]]
    with pytest.raises(DataError, match="needs a list"):
        trained.translate("one two")


def test_it_leaves_as_onnx(run: Path, file: Path, tmp_path: Path) -> None:
    made = export_run(run, tmp_path / "out")
    trained = load_run(run)
    test = load_data(run, trained.spec).test
    assert made.check.examples == min(100, len(test)) and made.check.greatest < LIMIT
    exported = ExportedTranslator(OnnxWriter(tmp_path / "out" / "encoder.onnx"))
    assert exported.translate(test.sources) == trained.translate(test.sources)
    for path in (tmp_path / "out").iterdir():  # nothing of the training's machine
        assert str(file.parent).encode() not in path.read_bytes()


def test_it_answers_sentences_as_json_gives_them(run: Path) -> None:
    trained = load_run(run)
    assert trained.answer([TEXT]) == [{"source": TEXT, "translation": trained.translate([TEXT])[0]}]
    with pytest.raises(DataError, match="input 2 is not a text; expected: a string; got: int"):
        trained.answer([TEXT, 5])
    with pytest.raises(DataError, match="input 1 is too long for one sentence; expected: at most 400 subwords"):
        trained.answer([TEXT * 500])


def test_maps_and_stacks_fit_the_sentences(run: Path) -> None:
    trained = load_run(run)
    dataset = load_data(run, trained.spec)
    found = trained.attention(TEXT)
    assert found.weights.shape == (len(found.target), len(found.source))
    assert np.allclose(found.weights.sum(axis=1), 1) and "".join(found.source).startswith(" we say two one three.")
    json.dumps(trained.details(dataset))
    stacks = trained.stacks(dataset, 3, 4)
    assert list(stacks) == ["encoder", "decoder", "above the attention"]
    for stack in stacks.values():
        assert stack.inputs.shape[:2] == (4, 3) and int(stack.lengths.max()) <= 4


def test_a_resumed_training_ends_in_the_same_bits(file: Path, tmp_path: Path) -> None:
    random = {"dropout": 0.2, "readout_dropout": 0.4, "subword_dropout": 0.2, "word_noise": 0.1}
    spec = make_spec("translation", str(file), {**SMALL, **random, "epochs": 2, "feeding": "input"})
    dataset = kind_of("translation").load(spec.data)
    whole = train_run(spec, dataset, tmp_path / "whole")

    def stop(event: object) -> None:
        if isinstance(event, StepDone) and (event.epoch, event.step) == (2, 3):
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        train_run(spec, dataset, tmp_path / "parts", on_event=stop)
    again = train_run(spec, dataset, tmp_path / "parts")
    names = ("loss", "bleu")
    assert [[r.validation[n] for n in names] for r in whole.epochs] == [
        [r.validation[n] for n in names] for r in again.epochs
    ]
    weights = [load_run(result.folder).model.state_dict() for result in (whole, again)]
    assert all(bool((weights[0][name] == weights[1][name]).all()) for name in weights[0])


def test_words_are_cut_anew_in_every_epoch_and_only_while_training(file: Path) -> None:
    whole, cut = (
        kind_of("translation").problem(spec, kind_of("translation").load(spec.data))
        for spec in (make_spec("translation", str(file), {**SMALL, **more}) for more in ({}, {"subword_dropout": 0.3}))
    )
    assert cut.steps_per_epoch == whole.steps_per_epoch
    losses: dict[str, list[float]] = {}
    for name, problem in (("whole", whole), ("cut", cut)):
        problem.model.train()
        for epoch in (1, 2, 1):
            problem.begin_epoch(epoch)
            losses.setdefault(name, []).append(sum(float(problem.loss(step).value) for step in range(2)))
            steps = [rows for step in range(problem.steps_per_epoch) for rows in problem._order[step]]
            assert sorted(steps) == list(range(len(problem.train)))
    assert losses["cut"][0] == losses["cut"][2] != losses["cut"][1]
    assert losses["whole"][0] == pytest.approx(losses["whole"][2])
    drawn = cut._drawn
    assert drawn.target.lengths.sum() > 1.1 * whole.train.target.lengths.sum()
    texts = [
        [each.target_subwords.decode(row) for row in rows]
        for each, rows in (
            (cut, (drawn.target.row(n) for n in range(len(drawn)))),
            (whole, (whole.train.target.row(n) for n in range(len(drawn)))),
        )
    ]
    assert texts[0] == texts[1]
    assert np.array_equal(cut.train.target.values, whole.train.target.values)  # what begins the output's bias
    weights = cut.model.state_dict()
    assert cut.validate(weights) == whole.validate(weights)


def test_the_commands_of_a_translator(
    run: Path, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = load_run(run).translate([TEXT])[0]
    assert exit_code(["translate", run, TEXT, "--attention"]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0] == expected and len(shown) > 3 and shown[1].endswith("%")
    (tmp_path / "new.txt").write_text(f"{TEXT}\n\none two\n", encoding="utf-8")
    assert exit_code(["translate", run, "--file", tmp_path / "new.txt", "--out", tmp_path / "out.txt"]) == 0
    written = (tmp_path / "out.txt").read_text(encoding="utf-8").split("\n")
    assert written[:2] == [expected, ""] and len(written) == 4
    assert "1 of 3 lines was empty" in capsys.readouterr().err
    for command in ("translate", "predict"):
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{TEXT}\n"))
        assert exit_code([command, run, "-"]) == 0 and capsys.readouterr().out == f"{expected}\n"
    assert exit_code(["predict", run, TEXT, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"source": TEXT, "translation": expected}
    assert exit_code(["evaluate", run, file, "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    low, high = record["bleu_interval"]
    assert record["in_training"] > 40 and low <= record["bleu"] <= high and record["others"]["bleu"] <= 1
    refused = [
        (["translate", str(run), "x", "--file", str(file)], "exclude each other"),
        (["translate", str(run), "x", "--beam", "0"], "beam is out of range"),
        (["translate", str(run), "--file", str(tmp_path / "none.txt")], "does not exist"),
        (["translate", str(tmp_path), "x"], "run"),
    ]
    for words, message in refused:
        assert exit_code(words) != 0
        assert message in capsys.readouterr().err


@pytest.mark.slow
def test_a_comparison_shows_sentences_and_attention(file: Path, tmp_path: Path) -> None:
    small = [
        "--hidden-size",
        "8",
        "--embedding-size",
        "8",
        "--vocabulary-size",
        "300",
        "--epochs",
        "2",
        "--threads",
        "1",
    ]
    words = ["compare", str(file), "--task", "translation", "--cells", "gru", "--seeds", "1", "--no-cost"]
    out = tmp_path / "result"
    assert exit_code([*words, *small, "--out", out, "--yes"]) == 0
    record = json.loads((out / "comparison.json").read_text(encoding="utf-8"))
    assert {model["name"] for model in record["models"]} == {"gru", "word-by-word", "copy"}
    assert record["metric"]["name"] == "bleu" and record["details"]["sentences"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "Sentences as they were translated" in page and "Where they look" in page
    assert record["details"]["sentences"][0]["source"] in page


def test_files_that_are_translation_by_their_names(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"source": "a", "target": "b"}\n')
    (tmp_path / "b.tsv").write_text("en\tes\na dog\tun perro\n")
    (tmp_path / "c.csv").write_text("text,label\na dog,animal\n")
    names = ("multi30k", "train.en", str(tmp_path / "a.jsonl"), str(tmp_path / "b.tsv"))
    assert {task_of(name) for name in names} == {"translation"}
    assert task_of(str(tmp_path / "c.csv")) == "classification"


def test_settings_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(OptionError, match="needs an attention"):
        make_spec("translation", "multi30k", {"attention": "none", "feeding": "input"})
    for settings, message in (
        ({"test": "x.tsv"}, "known data set"),
        ({"source_column": "en"}, "--source-column does not go with the known data set"),
    ):
        with pytest.raises(OptionError, match=message):
            kind_of("translation").check(make_spec("translation", "multi30k", settings))
    with pytest.raises(OptionError, match="needs --test"):
        kind_of("translation").check(make_spec("translation", "a.tsv", {"test_translations": "b"}))


def test_lower_case_alone_is_read_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capitals = tmp_path / "capitals.tsv"
    capitals.write_text("source\ttarget\n" + "\n".join("\t".join(pair).upper() for pair in PAIRS) + "\n")
    settings = {**SMALL, "epochs": 8, "lowercase": True}
    with pytest.raises(OptionError, match="counts capitals as mistakes"):
        make_spec("translation", str(capitals), settings)
    spec = make_spec("translation", str(capitals), {**settings, "metric": "lowercased-bleu"})
    dataset = kind_of("translation").load(spec.data)
    trained = load_run(train_run(spec, dataset, tmp_path / "run").folder)
    lower, upper = trained.translate([TEXT, TEXT.upper()])
    assert lower == upper and lower.startswith("diciamo ")
    figures = trained.test(dataset).metrics
    assert figures["bleu"] < 0.05 < figures["lowercased_bleu"]
    capsys.readouterr()
    assert exit_code(["evaluate", tmp_path / "run", capitals]) == 0
    assert capsys.readouterr().out.startswith("lowercased BLEU ")


def test_the_estimator_in_scikit_learns_manner(tmp_path: Path) -> None:
    sources, targets = zip(*PAIRS, strict=True)
    translator = clone(Translator("rnn", **{**SMALL, "epochs": 2}, metric="chrf"))
    with pytest.raises(DataError, match="do not fit"):
        translator.fit(sources, targets[:-1])
    with pytest.raises(DataError, match="training sentence 1 has no word"):
        translator.fit(["a", " "], ["b", "c"])
    translator.fit(sources, targets)
    assert 0 < translator.score(sources, targets) <= 1
    answers = translator.predict(sources[:5])
    again = Translator.load(translator.save(tmp_path / "saved"))
    assert again.predict(sources[:5]) == answers and again.metric == "chrf"
    assert translator.attention_map(TEXT) is not None


def test_a_damaged_vocabulary_is_named(run: Path, tmp_path: Path) -> None:
    from gatewise.data.subwords import Subwords

    for record in ({}, {"format_version": 1, "tokenizer": {"model": 3}}):
        with pytest.raises(RunError, match=r"here\.json"):
            Subwords.from_dict({"format_version": 1, **record}, "here.json")
