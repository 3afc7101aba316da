"""What an embedding starts from: fitted on the training part alone, kept in the run, part of its identity."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from gatewise.comparison.run.trials import trial_key
from gatewise.data import Split
from gatewise.errors import GatewiseError, OptionError
from gatewise.kinds.classification.kind import ClassificationKind
from gatewise.kinds.classification.preparation import prepare_texts, starting_vectors
from gatewise.kinds.classification.spec import DataSpec
from gatewise.training import load_run, train_run
from gatewise.training.assembly import make_spec
from gatewise.training.run_spec import RunSpec

TINY = {"hidden_size": 6, "embedding_size": 4, "epochs": 1, "threads": 1}


@pytest.fixture
def table(tmp_path):
    lines = ["text,label"]
    for number in range(120):
        mood = ("good", "fine", "warm") if number % 2 else ("bad", "poor", "cold")
        lines.append(
            f"the {mood[number % 3]} and {mood[number // 3 % 3]} film number{number % 7} {number},{number % 2}"
        )
    (tmp_path / "a.csv").write_text("\n".join(lines) + "\n")
    return tmp_path / "a.csv"


def start(dataset, embeddings="cooccurrence"):
    vocabulary = prepare_texts(dataset, 20_000, 256).vocabulary
    return starting_vectors(dataset, vocabulary, embeddings, 4)


def test_only_the_training_part_is_counted(table):
    dataset = ClassificationKind().load(DataSpec(str(table)))
    other = Split(("quite another text", "and another"), np.array([0, 1]))
    changed = dataclasses.replace(dataset, validation=other, test=other, fingerprint="other")
    assert start(changed).values.tobytes() == start(dataset).values.tobytes()


def test_the_network_starts_from_them(table):
    spec = make_spec("classification", str(table), TINY)
    assert spec.model.embeddings == "cooccurrence"
    dataset = ClassificationKind().load(spec.data)
    weight = ClassificationKind().problem(spec, dataset).model.embedding.weight.detach().numpy()
    assert weight.tobytes() == start(dataset).values.tobytes()
    random = make_spec("classification", str(table), {**TINY, "embeddings": "random"})
    drawn = ClassificationKind().problem(random, dataset).model.embedding.weight.detach().numpy()
    assert not np.array_equal(drawn, weight) and not drawn[0].any()


def test_a_run_needs_its_file_of_vectors_only_to_train(table, tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("film 1 2 3 4\ngood 1 1 1 1\nbad -1 -1 -1 -1\n")
    spec = make_spec("classification", str(table), {**TINY, "embeddings": str(path)})
    dataset = ClassificationKind().load(spec.data)
    events = []
    result = train_run(spec, dataset, tmp_path / "run", on_event=events.append)
    assert any("for 3 of" in note and "the others start random" in note for note in events[0].notes)
    path.unlink()
    assert load_run(result.folder).predict_proba(["a good film"]).shape == (1, 2)
    with pytest.raises(GatewiseError, match="there is no file"):
        train_run(spec, dataset, tmp_path / "again")


def test_runs_of_before_the_setting_started_at_random(table):
    record = make_spec("classification", str(table), TINY).to_dict()
    del record["model"]["embeddings"]
    assert RunSpec.from_dict(json.loads(json.dumps(record))).model.embeddings == "random"


def test_a_trial_is_identified_by_the_content_of_the_file(table, tmp_path):
    first, second = tmp_path / "a.txt", tmp_path / "b.txt"
    first.write_text("film 1 2 3 4\n")
    second.write_text("film 1 2 3 4\n")

    def key(path):
        return trial_key(make_spec("classification", str(table), {**TINY, "embeddings": str(path)}), "f", "1")

    assert key(first) == key(second)
    second.write_text("film 4 3 2 1\n")
    assert key(first) != key(second)


def test_pretraining_starts_from_random_vectors_unless_given(table):
    spec = make_spec("classification", str(table), {**TINY, "pretrain": True})
    assert spec.model.embeddings == "random"
    chosen = make_spec("classification", str(table), {**TINY, "pretrain": True, "embeddings": "cooccurrence"})
    dataset = ClassificationKind().load(spec.data)
    first = ClassificationKind().phases(chosen, dataset)[0]
    weight = first.problem().model.embedding.weight.detach().numpy()
    assert weight.tobytes() == start(dataset).values.tobytes()


def test_vectors_of_another_width_and_misspelt_choices_are_refused(table, tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("film 1 2 3\n")
    dataset = ClassificationKind().load(DataSpec(str(table)))
    with pytest.raises(OptionError, match=r"got: 3 numbers; fix: --embedding-size 3"):
        start(dataset, str(path))
    with pytest.raises(OptionError, match="did you mean 'cooccurrence'"):
        start(dataset, "coocurrence")
