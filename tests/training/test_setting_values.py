"""The message about a value that cannot be used says which ones can, for every option of every kind."""

from __future__ import annotations

import pytest

from gatewise.errors import OptionError
from gatewise.training.registry import kinds
from gatewise.training.settings import Setting, setting_value, settings_of
from gatewise.training.spec import TrainingSpec


def numbers() -> list[Setting]:
    specs = {TrainingSpec}
    for kind in kinds():
        specs |= {kind.data_spec, kind.model_spec, kind.pretraining_spec or TrainingSpec}
    every = [entry for spec in specs for entry in settings_of(spec).values()]
    return [entry for entry in every if entry.kind in (int, float) and entry.choices is None]


def test_a_value_out_of_range_is_answered_with_the_range():
    found = numbers()
    assert {"epochs", "dropout", "learning_rate", "hidden_size"} <= {entry.name for entry in found}
    for entry in found:
        with pytest.raises(OptionError) as caught:
            entry.check(-1_000_000)
        least = f"{entry.minimum or 0:g}"
        assert entry.values in caught.value.fix and least in entry.values, entry.name
        assert (entry.below is None) or f"below {entry.below:g}" in caught.value.fix
        with pytest.raises(OptionError) as caught:
            setting_value(entry, "many")
        assert entry.values in caught.value.fix, entry.name


def test_the_words_of_a_range():
    settings = settings_of(TrainingSpec)
    with pytest.raises(OptionError, match=r"fix: give --epochs a whole number of at least 1$"):
        settings["epochs"].check(0)
    with pytest.raises(OptionError, match=r"fix: give --learning-rate a number above 0$"):
        settings["learning_rate"].check(0)
