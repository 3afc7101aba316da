"""Settings that no run can have: each refused by its name."""

from __future__ import annotations

import math

import pytest

from gatewise.errors import DataError, OptionError, RunError
from gatewise.kinds.classification.spec import DataSpec, ModelSpec
from gatewise.training import RunSpec, TrainingSpec
from gatewise.training.registry import task_of


@pytest.mark.parametrize(
    "wrong",
    [
        {"hidden_size": -3},
        {"hidden_size": 2.5},
        {"hidden_size": True},
        {"num_layers": 0},
        {"dropout": 1.0},
        {"dropout": math.nan},
        {"word_dropout": -0.1},
        {"pooling": "average"},
        {"cell": "gur"},
        {"max_tokens": 1},
        {"vocabulary_size": 2},
        {"bidirectional": 1},
    ],
)
def test_wrong_model_options(wrong):
    with pytest.raises(OptionError) as caught:
        ModelSpec(**wrong)
    assert next(iter(wrong)) in str(caught.value)


@pytest.mark.parametrize(
    "wrong",
    [
        {"epochs": 0},
        {"batch_size": -1},
        {"learning_rate": 0.0},
        {"learning_rate": math.inf},
        {"clip_norm": -1.0},
        {"patience": 0},
        {"seed": -1},
        {"threads": 0},
        {"schedule": "steps"},
        {"averaging": 1.0},
        {"device": "abacus"},
    ],
)
def test_wrong_training_options(wrong):
    with pytest.raises(OptionError) as caught:
        TrainingSpec(**wrong)
    assert next(iter(wrong)) in str(caught.value)


@pytest.mark.parametrize("wrong", [{"data": " "}, {"text": 3}, {"download": "yes"}])
def test_wrong_data_options(wrong):
    with pytest.raises(OptionError):
        DataSpec(**wrong)


@pytest.mark.parametrize(
    "record",
    [
        [],
        {},
        {"format_version": "1"},
        {"format_version": 1, "model": 3},
        {"format_version": 1, "model": {"hiden_size": 3}},
        {"format_version": 1, "colour": "red"},
        {"format_version": 1, "training": {"epochs": -1}},
        {"format_version": 1, "task": "poetry"},
    ],
)
def test_damaged_spec(record):
    with pytest.raises(RunError):
        RunSpec.from_dict(record)


def test_a_file_that_is_not_there_is_said_so_whatever_its_ending(tmp_path):
    (tmp_path / "reviews.csv").write_text("text,label\n")
    with pytest.raises(DataError, match=r"reviews\.cvs does not exist; fix: did you mean '.*reviews\.csv'"):
        task_of(str(tmp_path / "reviews.cvs"))


def test_a_kind_that_nobody_registered_comes_with_the_import(tmp_path):
    """Where a name is unknown, and where no kind reads a file."""
    advice = "a kind of problem of your own has to be registered: --import its module"
    with pytest.raises(OptionError, match="there is no task 'walking'") as caught:
        task_of("walks.npz", task="walking")
    assert advice in str(caught.value)
    (tmp_path / "walks.npz").write_bytes(b"PK")
    with pytest.raises(OptionError, match="not clear which kind of problem") as caught:
        task_of(str(tmp_path / "walks.npz"))
    assert advice in str(caught.value)
    with pytest.raises(OptionError, match="there is no pooling") as caught:
        ModelSpec(pooling="average")
    assert "registered" not in str(caught.value)
