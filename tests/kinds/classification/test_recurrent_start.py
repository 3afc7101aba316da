"""The factor of the recurrent layers' weights before training: whose it is, and what runs of before it keep."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch

from gatewise.errors import OptionError, RunError
from gatewise.kinds.classification.kind import ClassificationKind
from gatewise.kinds.classification.pretraining import pretraining_run
from gatewise.kinds.classification.spec import DataSpec, ModelSpec, PretrainingSpec
from gatewise.training import RunSpec, TrainingSpec, load_run, train_run

SMALL = {"hidden_size": 6, "embedding_size": 5, "embeddings": "random"}


@pytest.fixture
def dataset(tmp_path):
    path = tmp_path / "moods.csv"
    rows = [f"{word} {n},{mood}" for n in range(12) for word, mood in (("fine", "glad"), ("poor", "sad"))]
    path.write_text("text,label\n" + "\n".join(rows) + "\n")
    return ClassificationKind().load(DataSpec(str(path)))


def run_of(dataset, **model):
    return RunSpec(
        data=DataSpec(dataset.source), model=ModelSpec(**SMALL, **model), training=TrainingSpec(epochs=1, threads=1)
    )


def start_of(dataset, **model):
    torch.manual_seed(3)
    network = ClassificationKind().problem(run_of(dataset, **model), dataset).model
    return {name: value.detach() for name, value in network.named_parameters()}


@pytest.mark.parametrize("bidirectional", [False, True])
def test_an_rnn_starts_smaller_and_all_else_as_it_was_drawn(dataset, bidirectional):
    drawn = start_of(dataset, cell="rnn", num_layers=2, bidirectional=bidirectional, recurrent_start=1.0)
    smaller = start_of(dataset, cell="rnn", num_layers=2, bidirectional=bidirectional)
    scaled = {name for name in drawn if "weight_ih" in name or "weight_hh" in name}
    assert len(scaled) == 4 * (2 if bidirectional else 1)
    for name, value in drawn.items():
        assert torch.equal(smaller[name], value * 0.4 if name in scaled else value), name
        assert value.abs().sum() > 0


@pytest.mark.parametrize("cell", ["lstm", "gru", "mingru", "minlstm"])
def test_other_cells_start_as_they_did(dataset, cell):
    drawn, now = start_of(dataset, cell=cell, recurrent_start=1.0), start_of(dataset, cell=cell)
    assert all(torch.equal(now[name], value) for name, value in drawn.items())


def test_what_follows_from_cell_and_pooling():
    assert ModelSpec(cell="rnn", pooling="mean").recurrent_factor == 0.4
    # only the last step's state is read: it has to come from far
    assert ModelSpec(cell="rnn", pooling="last").recurrent_factor == 1.0
    assert ModelSpec(cell="rnn", recurrent_start=0.7).recurrent_factor == 0.7
    assert ModelSpec(cell="gru", recurrent_start=0.7).recurrent_factor == 0.7
    with pytest.raises(OptionError, match="recurrent_start is out of range"):
        ModelSpec(recurrent_start=-0.1)


def test_a_gru_of_before_the_setting_is_the_same_run_and_an_rnn_names_the_option(dataset, tmp_path):
    for cell in ("gru", "rnn"):
        spec = run_of(dataset, cell=cell, recurrent_start=1.0)
        folder = tmp_path / cell
        before = train_run(spec, dataset, folder)
        answers = load_run(folder).predict_proba(["fine 3", "poor 4"])
        for name, key in (("spec.json", "model"), ("result.json", None)):
            record = json.loads((folder / name).read_text())
            del (record[key] if key else record)["recurrent_start" if key else "checksums"]
            (folder / name).write_text(json.dumps(record))
        assert np.array_equal(load_run(folder).predict_proba(["fine 3", "poor 4"]), answers)
        now = dataclasses.replace(spec, model=dataclasses.replace(spec.model, recurrent_start=None))
        if cell == "gru":
            assert train_run(now, dataset, folder).best_epoch == before.best_epoch
        else:
            with pytest.raises(RunError, match="holds another run") as caught:
                train_run(now, dataset, folder)
            assert "--recurrent-start 1.0" in caught.value.fix


def test_the_language_model_of_a_classifier_does_not_depend_on_it():
    first, other = (
        RunSpec(DataSpec("imdb"), ModelSpec(cell="rnn", recurrent_start=start), pretraining=PretrainingSpec())
        for start in (None, 0.2)
    )
    assert pretraining_run(first) == pretraining_run(other)
    assert pretraining_run(first).model.recurrent_start == 1.0
