"""Class weights and sample weights change the training loss, and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_sample_weight

from gatewise import TextClassifier
from gatewise.errors import DataError, OptionError
from gatewise.kinds.classification.weighting import kept_weights, training_weights
from gatewise.training.assembly import make_spec

SMALL = {
    "hidden_size": 6, "embedding_size": 6, "epochs": 6, "patience": 6, "batch_size": 16, "learning_rate": 0.03,
    "threads": 1, "dropout": 0.0, "word_dropout": 0.0,
}  # fmt: skip


def moods(rare=12, usual=228, seed=1):
    """Texts in which one word hints at the rare class, and at a tenth of the usual ones, too."""
    chance = np.random.default_rng(seed)
    texts, labels = [], []
    for number in range(rare + usual):
        is_rare = number < rare
        hint = "odd" if is_rare or chance.random() < 0.1 else "plain"
        texts.append(f"a {hint} film {chance.integers(10**9)}")
        labels.append("rare" if is_rare else "usual")
    return texts, labels


def test_balanced_is_as_in_scikit_learn():
    labels = np.array([0] * 90 + [1] * 9 + [2])
    found = training_weights(labels, 3, "balanced")
    assert np.allclose(found, compute_sample_weight("balanced", labels))
    assert found.mean() == pytest.approx(1.0)
    assert training_weights(labels, 3, "none") is training_weights(labels, 3, None) is None


def test_sample_weights_are_relative_and_go_with_balanced():
    labels = np.array([0, 0, 1])
    assert training_weights(labels, 2, None, np.array([2.0, 2.0, 2.0])).tolist() == [1, 1, 1]
    both = training_weights(labels, 2, "balanced", np.array([1.0, 3.0, 5.0]))
    assert both[:2].sum() == pytest.approx(both[2]) and both[1] == pytest.approx(3 * both[0])


def test_the_loss_is_weighted_and_the_reported_one_is_not():
    from gatewise.data.records import Split, TextDataset
    from gatewise.kinds.classification.trained import problem_of

    texts, labels = moods(4, 12)
    part = Split(tuple(texts), np.array([label == "usual" for label in labels], dtype=np.int64))
    dataset = TextDataset("moods", "here", "-", ("rare", "usual"), part, part, part, "weighting")
    found = {}
    for name in ("none", "balanced"):
        torch.manual_seed(0)
        given = {key: value for key, value in SMALL.items() if key != "batch_size"}
        problem = problem_of(make_spec("classification", "moods", {**given, "class_weight": name}), dataset)
        problem.begin_epoch(1)
        found[name] = problem.loss(0)
        scores = problem.model(*(lambda b: (torch.from_numpy(b.values), torch.from_numpy(b.lengths)))(
            problem.train.batch(np.arange(16))
        ))  # fmt: skip
        each = torch.nn.functional.cross_entropy(scores, problem.train_labels, reduction="none")
        weights = torch.tensor([2.0] * 4 + [2 / 3] * 12) if name == "balanced" else torch.ones(16)
        assert found[name].loss.item() == pytest.approx((weights * each).mean().item(), rel=1e-5)
        assert found[name].value.item() == pytest.approx(each.mean().item(), rel=1e-5)
    assert found["none"].value.item() == found["balanced"].value.item()


def test_balanced_finds_more_of_the_rare_class():
    texts, labels = moods()
    new, truth = moods(seed=2)
    recall = {}
    for weight in ("none", None, "balanced"):
        classifier = TextClassifier(class_weight=weight, **SMALL).fit(texts, labels)
        recall[weight] = np.mean(classifier.predict(new)[np.array(truth) == "rare"] == "rare")
    assert recall["none"] == recall[None] == 0.0
    assert recall["balanced"] > 0.9


def test_sample_weight_decides_what_is_learnt():
    texts = [f"film {n}" for n in range(60)]
    labels = ["a", "b"] * 30
    weights = np.array([1.0, 9.0] * 30)
    heavy = TextClassifier(**SMALL).fit(texts, labels, sample_weight=weights)
    light = TextClassifier(**SMALL).fit(texts, labels, sample_weight=10 - weights)
    new = [f"film {n}" for n in range(100, 120)]
    assert (heavy.predict(new) == "b").all() and (light.predict(new) == "a").all()
    same = TextClassifier(**SMALL).fit(texts, labels, sample_weight=[3] * 60)
    plain = TextClassifier(**SMALL).fit(texts, labels)
    assert np.allclose(same.predict_proba(new), plain.predict_proba(new), atol=1e-6)


def test_weights_of_repeated_texts_are_added():
    assert kept_weights([1, 2, 3, 4], ["a", "b", "a ", "c"], ["c", "a"]).tolist() == [4, 4]
    assert kept_weights(None, ["a"], ["a"]) is None


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([1.0], "do not fit"),
        ([1.0, -1.0], "no weight at place 1"),
        ([float("nan"), 1.0], "no weight at place 0"),
        ([0, 0], "weight 0"),
        (["x", "y"], "not a list of numbers"),
        ([[1], [2]], "do not fit"),
    ],
)
def test_weights_that_are_none(weights, words):
    with pytest.raises(DataError, match=words):
        kept_weights(weights, ["a", "b"], ["a", "b"])


def test_no_such_class_weight():
    with pytest.raises(OptionError, match="class_weight 'ballanced'"):
        make_spec("classification", "imdb", {"class_weight": "ballanced"})
