"""`gatewise evaluate` says which texts of a file were trained on, and how the network does on the others."""

from __future__ import annotations

import csv
import json
import shutil

import pytest

from commands import ran
from gatewise import TextClassifier, load_run
from gatewise.cli import main
from gatewise.data.seen import Seen
from gatewise.errors import RunError
from gatewise.kinds.classification.loading import load_text
from small_data import FLAGS, write_reviews


def called(words, capsys, code=0):
    left, out, err = ran(words, capsys)
    assert left == code, err
    return " ".join(out.split()), err


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_reviews(tmp_path_factory.mktemp("data") / "reviews.csv", rows=60)


@pytest.fixture(scope="module")
def run(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("run") / "gru"
    with pytest.raises(SystemExit):
        main(["train", str(data), "--text", "review", "--label", "mood", *FLAGS, "--out", str(folder)])
    return folder


def write(path, texts, labels):
    with path.open("w", newline="") as stream:
        csv.writer(stream).writerows([("review", "mood"), *zip(texts, labels, strict=True)])
    return path


def test_the_file_itself_is_recognised_whatever_its_case(run, data, tmp_path, capsys):
    dataset = load_text(data, text="review", label="mood")
    sizes = dataset.sizes
    network = load_run(run)
    labels = [dataset.label_names[label] for label in dataset.test.labels]
    alone = network.evaluate(dataset.test.texts, labels).accuracy
    texts = [t.upper() + "!" for part in (dataset.train, dataset.validation) for t in part.texts] + list(
        dataset.test.texts
    )
    names = [dataset.label_names[n] for part in (dataset.train, dataset.validation, dataset.test) for n in part.labels]
    file = write(tmp_path / "all.csv", texts, names)
    out, _ = called(["evaluate", run, file], capsys)
    assert out.startswith(
        f"Warning: {sizes['train']} of {len(texts)} texts were in the training part and {sizes['validation']} in the "
        "validation part (word for word): the figure may be too good. "
        f"Of the {sizes['test']} other texts alone: accuracy {100 * alone:.1f} %."
    )
    assert out.index("Warning") < out.index("macro-F1")
    record = json.loads(called(["evaluate", run, file, "--json"], capsys)[0])
    assert (record["in_training"], record["in_validation"]) == (sizes["train"], sizes["validation"])
    assert record["others"]["accuracy"] == pytest.approx(alone) and record["others"]["n"] == sizes["test"]


def test_new_texts_are_measured_without_a_word(run, data, tmp_path, capsys):
    dataset = load_text(data, text="review", label="mood")
    file = write(tmp_path / "new.csv", dataset.test.texts, [dataset.label_names[n] for n in dataset.test.labels])
    out, err = called(["evaluate", run, file], capsys)
    assert "Warning" not in out + err and "trained on" not in out + err
    record = json.loads(called(["evaluate", run, file, "--json"], capsys)[0])
    assert (record["in_training"], record["in_validation"], record["others"]) == (0, 0, None)


def test_a_file_of_training_texts_alone_has_no_others(run, data, tmp_path, capsys):
    dataset = load_text(data, text="review", label="mood")
    file = write(tmp_path / "old.csv", dataset.train.texts, [dataset.label_names[n] for n in dataset.train.labels])
    out, _ = called(["evaluate", run, file], capsys)
    assert "be too good. There is no other text in the file." in out


def test_a_run_without_the_file_cannot_tell_and_a_changed_one_is_refused(run, data, tmp_path, capsys):
    old = shutil.copytree(run, tmp_path / "old")
    result = json.loads((old / "result.json").read_text())
    assert set(result["checksums"]) >= {"seen.json", "vocabulary.json"}
    (old / "seen.json").unlink()
    del result["checksums"]["seen.json"]
    (old / "result.json").write_text(json.dumps(result))
    _, err = called(["evaluate", old, data], capsys)
    assert "does not hold which texts it was trained on" in err
    record = json.loads(called(["evaluate", old, data, "--json"], capsys)[0])
    assert record["in_training"] is None and record["others"] is None
    changed = shutil.copytree(run, tmp_path / "changed")
    (changed / "seen.json").write_text("{}")
    assert "was changed after the training" in called(["evaluate", changed, data], capsys, code=2)[1]


def test_the_record_is_small_and_holds_no_text(run, data):
    dataset = load_text(data, text="review", label="mood")
    content = (run / "seen.json").read_text()
    count = sum(dataset.sizes[part] for part in ("train", "validation"))
    assert len(content) < 11 * count + 200
    assert not any(text in content for text in dataset.train.texts)
    for damaged in ({}, {"training": "a", "validation": ""}, {"training": 3, "validation": ""}):
        with pytest.raises(RunError, match="damaged"):
            Seen.from_dict(damaged)


def test_a_saved_estimator_knows_its_texts_and_keeps_groups_apart(tmp_path, capsys):
    texts = [f"{word} film seen on day {n}" for n in range(24) for word in ("good", "bad")]
    classifier = TextClassifier(hidden_size=4, embedding_size=4, epochs=1, batch_size=8, threads=1)
    classifier.fit(texts, ["glad", "sad"] * 24, groups=[n // 4 for n in range(48)])
    folder = classifier.save(tmp_path / "run")
    seen = load_run(folder).seen
    overlap = seen.overlap(texts)
    assert overlap.training.sum() + overlap.validation.sum() == 48 and overlap.validation.sum() in (4, 8)
    held = {n // 4 for n in range(48) if overlap.validation[n]}
    assert all(overlap.validation[n] == (n // 4 in held) for n in range(48))
