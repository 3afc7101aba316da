"""Sequence tagging from files to answers: training, resuming, commands, the estimator, what cannot be used."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from sklearn.base import clone
from small_sentences import SMALL, sentences, write

from commands import ran
from gatewise.cli import main
from gatewise.errors import DataError, OptionError
from gatewise.kinds.tagging.dataset import load_tagging
from gatewise.kinds.tagging.estimator import SequenceTagger
from gatewise.kinds.tagging.spec import TaggingDataSpec
from gatewise.training import kind_of, load_run, task_of, train_run
from gatewise.training.assembly import make_spec


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("towns") / "towns.conll", sentences())


@pytest.fixture(scope="module")
def run(file: Path) -> Path:
    spec = make_spec("tagging", str(file), {**SMALL, "epochs": 8})
    return train_run(spec, kind_of("tagging").load(spec.data), file.parent / "run").folder


def called(words: list[object], capsys: pytest.CaptureFixture[str], code: int = 0) -> str:
    left, out, err = ran(words, capsys)
    assert left == code, err
    return err if code else out


def test_parts_share_no_sentence_and_are_the_same_every_time(file: Path) -> None:
    first, again = load_tagging(TaggingDataSpec(str(file))), load_tagging(TaggingDataSpec(str(file)))
    parts = [{row.words for row in part.sentences} for part in (first.train, first.validation, first.test)]
    assert sum(map(len, parts)) == 60 and not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])
    assert first.fingerprint == again.fingerprint and first.sizes == {"train": 42, "validation": 6, "test": 12}
    assert task_of("news.conll.gz") == task_of(str(file)) == "tagging" and task_of("a.txt", given=["tags"]) == "tagging"


def test_a_test_file_is_read_like_the_first_and_shared_sentences_are_left_out(tmp_path: Path) -> None:
    rows = sentences()
    wide = "\n\n".join("\n".join(f"{word} _ {tag} x" for word, tag in row) for row in rows)
    (tmp_path / "a.conll").write_text(wide)
    tested = "\n\n".join("\n".join(f"{word} _ {tag} x" for word, tag in row) for row in rows[:5])
    (tmp_path / "test.conll").write_text(tested)
    dataset = load_tagging(TaggingDataSpec(str(tmp_path / "a.conll"), test=str(tmp_path / "test.conll"), tags="3"))
    assert len(dataset.test) == 5 and sum(dataset.sizes.values()) == 60
    assert any("5 sentences" in note and "left out" in note for note in dataset.notes)


def test_the_same_spec_gives_the_same_bits_and_a_stopped_run_ends_in_them(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gatewise.training import loop

    spec = make_spec("tagging", str(file), {**SMALL, "averaging": 0.9})
    dataset = kind_of("tagging").load(spec.data)
    whole = train_run(spec, dataset, tmp_path / "whole")

    class Stopped(Exception):
        pass

    def stop(event: object) -> None:
        if getattr(event, "epoch", None) == 2 and getattr(event, "step", None) == 3:
            raise Stopped

    monkeypatch.setattr(loop, "CHECKPOINT_SECONDS", 0.0)
    with pytest.raises(Stopped):
        train_run(spec, dataset, tmp_path / "stopped", on_event=stop)
    train_run(spec, dataset, tmp_path / "stopped")
    best = "best.safetensors"
    assert (tmp_path / "whole" / best).read_bytes() == (tmp_path / "stopped" / best).read_bytes()
    assert whole.best.validation["span_f1"] == pytest.approx(
        load_run(whole.folder).test(dataset, "validation").metrics["span_f1"]
    )


def test_entities_come_with_character_offsets(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "  Lea Weiß   wohnt in Bad Ems."
    answer = json.loads(called(["predict", run, text, "--json"], capsys))
    for entity in answer["entities"]:
        assert text[entity["start"] : entity["end"]] == entity["text"]
    assert [(entity["label"], entity["text"]) for entity in answer["entities"]] == [
        ("PER", "Lea Weiß"),
        ("LOC", "Bad Ems"),
    ]
    assert [text[start:end] for start, end in answer["offsets"]] == answer["words"]
    assert "[Lea Weiß PER]" in called(["predict", run, text], capsys)
    assert ran(["predict", run, text], capsys)[2] == ""
    nothing = ran(["predict", run, "wohnt in"], capsys)
    assert nothing[1:] == ("wohnt in\n", "Note: the network marked nothing in the text\n")


def test_files_and_standard_input_are_tagged_line_by_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new.txt").write_text("Anna wohnt in Graz .\n\nUlm\n")
    lines = called(["predict", run, "--file", tmp_path / "new.txt", "--json"], capsys).splitlines()
    assert [json.loads(line)["text"] for line in lines] == ["Anna wohnt in Graz .", "", "Ulm"]


def test_evaluation_agrees_with_the_estimator(run: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figures = json.loads(called(["evaluate", run, file, "--json"], capsys))
    rows = sentences()
    words, tags = [[word for word, _ in row] for row in rows], [[tag for _, tag in row] for row in rows]
    assert figures["span_f1"] == pytest.approx(SequenceTagger.load(run).score(words, tags))
    assert figures["spans"] == 120 and set(figures["types"]) == {"PER", "LOC"}
    table = called(["evaluate", run, file, "--tags", "2"], capsys)
    assert "span F1" in table and "precision" in table


@pytest.mark.slow
def test_compare_puts_cells_beside_their_baselines(file: Path, tmp_path: Path) -> None:
    import gatewise

    study = gatewise.compare(str(file), cells=["rnn", "gru"], seeds=2, out=tmp_path / "out", cost=False, **SMALL)
    record = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert [model["name"] for model in record["models"]] == ["feature-crf", "most-frequent-tag", "rnn", "gru"]
    assert record["metric"]["name"] == "span_f1" and record["metric"]["transform"] == "span-f1"
    for model in record["models"]:
        assert 0.0 <= model["figure"]["low"] <= model["figure"]["estimate"] <= model["figure"]["high"] <= 1.0
    assert "span F1" in study.report.read_text()


def test_a_baseline_without_a_loss_is_chosen_by_the_kinds_own_figure(file: Path, tmp_path: Path) -> None:
    from gatewise.comparison import make_plan, run_plan

    grid = {"learning_rate": [0.001, 0.01, 0.02]}
    settings = {name: value for name, value in SMALL.items() if name != "learning_rate"} | {"epochs": 1}
    plan = make_plan(str(file), cells=["rnn"], grid=grid, metric="loss", **settings)
    record = run_plan(plan, tmp_path / "out", cost=False).record
    trials = [trial for trial in record.tuning if trial.cell == "feature-crf"]
    assert len(trials) == 3 and trials[0].settings == {"penalty": None, "minimum_count": 2}
    figures = [trial.validation["span_f1"] for trial in trials]
    assert [trial.chosen for trial in trials].index(True) == figures.index(max(figures))
    (crf,) = [model for model in record.models if model.name == "feature-crf"]
    assert crf.settings == next(trial.settings for trial in trials if trial.chosen)
    of_cell = [trial for trial in record.tuning if trial.cell == "rnn"]
    losses = [trial.validation["loss"] for trial in of_cell]
    assert [trial.chosen for trial in of_cell].index(True) == losses.index(min(losses))


def test_plain_tags_are_judged_by_accuracy(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [[(word, "NAME" if tag != "O" else "REST") for word, tag in row] for row in sentences()]
    file = write(tmp_path / "speech.pos", rows)
    output = called(
        ["train", file, "--hidden", "8", "--epochs", "2", "--threads", "1", "--out", tmp_path / "run"], capsys
    )
    assert "validation accuracy" in output and "span F1" not in output
    assert json.loads(called(["predict", tmp_path / "run", "Anna wohnt", "--json"], capsys))["entities"] == []
    tagged = called(["predict", tmp_path / "run", "Anna wohnt"], capsys)
    assert "Anna/" in tagged and "wohnt/" in tagged
    kind = kind_of("tagging")
    dataset = kind.load(TaggingDataSpec(str(file)))
    words, share = kind.judgement(dataset).trivial or ("", 0.0)
    assert words == "always predicting 'REST'" and 0.4 < share < 0.8


def test_predictions_are_written_to_a_file(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "letters.txt").write_text("Anna wohnt in Graz .\nPiotr wohnt in Ulm .\n")
    words: list[object] = ["predict", run, "--file", tmp_path / "letters.txt", "--out"]
    assert called([*words, tmp_path / "letters.conll"], capsys) == ""
    blocks = (tmp_path / "letters.conll").read_text().strip().split("\n\n")
    assert [[line.split()[0] for line in block.split("\n")] for block in blocks] == [
        ["Anna", "wohnt", "in", "Graz", "."],
        ["Piotr", "wohnt", "in", "Ulm", "."],
    ]
    assert all(len(line.split()) == 2 for block in blocks for line in block.split("\n"))
    called([*words, tmp_path / "letters.jsonl"], capsys)
    answers = [json.loads(line) for line in (tmp_path / "letters.jsonl").read_text().splitlines()]
    assert [answer["text"] for answer in answers] == ["Anna wohnt in Graz .", "Piotr wohnt in Ulm ."]
    called([*words, tmp_path / "letters.txt"], capsys, code=2)
    assert (tmp_path / "letters.txt").read_text().startswith("Anna wohnt")


def test_a_file_of_columns_is_read_as_such(
    run: Path, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["predict", str(run), "--file", str(file), "--json"])
    captured = capsys.readouterr()
    answers = [json.loads(line) for line in captured.out.splitlines()]
    assert "has a word and its tag a line" in captured.err
    assert [answer["words"] for answer in answers] == [[word for word, _ in row] for row in sentences()]
    assert answers[0]["text"] == " ".join(word for word, _ in sentences()[0])
    for answer in answers:
        for (start, end), word in zip(answer["offsets"], answer["words"], strict=True):
            assert answer["text"][start:end] == word
    called(["predict", run, "--file", file, "--out", tmp_path / "tagged.conll"], capsys)
    assert [line.split(" ")[0] for line in (tmp_path / "tagged.conll").read_text().splitlines() if line] == [
        word for row in sentences() for word, _ in row
    ]


def test_the_estimator_works_as_scikit_learn_expects(tmp_path: Path) -> None:
    rows = sentences()
    words, tags = [[word for word, _ in row] for row in rows], [[tag for _, tag in row] for row in rows]
    tagger = SequenceTagger("lstm", **{**SMALL, "epochs": 6}).fit(words, tags)
    assert tagger.score(words, tags) > 0.8
    loaded = SequenceTagger.load(tagger.save(tmp_path / "run"))
    assert loaded.get_params() == tagger.get_params() == clone(tagger).get_params()
    assert loaded.predict(words[:3]) == tagger.predict(words[:3])
    (text,) = loaded.predict_texts(["Anna wohnt in Ulm ."])
    assert text.words[0] == "Anna"
    with pytest.raises(DataError, match="sentence 1 does not fit its tags"):
        tagger.fit([["a"], ["b", "c"]], [["O"], ["O"]])
    with pytest.raises(DataError, match="is a string"):
        tagger.predict(["not cut"])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("Anna B-PER\nwohnt O\n" * 30, "one sentence of 60 words.*blank line"),
        ("Anna B-PER O\nwohnt O\n\n" * 30, "line"),
        ("".join(f"Anna{n} B-PER\n\nUlm{n} Q-LOC\n\n" for n in range(30)), "line 3: tag 'Q-LOC'"),
        ("", "is empty"),
        ("Anna\n\nUlm\n\n" * 30, "column"),
    ],
)
def test_files_that_cannot_be_used_are_refused_with_their_place(
    content: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import re

    (tmp_path / "bad.conll").write_text(content)
    error = called(["train", tmp_path / "bad.conll", "--epochs", "1", "--out", tmp_path / "run"], capsys, code=2)
    assert re.search(words, error, re.DOTALL) and "bad.conll" in error and "Traceback" not in error
    assert not (tmp_path / "run" / "spec.json").exists()


def test_an_unseen_tag_in_a_test_file_is_named(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "new.conll").write_text("Anna B-PER\nfragt O\n\nSiemens B-ORG\n")
    error = called(["evaluate", run, tmp_path / "new.conll"], capsys, code=2)
    assert "line 4" in error and "'B-ORG'" in error


def test_a_broken_span_is_repaired_aloud(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "new.conll").write_text("Anna B-PER\nfragt O\nUlm I-LOC\n")
    figures = json.loads(called(["evaluate", run, tmp_path / "new.conll", "--json"], capsys))
    assert any("line 3" in note for note in figures["notes"]) and figures["spans"] == 2


def test_columns_do_not_go_with_the_known_data_set() -> None:
    with pytest.raises(OptionError, match="--tags does not go with the known data set"):
        make_spec("tagging", "conll2003", {"tags": "2"})


def test_both_stacks_are_looked_into(run: Path, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from gatewise.comparison.cost.cost import measure_cost, multiply_adds_per_step
    from gatewise.comparison.cost.samplers import StreamingSampler

    trained, dataset = load_run(run), load_tagging(TaggingDataSpec(str(file)))
    stacks = trained.stacks(dataset, 3, 4)
    assert list(stacks) == ["words", "characters"]
    for stack in stacks.values():
        assert stack.inputs.shape[0] <= 4 and stack.lengths is not None and int(stack.lengths.max()) <= 4
        inputs = stack.inputs.clone().requires_grad_(True)
        stack.recurrent(inputs, lengths=stack.lengths)[0].sum().backward()
        assert inputs.grad is not None and inputs.grad.abs().sum() > 0
    cost = measure_cost(trained, dataset, run)
    whole = trained.stacks(dataset, 1, 256)
    words, characters = (multiply_adds_per_step(stack.recurrent) for stack in whole.values())
    steps = [int(stack.lengths.sum()) for stack in whole.values() if stack.lengths is not None]
    assert steps[1] > steps[0]
    assert cost["multiply_adds_per_step"] == round(words + characters * steps[1] / steps[0])
    assert "backward direction" in (StreamingSampler(list(whole.values())).reason or "")
    assert "GRU, characters, trained" in called(["inspect", run, "--steps", "5", "--sequences", "4"], capsys)
    curves = json.loads(called(["inspect", run, "--steps", "5", "--sequences", "4", "--json"], capsys))
    assert set(curves[str(run)]["stacks"]) == {"characters"}


def test_an_embedding_size_that_contradicts_the_vectors_is_refused(file: Path, tmp_path: Path) -> None:
    (tmp_path / "v.txt").write_text("wohnt 1 2 3\nin 4 5 6\n")
    settings = SMALL | {"embeddings": str(tmp_path / "v.txt")}
    spec = make_spec("tagging", str(file), settings)
    with pytest.raises(OptionError, match="--embedding-size 8 does not go with word vectors of 3 numbers"):
        train_run(spec, load_tagging(spec.data), tmp_path / "run")


def test_wrong_files_and_arguments_are_named(file: Path, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DataError, match=r"every sentence of .* is in the test or validation file too"):
        load_tagging(TaggingDataSpec(str(file), test=str(file)))
    (file.parent / "empty.txt").write_text("")
    assert "a text a line" in called(["predict", run, "--file", file.parent / "empty.txt"], capsys, code=2)
    with pytest.raises(DataError, match="one text was given"):
        load_run(run).tag_texts("Jürgen")


def test_standard_input_in_another_encoding_is_one_error(
    run: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"J\xfcrgen\n"), encoding="utf-8"))
    assert "standard input is not UTF-8" in called(["predict", run], capsys, code=2)


def test_every_line_has_an_answer_also_a_blank_one(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new.txt").write_text("Jürgen wohnt in Bonn\n\n\u00a0\nBonn\n")
    _, out, err = ran(["predict", run, "--file", tmp_path / "new.txt", "--json"], capsys)
    assert [len(json.loads(line)["words"]) for line in out.splitlines()] == [4, 0, 0, 1]
    assert "2 of 4 lines are blank (lines 2, 3): an empty answer there" in err
    assert len(called(["predict", run, "--file", tmp_path / "new.txt"], capsys).split("\n")) == 5
    (tmp_path / "blank.txt").write_text("\u00a0\n")
    assert "there is no text to tag" in called(["predict", run, "--file", tmp_path / "blank.txt"], capsys, code=2)


def test_vectors_from_cooccurrences_are_refused_with_the_choices(file: Path) -> None:
    for value in (None, "random"):
        assert load_tagging(TaggingDataSpec(str(file), embeddings=value)).vectors is None
    with pytest.raises(OptionError, match="for classifiers; expected: random, or a text file"):
        load_tagging(TaggingDataSpec(str(file), embeddings="cooccurrence"))


def test_evaluate_says_which_sentences_were_trained_on(
    run: Path, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sizes = load_tagging(TaggingDataSpec(str(file))).sizes
    out = " ".join(called(["evaluate", run, file], capsys).split())
    assert (
        f"Warning: {sizes['train']} of 60 sentences were in the training part and {sizes['validation']} in the" in out
    )
    assert f"Of the {sizes['test']} other sentences alone: span F1" in out
    record = json.loads(called(["evaluate", run, file, "--json"], capsys))
    assert (record["in_training"], record["in_validation"]) == (sizes["train"], sizes["validation"])
    assert 0 <= record["others"]["span_f1"] <= 1
    new = write(tmp_path / "new.conll", [[("Maria", "B-PER"), ("schreibt", "O"), ("nach", "O"), ("Graz", "B-LOC")]] * 2)
    assert "Warning" not in called(["evaluate", run, new], capsys)
