"""Each kind's baselines state their search space: the default is the shipped one, and other values change the model."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatewise.errors import OptionError
from gatewise.training.assembly import make_spec
from gatewise.training.kind import Baseline
from gatewise.training.registry import kind_of
from small_data import write_reviews
from small_pictures import write_noise

TUNED = {
    "classification": ["tfidf-logistic-regression"],
    "forecasting": ["ridge"],
    "language-modelling": ["kneser-ney"],
    "tagging": ["feature-crf"],
    "translation": ["word-by-word"],
    "captioning": ["nearest-neighbour"],
    "probe": [],
}


def write_data(task: str, folder: Path) -> tuple[str, dict[str, Any]]:
    """A small data set of a kind: its name and settings."""
    random = np.random.default_rng(3)
    if task == "classification":
        return str(write_reviews(folder / "reviews.csv", rows=120)), {"text": "review", "label": "mood"}
    if task == "forecasting":
        values = np.sin(np.arange(160) / 3) + 0.2 * random.normal(size=160).cumsum()
        lines = ["value", *(f"{value:.4f}" for value in values)]
        (folder / "series.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return str(folder / "series.csv"), {"target": "value", "horizon": 2, "lookback": 16}
    if task == "language-modelling":
        words = [f"w{number}" for number in range(20)]
        lines = [" ".join(words[place % 20] for place in random.zipf(1.6, size=9) % 400) for _ in range(120)]
        (folder / "text.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return str(folder / "text.txt"), {}
    if task == "tagging":
        names = [f"{start}{end}" for start in ("Bo", "Ro", "Tri", "Ha", "Ko") for end in ("nn", "me", "er", "lle")]
        sentences = []
        for _ in range(80):
            chosen = [str(name) for name in random.choice(names, size=4)]
            rows = [(name, "B-LOC" if random.random() < 0.2 + 0.6 * ("o" in name) else "O") for name in chosen]
            sentences.append("\n".join(f"{word} {tag}" for word, tag in rows))
        (folder / "tags.conll").write_text("\n\n".join(sentences) + "\n", encoding="utf-8")
        return str(folder / "tags.conll"), {}
    if task == "captioning":
        return str(write_noise(folder / "own")), {"image_size": 12, "vocabulary_size": 300}
    if task == "translation":
        rows = []
        for _ in range(150):
            words = random.zipf(1.5, size=6) % 25
            ours = [f"{'W' if random.random() < 0.3 else 'w'}{word}" for word in words]
            # a word has two translations or none, words share some, and one stands in every translation
            theirs = [f"t{(word + random.integers(2)) // 2}" for word in words if word % 5]
            theirs += ["f", f"f{random.integers(3)}"]
            rows.append(f"{' '.join(ours)}\t{' '.join(theirs)}")
        (folder / "pairs.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
        return str(folder / "pairs.tsv"), {"vocabulary_size": 300}
    return "adding", {"length": 10, "examples": 100}


def load(task: str, folder: Path) -> tuple[list[Baseline], Any]:
    name, settings = write_data(task, folder)
    spec = make_spec(task, name, settings)
    kind = kind_of(task)
    return list(kind.baselines(spec.data)), kind.load(spec.data)


@pytest.mark.parametrize("task", list(TUNED))
def test_defaults_are_the_shipped_baseline_and_other_values_change_it(task: str, tmp_path: Path) -> None:
    baselines, dataset = load(task, tmp_path)
    measure = kind_of(task).measure(dataset)
    assert [each.name for each in baselines if each.search_space(dataset)] == TUNED[task]
    for baseline in baselines:
        space = baseline.search_space(dataset)
        if not space:
            continue
        assert all(len(set(values)) == len(values) > 1 for values in space.values())
        baseline.fit(dataset)
        shipped = baseline.test(dataset, "validation").contributions
        first = baseline.configured({name: values[0] for name, values in space.items()})
        first.fit(dataset)
        assert np.array_equal(first.test(dataset, "validation").contributions, shipped)
        for name, values in space.items():
            changed = []
            for value in dict.fromkeys((values[1], values[-1])):
                other = baseline.configured({name: value})
                other.fit(dataset)
                found = other.test(dataset, "validation")
                assert np.isfinite(found.metrics[measure.name])
                changed.append(
                    other.parameters != baseline.parameters or not np.array_equal(found.contributions, shipped)
                )
            assert any(changed), f"{name} changes nothing"
        assert math.prod(len(values) for values in space.values()) >= 12


def test_unknown_settings_are_refused(tmp_path: Path) -> None:
    (tfidf,), dataset = load("classification", tmp_path)
    with pytest.raises(OptionError, match="has no setting depth"):
        tfidf.configured({"depth": 2}).fit(dataset)


def test_the_order_is_in_the_title(tmp_path: Path) -> None:
    (counted, _), dataset = load("language-modelling", tmp_path)
    bigram = counted.configured({"order": 2})
    bigram.fit(dataset)
    assert (counted.title, bigram.full_title) == ("Kneser-Ney 5-gram", "Kneser-Ney 2-gram")
